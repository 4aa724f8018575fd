"""`narrowmac bench`: rows, schema, suites, bad input. No test judges a time."""

import json
import os
import pty
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from program import PROGRAM, Program

QUICK = ["--repetitions", "3", "--min-time", "1e-6"]
TINY = {
    "layers": [
        {"name": "a", "input": [9, 8, 5], "kernel": [3, 3], "out_channels": 6, "padding": [1] * 4},
        {"name": "dw", "input": [7, 7, 8], "kernel": [3, 3], "out_channels": 8, "groups": 8},
    ]
}
ROW = re.compile(r"[\w.-]+\.[\w.-]+/(f32|w8a8|w4a8|w4a4)/\w+/threads:\d+(/batch:\d+)?")
CONTEXT = """
date host_name executable num_cpus mhz_per_cpu caches load_avg library_version library_build_type
git_commit git_dirty compiler compiler_flags cpu_model isa isa_emulated openmp_threads ceilings
"""
WRONG = PROGRAM.parent / "tests" / "cli" / "narrowmac_wrong"
COMPARE = Path("/usr/share/benchmark/compare.py")


@pytest.fixture
def tiny(narrowmac: Program) -> Program:
    (narrowmac.folder / "tiny.json").write_text(json.dumps(TINY))
    return narrowmac


def run(program: Program, *arguments: object, **options: Any) -> dict:
    return program.json("bench", "--suite", "tiny.json", *QUICK, *arguments, **options)


def iterations(document: dict) -> list[dict]:
    return [row for row in document["benchmarks"] if row["run_type"] == "iteration"]


def tiers(program: Program) -> list[str]:
    info = program.json("cpuinfo", *QUICK)
    return [tier["isa"] for tier in info["tiers"] if tier["available"]]


@pytest.mark.parametrize(
    ("suite", "layers"), [("seed", 2), ("resnet50", 8), ("mobilenet", 30), ("cold", 3)]
)
def test_shipped_suites(narrowmac: Program, suite: str, layers: int) -> None:
    names = narrowmac("bench", "--suite", suite, "--list", "--threads", 1).stdout.split()
    assert len(set(names)) == len(names) == 4 * layers
    assert all(ROW.fullmatch(name) and name.startswith(f"{suite}.") for name in names)


def test_all_suites(narrowmac: Program) -> None:
    names = narrowmac("bench", "--suite", "all", "--list").stdout.split()
    assert {name.partition(".")[0] for name in names} == {"seed", "resnet50", "mobilenet", "cold"}


def test_layers_by_name(narrowmac: Program) -> None:
    names = narrowmac("bench", "--suite", "seed,resnet50,mobilenet", "--list").stdout
    resnet50 = "stem_7x7 res2_1x1 res2_3x3 res3_3x3 res4_1x1 res4_3x3 res5_1x1 res5_3x3"
    layers = {"seed": "conv1 conv2", "resnet50": resnet50, "mobilenet": "dw3x3_144"}
    for suite, text in layers.items():
        for layer in text.split():
            assert f"{suite}.{layer}/w8a8/" in names


def test_schema(tiny: Program) -> None:
    document = run(tiny, "--threads", "1,2", "--precision", "w8a8,w4a4")
    context = document["context"]
    assert set(CONTEXT.split()) <= set(context)
    names = [row["run_name"] for row in iterations(document)]
    assert len(set(names)) == 2 * 2 * 2 and len(names) == 3 * 8
    for row in document["benchmarks"]:
        assert ROW.fullmatch(row["run_name"]) and row["time_unit"] == "ns"
        assert row["threads"] == int(re.search(r"threads:(\d+)", row["run_name"]).group(1))
        assert row["real_time"] >= 0 and row["weight_bytes"] > 0 and row["label"]


def test_aggregates(tiny: Program) -> None:
    document = run(tiny, "--threads", "1", "--precision", "f32")
    for name in {row["run_name"] for row in document["benchmarks"]}:
        rows = [row for row in iterations(document) if row["run_name"] == name]
        assert [row["repetition_index"] for row in rows] == [0, 1, 2]
        times = [row["real_time"] for row in rows]
        aggregates = {
            row["aggregate_name"]: row
            for row in document["benchmarks"]
            if row["run_name"] == name and row["run_type"] == "aggregate"
        }
        assert set(aggregates) == {"mean", "median", "stddev", "cv", "min"}
        expected = {
            "mean": statistics.mean(times),
            "median": statistics.median(times),
            "stddev": statistics.stdev(times),
            "cv": statistics.stdev(times) / statistics.mean(times),
            "min": min(times),
        }
        for aggregate, row in aggregates.items():
            assert row["name"] == f"{name}_{aggregate}"
            assert row["real_time"] == pytest.approx(expected[aggregate], rel=1e-6, abs=1e-6)


def test_macs(tiny: Program) -> None:
    rows = iterations(run(tiny, "--threads", "1"))
    macs = {row["layer"]: row["macs"] for row in rows}
    assert macs == {"a": 9 * 8 * 6 * 3 * 3 * 5, "dw": 5 * 5 * 8 * 3 * 3}
    for row in rows:
        assert row["macs_per_second"] == pytest.approx(1e9 * row["macs"] / row["real_time"])
        ceiling = row["ceiling_macs_per_second"]
        assert row["ceiling_fraction"] == pytest.approx(row["macs_per_second"] / ceiling)


def test_every_tier(tiny: Program) -> None:
    available = tiers(tiny)
    document = run(tiny, "--threads", "1", "--isa", ",".join(available))
    rows = iterations(document)
    assert {row["implementation"] for row in rows} == set(available)
    assert not any(row.get("error_occurred") or row.get("skipped") for row in rows)
    # The reference has no ceiling: unmeasured is null, not 0.
    assert {row["ceiling_fraction"] for row in rows if row["implementation"] == "scalar"} == {None}


def test_auto_is_a_tier_by_its_name(tiny: Program) -> None:
    best = tiny.json("cpuinfo", *QUICK)["context"]["isa"]
    rows = iterations(run(tiny, "--threads", "1", "--isa", f"auto,{best}"))
    assert {row["implementation"] for row in rows} == {best} and len(rows) == 3 * 4 * 2


def test_batch(tiny: Program) -> None:
    rows = iterations(run(tiny, "--threads", "1", "--batch", "3", "--precision", "w8a8"))
    assert all(row["run_name"].endswith("/threads:1/batch:3") for row in rows)
    assert {row["macs"] for row in rows} == {3 * 9 * 8 * 6 * 3 * 3 * 5, 3 * 5 * 5 * 8 * 3 * 3}


def test_filter(tiny: Program) -> None:
    rows = iterations(run(tiny, "--threads", "1", "--filter", r"\.a/w4a[48]/"))
    assert {(row["layer"], row["precision"]) for row in rows} == {("a", "w4a8"), ("a", "w4a4")}


@pytest.mark.parametrize(("isa", "precisions"), [("auto", "f32"), ("scalar", "w4a8,f32")])
def test_unsupported_algorithm_is_skipped(tiny: Program, isa: str, precisions: str) -> None:
    document = run(tiny, "--threads", "1", "--algorithm", "winograd", "--isa", isa,
                   "--precision", precisions)  # fmt: skip
    assert {row["precision"] for row in document["benchmarks"]} == set(precisions.split(","))
    assert all(row["skipped"] and row["skip_message"] for row in document["benchmarks"])
    assert not any("real_time" in row for row in document["benchmarks"])


def test_default_threads_are_one_and_all(tiny: Program) -> None:
    document = run(tiny, "--precision", "w8a8")
    threads = {row["threads"] for row in iterations(document)}
    assert threads == {1, document["context"]["num_cpus"]}


def test_cold_cycles_copies(narrowmac: Program) -> None:
    suite = {**TINY, "cold": {"cache_multiple": 1}}
    (narrowmac.folder / "tiny.json").write_text(json.dumps(suite))
    for row in iterations(run(narrowmac, "--threads", "1", "--precision", "w4a8")):
        assert row["copies"] > 1
        assert row["cycled_bytes"] == row["copies"] * row["weight_bytes"]


def test_table(tiny: Program) -> None:
    done = tiny("bench", "--suite", "tiny.json", *QUICK, "--threads", "1")
    assert done.stderr == "", "no progress but on a terminal"
    for word in ("Suite tiny", "median us", "GMAC/s", "ceiling", "w4a8", "Geometric means"):
        assert word in done.stdout


def test_json_beside_the_table(tiny: Program) -> None:
    done = tiny("bench", "--suite", "tiny.json", *QUICK, "--threads", "1", "--json", "out.json")
    assert "Suite tiny" in done.stdout
    assert iterations(json.loads((tiny.folder / "out.json").read_text()))


def test_record(tiny: Program) -> None:
    tiny("bench", "--suite", "tiny.json", *QUICK, "--threads", "1", "--record", "history.db")
    assert "tiny.a/w8a8/" in tiny("history", "history.db").stdout


def test_google_benchmark_reads_it(tiny: Program) -> None:
    if not COMPARE.exists():
        pytest.skip(f"{COMPARE}: install libbenchmark-tools")
    for name in ("old.json", "new.json"):
        tiny("bench", "--suite", "tiny.json", *QUICK, "--threads", "1", "--json", name)
    done = subprocess.run(
        [sys.executable, COMPARE, "--no-color", "benchmarks", "old.json", "new.json"],
        cwd=tiny.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny.a/w8a8/" in done.stdout and "tiny.dw/f32/" in done.stdout


@pytest.mark.parametrize("peer", ["onednn", "xnnpack"])
def test_peer(tiny: Program, peer: str) -> None:
    done = tiny("bench", "--suite", "tiny.json", "--peers", peer, "--list", status=None)
    if done.returncode == 2:
        assert re.search(r"not built in; install lib\w+-dev", done.stderr)
        pytest.skip(f"{peer} is not built in")
    # The widest tier, as the peer would saturate int8 sums on narrower ones.
    rows = iterations(run(tiny, "--threads", "1,2", "--peers", peer))
    peers = [row for row in rows if row["implementation"] == peer]
    assert {(row["precision"], row["threads"]) for row in peers} == {
        (precision, threads) for precision in ("f32", "w8a8") for threads in (1, 2)
    }
    assert all(row["macs_per_second"] > 0 for row in peers)


def test_wrong_kernel_is_found_and_not_timed(tiny: Program) -> None:
    if not WRONG.exists():
        pytest.skip(f"{WRONG}: build with -Dtests=true")
    tiny.program = WRONG
    done = tiny(
        "bench", "--suite", "tiny.json", *QUICK, "--threads", "1", "--json", "out.json", status=1
    )
    assert re.search(r"tiny\.a/w8a8/.*: 1 of 432 outputs differ from the reference", done.stderr)
    assert "FAILED" in done.stdout
    rows = json.loads((tiny.folder / "out.json").read_text())["benchmarks"]
    failed = [row for row in rows if row.get("error_occurred")]
    # The wrong bit is the last of a float32: within its tolerance.
    assert {(row["layer"], row["precision"]) for row in failed} == {
        (layer, precision) for layer in ("a", "dw") for precision in ("w8a8", "w4a8", "w4a4")
    }
    assert not any("real_time" in row for row in failed)
    assert {row["precision"] for row in rows if "real_time" in row} == {"f32"}


def test_progress_on_a_terminal(tiny: Program) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [PROGRAM, "bench", "--suite", "tiny.json", *QUICK, "--threads", "1"],
        cwd=tiny.folder,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:
        pass  # how a terminal ends
    os.close(ours)
    assert process.wait() == 0
    assert b"% tiny.a/" in shown and b" s" in shown


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(tiny: Program, sent: signal.Signals) -> None:
    (tiny.folder / "out.json").write_text("old")
    process = subprocess.Popen(
        [PROGRAM, "bench", "--suite", "tiny.json", "--min-time", "30", "--json", "out.json"],
        cwd=tiny.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.5)
    process.send_signal(sent)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 128 + sent
    assert out == "" and "interrupted" in err
    assert (tiny.folder / "out.json").read_text() == "old"
    assert sorted(p.name for p in tiny.folder.iterdir()) == ["out.json", "tiny.json"]


def test_pinned_unless_told_otherwise(tiny: Program) -> None:
    """The runtime tells its settings when it starts: OMP_DISPLAY_ENV is OpenMP's own."""

    def settings(**more: str) -> str:
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_"))}
        done = tiny(
            "bench",
            "--suite",
            "tiny.json",
            "--list",
            env={**environment, "OMP_DISPLAY_ENV": "true", **more},
        )
        return done.stderr

    assert "OMP_PROC_BIND = 'CLOSE'" in settings()
    assert "OMP_PROC_BIND = 'CLOSE'" not in settings(OMP_PROC_BIND="false")


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["--suite", "nope"], "suite 'nope': unknown"),
        (["--suite", "sed"], "did you mean 'seed'?"),
        (["--suite", "none.json"], "none.json: No such file"),
        (["--suite", "."], "suite '.': unknown"),
        (["--suite", "./"], "./: is a directory"),
        (["--suite", "seed,seed"], "two suites are named 'seed'"),
        (["--precision", "w8a8,w2a2"], "--precision 'w2a2': unknown"),
        (["--precision", ""], "--precision"),
        (["--isa", "avx9"], "--isa 'avx9': unknown"),
        (["--algorithm", "fft"], "--algorithm 'fft': unknown"),
        (["--peers", "mkl"], "--peers 'mkl': unknown"),
        (["--threads", "0"], "--threads '0'"),
        (["--threads", "1,"], "--threads ''"),
        (["--threads", "-1"], "--threads '-1'"),
        (["--threads", "1e3"], "--threads '1e3'"),
        (["--batch", "0"], "--batch '0'"),
        (["--repetitions", "0"], "--repetitions '0'"),
        (["--min-time", "0"], "--min-time '0'"),
        (["--min-time", "nan"], "--min-time 'nan'"),
        (["--min-time", "1e999"], "--min-time '1e999'"),
        (["--filter", "("], "--filter '('"),
        (["--filter", "nothing"], "no benchmark matches"),
        (["--json", "none/x.json"], "none/x.json: No such file"),
        (["--json", "."], ".: is a directory"),
        (["--record", "none/x.db"], "none/x.db"),
        (["layer"], "'layer': unexpected argument"),
        (["--suit", "seed"], "did you mean '--suite'?"),
    ],
)
def test_bad_input(narrowmac: Program, arguments: list[str], where: str) -> None:
    assert where in narrowmac.error("bench", *arguments)


LAYER = TINY["layers"][0]


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], "not a JSON object"),
        ({}, "layers: not a list of layers"),
        ({"layers": []}, "layers: not a list of layers"),
        ({"layers": [1]}, "layers[0]: not an object"),
        ({"layer": [LAYER]}, "key 'layer': unknown, did you mean 'layers'?"),
        ({"layers": [LAYER, LAYER]}, "layers[1].name: 'a' repeats"),
        ({"layers": [{**LAYER, "name": ""}]}, "layers[0].name: missing or malformed"),
        ({"layers": [{**LAYER, "name": "a/b"}]}, "layers[0].name: missing or malformed"),
        ({"layers": [{**LAYER, "name": 3}]}, "layers[0].name: not a string"),
        ({"layers": [{**LAYER, "colour": 3}]}, "layers[0].key 'colour': unknown"),
        ({"layers": [{**LAYER, "input": [9, 8]}]}, "layers[0].input: not a list of 3"),
        ({"layers": [{**LAYER, "input": [9, 0, 5]}]}, "layers[0].input[1]: 0 is out of range"),
        ({"layers": [{**LAYER, "input": [9, -8, 5]}]}, "layers[0].input[1]: -8 is out of range"),
        ({"layers": [{**LAYER, "input": [9, 8, 1e9]}]}, "input[2]: not a whole number"),
        ({"layers": [{**LAYER, "kernel": [30, 3]}]}, "layers[0]: "),
        ({"layers": [{**LAYER, "groups": 2}]}, "layers[0].groups: 2 does not divide"),
        ({"layers": [{**LAYER, "stride": [0, 1]}]}, "stride[0]: 0 is out of range"),
        ({"layers": [{"name": "a", "kernel": [1, 1], "out_channels": 1}]}, "input: missing"),
        ({"layers": [LAYER], "cold": 2}, "cold: not an object"),
        ({"layers": [LAYER], "cold": {"cache_multiple": 0.5}}, "cache_multiple: 0.5 is out of"),
    ],
)
def test_bad_suite(narrowmac: Program, document: Any, where: str) -> None:
    (narrowmac.folder / "mine.json").write_text(json.dumps(document))
    message = narrowmac.error("bench", "--suite", "mine.json")
    assert message.startswith("mine.json: ") and where in message


def test_unavailable_tier(narrowmac: Program) -> None:
    missing = ({"neon", "neondot", "avx2", "avx512vnni"} - set(tiers(narrowmac))).pop()
    assert f"--isa {missing}: " in narrowmac.error("bench", "--isa", missing)
