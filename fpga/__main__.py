"""The command line: writes a plan, runs the workflow on it, collects the results."""

import argparse
import datetime
import itertools
import os
import re
import sys
import time
from pathlib import Path
from typing import NoReturn

from fpga import results
from fpga.files import FlowError, describe, read_json
from fpga.plan import Plan
from fpga.tables import HERE, Row, find, load_designs, load_targets, sources
from fpga.toolchain import ROOT, TOOLCHAINS, command, recorded_version, tools_for
from fpga.workflow import drop_damaged, first_use_note, lock, snakemake


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"fpga: arguments: {message}; see tools/fpga --help", file=sys.stderr)
        sys.exit(2)


def whole(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,3}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 9999")
    return int(text)


def parser() -> Parser:
    p = Parser(
        prog="tools/fpga",
        description="Takes designs through synthesis, place and route on FPGA targets and prints "
        "LUT, FF, carry, DSP, BRAM and Fmax over seeds. Resumes where a killed run stopped.",
        epilog="Exit status: 0 done (a design that does not fit is a result); 1 a check failed; "
        "2 bad usage or bad input. --fit and --asic run alone, and with --quick beside the quick "
        "set; a section that is not run is kept from the output file.",
    )
    names = "comma-separated names (default: all; --list shows them)"
    p.add_argument("--designs", metavar="D,..", help=names)
    p.add_argument("--targets", metavar="T,..", help=names)
    p.add_argument("--seeds", type=whole, default=5, metavar="N",
                   help="place-and-route seeds 1..N (default: 5)")  # fmt: skip
    p.add_argument("--jobs", type=whole, default=len(os.sched_getaffinity(0)), metavar="N",
                   help="jobs at a time (default: the processors)")  # fmt: skip
    p.add_argument("--toolchain", choices=TOOLCHAINS, default="yowasp",
                   help="yowasp: the pinned packages (default); native: what is on PATH")  # fmt: skip
    p.add_argument(
        "--quick", action="store_true", help="the MACs on the small targets: some minutes"
    )
    p.add_argument("--fit", action="store_true", help="grow arrays until the device is full")
    p.add_argument("--asic", action="store_true", help="all MACs as standard cells: area, slack, power")
    p.add_argument("--list", action="store_true", help="list designs and targets, and stop")
    p.add_argument("--output", type=Path, metavar="FILE",
                   help="results (default: results.json in the build folder)")  # fmt: skip
    p.add_argument("--build", type=Path, default=ROOT / "build" / "fpga", metavar="DIR",
                   help="work folder (default: build/fpga)")  # fmt: skip
    p.add_argument("--design-table", type=Path, default=HERE / "designs.toml", metavar="FILE",
                   help="a table of your own, as fpga/designs.toml")  # fmt: skip
    p.add_argument("--target-table", type=Path, default=HERE / "targets.toml", metavar="FILE",
                   help="a table of your own, as fpga/targets.toml")  # fmt: skip
    p.add_argument("--profile", type=Path, metavar="DIR",
                   help="Snakemake profile of a cluster, such as fpga/slurm/profile")  # fmt: skip
    return p


def select(table: dict[str, Row], names: str | None, kind: str) -> list[Row]:
    if names is None:
        return list(table.values())
    return find(table, [name for name in names.split(",") if name], kind)


def make_plan(args: argparse.Namespace) -> Plan:
    designs = select(load_designs(args.design_table), args.designs, "design")
    targets = select(load_targets(args.target_table), args.targets, "target")
    alone = (args.fit or args.asic) and not args.quick
    # A fit search on a large device takes hours, so those must be asked for; and a target without
    # DSP blocks is left out for designs that need them, unless the design is asked for.
    small = args.quick or (args.fit and args.targets is None)
    pairs = [
        [target["name"], design["name"]]
        for target in targets
        for design in designs
        if not small or target["name"] in design["quick"]
        if args.designs or design["multiplier"] == "lut" or target["dsp"]
    ]
    used = {name for pair in pairs for name in pair}
    if not pairs and not (args.asic and alone):
        raise FlowError("nothing to run", "no design for these targets", "see tools/fpga --list")
    for design, target in itertools.product(designs, targets):
        sources(design, target["family"])
    return Plan(
        build=str(args.build.resolve()),
        toolchain=args.toolchain,
        designs={row["name"]: row for row in designs if row["name"] in used},
        targets={row["name"]: row for row in targets if row["name"] in used},
        pairs=pairs,
        seeds=args.seeds,
        route=not alone,
        fit=args.fit,
        asic=args.asic,
    )


def print_list(args: argparse.Namespace) -> None:
    designs, targets = load_designs(args.design_table), load_targets(args.target_table)
    print(results.table(
        ["design", "precision", "multiplier", "MACs/cycle", "quick"],
        [[d["name"], d["precision"], d["multiplier"], d["macs_per_cycle"],
          " ".join(d["quick"]) or "-"] for d in designs.values()], left=3))  # fmt: skip
    print()
    print(results.table(
        ["target", "device", "LUT", "DSP", "MHz wanted"],
        [[t["name"], t["device"], t["lut"], t["dsp"], t["frequency_mhz"]]
         for t in targets.values()], left=2))  # fmt: skip


def context(plan: Plan, tools: list[str], seconds: float) -> Row:
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["tools/fpga", *sys.argv[1:]]),
        "toolchain": plan.toolchain,
        "tools": {
            tool: recorded_version(plan.tool_file(tool))
            for tool in tools
            if plan.tool_file(tool).exists()
        },
        "seeds": plan.seeds,
        "seconds": round(seconds, 1),
    }


def verdict(plan: Plan, rows: list[Row]) -> int:
    """Prints a line a failed check; 2 for bad input or a failing machine, 1 for a failed check."""
    failures = [row for row in rows if row["status"] not in ("ok", "does_not_fit", "not_run")]
    lines = {
        f"fpga: {row['design']} on {row['target']}: {row['reason']}; "
        + ("mend the Verilog" if row["status"] == "synthesis_failed" else f"see {plan.folder}")
        for row in failures
    }
    for line in sorted(lines):
        print(line, file=sys.stderr)
    lost = sum(row["status"] == "not_run" for row in rows)
    if lost:
        log = Path(plan.build) / "snakemake.log"
        print(f"fpga: {lost} results: their jobs ended without one; see {log}", file=sys.stderr)
    if lost or any(row["status"] == "synthesis_failed" for row in failures):
        return 2
    return 1 if failures else 0


def execute(args: argparse.Namespace) -> int:
    plan = make_plan(args)
    tools = ["yosys"]
    if plan.route or plan.fit:
        tools = tools_for({target["family"] for target in plan.targets.values()})
    for tool in tools:
        command(plan.toolchain, tool)
    if args.profile and not (args.profile / "config.yaml").exists():
        raise FlowError(f"profile {args.profile}", "no config.yaml there", "try fpga/slurm/profile")
    held = lock(Path(plan.build))
    start = time.monotonic()
    drop_damaged(plan.result_files() + plan.synth_rows() + list(map(plan.tool_file, tools)))
    plan_file = Path(plan.build) / "plan.json"
    plan.save(plan_file)
    first_use_note(plan, tools)
    code = snakemake(plan, plan_file, args.jobs, args.profile)
    held.close()

    sections: dict[str, list[Row]] = {}
    if plan.route:
        sections["runs"] = results.collect_runs(plan)
        sections["summary"] = results.summarize(sections["runs"])
    if plan.fit:
        sections["fit"] = results.collect_fit(plan)
    if plan.asic:
        made = {"asic": plan.asic_results(), "activity": plan.activity_results()}
        sections |= {name: read_json(path) for name, path in made.items() if path.exists()}
    output = args.output or Path(plan.build) / "results.json"
    results.write(output, context(plan, tools, time.monotonic() - start), sections)
    if plan.route:
        print(results.summary_table(sections["summary"]))
    if plan.fit:
        print(results.fit_table(sections["fit"]))
    if "asic" in sections:
        # Its packages are needed for standard cells alone.
        from fpga.asic.table import render

        print(render(sections["asic"]))
    if "activity" in sections:
        print("\n" + results.activity_table(sections["activity"]))
    status = verdict(plan, sections.get("runs", []) + sections.get("fit", []))
    return 2 if code else status


def main() -> int:
    args = parser().parse_args()
    try:
        if args.list:
            print_list(args)
            return 0
        return execute(args)
    except BrokenPipeError:  # the reader of the table has seen enough; the results are written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (FlowError, OSError) as error:
        print(describe(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("fpga: interrupted: nothing is lost; run again to go on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
