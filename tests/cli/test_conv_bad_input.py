"""Bad input to `narrowmac conv`: one line, exit status 2, no partial output."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Conv
from program import Program

FILES = ["input", "weights", "bias"]


@pytest.fixture
def whole(conv: Conv) -> Conv:
    """All files there, the bias too."""
    conv.write(bias=np.zeros(8, np.int32))
    return conv


@pytest.mark.parametrize("file", [*FILES, "config"])
def test_missing_file(whole: Conv, file: str) -> None:
    line = ["none" if str(a).startswith(f"{file}.") else a for a in whole.arguments()]
    assert whole.narrowmac.error(*line).startswith("none: No such file")


@pytest.mark.parametrize("file", FILES)
def test_truncated(whole: Conv, file: str) -> None:
    path = whole.folder / f"{file}.npy"
    data = path.read_bytes()
    for size in (0, 5, 9, 40, len(data) - 1):
        path.write_bytes(data[:size])
        message = whole.error()
        assert message.startswith(f"{file}.npy: ")
        assert "truncated" in message or "too short" in message


def test_trailing_data(whole: Conv) -> None:
    with (whole.folder / "input.npy").open("ab") as file:
        file.write(b"x")
    assert "trailing data" in whole.error()


def test_wrong_magic(whole: Conv) -> None:
    (whole.folder / "weights.npy").write_bytes(b"PK\x03\x04" + bytes(200))
    assert whole.error().startswith("weights.npy: not a .npy file (wrong magic)")


def header(text: str, version: int = 1, data: bytes = b"") -> bytes:
    return (
        b"\x93NUMPY" + bytes([version, 0]) + len(text).to_bytes(2, "little") + text.encode() + data
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "{'descr': '|i1', 'fortran_order': False, 'shape': (1, -5, 6, 4), }",
            "malformed header",
        ),
        (
            "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 0, 6, 4), }",
            "size of zero",
        ),
        (
            "{'descr': '|i1', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4), }",
            "overflow",
        ),
        (
            "{'descr': '|i1', 'fortran_order': False, 'shape': (99999999999999999999999, 4), }",
            "malformed header",
        ),
        (
            "{'descr': '|i1', 'fortran_order': False, 'shape': (1, 5, 6, 4",
            "malformed header",
        ),
        ("{'descr': '|i1', 'fortran_order': False, }", "malformed header"),
        (
            "{'descr': '|i1', 'descr': '|i1', 'fortran_order': False, }",
            "malformed header",
        ),
        (
            "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (4,), }",
            "malformed header",
        ),
        ("import os", "malformed header"),
        (
            "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 5, 6, 4), }",
            "dtype '>f4'",
        ),
    ],
)
def test_header(whole: Conv, text: str, why: str) -> None:
    (whole.folder / "input.npy").write_bytes(header(text, data=bytes(120)))
    message = whole.error()
    assert message.startswith("input.npy: ") and why in message


def test_header_length_beyond_the_file(whole: Conv) -> None:
    (whole.folder / "input.npy").write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff{}")
    assert "truncated within the header" in whole.error()


def test_unknown_version(whole: Conv) -> None:
    (whole.folder / "input.npy").write_bytes(header("{}", version=9))
    assert "version 9.0" in whole.error()


@pytest.mark.parametrize("dtype", ["float64", "int16", "uint16", "int64", "complex64", "bool"])
def test_unsupported_dtype(whole: Conv, dtype: str) -> None:
    whole.write(input=np.ones((1, 5, 6, 4), dtype))
    assert "save little-endian float32, int32, int8 or uint8" in whole.error()


@pytest.mark.parametrize(
    ("precision", "file", "dtype"),
    [
        ("f32", "input", np.int8),
        ("f32", "weights", np.int8),
        ("w8a8", "input", np.float32),
        ("w8a8", "input", np.int32),
        ("w8a8", "weights", np.uint8),
        ("w8a8", "bias", np.float32),
        ("w4a8", "weights", np.float32),
    ],
)
def test_dtype_that_does_not_fit(whole: Conv, precision: str, file: str, dtype: type) -> None:
    whole.config["precision"] = precision
    if precision == "f32":
        for name in FILES:
            whole.write(**{name: np.load(whole.folder / f"{name}.npy").astype(np.float32)})
    elif precision == "w4a8":
        whole.write(weights=np.ones((8, 3, 3, 4), np.int8))
    whole.write(**{file: np.load(whole.folder / f"{file}.npy").astype(dtype)})
    message = whole.error()
    assert message.startswith(f"{file}.npy: dtype {np.dtype(dtype)} does not fit precision")


def test_fortran_order(whole: Conv) -> None:
    whole.write(input=np.asfortranarray(np.ones((1, 5, 6, 4), np.int8)))
    assert "Fortran order" in whole.error()


@pytest.mark.parametrize(
    ("file", "shape"),
    [
        ("input", (5, 6, 4)),
        ("input", (1, 5, 6, 4, 1)),
        ("input", (1, 5, 6, 3)),
        ("weights", (8, 3, 3)),
        ("weights", (8, 3, 3, 5)),
        ("weights", (8, 6, 3, 4)),
        ("bias", (7,)),
        ("bias", (8, 1)),
    ],
)
def test_shapes_that_do_not_fit(whole: Conv, file: str, shape: tuple[int, ...]) -> None:
    dtype = np.int32 if file == "bias" else np.int8
    whole.write(**{file: np.zeros(shape, dtype)})
    whole.error()


@pytest.mark.parametrize("groups", [3, 5, 8])
def test_channels_not_divisible_by_groups(conv: Conv, groups: int) -> None:
    conv.config["groups"] = groups
    conv.error()


def test_output_channels_not_divisible_by_groups(conv: Conv) -> None:
    conv.config["groups"] = 2
    conv.write(weights=np.ones((7, 3, 3, 2), np.int8))
    assert "groups" in conv.error()


@pytest.mark.parametrize("value", [-9, 8, 127, -128])
def test_int4_weight_out_of_range(conv: Conv, value: int) -> None:
    conv.config["precision"] = "w4a8"
    weights = np.zeros((8, 3, 3, 4), np.int8)
    weights[1, 0, 0, 2] = value
    conv.write(weights=weights)
    assert f"weights.npy: value {value} at flat index 38" in conv.error()


@pytest.mark.parametrize(("dtype", "value"), [(np.int8, 8), (np.int8, -9), (np.uint8, 16)])
def test_int4_input_out_of_range(conv: Conv, dtype: type, value: int) -> None:
    conv.config["precision"] = "w4a4"
    x = np.zeros((1, 5, 6, 4), dtype)
    x.flat[7] = value
    conv.write(input=x, weights=np.ones((8, 3, 3, 4), np.int8))
    assert f"input.npy: value {value} at flat index 7" in conv.error()


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"precision": "w2a2"}, "precision 'w2a2': unknown"),
        ({"precision": 8}, "precision: not a string"),
        ({"strides": [1, 1]}, "key 'strides': unknown, did you mean 'stride'?"),
        ({"stride": [0, 1]}, "stride[0]: 0 is out of range"),
        ({"stride": [1, 1.5]}, "stride[1]: not a whole number"),
        ({"stride": 2}, "stride: not a list of 2"),
        ({"padding": [0, 0, 0]}, "padding: not a list of 4"),
        ({"padding": [0, -1, 0, 0]}, "padding[1]: -1 is out of range"),
        ({"dilation": [1, 99]}, "config.json: "),
        ({"groups": 0}, "groups: 0 is out of range"),
        ({"groups": "2"}, "groups: not a whole number"),
        ({"input_zero_point": 1000}, "input_zero_point: 1000 is out of range"),
        ({"input_zero_point": 128}, "config.json: "),
        ({"algorithm": "fft"}, "algorithm 'fft': unknown"),
        ({"algorithm": "winograd", "stride": [2, 2]}, "config.json: "),
        ({"clamp": [1]}, "clamp: not a list of 2"),
        ({"clamp": ["a", 1]}, "clamp[0]: not a number"),
        ({"clamp": [5, -5]}, "config.json: "),
        ({"group_size": 32}, "group_scale: missing"),
        ({"group_size": 7, "group_scale": [[1.0]]}, "config.json: "),
        (
            {"group_scale": [[1.0]]},
            "group_scale: not a list of lists beside group_size",
        ),
        ({"requantize": 1}, "requantize: not an object"),
        ({"requantize": {"rounding": "up"}}, "rounding 'up': unknown"),
        ({"requantize": {}}, "multiplier: missing"),
        ({"requantize": {"rounding": "float"}}, "scale: missing"),
        ({"requantize": {"rounding": "float", "shift": [1]}}, "key 'shift': unknown"),
        ({"requantize": {"multiplier": [1], "shift": [1, 2]}}, "shift: length 2"),
        (
            {"requantize": {"multiplier": [-1], "shift": [1]}},
            "multiplier[0]: -1 is out of range",
        ),
        (
            {"requantize": {"multiplier": [1], "shift": [31]}},
            "shift[0]: 31 is out of range",
        ),
        (
            {"requantize": {"multiplier": [2**31], "shift": [0]}},
            "multiplier[0]: 2147483648",
        ),
        (
            {"requantize": {"multiplier": [], "shift": []}},
            "multiplier: not a list of numbers",
        ),
        ({"requantize": {"multiplier": [1] * 3, "shift": [1] * 3}}, "3 scales"),
        ({"requantize": {"rounding": "float", "scale": [1e39]}}, "finite as float32"),
        (
            {"requantize": {"rounding": "float", "scale": ["1"]}},
            "scale[0]: not a number",
        ),
    ],
)
def test_config(conv: Conv, change: dict[str, Any], where: str) -> None:
    conv.config |= change
    message = conv.error()
    assert message.startswith("config.json: ") and where in message


@pytest.mark.parametrize("scale", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_scales_that_are_not_finite(conv: Conv, scale: str) -> None:
    arguments = conv.arguments()
    (conv.folder / "config.json").write_text(
        f'{{"precision": "w8a8", "requantize": {{"rounding": "float", "scale": [{scale}]}}}}'
    )
    assert conv.narrowmac.error(*arguments).startswith("config.json: line 1: ")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"precision": "w8a8"} x',
        '{"precision": "f32", "precision": "f32"}',
        "\x00",
    ],
)
def test_config_that_is_no_json_object(conv: Conv, text: str) -> None:
    arguments = conv.arguments()
    (conv.folder / "config.json").write_text(text)
    assert conv.narrowmac.error(*arguments).startswith("config.json: ")


def test_precision_missing(conv: Conv) -> None:
    conv.config = {}
    assert "precision: missing" in conv.error()


def test_group_scale_of_another_shape(conv: Conv) -> None:
    conv.config = {
        "precision": "w4a8",
        "group_size": 32,
        "group_scale": [[1.0, 1.0]] * 3,
    }
    conv.write(weights=np.ones((8, 3, 3, 4), np.int8))
    assert "group_scale: 3 x 2 scales; give 8 x 2" in conv.error()


def test_requantized_f32(conv: Conv) -> None:
    conv.config = {
        "precision": "f32",
        "requantize": {"rounding": "float", "scale": [1]},
    }
    conv.write(
        input=np.ones((1, 5, 6, 4), np.float32),
        weights=np.ones((8, 3, 3, 4), np.float32),
    )
    assert "f32 has no requantization" in conv.error()


@pytest.mark.parametrize("path", ["none/output.npy", ".", "/proc/output.npy"])
def test_unwritable_output(conv: Conv, path: str) -> None:
    line = [path if a == "output.npy" else a for a in conv.arguments()]
    assert conv.narrowmac.error(*line).startswith(f"{path}: ")


def test_full_disk(conv: Conv) -> None:
    line = ["/dev/full" if a == "output.npy" else a for a in conv.arguments()]
    assert "No space left" in conv.narrowmac.error(*line)


def test_failure_leaves_the_old_output(conv: Conv) -> None:
    (conv.folder / "output.npy").write_text("old")
    conv.config["precision"] = "none"
    conv.error()
    assert (conv.folder / "output.npy").read_text() == "old"


def test_out_of_memory(conv: Conv) -> None:
    conv.config["padding"] = [1 << 20] * 4  # 140 TB of output
    assert "out of memory" in conv.error()


def test_padding_that_overflows(conv: Conv) -> None:
    conv.config["padding"] = [2**31 - 1] * 4
    conv.error()


def test_isa_unknown_and_unavailable(conv: Conv) -> None:
    assert "--isa 'avx9': unknown" in conv.error("--isa", "avx9")
    tiers = conv.narrowmac.json("cpuinfo", "--repetitions", 1, "--min-time", 1e-6)["tiers"]
    missing = [tier["isa"] for tier in tiers if not tier["available"]]
    assert missing, "no CPU has both x86 and Arm tiers"
    assert missing[0] in conv.error("--isa", missing[0])


@pytest.mark.parametrize("threads", ["0", "-1", "1.5", "x", "", "99999999999999999999"])
def test_threads(conv: Conv, threads: str) -> None:
    assert conv.error("--threads", threads).startswith("--threads")


@pytest.mark.parametrize("option", ["config", "input", "weights", "output"])
def test_required_option(conv: Conv, option: str) -> None:
    line = conv.arguments()
    at = line.index(f"--{option}")
    assert conv.narrowmac.error(*line[:at], *line[at + 2 :]).startswith(f"--{option}: missing")


def test_unknown_option_suggests(conv: Conv) -> None:
    assert "did you mean '--output'?" in conv.error("--ouptut", "x")


def test_both_to_stdout(conv: Conv) -> None:
    line = ["-" if a == "output.npy" else a for a in conv.arguments("--json", "-")]
    assert "both are standard output" in conv.narrowmac.error(*line)


def test_message_stays_one_line(narrowmac: Program, tmp_path: Path) -> None:
    name = "a\nb\x1b[31m"
    (tmp_path / name).write_text(json.dumps({}))
    message = narrowmac.error(
        "conv", "--config", name, "--input", "i", "--weights", "w", "--output", "o"
    )
    assert message.startswith("a?b?[31m: ")
