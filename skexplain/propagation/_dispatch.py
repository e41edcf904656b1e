"""Values that flow through a user's own forward in the place of a tensor, operation by operation.

torch hands every function, method and operator that meets an object with ``__torch_function__`` to
that object.  A `Propagated` value looks the operation up by its canonical name in the rules of its
kind, so that one rule serves ``torch.relu(x)``, ``x.relu()``, ``functional.relu(x)`` and the layer.
An operation without a rule raises an error that names it.
"""

import inspect
from collections.abc import Callable, Iterator, MutableMapping
from functools import cache, partial
from typing import Any, TypeAlias

import torch
from torch import Tensor

from ..exceptions import UnsupportedOperationError

# What Python's operators stand for.
_OPERATORS = {
    "__add__": "add",
    "__radd__": "add",
    "__sub__": "sub",
    "__rsub__": "rsub",
    "__mul__": "mul",
    "__rmul__": "mul",
    "__truediv__": "div",
    "__rtruediv__": "rdiv",
    "__rdiv__": "rdiv",  # what torch calls __rtruediv__
    "__pow__": "pow",
    "__rpow__": "rpow",
    "__matmul__": "matmul",
    "__rmatmul__": "rmatmul",
    "__neg__": "neg",
    "__abs__": "abs",
    "__getitem__": "getitem",
    "__setitem__": "setitem",
    "__floordiv__": "floor_divide",
    "__mod__": "remainder",
    "__lt__": "lt",
    "__le__": "le",
    "__gt__": "gt",
    "__ge__": "ge",
    "__eq__": "eq",
    "__ne__": "ne",
    "__invert__": "bitwise_not",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__iadd__": "add_",
    "__isub__": "sub_",
    "__imul__": "mul_",
    "__itruediv__": "div_",
    "__idiv__": "div_",
    # These would leave the tensors: no rule can serve them.
    "__bool__": "bool",
    "__float__": "item",
    "__int__": "item",
    "__array__": "numpy",
}

_SYNONYMS = {
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "negative": "neg",
    "absolute": "abs",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "moveaxis": "movedim",
    "concat": "cat",
    "concatenate": "cat",
    "clip": "clamp",
    "special_expit": "sigmoid",
    "special_softmax": "softmax",
    "special_log_softmax": "log_softmax",
    "log_sigmoid": "logsigmoid",
    "_threshold": "threshold",
}

# Answered by a part, as all parts have one shape, dtype and device.
_METADATA = (
    *("size", "dim", "ndimension", "numel", "nelement", "element_size", "get_device"),
    *("is_floating_point", "is_complex", "is_contiguous", "stride"),
    *("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like"),
    *("new_zeros", "new_ones", "new_full", "new_empty", "new_tensor"),
)
_METADATA_ATTRIBUTES = (
    *("shape", "dtype", "device", "ndim", "layout", "requires_grad"),
    *("is_cuda", "is_nested", "is_sparse", "is_quantized"),
)


# What serves an operation: a function of it, its arguments and its keyword arguments.
Rule: TypeAlias = Callable[[Callable[..., Any], Any, Any], Any]


class Propagated:
    """Base of what stands in for a tensor: some parts, tensors of one shape.

    A subclass says in ``kind`` what its values are called in errors and in ``register`` which
    function adds a rule, has ``rules``, a dict from canonical names of operations to
    ``rule(function, args, kwargs)``, and turns a plain tensor that it meets into one of its own
    (`lift`).

    Parameters
    ----------
    *parts : Tensor
        All of one shape.
    """

    kind = ""
    register = ""
    rules: MutableMapping[str, Rule] = {}

    # Set below, for every operator of Python's.
    __add__: Callable[..., Any]
    __radd__: Callable[..., Any]
    __sub__: Callable[..., Any]
    __rsub__: Callable[..., Any]
    __mul__: Callable[..., Any]
    __rmul__: Callable[..., Any]
    __truediv__: Callable[..., Any]
    __rtruediv__: Callable[..., Any]
    __pow__: Callable[..., Any]
    __rpow__: Callable[..., Any]
    __matmul__: Callable[..., Any]
    __rmatmul__: Callable[..., Any]
    __neg__: Callable[..., Any]
    __abs__: Callable[..., Any]
    __getitem__: Callable[..., Any]

    def __init__(self, *parts: Tensor) -> None:
        self.parts = parts

    @classmethod
    def lift(cls, tensor: Tensor, like: Any) -> Any:
        """Turn a plain tensor into a value of this kind; `like` is one that it meets."""
        raise TypeError(f"{cls.__name__} does not say what a constant is.")

    @property
    def middle(self) -> Tensor:
        """The tensor that it stands for: what the operations would give without the parts."""
        return self.parts[0]

    @classmethod
    def __torch_function__(
        cls,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Apply an operation of torch that has a value of this kind among its arguments."""
        return cls._apply(function, args, dict(kwargs or {}))

    @classmethod
    def _apply(
        cls, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        name = canonical_name(function)
        if not args:  # torch.tanh(input=x), torch.cat(tensors=[x, y])
            first = next(key for key in ("condition", "input", "tensors") if key in kwargs)
            args = (kwargs.pop(first),)
        if name in _METADATA:
            return function(*cls._part(args, 0), **cls._part(kwargs, 0))
        target, args, kwargs = _split_in_place(function, args, kwargs)
        rule = cls.rules.get(name)
        # What is written into a plain tensor would be missed by others who hold it.
        if rule is None or kwargs.get("out") is not None or isinstance(target, torch.Tensor):
            raise cls.no_rule(function)
        if target is None:
            return rule(function, args, kwargs)
        result = rule(_out_of_place(function), args, kwargs)
        target.__dict__.update(vars(result))
        return target

    @classmethod
    def no_rule(cls, function: Callable[..., Any], because: str = "") -> UnsupportedOperationError:
        """Make the error about an operation without a rule (or used as its rule does not know)."""
        name = canonical_name(function)
        room = getattr(function, "__module__", None) or "torch.Tensor"
        return UnsupportedOperationError(
            f"module must be made of operations that {cls.kind} have a rule for; got {name!r} "
            f"({room}.{getattr(function, '__name__', name)}){because}. Write the network without "
            f"it, or teach it: skexplain.propagation.{cls.register}({name!r}, rule), where "
            f"rule takes the arguments of the operation. See docs/limits.md#networks."
        )

    @classmethod
    def holds_one(cls, arguments: Any) -> bool:
        """Whether there is a value of this kind in (nested) arguments."""
        if isinstance(arguments, dict):
            arguments = list(arguments.values())
        if type(arguments) in (list, tuple):
            return any(cls.holds_one(argument) for argument in arguments)
        return isinstance(arguments, cls)

    @classmethod
    def _part(cls, arguments: Any, k: int) -> Any:
        """Replace the values of this kind in (nested) arguments by their k-th part."""
        if isinstance(arguments, cls):
            return arguments.parts[k]
        if isinstance(arguments, dict):
            return {key: cls._part(value, k) for key, value in arguments.items()}
        if type(arguments) in (list, tuple):
            return type(arguments)(cls._part(value, k) for value in arguments)
        return arguments

    def __getattr__(self, name: str) -> Any:
        """Return an attribute that tensors have: metadata, or a method as an operation."""
        if name in _METADATA_ATTRIBUTES:
            return getattr(self.parts[0], name)
        method = getattr(torch.Tensor, name, None)
        if name.startswith("__") or not callable(method):
            raise AttributeError(f"{type(self).__name__} has no {name!r}, as a tensor may have.")
        return partial(self._call, method)

    def _call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self._apply(method, (self, *args), kwargs)

    def __len__(self) -> int:
        """Length of axis 0."""
        return len(self.parts[0])

    def __iter__(self) -> Iterator[Any]:
        """Iterate over axis 0, as tensors do."""
        return iter(self.unbind(0))

    @property
    def T(self) -> Any:
        """Transpose: all axes reversed."""
        return self.permute(*reversed(range(self.ndim)))

    @property
    def mT(self) -> Any:
        """Transpose of the last two axes."""
        return self.transpose(-2, -1)

    __hash__ = object.__hash__


def _operator(name: str) -> Callable[..., Any]:
    method = getattr(torch.Tensor, name)

    def apply(self: Propagated, *args: Any, **kwargs: Any) -> Any:
        return self._apply(method, (self, *args), kwargs)

    apply.__name__ = name
    return apply


for _name in _OPERATORS:
    setattr(Propagated, _name, _operator(_name))


@cache
def canonical_name(function: Callable[..., Any] | str) -> str:
    """Name an operation without regard to how it was called.

    Parameters
    ----------
    function : callable or str
        A function or method of torch's, or what it is called.

    Returns
    -------
    str

    Examples
    --------
    >>> import torch
    >>> [canonical_name(f) for f in (torch.add, torch.Tensor.add_, torch.Tensor.__add__)]
    ['add', 'add', 'add']
    """
    if not isinstance(function, str):
        function = getattr(function, "__name__", type(function).__name__)
    name = _OPERATORS.get(function, function)
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    return _SYNONYMS.get(name, name)


def _split_in_place(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Return the argument that the operation overwrites (or None), and the arguments without it.

    A write through a view is not followed: the value that was viewed keeps what it was, which
    `check_outputs` finds.
    """
    name = getattr(function, "__name__", "")
    name = _OPERATORS.get(name, name)
    in_place = name.endswith("_") and not name.endswith("__")
    in_place |= bool(kwargs.pop("inplace", False))
    position = _inplace_position(function)
    if position is not None and len(args) > position:
        in_place |= bool(args[position])
        args = args[:position] + args[position + 1 :]
    return args[0] if in_place else None, args, kwargs


@cache
def _out_of_place(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the form of an operation that does not overwrite, so that parts may be shared."""
    name = getattr(function, "__name__", "")
    name = _OPERATORS.get(name, name)
    if not name.endswith("_"):  # an argument said so, which is gone
        return function
    rooms = (torch.Tensor, torch, torch.nn.functional)
    return next(getattr(room, name[:-1]) for room in rooms if hasattr(room, name[:-1]))


@cache
def _inplace_position(function: Callable[..., Any]) -> int | None:
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # a built-in function says in its name that it is in place
        return None
    return names.index("inplace") if "inplace" in names else None


def call_rule(rule: Callable[..., Any]) -> Rule:
    """Make a rule of a function that takes the arguments of the operation itself."""
    return lambda function, args, kwargs: rule(*args, **kwargs)


def part_by_part(cls: type[Propagated]) -> Rule:
    """Make a rule that applies the operation to each part alike.

    For what moves entries or adds them up: views, indices, sums, averages.

    Parameters
    ----------
    cls : Propagated subclass

    Returns
    -------
    callable
    """

    def rule(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        value, *rest = args
        if cls.holds_one((rest, kwargs)) or not cls.holds_one(value):
            raise cls.no_rule(function, " with a propagated value in another place")
        if not isinstance(value, cls):  # cat, stack
            like = next(item for item in value if isinstance(item, cls))
            value = [v if isinstance(v, cls) else cls.lift(v, like) for v in value]
            n_parts = len(like.parts)
        else:
            n_parts = len(value.parts)
        results = [function(cls._part(value, k), *rest, **kwargs) for k in range(n_parts)]
        if isinstance(results[0], (list, tuple)):  # chunk, split, unbind
            return tuple(cls(*parts) for parts in zip(*results, strict=True))
        return cls(*results)

    return rule
