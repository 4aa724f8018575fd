"""The flow run as a user runs it, with the real tools or with stand-ins that count their calls."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT))

# A toolchain that obeys at once. Yosys gives every design three cells; nextpnr's device has a
# hundred, and for the rest it does what the file `behaviour` says.
STAND_IN = """#!{python}
import json, re, sys, time
from pathlib import Path
tool, args = Path(sys.argv[0]).name, sys.argv[1:]
here = Path(sys.argv[0]).parent
if args[0] in ("-V", "--version"):
    print("Yosys 1.0" if tool == "yosys" else tool + " Version 1.0")
    sys.exit()
with (here / "calls").open("a") as calls:
    calls.write(" ".join([tool, *args]) + "\\n")
def after(flag):
    return args[args.index(flag) + 1]
if tool == "yosys":
    script = Path(after("-s")).read_text()
    out = Path(re.search(r"write_json (\\S+)", script)[1])
    wire = lambda direction: {{"direction": direction, "bits": [2]}}
    ports = {{"clk_i": wire("input"), "a_i": wire("input"), "y_o": wire("output")}}
    copies = re.search(r"Copies (\\d+)", script)
    count = 3 * (int(copies[1]) if copies else 1)
    cells = {{str(i): {{"type": "SB_LUT4"}} for i in range(count)}}
    name = "harness" if "-top harness" in script else re.search(r"-top (\\w+)", script)[1]
    out.write_text(json.dumps({{"modules": {{name: {{"ports": ports, "cells": cells}}}}}}))
elif tool == "nextpnr-ice40":
    behaviour = json.loads((here / "behaviour").read_text())
    time.sleep(behaviour.get("seconds", 0))
    (module,) = json.loads(Path(after("--json")).read_text())["modules"].values()
    used, seed = behaviour.get("cells", len(module["cells"])), int(after("--seed"))
    use = {{"used": used, "available": behaviour.get("available", 100)}}
    report = {{"utilization": {{"ICESTORM_LC": use}}}}
    if "--pack-only" in args:
        Path(after("--report")).write_text(json.dumps(report))
        sys.exit()
    if used > behaviour.get("routes", 100) or seed in behaviour.get("fail", []):
        print("ERROR: " + behaviour.get("message", "Unable to place cell"))
        sys.exit(1)
    report["fmax"] = {{"clk": {{"achieved": 100.0 + seed, "constraint": 600}}}}
    if seed in behaviour.get("no_fmax", []):
        report["fmax"] = {{}}
    Path(after("--report")).write_text(json.dumps(report))
    Path(after("--asc")).write_text("layout")
else:
    Path(args[1]).write_text("bitstream")
"""

DESIGNS = """
hdl = "rtl"
[[design]]
name = "tiny"
module = "tiny"
parameters = {}
precision = "w8a8"
multiplier = "lut"
macs_per_cycle = 1
dsp = { ice40 = 0, ecp5 = 0 }
quick = ["hx8k", "up5k"]
"""


class Flow:
    """A build folder, tables and, if asked for, stand-in tools."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.build = folder / "build"
        self.tools = folder / "tools"
        self.designs = folder / "designs.toml"
        self.designs.write_text(DESIGNS)
        (folder / "rtl").mkdir()
        (folder / "rtl" / "tiny.v").write_text("module tiny; endmodule\n")

    def stand_in(self, **behaviour: Any) -> None:
        self.tools.mkdir(exist_ok=True)
        for tool in ("yosys", "nextpnr-ice40", "icepack"):
            path = self.tools / tool
            if not path.exists():
                path.write_text(STAND_IN.format(python=sys.executable))
                path.chmod(0o755)
        (self.tools / "behaviour").write_text(json.dumps(behaviour))

    def calls(self, tool: str) -> list[str]:
        lines = (self.tools / "calls").read_text().splitlines()
        return [line for line in lines if line.startswith(tool + " ")]

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "fpga", "--build", str(self.build),
                "--design-table", str(self.designs), *arguments]  # fmt: skip

    def environment(self) -> dict[str, str]:
        path = f"{self.tools}:/usr/bin:/bin" if self.tools.exists() else os.environ["PATH"]
        return os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            self.command(*arguments), env=self.environment(), check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        return done

    def native(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("--toolchain", "native", "--targets", "hx8k", *arguments)

    def results(self) -> dict[str, Any]:
        return dict(json.loads((self.build / "results.json").read_text()))

    def row(self, seed: int) -> Path:
        return self.build / "native" / "route" / "hx8k" / "tiny" / str(seed) / "run.json"


@pytest.fixture
def flow(tmp_path: Path) -> Flow:
    return Flow(tmp_path)


@pytest.fixture
def report() -> Callable[[str], Path]:
    """A report of nextpnr as it was written, whole."""
    return lambda name: HERE / "reports" / f"{name}.json"
