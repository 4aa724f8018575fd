"""Joins a synthesized design to the measuring harness, which is not charged to it."""

from collections import Counter
from pathlib import Path

from fpga import netlist
from fpga.files import FlowError, write_text
from fpga.tables import HERE, Row
from fpga.toolchain import relative, run_script

CLOCK = "clk_i"


def adapter(design: Row, ports: list[tuple[str, str, int]]) -> tuple[str, int, int]:
    """Verilog of `harness_dut`, and the widths of its operand and result vectors."""
    if (CLOCK, "input", 1) not in ports:
        raise FlowError(
            f"design {design['name']}", f"no clock input {CLOCK}", "add it to the module"
        )
    declared, joined = [], []
    offset = {"input": 0, "output": 0}
    vector = {"input": "data_i", "output": "result_o"}
    for name, direction, width in ports:
        declared.append(f"    {direction} [{width - 1}:0] {name}")
        if name == CLOCK:
            joined.append(f"      .{CLOCK}({CLOCK})")
            continue
        low = offset[direction]
        joined.append(f"      .{name}({vector[direction]}[{low + width - 1}:{low}])")
        offset[direction] += width
    inputs, outputs = offset["input"], offset["output"]
    if not inputs or not outputs:
        raise FlowError(f"design {design['name']}", "no operands or no result", "add the ports")
    module = design["module"]
    text = (
        f"(* blackbox *) module {module} (\n" + ",\n".join(declared) + "\n);\nendmodule\n\n"
        "module harness_dut (\n"
        f"    input {CLOCK},\n    input [{inputs - 1}:0] data_i,\n"
        f"    output [{outputs - 1}:0] result_o\n);\n"
        f"  {module} u_design (\n" + ",\n".join(joined) + "\n  );\nendmodule\n"
    )
    return text, inputs, outputs


def link(toolchain: str, design: Row, fabric: Row, mapped: Path, copies: int, out: Path) -> None:
    """Writes the netlist of `copies` of the mapped design in the harness.

    The harness is mapped around a black box and the design put in afterwards, so that neither is
    optimized into the other.
    """
    module = design["module"]
    text, inputs, outputs = adapter(design, netlist.ports(netlist.read_module(mapped, module)))
    write_text(out.with_suffix(".v"), text)
    unchecked = out.with_suffix(".part")
    script = f"""\
read_json {relative(mapped)}
design -stash mapped
read_verilog {relative(HERE / "harness.v")} {relative(out.with_suffix(".v"))}
hierarchy -top harness -chparam InWidth {inputs} -chparam OutWidth {outputs} -chparam Copies {copies}
{" ".join(fabric["synth"])} -noflatten -top harness
delete {module}
design -copy-from mapped -as {module} {module}
hierarchy -top harness
flatten
opt_clean -purge
write_json {relative(unchecked)}
"""
    write_text(out.with_suffix(".ys"), script)
    run_script(toolchain, out.with_suffix(".ys"))
    check_copies(mapped, module, unchecked, copies)
    unchecked.replace(out)


def check_copies(mapped: Path, module: str, linked: Path, copies: int) -> None:
    """Every cell of the design is there as often as it should be."""
    one = netlist.cells(netlist.read_module(mapped, module))
    total = netlist.cells(netlist.read_module(linked, "harness"))
    expected = Counter({cell: count * copies for cell, count in one.items()})
    if missing := expected - total:
        raise FlowError(linked, f"{dict(missing)} missing after linking", "report it")
