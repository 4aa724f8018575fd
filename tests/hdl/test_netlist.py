"""Every design of the flow's table as the flow synthesizes it: the netlist, with the vendors' cell
models, on the same vectors as the RTL. The rows come from fpga/designs.toml and fpga/targets.toml,
so a new design is covered as soon as it is in the table."""

from pathlib import Path

import engine
import hdl_tools as hdl
import pytest

from fpga.synth import script
from fpga.tables import Row, load_designs, load_targets, sources

VECTORS = 100_000
SEED = 7

DESIGNS = load_designs()
# One fabric a family: iCE40's differ in timing only. The one with DSP blocks stands for it.
FABRICS = {name: next(t["synthesis"] for t in load_targets().values() if t["fabric"] == name)
           for name in ("ice40-u", "ecp5")}  # fmt: skip
CASES = [
    (design, fabric)
    for design, row in DESIGNS.items()
    for fabric, target in FABRICS.items()
    # The engine's rows are too large to simulate as netlists; test_small_engine stands for them.
    if target["family"] in row["dsp"] and row["module"] != "conv_engine"
]

ENGINE = engine.Layer(6, 7, 4, 4, 3, 1, 1, 4, 2, 8, 8, 1)


def netlist(name: str, design: Row, fabric: Row) -> Path:
    files = sources(design, fabric["family"])
    folder = hdl.BUILD / name
    return hdl.netlist(name, script(design, fabric, folder / "netlist.json"), files)


def simulator(name: str, module: str, bench: str, path: Path, family: str, defines=None) -> Path:
    return hdl.simulator(
        f"{name}-sim", module, bench, [path, *hdl.cell_models(family)],
        defines=defines, options=hdl.model_options(family),
    )  # fmt: skip


@pytest.mark.parametrize(("name", "fabric"), CASES)
def test_design(name: str, fabric: str) -> None:
    design, family = DESIGNS[name], FABRICS[fabric]["family"]
    module = design["module"]
    folder = f"netlist-{name}-{fabric}"
    path = netlist(folder, design, FABRICS[fabric])

    if module in hdl.UNITS:
        unit = hdl.UNITS[module]
        program = simulator(folder, module, "bench_mac", path, family, unit.defines())
        assert hdl.simulate(program, "sampled").results >= 2 ** (unit.a_width + unit.b_width)
        assert hdl.simulate(program, "random", VECTORS, SEED).vectors >= VECTORS
    elif module == "mac_seed":
        width = design["parameters"]["W"]
        program = simulator(folder, module, "bench_mac_seed", path, family, {"W": width})
        assert hdl.simulate(program, "random", VECTORS, SEED).results >= VECTORS
        if width <= 8:
            assert hdl.simulate(program, "exhaustive").results == 4**width
    elif module == "mac_f32":
        program = simulator(folder, module, "bench_mac_f32", path, family)
        assert hdl.simulate(program, VECTORS, SEED).results >= VECTORS
    else:
        pytest.fail(f"{module}: no bench; add it here and to hdl/README.md", pytrace=False)


@pytest.mark.parametrize("multiplier", ["lut", "dsp"])
@pytest.mark.parametrize("fabric", FABRICS)
def test_small_engine(fabric: str, multiplier: str) -> None:
    row = {
        "name": "conv_engine_small",
        "module": "conv_engine",
        "parameters": ENGINE.parameters(),
        "multiplier": multiplier,
        "hdl": str(hdl.HDL),
    }
    family = FABRICS[fabric]["family"]
    folder = f"netlist-conv_engine_{multiplier}-{fabric}"
    path = netlist(folder, row, FABRICS[fabric])
    program = simulator(folder, "conv_engine", "bench_conv_engine", path, family, ENGINE.defines())
    assert hdl.simulate(program, "random", SEED, 2).results == 2 * ENGINE.outputs()
