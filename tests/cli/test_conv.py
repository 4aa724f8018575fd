"""`narrowmac conv` against NumPy."""

from typing import Any

import numpy as np
import pytest
import reference
from conftest import Conv
from program import Program

SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "stride": {"stride": [2, 3]},
    "dilation": {"dilation": [2, 1], "padding": [2, 1, 2, 1]},
    "asymmetric padding": {"padding": [0, 1, 2, 3]},
    "groups": {"groups": 2, "padding": [1, 1, 1, 1]},
    "depthwise": {"groups": 4, "padding": [1, 1, 1, 1]},
}
TFLITE = {"rounding": "tflite", "multiplier": [1518500250], "shift": [-7]}
FLOAT = {"rounding": "float", "scale": [0.0037]}


def tensors(
    shape: dict[str, Any], ranges: tuple[tuple[int, int], tuple[int, int]], dtype: type
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    groups = shape.get("groups", 1)
    (low, high), (weight_low, weight_high) = ranges
    x = rng.integers(low, high + 1, (2, 9, 8, 4)).astype(dtype)
    weights = rng.integers(weight_low, weight_high + 1, (8, 3, 3, 4 // groups)).astype(np.int8)
    return x, weights, rng.integers(-3000, 3000, 8).astype(np.int32)


PRECISIONS = {
    "w8a8 int8": ("w8a8", ((-128, 127), (-127, 127)), np.int8),
    "w8a8 uint8": ("w8a8", ((0, 255), (-128, 127)), np.uint8),
    "w4a8 int8": ("w4a8", ((-128, 127), (-8, 7)), np.int8),
    "w4a8 uint8": ("w4a8", ((0, 255), (-8, 7)), np.uint8),
    "w4a4 int4": ("w4a4", ((-8, 7), (-8, 7)), np.int8),
    "w4a4 uint4": ("w4a4", ((0, 15), (-8, 7)), np.uint8),
}


@pytest.mark.parametrize("isa", ["scalar", "auto"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("case", PRECISIONS.values(), ids=PRECISIONS)
def test_accumulators(conv: Conv, case: tuple, shape: dict[str, Any], isa: str) -> None:
    precision, ranges, dtype = case
    x, weights, bias = tensors(shape, ranges, dtype)
    conv.config = {
        "precision": precision,
        "input_zero_point": ranges[0][0] + 3,
        **shape,
    }
    conv.write(input=x, weights=weights, bias=bias)
    got = conv.run("--isa", isa)
    assert got.dtype == np.int32
    np.testing.assert_array_equal(got, reference.accumulate(x, weights, conv.config, bias))


@pytest.mark.parametrize("isa", ["scalar", "auto"])
@pytest.mark.parametrize("rounding", [TFLITE, FLOAT], ids=["tflite", "float"])
@pytest.mark.parametrize("case", PRECISIONS.values(), ids=PRECISIONS)
def test_requantized(conv: Conv, case: tuple, rounding: dict[str, Any], isa: str) -> None:
    precision, ranges, dtype = case
    shape: dict[str, Any] = {"padding": [1, 0, 1, 2]}
    x, weights, bias = tensors(shape, ranges, dtype)
    conv.config = {
        "precision": precision,
        "input_zero_point": 5,
        "weight_zero_point": -2,
        "output_zero_point": 11,
        "requantize": rounding,
        "clamp": [4, 100],
        **shape,
    }
    conv.write(input=x, weights=weights, bias=bias)
    got = conv.run("--isa", isa)
    acc = reference.accumulate(x, weights, conv.config, bias)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, reference.requantize(acc, conv.config, dtype))
    assert len(np.unique(got)) > 10, "the case exercises few values"


@pytest.mark.parametrize("rounding", ["tflite", "float"])
def test_scale_for_each_channel(conv: Conv, rounding: str) -> None:
    x, weights, bias = tensors({}, ((0, 255), (-127, 127)), np.uint8)
    channels = np.arange(8)
    conv.config["requantize"] = (
        {
            "multiplier": [1073741824 + int(c) for c in 10**8 * channels],
            "shift": [-8] * 8,
        }
        if rounding == "tflite"
        else {"rounding": "float", "scale": [0.001 * (1 + int(c)) for c in channels]}
    )
    conv.write(input=x, weights=weights, bias=bias)
    acc = reference.accumulate(x, weights, conv.config, bias)
    np.testing.assert_array_equal(conv.run(), reference.requantize(acc, conv.config, np.uint8))


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("isa", ["scalar", "auto"])
def test_f32(conv: Conv, shape: dict[str, Any], isa: str) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 9, 8, 4), np.float32)
    weights = rng.standard_normal((8, 3, 3, 4 // shape.get("groups", 1)), np.float32)
    bias = rng.standard_normal(8, np.float32)
    conv.config = {"precision": "f32", **shape}
    conv.write(input=x, weights=weights, bias=bias)
    got = conv.run("--isa", isa)
    exact = reference.accumulate(x, weights, conv.config, bias)
    size = np.abs(reference.windows(x.astype(np.float64), weights, conv.config)).sum(axis=-1)
    assert got.dtype == np.float32
    assert np.all(np.abs(got - exact) <= 4 * 2**-24 * 6 * size)


def test_f32_clamp_with_one_bound(conv: Conv) -> None:
    rng = np.random.default_rng(3)
    x = rng.standard_normal((1, 9, 8, 4), np.float32)
    weights = rng.standard_normal((8, 3, 3, 4), np.float32)
    conv.config = {"precision": "f32"}
    conv.write(input=x, weights=weights)
    plain = conv.run()
    conv.config["clamp"] = [0, None]
    np.testing.assert_array_equal(conv.run(), np.maximum(plain, 0))


@pytest.mark.parametrize("requantized", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("precision", ["w4a8", "w4a4"])
def test_group32(conv: Conv, precision: str, requantized: bool) -> None:
    """36 taps: a whole group of 32 and a tail."""
    rng = np.random.default_rng(5)
    low, high = (-8, 8) if precision == "w4a4" else (-128, 128)
    x = rng.integers(low, high, (1, 6, 5, 4)).astype(np.int8)
    weights = rng.integers(-7, 8, (8, 3, 3, 4)).astype(np.int8)
    bias = rng.standard_normal(8, np.float32)
    scale = rng.uniform(0.01, 0.02, (8, 2)).astype(np.float32)
    conv.config = {
        "precision": precision,
        "input_zero_point": -3,
        "group_size": 32,
        "group_scale": scale.tolist(),
    }
    if requantized:
        conv.config["requantize"] = {"rounding": "float", "scale": [2.5]}
    conv.write(input=x, weights=weights, bias=bias)
    got = conv.run()
    acc = reference.grouped(x, weights, conv.config, bias)
    if requantized:
        expected = np.clip(np.rint(acc * np.float32(2.5)), -128, 127).astype(np.int8)
    else:
        expected = acc
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


def test_threads_and_tiers_agree(conv: Conv) -> None:
    x, weights, bias = tensors({}, ((-128, 127), (-127, 127)), np.int8)
    conv.write(input=x, weights=weights, bias=bias)
    outputs = [conv.run("--threads", n) for n in (1, 2, 7)] + [conv.run("--isa", "scalar")]
    for other in outputs[1:]:
        np.testing.assert_array_equal(outputs[0], other)


def test_says_which_kernel_ran(conv: Conv) -> None:
    line = conv.narrowmac(*conv.arguments("--isa", "scalar")).stdout
    assert line.count("\n") == 1
    assert "scalar" in line and "direct" in line and "output.npy" in line


def test_json_says_which_kernel_ran(conv: Conv) -> None:
    said = conv.narrowmac.json(*conv.arguments("--isa", "scalar"))
    assert said["isa"] == "scalar" and said["kernel"] and said["algorithm"] == "direct"
    assert said["output"] == {
        "file": "output.npy",
        "dtype": "int32",
        "shape": [1, 3, 4, 8],
    }
    assert said["macs"] == 3 * 4 * 8 * 3 * 3 * 4


def test_output_to_stdout(conv: Conv) -> None:
    conv.run()
    line = conv.arguments()
    line[line.index("output.npy")] = "/dev/stdout"
    narrowmac = conv.narrowmac
    whole = narrowmac(*line, encoding="latin-1").stdout.encode("latin-1")
    assert whole.startswith((narrowmac.folder / "output.npy").read_bytes())


def test_reads_versions_2_and_3(conv: Conv) -> None:
    expected = conv.run()
    x = np.load(conv.folder / "input.npy")
    for version in ((2, 0), (3, 0)):
        with (conv.folder / "input.npy").open("wb") as file:
            np.lib.format.write_array(file, x, version=version)
        np.testing.assert_array_equal(conv.run(), expected)


def test_output_follows_a_symbolic_link(narrowmac: Program, conv: Conv) -> None:
    (narrowmac.folder / "output.npy").symlink_to("target.npy")
    (narrowmac.folder / "target.npy").write_text("old")
    conv.run()
    assert (narrowmac.folder / "output.npy").is_symlink()
    assert np.load(narrowmac.folder / "target.npy").shape == (1, 3, 4, 8)
