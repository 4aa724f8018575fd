#!/usr/bin/env python3
"""Train the `fashion` network on Fashion-MNIST and write tests/goldens/fashion.safetensors."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from data import fashion_mnist, unit_range
from files import GOLDENS, positive, read_tensors, write_tensors
from networks import FASHION, Tensors, keras_layers, set_tensors, trained_tensors

BATCH = 128


@dataclass(frozen=True)
class Stage:
    """A stretch of training: a fresh Adam whose rate falls from `rate` to 0 along a cosine."""

    epochs: int
    rate: float
    weight_decay: float
    dropout: dict[str, float]  # after the named layer, the fraction of activations dropped
    shift: int  # images move by up to this many pixels


STAGES = (
    Stage(16, 1e-3, 1e-4, {"pool1": 0.2, "pool2": 0.3, "dense1": 0.4}, shift=1),
    # So regularized the network underfits (train top-1 is below test): a short, lighter finish.
    Stage(3, 5e-4, 1e-5, {"pool1": 0.1, "pool2": 0.1, "dense1": 0.2}, shift=0),
)


def batches(images: np.ndarray, labels: np.ndarray, shift: int, seed: int) -> tf.data.Dataset:
    """Shuffled batches of mirrored and shifted images, the same for one seed."""

    def augment(pixels: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.image.random_flip_left_right(pixels)
        if shift:
            pixels = tf.pad(pixels, [[shift, shift], [shift, shift], [0, 0]])
            pixels = tf.image.random_crop(pixels, FASHION.input)
        return tf.cast(pixels, tf.float32) / 255.0, label

    return (
        tf.data.Dataset.from_tensor_slices((images, labels.astype(np.int32)))
        .shuffle(len(images), seed=seed)
        .map(augment, num_parallel_calls=1)
        .batch(BATCH, drop_remainder=True)
        .prefetch(4)
    )


def train(stage: Stage, seed: int, start: Tensors | None) -> tf.keras.Model:
    """Run a stage from the given weights, or from random ones."""
    tf.keras.utils.set_random_seed(seed)
    images, labels = fashion_mnist("train")
    layers: list[tf.keras.layers.Layer] = []
    for layer in keras_layers(FASHION, stage.weight_decay):
        layers.append(layer)
        if layer.name in stage.dropout:
            layers.append(tf.keras.layers.Dropout(stage.dropout[layer.name]))
    model = tf.keras.Sequential([tf.keras.Input(FASHION.input), *layers])
    if start is not None:
        set_tensors(FASHION, model, start)
    steps = stage.epochs * (len(images) // BATCH)
    model.compile(
        tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(stage.rate, steps)),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(batches(images, labels, stage.shift, seed), epochs=stage.epochs, verbose=2)
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=positive, default=482, help="of every random choice")
    parser.add_argument("--start", type=Path, help="weights after the first stage, to skip it")
    parser.add_argument("--output", type=Path, default=GOLDENS, help="default: tests/goldens")
    args = parser.parse_args()
    tf.config.experimental.enable_op_determinism()
    weights = read_tensors(args.start) if args.start else None
    for stage in STAGES[1:] if args.start else STAGES:
        model = train(stage, args.seed, weights)
        weights = trained_tensors(FASHION, model)

    test_images, test_labels = fashion_mnist("t10k")
    _, accuracy = model.evaluate(unit_range(test_images), test_labels, batch_size=500, verbose=0)
    print(f"top-1 on the 10,000 test images: {accuracy:.4f}")
    write_tensors(
        args.output / "fashion.safetensors",
        trained_tensors(FASHION, model),
        f"tools/export/train_fashion.py --seed {args.seed}, TensorFlow "
        f"{tf.__version__}; float32; trained on the 60,000 images of Fashion-MNIST (MIT, "
        f"Zalando SE), Debian package dataset-fashion-mnist",
    )


if __name__ == "__main__":
    main()
