"""Medians and ranges, the results file, the printed table."""

import json
from pathlib import Path
from typing import Any

from fpga import results


def run_row(seed: int, fmax: float | None, status: str = "ok") -> dict[str, Any]:
    return {
        "design": "d", "precision": "w8a8", "target": "t", "device": "x", "seed": seed,
        "status": status, "reason": None if status == "ok" else "why", "lut": 5, "ff": 4,
        "carry": 3, "dsp": 2, "bram": 1, "fmax_mhz": fmax, "yosys": "y", "nextpnr": "n",
    }  # fmt: skip


def test_median_and_range() -> None:
    rows = [run_row(seed, fmax) for seed, fmax in enumerate([30.0, 10.0, 20.0, 50.0], 1)]
    (summary,) = results.summarize(rows)
    assert summary["fmax_mhz_median"] == 25.0
    assert (summary["fmax_mhz_min"], summary["fmax_mhz_max"]) == (10.0, 50.0)
    assert (summary["seeds"], summary["status"], summary["lut"]) == (4, "ok", 5)
    assert "seed" not in summary


def test_a_failed_seed_is_counted_out_and_named() -> None:
    rows = [run_row(1, 30.0), run_row(2, None, "failed"), run_row(3, 20.0)]
    (summary,) = results.summarize(rows)
    assert (summary["status"], summary["reason"], summary["seeds"]) == ("failed", "why", 2)
    assert summary["fmax_mhz_median"] == 25.0


def test_nothing_measured_is_null_and_not_zero() -> None:
    (summary,) = results.summarize([run_row(1, None, "does_not_fit")])
    assert summary["fmax_mhz_median"] is None
    assert summary["fmax_mhz_min"] is None
    assert "does_not_fit: why" in results.summary_table([summary])


def test_sections_not_run_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    results.write(path, {"n": 1}, {"runs": [run_row(1, 1.0)], "summary": []})
    results.write(path, {"n": 2}, {"asic": [{"design": "d"}]})
    value = json.loads(path.read_text())
    assert list(value) == ["context", "runs", "summary", "fit", "asic", "activity"]
    assert value["context"] == {"n": 2}
    assert value["runs"] == [run_row(1, 1.0)]
    assert value["asic"] == [{"design": "d"}]


def test_a_damaged_results_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    for text in ('{"runs": [', "[1]"):
        path.write_text(text)
        results.write(path, {}, {"fit": []})
        assert json.loads(path.read_text())["runs"] == []
    assert list(tmp_path.iterdir()) == [path]


def test_columns_line_up() -> None:
    text = results.table(["name", "n"], [["a", 1], ["long", None], ["b", 12.34]], left=1)
    assert text.splitlines() == ["name     n", "a        1", "long     -", "b     12.3"]
