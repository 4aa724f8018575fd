"""nextpnr's reports: what is read from real ones, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fpga.files import FlowError
from fpga.route import overflow, parse_report
from fpga.toolchain import ToolError


def test_ice40(report: Callable[[str], Path]) -> None:
    row = parse_report(report("up5k_mac_seed_8"))
    assert row["fmax_mhz"] == 44.69
    assert row["placed"] == {
        "ICESTORM_LC": [128, 5280], "SB_GB": [1, 8], "SB_IO": [3, 39]
    }  # fmt: skip


def test_ecp5(report: Callable[[str], Path]) -> None:
    row = parse_report(report("ecp5_25f_mac_seed_8"))
    assert row["fmax_mhz"] == 125.5
    assert row["placed"]["TRELLIS_COMB"] == [150, 24288]
    assert row["placed"]["TRELLIS_FF"] == [47, 24288]


@pytest.mark.parametrize("clocks", [{}, {"a": {"achieved": 1}, "b": {"achieved": 2}}])
def test_no_single_fmax_is_an_error(
    report: Callable[[str], Path], tmp_path: Path, clocks: dict[str, object]
) -> None:
    value = json.loads(report("ecp5_25f_mac_seed_8").read_text())
    value["fmax"] = clocks
    path = tmp_path / "report.json"
    path.write_text(json.dumps(value))
    with pytest.raises(ToolError, match=f"^{len(clocks)} clocks"):
        parse_report(path)
    del value["fmax"]
    path.write_text(json.dumps(value))
    with pytest.raises(ToolError, match="^0 clocks"):
        parse_report(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"fmax": {"clk": {"achieved": 1}}}', "null"])
def test_not_a_report(tmp_path: Path, text: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)
    with pytest.raises(FlowError, match="report.json: not a nextpnr report"):
        parse_report(path)


def test_overflow_names_the_resource(report: Callable[[str], Path], tmp_path: Path) -> None:
    assert overflow(report("up5k_mac_seed_8")) is None
    value = json.loads(report("up5k_mac_seed_8").read_text())
    value["utilization"]["ICESTORM_LC"]["used"] = 5281
    path = tmp_path / "packed.json"
    path.write_text(json.dumps(value))
    assert overflow(path) == "ICESTORM_LC 5281 of 5280"
