"""From what a user calls a module to a checked network on a device, and its optimizer."""

import copy
import inspect
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from typing import Any

import torch
from torch import nn

from ..penalties import Rows
from ..penalties._tokens import at_embedding
from ._heads import N_OUTPUTS_NAMES, is_encoder, n_outputs_parameter
from ._mapping import MappedModule, build_mapping, find_feature_layer
from ._method import Mapping, Term
from ._outputs import first_output
from ._random import Streams, seed_layers
from ._tokens import TokenSettings, adapt_tokens

# Marks the group of an optimizer whose rate is `backbone_lr`.
_OF_BACKBONE = "of_backbone"
_GROUPS = "optimizer__param_groups"
# Names of the settings that a group has of its own.
_OWN = "own_settings"

# Optimizers whose one-kernel form computes the same and is faster.
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


def build_module(
    module: Any,
    parameters: dict[str, Any],
    *,
    auto: Callable[[], nn.Module],
    x: torch.Tensor,
    n_outputs: int,
    mapping: Mapping | None,
    streams: Streams,
    tokens: TokenSettings,
) -> tuple[nn.Module, TokenSettings]:
    """Build the network with seeds of its own, move it to the device and check what it returns.

    Parameters
    ----------
    module : "auto", nn.Module class, instance or callable
        What the user calls a module, with its `parameters` (``module__*`` without the prefix).
        A class or function with a parameter ``n_outputs``, ``num_classes``, ``num_labels`` or
        ``n_classes`` is handed the number of outputs.
    auto : callable
        Makes the built-in network.
    x : float32 Tensor of shape (n_samples, ...)
        A few samples of X, on the device.
    n_outputs : int
        Number of columns that the module must return.
    mapping : Mapping or None
        A mapping layer that is put into it.
    streams : Streams
        Random streams of the fit.
    tokens : TokenSettings
        Whether X may be tokens.

    Returns
    -------
    module : nn.Module
    tokens : TokenSettings
        How it reads tokens, if it does.
    """
    make = module_factory(module, parameters, auto, n_outputs)
    seed_layers(streams.seed("module"), x.device)
    built = make(**parameters)
    if not isinstance(built, nn.Module):
        raise TypeError(f"module must give a torch.nn.Module, got {type(built).__name__}.")
    built = built.to(x.device)
    built.eval()
    may_be = tokens.search or tokens.embedding_layer is not None
    tokens = adapt_tokens(built, x, tokens) if may_be else TokenSettings()
    adapt_ends(built, x.clone())
    _warn_of_probabilities(_check_outputs(built, x, n_outputs))
    if not any(parameter.requires_grad for parameter in built.parameters()):
        raise ValueError(
            "module must have parameters that require gradients, got none: there is nothing to "
            "train. Leave the head that is to be trained out of requires_grad_(False)."
        )
    built = arrange_channels_last(built, x)
    if mapping is None:
        return built, tokens
    mapped = _put_mapping(built, mapping, x, streams.seed("mapping"))
    _check_outputs(mapped, x, n_outputs)
    return mapped, tokens


def adapt_ends(module: nn.Module, x: torch.Tensor) -> None:
    """Add hooks at the two ends of a network that needs them; most networks need none.

    A network that writes into its input (``x.div_(255)``, ``ReLU(inplace=True)``) gets a copy, as
    others read the samples after it.  Of one that returns a tuple, a dict or an object with
    ``logits``, as those of transformers do, the logits are read; GoogLeNet and Inception of
    torchvision do so in training alone, where they return the logits of auxiliary heads, too.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    x : Tensor of shape (n_samples, ...)
        A few samples to run, which the network may write into.
    """
    version = x._version
    outputs = _try(module, x)
    if x._version > version:
        module.register_forward_pre_hook(copy_inputs)
    if not isinstance(outputs, torch.Tensor) or getattr(module, "aux_logits", False):
        module.register_forward_hook(read_logits)


def copy_inputs(module: nn.Module, inputs: tuple) -> tuple:
    """Hand copies of its inputs to a network."""
    return tuple(x.clone() if isinstance(x, torch.Tensor) else x for x in inputs)


def read_logits(module: nn.Module, inputs: tuple, outputs: Any) -> Any:
    """Return the logits of what a network has returned; what has none stays as it is."""
    return first_output(outputs)


def check_penalties(module: nn.Module, terms: Iterable[Term], rows: Rows) -> None:
    """Let penalties check the network, with a few samples to run."""
    module.eval()
    for term in terms:
        term.penalty.check_kind(rows)
        of_term = at_embedding(rows) if term.penalty.reads_embedding else rows
        term.penalty.check_module(module, of_term.x.detach())
        if rows.tokens is not None:
            term.penalty.check_tokens(module, rows)
    module.train()


def _check_outputs(module: nn.Module, x: torch.Tensor, n_outputs: int) -> torch.Tensor:
    """Run a few samples, which also materialises lazy layers, and return the outputs."""
    outputs = _try(module, x)
    expected = (len(x), n_outputs)
    if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != expected:
        got = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs)
        hint = ""
        if n_outputs == 2 and isinstance(got, tuple) and got[1:] in ((), (1,)):
            hint = " It has one output for two classes: give it two, one logit per class."
        elif is_encoder(module):
            hint = (
                " It is an encoder without a head, and replace_head adds one: "
                "module=functools.partial(skexplain.training.replace_head, encoder)."
            )
        elif isinstance(got, tuple) and len(got) == 2:
            hint = (
                f" A class or function whose parameter for it is called as one of "
                f"{list(N_OUTPUTS_NAMES)} is handed the number of outputs; of a pretrained network "
                f"replace the head: module=functools.partial(skexplain.training.replace_head, "
                f"network)."
            )
        raise ValueError(
            f"module must return outputs of shape (n_samples, {n_outputs}), here {expected} "
            f"for {expected[0]} samples; got {got}.{hint} See docs/networks.md."
        )
    module.train()
    return outputs


def _try(module: nn.Module, x: torch.Tensor) -> Any:
    """Run a few samples in evaluation mode; what the network raises says what was given to it."""
    module.eval()
    try:
        with torch.no_grad():
            return module(x)
    except (RuntimeError, ValueError) as error:
        channel = hint_at_channels(x.shape)
        kind = ValueError if isinstance(error, ValueError) else RuntimeError
        raise kind(
            f"module cannot run samples of X, here a batch of shape {tuple(x.shape)}: "
            f"{str(error).rstrip().rstrip('.')}.{channel} See docs/networks.md."
        ) from error


def hint_at_channels(shape: tuple[int, ...]) -> str:
    """Return what may be wrong with the axes of a batch that a network cannot run, or nothing."""
    if len(shape) == 3:
        return " A convolution expects a channel: X[:, None]."
    if len(shape) == 4 and shape[3] in (1, 3, 4):
        return " Channels go on axis 1: X.transpose(0, 3, 1, 2)."
    return ""


def _warn_of_probabilities(outputs: torch.Tensor) -> None:
    """Warn where softmax stands in the module and would be taken twice."""
    sums = outputs.sum(1)
    positive = outputs.shape[1] > 1 and (outputs >= 0).all()
    if positive and torch.allclose(sums, torch.ones_like(sums), atol=1e-4):
        warnings.warn(
            "module returns probabilities, rows of positive values that sum to one; the losses "
            "expect logits. Training will be slow and the probabilities flat: leave the softmax "
            "out. See docs/limits.md#networks.",
            UserWarning,
            stacklevel=2,
        )


def arrange_channels_last(module: nn.Module, x: torch.Tensor) -> nn.Module:
    """Lay out the weights of convolutions of images so that they run faster on a CPU.

    A step takes 0.6 to 0.97 times as long; outputs are the same up to rounding.  A forward that
    flattens with ``view``, which needs the usual layout, keeps it.

    Parameters
    ----------
    module : nn.Module
        On its device; changed in place.
    x : Tensor of shape (n_samples, ...)
        A few samples to try it on.

    Returns
    -------
    nn.Module
        The same.
    """
    if x.device.type != "cpu" or not any(isinstance(m, nn.Conv2d) for m in module.modules()):
        return module
    lay_out: Any = module.to  # its annotations lack the layout of memory
    module.eval()
    try:
        lay_out(memory_format=torch.channels_last)  # an error where a weight has five axes
        with torch.no_grad():
            module(x)
    except RuntimeError:
        lay_out(memory_format=torch.contiguous_format)
    return module.train()


def _put_mapping(module: nn.Module, mapping: Mapping, x: torch.Tensor, seed: int) -> MappedModule:
    """Put a mapping layer behind the features of the module."""
    module.eval()
    name, before = find_feature_layer(module, mapping.feature_layer, x)
    mapped = MappedModule(module, name, nn.Identity(), before)
    with torch.no_grad():
        features = mapped.features(x)
    if not isinstance(features, torch.Tensor) or features.shape[:1] != x.shape[:1]:
        raise ValueError(
            f"feature_layer must name a layer that returns one tensor with a row per sample; "
            f"{name!r} does not."
        )
    seed_layers(seed, x.device)
    layer = build_mapping(copy.deepcopy(mapping.layer), features.shape[1:], mapping.init)
    layer = layer.to(x.device)
    _check_mapping(layer, features)
    mapped.replace_mapping(layer)
    return mapped


def _check_mapping(mapping: nn.Module, features: torch.Tensor) -> None:
    mapping.eval()
    try:
        with torch.no_grad():
            shape = mapping(features).shape
    except RuntimeError as error:
        shape = error
    if shape != features.shape:
        raise ValueError(
            f"mapping must return the shape of the features that it is given, "
            f"{tuple(features.shape)} for {len(features)} samples; got {shape}."
        )


def module_factory(
    module: Any, prefixed: dict[str, Any], auto: Callable, n_outputs: int
) -> Callable:
    """Return a callable that makes a new module, and check the ``module__*`` names.

    An instance is copied, never changed in place; `auto` makes the built-in network; a class or
    function that takes the number of outputs is handed it.

    Raises
    ------
    ValueError
        If the module takes no such parameter, or is an instance and takes none.
    """
    if isinstance(module, str):
        if prefixed:
            raise ValueError(
                f'module__{next(iter(prefixed))} is not a parameter of module="auto", which takes '
                f"none. See docs/networks.md."
            )
        return auto
    if isinstance(module, nn.Module):
        if prefixed:
            raise ValueError(
                f"module__{next(iter(prefixed))} must go with a class or function: got an instance "
                f"of {type(module).__name__}, which is copied with its weights. Pass "
                f"module={type(module).__name__}, or the instance alone. See docs/networks.md."
            )
        return _Copy(module)
    try:
        parameters = inspect.signature(module).parameters
    except (TypeError, ValueError):  # without a signature, the call itself raises
        return module
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        for name in prefixed:
            if name not in parameters:
                raise ValueError(
                    f"module__{name} is not a parameter of {getattr(module, '__name__', module)}, "
                    f"which takes {[f'module__{key}' for key in parameters]}."
                )
    of_outputs = n_outputs_parameter(module)
    if of_outputs is None or of_outputs in prefixed:
        return module
    return partial(module, **{of_outputs: n_outputs})


@dataclass(frozen=True)
class _Copy:
    original: nn.Module

    def __call__(self) -> nn.Module:
        return copy.deepcopy(self.original)


def build_optimizer(
    optimizer: type[torch.optim.Optimizer],
    module: nn.Module,
    parameters: dict[str, Any],
    backbone: frozenset[str] = frozenset(),
) -> torch.optim.Optimizer:
    """Build an optimizer over the weights of a module, fused where that computes the same faster.

    `parameters` are ``lr``, ``backbone_lr``, the rate of the parameters named in `backbone`, and
    ``optimizer__*``; ``optimizer__param_groups`` is a list of patterns of names with the settings
    of their group, as in skorch.
    """
    settings = {name.removeprefix("optimizer__"): parameters[name] for name in parameters}
    rest, groups = list(module.named_parameters()), []
    if (backbone_lr := settings.pop("backbone_lr", None)) is not None:
        of_backbone = [weight for name, weight in rest if name in backbone]
        rest = [(name, weight) for name, weight in rest if name not in backbone]
        if of_backbone:
            groups.append({"params": of_backbone, "lr": backbone_lr, _OF_BACKBONE: True})
    for pattern, of_group in settings.pop("param_groups", ()):
        chosen = [weight for name, weight in rest if fnmatch(name, pattern)]
        rest = [(name, weight) for name, weight in rest if not fnmatch(name, pattern)]
        if chosen:
            groups.append({"params": chosen, **of_group, _OWN: " ".join(of_group)})
    if rest:
        groups.append({"params": [weight for _, weight in rest]})
    if issubclass(optimizer, torch.optim.LBFGS):  # it flattens gradients with view
        lay_out: Any = module.to  # its annotations lack the layout of memory
        lay_out(memory_format=torch.contiguous_format)
    kinds = {"fused", "foreach", "capturable", "differentiable"}
    sparse = any(getattr(layer, "sparse", False) for layer in module.modules())
    if optimizer in _FUSED and not sparse and not kinds & set(settings):
        weights = [weight for group in groups for weight in group["params"]]
        if all(w.is_floating_point() and w.device.type in ("cpu", "cuda") for w in weights):
            settings["fused"] = True
    return optimizer(groups, **settings)


def update_optimizer(
    optimizer: torch.optim.Optimizer, parameters: dict[str, Any], known: dict[str, Any]
) -> None:
    """Set ``lr``, ``backbone_lr`` and ``optimizer__*`` in the groups of an optimizer.

    `known` are the settings that it has.
    """
    if not parameters:
        return
    if _GROUPS in parameters and parameters[_GROUPS] != known.get(_GROUPS):
        raise ValueError(
            f"{_GROUPS} must stay as it was where a training goes on, got "
            f"{parameters[_GROUPS]!r}: fit a clone."
        )
    settings = {
        name.removeprefix("optimizer__"): value
        for name, value in {**known, **parameters}.items()
        if name not in ("backbone_lr", _GROUPS)
    }
    # Unknown names and impossible values are errors here as when it is built.
    type(optimizer)(optimizer.param_groups[0]["params"][:1], **settings)
    for name, value in parameters.items():
        for group in () if name == _GROUPS else optimizer.param_groups:
            if name.removeprefix("optimizer__") in group.get(_OWN, "").split():
                continue
            if name not in ("lr", "backbone_lr"):
                group[name.removeprefix("optimizer__")] = value
            elif (name == "backbone_lr") == group.get(_OF_BACKBONE, False):
                group["lr"] = value


def clear_gradients(optimizer: torch.optim.Optimizer) -> None:
    """Forget the gradients of the last step, as ``optimizer.zero_grad()``."""
    if type(optimizer).zero_grad is not torch.optim.Optimizer.zero_grad:
        optimizer.zero_grad()
        return
    # That of torch takes three times as long: it is recorded for profilers.
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = None
