"""The whole flow on stand-in tools: rows for failures, resuming, bad input."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import DESIGNS, ROOT, Flow


def wait_for(condition: object, what: str) -> None:
    for _ in range(600):
        if condition():  # type: ignore[operator]
            return
        time.sleep(0.05)
    pytest.fail(f"{what} did not come about")


def processes_with(text: str) -> list[str]:
    """Command lines of this machine that hold `text`."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return [line for line in lines if text in line]


def test_results_and_table(flow: Flow) -> None:
    flow.stand_in()
    done = flow.native("--seeds", "3")
    assert done.returncode == 0, done.stderr
    results = flow.results()
    assert [row["seed"] for row in results["runs"]] == [1, 2, 3]
    assert [row["fmax_mhz"] for row in results["runs"]] == [101.0, 102.0, 103.0]
    for row in results["runs"]:
        assert (row["status"], row["lut"], row["dsp"]) == ("ok", 3, 0)
        assert row["yosys"] == "1.0"
        assert row["nextpnr"] == "1.0"
        assert f"--seed {row['seed']} " in row["command"]
        assert row["device"] == "iCE40HX8K-CT256"
    (summary,) = results["summary"]
    assert summary["fmax_mhz_median"] == 102.0
    assert results["context"]["toolchain"] == "native"
    bitstreams = flow.build / "native" / "bitstream" / "hx8k" / "tiny"
    assert (bitstreams / "tiny.bin").read_text() == "bitstream"
    assert json.loads((bitstreams / "bitstream.json").read_text())["seed"] == 2
    assert "hx8k    tiny    w8a8         3" in done.stdout
    assert "[101.0..103.0]" in done.stdout


def test_nothing_is_redone(flow: Flow) -> None:
    flow.stand_in()
    assert flow.native("--seeds", "2").returncode == 0
    before = (flow.tools / "calls").read_text()
    assert flow.native("--seeds", "2").returncode == 0
    assert (flow.tools / "calls").read_text() == before
    assert flow.native("--seeds", "3").returncode == 0
    assert len(flow.calls("nextpnr-ice40")) == 3
    assert len(flow.calls("yosys")) == 2


def test_a_changed_source_is_redone(flow: Flow) -> None:
    flow.stand_in()
    assert flow.native("--seeds", "1").returncode == 0
    source = flow.folder / "rtl" / "tiny.v"
    source.write_text("module tiny; wire a; endmodule\n")
    assert flow.native("--seeds", "1").returncode == 0
    assert len(flow.calls("yosys")) == 4
    assert len(flow.calls("nextpnr-ice40")) == 2


def test_killed_run_goes_on_where_it_was(flow: Flow) -> None:
    flow.stand_in(seconds=0.7)
    arguments = ("--toolchain", "native", "--targets", "hx8k", "--seeds", "6", "--jobs", "2")
    with subprocess.Popen(
        flow.command(*arguments), env=flow.environment(), stderr=subprocess.DEVNULL
    ) as process:
        log = flow.build / "snakemake.log"
        wait_for(lambda: log.exists() and log.read_text().count("(Rule: route)") > 1, "a result")
        process.send_signal(signal.SIGKILL)
    rows = [flow.row(seed) for seed in range(1, 7) if flow.row(seed).exists()]
    finished = {row: row.read_text() for row in sorted(rows, key=lambda r: r.stat().st_mtime)[:2]}
    wait_for(lambda: not processes_with(str(flow.build)), "the end of the killed run's jobs")
    calls = len(flow.calls("nextpnr-ice40"))
    assert calls < 6
    assert not (flow.build / "results.json").exists()

    flow.stand_in()
    done = flow.native("--seeds", "6")
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in flow.results()["runs"]] == 6 * ["ok"]
    again = flow.calls("nextpnr-ice40")[calls:]
    assert 1 <= len(again) <= 4
    for row, text in finished.items():
        assert row.read_text() == text
        assert not any(f"--seed {row.parent.name} " in line for line in again)


def test_half_written_result_is_made_anew(flow: Flow) -> None:
    flow.stand_in()
    assert flow.native("--seeds", "2").returncode == 0
    whole = flow.row(1).read_text()
    flow.row(1).write_text(whole[: len(whole) // 2])
    done = flow.native("--seeds", "2")
    assert done.returncode == 0, done.stderr
    assert "run.json: damaged; making it anew" in done.stderr
    assert json.loads(flow.row(1).read_text())["fmax_mhz"] == 101.0
    assert len(flow.calls("nextpnr-ice40")) == 3


def test_a_failed_seed_is_a_row(flow: Flow) -> None:
    flow.stand_in(fail=[2], message="Failed to route arc 7")
    done = flow.native("--seeds", "3")
    assert done.returncode == 1
    rows = {row["seed"]: row for row in flow.results()["runs"]}
    assert (rows[2]["status"], rows[2]["reason"]) == ("failed", "Failed to route arc 7")
    assert rows[2]["fmax_mhz"] is None
    assert rows[3]["status"] == "ok"
    assert "fpga: tiny on hx8k: Failed to route arc 7; " in done.stderr


def test_a_report_without_fmax_is_an_error_and_not_zero(flow: Flow) -> None:
    flow.stand_in(no_fmax=[1])
    done = flow.native("--seeds", "2")
    assert done.returncode == 1
    row = flow.results()["runs"][0]
    assert (row["status"], row["fmax_mhz"]) == ("no_fmax", None)
    assert "0 clocks with an Fmax" in row["reason"]


def test_what_does_not_fit_is_a_result(flow: Flow) -> None:
    flow.stand_in(cells=101)
    done = flow.native("--seeds", "1")
    assert done.returncode == 0, done.stderr
    (row,) = flow.results()["runs"]
    assert (row["status"], row["reason"]) == ("does_not_fit", "ICESTORM_LC 101 of 100")
    assert "does_not_fit: ICESTORM_LC 101 of 100" in done.stdout


def test_dsp_mismatch_is_an_error_naming_the_design(flow: Flow) -> None:
    flow.stand_in()
    flow.designs.write_text(DESIGNS.replace("ice40 = 0", "ice40 = 1"))
    done = flow.native("--seeds", "1")
    assert done.returncode == 1
    assert "fpga: tiny on hx8k: 0 DSP blocks, 1 expected; " in done.stderr
    assert flow.results()["runs"][0]["status"] == "dsp_mismatch"


def test_a_failing_machine_is_not_recorded_as_a_result(flow: Flow) -> None:
    flow.stand_in(fail=[1], message="Failed to open 'layout.asc': No space left on device")
    done = flow.native("--seeds", "2")
    assert done.returncode == 2
    assert "No space left on device" in done.stderr
    assert not flow.row(1).exists()
    assert [row["status"] for row in flow.results()["runs"]] == ["not_run", "ok"]
    flow.stand_in()
    assert flow.native("--seeds", "2").returncode == 0
    assert [row["status"] for row in flow.results()["runs"]] == ["ok", "ok"]


def test_fit_grows_to_the_device(flow: Flow) -> None:
    flow.stand_in()
    done = flow.native("--fit")
    assert done.returncode == 0, done.stderr
    (row,) = flow.results()["fit"]
    assert (row["copies"], row["macs"], row["limit"]) == (33, 33, "ICESTORM_LC")
    assert row["utilization"] == 0.99
    assert row["gmacs"] == round(33 * 101.0 / 1000, 3)
    assert [attempt["copies"] for attempt in row["attempts"]] == [33]
    assert flow.results()["runs"] == []
    assert "33    33   99%  ICESTORM_LC" in done.stdout


def test_fit_steps_back_to_what_routes(flow: Flow) -> None:
    flow.stand_in(routes=80, message="Failed to route arc 7")
    done = flow.native("--fit")
    assert done.returncode == 0, done.stderr
    (row,) = flow.results()["fit"]
    assert row["copies"] == 26
    assert row["attempts"][0] == {
        "copies": 33, "status": "failed", "reason": "Failed to route arc 7",
        "fmax_mhz": None, "cpu_seconds": None,
    }  # fmt: skip


def test_fit_where_nothing_fits(flow: Flow) -> None:
    flow.stand_in(routes=2)
    done = flow.native("--fit")
    assert done.returncode == 0, done.stderr
    (row,) = flow.results()["fit"]
    assert (row["status"], row["macs"], row["fmax_mhz"]) == ("does_not_fit", 0, None)


def test_fit_where_not_one_copy_fits_names_the_cell(flow: Flow) -> None:
    flow.stand_in(available=0)
    done = flow.native("--fit")
    assert done.returncode == 0, done.stderr
    (row,) = flow.results()["fit"]
    assert (row["status"], row["copies"]) == ("does_not_fit", 0)
    assert row["reason"] == "ICESTORM_LC 3 of 0"


def test_only_one_run_at_a_time(flow: Flow) -> None:
    flow.stand_in(seconds=3)
    arguments = ("--toolchain", "native", "--targets", "hx8k", "--seeds", "1")
    with subprocess.Popen(
        flow.command(*arguments), env=flow.environment(),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        wait_for(lambda: (flow.build / "lock").exists(), "the lock")
        wait_for(lambda: (flow.build / "plan.json").exists(), "the plan")
        done = flow.native("--seeds", "1")
        assert done.returncode == 2
        assert "another run is using it; wait, or give --build DIR" in done.stderr
        assert process.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--designs", "tinny"], "fpga: design tinny: unknown; did you mean tiny? known: tiny"),
        (["--targets", "up5"], "fpga: target up5: unknown; did you mean up5k? known: hx8k, "),
        (["--seeds", "0"], "fpga: arguments: argument --seeds: '0' is not a number from 1 to 9999"),
        (["--jobs", "-1"], "fpga: arguments: "),
        (["--seeds", "1e3"], "fpga: arguments: "),
        (["--toolchain", "vivado"], "fpga: arguments: argument --toolchain: invalid choice"),
        (["--frobnicate"], "fpga: arguments: unrecognized arguments: --frobnicate"),
        (["--designs", ""], "fpga: nothing to run: "),
        (["--target-table", "/nonexistent"], "fpga: /nonexistent: "),
    ],
)
def test_bad_arguments(flow: Flow, arguments: list[str], message: str) -> None:
    done = flow.run(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(message)
    assert not flow.build.exists()


def test_missing_tool_says_how_to_get_it(flow: Flow) -> None:
    flow.stand_in()
    done = flow.run("--toolchain", "native", "--targets", "ecp5-25f-6")
    assert done.returncode == 2
    assert done.stderr.startswith("fpga: nextpnr-ecp5: not found on PATH; put OSS CAD Suite on")
    (flow.tools / "icepack").unlink()
    environment = flow.environment() | {"PATH": str(flow.tools)}
    done = subprocess.run(
        flow.command("--toolchain", "native", "--targets", "hx8k"),
        env=environment, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "fpga: icepack: not found on PATH; apt-get install fpga-icestorm\n"


def test_a_reader_that_stops_is_no_error(flow: Flow) -> None:
    flow.stand_in()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        flow.command("--toolchain", "native", "--targets", "hx8k", "--seeds", "1"),
        env=flow.environment(), check=False, stdout=writing, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, "Broken pipe" in done.stderr) == (0, False), done.stderr
    assert flow.results()["runs"]


def test_a_module_without_a_file_is_named(flow: Flow) -> None:
    flow.designs.write_text(DESIGNS.replace('module = "tiny"', 'module = "gone"'))
    done = flow.run("--targets", "up5k")
    assert done.returncode == 2
    assert done.stderr.startswith("fpga: design tiny: no gone.v in ")
    assert len(done.stderr.splitlines()) == 1
    assert not flow.build.exists()


# report.json is nextpnr's own, which a result is made of; it is no result.
IN_SMALL_DISK = """
mount -t tmpfs -o size={size}k tmpfs "$0" || exit 77
"$@"
code=$?
find "$0" -name '*.json' ! -name report.json -size 0
exit $code
"""


@pytest.mark.parametrize("kibibytes", [8, 40, 80, 120])
def test_a_full_disk_ends_the_run_with_a_line(flow: Flow, kibibytes: int) -> None:
    flow.stand_in()
    flow.build.mkdir()
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              IN_SMALL_DISK.format(size=kibibytes), str(flow.build),
              *flow.command("--toolchain", "native", "--targets", "hx8k")]  # fmt: skip
    done = subprocess.run(
        inside, env=flow.environment(), check=False, capture_output=True, text=True, timeout=120
    )
    if done.returncode in (1, 77) and "fpga: " not in done.stderr:
        pytest.skip(f"no mount for a user here: {done.stderr}")
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "o space left" in done.stderr
    assert ".json" not in done.stdout


def test_list(flow: Flow) -> None:
    done = flow.run("--list")
    assert done.returncode == 0
    assert "tiny" in done.stdout
    assert "ecp5-85f-8" in done.stdout


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old\n")
    script = (
        "import sys; from pathlib import Path; from fpga.files import write_text;"
        "write_text(Path(sys.argv[1]), 'x' * 100000)"
    )

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=limit, check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert "File too large" in done.stderr
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]
