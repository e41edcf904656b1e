"""How much longer a fit takes than a torch loop by hand that makes the same passes.

    python benchmarks/fit_overhead.py [--repeats 7] [--json FILE]

Every figure is a ratio within one run: estimator and loops take turns on one thread, and the median
over the turns is reported.  Two loops stand for two users: one writes plain Adam, the other has
tuned it by hand (``fused=True``).  Both get tensors and start from the same module; the estimator
validates its data, measures units and range, and keeps a history, all inside its time.
"""

import argparse
import copy
import json
import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
)

BATCH_SIZE, N_CLASSES, EPSILON, N_STEPS = 64, 10, 2.0, 5
STEPS = {"MLP": 120, "CNN": 30}


def perceptron():
    return nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, N_CLASSES)
    )


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, N_CLASSES),
    )


NETWORKS = {"MLP": (perceptron, (784,)), "CNN": (convolutional, (1, 28, 28))}


# -- steps by hand --------------------------------------------------------------------------------


def erm_loss(model, x, y, a):
    return functional.cross_entropy(model(x), y)


def grad_reg_loss(model, x, y, a):
    x.requires_grad_()
    logits = model(x)
    (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), x, create_graph=True)
    penalty = (a * gradient).square().flatten(1).sum(1).mean()
    return functional.cross_entropy(logits, y) + penalty


def attack(model, x, y, a):
    """Projected gradient ascent in a box around x, inside the data's range."""
    low = torch.where(a > 0, (x - EPSILON * a).clamp(min=-4.0), x)
    high = torch.where(a > 0, (x + EPSILON * a).clamp(max=4.0), x)
    step = 2.5 / N_STEPS * (high - low) / 2
    moved = low + torch.rand_like(x) * (high - low)
    for _ in range(N_STEPS):
        moved = moved.detach().requires_grad_()
        loss = functional.cross_entropy(model(moved), y, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, moved)
        moved = (moved + step * gradient.sign()).clamp(low, high)
    return moved.detach()


def pgd_loss(model, x, y, a):
    moved = attack(model, x, y, a)
    return erm_loss(model, x, y, a) + functional.cross_entropy(model(moved), y)


def pgd_grad_loss(model, x, y, a):
    moved = attack(model, x, y, a)
    return erm_loss(model, x, y, a) + grad_reg_loss(model, moved, y, a)


def run_loop(loss_function, model, X, y, a, epochs, fused):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=fused or None)
    for _ in range(epochs):
        for index in torch.randperm(len(X)).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss_function(model, X[index], y[index], a[index]).backward()
            optimizer.step()


def run_two_stage(model, X, y, a, epochs, fused):
    extractor, head = model[:-1], model[-1]
    mapping = nn.Linear(head.in_features, head.in_features)
    everything = [*model.parameters(), *mapping.parameters()]
    first = torch.optim.Adam(everything, lr=1e-3, fused=fused or None)
    second = torch.optim.Adam(mapping.parameters(), lr=1e-3, fused=fused or None)
    for _ in range(epochs):
        for index in torch.randperm(len(X)).split(BATCH_SIZE):
            x = X[index]
            first.zero_grad()
            functional.cross_entropy(head(mapping(extractor(x))), y[index]).backward()
            first.step()
            with torch.no_grad():
                target = extractor(x * (1 - a[index])).log_softmax(1)
                features = extractor(x)
            second.zero_grad()
            mapped = mapping(features).log_softmax(1)
            (target.exp() * (target - mapped)).sum(1).mean().backward()
            second.step()


def loop_of(loss_function):
    def run(*args):
        run_loop(loss_function, *args)

    return run


METHODS = {
    "ERM": (ERMClassifier(), loop_of(erm_loss)),
    "Grad-Reg": (GradRegClassifier(), loop_of(grad_reg_loss)),
    "PGD-Ex": (PGDExClassifier(epsilon=EPSILON, n_steps=N_STEPS), loop_of(pgd_loss)),
    "PGD-Ex + Grad-Reg": (
        PGDExClassifier(epsilon=EPSILON, n_steps=N_STEPS, grad_alpha=1.0),
        loop_of(pgd_grad_loss),
    ),
    "Two-stage": (TwoStageExplanationClassifier(), run_two_stage),
}


# -- measuring ------------------------------------------------------------------------------------


def seconds(function, *args, **kwargs):
    start = time.perf_counter()
    function(*args, **kwargs)
    return time.perf_counter() - start


def measure(method, network, n_rows, epochs, repeats):
    """Seconds of the estimator and of both loops, taking turns."""
    estimator, loop = METHODS[method]
    make, shape = NETWORKS[network]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, *shape)).astype(np.float32)
    y = rng.integers(N_CLASSES, size=n_rows)
    mask = rng.random((n_rows, *shape)) > 0.5
    tensors = torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(mask).float()
    model = make()
    estimator.set_params(
        module=model, batch_size=BATCH_SIZE, max_epochs=epochs, device="cpu", random_state=0
    )
    times = {"estimator": [], "plain": [], "fused": []}
    for turn in range(repeats + 1):
        taken = {
            "estimator": seconds(estimator.fit, X, y, mask=mask),
            "plain": seconds(loop, copy.deepcopy(model), *tensors, epochs, False),
            "fused": seconds(loop, copy.deepcopy(model), *tensors, epochs, True),
        }
        if turn:  # the first turn warms up
            for name, value in taken.items():
                times[name].append(value)
    return times


def ratio(times, loop):
    """Median over the turns of estimator / loop."""
    pairs = zip(times["estimator"], times[loop], strict=True)
    return statistics.median(ours / theirs for ours, theirs in pairs)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    parser.add_argument("--rows", type=int, nargs="+", default=[100, 2000])
    parser.add_argument("--json", help="write all times to this file")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print("| method | network | rows | / plain Adam | / fused Adam | seconds |")
    print("|---|---|---|---|---|---|")
    results = []
    for network in arguments.networks:
        for n_rows in arguments.rows:
            # A hundred steps or so, so that set-up counts about as in a short fit of a user's.
            epochs = max(2, STEPS[network] * BATCH_SIZE // n_rows)
            for method in arguments.methods:
                times = measure(method, network, n_rows, epochs, arguments.repeats)
                results.append({"method": method, "network": network, "rows": n_rows, **times})
                print(
                    f"| {method} | {network} | {n_rows} | {ratio(times, 'plain'):.2f} | "
                    f"{ratio(times, 'fused'):.2f} | {statistics.median(times['estimator']):.3f} |",
                    flush=True,
                )
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
