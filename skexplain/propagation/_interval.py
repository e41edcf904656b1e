"""Boxes of tensors, and how an operation becomes one on boxes."""

from collections import ChainMap
from collections.abc import Callable
from functools import reduce
from typing import Any, Literal

import torch
from torch import Tensor

from ._dispatch import Propagated, Rule, call_rule, canonical_name


class Interval(Propagated):
    """A box: every tensor whose entries lie within `radius` of `center`.

    An operation on boxes gives a box that contains what the operation gives for every tensor in
    them (interval bound propagation [1]_), up to floating-point rounding.  Bounds are as
    differentiable as the operation, so that a network can be trained on them.

    Parameters
    ----------
    center, radius : Tensors of one shape, dtype and device
        The radius is not negative.

    Attributes
    ----------
    affine : tuple of (Interval, Tensor, Tensor or None), or None
        What a linear layer computed the box from: its input, weight and bias.  None for all else.

    References
    ----------
    .. [1] S. Gowal et al., "Scalable Verified Training for Provably Robust Image Classification",
       ICCV 2019.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Interval
    >>> x = Interval(torch.tensor([-1.0, 2.0]), torch.tensor([3.0, 0.5]))
    >>> y = torch.relu(2 * x + 1)
    >>> y.lower, y.upper
    (tensor([0., 4.]), tensor([5., 6.]))
    """

    kind = "interval bounds"
    register = "register_interval_rule"
    # What users register hides what is built in and can be taken away again.
    rules: ChainMap[str, Rule] = ChainMap({}, {})

    def __init__(self, center: Tensor, radius: Tensor) -> None:
        super().__init__(center, radius)
        self.affine: tuple[Interval, Tensor, Tensor | None] | None = None
        self._ends: tuple[Tensor, Tensor] | None = None

    @classmethod
    def from_bounds(cls, lower: Tensor, upper: Tensor) -> "Interval":
        """Make the box of all tensors between two.

        Parameters
        ----------
        lower, upper : Tensors of one shape, dtype and device

        Returns
        -------
        Interval
        """
        center = torch.lerp(lower, upper, 0.5)
        interval = cls(center, center - lower)
        interval._ends = lower, upper  # free of rounding: what is positive stays so
        return interval

    @classmethod
    def lift(cls, tensor: Tensor, like: Any) -> "Interval":
        """Make a box of radius 0."""
        return cls(tensor, torch.zeros_like(tensor))

    @property
    def center(self) -> Tensor:
        """Middle of the box."""
        return self.parts[0]

    @property
    def radius(self) -> Tensor:
        """Half of its width."""
        return self.parts[1]

    @property
    def lower(self) -> Tensor:
        """Smallest values."""
        return self.center - self.radius if self._ends is None else self._ends[0]

    @property
    def upper(self) -> Tensor:
        """Largest values."""
        return self.center + self.radius if self._ends is None else self._ends[1]

    def __repr__(self) -> str:
        """Show both parts."""
        return f"Interval(center={self.center}, radius={self.radius})"


def register_interval_rule(
    operation: str | Callable[..., Any], rule: Callable[..., Interval] | None
) -> None:
    """Register a rule of interval bounds for an operation.

    Parameters
    ----------
    operation : str or callable
        A function or method of torch's, or its name as the error about it says.  The rule then
        serves the function, the method, the method in place and the operator of that name.
    rule : callable or None
        Takes the arguments of the operation, with an `Interval` where a tensor depends on the
        input, and returns an `Interval` that contains all results.  It may use operations that have
        a rule.  It goes before one that is built in.  None takes your rule away again.

    Raises
    ------
    TypeError
        If `rule` is neither callable nor None.

    Examples
    --------
    >>> import torch
    >>> from skexplain.propagation import Interval, register_interval_rule
    >>> def ndtr(x):  # increasing: the ends go to the ends
    ...     return Interval.from_bounds(torch.special.ndtr(x.lower), torch.special.ndtr(x.upper))
    >>> register_interval_rule(torch.special.ndtr, ndtr)
    >>> torch.special.ndtr(Interval(torch.zeros(1), torch.ones(1))).upper
    tensor([0.8413])
    >>> register_interval_rule(torch.special.ndtr, None)
    """
    if rule is not None and not callable(rule):
        raise TypeError(f"rule must be callable or None; got {type(rule).__name__}.")
    own, name = Interval.rules.maps[0], canonical_name(operation)
    if rule is None:
        own.pop(name, None)
    else:
        own[name] = call_rule(rule)


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Decorate a built-in rule ``rule(function, args, kwargs)`` of some operations."""

    def add(function: Rule) -> Rule:
        Interval.rules.maps[1].update(dict.fromkeys(names, function))
        return function

    return add


def of_first(rule: Callable[..., Any]) -> Rule:
    """Make a rule of ``rule(function, x, ...)``: only the first argument may be an interval."""

    def guarded(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        x, *rest = args
        if not isinstance(x, Interval) or Interval.holds_one((rest, kwargs)):
            raise Interval.no_rule(function, " with an interval in another place")
        return rule(function, x, *rest, **kwargs)

    return guarded


def ends(arguments: Any, end: Literal["lower", "upper", "center"]) -> Any:
    """Replace the intervals in (nested) arguments by one end, "lower" or "upper"."""
    if isinstance(arguments, Interval):
        return getattr(arguments, end)
    if isinstance(arguments, dict):
        return {key: ends(value, end) for key, value in arguments.items()}
    if type(arguments) in (list, tuple):
        return type(arguments)(ends(value, end) for value in arguments)
    return arguments


def hull(*values: Tensor) -> Interval:
    """Make the smallest box that contains some tensors."""
    return Interval.from_bounds(reduce(torch.minimum, values), reduce(torch.maximum, values))
