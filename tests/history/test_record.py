"""What narrowmac record stores, and what it refuses."""

import sqlite3

import pytest
from conftest import bench, context, iteration
from program import Program


def rows(narrowmac: Program, sql: str) -> list[tuple]:
    with sqlite3.connect(narrowmac.folder / "h.db") as database:
        return database.execute(sql).fetchall()


SAMPLES = """SELECT name, metric, unit, position, value FROM sample JOIN series ON
    series.id = series_id WHERE metric != 'cpu_time' ORDER BY run_id, name, metric, position"""


def test_keeps_every_sample(narrowmac: Program) -> None:
    times = {
        "seed.conv1/f32/avx2/threads:1": [3.5, 3.25, 4.0],
        "seed.conv2/f32/avx2/threads:1": [9],
    }
    narrowmac("record", "h.db", narrowmac.file("a.json", bench(times)))
    assert rows(narrowmac, SAMPLES) == [
        (name, "real_time", "ns", index, 1000 * time)
        for name, values in times.items()
        for index, time in enumerate(values)
    ]


def test_keeps_both_clocks_and_judges_by_the_right_one(narrowmac: Program) -> None:
    """Processor time for one thread, the wall clock for several or where the author chose it."""
    names = {"one": 1, "two": 2, "BM_x/real_time": 1, "BM_y/manual_time": 1, "old": None}
    benchmarks = [iteration(name, 5) | {"threads": threads, "cpu_time": 4}
                  for name, threads in names.items()]  # fmt: skip
    del benchmarks[-1]["threads"]
    no_cpu = iteration("wall", 5)
    del no_cpu["cpu_time"]
    name = narrowmac.file("a.json", {"benchmarks": [*benchmarks, no_cpu]})
    narrowmac("record", "h.db", name)
    judged = rows(narrowmac, "SELECT name, metric FROM series WHERE judged ORDER BY id")
    assert judged == [
        ("one", "cpu_time"),
        ("two", "real_time"),
        ("BM_x/real_time", "real_time"),
        ("BM_y/manual_time", "real_time"),
        ("old", "cpu_time"),
        ("wall", "real_time"),
    ]
    values = "SELECT DISTINCT metric, value FROM series JOIN sample ON series.id = series_id"
    assert sorted(rows(narrowmac, values)) == [("cpu_time", 4000), ("real_time", 5000)]


def test_keeps_what_it_was_measured_on(narrowmac: Program) -> None:
    document = bench({"a": [1]}, date="2026-03-01T12:00:00+02:00", git_dirty=True)
    narrowmac("record", "h.db", narrowmac.file("a.json", document))
    (run,) = rows(
        narrowmac,
        'SELECT kind, date, "commit", dirty, machine, host, cpu, isa, compiler, flags, threads,'
        " source FROM run",
    )
    assert run == (
        "bench",
        "2026-03-01T10:00:00Z",
        "aaaa00001111",
        1,
        "Test CPU, x86_64, 2 CPUs, L1 32 KiB",
        "host",
        "Test CPU",
        "avx2",
        "gcc 12.2.0",
        "-O3",
        2,
        "a.json",
    )


def test_the_same_file_counts_once(narrowmac: Program) -> None:
    name = narrowmac.file("a.json", bench({"a": [1]}))
    assert narrowmac.json("record", "h.db", name)["runs"][0]["known"] is False
    again = narrowmac.json("record", "h.db", name)["runs"][0]
    assert again["known"] is True and again["run"] == 1
    assert rows(narrowmac, "SELECT count(*) FROM run") == [(1,)]


@pytest.mark.parametrize(("unit", "factor"), [("ns", 1), ("us", 1e3), ("ms", 1e6), ("s", 1e9)])
def test_units_of_google_benchmark(narrowmac: Program, unit: str, factor: float) -> None:
    document = {"context": {}, "benchmarks": [iteration("BM_x", 2.5, unit=unit)]}
    narrowmac("record", "h.db", narrowmac.file("a.json", document))
    assert rows(narrowmac, SAMPLES) == [("BM_x", "real_time", "ns", 0, 2.5 * factor)]


def test_google_benchmark_of_another_program(narrowmac: Program) -> None:
    """Fields that only ours has are missing; aggregates, failed and complexity rows do not count."""
    aggregate = iteration("BM_x_mean", 7) | {
        "run_name": "BM_x",
        "run_type": "aggregate",
        "aggregate_name": "mean",
    }
    failed = {"name": "BM_bad", "run_type": "iteration", "error_occurred": True}
    document = {
        "context": {"date": "2026/03/01-12:00:00", "host_name": "ci", "num_cpus": 4, "caches": []},
        "benchmarks": [iteration("BM_x", 5), iteration("BM_x", 6, 1), aggregate, failed],
    }
    recorded = narrowmac.json("record", "h.db", narrowmac.file("a.json", document))["runs"][0]
    assert (recorded["samples"], recorded["skipped"]) == (4, 1)
    assert [row[4] for row in rows(narrowmac, SAMPLES)] == [5000, 6000]
    assert rows(narrowmac, "SELECT machine FROM run") == [("ci, unknown, 4 CPUs",)]


def test_aggregates_alone_give_the_median(narrowmac: Program) -> None:
    documents = [
        iteration(f"BM_x_{name}", time)
        | {"run_name": "BM_x", "run_type": "aggregate", "aggregate_name": name}
        for name, time in (("mean", 7), ("median", 6), ("stddev", 1))
    ]
    narrowmac("record", "h.db", narrowmac.file("a.json", {"benchmarks": documents}))
    assert rows(narrowmac, SAMPLES) == [("BM_x", "real_time", "ns", 0, 6000)]


def test_accuracy(narrowmac: Program) -> None:
    layer = {
        "network": "seed",
        "layer": "conv2",
        "input": "chained",
        "precision": "w4a8",
        "scheme": "group32",
        "rounding": "float",
        "max_abs_diff": 0.25,
        "sum_abs_diff": 12.5,
        "mean_abs_diff": 0.001,
        "sqnr_db": 21.5,
        "tflite_mismatches": None,
    }
    network = {
        "network": "fashion",
        "precision": "w8a8",
        "scheme": "per-channel",
        "images": 10000,
        "top1": 0.925,
    }
    document = {"context": context(), "layers": [layer], "networks": [network]}
    narrowmac("record", "h.db", narrowmac.file("a.json", document))
    assert rows(narrowmac, "SELECT name, metric, exact, higher_is_better FROM series") == [
        ("accuracy.seed.conv2/w4a8/group32/float/chained", "max_abs_diff", 1, 0),
        ("accuracy.seed.conv2/w4a8/group32/float/chained", "sum_abs_diff", 1, 0),
        ("accuracy.seed.conv2/w4a8/group32/float/chained", "mean_abs_diff", 1, 0),
        ("accuracy.seed.conv2/w4a8/group32/float/chained", "sqnr_db", 1, 1),
        ("accuracy.fashion/w8a8/per-channel", "top1", 1, 1),
    ]


def test_fpga(narrowmac: Program) -> None:
    def run(seed: int, **changes: object) -> dict:
        row = {
            "design": "mac_s8",
            "precision": "w8a8",
            "target": "hx8k",
            "device": "hx8k",
            "seed": seed,
            "status": "ok",
            "lut": 101,
            "ff": 66,
            "carry": 40,
            "dsp": 0,
            "bram": 0,
            "fmax_mhz": 138.5 + seed,
            "yosys": "0.33",
            "nextpnr": "0.6",
        }
        return row | changes

    power = {"internal": 1e-4, "switching": 2e-5, "leakage": 1e-9}
    document = {
        "context": context(),
        "runs": [run(0), run(1), run(2, status="failed", lut=None, ff=None, carry=None, dsp=None,
                                     bram=None, fmax_mhz=None)],
        "summary": [],
        "fit": [{"design": "mac_s8", "target": "hx8k", "macs": 60, "utilization": 0.97,
                 "fmax_mhz": 101.0, "gmacs": 6.06}],
        "asic": [{"design": "mac_s8", "mapping": "area", "energy_per_mac_pj": {"total": 2.5}, "cells": 221, "area_um2": 9000.0, "clock_ns": 3.0,
                  "slack_ns": 0.01, "power_w": power}],
    }  # fmt: skip
    recorded = narrowmac.json("record", "h.db", narrowmac.file("a.json", document))["runs"][0]
    assert recorded["skipped"] == 1
    kept = {(row[0], row[1], row[3]): row[4] for row in rows(narrowmac, SAMPLES)}
    assert kept["fpga.mac_s8/hx8k", "fmax_mhz", 1] == 139.5
    assert kept["fpga.mac_s8/hx8k", "lut", 0] == 101
    assert kept["fit.mac_s8/hx8k", "gmacs", 0] == 6.06
    assert kept["asic.mac_s8/area/3", "power_w.leakage", 0] == 1e-9
    assert kept["asic.mac_s8/area/3", "energy_per_mac_pj.total", 0] == 2.5


BAD = {
    "not JSON": ("{", "line 1"),
    "no object": ("[]", "object"),
    "no results": ('{"context": {}}', "no results"),
    "no time": ('{"benchmarks": [{"name": "BM_x"}]}', "real_time"),
    "time a text": ('{"benchmarks": [{"name": "BM_x", "real_time": "1"}]}', "real_time"),
    "no name": (
        '{"benchmarks": [{"real_time": 1, "time_unit": "ns"}]}',
        "benchmarks[0]: no 'name'",
    ),
    "row no object": ('{"benchmarks": [7]}', "benchmarks[0]: no 'name'"),
    "unit": ('{"benchmarks": [{"name": "a", "real_time": 1, "time_unit": "h"}]}', "time_unit"),
    "no unit": ('{"benchmarks": [{"name": "a", "real_time": 1}]}', "time_unit"),
    "zero": ('{"benchmarks": [{"name": "a", "real_time": 0, "time_unit": "ns"}]}', "above 0"),
    "nothing": ('{"benchmarks": []}', "no figure"),
    "layer": ('{"layers": [{"network": "seed"}]}', "layers[0]: no 'layer'"),
    "figure a text": (
        '{"networks": [{"network": "n", "precision": "f32", "scheme": "-", "top1": "high"}]}',
        "'top1' is not a number",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_refuses(narrowmac: Program, case: str) -> None:
    text, why = BAD[case]
    (narrowmac.folder / "bad.json").write_text(text)
    message = narrowmac.error("record", "h.db", "bad.json")
    assert message.startswith("bad.json") and why in message
    assert not (narrowmac.folder / "h.db").exists()


def test_all_files_are_checked_before_any_is_stored(narrowmac: Program) -> None:
    good = narrowmac.file("a.json", bench({"a": [1]}))
    narrowmac("record", "h.db", good)
    other = narrowmac.file("b.json", bench({"a": [2]}))
    assert "c.json" in narrowmac.error("record", "h.db", other, "c.json")
    assert rows(narrowmac, "SELECT count(*) FROM run") == [(1,)]
