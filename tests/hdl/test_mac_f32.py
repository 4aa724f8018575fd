"""mac_f32 against the C++ compiler's own float arithmetic."""

from pathlib import Path

import hdl_tools as hdl

SPECIAL_VECTORS = 88**3  # every pair of special values crossed with every third
RANDOM_VECTORS = 1_500_000
SEED = 754


def bench(name: str, sources: list[Path]) -> Path:
    return hdl.simulator(name, "mac_f32", "bench_mac_f32", sources)


def test_rtl() -> None:
    outcome = hdl.simulate(
        bench("rtl-mac_f32", hdl.design_sources("mac_f32")), RANDOM_VECTORS, SEED
    )
    assert outcome.results == outcome.vectors == SPECIAL_VECTORS + RANDOM_VECTORS


def test_bench_notices_a_lost_sticky_bit() -> None:
    """Rounding that drops the bits below the half bit must fail."""
    folder = hdl.BUILD / "broken"
    folder.mkdir(parents=True, exist_ok=True)
    broken = folder / "round_f32.v"
    text = (hdl.HDL / "round_f32.v").read_text()
    assert "(sig_i[0] || sig_i[2])" in text
    broken.write_text(text.replace("(sig_i[0] || sig_i[2])", "sig_i[2]"))
    sources = [
        broken if path.name == broken.name else path for path in hdl.design_sources("mac_f32")
    ]
    assert hdl.run([bench("rtl-broken_f32", sources), "10000", "1"]).returncode == 1
