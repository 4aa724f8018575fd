#!/usr/bin/env python3
"""Train the `seed` network's two convolutions and write tests/goldens/seed.safetensors.

The task is rotation prediction: by which of 0, 90, 180, 270 degrees a 64x64 colour crop of an
upright photograph was turned. It needs no labels and gives filters shaped by real images. The
classifier head above conv2 serves training only and is not kept.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
from data import CROP, PHOTOS, region, unit_range
from files import GOLDENS, positive, write_tensors
from networks import SEED, keras_layers, trained_tensors

REDUCTIONS = (1, 2, 3)
CROPS_PER_BATCH = 8
WEIGHT_DECAY = 1e-5


def four_turns(crop: np.ndarray) -> np.ndarray:
    return np.stack([np.rot90(crop, turns) for turns in range(4)])


def batches(seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Endless batches of random crops, mirrored at random, each in its four turns."""
    random = np.random.default_rng(seed)
    regions = [region(name, by, held_out=False) for name in PHOTOS for by in REDUCTIONS]
    labels = np.tile(np.arange(4), CROPS_PER_BATCH)
    while True:
        turned = []
        for _ in range(CROPS_PER_BATCH):
            pixels = regions[random.integers(len(regions))]
            top = random.integers(pixels.shape[0] - CROP + 1)
            left = random.integers(pixels.shape[1] - CROP + 1)
            crop = unit_range(pixels[top : top + CROP, left : left + CROP])
            if random.integers(2):
                crop = crop[:, ::-1]
            contrast, brightness = random.uniform(0.7, 1.3), random.uniform(-0.15, 0.15)
            crop = np.clip((crop - 0.5) * contrast + 0.5 + brightness, 0, 1)
            turned.append(four_turns(crop.astype(np.float32)))
        yield np.concatenate(turned), labels


def held_out() -> tuple[np.ndarray, np.ndarray]:
    """Crops half a crop apart over all the regions that training never sees."""
    turned = []
    for pixels in (region(name, by, held_out=True) for name in PHOTOS for by in REDUCTIONS):
        for top in range(0, pixels.shape[0] - CROP + 1, CROP // 2):
            for left in range(0, pixels.shape[1] - CROP + 1, CROP // 2):
                turned.append(four_turns(unit_range(pixels[top : top + CROP, left : left + CROP])))
    return np.concatenate(turned), np.tile(np.arange(4), len(turned))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=positive, default=2500, help="batches of 32 (default 2500)")
    parser.add_argument("--seed", type=positive, default=482, help="of every random choice")
    parser.add_argument("--output", type=Path, default=GOLDENS, help="default: tests/goldens")
    args = parser.parse_args()
    tf.keras.utils.set_random_seed(args.seed)
    tf.config.experimental.enable_op_determinism()

    head = [
        tf.keras.layers.MaxPooling2D(4),
        tf.keras.layers.Conv2D(64, 3, strides=2, activation="relu"),
        tf.keras.layers.GlobalAveragePooling2D(),
        tf.keras.layers.Dense(4),
    ]
    model = tf.keras.Sequential(
        [tf.keras.Input(SEED.input), *keras_layers(SEED, WEIGHT_DECAY), *head]
    )
    schedule = tf.keras.optimizers.schedules.CosineDecay(1e-3, args.steps)
    model.compile(
        tf.keras.optimizers.Adam(schedule),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    epochs = min(10, args.steps)
    model.fit(batches(args.seed), steps_per_epoch=args.steps // epochs, epochs=epochs, verbose=2)
    _, accuracy = model.evaluate(*held_out(), batch_size=32, verbose=0)
    print(f"rotation accuracy on the held-out regions: {accuracy:.4f} (chance 0.25)")
    write_tensors(
        args.output / "seed.safetensors",
        trained_tensors(SEED, model),
        f"tools/export/train_seed.py --steps {args.steps} --seed {args.seed}, TensorFlow "
        f"{tf.__version__}; float32; trained by rotation prediction on crops of the left two "
        f"thirds of scikit-image's {', '.join(PHOTOS)} (public domain or CC0)",
    )


if __name__ == "__main__":
    main()
