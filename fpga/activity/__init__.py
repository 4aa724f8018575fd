"""Switching on FPGA fabrics: toggles per MAC of a synthesized netlist, in place of power."""
