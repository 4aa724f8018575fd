"""The gate of bench/history/README.md, run as it is printed, with measurements that are made up."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from program import PROGRAM, Program

FOLDER = Path(__file__).resolve().parent
HISTORY = FOLDER.parents[1] / "bench" / "history" / "README.md"

# Stands for narrowmac: bench writes a run of the side's level, a minute after the one before.
STAND_IN = """#!{python}
import itertools, json, os, pathlib, sys
sys.path[:0] = {folders!r}
if sys.argv[1] != "bench":
    os.execv({program!r}, [{program!r}, *sys.argv[1:]])
from conftest import bench
clock = pathlib.Path("clock")
minute = int(clock.read_text()) if clock.exists() else 0
clock.write_text(str(minute + 1))
times = [{level} * (100 + minute % 4 / 10 + i / 100) for i in range(5)]
document = bench({{"a": times}}, date=f"2026-03-01T12:{{minute:02d}}:00Z")
pathlib.Path(sys.argv[sys.argv.index("--json") + 1]).write_text(json.dumps(document))
"""


def gate() -> str:
    (script,) = re.findall(r"```sh\n(bench=.*?)```", HISTORY.read_text(), re.DOTALL)
    return script


@pytest.mark.parametrize(("level", "status"), [(1.0, 0), (1.05, 1)])
def test_the_gate(narrowmac: Program, level: float, status: int) -> None:
    for side, of_side in (("base/build", 1.0), ("build", level)):
        program = narrowmac.folder / side / "narrowmac"
        program.parent.mkdir(parents=True)
        program.write_text(
            STAND_IN.format(
                python=sys.executable,
                folders=[str(FOLDER), str(FOLDER.parent)],
                program=str(PROGRAM),
                level=of_side,
            )
        )
        program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-euc", gate()], cwd=narrowmac.folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, (done.stdout, done.stderr)
    (row,) = json.loads((narrowmac.folder / "gate.json").read_text())["rows"]
    assert (row["base"]["runs"], row["unit_of_test"], row["interleaved"]) == (15, "run", True)
    assert row["verdict"] == ("slower" if status else "same")
    assert (narrowmac.folder / "gate.csv").read_text().count("\n") == 2
