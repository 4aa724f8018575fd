# Standard cells: operands -> synthesis -> timing -> activity -> rows -> results.json.
# Included by ../Snakefile, whose plan is P; the steps are `python -m fpga.asic`.

from fpga.asic.designs import load as load_cell_designs
from fpga.asic.synth import MAPPINGS
from fpga.asic.tools import fingerprint as cell_tools_fingerprint

CELLS = P.asic_results().parent
CELL_HERE = HERE / "asic"
CELL_DESIGNS = load_cell_designs()
CELL_JOB = f"{sys.executable} -m fpga.asic"
GOLDENS = [HERE.parent / "tests" / "goldens" / name
           for name in ("seed.safetensors", "seed_goldens.safetensors")]


def cell_files(*names):
    """Of this folder, what a step is made of: it is redone when they change."""
    return [CELL_HERE / name for name in names]


wildcard_constraints:
    cell_design="|".join(CELL_DESIGNS),
    mapping="|".join(MAPPINGS),


# A tool or library that is missing stops everything here, with the command that installs it.
rule cell_versions:
    input: P.tool_file("yosys"), cell_files("tools.py")
    output: CELLS / "versions.json"
    params: tools=cell_tools_fingerprint()
    shell: f"{CELL_JOB} versions {P.toolchain} {{output}}"


rule cell_operands:
    input: GOLDENS, cell_files("operands.py")
    output:
        [CELLS / "{cell_design}" / name
         for name in ("operands.hex", "results.hex", "operands.json")],
    params:
        folder=lambda w: CELLS / w.cell_design,
        feed=lambda w: CELL_DESIGNS[w.cell_design].feed,
    shell: f"{CELL_JOB} operands {{wildcards.cell_design}} {{params.folder}}"


rule cell_synth:
    input:
        lambda w: CELL_DESIGNS[w.cell_design].sources,
        cell_files("synth.py", "library.py", "map.constr"),
        CELLS / "versions.json",
    output:
        [CELLS / "{cell_design}" / "{mapping}" / name
         for name in ("netlist.v", "netlist.json", "size.json")],
    params:
        folder=lambda w: CELLS / w.cell_design / w.mapping,
        parameters=lambda w: CELL_DESIGNS[w.cell_design].row["parameters"],
    shell:
        f"{CELL_JOB} synth {{wildcards.cell_design}} {{wildcards.mapping}} {{params.folder}}"
        f" {P.toolchain}"


rule cell_timing:
    input:
        CELLS / "{cell_design}" / "{mapping}" / "netlist.v",
        cell_files("timing.py", "sta.tcl"),
    output: [CELLS / "{cell_design}" / "{mapping}" / name for name in ("timing.json", "delays.sdf")]
    params: folder=lambda w: CELLS / w.cell_design / w.mapping
    shell: f"{CELL_JOB} timing {{wildcards.cell_design}} {{params.folder}}"


rule cell_activity:
    input:
        CELLS / "{cell_design}" / "{mapping}" / "netlist.v",
        CELLS / "{cell_design}" / "{mapping}" / "delays.sdf",
        CELLS / "{cell_design}" / "operands.hex",
        cell_files("simulate.py", "activity.py", "testbench.v"),
    output: CELLS / "{cell_design}" / "{mapping}" / "toggles.json"
    params: folder=lambda w: CELLS / w.cell_design / w.mapping
    shell: f"{CELL_JOB} activity {{wildcards.cell_design}} {{params.folder}} {{params.folder}}/.."


rule cell_rows:
    input:
        [CELLS / "{cell_design}" / "{mapping}" / name
         for name in ("netlist.json", "size.json", "timing.json", "toggles.json")],
        CELLS / "{cell_design}" / "operands.json",
        cell_files("rows.py", "power.py", "library.py"),
    output: CELLS / "{cell_design}" / "{mapping}" / "rows.json"
    params: folder=lambda w: CELLS / w.cell_design / w.mapping
    shell:
        f"{CELL_JOB} rows {{wildcards.cell_design}} {{wildcards.mapping}} {{params.folder}}"
        f" {{params.folder}}/.."


include: "../activity/rules.smk"


rule cell_results:
    input:
        versions=CELLS / "versions.json",
        rows=[CELLS / design / mapping / "rows.json"
              for mapping in MAPPINGS for design in CELL_DESIGNS],
        code=cell_files("rows.py"),
    output: P.asic_results()
    shell: f"{CELL_JOB} collect {{output}} {{input.versions}} {{input.rows}}"
