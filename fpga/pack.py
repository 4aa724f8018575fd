"""One job: the bitstream of a design on a target, of the seed with the median Fmax."""

import sys
from pathlib import Path

from fpga.files import FlowError, read_json, run_job, write_json
from fpga.plan import Plan
from fpga.route import LAYOUTS
from fpga.tables import Row
from fpga.toolchain import ToolError, recorded_version, relative, run

TIMEOUT = 600.0
SUFFIXES = {"ice40": "bin", "ecp5": "bit"}


def median_run(runs: list[Row]) -> Row | None:
    """Of the runs that routed, the one in the middle by Fmax: the bitstream made is its."""
    routed = sorted((run for run in runs if run["status"] == "ok"), key=lambda run: run["fmax_mhz"])
    return routed[(len(routed) - 1) // 2] if routed else None


def main() -> None:
    plan = Plan.load(Path(sys.argv[1]))
    name, design = sys.argv[2], sys.argv[3]
    family, tool = plan.targets[name]["family"], plan.packer(name)
    out = plan.pack_row(name, design)
    row: Row = {"packer": recorded_version(plan.tool_file(tool)), "seed": None, "file": None}
    runs = [read_json(plan.run_row(name, design, seed)) for seed in range(1, plan.seeds + 1)]
    if chosen := median_run(runs):
        layout = plan.run_folder(name, design, chosen["seed"]) / LAYOUTS[family][1]
        bitstream = out.with_name(f"{design}.{SUFFIXES[family]}")
        part = out.with_name(f"{design}.part")
        try:
            run(plan.toolchain, tool, [relative(layout), relative(part)],
                out.with_name(f"{tool}.log"), TIMEOUT)  # fmt: skip
        except ToolError as error:
            raise FlowError(relative(layout), error, "remove it and run again") from None
        part.replace(bitstream)
        row |= {"seed": chosen["seed"], "file": relative(bitstream)}
    write_json(out, row)


if __name__ == "__main__":
    run_job(main)
