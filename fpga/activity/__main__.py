"""The steps of rules.smk: python -m fpga.activity measure .. | collect .. | table FILE"""

import argparse
import sys
from pathlib import Path

from fpga.activity import measure
from fpga.files import FlowError, read_json, write_json
from fpga.results import activity_table


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(prog="fpga.activity", description=__doc__)
    steps = p.add_subparsers(dest="step", required=True)
    one = steps.add_parser("measure")
    for name in ("design", "target", "toolchain"):
        one.add_argument(name)
    for name in ("folder", "operands"):
        one.add_argument(name, type=Path)
    every = steps.add_parser("collect")
    every.add_argument("versions", type=Path)
    every.add_argument("file", type=Path)
    every.add_argument("rows", type=Path, nargs="+")
    steps.add_parser("table").add_argument("file", type=Path)
    return p


def run(args: argparse.Namespace) -> None:
    if args.step == "measure":
        row = measure.measure(args.design, args.target, args.folder, args.operands, args.toolchain)
        write_json(args.folder / "activity.json", row)
    elif args.step == "collect":
        extra = {"versions": read_json(args.versions), "command": "tools/fpga --asic"}
        write_json(args.file, [read_json(path) | extra for path in args.rows])
    else:
        value = read_json(args.file)
        rows = value.get("activity") if isinstance(value, dict) else value
        if not rows:
            raise FlowError(args.file, "holds no activity rows", "run tools/fpga --asic")
        print(activity_table(rows))


def main() -> int:
    try:
        run(parser().parse_args())
    except (FlowError, OSError) as error:
        print(f"fpga: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
