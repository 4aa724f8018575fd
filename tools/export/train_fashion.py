#!/usr/bin/env python3
"""Train the `fashion` network on Fashion-MNIST and write tests/goldens/fashion.safetensors."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from data import fashion_mnist, unit_range
from files import GOLDENS, positive, write_tensors
from networks import FASHION, keras_layers, trained_tensors

BATCH = 128
WEIGHT_DECAY = 1e-5
# What follows each of these layers in training only: the fraction of activations dropped.
DROPOUT = {"pool1": 0.1, "pool2": 0.2, "dense1": 0.3}


def augment(pixels: tf.Tensor, label: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """A random mirror image, the same for one seed and position in the stream."""
    return tf.cast(tf.image.random_flip_left_right(pixels), tf.float32) / 255.0, label


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=positive, default=10)
    parser.add_argument("--seed", type=positive, default=482, help="of every random choice")
    parser.add_argument("--output", type=Path, default=GOLDENS, help="default: tests/goldens")
    args = parser.parse_args()
    tf.keras.utils.set_random_seed(args.seed)
    tf.config.experimental.enable_op_determinism()

    images, labels = fashion_mnist("train")
    train = (
        tf.data.Dataset.from_tensor_slices((images, labels.astype(np.int32)))
        .shuffle(len(images), seed=args.seed)
        .map(augment, num_parallel_calls=1)
        .batch(BATCH, drop_remainder=True)
        .prefetch(4)
    )
    layers: list[tf.keras.layers.Layer] = []
    for layer in keras_layers(FASHION, WEIGHT_DECAY):
        layers.append(layer)
        if layer.name in DROPOUT:
            layers.append(tf.keras.layers.Dropout(DROPOUT[layer.name]))
    model = tf.keras.Sequential([tf.keras.Input(FASHION.input), *layers])
    schedule = tf.keras.optimizers.schedules.CosineDecay(1e-3, args.epochs * (len(images) // BATCH))
    model.compile(
        tf.keras.optimizers.Adam(schedule),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(train, epochs=args.epochs, verbose=2)

    test_images, test_labels = fashion_mnist("t10k")
    _, accuracy = model.evaluate(unit_range(test_images), test_labels, batch_size=500, verbose=0)
    print(f"top-1 on the 10,000 test images: {accuracy:.4f}")
    write_tensors(
        args.output / "fashion.safetensors",
        trained_tensors(FASHION, model),
        f"tools/export/train_fashion.py --epochs {args.epochs} --seed {args.seed}, TensorFlow "
        f"{tf.__version__}; float32; trained on the 60,000 images of Fashion-MNIST (MIT, "
        f"Zalando SE), Debian package dataset-fashion-mnist",
    )


if __name__ == "__main__":
    main()
