"""Runs a netlist on its operands in Icarus Verilog, checks the results, counts the toggles."""

from pathlib import Path

from fpga.asic import activity
from fpga.asic.activity import Net
from fpga.asic.designs import COMMON_CLOCK_NS, Design
from fpga.asic.tools import command, run
from fpga.files import FlowError, read_json

TESTBENCH = Path(__file__).with_name("testbench.v")


def defines(design: Design, operands: Path, sdf: bool) -> list[str]:
    about = read_json(operands / "operands.json")
    values = {
        "TOP": design.top,
        f"PORTS_{design.ports}": "1",
        "WORD_BITS": about["word_bits"],
        "CYCLES": about["cycles"],
        "RESULT_BITS": about["result_bits"],
        "PERIOD": COMMON_CLOCK_NS,
        "OPERANDS": f'"{operands.resolve() / "operands.hex"}"',
        "VCD": '"changes.vcd"',
    }
    if sdf:
        values["SDF"] = '"delays.sdf"'
    return [f"-D{name}={value}" for name, value in values.items()]


def check(printed: str, expected: str, what: str) -> None:
    """The simulation's results against conv1's, all of them and in order."""
    results = [line.split()[1] for line in printed.splitlines() if line.startswith("result ")]
    wanted = expected.split()
    wrong = [i for i, pair in enumerate(zip(results, wanted, strict=False)) if pair[0] != pair[1]]
    if wrong:
        i = wrong[0]
        raise FlowError(
            what, f"result {i} is {results[i]}, not {wanted[i]}", "the netlist or its delays err"
        )
    if len(results) != len(wanted):
        raise FlowError(
            what, f"{len(results)} results for {len(wanted)} sums", "see the simulation's log"
        )


def simulate(
    design: Design, operands: Path, netlist: Path, cells: list[str], folder: Path, sdf: bool
) -> dict[Net, int]:
    """Toggles of every net of the netlist over the operands of the folder `operands`.

    `cells` are Icarus Verilog's arguments for the cells' models. With `sdf` the cells take the
    delays of delays.sdf, so that glitches count; without, every net changes at most once a clock
    edge. Works in `folder`, which must hold delays.sdf.
    """
    folder.mkdir(parents=True, exist_ok=True)
    macros = defines(design, operands, sdf)
    dump = folder / "changes.vcd"
    try:
        run(
            [command("iverilog"), "-g2005-sv", *(["-gspecify", "-Tmax"] if sdf else []), *macros,
             "-s", "testbench", "-o", "netlist.vvp", str(TESTBENCH), str(netlist),
             *cells],
            folder, "iverilog.log",
        )  # fmt: skip
        printed = run([command("vvp"), "-N", "netlist.vvp"], folder, "simulation.log")
        check(printed, (operands / "results.hex").read_text(), f"simulation of {design.name}")
        return activity.count(dump)
    finally:
        dump.unlink(missing_ok=True)
        (folder / "netlist.vvp").unlink(missing_ok=True)
