"""What is read of OpenSTA's output, on a recorded piece of it."""

import pytest

from fpga.asic import timing
from fpga.files import FlowError

OUTPUT = """\
slack_report -3.653950e-01
slack_between_registers_report 3.650000e-01
slack_common 8.134605e+00
slack_between_registers_common none
fastest 1.866
fastest_between_registers none
_0_/A ^ 0.104684:0.204684 v 0.099566:0.099577
_0_/Y ^ 0.116331:0.137904 v 0.103270:0.115485
power_begin
     Internal    Switching      Leakage        Total
        Power        Power        Power        Power
----------------------------------------------------
 1.044612e-05 1.952333e-05 6.606390e-11 2.996951e-05 _0_
power_end
"""


def test_figures_slews_and_power():
    found = timing.parse(OUTPUT)
    assert found["figures"] == {
        "slack_report": -0.365395,
        "slack_between_registers_report": 0.365,
        "slack_common": 8.134605,
        "slack_between_registers_common": None,
        "fastest": 1.866,
        "fastest_between_registers": None,
    }
    assert found["slews"] == {"_0_": {"A": [0.204684, 0.099577], "Y": [0.137904, 0.115485]}}
    assert found["uniform_power"] == {"_0_": [1.044612e-05, 1.952333e-05]}


def test_an_error_that_opensta_exits_0_with():
    with pytest.raises(FlowError, match="sta: sta.tcl, 9 no such file; see timing.log"):
        timing.parse("Error: sta.tcl, 9 no such file\n" + OUTPUT)


def test_output_cut_short():
    with pytest.raises(FlowError, match="ended before its last figure"):
        timing.parse(OUTPUT.partition("fastest_between")[0])
