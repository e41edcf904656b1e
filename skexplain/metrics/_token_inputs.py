"""Matrices of token ids, of which whole tokens are exchanged, also those of texts."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._inputs import ArrayInputs, FrameInputs

# Where others keep an estimator that they have fitted, or several.
_INNER = ("best_estimator_", "estimator_", "estimators_", "calibrated_classifiers_", "estimator")


class TokenMatrixInputs(ArrayInputs):
    """Ids of shape (n_samples, tokens), an array or a DataFrame; a feature is a position.

    Parameters
    ----------
    X : ndarray or DataFrame of shape (n_samples, tokens)
        Ids.
    pad_id, mask_id : int or None
        Ids of padding and of the token that says nothing.
    """

    ragged = True

    def __init__(self, X: Any, pad_id: int | None, mask_id: int | None) -> None:
        super().__init__(X)
        self.like = X if hasattr(X, "iloc") else None
        self.feature_names = None if self.like is None else [str(name) for name in X.columns]
        self.pad_id, self.mask_id = pad_id, mask_id
        self.numeric = np.zeros(self.shape[1], dtype=bool)

    @property
    def absent(self) -> NDArray[np.bool_]:
        """Where padding is, of the shape of X."""
        if self.pad_id is None:
            return np.zeros(self.shape, dtype=bool)
        return self.pad_id == self.X

    def take(self, rows: NDArray[Any]) -> Any:
        """Return samples as they are."""
        return self._wrap(self.X[rows], rows)

    def __getitem__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        return self.X[rows].astype(np.float64)

    def codes(self, column: int) -> NDArray[Any]:
        """Number the different tokens at a position."""
        return np.unique(self.X[:, column], return_inverse=True)[1]

    def blank(self, rows: NDArray[Any], marked: NDArray[np.bool_]) -> Any:
        """Return samples whose marked tokens say nothing."""
        ids = self.X[rows]
        ids[marked] = self.mask_id
        return self._wrap(ids, rows)

    def replace(
        self,
        rows: NDArray[Any],
        values: NDArray[Any],
        changed: Any,
        givers: dict[int, NDArray[Any]],
    ) -> Any:
        """Return samples with other tokens; where a giver has ended it gives one from its start."""
        ids = self.X[rows]
        for column in np.flatnonzero(changed).tolist():
            giving = givers[column]
            given = self.X[giving, column]
            if self.pad_id is not None:
                ended = given == self.pad_id
                given[ended] = self._from_start(giving[ended], column)
                given = np.where(ids[:, column] == self.pad_id, self.pad_id, given)
            ids[:, column] = given
        return self._wrap(ids, rows)

    def _from_start(self, rows: NDArray[Any], column: int) -> NDArray[Any]:
        real = self.X[rows] != self.pad_id
        places = np.argsort(~real, axis=1, kind="stable")
        place = column % np.maximum(real.sum(axis=1), 1)
        return self.X[rows, places[np.arange(len(rows)), place]]

    def _wrap(self, ids: NDArray[Any], rows: NDArray[Any]) -> Any:
        if self.like is None:
            return ids
        return type(self.like)(ids, columns=self.like.columns, index=self.like.index[rows])


class TokensOfTexts(NamedTuple):
    """What an estimator on texts gives to the estimator inside.

    Attributes
    ----------
    estimator : estimator
        The one inside, which reads ids; of a search the best one.
    ids : ndarray of int of shape (n_samples, tokens)
    mask : ndarray of shape (n_samples, tokens) or None
        Marks of tokens.
    texts : list of str
    offsets : list of ndarray of int of shape (n_tokens, 2)
        Where the tokens of each text stand in it.
    """

    estimator: Any
    ids: NDArray[np.int64]
    mask: Any
    texts: list[str]
    offsets: list[NDArray[np.int64]]


def read_texts(estimator: Any, X: Any, mask: Any = None) -> TokensOfTexts | None:
    """Return the tokens of X where an estimator reads texts (`WithTokenizer`), else None.

    Parameters
    ----------
    estimator : estimator
        A fitted one, or a search around it.
    X : object
        Inputs of the estimator.
    mask : object, default=None
        Marks as in its ``fit``.

    Returns
    -------
    TokensOfTexts or None
    """
    fitted = getattr(estimator, "best_estimator_", estimator)
    tokenize = getattr(fitted, "tokenize", None)
    if not callable(tokenize):
        return None
    found = tokenize(X, mask=mask)
    inside = getattr(fitted.estimator_, "best_estimator_", fitted.estimator_)
    return TokensOfTexts(inside, found.ids, found.mask, found.texts, found.offsets)


def of_tokens(estimator: Any, X: Any, mask: Any) -> tuple[Any, Any, Any]:
    """Return the estimator that reads ids, the ids and their mask where one reads texts.

    Parameters
    ----------
    estimator : estimator
        A fitted one, or a search around it.
    X, mask : object
        Inputs and marks as in its ``fit``.

    Returns
    -------
    estimator, X, mask
        As they are where X is no texts.
    """
    read = read_texts(estimator, X, mask)
    return (estimator, X, mask) if read is None else (read.estimator, read.ids, read.mask)


def token_inputs(estimator: Any, inputs: ArrayInputs) -> ArrayInputs:
    """Return ids as such where an estimator of this package reads X as tokens, else as given.

    Parameters
    ----------
    estimator : estimator
        A fitted one, or a search, a correction or another estimator around it.
    inputs : ArrayInputs
        From ``read_inputs``.

    Returns
    -------
    ArrayInputs
    """
    fitted = estimator
    for name in _INNER:
        if not hasattr(fitted, "embedding_layer_"):
            fitted = getattr(fitted, name, fitted)
            fitted = fitted[0] if isinstance(fitted, list) and fitted else fitted
    dense = type(inputs) in (ArrayInputs, FrameInputs) and inputs.ndim == 2
    if not dense or getattr(fitted, "embedding_layer_", None) is None:
        return inputs
    return TokenMatrixInputs(inputs.X, fitted.pad_id_, fitted.mask_id_)
