"""One job: places and routes a design on a target with one seed. A failure is a row too."""

import json
import sys
from pathlib import Path
from typing import Any

from fpga.files import malformed, read_json, run_job, write_json
from fpga.plan import Plan
from fpga.tables import Row
from fpga.toolchain import ToolError, recorded_version, relative, run

TIMEOUT = 1800.0
LAYOUTS = {"ice40": ("--asc", "layout.asc"), "ecp5": ("--textcfg", "layout.config")}


def arguments(
    target: Row, netlist: Path, report: Path, layout: Path | None, seed: int
) -> list[str]:
    """nextpnr's, for the whole way; or with no layout for packing only."""
    common = [
        "-q", *target["nextpnr"], "--json", relative(netlist), "--report", relative(report),
        "--freq", str(target["frequency_mhz"]), "--seed", str(seed), "--timing-allow-fail",
    ]  # fmt: skip
    if layout is None:
        return [*common, "--pack-only"]
    return [*common, LAYOUTS[target["family"]][0], relative(layout)]


def parse_report(path: Path) -> Row:
    """Fmax in MHz and the cells used, from nextpnr's report; ToolError if it has no Fmax."""
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        clocks = {name: clock["achieved"] for name, clock in report.get("fmax", {}).items()}
        used = {
            cell: [use["used"], use["available"]] for cell, use in report["utilization"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise malformed(path, f"not a nextpnr report ({error})") from None
    if len(clocks) != 1:
        raise ToolError(f"{len(clocks)} clocks with an Fmax in nextpnr's report, 1 expected")
    return {
        "fmax_mhz": round(float(next(iter(clocks.values()))), 2),
        "placed": {cell: use for cell, use in used.items() if use[0]},
    }


def overflow(report: Path) -> str | None:
    """The cells the device has too few of, as `ICESTORM_LC 6001 of 5280`."""
    over = [
        f"{cell} {use['used']} of {use['available']}"
        for cell, use in read_json(report)["utilization"].items()
        if use["used"] > use["available"]
    ]
    return ", ".join(over) or None


def place_and_route(
    plan: Plan,
    target: Row,
    netlist: Path,
    folder: Path,
    seed: int,
    timeout: float = TIMEOUT,
    extra: tuple[str, ...] = (),
) -> Row:
    """Status, reason, Fmax and cells used. The layout is left in `folder`."""
    tool = f"nextpnr-{target['family']}"
    layout = folder / LAYOUTS[target["family"]][1]
    report, packed = folder / "report.json", folder / "packed.json"
    folder.mkdir(parents=True, exist_ok=True)
    report.unlink(missing_ok=True)
    command = [*arguments(target, netlist, report, layout, seed), *extra]
    row: Row = {
        "status": "ok", "reason": None, "fmax_mhz": None, "placed": None,
        "nextpnr": recorded_version(plan.tool_file(tool)),
        "command": " ".join([tool, *command]),
    }  # fmt: skip
    try:
        row["cpu_seconds"] = round(
            run(plan.toolchain, tool, command, folder / "nextpnr.log", timeout), 1
        )
        return row | parse_report(report)
    except ToolError as error:
        layout.unlink(missing_ok=True)
        row |= {"status": "no_fmax" if report.exists() else "failed", "reason": str(error)}
    if row["status"] == "failed":
        try:
            run(plan.toolchain, tool, arguments(target, netlist, packed, None, seed),
                folder / "pack-only.log", timeout)  # fmt: skip
            if over := overflow(packed):
                row |= {"status": "does_not_fit", "reason": over}
        except ToolError:
            pass  # the first refusal is the reason
    return row


def main() -> None:
    plan = Plan.load(Path(sys.argv[1]))
    name, design_name, seed = sys.argv[2], sys.argv[3], int(sys.argv[4])
    target, design = plan.targets[name], plan.designs[design_name]
    synth = read_json(plan.synth_row(target["fabric"], design_name))
    count = {key: synth.get(key) for key in ("lut", "ff", "carry", "dsp", "bram")}
    row: Row = {
        "design": design_name, "precision": design["precision"], "target": name,
        "device": target["device"], "seed": seed, "status": synth["status"],
        "reason": synth["reason"], **count, "fmax_mhz": None,
        "frequency_mhz": target["frequency_mhz"], "yosys": synth["yosys"], "nextpnr": None,
        "command": synth["command"],
    }  # fmt: skip
    if synth["status"] == "ok":
        netlist = plan.synth_folder(target["fabric"], design_name) / "harness.json"
        row |= place_and_route(
            plan, target, netlist, plan.run_folder(name, design_name, seed), seed
        )
    write_json(plan.run_row(name, design_name, seed), row)


if __name__ == "__main__":
    run_job(main)
