"""Google Benchmark's own compare.py reads what narrowmac bench writes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from program import Program

COMPARE = Path("/usr/share/benchmark/compare.py")
BENCH = ("bench", "--suite", "seed", "--filter", "conv1/w8a8", "--threads", "1",
         "--repetitions", "9", "--min-time", "0.0005")  # fmt: skip


@pytest.fixture
def measured(narrowmac: Program) -> list[str]:
    names = ["base.json", "new.json"]
    for name, extra in zip(names, ((), ("--double-every", "1")), strict=True):
        narrowmac(*BENCH, *extra, "--json", name)
    return names


def test_compare_py_reads_it(narrowmac: Program, measured: list[str]) -> None:
    if not COMPARE.exists():
        pytest.fail(f"{COMPARE}: missing; install libbenchmark-tools")
    done = subprocess.run(
        [sys.executable, COMPARE, "--no-color", "-a", "benchmarks", *measured],
        cwd=narrowmac.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    name = re.escape("seed.conv1/w8a8/")
    assert re.search(rf"^{name}\S+_pvalue +0\.\d+ ", done.stdout, re.MULTILINE), done.stdout
    assert re.search(rf"^{name}\S+_median +[+-]\d", done.stdout, re.MULTILINE), done.stdout
    assert re.search(r"U Test, Repetitions: 9 vs 9", done.stdout)


def test_our_own_reading_agrees(narrowmac: Program, measured: list[str]) -> None:
    """The medians that compare gives are those of the file's own aggregate rows."""
    rows = narrowmac.json("compare", *measured, "--noise", "50", "--metric", "real_time")["rows"]
    for side, name in zip(("base", "new"), measured, strict=True):
        document = json.loads((narrowmac.folder / name).read_text())
        (median,) = [row["real_time"] for row in document["benchmarks"]
                     if row.get("aggregate_name") == "median"]  # fmt: skip
        assert rows[0][side]["median"] == pytest.approx(median, rel=1e-6)


def test_bench_records(narrowmac: Program) -> None:
    narrowmac(*BENCH, "--json", "a.json", "--record", "h.db")
    assert narrowmac.json("record", "h.db", "a.json")["runs"][0]["known"] is True
    (row,) = narrowmac.json("history", "h.db")["benchmarks"]
    assert row["points"][0]["samples"] == 9
