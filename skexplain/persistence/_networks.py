"""The network of an estimator from a file, checked before anything is allocated for it."""

from math import prod

import torch

from ..exceptions import ModelFileError
from ..training._prepare import module_factory

# A network is tried on two samples.  What a file claims about their size is not to fill the memory.
_MAX_FEATURES = 1 << 27


def restore_network(estimator, state, device):
    """Give an estimator with its parameters and fitted attributes its network back.

    Raises
    ------
    ModelFileError
        If the weights are not those of the estimator's network.
    """
    shape = estimator.input_shape_
    if not all(type(n) is int and n > 0 for n in shape) or prod(shape) > _MAX_FEATURES:
        raise ModelFileError(f"must be for samples of a usual shape, got {shape}.")
    _check_size(estimator, state["weights"])
    try:
        estimator._restore(state, device)
    except ValueError as error:
        raise ModelFileError(str(error)) from error


def _check_size(estimator, weights):
    """Check that the network is no larger than the weights of the file."""
    parameters = estimator._prefixed("module__")
    make = module_factory(estimator.module, parameters, estimator._auto_network)
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
