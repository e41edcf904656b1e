"""What training has made of a network, as plain values, and a trainer in that state again."""

from dataclasses import replace
from typing import Any

import torch
from skorch.history import History
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

from ._method import Term
from ._processes import Processes
from ._trainer import Trainer


def trainer_state(trainer: Trainer) -> dict[str, Any]:
    """Return the state of a trainer: numbers, text and tensors, nothing of the samples.

    Parameters
    ----------
    trainer : Trainer

    Returns
    -------
    dict of str to object
    """
    return {
        "root": trainer.streams.root,
        "settings": dict(trainer.optimizer_parameters),
        "automatic": {term.name for term in trainer.method.terms if term.alpha == "auto"},
        "weights": dict(trainer.module_.state_dict()),
        "optimizers": [optimizer.state_dict() for optimizer in _optimizers(trainer)],
        "history": list(trainer.history),
        "alphas": dict(trainer.alphas_),
        "unsettled": set(trainer.unsettled_),
        "reduction": trainer.reduction.tensors(),
        "schedules": dict(trainer.schedules_),
    }


def restore_trainer(trainer: Trainer, state: dict[str, Any]) -> None:
    """Put a new trainer, of the same network and method, in a state.

    Parameters
    ----------
    trainer : Trainer
        Changed in place.
    state : dict of str to object
        As `trainer_state` returned it.

    Raises
    ------
    ValueError
        If the weights are not those of the network.
    """
    _check_weights(trainer.module_, state["weights"])
    weights = trainer.module_.state_dict()  # knows the versions of the layers, unlike a file
    weights.update(state["weights"])
    trainer.module_.load_state_dict(weights)
    trainer.module_.eval()
    for optimizer, saved in zip(_optimizers(trainer), state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
        _lay_out_as_parameters(optimizer)
    trainer.history = History(state["history"])
    trainer.alphas_, trainer.unsettled_ = state["alphas"], state["unsettled"]
    trainer.reduction.restore(state["reduction"])
    trainer.schedules_ = state["schedules"]
    # Parameters may have been set after the training: a later one is to find what has changed.
    trainer.optimizer_parameters = state.get("settings", trainer.optimizer_parameters)
    if "automatic" in state:
        trainer.method = replace(trainer.method, terms=_as_trained(trainer, state["automatic"]))


def share_state(trainer: Trainer, processes: Processes | None) -> None:
    """Put the trainers of all processes in the state of the first one's, before they go on.

    Parameters
    ----------
    trainer : Trainer
        Changed in place.
    processes : Processes or None
        None: there is no other one.

    Raises
    ------
    ValueError
        If their networks have other shapes.
    """
    if processes is None:
        return
    optimizers = _optimizers(trainer)
    states = [optimizer.state_dict() for optimizer in optimizers]
    state = [trainer.module_.state_dict(), *states]
    if optimizers:
        state.append(trainer.reduction.tensors())
    tensors = [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]
    processes.copy_first(tensors, trainer.device)
    plain = {name: getattr(trainer, name) for name in _PLAIN}
    # Of an optimizer the rates, say, that a schedule has reached.
    numbers = tree_map_only(torch.Tensor, lambda _: None, states)
    first = processes.gather_objects((trainer.streams.root, plain, numbers))[0]
    trainer.streams.root = first[0]
    vars(trainer).update(first[1])
    for optimizer, own, of_first in zip(optimizers, states, first[2], strict=True):
        pairs = zip(own["param_groups"], of_first["param_groups"], strict=True)
        own["param_groups"] = [{key: mine.get(key) for key in theirs} for mine, theirs in pairs]
        optimizer.load_state_dict(tree_map(_tensor_or_first, own, of_first))
        _lay_out_as_parameters(optimizer)


def _as_trained(trainer: Trainer, automatic: set[str]) -> tuple[Term, ...]:
    """Return the terms with the weights that were in force."""
    alphas: dict[str, Any] = {**trainer.alphas_, **dict.fromkeys(automatic, "auto")}
    return tuple(replace(term, alpha=alphas.get(term.name, 0.0)) for term in trainer.method.terms)


# What training changes besides tensors and optimizers.
_PLAIN = ("history", "alphas_", "unsettled_", "schedules_", "optimizer_parameters")


def _tensor_or_first(own: Any, of_first: Any) -> Any:
    return own if isinstance(own, torch.Tensor) else of_first


def _optimizers(trainer: Any) -> list[torch.optim.Optimizer]:
    both = (trainer.optimizer_, trainer.mapping_optimizer_)
    return [optimizer for optimizer in both if optimizer is not None]


def _lay_out_as_parameters(optimizer: torch.optim.Optimizer) -> None:
    """Lay the state of each parameter out as the parameter: fused kernels take it for granted."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def _check_weights(module: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Check that the weights are those of the module, by name, shape and dtype."""
    own = {name: _kind(tensor) for name, tensor in module.state_dict().items()}
    given = {name: _kind(tensor) for name, tensor in weights.items()}
    differ = sorted(name for name in own.keys() | given.keys() if own.get(name) != given.get(name))
    if differ:
        name = differ[0]
        raise ValueError(
            f"must hold the weights of module: {len(differ)} of {len(own)} tensors differ, first "
            f"{name!r}, in the module {own.get(name, 'missing')} and in the file "
            f"{given.get(name, 'missing')}."
        )


def _kind(tensor: torch.Tensor) -> str:
    return f"{tensor.dtype} of shape {tuple(tensor.shape)}"
