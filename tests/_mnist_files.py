"""MNIST in small: random digits and files in the idx format, written by hand."""

import gzip
import struct

import numpy as np

NAMES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def idx(array):
    """Write an array of bytes in the idx format, by hand."""
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


def draw_digits(n_rows, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(256, size=(n_rows, 28, 28), dtype=np.uint8)
    return images, rng.integers(10, size=n_rows)


def write_mnist(folder, arrays, ending=""):
    compress = gzip.compress if ending else bytes
    folder.mkdir(exist_ok=True)
    for name, array in zip(NAMES, arrays, strict=True):
        (folder / f"{name}{ending}").write_bytes(compress(idx(array.astype(np.uint8))))
