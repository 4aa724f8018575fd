"""Illegal parameters are rejected at elaboration, by each tool, with a message that names them."""

import hdl_tools as hdl
import pytest

CASES = [
    ("generic", "mac_seed", {"W": 0}, "W_must_be_at_least_1"),
    ("generic", "acc_s32", {"TermWidth": 33}, "TermWidth_must_be_1_to_32"),
    ("generic", "sum_tree", {"Count": 0}, "Count_and_Width_must_be_at_least_1"),
    ("generic", "dot", {"AWidth": 16, "BWidth": 16}, "sum_of_products_must_fit_32_bits"),
    ("generic", "mul4_s4_packed", {"Gap": 4}, "Gap_must_be_5_or_6"),
    ("generic", "mul4_s4_packed", {"Gap": 7}, "Gap_must_be_5_or_6"),
    ("generic", "pack2", {"Width": 8, "Gap": 7}, "Gap_must_be_at_least_Width"),
    ("generic", "tag_pipe", {"Depth": 1}, "Depth_must_be_at_least_2"),
    ("ice40", "mul_s", {"AWidth": 17}, "AWidth_and_BWidth_must_be_1_to_16"),
    ("ice40", "dot2", {"BWidth": 9}, "AWidth_and_BWidth_must_be_1_to_8"),
    ("ice40", "mul2_s8_packed", {}, "AWidth_and_BWidth_must_be_1_to_16"),
    ("ecp5", "mul_s", {"BWidth": 19}, "AWidth_and_BWidth_must_be_1_to_18"),
    ("ecp5", "mul_s", {"AWidth": 18, "ASigned": 0}, "or_17_unsigned"),
    ("generic", "conv_engine", {"InLanes": 2}, "InLanes_must_divide_InChannels"),
    ("generic", "conv_engine", {"OutLanes": 5}, "OutLanes_must_divide_OutChannels"),
    ("generic", "conv_engine", {"WeightWidth": 6}, "WeightWidth_must_be_8_or_4"),
    ("generic", "conv_engine", {"ActWidth": 16}, "ActWidth_must_be_8_or_4"),
    ("generic", "conv_engine", {"Pad": 5}, "0_to_Kernel_less_1_Pad"),
    ("generic", "conv_engine", {"Stride": 0}, "Stride_at_least_1"),
    ("generic", "conv_engine", {"InWidth": 4}, "must_hold_the_kernel"),
]
IDS = [
    f"{technology}-{module}-" + ("-".join(f"{k}{v}" for k, v in parameters.items()) or "default")
    for technology, module, parameters, _ in CASES
]
every_case = pytest.mark.parametrize(
    ("technology", "module", "parameters", "message"), CASES, ids=IDS
)


def _top(technology: str, module: str):
    own = hdl.HDL / technology / f"{module}.v"
    return own if own.exists() else hdl.HDL / f"{module}.v"


@every_case
def test_verilator(technology: str, module: str, parameters: dict[str, int], message: str) -> None:
    done = hdl.run([
        hdl.tool("verilator"), "--lint-only", "-Wno-fatal", "-Wno-lint", "--timescale", "1ps/1ps",
        "--top-module", module, *hdl.model_options(technology),
        *(f"-G{k}={v}" for k, v in parameters.items()), *hdl.multiplier_models(technology),
        "-y", hdl.HDL, "-y", hdl.HDL / technology, _top(technology, module),
    ])  # fmt: skip
    assert done.returncode != 0
    assert message in done.stderr


@every_case
def test_icarus(technology: str, module: str, parameters: dict[str, int], message: str) -> None:
    done = hdl.run([
        hdl.tool("iverilog"), "-g2005", "-tnull", "-s", module,
        *(f"-P{module}.{k}={v}" for k, v in parameters.items()),
        "-y", hdl.HDL, "-y", hdl.HDL / technology, _top(technology, module),
    ])  # fmt: skip
    assert done.returncode != 0
    assert message in done.stderr


@every_case
def test_yosys(technology: str, module: str, parameters: dict[str, int], message: str) -> None:
    from fpga import toolchain

    files = [_top(technology, module)]
    files += [path for path in sorted(hdl.HDL.glob("*.v")) if path not in files]
    files += [path for path in sorted((hdl.HDL / technology).glob("*.v")) if path not in files]
    chparam = "".join(f" -chparam {k} {v}" for k, v in parameters.items())
    script = (
        f"read_verilog -lib +/ice40/cells_sim.v; read_verilog -lib +/ecp5/cells_bb.v; "
        f"read_verilog {' '.join(map(hdl.relative, files))}; "
        f"hierarchy -check -top {module}{chparam}"
    )
    done = hdl.run([*toolchain.command("yowasp", "yosys"), "-q", "-p", script])
    assert done.returncode != 0
    assert message in done.stdout + done.stderr
