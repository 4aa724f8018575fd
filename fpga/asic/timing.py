"""Static timing of a netlist by OpenSTA: slack, fastest clock, slews, delays, its own power."""

import re
from pathlib import Path
from typing import Any

from fpga.asic import library
from fpga.asic.designs import COMMON_CLOCK_NS, REPORT_CLOCK_NS, Design
from fpga.asic.tools import command, run
from fpga.files import FlowError, write_json

FIGURE = re.compile(r"^((?:slack|fastest)\w*) (\S+)$", re.MULTILINE)
SLEWS = re.compile(r"^(\S+)/(\w+) \^ [^:]+:(\S+) v [^:]+:(\S+)$", re.MULTILINE)
POWER = re.compile(r"^\s*([-\d.e+]+)\s+([-\d.e+]+)\s+[-\d.e+]+\s+[-\d.e+]+ (\S+)$", re.MULTILINE)


def script(design: Design) -> str:
    variables = {
        "liberty": library.file("lib"),
        "netlist": "netlist.v",
        "top": design.top,
        "report_ns": REPORT_CLOCK_NS,
        "common_ns": COMMON_CLOCK_NS,
        "sdf": ".delays.sdf",
        "steps": Path(__file__).with_name("sta.tcl"),
    }
    lines = [f"set {name} {{{value}}}" for name, value in variables.items()]
    return "\n".join([*lines, "source $steps", ""])


def parse(output: str) -> dict[str, Any]:
    """OpenSTA's output as figures (ns), slews {instance: {pin: [rise, fall]}} in ns and the
    power at one toggle a cycle {instance: [internal, switching]} in W."""
    failed = re.search(r"^Error: .*", output, re.MULTILINE)
    if failed:
        raise FlowError("sta", failed.group(0).removeprefix("Error: "), "see timing.log")
    figures = {
        name: None if value == "none" else round(float(value), 6)
        for name, value in FIGURE.findall(output)
    }
    if "fastest_between_registers" not in figures:
        raise FlowError("sta", "ended before its last figure", "see timing.log")
    slews: dict[str, dict[str, list[float]]] = {}
    for instance, pin, rise, fall in SLEWS.findall(output):
        slews.setdefault(instance, {})[pin] = [float(rise), float(fall)]
    powers = output.partition("power_begin")[2].partition("power_end")[0]
    uniform = {name: [float(a), float(b)] for a, b, name in POWER.findall(powers)}
    return {"figures": figures, "slews": slews, "uniform_power": uniform}


def analyze(design: Design, folder: Path) -> None:
    """Write timing.json and delays.sdf beside the folder's netlist."""
    (folder / "timing.tcl").write_text(script(design), encoding="utf-8")
    output = run(
        [command("sta"), "-no_splash", "-no_init", "-exit", "timing.tcl"], folder, "timing.log"
    )
    result = parse(output)
    (folder / ".delays.sdf").replace(folder / "delays.sdf")
    write_json(folder / "timing.json", result)
