"""Operands against the tensors they are made of."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from fpga.asic import designs, operands

IMAGES, WEIGHTS = operands.conv1()


def test_affine_and_symmetric_reach_their_ends():
    q = operands.affine(np.array([-1.0, 0.0, 3.0], np.float32), 0, 15)
    assert q.tolist() == [0, 4, 15]
    assert operands.affine(WEIGHTS, 0, 2**32 - 1).max() == 2**32 - 1
    symmetric = operands.symmetric(WEIGHTS, 7)
    assert (np.abs(symmetric).max(axis=(1, 2, 3)) == 7).all()


def test_windows_are_the_convolution():
    """The sums of the windows are TensorFlow's conv1 before bias and ReLU, where ReLU is open."""
    expected = load_file(operands.GOLDENS / "seed_goldens.safetensors")["conv1"]
    bias = load_file(operands.GOLDENS / "seed.safetensors")["conv1/bias"]
    outputs = 64
    a, b = operands.windows(IMAGES, WEIGHTS, outputs)
    sums = np.maximum((a * b).sum(axis=1) + np.resize(bias, outputs), 0)
    count, rows, columns, _ = expected.shape
    pixels = (np.arange(outputs) * count * rows * columns + rows * columns // 2) // outputs
    wanted = expected.reshape(-1, 32)[pixels, np.arange(outputs) % 32]
    assert (wanted > 0).sum() > 10
    np.testing.assert_allclose(sums, wanted, atol=1e-5)


def test_lanes_are_packed_low_first_and_padded():
    words = operands.lanes_of(np.array([[1, -1, 3]]), lanes=2, bits=4)
    assert [int(word) for word in words] == [0xF1, 0x03]


@pytest.mark.parametrize("name", ["mac_seed_32", "mac_seed_4", "mac_s8", "dot8_s4"])
def test_results_follow_from_the_words(name):
    """Decoding the operand words and multiplying again gives the results that are expected."""
    design = designs.find(name)
    made = operands.stream(design, IMAGES, WEIGHTS, 3)
    bits, lanes, signed = design.bits, design.lanes, design.ports == "stream"
    sums, total = [], 0
    for word in operands.words(made.fields):
        for lane in range(lanes):
            pair = [(word >> (side * bits * lanes + lane * bits)) % 2**bits for side in (0, 1)]
            if signed:
                pair = [value - 2**bits if value >= 2 ** (bits - 1) else value for value in pair]
            total += pair[0] * pair[1]
        if word >> (2 * bits * lanes):
            sums.append(total % 2**made.result_bits)
            total = 0
    assert sums == made.results.tolist()
    assert made.macs == 3 * 75


def test_float_sums_round_after_every_step():
    design = designs.find("mac_f32")
    made = operands.stream(design, IMAGES, WEIGHTS, operands.INTERLEAVE)
    a, b = operands.windows(IMAGES, WEIGHTS, operands.INTERLEAVE)
    total = np.float32(0)
    for x, w in zip(a[3], b[3], strict=True):
        total = np.float32(np.float32(x * w) + total)
    last = made.results[-operands.INTERLEAVE + 3]
    assert int(last) == int(total.view(np.uint32))
