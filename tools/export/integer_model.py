"""TensorFlow Lite's int8 arithmetic, restated in numpy to check what the exporter writes.

Formulas: TensorFlow's tensorflow/lite/kernels/internal (quantization_util.cc QuantizeMultiplier,
common.cc MultiplyByQuantizedMultiplier, reference/integer_ops/conv.h) and gemmlowp's fixedpoint.h.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

# (accumulators, multiplier, shift) to rescaled accumulators.
Rounding = Callable[[np.ndarray, int, int], np.ndarray]


def quantize_multiplier(real: float) -> tuple[int, int]:
    """(multiplier, shift) with real ~ multiplier x 2^(shift - 31), multiplier in [2^30, 2^31)."""
    fraction, shift = math.frexp(real)
    # C's round(): halves go away from zero.
    multiplier = math.floor(fraction * (1 << 31) + 0.5)
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def double_rounding(accumulator: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """SaturatingRoundingDoublingHighMul, then RoundingDivideByPOT."""
    product = (accumulator << max(shift, 0)) * multiplier
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    # The division truncates towards zero, as in C.
    high = (np.abs(product + nudge) >> 31) * np.sign(product + nudge)
    right = max(-shift, 0)
    mask = (1 << right) - 1
    remainder = high & mask
    threshold = (mask >> 1) + (high < 0)
    return (high >> right) + (remainder > threshold)


def single_rounding(accumulator: np.ndarray, multiplier: int, shift: int) -> np.ndarray:
    """One rounding of the 64-bit product: what TFLITE_SINGLE_ROUNDING selects."""
    total = 31 - shift
    return (accumulator * multiplier + (1 << (total - 1))) >> total


def spatial_padding(padding: list[int]) -> list[tuple[int, int]]:
    """A manifest's top, left, bottom, right as numpy's widths for NHWC."""
    top, left, bottom, right = padding
    return [(0, 0), (top, bottom), (left, right), (0, 0)]


def accumulate(
    inputs: np.ndarray,
    input_zero_point: int,
    weights: np.ndarray,
    bias: np.ndarray,
    padding: list[int],
) -> np.ndarray:
    """Stride 1 convolution (N, H, W, O) in exact integers, held to the int32 range."""
    padded = np.pad(inputs.astype(np.int64) - input_zero_point, spatial_padding(padding))
    kernel = (weights.shape[1], weights.shape[2])
    windows = sliding_window_view(padded, kernel, axis=(1, 2))  # type: ignore[call-overload]
    # Below 2^53 the float64 product is exact, and fast.
    sums = np.einsum(
        "nyxikl,okli->nyxo", windows.astype(float), weights.astype(float), optimize=True
    )
    accumulator = sums.astype(np.int64) + bias
    if np.abs(accumulator).max() >= 1 << 31:
        raise OverflowError("accumulator beyond int32")
    return accumulator


def requantize(
    accumulator: np.ndarray,
    factors: list[float],
    output_zero_point: int,
    clamp: tuple[int, int],
    rounding: Rounding,
) -> np.ndarray:
    """int8 outputs; `factors` are the real rescales, one an output channel."""
    channels = [
        rounding(accumulator[..., channel], *quantize_multiplier(factor))
        for channel, factor in enumerate(factors)
    ]
    return np.clip(np.stack(channels, -1) + output_zero_point, *clamp).astype(np.int8)
