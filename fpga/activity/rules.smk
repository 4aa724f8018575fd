# Toggles per MAC on FPGA fabrics. Included by ../asic/rules.smk, whose operands it shares.

from fpga.activity.measure import SIMULATED_DESIGNS, TARGETS as ACTIVITY_TARGETS

ACTIVITY = P.activity_results().parent


rule fabric_activity:
    input:
        lambda w: CELL_DESIGNS[w.cell_design].sources,
        CELLS / "{cell_design}" / "operands.hex",
        [HERE / name for name in ("activity/measure.py", "synth.py", "asic/simulate.py",
                                  "asic/activity.py", "asic/testbench.v")],
        CELLS / "versions.json",
    output: ACTIVITY / "{activity_target}" / "{cell_design}" / "activity.json"
    params:
        folder=lambda w: ACTIVITY / w.activity_target / w.cell_design,
        operands=lambda w: CELLS / w.cell_design,
    shell:
        f"{sys.executable} -m fpga.activity measure {{wildcards.cell_design}}"
        f" {{wildcards.activity_target}} {P.toolchain} {{params.folder}} {{params.operands}}"


rule activity_results:
    input:
        versions=CELLS / "versions.json",
        rows=[ACTIVITY / target / design / "activity.json"
              for target in ACTIVITY_TARGETS for design in SIMULATED_DESIGNS],
    output: P.activity_results()
    shell: f"{sys.executable} -m fpga.activity collect {{input.versions}} {{output}} {{input.rows}}"
