"""Write ``skexplain/estimators/__init__.pyi``, which editors and type checkers read.

The signature of an estimator's constructor is put together when its class is made, which no editor
follows.  This script reads the signatures, constraints and attributes of the imported classes and
writes them down; tests/test_types.py compares the file with them.  Run it from the checkout after
a parameter, a method or an attribute has changed::

    python tools/make_stubs.py
"""

import inspect
import re
from numbers import Integral
from pathlib import Path

import torch
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator

import skexplain
from skexplain.estimators import _parameters
from skexplain.estimators._base import BaseExplanationEstimator
from skexplain.estimators._classifier import BaseExplanationClassifier
from skexplain.estimators._parameters import Interval, Options, StrOptions
from skexplain.estimators._regressor import BaseExplanationRegressor
from skexplain.penalties import MaskedFeaturePenalty
from skexplain.penalties._fill import Fill

STUB = Path(skexplain.estimators.__file__).with_suffix(".pyi")

HEADER = '''\
"""The estimators as editors and type checkers see them.

Written by tools/make_stubs.py from the classes; do not edit.
"""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, Union

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin
from sklearn.utils import Bunch
from torch import nn
from typing_extensions import Self, Unpack

from .._typing import MaskLike, Seed, SpansLike
from ..masks._statistics import InputStatistics
'''

# A keyword with a prefix of skorch's may have any name after it, and a type checker knows no
# prefixes: it takes every name, also a misspelt one, or those of a list.  So these are what the
# optimizers and the compiler of torch take, the callbacks that every fit has, and what networks
# usually call their parameters.  `set_params` takes all others.
PREFIXED = {
    "module__": {
        "str": ["activation", "norm", "weights"],
        "int": [
            *("depth", "embedding_dim", "hidden_dim", "hidden_size", "in_channels", "in_features"),
            *("input_dim", "input_size", "kernel_size", "n_channels", "n_classes", "n_columns"),
            *("n_features", "n_hidden", "n_inputs", "n_layers", "n_outputs", "num_classes"),
            *("num_embeddings", "num_hidden", "num_layers", "num_units", "out_channels"),
            *("out_features", "output_dim", "output_size", "width"),
        ],
        "float": ["dropout", "scale"],
        "bool": ["batch_norm", "bias", "pretrained"],
        "Any": ["hidden_dims", "hidden_layer_sizes", "hidden_sizes", "nonlin"],
    },
    "optimizer__": {
        "float": [
            *("alpha", "dampening", "eps", "initial_accumulator_value", "lambd", "lr_decay"),
            *("momentum", "momentum_decay", "rho", "t0", "tolerance_change", "tolerance_grad"),
            "weight_decay",
        ],
        "int": ["history_size", "max_eval", "max_iter"],
        "bool": [
            *("amsgrad", "capturable", "centered", "decoupled_weight_decay", "differentiable"),
            *("maximize", "nesterov"),
        ],
        "bool | None": ["foreach", "fused"],
        "str | None": ["line_search_fn"],
        "tuple[float, float]": ["betas", "etas", "step_sizes"],
        "Any": ["param_groups"],
    },
    "callbacks__": {"Any": ["early_stopping", "epoch_timer", "print_log", "progress"]},
    "compile__": {
        "bool": ["disable", "fullgraph"],
        "bool | None": ["dynamic"],
        "str | None": ["mode"],
        "str | Callable[..., Any]": ["backend"],
        "dict[str, Any] | None": ["options"],
    },
}

# Classes of the stub that several estimators derive from, and those of the package.
SHARED = {
    BaseExplanationEstimator: "_Estimator",
    BaseExplanationClassifier: "_Classifier",
    BaseExplanationRegressor: "_Regressor",
}

# Types of arguments of methods, by name.
ARGUMENTS = {
    "X": "ArrayLike",
    "y": "ArrayLike",
    "mask": "MaskLike | None",
    "sample_weight": "ArrayLike | None",
    "group_labels": "ArrayLike | None",
    "classes": "ArrayLike | None",
    "deep": "bool",
    "index": "int",
    "params": "Any",
    "fit_params": "Any",
}
# Those of estimators on texts.
OF_TEXTS = {"mask": "SpansLike | None"}
RETURNED = {
    "decision_function": "NDArray[Any]",
    "encode": "list[tuple[NDArray[np.int64], NDArray[np.int64]]]",
    "fill": "NDArray[Any]",
    "get_params": "dict[str, Any]",
    "predict": "NDArray[Any]",
    "predict_proba": "NDArray[np.float64]",
    "predict_log_proba": "NDArray[np.float64]",
    "score": "float",
    "tokenize": "Bunch",
}

# Types of parameters, by constraints that are no interval and no options.
CONSTRAINTS = {
    None: "None",
    "boolean": "bool",
    "array-like": "ArrayLike",
    "random_state": "Seed",
    callable: "Callable[..., Any]",
    dict: "dict[Any, Any]",
    list: "list[Any]",
    tuple: "tuple[Any, ...]",
    torch.device: "torch.device",
    torch.nn.Module: "nn.Module",
}

# Names of parameters in penalties that estimators call otherwise, and types that are long.
PENALTY_NAMES = {"mask_fill": "fill"}
WRITTEN = {
    inspect.formatannotation(ArrayLike | None).replace("'", '"'): "ArrayLike | None",
    inspect.formatannotation(Fill).replace("'", '"'): 'float | ArrayLike | Literal["mean"]',
}

# Types of attributes, by how a docstring begins to say them.
ATTRIBUTES = {
    "InputStatistics": "InputStatistics",
    "MaskPropagator or None": "MaskPropagator | None",
    "bool": "bool",
    "dict of str to float": "dict[str, float]",
    "dict of str to int": "dict[str, int]",
    "float": "float",
    "int or None": "int | None",
    "int": "int",
    "list of float": "list[float]",
    "list": "list[Any]",
    "ndarray of bool": "NDArray[np.bool_]",
    "ndarray": "NDArray[Any]",
    "torch.nn.Module": "nn.Module",
    "tuple of int": "tuple[int, ...]",
}


def stub():
    """Return the text of the stub."""
    parts = [HEADER, _prefixed()]
    written = set()
    for cls in [*SHARED, *_public()]:
        parts.append(_class(cls, written))
        written.add(cls)
    names = "".join(f'    "{name}",\n' for name in skexplain.estimators.__all__)
    parts.append(f"__all__ = [\n{names}]\n")
    return "\n".join(parts)


def _prefixed():
    lines = [
        f"    {prefix}{name}: {kind}\n"
        for prefix in _parameters.PREFIXES
        for kind, names in PREFIXED[prefix].items()
        for name in names
    ]
    return "class _Prefixed(TypedDict, total=False):\n" + "".join(sorted(lines))


def _class(cls, written):
    base = next((shared for shared in cls.__mro__[1:] if shared in written), None)
    return f"class {SHARED.get(cls, cls.__name__)}({_bases(cls, base)}):\n" + "".join(
        [*_attributes(cls, base), *_init(cls), *_methods(cls, base)]
    )


def _bases(cls, base):
    """Return the base classes: the mixins of scikit-learn, and a shared class or its own base."""
    have = base.__mro__ if base else ()
    mixins = [c for c in cls.__mro__ if c.__name__.endswith("Mixin") and c not in have]
    names = [c.__name__ for c in mixins if c.__module__ == BaseEstimator.__module__]
    return ", ".join([*names, SHARED.get(base, getattr(base, "__name__", "BaseEstimator"))])


def _attributes(cls, base):
    """Yield the parameters and the attributes after a fit that its base has not."""
    inherited = _attribute_types(base) if base else {}
    for name, kind in _attribute_types(cls).items():
        if inherited.get(name) != kind:
            yield f"    {name}: {kind}\n"


def _attribute_types(cls):
    types = {name: _parameter_type(cls, name) for name in inspect.signature(cls).parameters}
    # A shared class has those attributes that all estimators derived from it document.
    classes = [c for c in _public() if issubclass(c, cls)] if cls in SHARED else [cls]
    documented = [_documented_attributes(c) for c in classes]
    common = set.intersection(*(set(attributes) for attributes in documented))
    return types | {name: kind for name, kind in documented[0].items() if name in common}


def _documented_attributes(cls):
    section = re.search(r"^Attributes\n-+\n(.*?)^\S[^\n]*\n---", inspect.getdoc(cls), re.M | re.S)
    types = {}
    for name, said in re.findall(r"^(\w+) : (.*)", section[1], re.M):
        types[name] = next((ATTRIBUTES[key] for key in ATTRIBUTES if said.startswith(key)), "Any")
    return types


def _public():
    return [getattr(skexplain, name) for name in skexplain.estimators.__all__]


def _init(cls):
    """Yield the constructor with every parameter of it."""
    lines, keyword_only = ["self"], False
    for name, parameter in inspect.signature(cls).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            lines.append("*")
            keyword_only = True
        lines.append(f"{name}: {_parameter_type(cls, name)}{_default(parameter)}")
    if issubclass(cls, BaseExplanationEstimator):
        lines.append("**prefixed: Unpack[_Prefixed]")
    yield "    def __init__(\n"
    yield from (f"        {line},\n" for line in lines)
    yield "    ) -> None: ...\n"


def _methods(cls, base):
    """Yield the methods of a class whose signatures its base has not."""
    names = [name for name, _ in inspect.getmembers(cls, callable) if not name.startswith("_")]
    for name in names:
        if name == "get_metadata_routing":
            continue
        signature = _signature(cls, name)
        if base is None or signature != _signature(base, name):
            yield f"    def {name}{signature}: ...\n"


def _signature(cls, name):
    """Return the signature of a method as text, or None where there is no such method."""
    method = getattr(cls, name, None)
    if method is None:
        return None
    arguments, keyword_only = [], False
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            arguments.append("*")
            keyword_only = True
        stars = "**" if parameter.kind is parameter.VAR_KEYWORD else ""
        kind = "bool | str | None" if name.startswith("set_") else ARGUMENTS.get(parameter.name)
        kind = ARGUMENTS["params"] if stars else kind
        if issubclass(cls, skexplain.WithTokenizer) and not name.startswith("set_"):
            kind = OF_TEXTS.get(parameter.name, kind)
        if parameter.default is None and "None" not in kind:
            kind = f"{kind} | None"
        if name == "fit" and parameter.name == "mask" and parameter.default is parameter.empty:
            kind = "MaskLike"
        said = parameter.name if parameter.name == "self" else f"{parameter.name}: {kind}"
        arguments.append(stars + said + _default(parameter))
    return f"({', '.join(arguments)}) -> {RETURNED.get(name, 'Self')}"


def _default(parameter):
    if parameter.default is parameter.empty:
        return ""
    plain = parameter.default is None or isinstance(parameter.default, bool | int | float | str)
    return f" = {parameter.default!r}".replace("'", '"') if plain else " = ..."


def _parameter_type(cls, name):
    """Return the type of a parameter that its constraints allow."""
    if name not in cls._parameter_constraints:  # a penalty checks it, and says its type
        (annotation,) = {
            inspect.signature(penalty).parameters[PENALTY_NAMES.get(name, name)].annotation
            for base in cls.__mro__
            for penalty in vars(base).get("_penalties", (MaskedFeaturePenalty,))
            if PENALTY_NAMES.get(name, name) in inspect.signature(penalty).parameters
        }
        said = inspect.formatannotation(annotation).replace("'", '"')
        said = re.sub(r"^Optional\[(.*)\]$", r"\1 | None", said)
        return WRITTEN.get(said, re.sub(r"typing\.|collections\.abc\.|(?<=None)Type", "", said))
    constraints = cls._parameter_constraints[name]
    if constraints == "no_validation":
        return "Any"
    kinds = [_constraint_type(constraint) for constraint in constraints]
    return " | ".join(sorted(set(kinds), key=lambda kind: (kind == "None", kinds.index(kind))))


def _constraint_type(constraint):
    if isinstance(constraint, StrOptions) or (
        type(constraint) is Options and constraint.type is str
    ):
        return f"Literal[{', '.join(repr(o) for o in sorted(constraint.options))}]".replace(
            "'", '"'
        )
    if isinstance(constraint, Interval | Options):
        return "int" if issubclass(constraint.type, Integral) else "float"
    return CONSTRAINTS.get(constraint) or SHARED.get(constraint) or constraint.__name__


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
