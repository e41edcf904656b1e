"""Random numbers of penalties, also of several networks at once or of a part of the samples."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor


class StackedGenerator(torch.Generator):
    """Generators of several networks, each for an equal part of the samples.

    Each draws for its own part what it would draw if there were no others.

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

    def draw(self, function: Callable[..., Any], shape: Sequence[int], **kind: Any) -> Tensor:
        """Draw numbers for the samples of all networks."""
        part = (shape[0] // len(self.each), *shape[1:])
        return torch.cat([function(part, generator=own, **kind) for own in self.each])


class PartGenerator(torch.Generator):
    """A generator that draws for all samples, and hands out the numbers of some of them.

    Parameters
    ----------
    whole : torch.Generator
        Draws.
    index : LongTensor
        The samples.
    n_samples : int
        Number of all samples.
    """

    whole: torch.Generator
    index: Tensor
    n_samples: int

    def __new__(cls, whole: torch.Generator, index: Tensor, n_samples: int) -> "PartGenerator":
        """Make a generator on the same device."""
        part = super().__new__(cls, whole.device)  # type: ignore[call-arg]
        part.whole, part.index, part.n_samples = whole, index, n_samples
        return part

    def draw(self, function: Callable[..., Any], shape: Sequence[int], **kind: Any) -> Tensor:
        """Draw numbers for all samples; return those of the part."""
        numbers = function((self.n_samples, *shape[1:]), generator=self.whole, **kind)
        return numbers.index_select(0, self.index)


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
        A `StackedGenerator` or `PartGenerator` draws by itself.
    like : Tensor

    Returns
    -------
    Tensor of shape `shape`
    """
    kind: dict[str, Any] = {"device": like.device, "dtype": like.dtype}
    if isinstance(generator, StackedGenerator | PartGenerator):
        return generator.draw(function, shape, **kind)
    return function(shape, generator=generator, **kind)
