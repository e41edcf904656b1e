"""Whether layers before the last one of a pretrained network are the better place to correct.

    python benchmarks/correction_layers.py beans FOLDER --rows rows.jsonl --seeds 0 1
    python benchmarks/correction_layers.py leaves FOLDER --rows rows.jsonl --seeds 0 1
    python benchmarks/correction.py show --rows rows.jsonl

The photographs, heads and tests are those of correction.py.
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from correction import (
    BLOCK,
    N_COPIES,
    Recorder,
    accuracies,
    beans,
    fit_head,
    leaves,
    load_efficientnet,
)
from torch import nn

from skexplain.correction import CorrectedClassifier

METHODS = {
    "project, last layer": {"method": "project"},
    "project, layer chosen": {"method": "project", "layer": "auto"},
    "auto, last layer": {"method": "auto"},
    "auto, layer chosen": {"method": "auto", "layer": "auto"},
}


class Pooled(nn.Module):
    """Mean-pooled features, computed anew at each pass, so that all layers run."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        """Return features, shape (n_samples, n_features)."""
        x = ((x - 127) / 128).contiguous(memory_format=torch.channels_last)
        return self.network.extract_features(x).mean((2, 3))


def measure(record, body, seed, X, y, mask, marks, tests):
    """Correct a network at the last layer, and at the one that is chosen."""
    with torch.no_grad():
        parts = [
            body(torch.from_numpy(X[s : s + BLOCK].astype(np.float32)))
            for s in range(0, len(X), BLOCK)
        ]
    module = nn.Sequential(body, fit_head(torch.cat(parts).numpy(), y))
    if "labels alone" not in record.done:
        record("labels alone", **accuracies(module, tests))
    with tempfile.TemporaryDirectory() as cache:
        common = {"n_copies": N_COPIES, "random_state": seed, "seen": True, "cache": cache}
        for name, params in METHODS.items():
            if name in record.done:
                continue
            start = time.process_time()
            clf = CorrectedClassifier(module, mask_marks=marks, **common, **params)
            clf.fit(X, y, mask=mask)
            seconds = time.process_time() - start
            report = clf.report_
            record(
                name,
                **accuracies(clf.module_, tests),
                seconds=seconds,
                choice=f"{clf.method_} {clf.n_directions_} {report.layer}",
                is_repair=report.is_repair,
                gain=report.gain,
                candidates=report.candidates,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", choices=("beans", "leaves"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=range(2))
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    body = Pooled(load_efficientnet().network)
    for seed in options.seeds:
        make = {"beans": beans, "leaves": leaves}[options.data]
        X, y, mask, _, _, tests = make(options.folder, seed)
        marks = "relevant" if options.data == "leaves" else "irrelevant"
        record = Recorder(options.rows, options.data, seed)
        measure(record, body, seed, X, y, mask, marks, tests)


if __name__ == "__main__":
    main()
