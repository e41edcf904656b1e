"""Checks of arguments, on top of scikit-learn's own; a failing call leaves what was learnt."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import is_regressor
from sklearn.utils.validation import _check_sample_weight, validate_data
from torch import nn
from torch.utils.data import Dataset

from .._checks import as_numbers, check_no_dates, check_nothing_hidden, memory_bytes
from ..masks import Masks, interpret_mask
from ..masks._meaning import Marks
from ..masks._statistics import InputStatistics, check_float32
from ..metrics._groups import _sorted, label_codes, row_labels
from ..training._batches import TrainingData
from ..training._method import Method, Term
from ..training._tokens import check_ids
from ._frame import tokens_of
from ._missing import check_none_missing

# What holds several labels of one sample.
_SEVERAL = list | tuple | set
_LARGEST = float(np.finfo(np.float32).max)


def check_inputs(estimator: Any, X: Any, y: Any = "no_validation", reset: bool = True) -> Any:
    """Validate X (and y) without a copy, whatever the numeric dtype.

    Raises
    ------
    ValueError
        If X is no finite dense array with samples, or, at prediction, of another shape than at fit.
    """
    alone = isinstance(y, str) and y == "no_validation"
    if not reset and alone and _passes_at_a_glance(estimator, X):
        return X
    if isinstance(X, dict):
        raise ValueError(
            f"X must be one array with a row per sample, got a dict of {sorted(map(str, X))}: a "
            f"network of several inputs takes them from the columns of one array."
        )
    if isinstance(X, Dataset):
        raise ValueError(
            f"X must be one array with a row per sample, got a {type(X).__name__} of torch: pass "
            f"its inputs as X and its targets as y."
        )
    for name, values in (("X", X), ("y", y)):
        check_nothing_hidden(name, values)
        check_none_missing(name, values)
    if isinstance(y, list) and any(isinstance(row, _SEVERAL) and len(row) != 1 for row in y):
        raise ValueError(
            "y must hold one label per sample, got lists of labels: make an array with a column "
            "for each label, and put sklearn.multioutput.MultiOutputClassifier around the "
            "estimator; of a regressor MultiOutputRegressor."
        )
    shape: Any = getattr(y, "shape", ())
    if len(shape) == 2 and shape[1] > 1:
        kind = "MultiOutputRegressor" if is_regressor(estimator) else "MultiOutputClassifier"
        raise ValueError(
            f"y must hold one label per sample, got shape {tuple(shape)}: put "
            f"sklearn.multioutput.{kind} around the estimator."
        )
    if not reset and len(estimator.input_shape_) > 1:
        # scikit-learn would count axis 1 as features.
        _check_row_shape(estimator, np.shape(X)[1:])
    numeric_targets = not alone and is_regressor(estimator)
    if numeric_targets:
        check_no_dates("y", y)
    checked = validate_data(
        estimator,
        X,
        y,
        reset=reset,
        dtype="numeric",
        allow_nd=True,
        ensure_all_finite=True,
        **({"y_numeric": True} if numeric_targets else {}),
    )
    array = checked if alone else checked[0]
    check_no_dates("X", array)
    if array.dtype.kind == "O" or array.dtype.itemsize > 8:  # torch has no longer numbers
        array = as_numbers("X", array)  # columns of categories and times are left as objects
        checked = array if alone else (array, checked[1])
    shape = array.shape
    channels_last = len(shape) == 4 and shape[3] in (1, 3, 4) and min(shape[1:3]) > 4
    if channels_last and isinstance(getattr(estimator, "module", "auto"), str):
        raise ValueError(
            f"X must have its channels on axis 1, got images of shape {shape[1:]}, which looks "
            f"like channels last: use X.transpose(0, 3, 1, 2). See docs/networks.md."
        )
    if not reset:
        _check_row_shape(estimator, array.shape[1:])
        check_tokens(estimator, array, getattr(estimator, "module_", None))
    check_float32(array)
    return checked


def check_tokens(estimator: Any, X: Any, module: nn.Module | None) -> None:
    """Check that X holds ids that the embedding has, where an estimator reads X as tokens."""
    tokens = tokens_of(estimator, module)
    if tokens is not None:
        check_ids(X, tokens.embedding.num_embeddings)


def _passes_at_a_glance(estimator: Any, X: Any) -> bool:
    """Whether an array at prediction is one that all checks below would let through as it is.

    They take longer than a small network for a hundred samples.
    """
    if not (
        type(X) is np.ndarray
        and X.dtype.kind in "biuf"
        and X.dtype.itemsize <= 8
        and X.dtype.isnative
        and X.ndim > 0
        and len(X) > 0
        and X.shape[1:] == estimator.input_shape_
        and not hasattr(estimator, "feature_names_in_")
        and getattr(estimator, "embedding_layer_", None) is None
    ):
        return False
    if X.dtype.kind != "f":
        return True
    with np.errstate(over="ignore", invalid="ignore"):
        if X.dtype.itemsize < 4 or not X.flags.c_contiguous:
            return X.dtype.itemsize <= 4 and isfinite(X.sum())
        # The fastest pass: with such a sum of squares, all are finite and fit into float32.
        return float(np.vdot(X, X)) <= _LARGEST**2


def _check_row_shape(estimator: Any, shape: tuple[int, ...]) -> None:
    if shape != estimator.input_shape_:
        raise ValueError(
            f"X must have samples of shape {estimator.input_shape_} as at fit, got {shape}."
        )


def warn_of_coarse_columns(statistics: InputStatistics) -> None:
    """Warn if float32, in which networks compute, can hardly distinguish values.

    Parameters
    ----------
    statistics : InputStatistics
        Of X.
    """
    step = np.spacing(np.abs(statistics.mean).astype(np.float32))
    coarse = (statistics.upper > statistics.lower) & (step > 0.1 * statistics.sd)
    if coarse.any():
        warnings.warn(
            f"X has {coarse.sum()} column(s) or channel(s) that float32 is too coarse for: their "
            f"values differ little beside their mean, as times in seconds do. Subtract it, or put "
            f"a StandardScaler in front.",
            UserWarning,
            stacklevel=5,
        )


def check_weights(sample_weight: Any, X: Any) -> tuple[NDArray[Any] | None, NDArray[Any]]:
    """Validate sample weights; return them (None: all equal) and the samples of positive weight.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, their number is wrong, or all are zero.
    """
    everything = np.arange(len(X))
    if sample_weight is None:
        return None, everything
    check_nothing_hidden("sample_weight", sample_weight)
    check_no_dates("sample_weight", sample_weight)
    if not isinstance(sample_weight, Real):
        sample_weight = as_numbers("sample_weight", sample_weight)
    weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    if not np.isfinite(weight).all():  # scikit-learn looks at arrays alone, not at a number
        raise ValueError(f"sample_weight must be finite, got {sample_weight!r}.")
    rows = np.flatnonzero(weight > 0)
    if not len(rows):
        raise ValueError("sample_weight must be positive for some sample, got zeros only.")
    # Equal weights cancel; without them the result is the unweighted one to the bit.
    return (None if np.ptp(weight[rows]) == 0 else within_float32(weight)), rows


def within_float32(weight: NDArray[Any]) -> NDArray[Any]:
    """Scale weights by a power of two, which cancels to the bit, until the largest is near 1.

    Parameters
    ----------
    weight : ndarray of float64
        Non-negative, some positive.

    Returns
    -------
    ndarray of float64
    """
    return np.ldexp(weight, -int(np.frexp(weight.max())[1]))


def resolve_device(device: str | torch.device) -> torch.device:
    """Return the torch device; "auto" is a CUDA device if there is one.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()
    except Exception as error:  # torch raises many kinds, and AssertionError without CUDA
        raise ValueError(
            f'device must be "auto", "cpu" or an accelerator of this machine, got {device!r}: '
            f"{str(error).splitlines()[0]}"
        ) from error
    return resolved


def check_method(estimator: Any, method: Method, row_shape: tuple[int, ...]) -> None:
    """Check the parameters of penalties, and that they go with how the network is to be run."""
    size = estimator.penalty_chunk_size
    if isinstance(size, str) and not memory_bytes(size):
        raise ValueError(
            f"penalty_chunk_size must be a number of samples, an amount of memory such as "
            f'"512MB" or "1.5GB", or None; got {size!r}.'
        )
    for term in method.terms:
        term.check(row_shape)
    for term in method.active_terms:
        name = type(term.penalty).__name__
        loss = estimator._label_loss()
        if term.penalty.bounds_label_loss and not loss.worst_at_worst_logits:
            raise ValueError(
                f"label_loss must be a named loss, with label_smoothing=0, for {name}: of others "
                f"the bound of the outputs is no bound of the loss. Got {estimator.label_loss!r}."
            )
        if estimator.mixed_precision and not term.penalty.allows_mixed_precision:
            raise ValueError(
                f"mixed_precision must be False with {name}, which needs float32; got "
                f"mixed_precision={estimator.mixed_precision}. See docs/scaling.md."
            )
        wanted, got = "compile must be False", estimator.compile
        if hasattr(estimator.module, "_orig_mod"):
            wanted, got = "module must be as it was before torch.compile", "a compiled one"
        if got and not term.penalty.allows_compile:
            raise ValueError(
                f"{wanted} with {name}, got {got}: torch.compile neither differentiates twice nor "
                f"runs on intervals. See docs/limits.md#networks."
            )


def check_same_kind(estimator: Any, first: Method, method: Method) -> None:
    """Check that what the first fit has settled is as it was when training goes on."""

    def settled(method: Method) -> dict[str, bool]:
        return {
            "reduction": method.reduction is None,
            "penalties": method.mapping is None,
            "schedule": method.mapping is None or method.mapping.lr is None,
        }

    now = settled(method)
    for what, before in settled(first).items():
        if now[what] != before:
            raise ValueError(
                f"{what} must not be set to {getattr(estimator, what)!r} when training goes on: "
                f"the first fit has settled the reduction, the schedule and whether there is a "
                f"mapping layer."
            )


def read_masks(mask: Any, X: Any, marks: Marks, labels: dict[str, Any], units: Any) -> Masks | None:
    """Interpret masks of the features of X, or of the units of a layer that a penalty is over."""
    if units is None or mask is None:
        return interpret_mask(mask, X.shape, marks=marks, **labels)
    shape = units.mask_shape(mask, len(X))
    return interpret_mask(mask, shape, marks=marks, index=labels["index"])


def try_masks(method: Method, module: nn.Module, data: TrainingData) -> None:
    """Compute penalties on units at two samples: no mask of wrong shape is trained on."""
    if data.masks is not None and data.masks.annotated.any():
        rows = data.rows(data.index[:2], with_masks=True)
        for term in method.active_terms:
            if term.penalty.marks_units:
                term.penalty(module.eval(), rows)


def penalised_rows(
    terms: Sequence[Term], masks: Masks | None, rows: NDArray[Any], n_rows: int
) -> NDArray[np.bool_]:
    """Return the samples that take part and have a term; ndarray of bool of shape (n,)."""
    penalised = np.zeros(n_rows, dtype=bool)
    if masks is not None:
        for term in terms:
            penalised[rows] |= term.penalty.applies_to(masks)[rows]
    return penalised


def balance(
    weight: NDArray[Any] | None, penalised: NDArray[np.bool_], rows: NDArray[Any]
) -> NDArray[Any] | None:
    """Raise the weights of penalised samples until they have half of the sum.

    Parameters
    ----------
    weight : ndarray of shape (n,) or None
        Weights; None: all equal.
    penalised : ndarray of bool of shape (n,)
        Samples that have at least half of the say.
    rows : ndarray of int
        Samples that take part.

    Returns
    -------
    ndarray of shape (n,) or None
        The same where they have half already, or there are none.
    """
    given = np.ones(len(penalised)) if weight is None else weight
    own, of_others = (given[rows][flags].sum() for flags in (penalised[rows], ~penalised[rows]))
    if own >= of_others or own == 0:
        return weight
    return np.where(penalised, given * (of_others / own), given)


def check_donors(estimator: Any, terms: Sequence[Term], n_penalised: int) -> None:
    """Raise an error for a swap between samples where there is only one.

    Raises
    ------
    ValueError
        If a penalty takes values from other samples and only one sample to train on is penalised.
    """
    if n_penalised == 1 and any(term.penalty.needs_donors for term in terms):
        raise ValueError(
            f"mask must mark something irrelevant in at least 2 samples (of positive "
            f"sample_weight, and not held out), since {type(estimator).__name__} takes the values "
            f"of other samples; got 1 sample. See docs/limits.md#data."
        )


def encode_groups(
    estimator: Any, method: Method, group_labels: Any, y: Any, rows: NDArray[Any], go_on: bool
) -> NDArray[np.int64] | None:
    """Encode the groups of samples for a reduction that weighs groups; None without one.

    The estimator keeps the labels in ``groups_``, in the order of their codes.

    Parameters
    ----------
    estimator : estimator
    method : Method
    group_labels : array-like of shape (n,) or None
        Labels of any kind, none missing; None: those of the classes.
    y : ndarray of int of shape (n,)
        Encoded classes.
    rows : ndarray of int
        Samples of positive weight; groups of others only do not count.
    go_on : bool
        Whether groups of earlier fits keep their codes.

    Returns
    -------
    ndarray of int of shape (n,) or None

    Raises
    ------
    ValueError
        If the number of labels is wrong or one is missing, or there are some without a use.
    """
    if method.reduction is None:
        if group_labels is not None:
            raise ValueError('group_labels must be None unless reduction="group_dro"; got some.')
        return None
    given = estimator.classes_[y] if group_labels is None else group_labels
    labels: Any = row_labels(given, "group_labels", len(y), other="X")
    codes, found = label_codes(labels[rows])
    known = list(getattr(estimator, "groups_", ())) if go_on else []
    # Sorted, so that a list and an array of the same labels give the same sums, to the bit.
    estimator.groups_ = known + [label for label in _sorted(found) if label not in known]
    position = {label: code for code, label in enumerate(estimator.groups_)}
    encoded = np.zeros(len(y), dtype=np.int64)
    encoded[rows] = np.array([position[label] for label in found], dtype=np.int64)[codes]
    return encoded


@contextmanager
def unchanged_on_error(estimator: Any, unless: Callable[[], Any] = lambda: False) -> Iterator[None]:
    """Restore the attributes that an estimator had when something is raised.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    unless : callable, default=lambda: False
        Whether it is left as it has become; asked when something is raised.
    """
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        if unless():
            raise
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
