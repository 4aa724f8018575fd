"""conv_engine against the C kernels and, where TensorFlow Lite has the layer, its goldens."""

import json
from dataclasses import replace
from pathlib import Path

import engine
import hdl_tools as hdl
import numpy as np
import pytest
from engine import Layer
from safetensors.numpy import load_file

GOLDENS = hdl.ROOT / "tests/goldens"
FRAMES = 2

CONV1 = Layer(64, 64, 3, 32, 5, 1, 0, in_lanes=3, out_lanes=16,
              weight_width=8, act_width=8, act_signed=1)  # fmt: skip
CONV2 = Layer(60, 60, 32, 32, 5, 1, 0, in_lanes=4, out_lanes=32,
              weight_width=8, act_width=8, act_signed=1)  # fmt: skip
W4A8 = {"weight_width": 4}
W4A4 = {"weight_width": 4, "act_width": 4, "act_signed": 0}

SEED_LAYERS = {
    "conv1-w8a8": ("conv1", CONV1),
    "conv1-w4a8": ("conv1", replace(CONV1, **W4A8)),
    "conv1-w4a4": ("conv1", replace(CONV1, **W4A4)),
    "conv2-w8a8": ("conv2", CONV2),
    "conv2-w4a8": ("conv2", replace(CONV2, **W4A8)),
    "conv2-w4a4": ("conv2", replace(CONV2, **W4A4, in_lanes=8)),
}

# Odd shapes: padding, strides, kernels beyond strides and strides beyond kernels, single lanes,
# single channels, images no larger than the kernel; every precision and sign.
SMALL_LAYERS = {
    "plain": Layer(9, 11, 3, 8, 3, 1, 0, 1, 4, 8, 8, 1),
    "padded-u8": Layer(8, 7, 4, 6, 3, 2, 1, 2, 3, 8, 8, 0),
    "wide-pad-w4u8": Layer(10, 9, 3, 4, 5, 1, 2, 3, 4, 4, 8, 0),
    "w4a4-signed": Layer(9, 8, 8, 8, 3, 2, 0, 8, 2, 4, 4, 1),
    "w4a4-unsigned": Layer(7, 7, 2, 2, 3, 3, 2, 1, 1, 4, 4, 0),
    "pointwise": Layer(5, 5, 1, 1, 1, 1, 0, 1, 1, 8, 8, 1),
    "skipping": Layer(6, 6, 4, 4, 1, 2, 0, 4, 4, 8, 8, 1),
    "more-outputs-than-taps": Layer(3, 3, 2, 32, 3, 1, 0, 2, 32, 8, 8, 1),
}


@pytest.mark.parametrize("name", SMALL_LAYERS)
def test_random_layers(name: str) -> None:
    layer = SMALL_LAYERS[name]
    program = engine.simulator(f"rtl-engine-{name}", layer)
    for seed in range(1, 6):
        outcome = hdl.simulate(program, "random", seed, 3)
        assert outcome.results == 3 * layer.outputs()


def _write(folder: Path, **tensors: np.ndarray) -> Path:
    for name, tensor in tensors.items():
        tensor.tofile(folder / name)
    return folder


@pytest.mark.parametrize("name", SEED_LAYERS)
def test_seed_layers(name: str, tmp_path: Path, record_property) -> None:
    """The course report's layers on the shipped tensors, two images."""
    tensor, layer = SEED_LAYERS[name]
    program = engine.simulator(f"rtl-engine-{name}", layer)
    if name.endswith("w8a8"):
        table = json.loads((GOLDENS / "seed_tflite.json").read_text())
        row = next(row for row in table["layers"] if row["name"] == tensor)
        golden = load_file(GOLDENS / "seed_tflite.safetensors")
        _write(
            tmp_path,
            **{key: golden[row[key]] for key in ("input", "weights", "bias", "output")},
            factor=row["input_scale"] * np.array(row["weight_scales"]) / row["output_scale"],
        )
        arguments = ("quantized", tmp_path, FRAMES, row["input_zero_point"],
                     row["output_zero_point"])  # fmt: skip
    else:
        golden = load_file(GOLDENS / "seed_goldens.safetensors")
        model = load_file(GOLDENS / "seed.safetensors")
        _write(
            tmp_path,
            input=golden["input" if tensor == "conv1" else "conv1"],
            weights=model[f"{tensor}/weights"],
            bias=model[f"{tensor}/bias"],
            output=golden[tensor],
        )
        arguments = ("float", tmp_path, FRAMES)

    outcome = hdl.simulate(program, *arguments)
    assert outcome.results == FRAMES * layer.outputs()

    first, each = engine.cycles(outcome)
    lanes = layer.in_lanes * layer.out_lanes
    record_property("cycles", each)
    print(
        f"{name}: {each} cycles a frame ({first} with the first rows' arrival), "
        f"{layer.macs() / each / lanes:.1%} of {lanes} MACs busy"
    )
    # Rows are loaded under computation: a frame takes its taps and, a row, at most the cycles in
    # which a window's results leave, one channel a cycle.
    row = layer.out_lanes + 8
    assert layer.macs() // lanes <= each <= layer.macs() // lanes + row * layer.out_size()[0]


def test_bench_notices_a_wrong_weight_address() -> None:
    layer = SMALL_LAYERS["plain"]
    folder = hdl.BUILD / "broken"
    folder.mkdir(parents=True, exist_ok=True)
    broken = folder / "conv_sequencer.v"
    text = (hdl.HDL / "conv_sequencer.v").read_text()
    old = "group_end ? {WeightAddrWidth{1'b0}} : weight_addr_q + 1'b1"
    assert old in text
    broken.write_text(text.replace(old, "group_end ? {WeightAddrWidth{1'b0}} : weight_addr_q"))
    sources = [
        broken if path.name == broken.name else path for path in hdl.design_sources("conv_engine")
    ]
    program = hdl.simulator(
        "rtl-broken_engine", "conv_engine", "bench_conv_engine", sources,
        layer.parameters(), layer.defines(),
    )  # fmt: skip
    assert hdl.run([program, "random", "1", "1"]).returncode == 1
