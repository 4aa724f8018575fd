"""requantize against the C library's rounding."""

import hdl_tools as hdl

VECTORS = 1_000_000
SEED = 8


def test_rtl() -> None:
    program = hdl.simulator(
        "rtl-requantize", "requantize", "bench_requantize", hdl.design_sources("requantize")
    )
    outcome = hdl.simulate(program, VECTORS, SEED)
    assert outcome.results == outcome.vectors >= VECTORS
