"""The real images that the networks are trained, calibrated and tested on, as uint8 NHWC arrays."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import numpy as np
import skimage.data
from files import stop

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")

# Upright photographs inside the scikit-image wheel, all public domain or CC0. Training and
# calibration see the left two thirds of each, and the shipped inputs come from the right third.
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")
CROP = 64

# (photo, reduction, top, left) of each shipped crop; left counts within its region.
CALIBRATION_CROPS = (
    ("astronaut", 1, 80, 190),
    ("astronaut", 3, 20, 40),
    ("chelsea", 1, 100, 120),
    ("chelsea", 2, 40, 80),
    ("coffee", 1, 80, 130),
    ("coffee", 2, 60, 100),
    ("rocket", 2, 100, 140),
    ("rocket", 3, 40, 70),
)
GOLDEN_CROPS = (
    ("coffee", 2, 40, 4),
    ("astronaut", 2, 40, 10),
)


def unit_range(pixels: np.ndarray) -> np.ndarray:
    """Pixels 0..255 as the float32 inputs in [0, 1] that every network here is fed."""
    return pixels.astype(np.float32) / np.float32(255)


def read_idx(path: Path) -> np.ndarray:
    """An idx file of unsigned bytes: magic 0x00 0x00 0x08 RANK, big-endian sizes, data."""
    try:
        raw = gzip.decompress(path.read_bytes())
        if raw[:3] != b"\0\0\x08":
            raise ValueError("not an idx file of unsigned bytes")
        rank = raw[3]
        shape = np.frombuffer(raw, ">i4", rank, 4)
        return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        stop(path, error, "install Debian's dataset-fashion-mnist")


def fashion_mnist(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28, 1) and labels (N) of the `train` or `t10k` split."""
    images = read_idx(FASHION_MNIST / f"{split}-images-idx3-ubyte.gz")
    labels = read_idx(FASHION_MNIST / f"{split}-labels-idx1-ubyte.gz")
    return images[..., np.newaxis], labels


def photo(name: str, reduction: int) -> np.ndarray:
    """A photograph reduced by an integer factor; box mean, rounded half up, in exact integers."""
    pixels = getattr(skimage.data, name)()
    h, w = (size // reduction for size in pixels.shape[:2])
    boxes = pixels[: h * reduction, : w * reduction].reshape(h, reduction, w, reduction, 3)
    area = reduction * reduction
    return ((boxes.astype(np.int64).sum((1, 3)) * 2 + area) // (2 * area)).astype(np.uint8)


def region(name: str, reduction: int, held_out: bool) -> np.ndarray:
    """A reduced photograph's training region, or its held-out one; they share no pixel."""
    pixels = photo(name, reduction)
    border = pixels.shape[1] * 2 // 3
    return pixels[:, border:] if held_out else pixels[:, :border]


def crops(where: tuple[tuple[str, int, int, int], ...], held_out: bool) -> np.ndarray:
    """The (N, 64, 64, 3) crops at the given places of the regions."""
    found = []
    for name, reduction, top, left in where:
        crop = region(name, reduction, held_out)[top : top + CROP, left : left + CROP]
        if crop.shape != (CROP, CROP, 3):
            raise ValueError(f"crop at {top}, {left} leaves {name} reduced by {reduction}")
        found.append(crop)
    return np.stack(found)
