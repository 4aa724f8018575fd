"""Convolution and requantization in NumPy, from the definitions."""

from typing import Any

import numpy as np


def windows(x: np.ndarray, weights: np.ndarray, config: dict[str, Any]) -> np.ndarray:
    """Products summed nowhere yet: (N, OH, OW, O, KH * KW * I), each tap x weight.

    x is NHWC and already without its zero point, so that padding is 0; weights are OHWI.
    """
    top, left, bottom, right = config.get("padding", [0, 0, 0, 0])
    stride, dilation = config.get("stride", [1, 1]), config.get("dilation", [1, 1])
    groups = config.get("groups", 1)
    out, kh, kw, channels = weights.shape
    x = np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))
    rows = (x.shape[1] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    columns = (x.shape[2] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    result = np.empty((x.shape[0], rows, columns, out, kh * kw * channels), x.dtype)
    for o in range(out):
        first = o // (out // groups) * channels
        for r in range(rows):
            for c in range(columns):
                patch = x[
                    :,
                    r * stride[0] : r * stride[0] + dilation[0] * (kh - 1) + 1 : dilation[0],
                    c * stride[1] : c * stride[1] + dilation[1] * (kw - 1) + 1 : dilation[1],
                    first : first + channels,
                ]
                result[:, r, c, o] = (patch * weights[o]).reshape(x.shape[0], -1)
    return result


def accumulate(
    x: np.ndarray,
    weights: np.ndarray,
    config: dict[str, Any],
    bias: np.ndarray | None = None,
) -> np.ndarray:
    """The int32 accumulators (wrapping), or float64 ones for float input."""
    exact = np.float64 if x.dtype == np.float32 else np.int64
    taps = windows(
        x.astype(exact) - config.get("input_zero_point", 0),
        weights.astype(exact) - config.get("weight_zero_point", 0),
        config,
    )
    total = taps.sum(axis=-1) + (0 if bias is None else bias)
    return total if exact is np.float64 else total.astype(np.int32)


def grouped(
    x: np.ndarray, weights: np.ndarray, config: dict[str, Any], bias: np.ndarray
) -> np.ndarray:
    """float32 accumulators of int4 weights with a scale for each 32 along the reduction."""
    taps = windows(
        x.astype(np.int64) - config.get("input_zero_point", 0),
        weights.astype(np.int64),
        config,
    )
    scale = np.asarray(config["group_scale"], np.float32)
    total = np.broadcast_to(bias.astype(np.float32), taps.shape[:-1])
    for group in range(scale.shape[1]):
        part = taps[..., 32 * group : 32 * group + 32].sum(axis=-1)
        # A fused multiply-add: 64 bits hold the product exactly and round the sum once more than
        # the hardware would, which float32 does not see.
        fused = part.astype(np.longdouble) * scale[:, group] + total
        total = fused.astype(np.float32)
    return total


def multiply_tflite(x: int, multiplier: int, shift: int) -> int:
    """gemmlowp's saturating rounding doubling high multiply, then rounding right shift."""
    x <<= max(shift, 0)
    product = x * multiplier
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) >> 31
    high = high if nudged >= 0 else -high
    exponent = max(-shift, 0)
    mask = (1 << exponent) - 1
    threshold = (mask >> 1) + (high < 0)
    return (high >> exponent) + ((high & mask) > threshold)


def requantize(acc: np.ndarray, config: dict[str, Any], dtype: type) -> np.ndarray:
    spec = config["requantize"]
    channels = acc.shape[-1]
    if spec.get("rounding", "tflite") == "float":
        scale = np.broadcast_to(np.asarray(spec["scale"], np.float32), channels)
        scaled = np.rint(acc.astype(np.float32) * scale).astype(np.int64)
    else:
        multiplier = np.broadcast_to(spec["multiplier"], channels)
        shift = np.broadcast_to(spec["shift"], channels)
        scaled = np.empty(acc.shape, np.int64)
        for index in np.ndindex(acc.shape):
            c = index[-1]
            scaled[index] = multiply_tflite(int(acc[index]), int(multiplier[c]), int(shift[c]))
    info = np.iinfo(dtype)
    low, high = config.get("clamp", [info.min, info.max])
    return np.clip(scaled + config.get("output_zero_point", 0), low, high).astype(dtype)
