"""The networks that the goldens cover, and their TensorFlow forms.

A network is a table of layers in the vocabulary of the `narrowmac-network/1` manifest. The same
table trains (Keras), infers (plain float32 operators) and is written out as the manifest.
Tensor layouts are the manifest's: activations NHWC, conv weights OHWI, dense weights (out, in).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

Layer = dict[str, Any]
Tensors = dict[str, np.ndarray]


def conv(name: str, filters: int, kernel: int, pad: int) -> Layer:
    """A square, stride 1 convolution with bias and ReLU; `pad` pixels on every side."""
    return {
        "name": name,
        "op": "conv2d",
        "filters": filters,
        "kernel": [kernel, kernel],
        "stride": [1, 1],
        "padding": [pad] * 4,
        "dilation": [1, 1],
        "groups": 1,
        "activation": "relu",
    }


def max_pool(name: str) -> Layer:
    return {"name": name, "op": "max_pool", "size": [2, 2], "stride": [2, 2]}


def dense(name: str, units: int, activation: str) -> Layer:
    return {"name": name, "op": "dense", "units": units, "activation": activation}


@dataclass(frozen=True)
class Network:
    name: str
    input: tuple[int, int, int]
    layers: tuple[Layer, ...]

    def of_op(self, *ops: str) -> list[Layer]:
        return [layer for layer in self.layers if layer["op"] in ops]


SEED = Network(
    "seed",
    (64, 64, 3),
    (conv("conv1", 32, 5, 0), conv("conv2", 32, 5, 0)),
)

FASHION = Network(
    "fashion",
    (28, 28, 1),
    (
        conv("conv1", 32, 5, 0),
        conv("conv2", 32, 5, 0),
        max_pool("pool1"),
        conv("conv3", 64, 3, 1),
        conv("conv4", 64, 3, 1),
        max_pool("pool2"),
        dense("dense1", 128, "relu"),
        dense("logits", 10, "none"),
    ),
)

NETWORKS = {network.name: network for network in (SEED, FASHION)}


def padding_name(layer: Layer) -> str:
    """TensorFlow's word for a layer's padding; the explicit form would become a PAD operator."""
    same = [(k - 1) // 2 for k in layer["kernel"]]
    if not any(layer["padding"]):
        return "VALID"
    if layer["stride"] == [1, 1] and layer["padding"] == [same[0], same[1], same[0], same[1]]:
        return "SAME"
    raise ValueError(f"{layer['name']}: padding {layer['padding']} is neither 'valid' nor 'same'")


def keras_layers(network: Network, decay: float) -> list[tf.keras.layers.Layer]:
    """The table as trainable Keras layers, the last dense one giving logits."""
    made: list[tf.keras.layers.Layer] = []
    regularizer = tf.keras.regularizers.L2(decay)
    for layer in network.layers:
        if layer["op"] == "conv2d":
            made.append(
                tf.keras.layers.Conv2D(
                    layer["filters"],
                    layer["kernel"],
                    padding=padding_name(layer).lower(),
                    activation="relu",
                    kernel_regularizer=regularizer,
                    name=layer["name"],
                )
            )
        elif layer["op"] == "max_pool":
            made.append(tf.keras.layers.MaxPooling2D(layer["size"], name=layer["name"]))
        else:
            if not any(isinstance(one, tf.keras.layers.Flatten) for one in made):
                made.append(tf.keras.layers.Flatten())
            made.append(
                tf.keras.layers.Dense(
                    layer["units"],
                    activation="relu" if layer["activation"] == "relu" else None,
                    kernel_regularizer=regularizer,
                    name=layer["name"],
                )
            )
    return made


def trained_tensors(network: Network, model: tf.keras.Model) -> Tensors:
    """A trained model's weights and biases in the manifest's layouts."""
    tensors: Tensors = {}
    for layer in network.of_op("conv2d", "dense"):
        kernel, bias = model.get_layer(layer["name"]).get_weights()
        to_ours = (3, 0, 1, 2) if layer["op"] == "conv2d" else (1, 0)
        tensors[f"{layer['name']}/weights"] = np.ascontiguousarray(kernel.transpose(to_ours))
        tensors[f"{layer['name']}/bias"] = bias
    return tensors


def set_tensors(network: Network, model: tf.keras.Model, tensors: Tensors) -> None:
    """Give a model the weights that `trained_tensors` took from one like it."""
    for layer in network.of_op("conv2d", "dense"):
        kernel, bias = (tensors[f"{layer['name']}/{part}"] for part in ("weights", "bias"))
        to_keras = (1, 2, 3, 0) if layer["op"] == "conv2d" else (1, 0)
        model.get_layer(layer["name"]).set_weights([kernel.transpose(to_keras), bias])


def infer(network: Network, weights: Tensors, x: tf.Tensor) -> dict[str, tf.Tensor]:
    """Every layer's output, after its activation, by TensorFlow's float32 operators."""
    outputs: dict[str, tf.Tensor] = {}
    for layer in network.layers:
        name = layer["name"]
        if layer["op"] == "max_pool":
            x = tf.nn.max_pool2d(x, layer["size"], layer["stride"], "VALID")
        else:
            kernel, bias = weights[f"{name}/weights"], weights[f"{name}/bias"]
            if layer["op"] == "conv2d":
                x = tf.nn.conv2d(
                    x,
                    np.ascontiguousarray(kernel.transpose(1, 2, 3, 0)),
                    layer["stride"],
                    padding_name(layer),
                    dilations=layer["dilation"],
                )
            else:
                x = tf.matmul(tf.reshape(x, (-1, kernel.shape[1])), kernel.T.copy())
            x = tf.nn.bias_add(x, bias)
            if layer["activation"] == "relu":
                x = tf.nn.relu(x)
        outputs[name] = x
    return outputs
