"""Toggles per MAC of mac_seed_4 on an iCE40 and an ECP5 netlist."""

from itertools import pairwise

import pytest
from tests_kind import KIND

from fpga.activity import __main__ as command
from fpga.activity import measure
from fpga.asic import designs, operands
from fpga.files import FlowError, write_json

SUMS = 8


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("operands")
    operands.write(designs.find("mac_seed_4"), folder, SUMS)
    return folder


@pytest.mark.parametrize("target", measure.TARGETS)
def test_a_row(target, words, tmp_path, capsys):
    row = measure.measure("mac_seed_4", target, tmp_path, words, KIND)
    assert row["target"] == target
    assert row["macs"] == row["cycles"] == SUMS * 75
    lines = [int(line, 16) for line in (words / "operands.hex").read_text().split()]
    of_inputs = sum((a ^ b).bit_count() for a, b in pairwise([0, *lines])) / len(lines)
    # Operands toggle as they must; the logic, some tens of nets, adds to that.
    assert of_inputs < row["toggles_per_mac"] < row["nets"]
    assert "not a power" in row["how"]
    rows = tmp_path / "rows.json"
    write_json(rows, {"activity": [row]})
    command.run(command.parser().parse_args(["table", str(rows)]))
    assert f"{row['toggles_per_mac']:.1f}" in capsys.readouterr().out


def test_a_file_without_activity_is_refused(tmp_path):
    write_json(tmp_path / "rows.json", {"runs": []})
    with pytest.raises(FlowError, match="no activity rows"):
        command.run(command.parser().parse_args(["table", str(tmp_path / "rows.json")]))


def test_missing_cell_models_are_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FlowError, match="ice40 cell models"):
        measure.cell_models("yowasp", "ice40")
