"""Full-integer TensorFlow Lite models: conversion, and running with every tensor kept."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from networks import Network, Tensors, infer
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow.lite.python.interpreter import OpResolverType

INT8_RANGE = (-128, 127)
OPERATORS = {
    schema.BuiltinOperator.CONV_2D: (schema.Conv2DOptions, "conv2d"),
    schema.BuiltinOperator.FULLY_CONNECTED: (schema.FullyConnectedOptions, "dense"),
}


@dataclass
class QuantizedLayer:
    """One operator's parameters, and its tensors over all the inputs that were run."""

    name: str
    op: str
    index: tuple[int, int, int, int]  # tensors: input, weights, bias, output
    input_scale: np.float32
    input_zero_point: int
    weight_scales: np.ndarray
    output_scale: np.float32
    output_zero_point: int
    clamp: tuple[int, int]
    weights: np.ndarray
    bias: np.ndarray
    inputs: list[np.ndarray] = field(default_factory=list)
    outputs: list[np.ndarray] = field(default_factory=list)


def convert(network: Network, weights: Tensors, calibration: np.ndarray) -> bytes:
    """The converter's int8 model (int8 in and out), activation ranges from `calibration`."""
    last = network.layers[-1]["name"]

    @tf.function(input_signature=[tf.TensorSpec((1, *network.input), tf.float32)])
    def run(x: tf.Tensor) -> tf.Tensor:
        return infer(network, weights, x)[last]

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [run.get_concrete_function()], trackable_obj=tf.Module()
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([one[np.newaxis]] for one in calibration)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.int8
    converter.inference_output_type = tf.int8
    return converter.convert()


def interpreter(model: bytes, reference: bool) -> tf.lite.Interpreter:
    """With the reference kernels and every tensor kept, or with the default, fast ones."""
    if not reference:
        made = tf.lite.Interpreter(model_content=model)
    else:
        made = tf.lite.Interpreter(
            model_content=model,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
    made.allocate_tensors()
    return made


def feed(run: tf.lite.Interpreter, image: np.ndarray) -> np.ndarray:
    """Quantize one float image to the model's input, run, and give the int8 output."""
    entry = run.get_input_details()[0]
    scale, zero_point = entry["quantization"]
    quantized = np.clip(np.rint(image / np.float32(scale)) + zero_point, *INT8_RANGE)
    run.set_tensor(entry["index"], quantized.astype(np.int8)[np.newaxis])
    run.invoke()
    return run.get_tensor(run.get_output_details()[0]["index"])[0]


def quantization(tensor: schema.Tensor) -> tuple[np.ndarray, np.ndarray]:
    parameters = tensor.Quantization()
    return (
        parameters.ScaleAsNumpy().astype(np.float32),
        np.atleast_1d(parameters.ZeroPointAsNumpy()),
    )


def activation_clamp(activation: int, zero_point: int) -> tuple[int, int]:
    """The output range that a fused activation leaves, as TensorFlow Lite computes it."""
    lowest, highest = INT8_RANGE
    if activation == schema.ActivationFunctionType.NONE:
        return lowest, highest
    if activation == schema.ActivationFunctionType.RELU:
        return max(lowest, zero_point), highest
    raise ValueError(f"fused activation {activation} is not covered")


def quantized_layers(network: Network, model: bytes) -> list[QuantizedLayer]:
    """The model's convolutions and dense layers, paired in order with the network's."""
    flat = schema.Model.GetRootAs(model)
    graph = flat.Subgraphs(0)
    ours = network.of_op("conv2d", "dense")
    found: list[QuantizedLayer] = []
    for position in range(graph.OperatorsLength()):
        operator = graph.Operators(position)
        code = flat.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if kind not in OPERATORS:
            continue
        options_type, op = OPERATORS[kind]
        options = options_type()
        table = operator.BuiltinOptions()
        options.Init(table.Bytes, table.Pos)
        index = (*operator.InputsAsNumpy().tolist(), int(operator.Outputs(0)))
        tensors = [graph.Tensors(one) for one in index]
        (input_scale,), (input_zero,) = quantization(tensors[0])
        weight_scales, weight_zeros = quantization(tensors[1])
        (output_scale,), (output_zero,) = quantization(tensors[3])
        layer = ours[len(found)]
        if layer["op"] != op or weight_zeros.any():
            raise ValueError(f"{layer['name']}: the converter made something else of it")
        weights, bias = (
            np.frombuffer(flat.Buffers(tensor.Buffer()).DataAsNumpy().tobytes(), dtype).reshape(
                tensor.ShapeAsNumpy()
            )
            for tensor, dtype in ((tensors[1], np.int8), (tensors[2], np.int32))
        )
        found.append(
            QuantizedLayer(
                layer["name"],
                op,
                index,
                input_scale,
                int(input_zero),
                weight_scales,
                output_scale,
                int(output_zero),
                activation_clamp(options.FusedActivationFunction(), int(output_zero)),
                weights,
                bias,
            )
        )
    if len(found) != len(ours):
        raise ValueError(f"{len(found)} quantized layers for {len(ours)}")
    return found


def run_reference(network: Network, model: bytes, images: np.ndarray) -> list[QuantizedLayer]:
    """Every layer with what the reference kernels read and wrote for each image."""
    layers = quantized_layers(network, model)
    run = interpreter(model, reference=True)
    for image in images:
        feed(run, image)
        for layer in layers:
            layer.inputs.append(run.get_tensor(layer.index[0])[0])
            layer.outputs.append(run.get_tensor(layer.index[3])[0])
    return layers
