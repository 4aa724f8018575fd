"""Bad input: one line that says what, why and what to do; exit status 2."""

from __future__ import annotations

import gzip
import json
import math
import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from accuracy_case import Network, error, make_network, run
from safetensors.numpy import save_file

Change = Callable[[Network], object]


def complaint(network: Network) -> str:
    return error("--data", network.write(), "--network", "seed")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--precision", "w2a2"], "f32, w8a8, w4a8, w4a4"),
        (["--precision", "w4a4,"], "--precision"),
        (["--scheme", "group64"], "seed, per-channel, group32, mse, group32+mse"),
        (["--network", "resnet"], "seed, fashion"),
        (["--layer", "conv9"], "conv1, conv2"),
        (["--isa", "avx3"], "scalar"),
        (["--threads", "0"], "--threads"),
        (["--images", "0"], "--images"),
        (["--images", "many"], "--images"),
        (["--data", "nowhere"], "nowhere/seed.json"),
        (["extra"], "extra"),
        (["--data", ""], "--data"),
    ],
)
def test_options(arguments: list[str], expected: str) -> None:
    assert expected in error(*arguments)


def test_unavailable_tier(network: Network) -> None:
    message = error("--data", network.write(), "--network", "seed", "--isa", "neon")
    assert "neon" in message


def change_layer(index: int, **changes: object) -> Change:
    return lambda network: network.manifest["layers"][index].update(changes)


def change_manifest(**changes: object) -> Change:
    return lambda network: network.manifest.update(changes)


def drop(index: int, key: str) -> Change:
    return lambda network: network.manifest["layers"][index].pop(key)


def replace(part: str, name: str, tensor: np.ndarray) -> Change:
    return lambda network: getattr(network, part).update({name: tensor})


def reshape(part: str, name: str, shape: tuple[int, ...]) -> Change:
    def change(network: Network) -> None:
        tensors = getattr(network, part)
        tensors[name] = tensors[name].reshape(shape)

    return change


def poison(part: str, name: str, value: float) -> Change:
    return lambda network: getattr(network, part)[name].ravel().__setitem__(3, value)


def retype(part: str, name: str) -> Change:
    """The same shape of another type."""

    def change(network: Network) -> None:
        tensors = getattr(network, part)
        tensors[name] = tensors[name].astype(np.int8)

    return change


def omit(key: str) -> Change:
    return lambda network: network.manifest.pop(key)


def remove(part: str, name: str) -> Change:
    return lambda network: getattr(network, part).pop(name)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (change_manifest(format="narrowmac-network/9"), "narrowmac-network/9"),
        (change_manifest(layers=[]), "layers"),
        (change_manifest(layers={}), "layers"),
        (change_manifest(layers=[3]), "layers[0]"),
        (change_manifest(input=[8, 7]), "input"),
        (change_manifest(input=[8, 7, 0]), "input[2]"),
        (change_manifest(input=[8, -7, 1]), "input[1]"),
        (change_manifest(input=[65536, 65536, 65536]), "input"),
        (change_manifest(tensors=5), "tensors"),
        (change_manifest(tensors=""), "tensors"),
        (change_manifest(goldens=[]), "goldens"),
        (change_layer(0, op="conv3d"), "conv2d, dense, max_pool"),
        (change_layer(0, stride=[0, 1]), "layers[0].stride[0]"),
        (change_layer(0, stride=[1.5, 1]), "layers[0].stride[0]"),
        (change_layer(0, padding=[1, 2, 3]), "layers[0].padding"),
        (change_layer(0, padding=[65536] * 4), "layers[0]"),
        (change_layer(0, dilation=[9, 9]), "layers[0]"),
        (change_layer(0, activation="gelu"), "none, relu"),
        (change_layer(0, weights="missing"), "missing"),
        (change_layer(0, name="input"), "taken"),
        (change_layer(0, name="depthwise"), "taken"),
        (change_layer(1, groups=5), "layers[1].groups"),
        (change_layer(1, groups=0), "layers[1].groups"),
        (change_layer(1, groups=1), "layers[1].weights"),
        (change_layer(2, size=[9, 1]), "layers[2].size"),
        (change_layer(2, size=[1, 1]), "layers[3].weights"),
        (drop(0, "name"), "name"),
        (drop(0, "op"), "op"),
        (drop(0, "bias"), "bias"),
        (drop(0, "activation"), "activation"),
        (reshape("weights", "strided/bias", (3, 2)), "bias"),
        (reshape("weights", "strided/weights", (36,)), "weights"),
        (retype("weights", "strided/weights"), "float32"),
        (poison("weights", "strided/weights", math.nan), "not finite"),
        (poison("weights", "strided/bias", math.inf), "not finite"),
        (poison("goldens", "input", math.nan), "not finite"),
        (poison("goldens", "strided", -math.inf), "not finite"),
        (remove("goldens", "input"), "input"),
        (reshape("goldens", "input", (1, 8, 7, 2)), "goldens.safetensors"),
        (reshape("goldens", "input", (112,)), "goldens.safetensors"),
        (replace("goldens", "other", np.zeros(1, np.float32)), "neither 'input' nor a layer"),
        (replace("goldens", "strided", np.zeros(1, np.float32)), "strided"),
        (remove("calibration", "input"), "calibration.safetensors"),
        (retype("calibration", "input"), "calibration.safetensors"),
        (remove("test", "labels"), "labels"),
        (remove("test", "images"), "images"),
        (retype("test", "labels"), "labels"),
        (poison("test", "labels", 4), "label 3 is 4"),
        (reshape("test", "images", (43, 56, 1, 1)), "images"),
        (replace("test", "labels", np.zeros(42, np.uint8)), "labels"),
        (omit("calibration"), "calibration"),
        (omit("goldens"), "goldens"),
        (omit("tensors"), "tensors"),
        (omit("input"), "input"),
    ],
)
def test_network_files(network: Network, change: Change, expected: str) -> None:
    change(network)
    assert expected in complaint(network)


@pytest.mark.parametrize("name", ["weights", "goldens", "calibration", "test"])
def test_missing_and_cut_files(network: Network, name: str) -> None:
    path = network.write() / f"{name}.safetensors"
    whole = path.read_bytes()
    arguments = ("--data", network.folder, "--network", "seed")
    path.unlink()
    assert f"{name}.safetensors: No such file" in error(*arguments)
    for size in (0, 7, 40, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert f"{name}.safetensors" in error(*arguments)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"format": 1}', "nul\0", '{"a": 1, "a": 2}'])
def test_manifest_that_is_none(network: Network, text: str) -> None:
    (network.write() / "seed.json").write_text(text)
    assert "seed.json" in error("--data", network.folder, "--network", "seed")


def write_tflite(network: Network) -> dict:
    """A TensorFlow Lite file of zeros for the first layer, the only one that is left."""
    network.manifest["layers"] = network.manifest["layers"][:1]
    network.manifest["tflite"] = "seed_tflite.json"
    network.goldens = {name: network.goldens[name] for name in ("input", "strided")}
    del network.manifest["test"]
    tensors = {
        "input": np.zeros((2, 8, 7, 1), np.int8),
        "output": np.zeros(network.goldens["strided"].shape, np.int8),
        "weights": np.zeros((6, 3, 2, 1), np.int8),
        "bias": np.zeros(6, np.int32),
    }
    save_file(tensors, network.folder / "tflite.safetensors")
    return {
        "format": "narrowmac-tflite/1",
        "tensors": "tflite.safetensors",
        "layers": [
            {name: name for name in tensors}
            | {
                "name": "strided",
                "input_scale": 0.004,
                "input_zero_point": -128,
                "weight_scales": [0.01],
                "output_scale": 0.02,
                "output_zero_point": -128,
                "clamp": [-128, 127],
            }
        ],
    }


def test_tflite_file_is_read(network: Network) -> None:
    document = write_tflite(network)
    (network.write() / "seed_tflite.json").write_text(json.dumps(document))
    done = run("--data", network.folder, "--network", "seed", "--json", "-")
    rows = [row for row in json.loads(done.stdout)["layers"] if row["rounding"]]
    # Zero weights and bias give the zero point everywhere; the file says 0.
    assert [row["tflite_mismatches"] for row in rows] == [rows[0]["values"]] * 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "other"),
        ("name", None),
        ("input", "missing"),
        ("output", "weights"),
        ("weights", "bias"),
        ("bias", "weights"),
        ("input_scale", 0),
        ("input_scale", "big"),
        ("output_scale", -1),
        ("output_scale", 1e-300),
        ("input_zero_point", 128),
        ("output_zero_point", -129),
        ("output_zero_point", None),
        ("weight_scales", []),
        ("weight_scales", [1, 1]),
        ("weight_scales", [0.0]),
        ("clamp", [5]),
        ("clamp", [5, 4]),
        ("clamp", [0, 128]),
        ("clamp", None),
    ],
)
def test_tflite_file(network: Network, key: str, value: object) -> None:
    document = write_tflite(network)
    document["layers"][0][key] = value
    (network.write() / "seed_tflite.json").write_text(json.dumps(document))
    message = error("--data", network.folder, "--network", "seed")
    assert key in message or str(value) in message


def test_tflite_layers_must_be_the_networks(network: Network) -> None:
    document = write_tflite(network)
    document["layers"] *= 2
    (network.write() / "seed_tflite.json").write_text(json.dumps(document))
    assert "layers" in error("--data", network.folder, "--network", "seed")


def idx(shape: list[int], values: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + values


GOOD_IMAGES = idx([2, 8, 7], bytes(112))
GOOD_LABELS = idx([2], bytes(2))


IDX_FILES: dict[str, tuple[bytes | None, bytes | None]] = {
    "empty": (b"", GOOD_LABELS),
    "cut magic": (GOOD_IMAGES[:3], GOOD_LABELS),
    "cut shape": (GOOD_IMAGES[:9], GOOD_LABELS),
    "cut data": (GOOD_IMAGES[:-1], GOOD_LABELS),
    "trailing data": (GOOD_IMAGES + bytes(1), GOOD_LABELS),
    "another format": (b"\x89PNG" + GOOD_IMAGES, GOOD_LABELS),
    "floats": (b"\0\0\x0d\x03" + GOOD_IMAGES[4:], GOOD_LABELS),
    "scalar": (b"\0\0\x08\0", GOOD_LABELS),
    "rank 255": (b"\0\0\x08\xff" + GOOD_IMAGES[4:], GOOD_LABELS),
    "no images": (idx([0, 8, 7], b""), GOOD_LABELS),
    "overflow": (idx([2, 0xFFFFFFFF, 0xFFFFFFFF], bytes(112)), GOOD_LABELS),
    "other image shape": (idx([2, 7, 8], bytes(112)), GOOD_LABELS),
    "more labels": (GOOD_IMAGES, idx([3], bytes(3))),
    "unknown label": (GOOD_IMAGES, idx([2], b"\x00\x04")),
    "labels of rank 2": (GOOD_IMAGES, idx([2, 1], bytes(2))),
    "cut gzip": (gzip.compress(GOOD_IMAGES, mtime=0)[:-9], GOOD_LABELS),
    "wrong checksum": (gzip.compress(GOOD_IMAGES, mtime=0)[:-8] + bytes(8), GOOD_LABELS),
    "no labels": (GOOD_IMAGES, None),
    "labels alone": (None, GOOD_LABELS),
}


@pytest.mark.parametrize("name", IDX_FILES)
def test_idx_files(tmp_path: Path, name: str) -> None:
    network = make_network(tmp_path, "fashion")
    for part, data in zip(("images-idx3", "labels-idx1"), IDX_FILES[name], strict=True):
        if data is not None:
            (network.folder / f"t10k-{part}-ubyte.gz").write_bytes(data)
    message = error("--data", network.write(), "--network", "fashion")
    assert "t10k-" in message or str(network.folder) in message


def test_damaged_files_never_crash(network: Network, tmp_path: Path) -> None:
    """Random bytes of every file changed: either still read, or the usual line."""
    source = random.Random(7)
    network.write()
    files = [tmp_path / "seed.json", *sorted(tmp_path.glob("*.safetensors"))]
    whole = {path: path.read_bytes() for path in files}
    arguments = ("--data", tmp_path, "--network", "seed", "--precision", "f32", "--json", "-")
    for _ in range(60):
        path = source.choice(files)
        data = bytearray(whole[path])
        for _ in range(source.choice((1, 1, 4))):
            # The header and the manifest are what is parsed; most of a tensor file is values.
            data[source.randrange(min(len(data), 400))] = source.randrange(256)
        path.write_bytes(data)
        try:
            run(*arguments)
        except AssertionError:
            error(*arguments[:-2])
        path.write_bytes(whole[path])


def test_json_cannot_be_written(network: Network, tmp_path: Path) -> None:
    done = run(
        *("--data", network.write(), "--network", "seed", "--precision", "f32"),
        *("--json", tmp_path / "missing" / "x.json"),
        status=2,
    )
    assert "x.json" in done.stderr and not (tmp_path / "missing").exists()
