"""A convolution to feed the program."""

import json

import numpy as np
import pytest
from program import Program


class Conv:
    """`narrowmac conv` on arrays; a case that is right until a test breaks it."""

    def __init__(self, narrowmac: Program) -> None:
        self.narrowmac = narrowmac
        self.folder = narrowmac.folder
        self.config: dict = {"precision": "w8a8"}
        rng = np.random.default_rng(1)
        self.write(
            input=rng.integers(-128, 128, (1, 5, 6, 4), dtype=np.int8),
            weights=rng.integers(-127, 128, (8, 3, 3, 4), dtype=np.int8),
        )

    def write(self, **arrays: np.ndarray) -> None:
        for name, array in arrays.items():
            np.save(self.folder / f"{name}.npy", array)

    def arguments(self, *more: object) -> list[object]:
        (self.folder / "config.json").write_text(json.dumps(self.config))
        line: list[object] = [
            "conv",
            "--config",
            "config.json",
            "--output",
            "output.npy",
        ]
        for name in ("input", "weights", "bias"):
            if (self.folder / f"{name}.npy").exists():
                line += [f"--{name}", f"{name}.npy"]
        return [*line, *more]

    def run(self, *more: object) -> np.ndarray:
        self.narrowmac(*self.arguments(*more))
        return np.load(self.folder / "output.npy")

    def error(self, *more: object, **options: object) -> str:
        return self.narrowmac.error(*self.arguments(*more), **options)


@pytest.fixture
def conv(narrowmac: Program) -> Conv:
    return Conv(narrowmac)
