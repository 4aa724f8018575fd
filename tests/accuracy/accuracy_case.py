"""The program under test, and small networks to feed it whose outputs plain Python computes."""

from __future__ import annotations

import copy
import functools
import json
import os
import random
import struct
import subprocess
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("NARROWMAC", ROOT / "build" / "narrowmac")).resolve()
GOLDENS = ROOT / "tests" / "goldens"

PARTS = ("weights", "goldens", "calibration", "test")
CODES = {"F32": "f", "I32": "i", "I8": "b", "U8": "B"}


def run(*arguments: object, status: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, "accuracy", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
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


@dataclass
class Tensor:
    dtype: str
    shape: list[int]
    values: list[Any]

    def bytes(self) -> bytes:
        return array(CODES[self.dtype], self.values).tobytes()


def write_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    header, data = {}, b""
    for name, tensor in tensors.items():
        start = len(data)
        data += tensor.bytes()
        header[name] = {
            "dtype": tensor.dtype,
            "shape": tensor.shape,
            "data_offsets": [start, len(data)],
        }
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def read_tensors(path: Path) -> dict[str, Tensor]:
    raw = path.read_bytes()
    (length,) = struct.unpack_from("<Q", raw)
    data = raw[8 + length :]
    found = {}
    for name, entry in json.loads(raw[8 : 8 + length]).items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            values = array(CODES[entry["dtype"]], data[start:end]).tolist()
            found[name] = Tensor(entry["dtype"], entry["shape"], values)
    return found


def float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


@dataclass
class Image:
    """Height, width, channels, and the values in that order."""

    shape: tuple[int, int, int]
    values: list[float]

    def at(self, y: int, x: int, c: int) -> float:
        height, width, channels = self.shape
        inside = 0 <= y < height and 0 <= x < width
        return self.values[(y * width + x) * channels + c] if inside else 0.0


def windows(size: int, before: int, after: int, kernel: int, dilation: int, stride: int) -> range:
    """Where windows start along one axis."""
    return range(-before, size + after - (kernel - 1) * dilation, stride)


def convolve(image: Image, layer: dict[str, Any], weights: Tensor, bias: Tensor) -> Image:
    height, width, channels = image.shape
    outputs, kh, kw, depth = weights.shape
    top, left, bottom, right = layer["padding"]
    (sy, sx), (dy, dx), groups = layer["stride"], layer["dilation"], layer["groups"]
    rows = windows(height, top, bottom, kh, dy, sy)
    columns = windows(width, left, right, kw, dx, sx)
    values = []
    for y in rows:
        for x in columns:
            for o in range(outputs):
                first = o // (outputs // groups) * depth
                total = bias.values[o]
                for i in range(kh):
                    for j in range(kw):
                        for c in range(depth):
                            weight = weights.values[((o * kh + i) * kw + j) * depth + c]
                            total += weight * image.at(y + i * dy, x + j * dx, first + c)
                values.append(max(total, 0.0) if layer["activation"] == "relu" else total)
    return Image((len(rows), len(columns), outputs), values)


def pool(image: Image, layer: dict[str, Any]) -> Image:
    height, width, channels = image.shape
    (kh, kw), (sy, sx) = layer["size"], layer["stride"]
    rows, columns = windows(height, 0, 0, kh, 1, sy), windows(width, 0, 0, kw, 1, sx)
    values = [
        max(image.at(y + i, x + j, c) for i in range(kh) for j in range(kw))
        for y in rows
        for x in columns
        for c in range(channels)
    ]
    return Image((len(rows), len(columns), channels), values)


def dense(image: Image, layer: dict[str, Any], weights: Tensor, bias: Tensor) -> Image:
    flat = Image((1, 1, len(image.values)), image.values)
    as_conv = {"padding": [0] * 4, "stride": [1, 1], "dilation": [1, 1], "groups": 1}
    kernel = Tensor("F32", [weights.shape[0], 1, 1, weights.shape[1]], weights.values)
    return convolve(flat, layer | as_conv, kernel, bias)


@dataclass
class Network:
    """A network of every kind of layer, as files that the program reads."""

    folder: Path
    manifest: dict[str, Any]
    weights: dict[str, Tensor]
    goldens: dict[str, Tensor] = field(default_factory=dict)
    calibration: dict[str, Tensor] = field(default_factory=dict)
    test: dict[str, Tensor] = field(default_factory=dict)

    def forward(self, pixels: list[int]) -> dict[str, Image]:
        image = Image(tuple(self.manifest["input"]), [float32(p / 255) for p in pixels])
        outputs = {"input": image}
        for layer in self.manifest["layers"]:
            if layer["op"] == "max_pool":
                image = pool(image, layer)
            else:
                weights, bias = self.weights[layer["weights"]], self.weights[layer["bias"]]
                apply = convolve if layer["op"] == "conv2d" else dense
                image = apply(image, layer, weights, bias)
            outputs[layer["name"]] = image
        return outputs

    def write(self) -> Path:
        name = self.manifest["name"]
        (self.folder / f"{name}.json").write_text(json.dumps(self.manifest))
        for part in PARTS:
            write_tensors(self.folder / f"{part}.safetensors", getattr(self, part))
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


def shapes(name: str) -> list[int]:
    return {"strided": [6, 3, 2, 1], "depthwise": [6, 3, 3, 1], "classes": [4, 48]}[name]


def make_network(folder: Path, name: str = "seed") -> Network:
    """A copy of the same small network. Of the two names, `fashion` also has idx files."""
    network = copy.deepcopy(compute_network())
    network.folder, network.manifest["name"] = folder, name
    return network


@functools.cache
def compute_network() -> Network:
    source = random.Random(20)
    layers = [dict(layer) for layer in LAYERS]
    weights: dict[str, Tensor] = {}
    for layer in layers:
        if layer["op"] == "max_pool":
            continue
        layer["weights"], layer["bias"] = f"{layer['name']}/weights", f"{layer['name']}/bias"
        shape, count = shapes(layer["name"]), 1
        for size in shape:
            count *= size
        values = [float32(source.gauss(0, 0.5)) for _ in range(count)]
        weights[layer["weights"]] = Tensor("F32", shape, values)
        biases = [float32(source.gauss(0, 0.1)) for _ in range(shape[0])]
        weights[layer["bias"]] = Tensor("F32", [shape[0]], biases)
    manifest = {
        "format": "narrowmac-network/1",
        "name": "",
        "input": [8, 7, 1],
        "layers": layers,
        "tensors": "weights.safetensors",
        **{part: f"{part}.safetensors" for part in PARTS[1:]},
    }
    network = Network(Path(), manifest, weights)
    images = [[source.randrange(256) for _ in range(56)] for _ in range(43)]
    outputs = [network.forward(image) for image in images]
    for key in ("input", "strided", "depthwise", "classes"):
        values = [v for one in outputs[:2] for v in one[key].values]
        network.goldens[key] = Tensor("F32", [2, *outputs[0][key].shape], values)
    pixels = [p for image in images for p in image]
    network.calibration["input"] = Tensor("U8", [43, 8, 7, 1], pixels)
    labels = [max(range(4), key=one["classes"].values.__getitem__) for one in outputs]
    network.test["images"] = Tensor("U8", [43, 8, 7, 1], pixels)
    network.test["labels"] = Tensor("U8", [43], labels)
    return network
