"""tools/report: builds build/report/ from what narrowmac bench, accuracy and tools/fpga measured."""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from report_builder import page
from report_builder.inputs import ROOT, InputError, load

DEFAULTS = {
    "bench": "build/results/bench.json",
    "accuracy": "build/results/accuracy.json",
    "fpga": "build/fpga/results.json",
    "history": "build/results/history.db",
}


def fail(message: str) -> int:
    print(f"report: {message}", file=sys.stderr)
    return 2


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        sys.exit(fail(f"{message}; see tools/report --help"))


def arguments() -> argparse.Namespace:
    parser = Parser(
        prog="tools/report",
        description="Builds the report, one page that needs no network, and its figures as PNG and "
        "SVG. What was not measured says 'not run'.",
    )
    for name, default in DEFAULTS.items():
        parser.add_argument(f"--{name}", type=Path, default=ROOT / default, metavar="FILE",
                            help=f"default {default}")  # fmt: skip
    parser.add_argument("--program", type=Path, default=ROOT / "build" / "narrowmac",
                        metavar="FILE", help="reads the history; default build/narrowmac")  # fmt: skip
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "report", metavar="FOLDER",
                        help="default build/report")  # fmt: skip
    return parser.parse_args()


def shorten(path: Path) -> Path:
    """As one would type it at the top of the checkout."""
    absolute = path.absolute()
    return absolute.relative_to(ROOT) if absolute.is_relative_to(ROOT) else path


def write_whole(path: Path, text: str) -> None:
    """Appears whole or not at all."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        try:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def main() -> int:
    options = arguments()
    paths = {name: getattr(options, name) for name in DEFAULTS}
    try:
        inputs = load(paths, options.program)
        inputs.paths.update({name: str(shorten(path)) for name, path in paths.items()})
        text, figures = page.render(inputs)
        options.output.mkdir(parents=True, exist_ok=True)
        for figure in figures:
            figure.save(options.output)
        write_whole(options.output / "index.html", text)
    except InputError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or options.output}: {error.strerror}; give --output a "
                    "folder that can be written")  # fmt: skip
    print(shorten(options.output / "index.html"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
