"""conv1 of the seed network as a stream of operands: what the gate-level simulations are fed.

Whole sums are taken, each over the 5x5x3 window of one output pixel in the order kernel row,
kernel column, channel: another output channel each, at pixels spread evenly over the images.
How reals become operands, by the design's `operands`:

- `seed`: unsigned, per-tensor affine over the tensor's minimum and maximum, as the course report
  has it for 8 and 4 bits. Its 32-bit MAC is fixed-point too, but the report does not say which
  point: here the same scheme with 32 bits, so that width is all that differs.
- `per-channel`: weights symmetric per output channel, -127..127 or -7..7; activations per-tensor
  affine over -128..127 or -8..7. Zero points are folded into the bias and cost no operand.
- `float`: binary32 as it is. INTERLEAVE sums run side by side, since a sum's next term needs its
  last result.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from fpga.asic.designs import Design
from fpga.files import FlowError, write_json, write_text
from fpga.toolchain import ROOT

GOLDENS = ROOT / "tests" / "goldens"
KERNEL = 5
INTERLEAVE = 16


@dataclass(frozen=True)
class Stream:
    """Operand words, one a cycle, and the results that must come out, in order.

    fields: (bits, values of every cycle), the first in the lowest bits of the word.
    """

    fields: tuple[tuple[int, np.ndarray], ...]
    results: np.ndarray
    result_bits: int
    macs: int
    description: str


def conv1(goldens: Path = GOLDENS) -> tuple[np.ndarray, np.ndarray]:
    """Input images NHWC and weights OHWI, float32."""
    try:
        images = load_file(goldens / "seed_goldens.safetensors")["input"]
        weights = load_file(goldens / "seed.safetensors")["conv1/weights"]
    except (OSError, KeyError, ValueError) as error:
        raise FlowError("conv1's tensors", f"{error}", f"restore {goldens}") from error
    return images, weights


def affine(real: np.ndarray, lowest: int, highest: int) -> np.ndarray:
    """Per-tensor: the minimum becomes `lowest`, the maximum `highest`."""
    x = real.astype(np.float64)
    scale = (x.max() - x.min()) / (highest - lowest)
    return np.rint((x - x.min()) / scale).astype(np.int64) + lowest


def symmetric(weights: np.ndarray, highest: int) -> np.ndarray:
    """Per output channel: the largest magnitude becomes `highest`."""
    w = weights.astype(np.float64)
    scale = np.abs(w).max(axis=(1, 2, 3), keepdims=True) / highest
    return np.rint(w / scale).astype(np.int64)


def windows(images: np.ndarray, weights: np.ndarray, sums: int) -> tuple[np.ndarray, np.ndarray]:
    """Activations and weights of `sums` sums, each a row of KERNEL*KERNEL*channels."""
    count, height, width, _ = images.shape
    rows, columns = height - KERNEL + 1, width - KERNEL + 1
    pixels = (np.arange(sums) * count * rows * columns + rows * columns // 2) // sums
    a, b = [], []
    for k, pixel in enumerate(pixels):
        image, rest = divmod(int(pixel), rows * columns)
        y, x = divmod(rest, columns)
        a.append(images[image, y : y + KERNEL, x : x + KERNEL].reshape(-1))
        b.append(weights[k % len(weights)].reshape(-1))
    return np.array(a), np.array(b)


def lanes_of(values: np.ndarray, lanes: int, bits: int) -> np.ndarray:
    """Each row packed `lanes` values a word, lane 0 lowest, zeros after the last value."""
    short = -values.shape[1] % lanes
    padded = np.pad(values, ((0, 0), (0, short))) & ((1 << bits) - 1)
    lane = padded.reshape(len(values), -1, lanes).astype(object)
    shifted = lane << np.arange(0, bits * lanes, bits, dtype=object)
    return shifted.sum(axis=2).reshape(-1)


def integer_stream(design: Design, a: np.ndarray, b: np.ndarray, result_bits: int) -> Stream:
    words = -(-a.shape[1] // design.lanes)
    last = np.tile(np.arange(words) == words - 1, len(a)).astype(int)
    word = design.lanes * design.bits
    sums = (a.astype(object) * b.astype(object)).sum(axis=1)
    return Stream(
        fields=(
            (word, lanes_of(b, design.lanes, design.bits)),
            (word, lanes_of(a, design.lanes, design.bits)),
            (1, last),
        ),
        results=sums % (1 << result_bits),
        result_bits=result_bits,
        macs=a.size,
        description="",
    )


def float_stream(a: np.ndarray, b: np.ndarray) -> Stream:
    """y = a*b + c with c the sum so far; the products of float32 are exact in float64."""
    groups = len(a) // INTERLEAVE
    shape = (groups, INTERLEAVE, a.shape[1])
    a, b = (each[: groups * INTERLEAVE].reshape(shape) for each in (a, b))
    c = np.zeros_like(a)
    y = np.zeros_like(a)
    for step in range(shape[2]):
        product = (a[:, :, step] * b[:, :, step]).astype(np.float32)
        y[:, :, step] = product + c[:, :, step]
        if step + 1 < shape[2]:
            c[:, :, step + 1] = y[:, :, step]

    def in_order(values: np.ndarray) -> np.ndarray:
        return values.transpose(0, 2, 1).reshape(-1).view(np.uint32).astype(object)

    fields = tuple((32, in_order(np.ascontiguousarray(each))) for each in (c, b, a))
    return Stream((*fields, (1, np.ones(a.size, int))), in_order(y), 32, a.size, "")


def stream(design: Design, images: np.ndarray, weights: np.ndarray, sums: int) -> Stream:
    if design.operands == "float":
        made = float_stream(*windows(images, weights, sums))
    elif design.operands == "seed":
        highest = (1 << design.bits) - 1
        pair = windows(affine(images, 0, highest), affine(weights, 0, highest), sums)
        made = integer_stream(design, *pair, result_bits=design.bits)
    else:
        top = (1 << (design.bits - 1)) - 1
        pair = windows(affine(images, -top - 1, top), symmetric(weights, top), sums)
        made = integer_stream(design, *pair, result_bits=32)
    text = (
        f"conv1 of the seed network: {sums} sums of {KERNEL}x{KERNEL}x{images.shape[3]}, "
        f"{design.operands} scheme, {design.bits} bits"
    )
    return Stream(made.fields, made.results, made.result_bits, made.macs, text)


def words(fields: tuple[tuple[int, np.ndarray], ...]) -> list[int]:
    packed = np.zeros(len(fields[0][1]), dtype=object)
    shift = 0
    for bits, values in fields:
        packed = packed + (values.astype(object) << shift)
        shift += bits
    return [int(word) for word in packed]


def write(design: Design, folder: Path, sums: int) -> None:
    """Write operands.hex, results.hex and operands.json into the folder."""
    made = stream(design, *conv1(), sums)
    lines = words(made.fields)
    write_text(folder / "operands.hex", "".join(f"{word:x}\n" for word in lines))
    digits = (made.result_bits + 3) // 4
    results = "".join(f"{int(each):0{digits}x}\n" for each in made.results)
    write_text(folder / "results.hex", results)
    write_json(
        folder / "operands.json",
        {
            "description": made.description,
            "cycles": len(lines),
            "macs": made.macs,
            "word_bits": sum(bits for bits, _ in made.fields),
            "result_bits": made.result_bits,
        },
    )
