"""Seconds of a correction of 1,000 photographs of 128 x 128 pixels, with and without features.

    python benchmarks/correction_seconds.py FOLDER --threads 2 --rows rows.jsonl

FOLDER holds the apple leaves of correction.py.  The features are computed in the first fit, and
read from a folder in the others.
"""

import argparse
import json
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from correction import fit_head, leaves_of, load_efficientnet
from correction_layers import Pooled
from torch import nn

from skexplain.correction import CorrectedClassifier

FITS = {
    "refit_head, features included": "refit_head",
    "refit_head, features read": "refit_head",
    "auto, features read": "auto",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--n-samples", type=int, default=1000)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    parts = [leaves_of(options.folder, split) for split in ("train", "test")]
    X, y, leaf = (np.concatenate(values) for values in zip(*parts, strict=True))
    chosen = np.random.default_rng(0).permutation(len(X))[: options.n_samples]
    X, y, leaf = X[chosen], y[chosen], leaf[chosen]
    body = Pooled(load_efficientnet().network)
    few = slice(0, len(X), 10)  # how good the head is has no part in the seconds
    with torch.no_grad():
        features = body(torch.from_numpy(X[few].astype(np.float32))).numpy()
    module = nn.Sequential(body, fit_head(features, y[few]))
    with tempfile.TemporaryDirectory() as cache:
        for name, method in FITS.items():
            wall, cpu = time.perf_counter(), time.process_time()
            clf = CorrectedClassifier(
                module, method=method, mask_marks="relevant", seen=True, cache=cache, random_state=0
            )
            clf.fit(X, y, mask=leaf)
            row = {
                "fit": name,
                "threads": options.threads,
                "n_samples": len(X),
                "n_copies": clf.n_copies,
                "wall": time.perf_counter() - wall,
                "cpu": time.process_time() - cpu,
            }
            with options.rows.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


if __name__ == "__main__":
    main()
