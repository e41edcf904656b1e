"""Other packages on the same task."""

import statistics

import numpy as np
import torch
from _benchmark import Benchmark, Column
from _data import BATCH_SIZE, SHAPES, make_data, make_network
from _methods import PLAIN
from _timing import ratio, take_turns

from skexplain.inspection import saliency

_ROWS_AT_A_TIME = 256  # as many as saliency takes
_N_POINTS = 20


def measure(options):
    for network, shape in SHAPES.items():
        data = make_data(100 if options.quick else 2_000, shape)
        for task, goal, contestants_for in _TASKS:
            row = {"task": task, "network": network}
            try:
                contestants = contestants_for(network, data, options)
            except ImportError as error:
                yield row | {"note": f"left out: {error.name} is not installed"}
                continue
            times = take_turns(contestants, options)
            yield row | {
                "seconds": statistics.median(times["ours"]),
                "ratio": ratio(times["ours"], times["peer"]),
                "goal": goal,
            }


def _fits(network, data, options):
    """Fit the plain network by skorch."""
    from skorch import NeuralNetClassifier

    model, epochs = make_network(network), 1 if options.quick else 3
    ours = PLAIN.prepare(model, options.device, max_epochs=epochs)
    peer = NeuralNetClassifier(
        model,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=epochs,
        batch_size=BATCH_SIZE,
        iterator_train__shuffle=True,
        train_split=None,
        device=options.device,
        verbose=0,
    )
    return {
        "ours": lambda: ours.fit(data.X, data.y),
        "peer": lambda: peer.fit(data.X, data.y),
    }


def _input_gradients(network, data, options):
    """Map the gradient of the predicted class's logit by captum."""
    from captum.attr import Saliency

    return _maps(
        lambda module: Saliency(module).attribute,
        {"method": "input_gradient"},
        {"abs": False},
        network,
        data,
        options,
    )


def _integrated_gradients(network, data, options):
    from captum.attr import IntegratedGradients

    return _maps(
        lambda module: IntegratedGradients(module).attribute,
        {"method": "integrated_gradients", "baseline": 0.0, "n_steps": _N_POINTS},
        {"n_steps": _N_POINTS, "internal_batch_size": _ROWS_AT_A_TIME},
        network,
        data,
        options,
    )


def _maps(attribute_of, our_parameters, their_parameters, network, data, options):
    classifier = PLAIN.prepare(
        make_network(network), options.device, max_epochs=1, input_unit="input"
    )
    classifier.fit(data.X, data.y)
    module, classes = classifier.module_, classifier.predict(data.X)
    attribute = attribute_of(module)

    def ours():
        return saliency(classifier, data.X, output="logit", **our_parameters)

    def peer():
        batches = zip(
            torch.from_numpy(data.X).to(options.device).split(_ROWS_AT_A_TIME),
            torch.from_numpy(classes).to(options.device).split(_ROWS_AT_A_TIME),
            strict=True,
        )
        maps = [
            attribute(x.requires_grad_(), target=y, **their_parameters).detach().cpu()
            for x, y in batches
        ]
        return torch.cat(maps).numpy()

    np.testing.assert_allclose(ours(), peer(), atol=1e-3)
    return {"ours": ours, "peer": peer}


#: Task with the peer, goal and what makes the contestants.
_TASKS = (
    ("fit of ERM / skorch with its DataLoader", 1.0, _fits),
    ("input gradients / captum's Saliency", 1.1, _input_gradients),
    (f"integrated gradients, {_N_POINTS} points / captum's", 1.1, _integrated_gradients),
)

BENCHMARK = Benchmark(
    title="Other packages",
    text=(
        "Time / that of another package on the same task with the same network, 2,000 rows: an ERM "
        "fit of 3 epochs against skorch's `NeuralNetClassifier`, maps of the predicted class's "
        "logit against captum's. A Grad-Reg epoch of code in the manner of autograd is known to "
        "take 2.4 times as long as a torch loop."
    ),
    columns=(
        Column("task", "task"),
        Column("network", "network"),
        Column("seconds", "seconds", ".3f"),
        Column("ratio", "ratio", ".2f"),
        Column("note", "note"),
    ),
    judged="ratio",
    measure=measure,
)
