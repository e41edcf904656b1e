"""What a row may give to other rows: its irrelevant features, and nothing of its reasons."""


def without_reasons(x, irrelevance, mean, unit, lower, upper):
    """Return rows with their reasons replaced, so that they can be given to other rows.

    Where a feature is relevant, the mean of the row's own irrelevant features stands in: per
    channel, or, for a table, over its columns in their units (so that a mean of ages and prices has
    a sense), within each column's range.  Degrees are the weights of that mean; where they add up
    to less than one whole feature, the training mean has the rest, so that a feature speaks for the
    row no more than it is irrelevant.

    Parameters
    ----------
    x : Tensor of shape (rows, ...)
        The rows.
    irrelevance : Tensor, broadcastable to `x`
        Degree in [0, 1] to which a feature must not matter, of the dtype of `x`.
    mean, unit, lower, upper : Tensors, broadcastable to `x`
        Mean, unit and range of each column or channel in the data.

    Returns
    -------
    Tensor of the shape of `x`
    """
    a, axes = irrelevance.expand_as(x), pooled_axes(x)
    share = a.sum(axes, keepdim=True).clamp(min=1)
    own_mean = (a * (x - mean) / unit).sum(axes, keepdim=True) / share
    fill = (mean + unit * own_mean).clamp(lower, upper)
    return fill.lerp(x, a)


def pooled_axes(x):
    """Axes over which a row (of a table, or an image without channels) or a channel extends."""
    return tuple(range(1, x.ndim)) if x.ndim < 4 else tuple(range(2, x.ndim))
