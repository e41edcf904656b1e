"""Controls: what a method would do if its masks said nothing."""

from typing import Any

import numpy as np

from ..estimators import ERMClassifier

#: Name to what it shows.  A gain that a control has, too, is not due to the explanations.
CONTROLS = {
    "off": "the same network, the mask term switched off",
    "shuffled": "masks of other samples; one mask for all samples is moved to other features",
    "everywhere": "all features marked: the same perturbation or penalty without knowing where",
    "reweighted": "the annotated samples counted again, without a perturbation",
    "empty": "the same samples annotated, with nothing marked",
}


def control_masks(mask: Any, masks: Any, seed: int) -> Any:
    """Return the masks that a control is given.

    Parameters
    ----------
    mask : ndarray of shape (n or 1, ...)
        The right ones, which mark what is irrelevant; NaN: unknown.
    masks : str
        "given", "no shortcut", a name in `CONTROLS`, or "-": a method without masks.
    seed : int
        Seeds the shuffling.

    Returns
    -------
    ndarray
        For "-" one mask that marks all features, so that a perturbation is an augmentation of whole
        rows.

    Raises
    ------
    ValueError
        If there is no such control.
    """
    if masks not in _MASKS:
        raise ValueError(f"masks must be one of {list(_MASKS)}, got {masks!r}.")
    if masks == "-":
        return np.ones((1, *mask.shape[1:]), dtype=bool)
    if masks == "shuffled":
        return shuffle_masks(mask, seed)
    if masks in _DEGREES:
        is_known = ~np.isnan(mask.astype(np.float32))
        return np.where(is_known, np.float32(_DEGREES[masks]), np.float32(np.nan))
    return mask


def control_parameters(method: Any, masks: Any) -> dict[Any, Any]:
    """Return what a control changes in the description of a method.

    Parameters
    ----------
    method : dict
        See `run_trial`.
    masks : str
        Name of the control.

    Returns
    -------
    dict
        Entries that replace those of the method.

    Raises
    ------
    ValueError
        If the method does not say how its mask term is switched off, or an estimator of one's own
        is to be reweighted.
    """
    params, grid = method.get("params", {}), method.get("grid", {})
    if masks == "off":
        if "off" not in method:
            raise ValueError(f"the control 'off' needs the entry 'off', got {list(method)}.")
        off = method["off"]
        return {"params": {**params, **off}, "grid": _without(grid, off)}
    if masks == "reweighted":
        if not isinstance(method["estimator"], str):
            raise ValueError(
                "the control 'reweighted' needs an estimator of the package by name, got "
                f"{method['estimator']!r}."
            )
        return {
            "estimator": "AvgExClassifier",
            "params": {**_without_perturbation(params), "perturbation": "none"},
            "grid": _without_perturbation(grid),
        }
    return {}


_DEGREES = {"everywhere": 1, "empty": 0}
_MASKS = ("given", "-", "no shortcut", *CONTROLS)


def _without(grid: dict[str, Any], names: Any) -> dict[Any, Any]:
    return {name: values for name, values in grid.items() if name not in names}


def _without_perturbation(params: dict[str, Any]) -> dict[Any, Any]:
    """Keep what every estimator has, and the weight: all else says how samples are perturbed."""
    kept = {"alpha", *ERMClassifier().get_params()}
    return {name: value for name, value in params.items() if name in kept or "__" in name}


def shuffle_masks(mask: Any, seed: int) -> Any:
    """Give each annotated sample the mask of another annotated sample.

    Where all these are alike, which no exchange of rows would change, they are moved: images by a
    shift that wraps around, tables by a permutation of columns.  A mask that is the same everywhere
    stays as it is.  Where there are but a few different masks, the other row's is often the right
    one, and a gain over this control less than the masks are worth.

    Parameters
    ----------
    mask : ndarray of shape (n or 1, ...)
    seed : int

    Returns
    -------
    ndarray of the shape of mask
    """
    rng = np.random.RandomState(seed)
    annotated = ~np.isnan(mask.astype(np.float32)).reshape(len(mask), -1).all(axis=1)
    rows = mask[annotated]
    shuffled = mask.copy()
    if _same(rows, np.broadcast_to(rows[:1], rows.shape)):
        shuffled[annotated] = _move(rows, rng)
    else:
        order = rng.permutation(len(rows))  # a cycle: no row keeps its own
        shuffled[np.flatnonzero(annotated)[order]] = rows[np.roll(order, 1)]
    return shuffled


def _move(rows: Any, rng: np.random.RandomState) -> Any:
    """Move equal masks to other features, all alike."""
    for _ in range(_N_MOVES):  # one move in two may change nothing
        if rows.ndim == 2:
            moved = rows[:, rng.permutation(rows.shape[1])]
        else:
            shifts = [rng.randint(size) for size in rows.shape[-2:]]
            moved = np.roll(rows, shifts, axis=(-2, -1))
        if not _same(moved, rows):
            break
    return moved


_N_MOVES = 50


def _same(left: Any, right: Any) -> Any:
    return np.array_equal(left.astype(np.float32), right.astype(np.float32), equal_nan=True)
