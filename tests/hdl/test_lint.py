"""Verilator with every warning on says nothing; Icarus and Yosys read every design as well."""

import hdl_tools as hdl
import pytest
from test_conv_engine import SEED_LAYERS, SMALL_LAYERS

ENGINES = {name: layer.parameters() for name, layer in SMALL_LAYERS.items()}
ENGINES |= {name: layer.parameters() for name, (_, layer) in SEED_LAYERS.items()}

TOPS = [(unit, unit, {}) for unit in hdl.UNITS]
TOPS += [(f"conv_engine-{name}", "conv_engine", ENGINES[name]) for name in ENGINES]
TOPS += [(f"mac_seed-{width}", "mac_seed", {"W": width}) for width in (1, 4, 8, 32)]
TOPS += [("mac_f32", "mac_f32", {}), ("requantize", "requantize", {})]

CASES = [(technology, *top) for top in TOPS for technology in hdl.TECHNOLOGIES]
IDS = [f"{technology}-{name}" for technology, name, *_ in CASES]


@pytest.mark.parametrize(("technology", "name", "module", "parameters"), CASES, ids=IDS)
def test_verilator(technology: str, name: str, module: str, parameters: dict[str, int]) -> None:
    del name
    done = hdl.run([
        hdl.tool("verilator"), "--lint-only", "-Wall", "--timescale", "1ps/1ps",
        "--top-module", module, *hdl.model_options(technology),
        *(f"-G{k}={v}" for k, v in parameters.items()),
        hdl.HDL / "lint.vlt", hdl.HERE / "models.vlt", *hdl.multiplier_models(technology),
        "-y", hdl.HDL, "-y", hdl.HDL / technology, hdl.HDL / f"{module}.v",
    ])  # fmt: skip
    assert hdl.say_nothing(done)


@pytest.mark.parametrize(("name", "module", "parameters"), TOPS, ids=[name for name, *_ in TOPS])
def test_icarus(name: str, module: str, parameters: dict[str, int]) -> None:
    del name
    done = hdl.run([
        hdl.tool("iverilog"), "-g2005", "-Wall", "-tnull", "-s", module,
        *(f"-P{module}.{k}={v}" for k, v in parameters.items()),
        "-y", hdl.HDL, "-y", hdl.HDL / "generic", hdl.HDL / f"{module}.v",
    ])  # fmt: skip
    assert hdl.say_nothing(done)
