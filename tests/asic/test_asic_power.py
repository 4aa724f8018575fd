"""Power against figures worked out by hand, and against OpenSTA where it can be trusted."""

import json

import pytest

from fpga.asic import library, power, synth, tools
from fpga.asic.power import Evaluator
from fpga.asic.timing import POWER

# NAND2X1 n = !(a & b); INVX1 d = !n; DFFPOSX1 q <= d
NETLIST = {
    "modules": {
        "tiny": {
            "ports": {
                "clk_i": {"direction": "input", "bits": [2]},
                "a": {"direction": "input", "bits": [3]},
                "b": {"direction": "input", "bits": [4]},
                "q": {"direction": "output", "bits": [7]},
            },
            "cells": {
                "g1": {"type": "NAND2X1", "connections": {"A": [3], "B": [4], "Y": [5]}},
                "g2": {"type": "INVX1", "connections": {"A": [5], "Y": [6]}},
                "r": {"type": "DFFPOSX1", "connections": {"CLK": [2], "D": [6], "Q": [7]}},
            },
            "netnames": {
                name: {"bits": [bit]}
                for name, bit in zip(("clk_i", "a", "b", "n", "d", "q"), range(2, 8), strict=True)
            },
        }
    }
}
VERILOG = """\
module tiny (clk_i, a, b, q);
  input clk_i, a, b;
  output q;
  wire n, d;
  NAND2X1 g1 (.A(a), .B(b), .Y(n));
  INVX1 g2 (.A(n), .Y(d));
  DFFPOSX1 r (.CLK(clk_i), .D(d), .Q(q));
endmodule
"""
SLEW = [0.06, 0.06]
SLEWS = {
    "g1": {"A": SLEW, "B": SLEW, "Y": SLEW},
    "g2": {"A": SLEW, "Y": SLEW},
    "r": {"CLK": SLEW, "D": SLEW, "Q": SLEW},
}


@pytest.fixture
def evaluator() -> Evaluator:
    mapped = synth.netlist(json.dumps(NETLIST), "tiny")
    return Evaluator(mapped, library.load(), SLEWS)


def rates(**toggles):
    nets = {"clk_i": 2, "a": 3, "b": 4, "n": 5, "d": 6, "q": 7}
    by_net = {nets[name]: rate for name, rate in toggles.items()}
    return lambda net: by_net.get(net, 0.0)


def test_switching_is_half_c_v_squared(evaluator):
    # n drives the pin A of INVX1, q the load of an output port.
    pin = library.load().cells["INVX1"].pins["A"].capacitance_pf
    assert evaluator.switching(5, rates(n=0.25)) == pytest.approx(0.5 * pin * 1e-12 * 1.8**2 * 0.25)
    assert evaluator.switching(7, rates(q=1.0)) == pytest.approx(0.5 * 8.8e-15 * 1.8**2)


def test_gate_energy_is_the_tables_own_value(evaluator):
    """A load and slew on the grid of the INVX1 table: 0.005 pF, 0.06 ns; values from the file."""
    evaluator.loads[6] = 0.005
    per_toggle = evaluator.output_internal(evaluator.netlist.instances[1], "Y", rates(n=1, d=1))
    assert per_toggle == pytest.approx((0.009213 + 0.023555) / 2 * 1e-12)


def test_inputs_share_an_outputs_energy_as_they_toggle(evaluator):
    nand = evaluator.netlist.instances[0]
    by_a = evaluator.output_internal(nand, "Y", rates(a=1, n=1))
    by_b = evaluator.output_internal(nand, "Y", rates(b=1, n=1))
    both = evaluator.output_internal(nand, "Y", rates(a=0.3, b=0.1, n=1))
    assert by_a != by_b
    assert both == pytest.approx(0.75 * by_a + 0.25 * by_b)
    assert evaluator.output_internal(nand, "Y", rates()) == 0.0


def test_an_idle_register_still_costs_its_clock(evaluator):
    groups = evaluator.groups(rates(clk_i=2))
    # CLK of DFFPOSX1 at 0.06 ns: 0.006865 pJ a rise, 0.11034 pJ a fall, one of each a cycle.
    assert groups["registers"].internal == pytest.approx((0.006865 + 0.11034) * 1e-12)
    assert groups["clock"].switching == pytest.approx(0.0279235e-12 * 1.8**2)
    assert groups["logic"].internal == groups["logic"].switching == 0.0
    assert groups["logic"].leakage == pytest.approx((0.0393659 + 0.0221741) * 1e-9)


def test_watts_follow_the_clock_and_leakage_does_not(evaluator):
    part = power.total(evaluator.groups(rates(clk_i=2, a=1, b=1, n=1, d=1, q=1)))
    slow, fast = part.power(10.0), part.power(5.0)
    assert fast["internal"] == pytest.approx(2 * slow["internal"], rel=1e-5)
    assert fast["leakage"] == slow["leakage"]
    assert slow["total"] == pytest.approx(
        slow["internal"] + slow["switching"] + slow["leakage"], rel=1e-5
    )


def test_an_unrecorded_net_is_an_error(evaluator):
    rate = power.measured(evaluator.netlist, {("n", 0): 10}, 40)
    assert rate(5) == 0.25
    assert rate("0") == 0.0
    with pytest.raises(power.FlowError, match="net d: was not recorded"):
        rate(6)


SCRIPT = """\
set sta_report_default_digits 6
read_liberty {liberty}
read_verilog tiny.v
link_design tiny
create_clock -name clk -period 10 [get_ports clk_i]
set_input_delay 0 -clock clk [get_ports {{a b}}]
set_input_transition 0.06 [all_inputs]
set_clock_transition 0.06 [get_clocks clk]
{activity}
report_power -instances [get_cells *] -digits 6
exit
"""


def opensta(folder, activity):
    """Instance -> internal and switching power, W."""
    (folder / "tiny.v").write_text(VERILOG)
    script = SCRIPT.format(liberty=library.file("lib"), activity=activity)
    (folder / "tiny.tcl").write_text(script)
    output = tools.run([tools.command("sta"), "-no_splash", "-exit", "tiny.tcl"], folder, "log")
    return {name: (float(a), float(b)) for a, b, name in POWER.findall(output)}


def test_opensta_takes_no_activity_on_a_gates_output(tmp_path):
    """Why its report_power is not used: toggles set on a gate's pins change nothing."""
    setting = (
        "foreach p {g1/A g1/B g1/Y g2/A g2/Y} { sta::set_power_pin_activity [get_pins $p] %s 0.5 }"
    )
    busy, idle = (opensta(tmp_path, setting % rate) for rate in ("1.0", "0.0"))
    assert busy["g1"] == idle["g1"] and busy["g2"] == idle["g2"]
    assert busy["g2"][1] > 0


def test_switching_equals_opensta_and_its_internal_power_is_twice_a_toggles(evaluator, tmp_path):
    theirs = opensta(tmp_path, "sta::set_power_global_activity 1.0 0.5")
    toggling = rates(clk_i=2, a=1, b=1, n=1, d=1, q=1)
    inverter = evaluator.instance(evaluator.netlist.instances[1], toggling)
    assert theirs["g2"][1] * 10e-9 == pytest.approx(inverter.switching, rel=0.002)
    assert theirs["g2"][0] * 10e-9 == pytest.approx(2 * inverter.internal, rel=0.1)
