"""Writing of the shipped files: whole or not at all, and the same bytes every time."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

GOLDENS = Path(__file__).resolve().parents[2] / "tests" / "goldens"


def stop(what: object, why: object, remedy: str) -> NoReturn:
    """End on bad input: one line on stderr, exit status 2."""
    print(f"export: {what}: {why}; {remedy}", file=sys.stderr)
    raise SystemExit(2)


def positive(text: str) -> int:
    """An argparse type."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number above 0")
    return int(text)


def write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        stop(path, error.strerror, "give a folder that can be written")
    print(f"wrote {path.name}: {len(content)} bytes")


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], provenance: str) -> None:
    # One metadata key only: safetensors writes several in an order that differs by run.
    contiguous = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    write(path, save(contiguous, metadata={"provenance": provenance}))


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    try:
        return load(path.read_bytes())
    except (OSError, SafetensorError) as error:
        stop(path, error, "run the network's training script to make it")


def write_json(path: Path, value: dict[str, Any]) -> None:
    """A key a line, and a layer a line; a float32 widened to double parses back exactly."""
    lines = []
    for key, item in value.items():
        text = json.dumps(item)
        if key == "layers":
            text = "[\n  " + ",\n  ".join(json.dumps(layer) for layer in item) + "\n ]"
        lines.append(f" {json.dumps(key)}: {text}")
    write(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def write_checksums(folder: Path, names: list[str]) -> None:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    sums = (f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    write(folder / "SHA256SUMS", "".join(sums).encode())
