"""The program under test, and results documents to feed it."""

import json
import os
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("NARROWMAC", ROOT / "build" / "narrowmac")).resolve()


class Program:
    """narrowmac in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [PROGRAM, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: object, status: int = 0) -> dict:
        return json.loads(self(*arguments, "--json", "-", status=status).stdout)

    def error(self, *arguments: object) -> str:
        """Bad input: exit status 2, nothing on stdout, one line of the usual form."""
        done = self(*arguments, status=2)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("narrowmac: "), done.stderr
        assert ": " in lines[0][11:] and "; " in lines[0], lines[0]
        return lines[0][11:]

    def file(self, name: str, document: object) -> str:
        (self.folder / name).write_text(json.dumps(document))
        return name


@pytest.fixture
def narrowmac(tmp_path: Path) -> Program:
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM}: not built; run tools/setup, or set NARROWMAC")
    return Program(tmp_path)


def context(**changes: object) -> dict:
    return {
        "date": "2026-03-01T12:00:00+00:00",
        "host_name": "host",
        "num_cpus": 2,
        "caches": [{"type": "Data", "level": 1, "size": 32768, "num_sharing": 1}],
        "cpu_model": "Test CPU",
        "machine": "x86_64",
        "git_commit": "aaaa00001111",
        "git_dirty": False,
        "compiler": "gcc 12.2.0",
        "compiler_flags": "-O3",
        "isa": "avx2",
        "openmp_threads": 2,
    } | changes


def iteration(name: str, time: float, repetition: int = 0, unit: str = "us") -> dict:
    return {
        "name": name,
        "run_name": name,
        "run_type": "iteration",
        "repetitions": 1,
        "repetition_index": repetition,
        "threads": 1,
        "iterations": 100,
        "real_time": time,
        "cpu_time": time,
        "time_unit": unit,
    }


def bench(times: dict[str, list[float]], **changes: object) -> dict:
    """A Google Benchmark document; times by name, in us."""
    return {
        "context": context(**changes),
        "benchmarks": [
            iteration(name, time, index)
            for name, values in times.items()
            for index, time in enumerate(values)
        ],
    }


@pytest.fixture
def record_runs(narrowmac: Program) -> Callable[..., None]:
    """Records runs of (commit, level) pairs, a minute apart; level scales all times."""

    def record(
        database: str,
        runs: list[tuple[str, float]],
        *,
        seed: int = 1,
        noise: float = 0.003,
        names: tuple[str, ...] = ("seed.conv1/w8a8/avx2/threads:1",),
        **changes: object,
    ) -> None:
        random_ = random.Random(seed)
        files = []
        for index, (commit, level) in enumerate(runs):
            times = {}
            for name in names:
                run_level = 100 * level * (1 + random_.gauss(0, noise))
                times[name] = [run_level * (1 + abs(random_.gauss(0, noise))) for _ in range(5)]
            date = f"2026-03-{1 + index // 1440:02d}T{index // 60 % 24:02d}:{index % 60:02d}:00Z"
            document = bench(times, git_commit=commit, date=date, **changes)
            files.append(narrowmac.file(f"run{seed}-{index}.json", document))
        narrowmac("record", database, *files)

    return record
