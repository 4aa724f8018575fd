"""What all sub-commands share, and `narrowmac cpuinfo`."""

import json
import subprocess

import pytest
from program import PROGRAM, Program

COMMANDS = ["cpuinfo", "accuracy", "bench", "conv", "record", "history", "compare"]
QUICK = ["--repetitions", "1", "--min-time", "1e-6"]


def test_help_lists_the_commands(narrowmac: Program) -> None:
    text = narrowmac("--help").stdout
    for command in COMMANDS:
        assert f"  {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each(narrowmac: Program, command: str) -> None:
    done = narrowmac(command, "--help")
    assert done.stdout.startswith(f"Usage: narrowmac {command} ") and done.stderr == ""


def test_version(narrowmac: Program) -> None:
    assert narrowmac("--version").stdout.startswith("narrowmac ")


def test_bare(narrowmac: Program) -> None:
    assert narrowmac.error().startswith("command: missing")


def test_unknown_command_suggests(narrowmac: Program) -> None:
    message = narrowmac.error("bnech")
    assert "did you mean 'bench'?" in message and "cpuinfo" in message


def test_full_stdout(narrowmac: Program) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2 and "No space left" in done.stderr


def test_cpuinfo(narrowmac: Program) -> None:
    text = narrowmac("cpuinfo", *QUICK).stdout
    for word in ("CPU", "Threads", "Caches", "scalar", "chosen"):
        assert word in text


def test_cpuinfo_json(narrowmac: Program) -> None:
    info = narrowmac.json("cpuinfo", *QUICK)
    tiers = {tier["isa"]: tier for tier in info["tiers"]}
    assert tiers["scalar"]["available"] and not tiers["scalar"]["emulated"]
    assert [t["isa"] for t in info["tiers"] if t["chosen"]] == [info["context"]["isa"]]
    for ceiling in info["ceilings"]:
        assert tiers[ceiling["isa"]]["available"]
        assert ceiling["macs_per_second"] > 0 and ceiling["type"] in ("f32", "int8")
    assert all(cache["size"] >= 1024 for cache in info["context"]["caches"])


def test_cpuinfo_json_file(narrowmac: Program) -> None:
    narrowmac("cpuinfo", *QUICK, "--json", "info.json")
    assert "tiers" in json.loads((narrowmac.folder / "info.json").read_text())


@pytest.mark.parametrize(
    "arguments",
    [["x"], ["--repetitions", "0"], ["--min-time", "nan"], ["--json", "none/x.json"]],
)
def test_cpuinfo_bad_input(narrowmac: Program, arguments: list[str]) -> None:
    # An unwritable file is found before or after the tables; nothing but the tables is printed.
    done = narrowmac("cpuinfo", *QUICK, *arguments, status=2)
    assert done.stderr.startswith("narrowmac: ") and done.stderr.count("\n") == 1
