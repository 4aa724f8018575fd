"""The program under test, in a folder of its own."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("NARROWMAC", ROOT / "build" / "narrowmac")).resolve()


class Program:
    """narrowmac in a folder of its own; status None takes any."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.program = PROGRAM

    def __call__(
        self, *arguments: object, status: int | None = 0, **options: object
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.program, *map(str, arguments)],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            **options,
        )
        assert status in (None, done.returncode), (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *arguments: object, **options: object) -> dict:
        return json.loads(self(*arguments, "--json", "-", **options).stdout)

    def error(self, *arguments: object, **options: object) -> str:
        """Bad input: exit status 2, nothing on stdout, one line "WHAT: WHY; REMEDY"."""
        before = sorted(self.folder.iterdir())
        done = self(*arguments, status=2, **options)
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("narrowmac: "), done.stderr
        message = lines[0].removeprefix("narrowmac: ")
        what, _, why = message.partition(": ")
        assert what and why.partition("; ")[2], message
        assert sorted(self.folder.iterdir()) == before, "a failed command left a file"
        return message


@pytest.fixture
def narrowmac(tmp_path: Path) -> Program:
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM}: not built; run tools/setup, or set NARROWMAC")
    return Program(tmp_path)


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
