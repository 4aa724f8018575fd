"""Results documents to feed the program."""

import random
from collections.abc import Callable

import pytest
from program import Program


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
