"""What is declared, as plain values: the key of a result is made of them."""

import functools
import hashlib
import inspect
import textwrap
import types
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import UninitializedTensorMixin  # type: ignore[attr-defined]

#: Packages whose code is named and not hashed: the version of skexplain is part of every key, and
#: the others are named by plain declarations, too, such as "Adam".
_NAMED = ("builtins", "numpy", "scipy", "skexplain", "sklearn", "skorch", "torch")


def describe(value: Any, place: Any) -> Any:
    """Describe a value so that equal descriptions mean equal results.

    Numbers, strings, None, and lists and dicts of them are their own description.  A class or a
    function is described by its import path and, unless it belongs to a package whose version
    decides, by a hash of its source and of its base classes' source; an object by its class and
    its parameters or attributes; an array or a tensor by a hash of its values.

    Parameters
    ----------
    value : object
    place : str
        Where it stands in a declaration, for the error.

    Returns
    -------
    object
        What `json` can write.

    Raises
    ------
    TypeError
        If the state of an object cannot be described, or the source of a class or a function cannot
        be read; the error names the place.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, dict):
        return {name: describe(item, f"{place}[{name!r}]") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [describe(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | torch.Tensor):
        return _describe_array(value, place)
    if isinstance(value, type):
        return {"class": _path(value), "source": _sources(value, place)}
    if isinstance(value, types.FunctionType):
        return _describe_function(value, place)
    if isinstance(value, types.BuiltinFunctionType):
        return {"function": _path(value)}
    if isinstance(value, types.MethodType):
        return {"method": value.__name__, "of": describe(value.__self__, f"{place}.__self__")}
    if isinstance(value, functools.partial):
        parts = {"function": value.func, "args": value.args, "keywords": value.keywords}
        return {"partial": describe(parts, place)}
    return {**describe(type(value), place), "state": _describe_state(value, place)}


def _describe_state(value: Any, place: Any) -> dict[Any, Any]:
    """Describe what an object holds."""
    if hasattr(value, "get_params"):
        state = value.get_params(deep=False)
    elif isinstance(value, nn.Module):
        state = _module_state(value)
    elif _is_plain_object(value):
        state = vars(value)
    else:
        raise TypeError(
            f"{place} must be made of numbers, strings, arrays, classes and objects with "
            f"parameters or attributes, got {value!r}: results are stored under what decides them, "
            f"and the state of {type(value).__name__} cannot be described."
        )
    return {name: describe(item, f"{place}.{name}") for name, item in state.items()}


def _module_state(module: Any) -> dict[Any, Any]:
    """Return parameters, buffers, parts and public attributes of a network by name."""
    public = {name: value for name, value in vars(module).items() if not name.startswith("_")}
    tensors = dict(module.named_parameters(recurse=False)) | dict(
        module.named_buffers(recurse=False)
    )
    return {**public, **tensors, **dict(module.named_children())}


def _is_plain_object(value: Any) -> Any:
    """Whether all that an object holds are its attributes, which copies and pickles hold, too."""
    cls = type(value)
    custom = ("__reduce__", "__reduce_ex__", "__getstate__", "__slots__")
    return hasattr(value, "__dict__") and not any(
        name in vars(base) or not base.__flags__ & _HEAP_TYPE
        for base in cls.__mro__[:-1]
        for name in custom
    )


_HEAP_TYPE = 1 << 9  # of a class that was written in Python


def _describe_array(value: Any, place: Any) -> dict[Any, Any]:
    if isinstance(value, UninitializedTensorMixin):
        return {"array": "of a shape that follows from the data"}
    kind = [str(value.dtype), list(value.shape)]
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.double() if value.is_floating_point() else value).numpy()
    if value.dtype.hasobject:
        return {"array": kind, "values": describe(value.tolist(), place)}
    return {"array": kind, "values": _hash(value.tobytes())}


def _describe_function(function: Any, place: Any) -> Any:
    """Describe a function by its source, its defaults and what it closes over."""
    described = {"function": _path(function)}
    if _is_named(function):
        return described
    closed = inspect.getclosurevars(function).nonlocals
    held = {"defaults": function.__defaults__, "keywords": function.__kwdefaults__, **closed}
    return {**described, "source": [_source(function, place)], "holds": describe(held, place)}


def _sources(cls: Any, place: Any) -> list[Any]:
    """Return a hash of the source of a class and of each of its bases, but named ones."""
    return [_source(base, place) for base in cls.__mro__ if not _is_named(base)]


def _source(thing: Any, place: Any) -> Any:
    try:
        source = inspect.getsource(thing)
    except (OSError, TypeError) as error:
        raise TypeError(
            f"{place} must be a class or function whose source can be read, got {_path(thing)}: "
            "results are stored under a hash of it. Define it in a file."
        ) from error
    return _hash(textwrap.dedent(source).encode())


def _is_named(thing: Any) -> bool:
    return (thing.__module__ or "builtins").partition(".")[0] in _NAMED


def _path(thing: Any) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"


def _hash(data: Any) -> Any:
    return hashlib.sha256(data).hexdigest()[:20]
