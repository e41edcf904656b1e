"""Fits of one estimator with several seeds at once."""

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import clone

from .._surroundings import deterministic_algorithms, isolated_random_state, own_surroundings
from .._typing import MaskLike
from ..estimators._base import BaseExplanationEstimator
from ..estimators._swap_check import warn_if_swaps_matter
from ..estimators._tokenizers import check_has_no_tokenizer
from ..penalties._base import defining, is_built_in
from ..training._batches import TrainingData
from ..training._joint import ELEMENTWISE_OPTIMIZERS, JointTrainer
from ..training._method import Method
from ..training._trainer import Trainer

# Samples on which stacked networks are compared with each of them.
_N_PROBES = 8
# What several networks at once go without, and the value that says so.
_ABSENT = {
    "augment": None,
    "penalty_chunk_size": None,
    "compile": False,
    "mixed_precision": False,
    "early_stopping": False,
    "callbacks": None,
    "lr_schedule": "constant",
}
# Perturbations without random numbers, of which each network would draw its own.
_DRAW_NOTHING = ("swap", "blank", "none")


@own_surroundings()
def fit_seeds(
    estimator: BaseExplanationEstimator,
    X: Any,
    y: ArrayLike,
    seeds: Iterable[int],
    *,
    mask: MaskLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> list[Any]:
    """Fit an estimator with several seeds at once.

    The networks are trained as one, whose layers are computed together.  Small networks, whose
    steps take longer to start than to compute, so take much less time than one after the other.
    Each estimator equals its own fit up to rounding: weights, history and the state of its
    optimizer, so that it can be trained on.

    Parameters
    ----------
    estimator : estimator of this package
        It is not changed.
    X : array-like of shape (n_samples, ...)
        Inputs.
    y : array-like of shape (n_samples,)
        Targets.
    seeds : iterable of int
        Values of `random_state`.
    mask : array-like, list of (array-like or None), DataFrame or None, default=None
        As in ``fit``.
    sample_weight : array-like of shape (n_samples,) or None, default=None
        As in ``fit``.

    Returns
    -------
    list of estimators
        Fitted clones of `estimator`, in the order of `seeds`.

    Raises
    ------
    ValueError
        If networks cannot be trained at once.  All that is trained must be ``torch.nn.Linear``, as
        in the built-in perceptron, without dropout or batch norm; the optimizer must move each
        weight by its own gradient; there is no ``alpha="auto"``, augmentation, early stopping,
        callback or schedule of the learning rate; penalties are those of labels, swaps and other
        random perturbations, PGD-Ex, Grad-Reg, input-gradient HINT, influence and two-stage.  If
        perturbed samples replace clean ones, all samples must have something irrelevant; swaps and
        blanks without `grad_alpha` and `annotated_per_batch` may leave out some.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import SwapExClassifier
    >>> from skexplain.model_selection import fit_seeds
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=100)
    >>> X = rng.normal(size=(100, 2)) + 3 * y[:, None]
    >>> mask = np.array([[False, True]])
    >>> fitted = fit_seeds(SwapExClassifier(lr=0.01, max_epochs=20), X, y, range(5), mask=mask)
    >>> [clf.random_state for clf in fitted]
    [0, 1, 2, 3, 4]
    >>> min(clf.score(X, y) for clf in fitted) > 0.8
    True
    """
    _check_estimator(estimator)
    no_list = isinstance(seeds, str) or (isinstance(seeds, np.ndarray) and seeds.ndim == 0)
    if no_list or not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a list of seeds, such as range(5); got {seeds!r}.")
    estimators = [clone(estimator).set_params(random_state=seed) for seed in seeds]
    if not estimators:
        raise ValueError("seeds must hold at least one seed, got none.")
    first = estimators[0]
    prepared: list[tuple[Trainer, TrainingData]] = []
    for own in estimators:
        own._fit(
            X, y, mask, sample_weight, go_on=False, train_by=lambda *pair: prepared.append(pair)
        )
    trainers = [trainer for trainer, _ in prepared]
    method, data = trainers[0].method, prepared[0][1]
    _check_method(method, data, first.annotated_per_batch)
    # Of all samples: the first ones may be alike.
    few = data.index[np.random.default_rng(0).permutation(len(data))[:_N_PROBES]]
    with isolated_random_state(data.device):
        joint = JointTrainer(trainers, data.rows(few).x)
    first._prepare(joint, method, once=False)
    with deterministic_algorithms() if first.deterministic else nullcontext():
        joint.train(data, epochs=first.max_epochs)
    for own, trainer in zip(estimators, trainers, strict=True):
        own._keep(trainer)
        labels = data.targets.numpy(force=True)
        warn_if_swaps_matter(own, data.inputs.array, labels, data.masks, stacklevel=3)
    return estimators


def _check_estimator(estimator: Any) -> None:
    """Check what can be checked before samples are read."""
    check_has_no_tokenizer(estimator, "fit clf.estimator_ on t.ids and t.mask")
    if not isinstance(estimator, BaseExplanationEstimator) or hasattr(estimator, "estimator"):
        raise TypeError(
            f"estimator must be one of the estimators of skexplain that train one network, got "
            f"{type(estimator).__name__}."
        )
    if not is_built_in(defining(type(estimator), "fit")):
        raise TypeError(
            f"estimator must be fitted as those of skexplain are, got {type(estimator).__name__}, "
            f"which has a fit of its own."
        )
    if estimator.device == "accelerate":
        raise ValueError("device must be that of one process for fit_seeds, got 'accelerate'.")
    for name, absent in _ABSENT.items():
        if (given := getattr(estimator, name)) != absent:
            raise ValueError(f"{name} must be {absent!r} for fit_seeds, got {given!r}.")
    if estimator.optimizer not in ELEMENTWISE_OPTIMIZERS:
        names = [optimizer.__name__ for optimizer in ELEMENTWISE_OPTIMIZERS]
        raise ValueError(
            f"optimizer must be one of {names} for fit_seeds, got "
            f"{getattr(estimator.optimizer, '__name__', estimator.optimizer)}."
        )


def _check_method(method: Method, data: TrainingData, per_batch: int | None) -> None:
    """Check that the losses of several networks can be computed at once."""
    if method.reduction is not None:
        raise ValueError("reduction must be the mean for fit_seeds, got group DRO.")
    if data.frame.tokens is not None:
        raise ValueError("X must hold numbers for fit_seeds, got tokens.")
    for term in method.active_terms:
        if not (term.penalty.allows_stacking and is_built_in(type(term.penalty))):
            raise ValueError(
                f"estimator must have penalties that several networks can compute at once for "
                f"fit_seeds; got {term.penalty!r}."
            )
        if term.alpha == "auto":
            raise ValueError('alpha must be a number or "replace" for fit_seeds, got "auto".')
    if method.replaces and 0 < len(data.penalised) < len(data.index):
        _check_partly_replaced(method, data, per_batch)


def _check_partly_replaced(method: Method, data: TrainingData, per_batch: int | None) -> None:
    """Check that samples may be moved that have nothing irrelevant, as nothing comes of it."""
    terms = method.active_terms
    draws = [getattr(term.penalty, "perturbation", "") not in _DRAW_NOTHING for term in terms]
    if any(draws) or len(terms) > 1 or per_batch is not None:
        raise ValueError(
            f"mask must have something irrelevant in all samples, or alpha be a number, for "
            f"fit_seeds; got {len(data.penalised)} of {len(data.index)} samples. With "
            f'alpha="replace" only swaps and blanks without grad_alpha and annotated_per_batch '
            f"can leave out some."
        )
