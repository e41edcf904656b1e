"""Rules of contextual decomposition for what chooses among entries: maxima, and masks."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ._decomposition import Decomposition
from ._dispatch import Rule, call_rule, canonical_name

_Values = namedtuple("_Values", ["values", "indices"])


def _extreme(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Select both parts where their sum is largest (or smallest), as max-pooling does."""

    def select(
        input: Any, dim: int | Sequence[int] | None = None, keepdim: bool = False
    ) -> tuple[Any, Tensor]:
        axes = [dim] if isinstance(dim, int) else list(dim or ())
        if not isinstance(input, Decomposition) or not axes:
            raise Decomposition.no_rule(function, " without an axis, or of two tensors")
        axes = [axis % input.ndim for axis in axes]
        for axis in axes:
            total = input.total.detach()
            largest = canonical_name(function) in ("amax", "max")
            winners = (total.argmax if largest else total.argmin)(axis, keepdim=True)
            input = Decomposition(*(part.gather(axis, winners) for part in input.parts))
        if not keepdim:
            input, winners = (each.squeeze(tuple(axes)) for each in (input, winners))
        return input, winners

    values, winners = select(*args, **kwargs)
    return values if canonical_name(function) in ("amax", "amin") else _Values(values, winners)


def _where(function: Callable[..., Any], args: Any, kwargs: Any) -> Decomposition:
    """Choose by a condition that is a plain tensor; a constant is split in halves."""

    def method(input: Any, condition: Any, other: Any) -> Decomposition:
        return choose(condition, input, other)

    def choose(condition: Any, input: Any, other: Any) -> Decomposition:
        if isinstance(condition, Decomposition):
            raise Decomposition.no_rule(function, " with a decomposition as condition")
        return Decomposition(
            *(torch.where(condition, _part(input, k), _part(other, k)) for k in (0, 1))
        )

    return (method if function is Tensor.where else choose)(*args, **kwargs)


def _part(value: Any, k: int) -> Any:
    return value.parts[k] if isinstance(value, Decomposition) else value / 2


def _masked_fill(input: Any, mask: Tensor, value: Any) -> Decomposition:
    return _where(torch.where, (mask, value, input), {})


CHOICES: dict[str, Rule] = {
    **dict.fromkeys(("amax", "amin", "max", "min"), _extreme),
    "where": _where,
    "masked_fill": call_rule(_masked_fill),
}
