#!/usr/bin/env python3
"""Write tests/goldens/ from the trained weights: manifests, inputs, TensorFlow's outputs.

Every number comes from TensorFlow or TensorFlow Lite. The numpy model of the integer arithmetic
only checks that the exported parameters suffice to reproduce TensorFlow Lite byte for byte; the
export fails where they do not.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

# Fixed before TensorFlow loads: one thread and Eigen's kernels sum in one order.
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import integer_model
import numpy as np
import tensorflow as tf
import tflite
from data import (
    CALIBRATION_CROPS,
    GOLDEN_CROPS,
    crops,
    fashion_mnist,
    unit_range,
)
from files import GOLDENS, read_tensors, write_checksums, write_json, write_tensors
from networks import FASHION, NETWORKS, SEED, Network, Tensors, infer

FASHION_GOLDENS = 4
FASHION_CALIBRATION = 128
FASHION_TEST = 1000
TRAINING_ONLY = ("filters", "units", "kernel")
PHOTOS = "scikit-image's photographs (public domain or CC0)"
FASHION_DATA = "Fashion-MNIST (MIT, Zalando SE)"
SHIPPED = (".json", ".safetensors")
VERSION = f"TensorFlow {tf.__version__}"


def file_name(network: Network, part: str) -> str:
    return f"{network.name}_{part}.safetensors"


def images_of(network: Network) -> tuple[np.ndarray, np.ndarray, str]:
    """A network's golden inputs and calibration inputs as pixels, and where they come from."""
    if network is SEED:
        return crops(GOLDEN_CROPS, True), crops(CALIBRATION_CROPS, False), PHOTOS
    test, _ = fashion_mnist("t10k")
    train, _ = fashion_mnist("train")
    return test[:FASHION_GOLDENS], train[:FASHION_CALIBRATION], FASHION_DATA


def manifest(network: Network) -> dict[str, Any]:
    layers = []
    for layer in network.layers:
        entry = {key: value for key, value in layer.items() if key not in TRAINING_ONLY}
        if layer["op"] != "max_pool":
            entry["weights"] = f"{layer['name']}/weights"
            entry["bias"] = f"{layer['name']}/bias"
        layers.append(entry)
    return {
        "format": "narrowmac-network/1",
        "name": network.name,
        "input": list(network.input),
        "tensors": f"{network.name}.safetensors",
        "layers": layers,
        "goldens": file_name(network, "goldens"),
        "tflite": f"{network.name}_tflite.json",
        "calibration": file_name(network, "calibration"),
        "tensorflow": tf.__version__,
    }


def float_outputs(network: Network, weights: Tensors, inputs: np.ndarray) -> Tensors:
    """TensorFlow's float32 outputs, images one at a time so that batching cannot matter."""
    each = [infer(network, weights, tf.constant(image[np.newaxis])) for image in inputs]
    return {name: np.concatenate([one[name].numpy() for one in each]) for name in each[0]}


def check_float(network: Network, weights: Tensors, inputs: np.ndarray, outputs: Tensors) -> None:
    """Print how far float32 is from float64 over the convolutions, each fed TensorFlow's input."""
    x = inputs.astype(np.float64)
    for layer in network.layers:
        name = layer["name"]
        if layer["op"] == "conv2d":
            kernel = weights[f"{name}/weights"]
            exact = tf.nn.conv2d(
                np.pad(x, integer_model.spatial_padding(layer["padding"])),
                kernel.transpose(1, 2, 3, 0).astype(np.float64),
                1,
                "VALID",
            )
            exact = np.maximum(exact.numpy() + weights[f"{name}/bias"], 0)
            print(
                f"{network.name} {name}: outputs 0 .. {outputs[name].max():.6f}, "
                f"{100 * (outputs[name] == 0).mean():.0f}% zero, "
                f"weights {kernel.min():.4f} .. {kernel.max():.4f}, "
                f"max |float32 - float64| {np.abs(exact - outputs[name]).max():.2e}"
            )
        x = outputs[name].astype(np.float64)


def integer_outputs(
    layer: tflite.QuantizedLayer, padding: list[int], rounding: integer_model.Rounding
) -> np.ndarray:
    """What the numpy model makes of a layer's exported parameters and inputs."""
    inputs, weights = np.stack(layer.inputs), layer.weights
    if layer.op == "dense":
        inputs = inputs.reshape(len(inputs), 1, 1, -1)
        weights = weights.reshape(len(weights), 1, 1, -1)
    accumulator = integer_model.accumulate(
        inputs, layer.input_zero_point, weights, layer.bias, padding
    )
    scales = np.broadcast_to(layer.weight_scales, len(weights))
    factors = [
        float(layer.input_scale) * float(scale) / float(layer.output_scale) for scale in scales
    ]
    result = integer_model.requantize(
        accumulator, factors, layer.output_zero_point, layer.clamp, rounding
    )
    return result.reshape(np.stack(layer.outputs).shape)


def check_integer(network: Network, layers: list[tflite.QuantizedLayer]) -> None:
    """Fail unless every layer is reproduced; also say what single rounding would have given."""
    by_name = {layer["name"]: layer for layer in network.layers}
    for layer in layers:
        padding = by_name[layer.name].get("padding", [0, 0, 0, 0])
        expected = np.stack(layer.outputs)
        double = (integer_outputs(layer, padding, integer_model.double_rounding) != expected).sum()
        single = (integer_outputs(layer, padding, integer_model.single_rounding) != expected).sum()
        print(
            f"{network.name} {layer.name}: of {expected.size} bytes, {double} differ from "
            f"TensorFlow Lite with double rounding, {single} with single rounding"
        )
        if double:
            raise SystemExit(f"{layer.name}: the exported parameters do not reproduce the outputs")


def export_tflite(
    folder: Path, network: Network, model: bytes, inputs: np.ndarray, provenance: str
) -> None:
    layers = tflite.run_reference(network, model, inputs)
    check_integer(network, layers)
    entries, tensors = [], {}
    for layer in layers:
        parts = {
            "input": np.stack(layer.inputs),
            "weights": layer.weights,
            "bias": layer.bias,
            "output": np.stack(layer.outputs),
        }
        names = {part: f"{layer.name}/{part}" for part in parts}
        tensors.update({names[part]: tensor for part, tensor in parts.items()})
        entries.append(
            {
                "name": layer.name,
                "op": layer.op,
                **names,
                "input_scale": float(layer.input_scale),
                "input_zero_point": layer.input_zero_point,
                "weight_scales": [float(scale) for scale in layer.weight_scales],
                "output_scale": float(layer.output_scale),
                "output_zero_point": layer.output_zero_point,
                "clamp": list(layer.clamp),
            }
        )
    write_tensors(
        folder / file_name(network, "tflite"),
        tensors,
        f"TensorFlow Lite of {VERSION}, reference kernels (BUILTIN_REF): full-integer int8 model "
        f"of {network.name}.safetensors, calibrated on {file_name(network, 'calibration')}, run on "
        f"the inputs of {file_name(network, 'goldens')}; {provenance}",
    )
    write_json(
        folder / f"{network.name}_tflite.json",
        {
            "format": "narrowmac-tflite/1",
            "network": network.name,
            "tensors": file_name(network, "tflite"),
            "rounding": "tflite",
            "tensorflow": tf.__version__,
            "layers": entries,
        },
    )


def float_top1(weights: Tensors, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which images the float network gets right."""
    batches = np.split(unit_range(images), range(500, len(images), 500))
    logits = [infer(FASHION, weights, tf.constant(batch))["logits"].numpy() for batch in batches]
    return np.concatenate(logits).argmax(1) == labels


def tflite_top1(
    model: bytes, images: np.ndarray, labels: np.ndarray, reference: bool
) -> np.ndarray:
    run = tflite.interpreter(model, reference)
    return np.array([tflite.feed(run, image).argmax() for image in unit_range(images)]) == labels


def count(right: np.ndarray) -> dict[str, int]:
    return {"images": len(right), "right": int(right.sum())}


def export_test(folder: Path, weights: Tensors, model: bytes) -> dict[str, Any]:
    """Write the shipped test images; give the manifest's top-1 counts."""
    images, labels = fashion_mnist("t10k")
    name = file_name(FASHION, "test")
    write_tensors(
        folder / name,
        {"images": images[:FASHION_TEST], "labels": labels[:FASHION_TEST]},
        f"the first {FASHION_TEST} test images of {FASHION_DATA}, and their labels",
    )
    right = float_top1(weights, images, labels)
    subset = images[:FASHION_TEST], labels[:FASHION_TEST]
    return {
        "test": name,
        "top1": {
            "float32": [count(right), count(right[:FASHION_TEST])],
            "tflite_int8": [
                count(tflite_top1(model, images, labels, reference=False)),
                count(tflite_top1(model, *subset, reference=True)),
            ],
        },
    }


def export(network: Network, source: Path, folder: Path) -> None:
    weights = read_tensors(source / f"{network.name}.safetensors")
    golden_pixels, calibration, data = images_of(network)
    inputs = unit_range(golden_pixels)
    outputs = float_outputs(network, weights, inputs)
    check_float(network, weights, inputs, outputs)

    kept = [layer["name"] for layer in network.of_op("conv2d")]
    kept += [name for name in ("logits",) if name in outputs]
    write_tensors(
        folder / file_name(network, "goldens"),
        {"input": inputs, **{name: outputs[name] for name in kept}},
        f"{VERSION}, float32 on CPU: outputs of {network.name}.safetensors after activation, "
        f"inputs from {data}",
    )
    write_tensors(
        folder / file_name(network, "calibration"),
        {"input": calibration},
        f"training inputs for calibration, pixels 0..255 for 0..1, from {data}",
    )
    model = tflite.convert(network, weights, unit_range(calibration))
    export_tflite(folder, network, model, inputs, data)
    described = manifest(network)
    if network is FASHION:
        described.update(export_test(folder, weights, model))
        print(f"fashion top-1: {described['top1']}")
    write_json(folder / f"{network.name}.json", described)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", default=list(NETWORKS), metavar="NETWORK")
    parser.add_argument("--output", type=Path, default=GOLDENS, help="default: tests/goldens")
    args = parser.parse_args()
    if unknown := set(args.networks) - set(NETWORKS):
        parser.error(f"unknown network {', '.join(unknown)}; there are {', '.join(NETWORKS)}")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    for name in args.networks:
        export(NETWORKS[name], GOLDENS, args.output)
    if args.output == GOLDENS:
        shipped = [path.name for path in GOLDENS.iterdir() if path.suffix in SHIPPED]
        write_checksums(GOLDENS, sorted(shipped))


if __name__ == "__main__":
    main()
