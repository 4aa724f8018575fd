"""mac_seed_4 through the whole flow, once, and the tables made of it."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from tests_kind import KIND

from fpga.asic import (
    designs,
    library,
    operands,
    rows,
    simulate,
    synth,
    table,
    timing,
    tools,
)
from fpga.files import FlowError, read_json, write_json
from fpga.toolchain import ROOT, command


@pytest.fixture(scope="module")
def flow(tmp_path_factory) -> Path:
    """A folder with every file of mac_seed_4, mapped for area, over 8 sums."""
    folder = tmp_path_factory.mktemp("mac_seed_4")
    design = designs.find("mac_seed_4")
    operands.write(design, folder, 8)
    synth.synthesize(design, "area", folder, KIND)
    timing.analyze(design, folder)
    counts = {
        name: rows.stored(
            simulate.simulate(
                design, folder, folder / "netlist.v", [str(library.file("v"))], folder, sdf
            )
        )
        for name, sdf in (("settled", False), ("delayed", True))
    }
    write_json(folder / "toggles.json", counts)
    write_json(folder / "rows.json", rows.make(design, "area", folder, folder))
    return folder


@pytest.fixture
def made(flow) -> list[rows.Row]:
    return rows.collect([flow / "rows.json"], {"yosys": "0"}, "test")


def test_size(made, flow):
    row = made[0]
    assert row["registers"] == 8
    assert row["cells"] == sum(row["cells_by_type"].values())
    assert 50 < row["cells"] < 100
    cells = library.load().cells
    area = sum(cells[name].area_um2 * number for name, number in row["cells_by_type"].items())
    assert row["area_um2"] == pytest.approx(area)
    stat = re.search(r"Chip area for module.*: ([\d.]+)", (flow / "synth.log").read_text())
    assert row["area_liberty"] == pytest.approx(float(stat[1]))


def test_the_fastest_clock_closes_and_a_picosecond_less_does_not(made):
    for row in made:
        for slack, fastest in (
            ("slack_ns", "fastest_clock_ns"),
            ("slack_between_registers_ns", "fastest_clock_between_registers_ns"),
        ):
            needed = row["clock_ns"] - row[slack]
            assert row[fastest] - 0.0011 < needed < row[fastest] + 1e-5
        assert row["slack_between_registers_ns"] >= row["slack_ns"]


def test_power_is_null_where_the_clock_does_not_close(made):
    report, common = made
    assert (report["clock_ns"], common["clock_ns"]) == (1.5, 10.0)
    assert report["slack_ns"] < 0 and report["power_w"] is None
    assert report["power_by_group_w"] is None


def test_power_adds_up(made):
    row = made[1]
    watts, groups = row["power_w"], row["power_by_group_w"]
    for part in ("internal", "switching", "leakage", "total"):
        assert sum(group[part] for group in groups.values()) == pytest.approx(watts[part], rel=1e-4)
    dynamic = watts["internal"] + watts["switching"]
    assert dynamic * 10e-9 * 1e12 == pytest.approx(row["energy_per_mac_pj"]["total"], rel=1e-3)
    assert row["toggles_per_mac"] > row["toggles_per_mac_settled"] > 0
    assert row["energy_per_mac_pj"]["total"] > row["energy_per_mac_settled_pj"]["total"]


def test_agrees_with_opensta(made):
    ratios = made[1]["ours_over_opensta"]
    assert ratios["switching"] == pytest.approx(1, abs=0.005)
    assert ratios["internal"] == pytest.approx(1, abs=0.1)


def test_settled_toggles_of_the_inputs_are_the_operands(flow):
    """The weights' bits as recorded against the same counted over operands.hex."""
    words = [int(line, 16) for line in (flow / "operands.hex").read_text().split()]
    counts = rows.restored(read_json(flow / "toggles.json")["settled"])
    for bit in range(4):
        stream = [word >> bit & 1 for word in [0, *words]]
        expected = sum(a != b for a, b in pairwise(stream))
        assert counts[("weights_i", bit)] == expected
    assert counts[("clk_i", 0)] == 2 * len(words)


def test_a_wrong_result_stops_the_flow(flow, tmp_path):
    for name in ("operands.hex", "operands.json", "results.hex"):
        (tmp_path / name).write_text((flow / name).read_text())
    results = (tmp_path / "results.hex").read_text().split()
    results[3] = f"{int(results[3], 16) ^ 1:x}"
    (tmp_path / "results.hex").write_text("\n".join(results))
    with pytest.raises(FlowError, match="simulation of mac_seed_4: result 3 is"):
        simulate.simulate(
            designs.find("mac_seed_4"),
            tmp_path,
            flow / "netlist.v",
            [str(library.file("v"))],
            tmp_path,
            False,
        )
    assert not (tmp_path / "changes.vcd").exists()


def test_missing_results_stop_the_flow():
    with pytest.raises(FlowError, match="1 results for 2 sums"):
        simulate.check("result a\n", "a\nb\n", "simulation")


def test_ratios_are_to_the_32_bit_mac(made):
    base = json.loads(json.dumps(made))
    for row in base:
        row["design"] = designs.BASE
        row["cells"] *= 4
    both = rows.with_ratios(base + made)
    assert both[-1]["ratio_to_32"]["cells"] == 0.25
    assert both[-1]["ratio_to_32"]["power_w"] == 1.0
    assert both[-2]["ratio_to_32"]["power_w"] is None


def test_tables(made, tmp_path):
    base = json.loads(json.dumps(made))
    for row in base:
        row["design"] = designs.BASE
    write_json(tmp_path / "results.json", {"asic": rows.with_ratios(base + made)})
    text = table.show(tmp_path / "results.json")
    assert "mac_seed_4, report" in text and "TSMC-like" in text
    line = next(line for line in text.splitlines() if line.startswith("mac_seed_8, report"))
    assert "0.0729" in line and "0.0938" in line and "0.0827" in line and "0.501" in line


def test_the_course_report_adds_up():
    report = read_json(table.COURSE_REPORT)
    for row in report["rows"]:
        watts = row["power_w"]
        parts = watts["internal"] + watts["switching"] + watts["leakage"]
        assert parts == pytest.approx(watts["total"], rel=1e-3)
        assert sum(row["power_by_group_w"].values()) == pytest.approx(watts["total"], rel=1e-3)


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"design": "x"}]', "not json"])
def test_a_table_of_something_else_is_an_error(text, tmp_path):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(FlowError):
        table.show(tmp_path / "x.json")


def test_a_verilog_error_names_file_and_line(tmp_path):
    (tmp_path / "bad.ys").write_text("read_verilog bad.v\n")
    (tmp_path / "bad.v").write_text("module bad(\n")
    with pytest.raises(FlowError, match=r"bad\.v:\d+.*see .*synth\.log"):
        yosys = [*command(KIND, "yosys"), "-q", "-l", "synth.log", "bad.ys"]
        tools.run(yosys, tmp_path, "synth.log", own_log=True)


def test_a_missing_tool_names_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FlowError, match="sta: not found on PATH; apt-get install opensta"):
        tools.check()


def test_unknown_design_lists_the_known():
    with pytest.raises(FlowError, match="design mac_s9: unknown; known: mac_seed_32, "):
        designs.find("mac_s9")


def test_every_design_has_its_sources():
    for design in designs.load().values():
        assert any(path.stem == design.top for path in design.sources)
        assert all(path.is_relative_to(ROOT / "hdl") for path in design.sources)
