"""Memory of a fit on 10,000 photographs of 224 x 224 pixels that lie in a file.

    python benchmarks/pictures.py [--samples 10000] [--module patches | auto] [--folder FOLDER]

Photographs and masks are written to memory maps of uint8 (1.5 GB) and bool (0.5 GB), then a swap
is trained on them for one epoch.  Printed are the peak of the private memory above what the process
had after a fit of one batch, in which the network, its gradients and what torch loads late are
there already, and the peak of all memory of the process, pages of the mapped files included, which
the system takes back when others need them.
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from _memory_use import PeakMemory, private_megabytes
from torch import nn

from skexplain import SwapExClassifier

SIDE, N_CLASSES, BATCH_SIZE, CHUNK = 224, 4, 64, 256


def write_pictures(folder, n_samples):
    """Write noise whose brightness tells the class, and boxes as masks; return both and labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n_samples)
    shape = (n_samples, 3, SIDE, SIDE)
    X = np.lib.format.open_memmap(Path(folder, "X.npy"), "w+", np.uint8, shape)
    mask = np.lib.format.open_memmap(Path(folder, "mask.npy"), "w+", bool, (n_samples, SIDE, SIDE))
    for start in range(0, n_samples, CHUNK):
        part = slice(start, start + CHUNK)
        noise = rng.integers(100, size=X[part].shape, dtype=np.uint8)
        X[part] = noise + 40 * y[part, None, None, None].astype(np.uint8)
        mask[part, : SIDE // 4] = True
    return X, mask, y


def make_classifier(module):
    if module == "patches":  # little beside its input, so that the data's share is seen
        module = nn.Sequential(
            nn.Conv2d(3, 16, 16, stride=16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 196, N_CLASSES)
        )
    return SwapExClassifier(
        module, max_epochs=1, batch_size=BATCH_SIZE, device="cpu", random_state=0
    )


def measure(module, folder, n_samples):
    torch.set_num_threads(1)
    X, mask, y = write_pictures(folder, n_samples)
    del X, mask  # the pages that were written
    X, mask = (np.load(Path(folder, f"{name}.npy"), mmap_mode="r") for name in ("X", "mask"))
    few = np.unique(y, return_index=True)[1].repeat(BATCH_SIZE // N_CLASSES)
    make_classifier(module).fit(X[few], y[few], mask=mask[few])
    before, start = private_megabytes(), time.perf_counter()
    with PeakMemory() as peak:
        clf = make_classifier(module).fit(X, y, mask=mask)
    seconds = time.perf_counter() - start
    whole = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"{n_samples} photographs, {X.nbytes / 1e6:.0f} MB, masks {mask.nbytes / 1e6:.0f} MB")
    print(f"private memory before: {before:.0f} MB; risen by {peak.megabytes:.0f} MB")
    print(f"largest memory of the process, mapped pages included: {whole:.0f} MB")
    print(f"seconds: {seconds:.0f}; loss {clf.history_[-1, 'train_loss']:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--module", choices=("patches", "auto"), default="patches")
    parser.add_argument("--folder", type=Path, help="where the maps are written for a while")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        measure(options.module, folder, options.samples)
