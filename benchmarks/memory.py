"""Memory of a fit whose data are larger than memory."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from _benchmark import Benchmark, Column
from _data import BATCH_SIZE, N_CLASSES
from _memory_use import PeakMemory
from _methods import METHODS
from torch import nn

_SHAPE = (3, 224, 224)
_BATCH_MEGABYTES = 4 * BATCH_SIZE * np.prod(_SHAPE) / 1e6
_CASES = [
    ("ERM", "none"),
    *((name, masks) for name in ("swap", "Grad-Reg") for masks in ("one for all", "one per row")),
]
# glibc gives freed blocks of so many bytes back at once. Left to itself it keeps holes between
# blocks, which grow within some hundred steps to a limit and would look like data that pile up.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "65536"}


def measure(options):
    sizes = (0.01, 0.02) if options.quick else (0.5, 4)  # GB
    for method, masks in _CASES[:1] if options.quick else _CASES:
        few, many = (_in_a_new_process(method, masks, size) for size in sizes)
        yield {
            "method": method,
            "masks": masks,
            "few": few,
            "many": many,
            "batches": many / _BATCH_MEGABYTES,
            "growth": (many - few) / (sizes[1] - sizes[0]),
            "goal": 5,
        }


def _in_a_new_process(*case):
    command = [sys.executable, __file__, json.dumps([torch.get_num_threads(), *case])]
    environment = os.environ | _ALLOCATOR
    finished = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env=environment
    )
    return float(finished.stdout)


def peak_of_fit(n_threads, method, masks, gigabytes):
    """Fit on data in a file; return how far private memory rose, in MB."""
    torch.set_num_threads(n_threads)
    n_rows = round(gigabytes * 1e9 / np.prod(_SHAPE))
    module = nn.Sequential(nn.AvgPool2d(16), nn.Flatten(), nn.Linear(3 * 14 * 14, N_CLASSES))
    # Where nothing is marked as relevant, all may be moved.
    estimator = METHODS[method].prepare(module, "cpu", max_epochs=1, mask_marks="relevant")
    y = np.arange(n_rows) % N_CLASSES
    with tempfile.TemporaryDirectory() as folder:
        X = _zeros_in_file(Path(folder, "X"), n_rows, np.uint8)
        mask = {
            "none": None,
            "one for all": np.zeros((1, *_SHAPE), dtype=bool),
            "one per row": _zeros_in_file(Path(folder, "mask"), n_rows, bool),
        }[masks]
        # Loads what torch loads at its first step.
        METHODS["ERM"].prepare(module, "cpu", max_epochs=1).fit(X[:BATCH_SIZE], y[:BATCH_SIZE])
        with PeakMemory() as peak:
            estimator.fit(X, y, mask=mask)
    return peak.megabytes


def _zeros_in_file(path, n_rows, dtype):
    """Map a file of one byte per value that takes no room on the disk."""
    shape = (n_rows, *_SHAPE)
    path.touch()
    with path.open("r+b") as file:
        file.truncate(int(np.prod(shape)))
    return np.memmap(path, dtype, "r", shape=shape)


BENCHMARK = Benchmark(
    title="Memory",
    text=(
        "Peak of the private memory of a process during a fit of one epoch, above what it had "
        "after a fit of one batch, which loads what torch loads late. X is a memory map of uint8 "
        "images of 3x224x224; masks are none, one for all rows, or a second memory map of as many "
        "bytes. Pages of mapped files are the system's cache and not counted (RssAnon of Linux), "
        "nor are the holes in the heap that glibc keeps by default (MALLOC_MMAP_THRESHOLD_). A "
        "batch is 64 rows as float32, 38.5 MB. The goal is that nothing grows with X, but for "
        "labels and order: at most 0.5 % of it."
    ),
    columns=(
        Column("method", "method"),
        Column("masks", "masks"),
        Column("few", "0.5 GB: peak, MB", ".0f"),
        Column("many", "4 GB: peak, MB", ".0f"),
        Column("batches", "in batches", ".1f"),
        Column("growth", "MB per GB of X", ".1f"),
    ),
    judged="growth",
    measure=measure,
)


if __name__ == "__main__":
    print(peak_of_fit(*json.loads(sys.argv[1])))
