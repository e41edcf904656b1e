"""What stands in for irrelevant features."""

import torch

from ..masks._fill import pooled_axes, without_reasons

__all__ = ["fill_value", "irrelevant_values", "pooled_axes"]


def fill_value(fill, rows):
    """Return a fill as a tensor that broadcasts to ``rows.x``.

    Parameters
    ----------
    fill : float, "mean" or array-like
        A number, the training mean of each column or channel, or an array that broadcasts to a row.
    rows : Rows
        Rows to be filled.
    """
    if isinstance(fill, str) and fill == "mean":
        return rows.mean
    return torch.as_tensor(fill, dtype=rows.x.dtype, device=rows.x.device)


def irrelevant_values(rows):
    """Return the rows with their reasons replaced, so that they can be given to other rows.

    Where a feature is relevant, the mean of the row's own irrelevant features stands in.

    Returns
    -------
    Tensor of the shape of ``rows.x``
    """
    return without_reasons(rows.x, rows.irrelevance, rows.mean, rows.unit, rows.lower, rows.upper)
