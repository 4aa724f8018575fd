"""What one call runs, and where each result lies. Written once, read by every job."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fpga.files import read_json, write_json
from fpga.tables import Row
from fpga.toolchain import PACKERS


@dataclass(frozen=True)
class Plan:
    build: str
    toolchain: str
    designs: dict[str, Row] = field(default_factory=dict)
    targets: dict[str, Row] = field(default_factory=dict)
    pairs: list[list[str]] = field(default_factory=list)  # [target, design]
    seeds: int = 5
    route: bool = True
    fit: bool = False
    asic: bool = False

    @classmethod
    def load(cls, path: Path) -> "Plan":
        return cls(**read_json(path))

    def save(self, path: Path) -> None:
        write_json(path, self.__dict__)

    @property
    def fabrics(self) -> dict[str, Row]:
        return {target["fabric"]: target["synthesis"] for target in self.targets.values()}

    @property
    def runs(self) -> list[tuple[str, str, int]]:
        """Target, design and seed of each place-and-route."""
        return [(t, d, seed) for t, d in self.pairs for seed in range(1, self.seeds + 1)]

    @property
    def folder(self) -> Path:
        return Path(self.build) / self.toolchain

    def tool_file(self, tool: str) -> Path:
        return self.folder / "tools" / f"{tool}.json"

    def family_tool(self, target: str) -> str:
        return f"nextpnr-{self.targets[target]['family']}"

    def packer(self, target: str) -> str:
        return PACKERS[self.targets[target]["family"]]

    def synth_folder(self, fabric: str, design: str) -> Path:
        return self.folder / "synth" / fabric / design

    def synth_row(self, fabric: str, design: str) -> Path:
        return self.synth_folder(fabric, design) / "synth.json"

    def synth_rows(self) -> list[Path]:
        return [self.synth_row(self.targets[t]["fabric"], d) for t, d in self.pairs]

    def run_folder(self, target: str, design: str, seed: int) -> Path:
        return self.folder / "route" / target / design / str(seed)

    def run_row(self, target: str, design: str, seed: int) -> Path:
        return self.run_folder(target, design, seed) / "run.json"

    def pack_row(self, target: str, design: str) -> Path:
        return self.folder / "bitstream" / target / design / "bitstream.json"

    def fit_folder(self, target: str, design: str) -> Path:
        return self.folder / "fit" / target / design

    def fit_row(self, target: str, design: str) -> Path:
        return self.fit_folder(target, design) / "fit.json"

    def asic_results(self) -> Path:
        return Path(self.build) / "asic" / "results.json"

    def activity_results(self) -> Path:
        return Path(self.build) / "activity" / "results.json"

    def result_files(self) -> list[Path]:
        """Every file the workflow must make."""
        wanted = [self.asic_results(), self.activity_results()] if self.asic else []
        if self.route:
            wanted += [self.run_row(*run) for run in self.runs]
            wanted += [self.pack_row(*pair) for pair in self.pairs]
        if self.fit:
            wanted += [self.fit_row(*pair) for pair in self.pairs]
        return wanted

    def design_params(self, design: str) -> dict[str, Any]:
        """Of a design's row, what its netlist depends on: a change of another key redoes nothing."""
        keys = ("module", "parameters", "multiplier", "dsp")
        return {key: self.designs[design][key] for key in keys}

    def target_params(self, target: str) -> dict[str, Any]:
        return {key: self.targets[target][key] for key in ("nextpnr", "frequency_mhz")}
