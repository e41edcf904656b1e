"""Random numbers of penalties, also where several networks are trained at once."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class StackedGenerator(torch.Generator):
    """Generators of several networks, each for an equal part of the samples.

    Parameters
    ----------
    generators : sequence of torch.Generator
        On one device.
    """

    each: tuple[torch.Generator, ...]

    def __new__(cls, generators: Sequence[torch.Generator]) -> "StackedGenerator":
        """Make a generator on their device."""
        stacked = super().__new__(cls, generators[0].device)  # type: ignore[call-arg]
        stacked.each = tuple(generators)
        return stacked


def draw(
    function: Callable[..., Any],
    shape: Sequence[int],
    generator: torch.Generator | None,
    like: Tensor,
) -> Tensor:
    """Draw random numbers of the dtype and on the device of a tensor.

    Parameters
    ----------
    function : callable
        ``torch.rand`` or ``torch.randn``.
    shape : sequence of int
        The first axis is that of the samples.
    generator : torch.Generator or None
        Of a `StackedGenerator` each generator draws for its own part of the samples, what it would
        draw if there were no others.
    like : Tensor

    Returns
    -------
    Tensor of shape `shape`
    """
    kind: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
    if not isinstance(generator, StackedGenerator):
        return function(shape, generator=generator, **kind)
    part = (shape[0] // len(generator.each), *shape[1:])
    return torch.cat([function(part, generator=own, **kind) for own in generator.each])
