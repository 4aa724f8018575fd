"""Toggles of a hand-made dump, counted by hand."""

from fpga.asic.activity import toggles

DUMP = """\
$date today $end
$timescale 1ps $end
$scope module testbench $end
$scope module dut $end
$var wire 1 ! clk $end
$var wire 1 " \\n[0] $end
$var wire 4 # q [3:0] $end
$var wire 1 $ late $end
$var wire 1 ! same $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
0!
1"
b0 #
x$
$end
#5
1!
b101 #
1$
#7
z"
#10
0!
b1010 #
0$
1"
#15
1!
b1x1x #
0$
#17
b1011 #
#20
$dumpoff
x!
x"
bx #
x$
$end
#30
$dumpon
0!
b1111 #
$end
"""


def test_counts_by_hand():
    found = toggles(DUMP.splitlines(keepends=True))
    assert found[("clk", 0)] == 3
    assert found[("same", 0)] == 3  # the same net by another name
    assert found[("n[0]", 0)] == 0  # 1, z, 1: no edge between 0 and 1
    assert found[("late", 0)] == 1  # x to 1 is none, 1 to 0 is one
    # q: 0000, 0101, 1010, 1x1x, 1011, and what $dumpoff and later say is not counted.
    assert [found[("q", bit)] for bit in range(4)] == [2, 1, 2, 1]


def test_a_dump_cut_short_counts_what_is_there():
    lines = DUMP.partition("#10")[0].splitlines(keepends=True)
    assert toggles(lines)[("clk", 0)] == 1
