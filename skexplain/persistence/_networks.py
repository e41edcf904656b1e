"""The network of an estimator from a file, checked before anything is allocated for it."""

from math import prod
from typing import Any

import numpy as np
import torch

from .._surroundings import isolated_random_state, own_surroundings
from ..estimators._base import BaseExplanationEstimator
from ..estimators._frame import fitted_tokens
from ..exceptions import ModelFileError
from ..training._prepare import module_factory
from ..training._state import restore_trainer

# A network is tried on two samples.  What a file claims about their size is not to fill the memory.
_MAX_FEATURES = 1 << 27


def restore_network(
    estimator: BaseExplanationEstimator, state: dict[str, Any], device: torch.device
) -> None:
    """Restore the network of an estimator that has its parameters and fitted attributes.

    Raises
    ------
    ModelFileError
        If the weights are not those of the estimator's network.
    """
    shape = estimator.input_shape_
    if not all(type(n) is int and n > 0 for n in shape) or prod(shape) > _MAX_FEATURES:
        raise ModelFileError(f"must be for samples of a usual shape, got {shape}.")
    _check_size(estimator, state["weights"])
    # Two samples to try the network on: the least and the largest values, none of the training.
    statistics = estimator.input_statistics_
    ends = [np.broadcast_to(end, (1, *shape)) for end in (statistics.lower, statistics.upper)]
    example = torch.as_tensor(np.concatenate(ends).astype(np.float32), device=device)
    method = estimator._method()
    with own_surroundings(), isolated_random_state(device):
        tokens = fitted_tokens(estimator)
        trainer, _ = estimator._make_trainer(method, example, tokens, state["root"])
        estimator._prepare(trainer, method, monitor=None, once=False)
    try:
        restore_trainer(trainer, state)
    except ValueError as error:
        raise ModelFileError(str(error)) from error
    estimator._keep(trainer)


def _check_size(estimator: BaseExplanationEstimator, weights: dict[str, torch.Tensor]) -> None:
    """Check that the network is no larger than the weights of the file."""
    parameters = estimator._prefixed("module__")
    n_outputs = estimator._n_outputs()
    make = module_factory(estimator.module, parameters, estimator._auto_network, n_outputs)
    try:
        with torch.device("meta"):
            module = make(**parameters)
        sizes = [tensor.numel() for tensor in module.state_dict().values()]
    except Exception:  # a module of one's own need not know torch's device without memory
        return
    given = sum(tensor.numel() for tensor in weights.values())
    if sum(sizes) > given:
        raise ModelFileError(
            f"must hold the weights of module, which has {sum(sizes)}; it holds {given}."
        )
