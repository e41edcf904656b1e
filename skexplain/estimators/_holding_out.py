"""Which samples early stopping holds out, and when it holds out none."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

# With fewer samples held out, their loss says too little to stop on.
_MIN_ROWS = 10


def monitored_loss(n_rows: int, n_penalised: int, fraction: float, stacklevel: int) -> str:
    """Choose the loss that early stopping monitors; warn if no samples can be held out for it.

    Parameters
    ----------
    n_rows, n_penalised : int
        Samples that take part, and those of them that some penalty is for.
    fraction : float
        Share to be held out.
    stacklevel : int
        Of the caller of `fit`.

    Returns
    -------
    {"valid_loss", "train_loss"}
    """
    if round(n_rows * fraction) < _MIN_ROWS:
        reason = f"{n_rows} samples is fewer than {_MIN_ROWS}"
    # The label loss alone rewards a shortcut; and masks that are held out teach nothing.
    elif n_penalised and round(min(fraction, 1 - fraction) * n_penalised, 9) < 1:
        reason = f"{n_penalised} samples with a mask leaves none in one of the two parts"
    else:
        return "valid_loss"
    warnings.warn(
        f"early_stopping monitors the training objective: validation_fraction={fraction} of "
        f"{reason}.",
        UserWarning,
        stacklevel=stacklevel,
    )
    return "train_loss"


def stratified_split(
    index: NDArray[Any],
    penalised: NDArray[np.bool_],
    classes: NDArray[Any] | None,
    groups: NDArray[Any] | None,
    fraction: float,
    seed: int,
) -> list[NDArray[Any]]:
    """Split samples into a part to train on and a part held out.

    The split is stratified by groups, classes and masks together, else by fewer of them: by the
    first key of which every value is frequent enough, and with which penalised samples go to both
    parts, if there are any.

    Parameters
    ----------
    index : ndarray of int
        The samples, positions in the arrays below.
    penalised : ndarray of bool of shape (n,)
        Samples that a penalty uses.
    classes, groups : ndarray of int of shape (n,) or None
        Codes; None: there are none.
    fraction : float
        Share held out.
    seed : int

    Returns
    -------
    train, valid : ndarray of int
    """
    penalties = penalised[index].astype(int)
    keys = [penalties]
    if classes is not None:
        keys = [2 * classes[index] + penalties, classes[index], penalties]
    if groups is not None:
        keys = [len(index) * groups[index] + keys[0], groups[index], *keys]
    for key in keys:
        _, counts = np.unique(key, return_counts=True)
        if counts.min() < 2 or len(counts) > round(len(index) * fraction):
            continue
        *parts, of_train, of_valid = train_test_split(
            index, penalties, test_size=fraction, stratify=key, random_state=seed
        )
        if of_train.any() == of_valid.any() == penalties.any():
            return parts
    return train_test_split(index, test_size=fraction, random_state=seed)
