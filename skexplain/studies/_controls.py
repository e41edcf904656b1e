"""Controls: what a method would do if its masks told it nothing."""

import numpy as np

#: Name to what it shows.  A gain that a control has, too, is not due to the explanations.
CONTROLS = {
    "off": "the same network, the mask term switched off",
    "shuffled": "masks of other rows; one mask for all rows is moved to other features",
    "everywhere": "all features marked: the same perturbation or penalty without knowing where",
    "reweighted": "the annotated rows counted again, without a perturbation",
}


def control_masks(mask, masks, seed):
    """Return the masks that a control is given.

    Parameters
    ----------
    mask : ndarray of shape (n or 1, ...)
        The right ones, which mark what is irrelevant; NaN: unknown.
    masks : str
        "given", "no shortcut", a name in `CONTROLS`, or "-": a method that knows of none.
    seed : int
        Seeds the shuffling.

    Returns
    -------
    ndarray
        For "-" one mask that marks all features, so that a perturbation is an augmentation of whole
        rows.
    """
    if masks == "-":
        return np.ones((1, *mask.shape[1:]), dtype=bool)
    if masks == "shuffled":
        return shuffle_masks(mask, seed)
    if masks == "everywhere":
        return np.where(np.isnan(mask.astype(np.float32)), np.nan, 1).astype(np.float32)
    return mask


def control_parameters(method, masks):
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
    """
    params, grid = method.get("params", {}), method.get("grid", {})
    if masks == "off":
        off = method["off"]
        return {"params": {**params, **off}, "grid": _without(grid, off)}
    if masks == "reweighted":
        # All else says how a perturbation is drawn.
        params = {name: value for name, value in params.items() if name in _KEPT}
        grid = {name: values for name, values in grid.items() if name in _KEPT}
        params["perturbation"] = "none"
        return {"estimator": "AvgExClassifier", "params": params, "grid": grid}
    return {}


def _without(grid, names):
    return {name: values for name, values in grid.items() if name not in names}


# Parameters that every estimator has, and the weight.
_KEPT = (
    "alpha",
    "optimizer",
    "lr",
    "max_epochs",
    "batch_size",
    "mask_marks",
    "input_unit",
    "annotated_per_batch",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "optimizer__weight_decay",
    "optimizer__momentum",
)


def shuffle_masks(mask, seed):
    """Give annotated rows the masks of other annotated rows.

    Where all these are alike, which no exchange of rows would change, they are moved: images by a
    shift that wraps around, tables by a permutation of columns.

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
    if len(rows) and (rows == rows[:1]).all():
        shuffled[annotated] = _move(rows, rng)
    else:
        shuffled[annotated] = rng.permutation(rows)
    return shuffled


def _move(rows, rng):
    """Move equal masks to other features, all alike."""
    if rows.ndim == 2:
        return rows[:, rng.permutation(rows.shape[1])]
    axes = (rows.ndim - 2, rows.ndim - 1)
    return np.roll(rows, [rng.randint(1, rows.shape[axis]) for axis in axes], axis=axes)
