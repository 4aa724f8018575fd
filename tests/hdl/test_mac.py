"""The integer units against the C library, as RTL."""

from pathlib import Path

import hdl_tools as hdl
import pytest

RANDOM_VECTORS = 200_000
SEED = 2026

# Shapes of `dot` that no unit above has, as the convolution engine may use them.
DOTS = {
    "dot3_s8": hdl.Unit("dot", 3, 3, 8, 8, latency=4),
    "dot3_u4": hdl.Unit("dot", 3, 3, 4, 4, latency=4, a_signed=False),
    "dot4_u8_s4": hdl.Unit("dot", 4, 4, 8, 4, latency=4, a_signed=False),
    "dot8_u8": hdl.Unit("dot", 8, 8, 8, 8, latency=4, a_signed=False),
    "dot2_s4": hdl.Unit("dot", 2, 2, 4, 4, latency=4),
    "dot1_u8": hdl.Unit("dot", 1, 1, 8, 8, latency=3, a_signed=False),
}
DOT_PARAMETERS = {
    name: {
        "Lanes": unit.a_lanes,
        "AWidth": unit.a_width,
        "BWidth": unit.b_width,
        "ASigned": int(unit.a_signed),
    }
    for name, unit in DOTS.items()
}
CASES = {
    **{name: (unit, {}) for name, unit in hdl.UNITS.items()},
    **{name: (unit, DOT_PARAMETERS[name]) for name, unit in DOTS.items()},
}


def bench(name: str, technology: str = "generic") -> Path:
    unit, parameters = CASES[name]
    return hdl.simulator(
        f"rtl-{technology}-{name}",
        unit.module,
        "bench_mac",
        hdl.design_sources(unit.module, technology) + hdl.multiplier_models(technology),
        parameters,
        unit.defines(),
        hdl.model_options(technology),
    )


@pytest.mark.parametrize("name", CASES)
def test_every_product(name: str) -> None:
    unit, _ = CASES[name]
    outcome = hdl.simulate(bench(name), "exhaustive")
    pairs = 2 ** (unit.a_width + unit.b_width)
    assert outcome.results == outcome.vectors
    assert outcome.results >= pairs * (unit.a_lanes if not unit.outer else unit.b_lanes)


@pytest.mark.parametrize(
    ("name", "technology"),
    [("mac2_s8", "ecp5"), ("mac4_s4", "ecp5"), ("mac4_s4", "ice40"), ("dot2_s4", "ecp5")],
)
def test_every_packed_product(name: str, technology: str) -> None:
    """Where one multiplier does several products: every operand against every other."""
    outcome = hdl.simulate(bench(name, technology), "exhaustive")
    assert outcome.results == 2 ** (24 if name == "mac2_s8" else 16)


@pytest.mark.parametrize("name", CASES)
def test_random_streams(name: str) -> None:
    assert hdl.simulate(bench(name), "random", RANDOM_VECTORS, SEED).vectors >= RANDOM_VECTORS


@pytest.mark.parametrize("name", CASES)
def test_sums_wrap(name: str) -> None:
    assert hdl.simulate(bench(name), "wrap").results == 1


@pytest.mark.parametrize("width", [4, 8, 32])
def test_mac_seed(width: int) -> None:
    program = hdl.simulator(
        f"rtl-mac_seed_{width}",
        "mac_seed",
        "bench_mac_seed",
        hdl.design_sources("mac_seed"),
        {"W": width},
        {"W": width},
    )
    assert hdl.simulate(program, "random", RANDOM_VECTORS, SEED).results >= RANDOM_VECTORS
    if width <= 8:
        assert hdl.simulate(program, "exhaustive").results == 4**width


def test_bench_notices_a_wrong_product() -> None:
    """One product of 256 wrong by one: every bench mode that covers it must fail."""
    unit = hdl.UNITS["mac_s8"]
    sources = hdl.design_sources("mac_s8")
    folder = hdl.BUILD / "broken"
    folder.mkdir(parents=True, exist_ok=True)
    broken = folder / "mul_s.v"
    text = (hdl.HDL / "generic/mul_s.v").read_text()
    assert "a_q * b_q" in text
    broken.write_text(text.replace("a_q * b_q", "a_q * b_q ^ (b_q == 8'sd77)"))
    program = hdl.simulator(
        "rtl-broken",
        "mac_s8",
        "bench_mac",
        [broken if path.name == "mul_s.v" else path for path in sources],
        {},
        unit.defines(),
    )
    assert hdl.run([program, "exhaustive"]).returncode == 1
    assert hdl.run([program, "random", "10000", "1"]).returncode == 1
