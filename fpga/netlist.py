"""What a synthesized netlist (Yosys JSON) holds."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from fpga.files import FlowError, read_json

# Cells counted in each column. A carry cell of ECP5 fills two LUT sites and a distributed RAM
# cell four, which is how they are charged to `lut`; a wide multiplexer joins LUTs and is free.
COLUMNS = {
    "ice40": {
        "lut": {"SB_LUT4": 1},
        "ff": {"SB_DFF": 1},
        "carry": {"SB_CARRY": 1},
        "dsp": {"SB_MAC16": 1},
        "bram": {"SB_RAM40_4K": 1},
    },
    "ecp5": {
        "lut": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 4},
        "ff": {"TRELLIS_FF": 1},
        "carry": {"CCU2C": 1},
        "dsp": {"MULT18X18D": 1},
        "bram": {"DP16KD": 1},
    },
}


def read_module(path: Path, name: str) -> dict[str, Any]:
    try:
        return dict(read_json(path)["modules"][name])
    except (KeyError, TypeError):
        raise FlowError(path, f"no module {name} in it", "remove it and run again") from None


def cells(module: dict[str, Any]) -> Counter[str]:
    """Cells by type, variants (SB_DFFESR, SB_RAM40_4KNR) under their base type."""
    base = re.compile(r"^(SB_DFF|SB_RAM40_4K).*")
    return Counter(base.sub(r"\1", cell["type"]) for cell in module["cells"].values())


def columns(module: dict[str, Any], family: str) -> dict[str, int]:
    count = cells(module)
    return {
        column: sum(weight * count[cell] for cell, weight in weights.items())
        for column, weights in COLUMNS[family].items()
    }


def ports(module: dict[str, Any]) -> list[tuple[str, str, int]]:
    """Name, direction and width of each port."""
    return [(name, p["direction"], len(p["bits"])) for name, p in module["ports"].items()]
