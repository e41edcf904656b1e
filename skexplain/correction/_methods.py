"""How a network is corrected: directions taken out of its features, or a new head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from torch import nn
from torch.nn.utils import skip_init

from .._surroundings import one_thread_for_products
from ._directions import leading_directions, readout
from ._evaluation import Splice
from ._material import Material
from ._network import Network, Site
from ._splice import Projection

PROJECTIONS = ("project", "oblique", "reactive")
METHODS = (*PROJECTIONS, "refit_head", "finetune")
# Inverse strengths among which a new head is chosen.
_STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
# How much more strongly it is penalised along the directions in which a swap moves features.
_ALONG_SWAPS = (1.0, 10.0, 100.0, 1000.0)


class HeadPenalty(NamedTuple):
    """Ridge penalty of a new head, on standardised features.

    Attributes
    ----------
    strength : float
        Inverse strength, as C of scikit-learn.
    along_swaps : float, default=0.0
        The penalty of weights w is ``|w|^2 + along_swaps * mean((w . d)^2)`` with the differences d
        between features of samples and of their swapped copies.
    """

    strength: float
    along_swaps: float = 0.0


def make_projection(
    method: str, n_directions: int, directions: np.ndarray, material: Material, site: Site
) -> Projection:
    """Make the layer that takes the leading directions out.

    Parameters
    ----------
    method : {"project", "oblique", "reactive"}
        How.
    n_directions : int
        How many; fewer where there are not so many.
    directions : ndarray of shape (n_channels, k)
        All of them.
    material : Material
        Gives mean, covariances and what a detector learns from.
    site : Site
        Where it stands.

    Returns
    -------
    Projection
    """
    taken = directions[:, :n_directions]
    copies = material.swapped.reshape(-1, taken.shape[0])
    weight = material.weight_of_sets(1 + len(material.swapped))
    mean = np.average(np.concatenate([material.clean, copies]), axis=0, weights=weight)
    read = readout(taken)
    detector = None
    if method == "oblique":
        read = readout(taken, material.whiten, material.of_targets)
    elif method == "reactive":
        detector = _fit_detector(material)
    v, m, centre = (
        torch.tensor(np.ascontiguousarray(array), dtype=torch.float32)
        for array in (taken, read, mean)
    )
    return Projection(v, m, centre, site.channel_axis, detector)


def _fit_detector(material: Material) -> tuple[torch.Tensor, float]:
    """Fit a linear detector of the samples that have something marked."""
    marked = material.marked
    if min(marked.sum(), (~marked).sum()) < 2:
        raise ValueError(
            f"mask must mark something in some samples and nothing (zeros) in others for method="
            f'"reactive", which learns to distinguish these; got {marked.sum()} samples with and '
            f"{(~marked).sum()} without a mark."
        )
    weight = material.sample_weight
    mean, sd = _scale(material.clean, weight)
    fitted = LogisticRegression(max_iter=1000, class_weight="balanced").fit(
        (material.clean - mean) / sd, marked, weight
    )
    coefficients = fitted.coef_[0] / sd
    intercept = float(fitted.intercept_[0] - coefficients @ mean)
    return torch.tensor(coefficients, dtype=torch.float32), intercept


def check_all_classes(material: Material, method: str) -> None:
    """Check that there are samples of all classes to train on.

    Raises
    ------
    ValueError
        If the annotated samples lack a class.
    """
    n_found = len(np.unique(material.labels))
    if n_found < material.n_classes:
        raise ValueError(
            f"mask must annotate samples of all {material.n_classes} classes for method="
            f'"{method}", got {n_found} classes.'
        )


def fit_head(
    material: Material, network: Network, site: Site, penalty: HeadPenalty, clean_share: float
) -> nn.Linear:
    """Fit the last linear layer anew, on features of swapped copies.

    Parameters
    ----------
    material : Material
        With labels.
    network : Network
        Whose head it replaces.
    site : Site
        Of the head.
    penalty : HeadPenalty
    clean_share : float
        Weight of a sample as it is beside its copies.

    Returns
    -------
    nn.Linear
    """
    check_all_classes(material, "refit_head")
    with one_thread_for_products:  # with the weights of few classes
        design = _Design(material, clean_share, penalty.along_swaps > 0)
        coefficients, intercept = design.fit(penalty)
    # The site of a head is that of a linear layer, see Network.find_site.
    old = cast(nn.Linear, network.module.get_submodule(site.layer))
    n_outputs = old.out_features
    if len(coefficients) == 1 and n_outputs == 2:  # of two classes: one difference of logits
        coefficients = np.concatenate([-coefficients, coefficients]) / 2
        intercept = np.concatenate([-intercept, intercept]) / 2
    kind: Any = {"device": old.weight.device, "dtype": old.weight.dtype}
    # Not initialised: that would draw from torch's global state, amid the fits of other threads.
    head: nn.Linear = skip_init(nn.Linear, old.in_features, n_outputs, **kind)
    head.train(old.training)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(coefficients))
        head.bias.copy_(torch.from_numpy(intercept))
    return head


class _Design:
    """Standardised features and labels that a new head is fitted to, for several penalties.

    Samples without copies reward the shortcut.  So they weigh no more than the others, unless the
    penalty along swaps keeps the head from using it: then each weighs as much as any sample.

    Parameters
    ----------
    material : Material
        With labels.
    clean_share : float
        Weight of a sample as it is beside its copies.
    along_swaps : bool
        Whether there will be a penalty along swaps.
    """

    def __init__(self, material: Material, clean_share: float, along_swaps: bool) -> None:
        d = material.clean.shape[1]
        features = [material.swapped.reshape(-1, d)]
        features += [material.clean] if clean_share else []
        features += [material.other_features] if len(material.other_codes) else []
        if along_swaps:
            material = replace(material, others_weight=1.0)
        self.codes, self.weight = row_weights(material, clean_share)
        x = np.concatenate(features)
        self.mean, self.sd = _scale(x, self.weight)
        # As the head computes; the fits take half as long.
        x -= self.mean
        x /= self.sd
        self.x = x.astype(np.float32)
        if along_swaps:
            differences = material.differences() / self.sd
            directions = leading_directions(differences, min(differences.shape))
            self.variances = ((differences @ directions) ** 2).mean(0).astype(np.float32)
            self.directions = directions.astype(np.float32)

    def fit(self, penalty: HeadPenalty) -> tuple[np.ndarray, np.ndarray]:
        """Fit logistic regression; return coefficients and intercepts for features as they are."""
        fitted = LogisticRegression(C=penalty.strength, tol=1e-3, max_iter=1000)
        fitted.fit(self._shrunk(self.x, penalty), self.codes, self.weight)
        coefficients = self._shrunk(fitted.coef_, penalty) / self.sd
        return coefficients, fitted.intercept_ - coefficients @ self.mean

    def _shrunk(self, rows: np.ndarray, penalty: HeadPenalty) -> np.ndarray:
        """Multiply by the inverse root of the penalty's matrix, which makes it a plain ridge."""
        if not penalty.along_swaps:
            return rows
        scales = 1 / np.sqrt(1 + np.float32(penalty.along_swaps) * self.variances) - 1
        return rows + ((rows @ self.directions) * scales) @ self.directions.T


def row_weights(material: Material, clean_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and weights of copies, of the samples as they are, and of all others.

    Parameters
    ----------
    material : Material
        With labels.
    clean_share : float
        Weight of a sample as it is; its copies have the rest of 1.  With 0 it is left out.

    Returns
    -------
    codes : ndarray of int
        Of the copies, one set after the other; of the samples as they are; of the others.
    weight : ndarray of float
    """
    labels, other_codes = material.labels, material.other_codes
    n_copies, m, n_others = len(material.swapped), len(labels), len(other_codes)
    own = np.ones(m) if material.sample_weight is None else material.sample_weight
    codes, weights = (
        [np.tile(labels, n_copies)],
        [np.tile((1 - clean_share) / n_copies * own, n_copies)],
    )
    if clean_share:
        codes.append(labels)
        weights.append(clean_share * own)
    if n_others:
        of_others = material.other_sample_weight
        of_others = np.ones(n_others) if of_others is None else of_others
        codes.append(other_codes)
        factor = material.others_weight
        if factor is None:
            factor = min(1.0, own.sum() / of_others.sum()) if of_others.any() else 1.0
        weights.append(factor * of_others)
    return np.concatenate(codes), np.concatenate(weights)


def _scale(features: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    share = np.full(len(features), 1 / len(features)) if weight is None else weight / weight.sum()
    mean = share @ features
    sd = np.sqrt(share @ (features - mean) ** 2)
    return mean, np.where(sd > 0, sd, 1.0)


def choose_penalty(material: Material, clean_share: float) -> HeadPenalty:
    """Choose the ridge penalty of a new head by the log loss on copies of samples left out.

    Where there are samples without copies, a penalty along swaps is among the candidates: its
    factor is chosen at the weakest ridge penalty, and then the strength of this.

    Parameters
    ----------
    material : Material
        With labels.
    clean_share : float
        Weight of a sample as it is beside its copies.

    Returns
    -------
    HeadPenalty
    """
    parts = []
    for train, test in folds(material.labels, n_folds=3):
        held_out = material.swapped[:, test].reshape(-1, material.clean.shape[1])
        parts.append((material.take(train), held_out, material.take(test)))

    def best_of(penalties: list[HeadPenalty]) -> tuple[float, HeadPenalty]:
        def losses_of(fold: tuple[Material, np.ndarray, Material]) -> list[float]:
            part, held_out, test = fold
            design = _Design(part, clean_share, penalties[0].along_swaps > 0)
            heads = [design.fit(penalty) for penalty in penalties]
            return [_log_loss(held_out @ w.T + intercept, test) for w, intercept in heads]

        losses = np.sum(on_threads(losses_of, parts), axis=0)
        return losses.min(), penalties[int(losses.argmin())]

    loss, best = best_of([HeadPenalty(strength) for strength in _STRENGTHS])
    others = material.other_sample_weight
    has_others = len(material.other_codes) and (others is None or others.any())
    if has_others and (material.clean != material.swapped).any():
        _, chosen = best_of([HeadPenalty(_STRENGTHS[-1], factor) for factor in _ALONG_SWAPS])
        other_loss, other = best_of(
            [HeadPenalty(strength, chosen.along_swaps) for strength in _STRENGTHS]
        )
        if other_loss < loss:
            return other
    return best


def _log_loss(logits: np.ndarray, material: Material) -> float:
    """Return the sum of the log losses on the copies of samples."""
    codes = np.tile(material.labels, len(material.swapped))
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
    losses = torch.from_numpy(logits).logsumexp(1).numpy() - logits[np.arange(len(codes)), codes]
    weight = material.weight_of_sets(len(material.swapped))
    return float(losses.sum() if weight is None else weight @ losses)


def folds(codes: np.ndarray, n_folds: int = 5) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split samples into folds, as many of each class in each as can be.

    Raises
    ------
    ValueError
        If a class has fewer than two samples.
    """
    least = int(np.unique(codes, return_counts=True)[1].min())
    if least < 2:
        raise ValueError(
            "mask must annotate at least two samples of each class that it annotates, for a "
            "cross-validation; got a class with one."
        )
    splitter = StratifiedKFold(min(n_folds, least), shuffle=True, random_state=0)
    return list(splitter.split(codes, codes))


def on_threads(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return what a function returns for each item, computed on two threads if torch uses several.

    Parameters
    ----------
    function : callable
        Spends its time outside of Python.
    items : sequence
        Its arguments.

    Returns
    -------
    list
    """
    # More than two would each hold a copy of the features.
    with one_thread_for_products, ThreadPoolExecutor(min(2, torch.get_num_threads())) as pool:
        return list(pool.map(function, items))


def as_splice(layer: nn.Module, site: Site, network: Network) -> Splice:
    """Return a layer as a correction at a site, where the network computes."""
    layer = layer.to(network.device, network.dtype)
    return Splice(layer, "instead" if isinstance(layer, nn.Linear) else site.where, site)
