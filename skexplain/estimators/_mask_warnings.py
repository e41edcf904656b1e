"""Warnings about masks that leave a shortcut in place, in numbers and with the call that helps."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..exceptions import MissingExplanationWarning, RemainingShortcutWarning
from ..masks import Masks
from ..training._method import Term

# So few masks of so many samples leave the label loss to the samples without.
_FEW_MASKS, _MANY_SAMPLES = 0.05, 200
# A class that should have so many masks by its size, and has none, was not annotated.
_EXPECTED_MASKS = 5
# Classes whose samples have marks at rates that differ by so much, and by so many standard errors,
# can be predicted from the marks.
_LARGE_DIFFERENCE, _STANDARD_ERRORS = 0.5, 3


def warn_about_masks(
    estimator: Any,
    terms: Sequence[Term],
    masks: Any,
    y: Any,
    rows: NDArray[Any],
    penalised: NDArray[Any],
    labels: NDArray[Any] | None,
    stacklevel: int,
) -> None:
    """Warn if masks have no effect, or if what they mark can still predict the label.

    Parameters
    ----------
    estimator : estimator
        What is fitted.
    terms : sequence of Term
        Penalties of weight above zero.
    masks : Masks or None
    y : ndarray of shape (n,) or None
        Encoded targets; None without `labels`.
    rows : ndarray of int
        Samples that take part.
    penalised : ndarray of bool of shape (n,)
        Those that some penalty is for.
    labels : ndarray of shape (n_classes,) or None
        Names of the encoded targets; None for a regressor.
    stacklevel : int
        Of the caller of `fit`.
    """
    name = type(estimator).__name__
    if not terms:
        # Others without a penalty are baselines, or have a weight of zero that was asked for.
        if masks is not None and not getattr(estimator, "penalties", True):
            warnings.warn(
                f"{name} was given a mask, and penalties={estimator.penalties!r}: it learns from "
                f"labels alone. Pass a penalty, such as "
                f'penalties=[("swap", AverageCasePenalty("swap"))], or use SwapExClassifier.',
                MissingExplanationWarning,
                stacklevel=stacklevel,
            )
        return
    problem = _nothing_to_learn(terms, masks, rows, penalised)
    if problem:
        warnings.warn(
            f"{name} is {problem}: it learns from labels alone. See "
            f"docs/masks.md#samples-without-a-mask.",
            MissingExplanationWarning,
            stacklevel=stacklevel,
        )
        return
    if any(term.penalty.needs_donors for term in terms):
        problem = nothing_left(masks, rows)
        if problem:
            warnings.warn(f"{name} is {problem}", MissingExplanationWarning, stacklevel=stacklevel)
            return
    if masks.for_all_rows or masks.marks_relevant:
        return
    exchanges = masks.marks_parts and any(term.penalty.exchange_parts for term in terms)
    if exchanges and masks.pooled is not None:
        return  # the same places are swapped in all samples
    for problem in (
        None if labels is None else _class_without_masks(masks, y, rows, labels),
        None
        if labels is None or exchanges
        else _marks_give_the_class_away(name, terms, masks, y, rows, labels),
        _few_masks(name, masks, rows),
    ):
        if problem:
            warnings.warn(
                f"{problem} See docs/masks.md#what-a-shortcut-survives.",
                RemainingShortcutWarning,
                stacklevel=stacklevel,
            )
            return


def _nothing_to_learn(
    terms: Sequence[Term], masks: Masks | None, rows: NDArray[Any], penalised: NDArray[Any]
) -> str | None:
    if masks is None:
        return "fitted without a mask"
    if not masks.annotated[rows].any():
        return "fitted with masks that annotate no sample"
    if penalised.any():
        if not all(term.penalty.is_share for term in terms) or not _alike(masks, penalised):
            return None
        return (
            "fitted with masks that mark all features of a sample alike, for which its penalty is "
            "the same whatever the network"
        )
    if masks.has_irrelevant[rows].any():
        return (
            "fitted with masks that mark all features alike, for which the share of the gradient "
            'is constant (norm="share"; norm="l2" is not)'
        )
    return "fitted with masks that mark no feature as irrelevant"


def _alike(masks: Masks, rows: NDArray[Any]) -> bool:
    """Return whether each of some samples has all of its features marked alike."""
    irrelevance, known = masks.degrees_of(np.arange(len(masks.annotated))[rows][:1])
    of_first = irrelevance if known is None else irrelevance[known]
    # In most data sets the first of them shows that it is not so.
    if not of_first.numel() or of_first.min() != of_first.max():
        return False
    return bool(masks.marks_alike()[rows].all())


def nothing_left(masks: Masks, rows: NDArray[Any]) -> str | None:
    """Describe masks that mark all of every annotated sample, so that a swap leaves no reason.

    Parameters
    ----------
    masks : Masks
    rows : ndarray of int
        Samples that take part.

    Returns
    -------
    str or None
        None where something is left.
    """
    annotated = rows[masks.annotated[rows]]
    if not len(annotated) or not _alike(masks, annotated):
        return None
    for part in np.array_split(annotated, -(-len(annotated) // 256)):
        irrelevance, known = masks.degrees_of(part)
        if not ((irrelevance if known is None else irrelevance[known]) == 1).all():
            return None
    other = "irrelevant" if masks.marks_relevant else "relevant"
    return (
        f"fitted with masks that mark every feature of all {len(annotated)} annotated samples as "
        f"irrelevant: a swap exchanges whole samples then, and leaves nothing that predicts a "
        f'label. If it is the other way round, pass mask_marks="{other}". See '
        f"docs/masks.md#samples-without-a-mask."
    )


def _class_without_masks(
    masks: Masks, y: NDArray[Any], rows: NDArray[Any], labels: NDArray[Any]
) -> str | None:
    """Describe classes without a mask, where chance would have given them some; else None."""
    codes, annotated = y[rows], masks.annotated[rows]
    sizes = np.bincount(codes, minlength=len(labels))
    with_mask = np.bincount(codes[annotated], minlength=len(labels))
    expected = annotated.mean() * sizes
    missing = np.flatnonzero((with_mask == 0) & (expected >= _EXPECTED_MASKS))
    if not len(missing):
        return None
    n_samples = sizes[missing].sum()
    return (
        f"None of the {n_samples} samples of class {_listed(labels[missing])} has a mask, while "
        f"{annotated.sum()} of the {len(codes) - n_samples} other samples have one: what these "
        f"mark may give the class away, and nothing can replace it. Give samples that were "
        f"inspected and show nothing a mask of zeros, and annotate some of every class."
    )


def _marks_give_the_class_away(
    name: str,
    terms: Sequence[Term],
    masks: Masks,
    y: NDArray[Any],
    rows: NDArray[Any],
    labels: NDArray[Any],
) -> str | None:
    """Describe how often each class has something marked, if that gives the class away."""
    annotated = rows[masks.annotated[rows]]
    codes, marked = y[annotated], masks.has_irrelevant[annotated]
    sizes = np.bincount(codes, minlength=len(labels))
    rates = np.bincount(codes, marked, len(labels)) / np.maximum(sizes, 1)
    known = np.flatnonzero(sizes >= _EXPECTED_MASKS)
    if len(known) < 2 or np.ptp(rates[known]) < _LARGE_DIFFERENCE:
        return None
    most, least = known[rates[known].argmax()], known[rates[known].argmin()]
    both = sizes[[most, least]]
    rate = rates[[most, least]] @ both / both.sum()
    error = np.sqrt(rate * (1 - rate) * (1 / both).sum())
    if rates[most] - rates[least] < _STANDARD_ERRORS * error:
        return None
    return (
        f"Something is marked in {rates[most]:.0%} of the annotated samples of class "
        f"{_listed(labels[[most]])} and in {rates[least]:.0%} of class {_listed(labels[[least]])}: "
        f"the presence of a part gives the class away, and {name} changes no more than the marked "
        f"features. "
        f"{_remedy(terms, masks)}"
    )


def _remedy(terms: Sequence[Term], masks: Masks) -> str:
    if masks.marks_parts and any(hasattr(term.penalty, "exchange") for term in terms):
        return "Set exchange=True, so that parts come and go."
    if masks.marks_parts:
        return (
            "Use SwapExClassifier, which exchanges the parts, or mark their places in all samples: "
            "mask=skexplain.masks.pool_masks(mask)."
        )
    return (
        "The marks cover too much of a sample to be exchanged: mark their places in all samples, "
        "mask=skexplain.masks.pool_masks(mask), if no reasons stand there."
    )


def _few_masks(name: str, masks: Masks, rows: NDArray[Any]) -> str | None:
    """Describe how few samples have a mask; None where these are enough."""
    n_samples, n_masks = len(rows), int(masks.annotated[rows].sum())
    if n_samples < _MANY_SAMPLES or n_masks >= _FEW_MASKS * n_samples:
        return None
    return (
        f"Only {n_masks} of {n_samples} samples have a mask ({n_masks / n_samples:.1%}), and the "
        f"others go on to reward the shortcut. Annotate more, or fill in the missing masks: "
        f"WithPropagatedMasks({name}())."
    )


def _listed(labels: NDArray[Any]) -> str:
    return ", ".join(repr(label) for label in labels.tolist())
