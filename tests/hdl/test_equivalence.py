"""Proof by Yosys that a netlist is its RTL: for every state and input, not for some vectors."""

import hdl_tools as hdl
import pytest
from test_netlist import DESIGNS, FABRICS, netlist

from fpga.tables import sources

PROVED = ("mac_seed_4", "mac_seed_8", "mac_s4", "mac_s8")


@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize("name", PROVED)
def test_netlist_equals_rtl(name: str, fabric: str) -> None:
    design, family = DESIGNS[name], FABRICS[fabric]["family"]
    module = design["module"]
    mapped = netlist(f"netlist-{name}-{fabric}", design, FABRICS[fabric])
    files = " ".join(hdl.relative(path) for path in sources(design, family))
    parameters = "".join(
        f"chparam -set {key} {value} {module}\n" for key, value in design["parameters"].items()
    )
    # Adders and multipliers are taken apart as synthesis does: the two then have points in common.
    # Deferred, a model is elaborated only where the netlist has the cell: iCE40's include a large
    # RAM. ECP5's define a cell twice, which only an immediate reading takes.
    defer = "-defer" if family == "ice40" else "-overwrite"
    proof = f"""\
read_verilog {files}
{parameters}hierarchy -top {module}
proc
flatten
opt -full
alumacc
opt
techmap
opt
rename -top gold
design -stash gold

read_verilog {hdl.relative(mapped)}
read_verilog {defer} -icells {hdl.relative(hdl.cell_models(family)[0])}
hierarchy -top {module}
proc
flatten
opt
techmap
opt
rename -top gate
design -stash gate

design -copy-from gold -as gold gold
design -copy-from gate -as gate gate
equiv_make gold gate equiv
hierarchy -top equiv
opt_clean -purge
equiv_struct
equiv_induct
equiv_status -assert
"""
    folder = hdl.BUILD / f"proof-{name}-{fabric}"
    folder.mkdir(parents=True, exist_ok=True)
    hdl.yosys(proof, folder)
