"""The designs that are mapped to cells (designs.toml), and what is fixed for all of them."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from fpga.files import FlowError
from fpga.tables import Row, load_designs, sources

TABLE = Path(__file__).with_name("designs.toml")

REPORT_CLOCK_NS = 1.5  # the course report's
COMMON_CLOCK_NS = 10.0  # one at which every design closes, so that power is compared alike
BASE = "mac_seed_32"  # what ratios are to


@dataclass(frozen=True)
class Design:
    """A row of designs.toml with its row of ../designs.toml."""

    name: str
    ports: str
    lanes: int
    bits: int
    sums: int
    operands: str
    row: Row

    @property
    def top(self) -> str:
        return str(self.row["module"])

    @property
    def feed(self) -> str:
        """What its operands depend on."""
        return f"{self.operands} {self.lanes} {self.bits} {self.sums}"

    @property
    def sources(self) -> list[Path]:
        return sources(self.row, "generic")


def load() -> dict[str, Design]:
    rows = tomllib.loads(TABLE.read_text(encoding="utf-8"))["design"]
    known = load_designs()
    return {row["name"]: Design(**row, row=known[row["name"]]) for row in rows}


def find(name: str) -> Design:
    designs = load()
    if name not in designs:
        raise FlowError(f"design {name}", "unknown", f"known: {', '.join(designs)}")
    return designs[name]
