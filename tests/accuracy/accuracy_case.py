"""The program under test, and a small network to feed it whose outputs numpy computes."""

from __future__ import annotations

import copy
import functools
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("NARROWMAC", ROOT / "build" / "narrowmac")).resolve()
GOLDENS = ROOT / "tests" / "goldens"
PARTS = ("weights", "goldens", "calibration", "test")

Tensors = dict[str, np.ndarray]


def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, "accuracy", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, (done.returncode, done.stdout[:500], done.stderr)
    return done


def results(*arguments: object) -> dict[str, Any]:
    return json.loads(run(*arguments, "--json", "-").stdout)


def error(*arguments: object) -> str:
    """Bad input: exit status 2, nothing on stdout, one line of the usual form."""
    done = run(*arguments, "--json", "-", status=2)
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("narrowmac: "), done.stderr
    assert ": " in lines[0][11:] and "; " in lines[0], lines[0]
    return lines[0][11:]


def windows(x: np.ndarray, kernel: tuple[int, int], layer: dict[str, Any]) -> np.ndarray:
    """Of images NHWC: the values under each window, (N, rows, columns, C, kernel height, width)."""
    (sy, sx), (dy, dx) = layer["stride"], layer.get("dilation", [1, 1])
    spans = ((kernel[0] - 1) * dy + 1, (kernel[1] - 1) * dx + 1)
    every = np.lib.stride_tricks.sliding_window_view(x, spans, axis=(1, 2))
    return every[:, ::sy, ::sx, :, ::dy, ::dx]


def convolve(
    x: np.ndarray, layer: dict[str, Any], weights: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    top, left, bottom, right = layer["padding"]
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    taken = windows(padded, weights.shape[1:3], layer)
    parts = zip(
        np.split(taken, layer["groups"], axis=3), np.split(weights, layer["groups"]), strict=True
    )
    sums = [np.einsum("nyxcij,oijc->nyxo", each, kernel) for each, kernel in parts]
    return np.concatenate(sums, axis=3) + bias


@dataclass
class Network:
    """A network of every kind of layer, as files that the program reads."""

    folder: Path
    manifest: dict[str, Any]
    weights: Tensors
    goldens: Tensors = field(default_factory=dict)
    calibration: Tensors = field(default_factory=dict)
    test: Tensors = field(default_factory=dict)

    def forward(self, pixels: np.ndarray) -> Tensors:
        """Every layer's output in float64."""
        x = (pixels / np.float32(255)).astype(np.float32)
        outputs = {"input": x}
        for layer in self.manifest["layers"]:
            if layer["op"] == "max_pool":
                x = windows(x, layer["size"], layer).max((4, 5))
            else:
                weights = self.weights[layer["weights"]].astype(np.float64)
                bias = self.weights[layer["bias"]]
                if layer["op"] == "conv2d":
                    x = convolve(x, layer, weights, bias)
                else:
                    x = x.reshape(len(x), -1) @ weights.T + bias
                if layer["activation"] == "relu":
                    x = np.maximum(x, 0)
            outputs[layer["name"]] = x
        return outputs

    def write(self) -> Path:
        name = self.manifest["name"]
        (self.folder / f"{name}.json").write_text(json.dumps(self.manifest))
        for part in PARTS:
            save_file(getattr(self, part), self.folder / f"{part}.safetensors")
        return self.folder


LAYERS = [
    {
        "name": "strided",
        "op": "conv2d",
        "stride": [2, 1],
        "padding": [1, 0, 2, 1],
        "dilation": [1, 2],
        "groups": 1,
        "activation": "relu",
    },
    {
        "name": "depthwise",
        "op": "conv2d",
        "stride": [1, 1],
        "padding": [1, 1, 1, 1],
        "dilation": [1, 1],
        "groups": 6,
        "activation": "none",
    },
    {"name": "pool", "op": "max_pool", "size": [2, 3], "stride": [2, 1]},
    {"name": "classes", "op": "dense", "activation": "none"},
]
SHAPES = {"strided": (6, 3, 2, 1), "depthwise": (6, 3, 3, 1), "classes": (4, 48)}
IMAGES = 43


def make_network(folder: Path, name: str = "seed") -> Network:
    """A copy of the same small network. Of the two names, `fashion` also has idx files."""
    network = copy.deepcopy(compute_network())
    network.folder, network.manifest["name"] = folder, name
    return network


@functools.cache
def compute_network() -> Network:
    random = np.random.default_rng(20)
    layers = copy.deepcopy(LAYERS)
    weights: Tensors = {}
    for layer in layers:
        name = layer["name"]
        if name in SHAPES:
            layer["weights"], layer["bias"] = f"{name}/weights", f"{name}/bias"
            shape = SHAPES[name]
            weights[f"{name}/weights"] = random.normal(0, 0.5, shape).astype(np.float32)
            weights[f"{name}/bias"] = random.normal(0, 0.1, shape[0]).astype(np.float32)
    manifest = {
        "format": "narrowmac-network/1",
        "name": "",
        "input": [8, 7, 1],
        "layers": layers,
        "tensors": "weights.safetensors",
        **{part: f"{part}.safetensors" for part in PARTS[1:]},
    }
    network = Network(Path(), manifest, weights)
    pixels = random.integers(0, 256, (IMAGES, 8, 7, 1)).astype(np.uint8)
    outputs = network.forward(pixels)
    # The writer takes tensors as they lie in memory.
    network.goldens = {
        name: np.ascontiguousarray(outputs[name][:2], np.float32) for name in ("input", *SHAPES)
    }
    network.calibration["input"] = pixels
    labels = outputs["classes"].argmax(1).astype(np.uint8)
    network.test = {"images": pixels, "labels": labels}
    return network
