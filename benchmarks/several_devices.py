"""Time of a fit that several processes share, a JSON line per method.

    python benchmarks/several_devices.py
    ACCELERATE_USE_CPU=true torchrun --nproc_per_node 2 benchmarks/several_devices.py

Six convolutions are trained on 512 images of 3x48x48 in batches of 64.  The first process prints
its seconds and its processor seconds, with one thread each.
"""

import argparse
import json
import time

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn

import skexplain

METHODS = {
    "ERM": "ERMClassifier",
    "swap": "SwapExClassifier",
    "Grad-Reg": "GradRegClassifier",
    "PGD-Ex": "PGDExClassifier",
}


def make_network(n_outputs):
    layers = []
    for width, out in [(3, 16), (16, 16), (16, 32), (32, 32), (32, 64), (64, 64)]:
        layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU()]
        if out != width:
            layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, n_outputs))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=512)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    accelerator = Accelerator()
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=options.samples)
    X = rng.normal(size=(options.samples, 3, 48, 48)).astype(np.float32) + y[:, None, None, None]
    mask = np.zeros((1, 48, 48), dtype=bool)
    mask[:, :24] = True
    for name, kind in METHODS.items():
        clf = getattr(skexplain, kind)(
            make_network, max_epochs=1, random_state=0, device="accelerate"
        )
        for _ in range(options.repeats):
            start = time.perf_counter(), time.process_time()
            clf.fit(X, y, mask=mask)
            end = time.perf_counter(), time.process_time()
            row = {"method": name, "processes": accelerator.num_processes}
            row |= {"seconds": end[0] - start[0], "processor_seconds": end[1] - start[1]}
            if accelerator.is_main_process:
                print(json.dumps(row), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
