"""What the precisions must reach on the goldens that TensorFlow and TensorFlow Lite wrote."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from accuracy_case import GOLDENS, results
from safetensors.numpy import load_file

ALL_SCHEMES = {"seed", "per-channel", "group32", "mse", "group32+mse"}
SCHEMES = {
    "f32": {None},
    "w8a8": {"seed", "per-channel", "mse"},
    "w4a8": ALL_SCHEMES,
    "w4a4": ALL_SCHEMES,
}
NETWORKS = ("seed", "fashion")

Row = dict[str, Any]


@pytest.fixture(scope="module")
def chained() -> dict[str, Any]:
    return results()


@pytest.fixture(scope="module", params=["chained", "isolated"])
def layers(request: pytest.FixtureRequest, chained: dict[str, Any]) -> list[Row]:
    isolated = ["--isolated", "--images", "1"]
    document = chained if request.param == "chained" else results(*isolated)
    assert {row["input"] for row in document["layers"]} == {request.param}
    return document["layers"]


def conv_layers(network: str) -> set[str]:
    manifest = json.loads((GOLDENS / f"{network}.json").read_text())
    return {layer["name"] for layer in manifest["layers"] if layer["op"] == "conv2d"}


def of(rows: list[Row], **wanted: object) -> list[Row]:
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


@pytest.mark.parametrize("network", NETWORKS)
def test_rows_cover_every_precision_and_scheme(layers: list[Row], network: str) -> None:
    for layer in conv_layers(network):
        rows = of(layers, network=network, layer=layer)
        for precision, schemes in SCHEMES.items():
            plain = of(rows, precision=precision, rounding=None)
            assert sorted(str(row["scheme"]) for row in plain) == sorted(map(str, schemes))
        with_bytes = [row for row in rows if row["rounding"]]
        assert {row["rounding"] for row in with_bytes} == {"tflite", "float"}
        assert {(row["precision"], row["scheme"]) for row in with_bytes} == {
            ("w8a8", "per-channel")
        }
        assert all((row["tflite_mismatches"] is None) == (row["rounding"] is None) for row in rows)


def test_figures_of_a_row_agree(layers: list[Row]) -> None:
    for row in layers:
        assert row["sum_abs_diff"] == pytest.approx(row["mean_abs_diff"] * row["values"], rel=1e-6)
        assert 0 <= row["mean_abs_diff"] <= row["max_abs_diff"] <= row["sum_abs_diff"]


def test_float32_is_tensorflow(layers: list[Row]) -> None:
    rows = of(layers, precision="f32")
    assert {row["network"] for row in rows} == set(NETWORKS)
    for row in rows:
        assert row["max_abs_diff"] <= 2e-6 * row["reference_range"], row


@pytest.mark.parametrize("network", NETWORKS)
def test_int8_is_tensorflow_lite_byte_for_byte(layers: list[Row], network: str) -> None:
    rows = of(layers, network=network, rounding="tflite")
    assert {row["layer"] for row in rows} >= conv_layers(network)
    assert {
        row["layer"]: row["tflite_mismatches"] for row in rows if row["tflite_mismatches"]
    } == {}


def test_the_comparison_with_tensorflow_lite_sees_other_rounding(layers: list[Row]) -> None:
    assert sum(row["tflite_mismatches"] for row in of(layers, rounding="float")) > 0


def first_positive(golden: np.ndarray) -> np.ndarray:
    return np.flatnonzero(golden > 0)[:5]


@pytest.mark.parametrize("network", NETWORKS)
def test_first_reference_values_are_tensorflows(layers: list[Row], network: str) -> None:
    goldens = load_file(GOLDENS / f"{network}_goldens.safetensors")
    for row in of(layers, network=network):
        golden = goldens[row["layer"]].ravel()
        expected = golden[first_positive(golden)]
        assert row["first_reference_values"] == pytest.approx(expected, rel=1e-6)
        assert row["reference_range"] == pytest.approx(golden.max() - golden.min(), rel=1e-6)


def affine(values: np.ndarray, levels: int) -> tuple[np.float32, np.ndarray]:
    """Scale and codes of the report's quantization; codes relative to the zero point."""
    low, high = min(values.min(), 0), max(values.max(), 0)
    scale = np.float32((high - low) / (levels - 1))
    zero_point = np.rint(-low / scale)
    return scale, np.clip(np.rint(values / scale), -zero_point, levels - 1 - zero_point)


@pytest.mark.parametrize(("precision", "levels"), [("w8a8", 256), ("w4a4", 16)])
def test_seed_scheme_is_the_course_reports(layers: list[Row], precision: str, levels: int) -> None:
    """Conv1 once more, in numpy: quantize, sum integers, dequantize."""
    weights = load_file(GOLDENS / "seed.safetensors")
    goldens = load_file(GOLDENS / "seed_goldens.safetensors")
    x_scale, x = affine(goldens["input"].astype(np.float64), levels)
    w_scale, w = affine(weights["conv1/weights"].astype(np.float64), levels)
    step = np.float64(x_scale * w_scale)
    taken = np.lib.stride_tricks.sliding_window_view(x, w.shape[1:3], axis=(1, 2))
    sums = np.einsum("nyxcij,oijc->nyxo", taken, w, optimize=True)
    sums += np.rint(weights["conv1/bias"] / step)
    values, golden = np.maximum(sums * step, 0), goldens["conv1"].astype(np.float64)
    difference = np.abs(values - golden)
    (row,) = of(layers, network="seed", layer="conv1", precision=precision, scheme="seed")
    expected = values.ravel()[first_positive(golden.ravel())]
    # A code on a rounding boundary may fall to either side in float32.
    assert row["first_values"] == pytest.approx(expected, abs=2 * levels * step)
    assert row["max_abs_diff"] == pytest.approx(difference.max(), rel=0.02)
    assert row["mean_abs_diff"] == pytest.approx(difference.mean(), rel=1e-3)
    sqnr = 10 * np.log10((golden**2).sum() / (difference**2).sum())
    assert row["sqnr_db"] == pytest.approx(sqnr, abs=0.02)


def best(rows: list[Row], precision: str, figure: str, pick: Any) -> float:
    found = [row[figure] for row in of(rows, precision=precision) if row["scheme"] != "seed"]
    return pick(found)


def test_int4_schemes_mend_what_the_course_report_found(chained: dict[str, Any]) -> None:
    """The report's 4 bit is w4a4 by the seed scheme; conv2 takes conv1's own output, as there."""
    conv2 = of(chained["layers"], network="seed", layer="conv2")
    seed = {row["precision"]: row["max_abs_diff"] for row in of(conv2, scheme="seed")}
    int4 = min(best(conv2, p, "max_abs_diff", min) for p in ("w4a8", "w4a4"))
    assert seed["w4a4"] >= 3 * int4
    for precision in ("w4a8", "w4a4"):
        assert seed[precision] >= 1.5 * best(conv2, precision, "max_abs_diff", min)


@pytest.fixture(scope="module")
def top1(chained: dict[str, Any]) -> list[Row]:
    rows = of(chained["networks"], network="fashion")
    assert {row["images"] for row in rows} <= {1000, 10000}
    for row in rows:
        assert row["top1"] == pytest.approx(row["right"] / row["images"])
    return rows


def test_classification_in_float(top1: list[Row]) -> None:
    (float_row,) = of(top1, precision="f32")
    assert float_row["top1"] >= 0.92


@pytest.mark.parametrize(("precision", "points"), [("w8a8", 0.3), ("w4a8", 1.0), ("w4a4", 3.0)])
def test_classification_in_integers(top1: list[Row], precision: str, points: float) -> None:
    assert {row["scheme"] for row in of(top1, precision=precision)} == SCHEMES[precision]
    (float_row,) = of(top1, precision="f32")
    reached = best(top1, precision, "top1", max)
    assert 100 * (float_row["top1"] - reached) <= points


def test_float_classification_is_tensorflows(top1: list[Row]) -> None:
    """The manifest has TensorFlow's own counts; sums in another order may turn a tie."""
    manifest = json.loads((GOLDENS / "fashion.json").read_text())
    (float_row,) = of(top1, precision="f32")
    theirs = {entry["images"]: entry["right"] for entry in manifest["top1"]["float32"]}
    assert abs(float_row["right"] - theirs[float_row["images"]]) <= 2
