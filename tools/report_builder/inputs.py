"""The measured results, read and checked: what is absent is None, what is malformed is an error."""

import json
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]


class InputError(Exception):
    """Bad input, as one line: WHAT: WHY; REMEDY."""


@dataclass(frozen=True)
class Timing:
    """A benchmark of narrowmac bench: the median over its repetitions."""

    name: str
    suite: str
    layer: str
    precision: str
    implementation: str
    threads: int
    batch: int
    macs: int
    seconds: float
    spread: float  # coefficient of variation over the repetitions
    ceiling: float | None  # MAC/s
    weight_bytes: int | None
    streamed: bool  # each run takes the next of many copies, so that weights come from memory
    kernel: str
    peer: bool

    @property
    def gmacs(self) -> float:
        return self.macs / self.seconds / 1e9

    @property
    def share(self) -> float | None:
        """Of the ceiling."""
        return self.macs / self.seconds / self.ceiling if self.ceiling else None


@dataclass(frozen=True)
class Inputs:
    """What there is to report; None for what was not run."""

    bench: Row | None
    accuracy: Row | None
    fpga: Row | None
    history: Row | None
    course_accuracy: Row
    course_asic: Row
    paths: dict[str, str]

    @property
    def timings(self) -> list[Timing]:
        return timings(self.bench, self.paths["bench"]) if self.bench else []

    def rows(self, document: str, section: str) -> list[Row]:
        whole: Row | None = getattr(self, document)
        return list(whole.get(section) or []) if whole else []


def read(path: Path) -> Row | None:
    """A results file; None where there is none."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}; give a readable results file") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: not JSON, line {error.lineno}: {error.msg}; measure again"
        ) from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: not a JSON object; give a results file")
    return document


def check(document: Row | None, path: Path, sections: dict[str, tuple[str, ...]]) -> Row | None:
    """The sections must be lists of objects with these keys."""
    if document is None:
        return None
    for section, keys in sections.items():
        rows = document.get(section, [])
        if not isinstance(rows, list):
            raise InputError(f"{path}: '{section}' is no list; give the file as it was written")
        for index, row in enumerate(rows):
            missing = [key for key in keys if not isinstance(row, dict) or key not in row]
            if missing:
                raise InputError(
                    f"{path}: {section}[{index}] has no '{missing[0]}'; "
                    "give the file as it was written"
                )
    return document


def number(row: Row, key: str, where: str) -> float:
    value = row.get(key)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise InputError(f"{where}: '{key}' is no number; give narrowmac bench's own JSON")
    return float(value)


UNITS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


def timings(document: Row, path: str) -> list[Timing]:
    groups: dict[str, list[Row]] = {}
    for row in document["benchmarks"]:
        if row.get("run_type") == "iteration" and "real_time" in row and "macs" in row:
            groups.setdefault(row["name"], []).append(row)
    peers = document.get("context", {}).get("peers") or {}
    found = []
    for name, rows in groups.items():
        first, where = rows[0], f"{path}: {name}"
        missing = [key for key in ("suite", "layer", "precision", "implementation", "threads")
                   if key not in first]  # fmt: skip
        if missing or first.get("time_unit") not in UNITS:
            key = missing[0] if missing else "time_unit"
            raise InputError(f"{where}: no '{key}'; give narrowmac bench's own JSON")
        unit = UNITS[first["time_unit"]]
        seconds = [number(row, "real_time", where) * unit for row in rows]
        if min(seconds) <= 0:
            raise InputError(f"{where}: a time that is not above 0; measure again")
        mean = statistics.fmean(seconds)
        found.append(
            Timing(
                name=name,
                suite=first["suite"],
                layer=first["layer"],
                precision=first["precision"],
                implementation=first["implementation"],
                threads=first["threads"],
                batch=first.get("batch", 1),
                macs=int(number(first, "macs", where)),
                seconds=statistics.median(seconds),
                spread=statistics.stdev(seconds) / mean if len(seconds) > 1 else 0.0,
                ceiling=first.get("ceiling_macs_per_second"),
                weight_bytes=first.get("weight_bytes"),
                streamed=(first.get("copies") or 1) > 1,
                kernel=str(first.get("label") or ""),
                peer=first["implementation"] in peers,
            )
        )
    return found


def read_history(database: Path, program: Path) -> Row | None:
    """The history as narrowmac shows it, verdicts included."""
    if not database.exists():
        return None
    try:
        done = subprocess.run(
            [program, "history", database, "--json", "-"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        raise InputError(f"{program}: {error.strerror}; build it with tools/setup") from error
    if done.returncode:
        raise InputError(done.stderr.strip().removeprefix("narrowmac: ") or f"{program}: failed")
    history: Row = json.loads(done.stdout)
    return history


def load(paths: dict[str, Path], program: Path) -> Inputs:
    bench = check(read(paths["bench"]), paths["bench"], {"benchmarks": ("name",)})
    if bench is not None and "benchmarks" not in bench:
        raise InputError(f"{paths['bench']}: no 'benchmarks'; give narrowmac bench's JSON")
    if bench is not None:
        timings(bench, str(paths["bench"]))
    accuracy = check(
        read(paths["accuracy"]),
        paths["accuracy"],
        {
            "layers": ("network", "layer", "precision", "scheme", "max_abs_diff", "sqnr_db"),
            "networks": ("network", "precision", "scheme", "top1"),
        },
    )
    fpga = check(
        read(paths["fpga"]),
        paths["fpga"],
        {
            "runs": ("design", "target", "seed", "fmax_mhz"),
            "summary": ("design", "precision", "target", "lut", "dsp", "fmax_mhz_median"),
            "fit": ("design", "precision", "target", "macs", "gmacs"),
            "asic": ("design", "precision", "area_um2", "clock_ns", "power_w"),
            "activity": ("design", "precision", "target", "toggles_per_mac"),
        },
    )
    course = {name: read(ROOT / name) for name in COURSE}
    return Inputs(
        bench=bench,
        accuracy=accuracy,
        fpga=fpga,
        history=read_history(paths["history"], program),
        course_accuracy=course[COURSE[0]] or {"layers": []},
        course_asic=course[COURSE[1]] or {"rows": []},
        paths={name: str(path) for name, path in paths.items()},
    )


# The course report's figures, each beside what measures the same today.
COURSE = ("bench/course_report.json", "fpga/asic/course_report.json")
