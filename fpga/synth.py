"""One job: synthesizes a design for a fabric, out of context, and links it to the harness."""

import sys
from pathlib import Path

from fpga import netlist
from fpga.files import run_job, write_json, write_text
from fpga.harness import link
from fpga.plan import Plan
from fpga.tables import Row, sources
from fpga.toolchain import ToolError, recorded_version, relative, run_script


def script(design: Row, fabric: Row, out: Path) -> str:
    files = " ".join(relative(path) for path in sources(design, fabric["family"]))
    parameters = "".join(
        f"chparam -set {name} {value} {design['module']}\n"
        for name, value in design["parameters"].items()
    )
    # Where the design instantiates its DSP blocks none are inferred: synth_ice40 -dsp would take
    # the instances for its own and drop their registers.
    inferred = design["multiplier"] == "inferred"
    flags = " ".join(fabric["synth"] + fabric["dsp" if inferred else "no_dsp"])
    # Its last step, check, would read a module again that instantiates an ECP5 DSP, undoing it all.
    return f"""\
read_verilog {files}
{parameters}{flags} -top {design["module"]} -run begin:check
opt_clean -purge
blackbox =A:whitebox
write_json {relative(out)}
"""


def synthesize(plan: Plan, design: Row, fabric: Row) -> Row:
    """The synthesis row: the design's own cells, or why there are none."""
    folder = plan.synth_folder(fabric["name"], design["name"])
    row: Row = {
        "design": design["name"],
        "fabric": fabric["name"],
        "status": "ok",
        "reason": None,
        "yosys": recorded_version(plan.tool_file("yosys")),
        "command": f"yosys -q -s {relative(folder / 'design.ys')}",
    }
    mapped = folder / "design.json"
    unchecked = folder / "design.part"
    write_text(folder / "design.ys", script(design, fabric, unchecked))
    try:
        row["cpu_seconds"] = round(run_script(plan.toolchain, folder / "design.ys"), 1)
    except ToolError as error:
        return row | {"status": "synthesis_failed", "reason": str(error)}
    count = netlist.columns(netlist.read_module(unchecked, design["module"]), fabric["family"])
    unchecked.replace(mapped)
    expected = design["dsp"].get(fabric["family"])
    if count["dsp"] != expected:
        reason = f"{count['dsp']} DSP blocks, {expected} expected"
        return row | count | {"status": "dsp_mismatch", "reason": reason}
    link(plan.toolchain, design, fabric, mapped, 1, folder / "harness.json")
    return row | count


def main() -> None:
    plan = Plan.load(Path(sys.argv[1]))
    design, fabric = plan.designs[sys.argv[2]], plan.fabrics[sys.argv[3]]
    row = synthesize(plan, design, fabric)
    write_json(plan.synth_row(fabric["name"], design["name"]), row)


if __name__ == "__main__":
    run_job(main)
