"""The osu018 files, and table interpolation by hand."""

import numpy as np
import pytest

from fpga.asic import library
from fpga.files import FlowError


def test_tables_interpolate_and_extrapolate():
    table = library.Table(
        (np.array([0.0, 1.0]), np.array([0.0, 10.0])), np.array([[0.0, 10.0], [2.0, 12.0]])
    )
    assert table.at(0.0, 0.0) == 0.0
    assert table.at(0.5, 5.0) == pytest.approx(6.0)
    assert table.at(2.0, 0.0) == pytest.approx(4.0)
    assert table.at(0.0, -1.0) == pytest.approx(-1.0)
    assert library.FREE.at(1.0, 2.0) == 0.0


def test_areas_are_footprints_and_liberty_agrees_but_for_three_cells():
    cells = library.load().cells
    assert cells["DFFPOSX1"].area_um2 == pytest.approx(9.6 * 10)
    differing = {name for name, cell in cells.items() if cell.area_um2 != cell.area_liberty}
    assert differing == {"LATCH", "NAND3X1", "OAI21X1"}


def test_a_register_and_a_gate():
    cells = library.load().cells
    register, gate = cells["DFFPOSX1"], cells["NAND2X1"]
    assert register.register and not gate.register
    assert register.pins["CLK"].clock and not register.pins["D"].clock
    assert [energy.related for energy in gate.pins["Y"].energies] == ["A", "B"]
    assert all(energy.inverting for energy in gate.pins["Y"].energies)
    assert register.pins["Q"].energies[0].related == "CLK"
    assert register.leakage_w == pytest.approx(0.160725e-9)


def test_a_missing_library_names_the_package(tmp_path):
    with pytest.raises(FlowError, match=r"osu018_stdcells\.lib.*apt-get install qflow-tech-osu018"):
        library.file("lib", tmp_path)


def test_a_library_in_other_units_is_refused():
    liberty = library.file("lib").read_text().replace('"1nW"', '"1uW"')
    with pytest.raises(FlowError, match="units"):
        library.parse(liberty, "")
