"""The steps of the standard cell flow, run by rules.smk: python -m fpga.asic STEP .."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from fpga.asic import (
    designs,
    library,
    operands,
    rows,
    simulate,
    synth,
    table,
    timing,
    tools,
)
from fpga.files import FlowError, read_json, write_json


def do_operands(args: argparse.Namespace) -> None:
    design = designs.find(args.design)
    operands.write(design, args.folder, design.sums)


def do_synth(args: argparse.Namespace) -> None:
    synth.synthesize(designs.find(args.design), args.mapping, args.folder, args.toolchain)


def do_timing(args: argparse.Namespace) -> None:
    timing.analyze(designs.find(args.design), args.folder)


def do_activity(args: argparse.Namespace) -> None:
    design, folder = designs.find(args.design), args.folder.resolve()
    counts = {
        name: rows.stored(
            simulate.simulate(
                design, args.operands, folder / "netlist.v", [str(library.file("v"))], folder, sdf
            )
        )
        for name, sdf in (("settled", False), ("delayed", True))
    }
    write_json(folder / "toggles.json", counts)


def do_rows(args: argparse.Namespace) -> None:
    made = rows.make(designs.find(args.design), args.mapping, args.folder, args.operands)
    write_json(args.folder / "rows.json", made)


def do_versions(args: argparse.Namespace) -> None:
    tools.check()
    write_json(args.file, tools.versions(args.toolchain))


def do_collect(args: argparse.Namespace) -> None:
    made = rows.collect(args.rows, read_json(args.versions), "tools/fpga --asic")
    write_json(args.file, made)


def do_table(args: argparse.Namespace) -> None:
    print(table.show(args.file))


# Every step's arguments, in order, with their types.
STEPS: dict[str, tuple[Callable[[argparse.Namespace], None], dict[str, type]]] = {
    "operands": (do_operands, {"design": str, "folder": Path}),
    "synth": (do_synth, {"design": str, "mapping": str, "folder": Path, "toolchain": str}),
    "timing": (do_timing, {"design": str, "folder": Path}),
    "activity": (do_activity, {"design": str, "folder": Path, "operands": Path}),
    "rows": (do_rows, {"design": str, "mapping": str, "folder": Path, "operands": Path}),
    "versions": (do_versions, {"toolchain": str, "file": Path}),
    "collect": (do_collect, {"file": Path, "versions": Path, "rows": Path}),
    "table": (do_table, {"file": Path}),
}


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="fpga.asic", description=__doc__)
    steps = p.add_subparsers(dest="step", required=True)
    for name, (action, arguments) in STEPS.items():
        step = steps.add_parser(name)
        step.set_defaults(action=action)
        for argument, kind in arguments.items():
            many = "+" if argument == "rows" else None
            step.add_argument(argument, type=kind, nargs=many)
    return p


def main() -> int:
    args = parser().parse_args()
    try:
        args.action(args)
    except (FlowError, OSError) as error:
        print(f"fpga: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
