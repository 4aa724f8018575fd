"""Map a design onto the library's cells: a Verilog netlist, the same as JSON, and its size."""

import json
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fpga import toolchain
from fpga.asic import library
from fpga.asic.designs import REPORT_CLOCK_NS, Design
from fpga.asic.tools import run
from fpga.files import FlowError, write_json, write_text


@dataclass(frozen=True)
class Instance:
    """A cell of the netlist; nets are bit numbers, constants "0", "1", "x"."""

    name: str
    cell: str
    nets: dict[str, int | str]


@dataclass(frozen=True)
class Netlist:
    """The mapped design. `names` gives every net bit the (name, index) pairs that it goes by."""

    instances: tuple[Instance, ...]
    names: dict[int, list[tuple[str, int]]]
    ports: dict[str, tuple[str, list[int]]]


PERIOD_PS = round(REPORT_CLOCK_NS * 1000)

# Yosys's own recipe for a liberty file recovers area; the other keeps the adders' and multipliers'
# depth, which the first gives away, and buffers and sizes what is left.
MAPPINGS = {"area": "", "speed": " -script map_speed.abc"}
SPEED = "strash; dch -f; map -B 0.9; topo; buffer -c -N 12; topo; upsize {D}; dnsize {D}; stime -p"


def script(design: Design, mapping: str, folder: Path) -> str:
    """Yosys's script, timed for the report's clock.

    Paths are relative to the folder: YoWASP shows its tools a /tmp of their own, so a checkout
    under /tmp has no absolute path there.
    """
    reads = "\n".join(f"read_verilog {os.path.relpath(each, folder)}" for each in design.sources)
    constraints = os.path.relpath(Path(__file__).with_name("map.constr"), folder)
    liberty = library.file("lib")
    sets = "".join(f" -chparam {name} {value}" for name, value in design.row["parameters"].items())
    return f"""read_liberty -lib {liberty}
{reads}
hierarchy -check -top {design.top}{sets}
synth -flatten -noabc -top {design.top}
dfflibmap -liberty {liberty}
abc -liberty {liberty} -constr {constraints} -D {PERIOD_PS}{MAPPINGS[mapping]}
setundef -zero
splitnets
opt_clean -purge
rename -enumerate
check -mapped -assert
stat -liberty {liberty}
write_json netlist.json
write_verilog -noattr -noexpr -nohex -nodec netlist.v
"""


def netlist(text: str, top: str) -> Netlist:
    module: dict[str, Any] = json.loads(text)["modules"][top]
    instances = tuple(
        Instance(name, cell["type"], {pin: bits[0] for pin, bits in cell["connections"].items()})
        for name, cell in module["cells"].items()
    )
    names: dict[int, list[tuple[str, int]]] = {}
    for name, net in module["netnames"].items():
        for index, bit in enumerate(net["bits"]):
            if isinstance(bit, int):
                names.setdefault(bit, []).append((name, index))
    ports = {name: (port["direction"], port["bits"]) for name, port in module["ports"].items()}
    return Netlist(instances, names, ports)


def size(mapped: Netlist, cells: library.Library) -> dict[str, Any]:
    counts = Counter(instance.cell for instance in mapped.instances)
    for name in counts:
        if name not in cells.cells:
            raise FlowError(f"cell {name}", "is not in the library", "report the design's source")
    kinds = [(cells.cells[name], number) for name, number in sorted(counts.items())]
    return {
        "cells": sum(counts.values()),
        "registers": sum(number for cell, number in kinds if cell.register),
        "area_um2": round(sum(cell.area_um2 * number for cell, number in kinds), 3),
        "area_liberty": round(sum(cell.area_liberty * number for cell, number in kinds), 3),
        "cells_by_type": dict(sorted(counts.items())),
    }


def synthesize(design: Design, mapping: str, folder: Path, kind: str) -> None:
    """Write netlist.v, netlist.json and size.json into the folder; `kind` of toolchain."""
    folder.mkdir(parents=True, exist_ok=True)
    speed = SPEED.format(D=f"-D {PERIOD_PS}").replace("; ", "\n")
    (folder / "map_speed.abc").write_text(speed + "\n")
    (folder / "synth.ys").write_text(script(design, mapping, folder))
    yosys = [*toolchain.command(kind, "yosys"), "-q", "-l", "synth.log", "synth.ys"]
    run(yosys, folder, "synth.log", own_log=True)
    verilog = folder / "netlist.v"
    # OpenSTA's Verilog reader knows no signed nets; nothing in a mapped netlist depends on it.
    write_text(verilog, re.sub(r"\b(wire|output|input) signed\b", r"\1", verilog.read_text()))
    mapped = netlist((folder / "netlist.json").read_text(), design.top)
    write_json(folder / "size.json", size(mapped, library.load()))
