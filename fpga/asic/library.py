"""The osu018 cell library: where it is, and what its cells cost.

Liberty holds timing, pin capacitance (pF) and energy (pJ an edge); LEF holds the cells' footprints
in um. Liberty's `area` has no unit of its own: it equals the LEF footprint in um2 for every cell
but those whose two figures differ (see README.md), so areas come from LEF.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from liberty.parser import parse_liberty
from liberty.types import Group

from fpga.files import FlowError

FOLDER = Path("/usr/share/qflow/tech/osu018")
PACKAGE = "qflow-tech-osu018"


@dataclass(frozen=True)
class Table:
    """Energy of one edge in pJ over one or two axes, interpolated and extrapolated linearly."""

    axes: tuple[np.ndarray, ...]
    values: np.ndarray

    def at(self, *point: float) -> float:
        values = self.values
        for axis, x in zip(self.axes, point):
            i = int(np.clip(np.searchsorted(axis, x) - 1, 0, len(axis) - 2))
            t = (x - axis[i]) / (axis[i + 1] - axis[i])
            values = values[i] * (1 - t) + values[i + 1] * t
        return float(values)


FREE = Table((), np.array(0.0))  # an edge that the library gives no energy


@dataclass(frozen=True)
class Energy:
    """Internal energy of a pin's edges; `related` is the input that causes an output's edge."""

    related: str | None
    inverting: bool
    rise: Table
    fall: Table


@dataclass(frozen=True)
class Pin:
    direction: str
    capacitance_pf: float
    clock: bool
    energies: tuple[Energy, ...]


@dataclass(frozen=True)
class Cell:
    name: str
    area_um2: float
    area_liberty: float
    leakage_w: float
    register: bool
    pins: dict[str, Pin]


@dataclass(frozen=True)
class Library:
    voltage: float
    cells: dict[str, Cell]


def file(kind: str, folder: Path = FOLDER) -> Path:
    """The library's file of a kind: lib, lef or v."""
    path = folder / f"osu018_stdcells.{kind}"
    if not path.is_file():
        raise FlowError(
            f"standard cell library {path}", "no such file", f"apt-get install {PACKAGE}"
        )
    return path


def text(value: object) -> str:
    return str(value).strip('"')


def table(group: Group) -> Table:
    axes = [group.get_array("index_1").reshape(-1)]
    values = group.get_array("values")
    if "index_2" in group:
        axes.append(group.get_array("index_2").reshape(-1))
    else:
        values = values.reshape(-1)
    return Table(tuple(axes), values)


def energy(group: Group, senses: dict[str, str]) -> Energy:
    edges = {each.group_name: table(each) for each in group.groups}
    related = text(group["related_pin"]) if "related_pin" in group else None
    inverting = senses.get(related or "") == "negative_unate"
    return Energy(related, inverting, edges.get("rise_power", FREE), edges.get("fall_power", FREE))


def pin(group: Group) -> Pin:
    senses = {
        text(each["related_pin"]): text(each["timing_sense"])
        for each in group.get_groups("timing")
        if "timing_sense" in each
    }
    return Pin(
        direction=text(group["direction"]),
        capacitance_pf=float(group["capacitance"]),
        clock="clock" in group and text(group["clock"]).lower() == "true",
        energies=tuple(energy(each, senses) for each in group.get_groups("internal_power")),
    )


def footprints(lef: str) -> dict[str, float]:
    """LEF macro name -> width x height in um2."""
    pattern = r"^MACRO (\S+)\n.*?^\s*SIZE\s+([\d.]+)\s+BY\s+([\d.]+)"
    found = re.findall(pattern, lef, flags=re.MULTILINE | re.DOTALL)
    return {name: float(width) * float(height) for name, width, height in found}


def parse(liberty: str, lef: str) -> Library:
    library = parse_liberty(liberty)
    units = {name: text(library[name]) for name in ("leakage_power_unit", "voltage_unit")}
    capacitance = [text(each) for each in library["capacitive_load_unit"]]
    if units != {"leakage_power_unit": "1nW", "voltage_unit": "1V"} or capacitance != ["1", "pf"]:
        raise FlowError("standard cell library", "its units are not nW, V and pF", "use osu018")
    area = footprints(lef)
    cells = {}
    for group in library.get_groups("cell"):
        name = text(group.args[0])
        cells[name] = Cell(
            name=name,
            area_um2=area.get(name, float(group["area"])),
            area_liberty=float(group["area"]),
            leakage_w=float(group["cell_leakage_power"]) * 1e-9,
            register=any(group.get_groups("ff")),
            pins={text(each.args[0]): pin(each) for each in group.get_groups("pin")},
        )
    return Library(voltage=float(library["nom_voltage"]), cells=cells)


@cache
def load(folder: Path = FOLDER) -> Library:
    return parse(file("lib", folder).read_text(), file("lef", folder).read_text())
