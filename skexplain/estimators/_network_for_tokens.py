"""The built-in network for tokens, and how an estimator is to read them, set as parameters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier

from ..training._token_network import TokenNetwork
from ._token_rows import check_vocabulary


def with_network(
    estimator: Any,
    special: Any,
    own_words: bool,
    y: Any,
    rows: NDArray[Any],
    sample_weight: NDArray[Any] | None,
) -> Any:
    """Set the parameters of tokens, and the built-in network for "auto", of an estimator.

    Parameters
    ----------
    estimator : estimator
        Changed in place.
    special : Special
        Ids that stand for no words.
    own_words : bool
        Whether the vocabulary is that of the texts, which no pretrained network has.
    y : array-like of shape (n_samples,)
        Targets.
    rows : ndarray of int
        Samples that take part.
    sample_weight : ndarray of shape (n_samples,) or None
        None: all equal.

    Returns
    -------
    estimator

    Raises
    ------
    TypeError
        If it trains no network.
    ValueError
        If its network knows other ids.
    """
    params = estimator.get_params(deep=True)
    names = [name for name in params if name.rpartition("__")[2] == "module"]
    if not names:
        raise TypeError(
            f"estimator must train a network, with a parameter module; got "
            f"{type(estimator).__name__}."
        )
    new = {}
    for name in params:
        kind = name.rpartition("__")[2]
        if kind in ("pad_id", "mask_id") and params[name] is None:
            new[name] = special.pad if kind == "pad_id" else special.neutral
    for name in names:
        if own_words:
            check_vocabulary(params[name], special.n_ids)
        if isinstance(params[name], str) and params[name] == "auto":
            new[name] = TokenNetwork
            new[f"{name}__n_ids"] = special.n_ids
            new[f"{name}__pad_id"] = special.pad
            new[f"{name}__neutral_id"] = special.neutral
            if is_classifier(estimator):
                new[f"{name}__n_outputs"] = len(np.unique(y))
            else:
                values = np.asarray(y, dtype=np.float64).reshape(len(y))[rows]
                weight = None if sample_weight is None else sample_weight[rows]
                mean = np.average(values, weights=weight)
                sd = np.sqrt(np.average((values - mean) ** 2, weights=weight))
                new[f"{name}__n_outputs"] = 1
                new[f"{name}__target_scale"] = (float(mean), float(sd) or 1.0)
    return estimator.set_params(**new)
