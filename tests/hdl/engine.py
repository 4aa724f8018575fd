"""Layers for conv_engine and its bench."""

import re
from dataclasses import dataclass, fields
from pathlib import Path

import hdl_tools as hdl


@dataclass(frozen=True)
class Layer:
    """conv_engine's parameters, as the module names them in UpperCamelCase."""

    in_height: int
    in_width: int
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    pad: int
    in_lanes: int
    out_lanes: int
    weight_width: int
    act_width: int
    act_signed: int

    def parameters(self) -> dict[str, int]:
        return {
            "".join(word.capitalize() for word in field.name.split("_")): getattr(self, field.name)
            for field in fields(self)
        }

    def defines(self) -> dict[str, int]:
        return {field.name.upper(): getattr(self, field.name) for field in fields(self)}

    def out_size(self) -> tuple[int, int]:
        height, width = (
            (size + 2 * self.pad - self.kernel) // self.stride + 1
            for size in (self.in_height, self.in_width)
        )
        return height, width

    def macs(self) -> int:
        height, width = self.out_size()
        return height * width * self.out_channels * self.kernel**2 * self.in_channels

    def outputs(self) -> int:
        height, width = self.out_size()
        return height * width * self.out_channels


def simulator(name: str, layer: Layer, sources: list[Path] | None = None, **options) -> Path:
    return hdl.simulator(
        name,
        "conv_engine",
        "bench_conv_engine",
        sources or hdl.design_sources("conv_engine"),
        layer.parameters() if sources is None else None,
        layer.defines(),
        **options,
    )


def cycles(outcome: hdl.Outcome) -> tuple[int, int]:
    """From first input to last output of the first frame, and from frame to frame."""
    found = re.search(r"^cycles (\d+) (\d+)$", outcome.output, re.MULTILINE)
    assert found, outcome.output
    return int(found[1]), int(found[2])
