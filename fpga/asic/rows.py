"""The rows of results.json: a design, a mapping and a clock each."""

from pathlib import Path
from typing import Any

from fpga.asic import library, synth
from fpga.asic.activity import Net
from fpga.asic.designs import BASE, COMMON_CLOCK_NS, REPORT_CLOCK_NS, Design
from fpga.asic.power import (
    Evaluator,
    Part,
    against_opensta,
    measured,
    toggles_per_cycle,
    total,
)
from fpga.files import read_json

Row = dict[str, Any]
CLOCKS = {"report": REPORT_CLOCK_NS, "common": COMMON_CLOCK_NS}


def stored(counts: dict[Net, int]) -> dict[str, int]:
    return {f"{name} {index}": count for (name, index), count in counts.items()}


def restored(counts: dict[str, int]) -> dict[Net, int]:
    pairs = ((key.rsplit(" ", 1), count) for key, count in counts.items())
    return {(name, int(index)): count for (name, index), count in pairs}


def energy_pj(part: Part, cycles: int, macs: int) -> dict[str, float]:
    """Dynamic energy of a MAC; leakage depends on the clock and is left to power_w."""
    scale = 1e12 * cycles / macs
    parts = {"internal": part.internal * scale, "switching": part.switching * scale}
    parts["total"] = sum(parts.values())
    return {name: round(value, 4) for name, value in parts.items()}


def make(design: Design, mapping: str, folder: Path, operands: Path) -> list[Row]:
    """Rows of one netlist; power is null at a clock that it does not close at."""
    netlist = synth.netlist((folder / "netlist.json").read_text(), design.top)
    timing = read_json(folder / "timing.json")
    toggles = read_json(folder / "toggles.json")
    about = read_json(operands / "operands.json")
    cycles, macs = about["cycles"], about["macs"]
    evaluator = Evaluator(netlist, library.load(), timing["slews"])
    delayed, settled = (restored(toggles[name]) for name in ("delayed", "settled"))
    groups = evaluator.groups(measured(netlist, delayed, cycles))
    whole = total(groups)
    quiet = total(evaluator.groups(measured(netlist, settled, cycles)))
    per_mac = cycles / macs
    common = {
        "energy_per_mac_pj": energy_pj(whole, cycles, macs),
        "energy_per_mac_settled_pj": energy_pj(quiet, cycles, macs),
        "toggles_per_mac": round(toggles_per_cycle(netlist, delayed, cycles) * per_mac, 3),
        "toggles_per_mac_settled": round(toggles_per_cycle(netlist, settled, cycles) * per_mac, 3),
        "macs_per_cycle": design.row["macs_per_cycle"],
        "activity": {
            "how": "every net's toggles counted in a gate-level simulation with the delays that "
            "OpenSTA computes, glitches included",
            "operands": about["description"],
            "cycles": cycles,
            "macs": macs,
        },
        "ours_over_opensta": against_opensta(evaluator, timing["uniform_power"], COMMON_CLOCK_NS),
    }
    figures = timing["figures"]
    rows = []
    for name, clock_ns in CLOCKS.items():
        slack = figures[f"slack_{name}"]
        closes = slack >= 0
        rows.append(
            {
                "design": design.name,
                "precision": design.row["precision"],
                "mapping": mapping,
                **read_json(folder / "size.json"),
                "clock_ns": clock_ns,
                "slack_ns": slack,
                "slack_between_registers_ns": figures[f"slack_between_registers_{name}"],
                "fastest_clock_ns": figures["fastest"],
                "fastest_clock_between_registers_ns": figures["fastest_between_registers"],
                "power_w": whole.power(clock_ns) if closes else None,
                "power_by_group_w": {group: part.power(clock_ns) for group, part in groups.items()}
                if closes
                else None,
                **common,
            }
        )
    return rows


def ratio(value: float | None, base: float | None) -> float | None:
    return None if value is None or not base else round(value / base, 4)


def of_power(row: Row) -> float | None:
    return row["power_w"] and row["power_w"]["total"]


def with_ratios(rows: list[Row]) -> list[Row]:
    """Each row with its cells, area, power and energy over the 32-bit MAC's, likewise mapped."""
    bases = {(row["mapping"], row["clock_ns"]): row for row in rows if row["design"] == BASE}
    for row in rows:
        base = bases.get((row["mapping"], row["clock_ns"]))
        row["ratio_to_32"] = base and {
            "cells": ratio(row["cells"], base["cells"]),
            "area_um2": ratio(row["area_um2"], base["area_um2"]),
            "power_w": ratio(of_power(row), of_power(base)),
            "energy_per_mac_pj": ratio(
                row["energy_per_mac_pj"]["total"], base["energy_per_mac_pj"]["total"]
            ),
        }
    return rows


def collect(paths: list[Path], versions: dict[str, str], command: str) -> list[Row]:
    rows = with_ratios([row for path in paths for row in read_json(path)])
    return [row | {"versions": versions, "command": command} for row in rows]
