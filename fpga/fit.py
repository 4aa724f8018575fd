"""One job: the largest array of a design that a target holds and nextpnr routes."""

import sys
from collections.abc import Callable
from pathlib import Path

from fpga.files import FlowError, read_json, run_job, write_json
from fpga.harness import link
from fpga.plan import Plan
from fpga.route import arguments, overflow, place_and_route
from fpga.tables import Row
from fpga.toolchain import ToolError, run

SEED = 1
TIMEOUT = 1800.0
# nextpnr gives up on a cell after cells^2 / N attempts at placing it. Its own N of 8 takes minutes
# of a device too full to place; what does place is the same.
GIVE_UP = ("--placer-heap-cell-placement-timeout", "100")
SAMPLES = (1, 9)  # copies packed to learn what one more costs, its share of a stage included
RESOLUTION = 32  # the answer is exact to a 32nd of the device


def capacity(few: Row, many: Row) -> int:
    """Copies that fit by count of cells; `few` and `many` are cells used at SAMPLES copies."""
    most = None
    for cell, (used, available) in many.items():
        start = few.get(cell, [0, available])[0]
        slope = (used - start) / (SAMPLES[1] - SAMPLES[0])
        if slope > 0:
            room = SAMPLES[0] + int((available - start) / slope)
            most = room if most is None else min(most, room)
    if most is None:
        raise FlowError("array", "no cell's use grows with it", "report it")
    return max(0, most)


def search(most: int, routes: Callable[[int], bool]) -> int:
    """The largest number of copies that routes, to a 32nd of `most`; 0 if none does.

    Goes down from `most` by doubling steps to the first that routes, then bisects up again.
    """
    step = max(1, most // RESOLUTION)
    bad, size, stride = most + 1, most, step
    while size > 0 and not routes(size):
        bad, size, stride = size, size - stride, stride * 2
    good = max(0, size)
    while bad - good > step:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if routes(middle) else (good, middle)
    return good


class Fit:
    """Attempts at growing sizes, each kept in a file, so that a killed search goes on."""

    def __init__(self, plan: Plan, target: Row, design: Row) -> None:
        self.plan, self.target, self.design = plan, target, design
        self.folder = plan.fit_folder(target["name"], design["name"])
        self.synth = plan.synth_row(target["fabric"], design["name"])
        self.mapped = self.synth.parent / "design.json"
        self.attempts: list[Row] = []

    def array(self, copies: int) -> Path:
        out = self.folder / str(copies) / "harness.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        link(self.plan.toolchain, self.design, self.target["synthesis"], self.mapped, copies, out)
        return out

    def packed(self, copies: int) -> Row:
        array = self.array(copies)
        report = array.with_name("packed.json")
        run(self.plan.toolchain, f"nextpnr-{self.target['family']}",
            arguments(self.target, array, report, None, SEED), array.with_name("pack-only.log"),
            TIMEOUT)  # fmt: skip
        used = {
            cell: [use["used"], use["available"]]
            for cell, use in read_json(report)["utilization"].items()
        }
        array.unlink()
        return used

    def attempt(self, copies: int) -> Row:
        folder = self.folder / str(copies)
        path = folder / "attempt.json"
        if path.exists() and path.stat().st_mtime_ns > self.synth.stat().st_mtime_ns:
            return dict(read_json(path))
        array = self.array(copies)
        row = place_and_route(self.plan, self.target, array, folder, SEED, TIMEOUT, GIVE_UP)
        array.unlink()
        row["copies"] = copies
        write_json(path, row)
        return row

    def routes(self, copies: int) -> bool:
        row = self.attempt(copies)
        self.attempts.append(row)
        return row["status"] == "ok"

    def result(self) -> Row:
        most = capacity(self.packed(SAMPLES[0]), self.packed(SAMPLES[1]))
        copies = search(most, self.routes)
        if copies == 0:
            one = self.folder / str(SAMPLES[0]) / "packed.json"
            reason = self.attempts[-1]["reason"] if self.attempts else overflow(one)
            return {"status": "does_not_fit", "reason": reason, "copies": 0, "macs": 0}
        row = self.attempt(copies)
        share = {cell: used / available for cell, (used, available) in row["placed"].items()
                 if not cell.startswith(("SB_GB", "DCC", "SB_IO", "TRELLIS_IO"))}  # fmt: skip
        limit = max(share, key=lambda cell: share[cell])
        macs = copies * self.design["macs_per_cycle"]
        return {
            "status": "ok", "reason": None, "copies": copies, "macs": macs,
            "utilization": round(share[limit], 4), "limit": limit, "fmax_mhz": row["fmax_mhz"],
            "gmacs": round(macs * row["fmax_mhz"] / 1000, 3), "seed": SEED,
            "nextpnr": row["nextpnr"], "command": row["command"],
        }  # fmt: skip


def main() -> None:
    plan = Plan.load(Path(sys.argv[1]))
    name, design_name = sys.argv[2], sys.argv[3]
    target, design = plan.targets[name], plan.designs[design_name]
    synth = read_json(plan.synth_row(target["fabric"], design_name))
    row: Row = {
        "design": design_name, "precision": design["precision"], "target": name,
        "device": target["device"], "status": synth["status"], "reason": synth["reason"],
        "macs": None, "utilization": None, "fmax_mhz": None, "gmacs": None,
        "copies": None, "limit": None, "yosys": synth["yosys"], "nextpnr": None,
    }  # fmt: skip
    if synth["status"] == "ok":
        fit = Fit(plan, target, design)
        try:
            row |= fit.result()
        except ToolError as error:
            row |= {"status": "failed", "reason": str(error)}
        row["attempts"] = [
            {
                key: attempt.get(key)
                for key in ("copies", "status", "reason", "fmax_mhz", "cpu_seconds")
            }
            for attempt in fit.attempts
        ]
    write_json(plan.fit_row(name, design_name), row)


if __name__ == "__main__":
    run_job(main)
