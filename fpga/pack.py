"""One job: the bitstreams of every routed seed of a design on a target."""

import sys
from pathlib import Path

from fpga.files import FlowError, read_json, run_job, write_json
from fpga.plan import Plan
from fpga.route import LAYOUTS
from fpga.toolchain import ToolError, recorded_version, relative, run

TIMEOUT = 600.0
SUFFIXES = {"ice40": "bin", "ecp5": "bit"}


def main() -> None:
    plan = Plan.load(Path(sys.argv[1]))
    name, design = sys.argv[2], sys.argv[3]
    family, tool = plan.targets[name]["family"], plan.packer(name)
    out = plan.pack_row(name, design)
    rows = []
    for seed in range(1, plan.seeds + 1):
        if read_json(plan.run_row(name, design, seed))["status"] != "ok":
            continue
        layout = plan.run_folder(name, design, seed) / LAYOUTS[family][1]
        bitstream = out.parent / f"{design}-{seed}.{SUFFIXES[family]}"
        part = bitstream.with_suffix(".part")
        try:
            run(plan.toolchain, tool, [relative(layout), relative(part)],
                out.parent / f"{tool}-{seed}.log", TIMEOUT)  # fmt: skip
        except ToolError as error:
            raise FlowError(relative(layout), error, "remove it and run again") from None
        part.replace(bitstream)
        rows.append({"seed": seed, "file": relative(bitstream), "bytes": bitstream.stat().st_size})
    write_json(out, {"packer": recorded_version(plan.tool_file(tool)), "bitstreams": rows})


if __name__ == "__main__":
    run_job(main)
