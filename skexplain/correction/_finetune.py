"""The layers behind a site trained further, on swapped copies or with penalties of this package."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..estimators import ERMClassifier
from ..estimators._classifier import BaseExplanationClassifier
from ..masks import Masks
from ..training._tokens import TokenSettings
from ._evaluation import Retrained
from ._methods import check_all_classes, row_weights
from ._network import Network, Site, as_logits, first_tensor
from ._place import Place
from ._sites import Calls

# Of the training, where no estimator is given.
_EPOCHS, _RATE = 30, 1e-3


class _Logits(nn.Module):
    """A whole network that returns logits, one column per class, whatever it returns itself."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute logits."""
        return as_logits(first_tensor(self.layers(x)))


@dataclass
class Finetuning:
    """How the layers behind a site are trained.

    Attributes
    ----------
    trainer : estimator or None
        A classifier of this package.  One without penalties is trained on swapped copies, on their
        features where the network can be cut; one with penalties on the inputs, with masks.
    codes : ndarray of int of shape (n_samples,) or None
        Encoded labels of all samples.
    clean_share : float
        Weight of a sample as it is beside its copies.
    mask_marks : {"irrelevant", "relevant"}
        What a mark of 1 says.
    seed : int
        Of the training, unless the trainer has one of its own.
    weight : ndarray of shape (n_samples,) or None
        Of all samples; None: all alike.
    """

    trainer: Any
    codes: np.ndarray | None
    clean_share: float
    mask_marks: str
    seed: int
    weight: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.trainer is not None and not isinstance(self.trainer, BaseExplanationClassifier):
            raise TypeError(
                f"trainer must be None or a classifier of this package, such as "
                f"SwapExClassifier(max_epochs=10), got {type(self.trainer).__name__}."
            )

    def uses_features(self, place: Place) -> bool:
        """Return whether features are trained on, and no pass of the whole network is needed."""
        trainer = self._make()
        # What moves images does not move features.
        needs_inputs = trainer._method().active_terms or trainer.augment is not None
        return place.tail is not None and not needs_inputs

    def _make(self) -> Any:
        if self.trainer is None:
            trainer = ERMClassifier(lr=_RATE, max_epochs=_EPOCHS)
        else:
            trainer = clone(self.trainer)
        trainer.set_params(mask_marks=self.mask_marks)
        if trainer.random_state is None:
            trainer.set_params(random_state=self.seed)
        return trainer

    def fit(self, place: Place, rows: np.ndarray, head: tuple[str, nn.Module] | None) -> Retrained:
        """Train the layers behind a site.

        Parameters
        ----------
        place : Place
        rows : ndarray of int
            Among the samples that a swap may change: those that are trained on, with all others.
        head : tuple of (str, nn.Module) or None
            Name of the last layer, and what stands in for it at the start.

        Returns
        -------
        Retrained
        """
        material = place.material.take(rows)
        check_all_classes(material, "finetune")
        trainer = self._make()
        learns_from_masks = bool(trainer._method().active_terms)
        module: Any
        if self.uses_features(place):
            tail = place.tail if head is None else place.tail.with_head(*head)  # type: ignore[union-attr]
            module, prefix = copy.deepcopy(tail), place.tail.prefix  # type: ignore[union-attr]
        else:
            module, prefix = _Logits(copy.deepcopy(place.network.module)), ""
            _read_tokens(trainer, place.swaps.copies.tokens)
            if head is not None:
                parent, _, last = head[0].rpartition(".")
                setattr(module.layers.get_submodule(parent), last, copy.deepcopy(head[1]))
        _freeze(module.layers, prefix, later_parameters(place.network, place.site, place.swaps.X))
        # As estimators compute; a network of another precision is given back its own.
        trainer.set_params(module=module.float())
        if learns_from_masks:
            own = place.swaps.rows
            every = np.union1d(np.setdiff1d(np.arange(len(self._codes)), own), own[rows])
            marks = marks_of(place.masks, every)
            weight = None if self.weight is None else self.weight[every]
            trainer.fit(place.swaps.X[every], self._codes[every], mask=marks, sample_weight=weight)
        else:
            x = self._copies(place, rows)
            codes, weight = row_weights(material, self.clean_share)
            trainer.fit(x, codes, sample_weight=weight)
        trained = trainer.module_
        if type(trained) is not type(module):
            raise ValueError(
                f"trainer must leave the layers of the network as they are, without a mapping "
                f"layer; got {trainer!r}."
            )
        old = place.network.module.state_dict()
        new = {
            prefix + name: tensor.detach().cpu().clone()
            for name, tensor in trained.layers.state_dict().items()
        }
        changed = [
            name for name, t in new.items() if not torch.equal(t, old[name].cpu().to(t.dtype))
        ]
        return Retrained(
            {name: new[name].to(old[name].dtype) for name in changed},
            {name: old[name].detach().cpu().clone() for name in changed},
        )

    @property
    def _codes(self) -> np.ndarray:
        if self.codes is None:
            raise ValueError('y must be given with method="finetune", got None.')
        return self.codes

    def _copies(self, place: Place, rows: np.ndarray) -> np.ndarray:
        """Return copies, samples as they are and others, in the order of their weights."""
        if self.uses_features(place):
            parts = [features[rows] for features in place.swapped]
            clean, others = place.clean, place.others
            parts += [clean[rows]] if self.clean_share and clean is not None else []
            parts += [] if others is None else [others]
            return np.concatenate(parts)
        swaps = place.swaps.on(place.swaps.rows[rows])
        parts = [part for k in range(swaps.n_copies) for part in swaps.swapped(k)]
        parts += list(swaps.clean()) if self.clean_share else []
        rest = np.setdiff1d(np.arange(len(self._codes)), place.swaps.rows)
        parts += [swaps.X[rest]] if len(rest) else []
        return np.concatenate(parts)


def later_parameters(network: Network, site: Site, X: np.ndarray) -> set[str]:
    """Return the names of the weights of all layers that run behind a site."""
    module = network.module
    if site.where == "before":
        layers = [site.layer]
    else:
        calls = Calls(network, X[:2])
        end = calls.ends[site.layer]
        layers = [name for name, start in calls.starts.items() if start > end]
    return {
        f"{layer}.{name}" if layer else name
        for layer in layers
        for name, _ in module.get_submodule(layer).named_parameters(recurse=False)
    }


def _read_tokens(trainer: Any, tokens: TokenSettings | None) -> None:
    """Let a trainer read X as tokens where the network that is corrected does."""
    if tokens is None or tokens.embedding_layer is None:
        return
    trainer.set_params(embedding_layer=f"layers.{tokens.embedding_layer}")
    for name in ("pad_id", "mask_id"):
        if getattr(trainer, name) is None:
            trainer.set_params(**{name: getattr(tokens, name)})


def _freeze(layers: nn.Module, prefix: str, trained: set[str]) -> None:
    """Let gradients reach some weights alone; normalisation keeps its statistics, and its own."""
    for name, parameter in layers.named_parameters():
        parameter.requires_grad_(prefix + name in trained)
    for layer in layers.modules():
        if isinstance(layer, _BatchNorm):
            layer.requires_grad_(False)


def marks_of(masks: Masks, rows: np.ndarray) -> Any:
    """Return the marks of some samples as an estimator takes them."""
    if masks.for_all_rows:
        return masks.stored
    marks, annotated = masks.take(rows), masks.annotated[rows]
    if annotated.all():
        return marks
    return [own if is_own else None for own, is_own in zip(marks, annotated, strict=True)]
