"""What stands in for irrelevant features."""

import torch


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

    Where a feature is relevant, the mean of the row's own irrelevant features stands in: per
    channel, or, for a table, over its columns in their units (so that a mean of ages and prices has
    a sense), within each column's range.  Degrees are the weights of that mean; where they add up
    to less than one whole feature, the training mean has the rest, so that a feature speaks for the
    row no more than it is irrelevant.

    Returns
    -------
    Tensor of the shape of ``rows.x``
    """
    a, axes = rows.irrelevance.expand_as(rows.x), pooled_axes(rows.x)
    share = a.sum(axes, keepdim=True).clamp(min=1)
    mean = (a * (rows.x - rows.mean) / rows.unit).sum(axes, keepdim=True) / share
    fill = (rows.mean + rows.unit * mean).clamp(rows.lower, rows.upper)
    return fill.lerp(rows.x, a)


def pooled_axes(x):
    """Axes over which a row (of a table, or an image without channels) or a channel extends."""
    return tuple(range(1, x.ndim)) if x.ndim < 4 else tuple(range(2, x.ndim))
