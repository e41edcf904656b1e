"""The values of penalties for each sample, those at one point on one forward pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..penalties import Rows
from ..penalties._base import Point, copies_of, is_built_in, mean_over_draws, point_of
from ._method import Term

# Of random penalties, by the names of the terms.
Generators: TypeAlias = dict[str, torch.Generator]


def evaluate_terms(
    terms: Sequence[Term],
    module: Any,
    rows: Rows,
    donors: Rows | None = None,
    generators: Generators | None = None,
    clean: Point | None = None,
    moved: Any = None,
) -> dict[str, Tensor]:
    """Compute every term for each sample; terms at one point share its forward pass.

    Parameters
    ----------
    terms : sequence of Term
        A term that is taken ``at`` another comes after it.
    module : nn.Module
        The network.
    rows : Rows
        Penalised samples.
    donors : Rows or None, default=None
        Samples that a swap takes values from.
    generators : dict of str to torch.Generator or None, default=None
        Generator of each term's own draws; None: torch's.
    clean : Point or None, default=None
        What the network makes of ``rows.x``, if it is known already.
    moved : dict of str to Tensor of shape (draws * n_samples, ...), or None, default=None
        Where perturbations of these names have moved the samples already.

    Returns
    -------
    dict of str to Tensor of shape (n_samples,)
    """
    points = {} if clean is None else {"clean": (clean, rows)}
    hosts = {term.at for term in terms}
    values = {}
    for term in terms:
        generator = generators[term.name] if generators else None
        point, copies = points.get(term.at, (None, None))
        if point is not None and term.penalty.reads(point) and not term.has_own_call:
            values[term.name] = mean_over_draws(term.penalty.at_point(point, copies), rows)
        elif term.name in hosts:
            x = (moved or {}).get(term.name)
            if x is None:
                with no_writes(term, rows, donors):
                    x = term.penalty.move(module, rows, donors, generator)
            copies = copies_of(rows, x)
            point = point_of(module, copies, x)
            points[term.name] = point, copies
            if term.has_own_call:
                values[term.name] = _checked_values(term, module, rows, donors, generator)
            else:
                values[term.name] = mean_over_draws(rows.label_loss(point.logits, copies.y), rows)
        else:
            values[term.name] = _checked_values(term, module, rows, donors, generator)
    return values


def _checked_values(
    term: Term, module: Any, rows: Rows, donors: Rows | None, generator: torch.Generator | None
) -> Tensor:
    """Compute a penalty, which may be a user's own, and check what it returns."""
    try:
        with no_writes(term, rows, donors):
            values = term.penalty(module, rows, donors, generator)
    except AttributeError as error:
        if donors is None and "'NoneType' object has no attribute" in str(error):
            raise TypeError(
                f"penalties: {term.name!r} reads donors, which it is given only where its class "
                f"says needs_donors = True."
            ) from error
        raise
    if not isinstance(values, Tensor) or values.shape != rows.y.shape:
        got = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise TypeError(
            f"penalties: {term.name!r} must return one value per sample, a tensor of shape "
            f"{tuple(rows.y.shape)}; got {got}."
        )
    if not is_built_in(type(term.penalty)) and torch.is_grad_enabled() and not values.requires_grad:
        raise TypeError(
            f"penalties: {term.name!r} returned values whose gradient does not depend on the "
            f"network, so that it would train nothing: compute them from what the module returns, "
            f"without detach() or no_grad()."
        )
    return values


@contextmanager
def no_writes(term: Term, *given: Rows | None) -> Iterator[None]:
    """Check that what a user has written does not write into tensors that others read after it."""
    if is_built_in(type(term.penalty)) and not callable(
        getattr(term.penalty, "perturbation", None)
    ):
        yield
        return
    tensors = [
        (name, tensor, tensor._version)
        for rows in given
        if rows is not None
        for name, tensor in vars(rows).items()
        if isinstance(tensor, Tensor)
    ]
    yield
    for name, tensor, version in tensors:
        if tensor._version != version:
            raise TypeError(
                f"penalties: {term.name!r} writes into {name!r} of the samples that it is given, "
                f"which others read after it: change a copy, {name}.clone()."
            )
