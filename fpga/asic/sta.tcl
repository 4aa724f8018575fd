# Slack, fastest clock, delays and slews of one netlist. Variables come from timing.py:
# liberty, netlist, top, report_ns, common_ns (clock periods), sdf (output file).
# Prints lines of KEY VALUE..; a line that starts with Error: is OpenSTA's own (its exit status
# is 0 even then).

set sta_report_default_digits 6
read_liberty $liberty
read_verilog $netlist
link_design $top

# Operands come from registers and the result goes to one, as between two stages of a pipeline:
# 0.16 ns is DFFPOSX1's clock-to-Q without load (the driving cell adds what its load costs),
# 0.19 ns its setup time, 8.8 fF its D pin. No wires; the clock is ideal, its edge the sharpest
# that the library characterizes.
proc constrain {period} {
  create_clock -name clk -period $period [get_ports clk_i]
  set_clock_transition 0.06 [get_clocks clk]
  set inputs {}
  foreach port [all_inputs] {
    if {[get_name $port] ne "clk_i"} { lappend inputs $port }
  }
  set_input_delay 0.16 -clock clk $inputs
  set_driving_cell -lib_cell DFFPOSX1 -pin Q $inputs
  set_output_delay 0.19 -clock clk [all_outputs]
  set_load 0.0088 [all_outputs]
}

proc slack_of {paths} {
  if {[llength $paths] == 0} { return none }
  return [get_property [lindex $paths 0] slack]
}

proc slack {} { return [slack_of [find_timing_paths]] }

proc slack_between_registers {} {
  return [slack_of [find_timing_paths -from [all_registers -clock_pins] \
                                      -to [all_registers -data_pins]]]
}

# The shortest period, to a picosecond, at which the slack is not negative.
proc fastest {slack_command} {
  set low 0
  set high 1000000
  constrain [expr {$high / 1000.0}]
  if {[$slack_command] eq "none"} { return none }
  while {$high - $low > 1} {
    set middle [expr {($low + $high) / 2}]
    constrain [expr {$middle / 1000.0}]
    if {[$slack_command] >= 0} { set high $middle } else { set low $middle }
  }
  return [expr {$high / 1000.0}]
}

foreach {name period} [list report $report_ns common $common_ns] {
  constrain $period
  puts "slack_$name [slack]"
  puts "slack_between_registers_$name [slack_between_registers]"
}
puts "fastest [fastest slack]"
puts "fastest_between_registers [fastest slack_between_registers]"

constrain $common_ns
write_sdf -divider . -digits 4 -no_timestamp $sdf
foreach cell [get_cells *] {
  foreach pin [get_pins -of_objects $cell] { report_slews $pin }
}

# One toggle a cycle everywhere: OpenSTA's own power to hold ours against (see README.md).
sta::set_power_global_activity 1.0 0.5
puts "power_begin"
report_power -instances [get_cells *] -digits 6
puts "power_end"
