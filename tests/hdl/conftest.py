"""The flow's own tables and synthesis (fpga/) are what the netlist tests run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
