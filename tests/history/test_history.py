"""What narrowmac history shows."""

import csv
import io
from collections.abc import Callable

from conftest import bench
from program import Program

COMMITS = [f"{i:x}" * 12 for i in range(1, 7)]
NAMES = ("seed.conv1/f32/avx2/threads:1", "seed.conv2/f32/avx2/threads:1")


def record_steps(record_runs: Callable[..., None]) -> None:
    """Six builds of eight runs each, taken in turns; the fourth made everything 20% slower."""
    levels = [1.0, 1.0, 1.0, 1.2, 1.2, 1.2]
    runs = [(COMMITS[i], levels[i]) for _ in range(8) for i in range(6)]
    record_runs("h.db", runs, names=NAMES)


def test_sparkline_and_last_change(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_steps(record_runs)
    lines = narrowmac("history", "h.db").stdout.splitlines()
    rows = [line for line in lines if line.startswith("seed.")]
    assert len(rows) == 2
    for row in rows:
        sparkline = next(word for word in row.split() if word[0] in "▁▂▃▄▅▆▇█")
        assert len(sparkline) == 6
        assert max(sparkline[:3]) < min(sparkline[3:])
        assert f"slower at {COMMITS[3]}" in row
        assert "6" in row.split()


def test_changes_are_marked_where_they_are(
    narrowmac: Program, record_runs: Callable[..., None]
) -> None:
    record_steps(record_runs)
    for row in narrowmac.json("history", "h.db")["benchmarks"]:
        assert [point["build"] for point in row["points"]] == COMMITS
        verdicts = [point["verdict"] for point in row["points"]]
        assert verdicts == [None, "same", "same", "slower", "same", "same"]
        assert 1.18 < row["points"][3]["ratio"] < 1.22
        assert {point["runs"] for point in row["points"]} == {8}


def test_filter_and_last(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_steps(record_runs)
    (row,) = narrowmac.json("history", "h.db", "--filter", "conv2/", "--last", "2")["benchmarks"]
    assert row["name"] == NAMES[1]
    assert [point["build"] for point in row["points"]] == COMMITS[-2:]
    assert "no benchmark" in narrowmac.error("history", "h.db", "--filter", "nothing")
    assert "--last" in narrowmac.error("history", "h.db", "--last", "0")


def test_machines_stand_apart(narrowmac: Program) -> None:
    documents = [bench({"a": [1.0]}), bench({"a": [2.0]}, cpu_model="Other CPU")]
    narrowmac("record", "h.db", *[narrowmac.file(f"{i}.json", d) for i, d in enumerate(documents)])
    rows = narrowmac.json("history", "h.db")["benchmarks"]
    assert [len(row["points"]) for row in rows] == [1, 1]
    shown = narrowmac("history", "h.db").stdout
    assert "Test CPU" in shown and "Other CPU" in shown


def test_runs(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_runs("h.db", [(COMMITS[0], 1.0)], git_dirty=True)
    (run,) = narrowmac.json("history", "h.db")["runs"]
    assert run["build"] == f"{COMMITS[0]}-dirty" and run["dirty"] is True
    assert run["context"]["compiler_flags"] == "-O3"
    assert f"{COMMITS[0]}-dirty" in narrowmac("history", "h.db", "--runs").stdout


def test_csv_has_every_sample(narrowmac: Program, record_runs: Callable[..., None]) -> None:
    record_steps(record_runs)
    text = narrowmac("history", "h.db", "--csv", "-", "--filter", "conv1").stdout
    lines = list(csv.DictReader(io.StringIO(text)))
    assert len(lines) == 48 * 5 * 2
    assert {line["metric"] for line in lines} == {"real_time", "cpu_time"}
    assert {line["name"] for line in lines} == {NAMES[0]}
    assert {line["position"] for line in lines} == {"0", "1", "2", "3", "4"}
    assert all(90_000 < float(line["value"]) < 140_000 for line in lines)


def test_an_empty_history(narrowmac: Program) -> None:
    narrowmac.file("a.json", bench({"a": [1.0]}))
    assert "narrowmac record" in narrowmac.error("history", "none.db")
