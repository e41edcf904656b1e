"""Copies of samples whose irrelevant part comes from other samples, of whatever kind X is."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse

from .._checks import check_count, check_option
from .._typing import MaskLike
from ..masks import Masks, interpret_mask
from ..masks._labels import labels_beside
from ..masks._meaning import Marks
from ..metrics._inputs import read_inputs
from ..metrics._perturb import Perturber, make_generator
from ..metrics._token_inputs import TokenMatrixInputs
from ..training._tokens import TokenSettings

MODES = ("replace", "add")


def read_masks(X: Any, mask: MaskLike, mask_marks: Marks, y: Any = None) -> Masks:
    """Read what a mask says about the columns of X as it is.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...), sparse matrix, DataFrame or lists of tokens
        The inputs.
    mask : array-like, list of (array-like or None) or DataFrame
        Masks over the columns, pixels or positions of X itself.
    mask_marks : {"irrelevant", "relevant"}
        What a mark of 1 says.
    y : array-like or None, default=None
        Targets; their index stands in where X has none.

    Returns
    -------
    Masks
    """
    inputs = read_inputs(X)
    padded = inputs.pad_mask(mask, mask_marks)
    labels = labels_beside(X, y)
    return interpret_mask(padded, inputs.shape, marks=mask_marks, **labels)


def settings_of_matrix(X: Any, pad_id: int | None) -> TokenSettings | None:
    """Return how a matrix of ids holds tokens, after checking that it does; None without padding.

    Parameters
    ----------
    X : array-like
        The inputs.
    pad_id : int or None
        Id of padding; None: X is taken as it is.

    Returns
    -------
    TokenSettings or None
    """
    if pad_id is None:
        return None
    check_count("pad_id", pad_id, low=-(2**62))
    if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind not in "iu":
        given = f"{X.dtype} of shape {X.shape}" if isinstance(X, np.ndarray) else type(X).__name__
        raise ValueError(
            f"pad_id must be None unless X is an integer array of token ids, (n_samples, tokens); "
            f"got {given}."
        )
    return TokenSettings(embedding_layer="", pad_id=pad_id)


class SwappedCopies:
    """Draws copies of samples with the irrelevant part of other samples.

    The rules are those of :class:`~skexplain.SwapExClassifier`: what either of two samples marks
    comes from the other one where masks mark parts; samples without a mask are given the marks of
    the others where these are always at the same places; and reasons are never given away.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...), sparse matrix, DataFrame or lists of tokens
        The samples.
    masks : Masks
        From :func:`read_masks`, with something irrelevant in two samples or more.
    exchange : bool
        Whether parts are exchanged.
    tokens : TokenSettings or None, default=None
        How a network reads X as tokens, of which whole ones are swapped; None: X is taken as it is.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        How often a sample counts in what stands in for reasons; None: each once.

    Attributes
    ----------
    rows : ndarray of int
        Samples that a swap may change; all others have no copies.
    masks : Masks
        Those given, with the marks that samples without a mask share with the others.
    exchange : bool
        Whether parts are exchanged here.
    pools : bool
        Whether samples without a mask are given the places that the masks of others share.
    tokens : TokenSettings or None
        As given.
    """

    def __init__(
        self,
        X: Any,
        masks: Masks,
        exchange: bool,
        tokens: TokenSettings | None = None,
        sample_weight: np.ndarray | None = None,
    ) -> None:
        self.tokens = tokens
        inputs: Any = X
        if tokens is not None and tokens.embedding_layer is not None:
            inputs = TokenMatrixInputs(X, tokens.pad_id, tokens.mask_id)
            masks = masks.without(inputs.absent)
        exchange = exchange and masks.marks_parts
        pooled = masks.pooled if exchange else None
        self.pools = pooled is not None
        if pooled is not None:
            masks = _with_pooled(masks, pooled.numpy())
        n_marked = int(masks.has_irrelevant.sum())
        if n_marked < 2:
            raise ValueError(
                f"mask must mark something irrelevant in at least 2 samples (of positive "
                f"sample_weight), since a swap takes the values of other samples; got {n_marked} "
                f"sample(s). See docs/limits.md#data."
            )
        if scipy.sparse.issparse(X) and X.format not in ("csr", "csc"):
            inputs = X.tocsr()  # rows are taken from it
        self.masks = masks
        self.exchange = exchange
        self._perturber = Perturber(
            None, inputs, masks, None, "swap", exchange=exchange, sample_weight=sample_weight
        )
        self.rows = self._perturber.annotated if exchange else self._perturber.irrelevant

    def under(self, masks: Masks) -> SwappedCopies:
        """Return copies of the same samples under other masks; X is not measured again.

        Parameters
        ----------
        masks : Masks
            Those that were given, in another order.

        Returns
        -------
        SwappedCopies
        """
        other, inputs = copy(self), self._perturber.inputs
        other.masks = (
            masks.without(inputs.absent) if isinstance(inputs, TokenMatrixInputs) else masks
        )
        other._perturber = self._perturber.under(other.masks)
        return other

    def draw(self, rows: np.ndarray, generator: np.random.Generator) -> Iterator[Any]:
        """Yield copies of samples, chunk by chunk, of the kind and dtypes of X.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            Samples, among `rows`.
        generator : numpy Generator
            Draws the donors.

        Yields
        ------
        array-like of the kind of X
        """
        for part in self._perturber.perturbed(rows, generator):
            yield restore_dtypes(part, self._perturber.inputs.X)

    def assemble(
        self, plan: list[tuple[np.ndarray, bool]], generator: np.random.Generator
    ) -> tuple[Any, np.ndarray]:
        """Put samples and copies one below the other.

        Parameters
        ----------
        plan : list of (ndarray of int, bool)
            Samples, and whether copies with drawn parts are meant or the samples as they are.
        generator : numpy Generator
            Draws the donors, anew for each entry of the plan.

        Returns
        -------
        X : array-like of the kind of X
        rows : ndarray of int
            The sample that each row is, or is a copy of.
        """
        rows = np.concatenate([part for part, _ in plan])
        inputs = self._perturber.inputs

        def parts() -> Iterator[Any]:
            for wanted, swapped in plan:
                if swapped:
                    yield from self.draw(wanted, generator)
                else:
                    yield from (inputs.take(part) for part in inputs.chunks(wanted))

        return concatenate(parts(), len(rows)), rows


def swapped_copies(
    X: Any,
    mask: Any,
    *,
    n_copies: int = 1,
    mode: str = "replace",
    mask_marks: Marks = "irrelevant",
    exchange: bool = True,
    pad_id: int | None = None,
    random_state: Any = None,
) -> tuple[Any, np.ndarray]:
    """Copy samples with the irrelevant part of other samples, for any library.

    What :class:`SwapAugmentedClassifier` fits its estimator on, for a library whose estimators do
    not follow scikit-learn.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...), sparse matrix, DataFrame or lists of tokens
        Inputs as they are, of pandas, polars, numpy or scipy.
    mask : array-like, list of (array-like or None) or DataFrame
        Which features must not matter, in one of the shapes of the user guide.
    n_copies : int, default=1
        Number of copies of each sample that a swap may change.
    mode : {"replace", "add"}, default="replace"
        "replace": copies take the place of these samples; "add": they come beside them.
    mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
        What a mark of 1 says.
    exchange : bool, default=True
        Whether samples exchange parts, where masks mark parts of a sample.
    pad_id : int or None, default=None
        Id of padding, where X is an integer array of token ids: padding stays where it is, and is
        never given.  None: all entries are exchanged as they are.
    random_state : int, RandomState instance or None, default=None
        Draws the donors.

    Returns
    -------
    X_copies : of the kind of X
        Samples that no swap changes, once; then the others, one set of copies after the other.
    rows : ndarray of int
        For each row of `X_copies` the sample in X: its label is ``y[rows]``, and its weight one
        divided by ``numpy.bincount(rows)[rows]``.

    Raises
    ------
    TypeError
        If X or the mask is of a kind that cannot be read.
    ValueError
        If there is no mask, it does not fit X or marks something in fewer than two samples, or a
        parameter is out of range.

    See Also
    --------
    SwapAugmentedClassifier : Fits an estimator on them.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain.correction import swapped_copies
    >>> X = np.array([[1, 10], [2, 20], [3, 30]])
    >>> copies, rows = swapped_copies(X, [[0, 1]], random_state=0)
    >>> copies[:, 0], np.sort(copies[:, 1])
    (array([1, 2, 3]), array([10, 20, 30]))
    >>> bool((copies[:, 1] == X[rows, 1]).any())
    False
    """
    check_count("n_copies", n_copies)
    check_option("mode", mode, MODES)
    check_option("mask_marks", mask_marks, ("irrelevant", "relevant"))
    if not isinstance(exchange, bool | np.bool_):
        raise ValueError(f"exchange must be True or False, got {exchange!r}.")
    if mask is None:
        raise ValueError("mask must say which features must not matter, got None.")
    masks = read_masks(X, mask, mask_marks)
    copies = SwappedCopies(X, masks, exchange, settings_of_matrix(X, pad_id))
    every = np.arange(len(masks.annotated))
    return copies.assemble(
        make_plan(every, copies.rows, n_copies, mode), make_generator(random_state)
    )


def make_plan(
    every: np.ndarray, changing: np.ndarray, n_copies: int, mode: str, repeat: bool = False
) -> list[tuple[np.ndarray, bool]]:
    """Plan which samples are taken as they are, and of which copies are drawn.

    Parameters
    ----------
    every : ndarray of int
        Samples that take part.
    changing : ndarray of int
        Those that a swap may change.
    n_copies : int
        Copies of each of these.
    mode : {"replace", "add"}
        Whether they themselves are left out, or come, too.
    repeat : bool, default=False
        Whether samples without copies come as often as those with copies, for an estimator that
        takes no weights.

    Returns
    -------
    list of (ndarray of int, bool)
    """
    once = np.setdiff1d(every, changing) if mode == "replace" else every
    plan = [(once, False)] if len(once) else []
    plan += [(changing, True)] * n_copies
    if repeat:
        others = np.setdiff1d(every, changing)
        times = n_copies - 1 if mode == "replace" else n_copies
        plan += [(others, False)] * times if len(others) else []
    return plan


def _with_pooled(masks: Masks, pooled: np.ndarray) -> Masks:
    """Return the marks of places that are the same in all samples with a mask."""
    stored, lacking = masks.stored, ~masks.annotated
    if masks.taking_part is not None:
        lacking &= masks.taking_part
    place = np.arange(len(lacking)) if masks.place is None else masks.place
    if stored.dtype == bool and (pooled % 1 == 0).all():
        pooled = pooled.astype(bool)
    return replace(
        masks,
        stored=np.concatenate([stored, pooled]),
        place=np.where(lacking, len(stored), place),
        annotated=masks.annotated | lacking,
        has_irrelevant=masks.has_irrelevant | lacking,
    )


def restore_dtypes(part: Any, like: Any) -> Any:
    """Return samples with the dtypes of X: where a mean stands in, integers are rounded.

    Parameters
    ----------
    part : of the kind of X
        Changed samples.
    like : array, sparse matrix, DataFrame or list
        X.
    """
    if hasattr(part, "isetitem"):  # pandas
        for column, dtype in enumerate(like.dtypes):
            if part.dtypes.iloc[column] != dtype:
                part.isetitem(column, _rounded(part.iloc[:, column], dtype))
        return part
    if hasattr(part, "with_columns"):  # polars
        changed = [name for name in like.columns if part[name].dtype != like[name].dtype]
        return part.with_columns([part[name].round().cast(like[name].dtype) for name in changed])
    if isinstance(part, list):
        return part
    if part.dtype == like.dtype or like.dtype.kind not in "bui":
        return part
    return (part.rint() if scipy.sparse.issparse(part) else np.rint(part)).astype(like.dtype)


def _rounded(column: Any, dtype: Any) -> Any:
    return column.round().astype(dtype) if getattr(dtype, "kind", "O") in "bui" else column


def concatenate(parts: Iterator[Any], n_rows: int) -> Any:
    """Put chunks of samples one below the other.

    Parameters
    ----------
    parts : iterator of array-like
        Of one kind.
    n_rows : int
        How many samples these are together.

    Returns
    -------
    array-like of the same kind
    """
    first = next(parts)
    if scipy.sparse.issparse(first):
        return scipy.sparse.vstack([first, *parts], format=first.format)
    if hasattr(first, "isetitem"):
        import pandas as pd

        return pd.concat([first, *parts], ignore_index=True)
    if hasattr(first, "with_columns"):
        for part in parts:
            first = first.vstack(part)
        return first.rechunk()
    if isinstance(first, list):
        return [sample for part in (first, *parts) for sample in part]
    # One array from the start: a list of chunks would need the memory twice.
    whole = np.empty((n_rows, *first.shape[1:]), dtype=first.dtype)
    start = 0
    while first is not None:
        whole[start : start + len(first)] = first
        start += len(first)
        first = next(parts, None)
    return whole
