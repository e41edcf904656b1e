"""Random streams of a fit: each purpose has its own."""

from functools import lru_cache
from inspect import isfunction
from typing import Any

import numpy as np
import torch

from ._architectures import mode_matters
from ._label_losses import OwnLoss

# The order is part of every seed: append, never insert.
_PURPOSES = (
    *("module", "mapping", "split", "order", "penalised", "donors", "layers"),
    *("augment", "augment_penalised", "augment_donors"),
)
# The keys of penalties begin here.
_PENALTIES = 1007

# A seed alone, between the steps of two epochs, takes as long as eight that are drawn together.
_BLOCK = 8


@lru_cache(1024)
def _seeds(root: int, purpose: str, start: int, n_epochs: int) -> list[int]:
    key = [_PURPOSES.index(purpose)] if purpose in _PURPOSES else [_PENALTIES, *purpose.encode()]
    return [
        int(np.random.SeedSequence([root, epoch, *key]).generate_state(1)[0])
        for epoch in range(start, start + n_epochs)
    ]


class Streams:
    """Seeds and generators spawned from one number.

    Every stream is a function of the root seed, its purpose and the epoch.  So epochs trained one
    by one (partial_fit, warm_start) equal epochs trained in one go, nothing has to be stored but
    the root, and drawing more in one stream never shifts another.

    Parameters
    ----------
    root : int
        Seed from which all others follow.
    """

    def __init__(self, root: int) -> None:
        self.root = root

    def seed(self, purpose: str, epoch: int = 0) -> int:
        """Seed of a purpose in an epoch; other purposes than the built-in ones are penalties."""
        start = epoch - (epoch - 1) % _BLOCK if epoch else 0
        return _seeds(self.root, purpose, start, _BLOCK if epoch else 1)[epoch - start]

    def generator(
        self, purpose: str, epoch: int = 0, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        """Generator of a purpose in an epoch."""
        return torch.Generator(device=device).manual_seed(self.seed(purpose, epoch))


def seed_layers(seed: int, device: torch.device | str) -> None:
    """Seed what initialisation and dropout draw from: torch's global generators.

    ``torch.manual_seed`` seeds those of all devices, which takes as long as a small step.
    """
    torch.default_generator.manual_seed(seed)
    device = torch.device(device)
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        torch.cuda.default_generators[index].manual_seed(seed)


def draws_from_the_process(trainer: Any, data: Any) -> bool:
    """Return whether training may draw from torch's global state, as dropout and own code do.

    Parameters
    ----------
    trainer : Trainer
    data : TrainingData
    """
    code = [term.penalty for term in trainer.method.terms]
    code += [getattr(penalty, "perturbation", None) for penalty in code]
    code += [callback for _, callback in trainer.callbacks_]
    ours = ("skexplain.", "skorch.", "builtins")  # builtins: the name of a perturbation, or None
    known = all(type(part).__module__.startswith(ours) and not isfunction(part) for part in code)
    loss = data.frame.label_loss
    return mode_matters(trainer.module_) or isinstance(loss, OwnLoss) or not known
