"""The DAG: a job of every step for every design, mapping and fabric."""

import os
import subprocess
import sys

from tests_kind import KIND

from fpga.asic import designs, synth
from fpga.plan import Plan
from fpga.toolchain import ROOT


def test_every_design_and_mapping_is_a_job(tmp_path):
    plan = Plan(build=str(tmp_path), toolchain=KIND, route=False, asic=True)
    plan.save(tmp_path / "plan.json")
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "fpga" / "Snakefile"),
         "--directory", str(tmp_path), "--config", f"plan={tmp_path / 'plan.json'}",
         "--cores", "1", "--dry-run", "--nocolor"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    said = (done.stdout + done.stderr).splitlines()
    jobs = {words[0]: int(words[1]) for words in map(str.split, said) if len(words) == 2
            and words[1].isdigit()}  # fmt: skip
    count = len(designs.load())
    assert jobs["cell_operands"] == count
    for rule in ("cell_synth", "cell_timing", "cell_activity", "cell_rows"):
        assert jobs[rule] == count * len(synth.MAPPINGS)
    assert jobs["fabric_activity"] == count * 2
    assert jobs["cell_results"] == jobs["activity_results"] == 1
