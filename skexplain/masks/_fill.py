"""What samples exchange: their irrelevant features, and nothing of their reasons."""

from collections.abc import Callable

import torch
from torch import Tensor

# Two samples exchange parts where their marks leave at least this share of the features.
_LEAST_ROOM = 0.5


def exchange_parts(
    x: Tensor,
    irrelevance: Tensor,
    donor_x: Tensor,
    donor_irrelevance: Tensor,
    otherwise: Tensor | Callable[[], Tensor],
) -> Tensor:
    """Replace the parts that either of two samples marks by the features of the donor.

    So the marked part of the donor comes to its place in a sample that has none there, the sample's
    own marked part goes, and whether, where and what the part is does not depend on the label.
    Where both marks together leave less than half of the features, the part of the donor would
    cover the reasons of the sample, and `otherwise` is taken.

    Parameters
    ----------
    x, donor_x : Tensor of shape (n_samples, ...)
        The samples, and the donor of each.
    irrelevance, donor_irrelevance : Tensor, broadcastable to `x`
        Degree in [0, 1] to which a feature must not matter, of the dtype of `x`.
    otherwise : Tensor of the shape of `x`, or callable that returns one
        What is taken for pairs whose marks cover too much.

    Returns
    -------
    Tensor of the shape of `x`
    """
    union = torch.maximum(irrelevance, donor_irrelevance)
    exchanged = x.lerp(donor_x, union.expand_as(x))
    room = leave_room(union, x.ndim)
    if callable(otherwise):
        if x.is_cpu and room.all():  # on an accelerator, asking would take longer than computing
            return exchanged
        otherwise = otherwise()
    return torch.where(room, exchanged, otherwise)


def leave_room(union: Tensor, ndim: int, present: Tensor | None = None) -> Tensor:
    """Return which pairs of samples can exchange parts: at least half of the features stay.

    Parameters
    ----------
    union : Tensor of shape (n_samples, ...)
        Degree to which either of two samples marks a feature.
    ndim : int
        Number of axes of the result.
    present : bool Tensor of shape (n_samples, ...) or None, default=None
        Which entries of the samples are features; None: all.

    Returns
    -------
    bool Tensor of shape (n_samples, 1, ...)
    """
    if present is None:
        share = union.flatten(1).mean(1)
    else:
        share = (union * present).flatten(1).sum(1) / present.flatten(1).sum(1).clamp(min=1)
    return (share <= 1 - _LEAST_ROOM).view(-1, *(1,) * (ndim - 1))


def leave_room_on_average(first: Tensor, second: Tensor, present: Tensor | None = None) -> bool:
    """Return whether samples can exchange parts, on average over pairs.

    Parameters
    ----------
    first, second : Tensor of shape (n_samples, ...)
        Irrelevance of the samples of each pair.
    present : Tensor of shape (n_samples, ...) or None, default=None
        Which entries of the first sample are features, or how often they are; None: all.

    Returns
    -------
    bool
    """
    union = torch.maximum(first, second)
    if present is None:
        return float(union.mean()) <= 1 - _LEAST_ROOM
    return float((union * present).sum() / present.sum()) <= 1 - _LEAST_ROOM


def without_reasons(
    x: Tensor, irrelevance: Tensor, mean: Tensor, unit: Tensor, lower: Tensor, upper: Tensor
) -> Tensor:
    """Return samples with their reasons replaced, so that they can be given to other samples.

    Where a feature is relevant, the mean of the sample's own irrelevant features stands in: per
    channel, or, for a table, over its columns in their units (so that a mean of ages and prices has
    a sense), within each column's range.  Degrees are the weights of that mean; where they add up
    to less than one whole feature, the training mean has the rest, so that a feature speaks for the
    sample no more than it is irrelevant.

    Parameters
    ----------
    x : Tensor of shape (n_samples, ...)
        The samples.
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


def pooled_axes(x: Tensor) -> tuple[int, ...]:
    """Axes over which a sample (of a table, or an image without channels) or a channel extends."""
    return tuple(range(1, x.ndim)) if x.ndim < 4 else tuple(range(2, x.ndim))
