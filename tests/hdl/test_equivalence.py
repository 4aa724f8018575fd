"""Proof by Yosys that a netlist is its RTL: for every state and input, not for some vectors."""

import hdl_tools as hdl
import pytest
from fpga.synth import script
from fpga.tables import sources
from test_netlist import DESIGNS, FABRICS

PROVED = ("mac_seed_4", "mac_seed_8", "mac_s4", "mac_s8")


@pytest.mark.parametrize("fabric", FABRICS)
@pytest.mark.parametrize("name", PROVED)
def test_netlist_equals_rtl(name: str, fabric: str) -> None:
    design, family = DESIGNS[name], FABRICS[fabric]["family"]
    module = design["module"]
    files = sources(design, family)
    folder = hdl.BUILD / f"proof-{name}-{fabric}"
    synthesis = script(design, FABRICS[fabric], folder / "netlist.json")
    rtl = " ".join(hdl.relative(path) for path in files)
    parameters = "".join(f" -chparam {k} {v}" for k, v in design["parameters"].items())
    models = " ".join(hdl.relative(path) for path in hdl.cell_models(family)[:1])
    proof = f"""\
{synthesis}
rename {module} gate
design -stash synthesized

read_verilog {rtl}
hierarchy -top {module}{parameters}
proc
flatten
opt_clean
rename {module} gold
design -stash specified

design -copy-from specified -as gold gold
design -copy-from synthesized -as gate gate
read_verilog -overwrite -icells -DNO_ICE40_DEFAULT_ASSIGNMENTS {models}
hierarchy
proc
flatten gate
clean
equiv_make gold gate equiv
hierarchy -top equiv
clean -purge
equiv_simple
equiv_induct
equiv_status -assert
"""
    folder.mkdir(parents=True, exist_ok=True)
    hdl.yosys(proof, folder)
