"""The head of a network: finding it, replacing it, and training all else at a rate of its own."""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .._checks import check_count
from ._mapping import MappedModule
from ._tokens import is_text_model

#: What constructors call the number of outputs.
N_OUTPUTS_NAMES = ("n_outputs", "num_classes", "num_labels", "n_classes")

_HEADS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def replace_head(module: nn.Module, n_outputs: int, *, layer: str | None = None) -> nn.Module:
    """Return a copy of a network with a new last layer, for other classes than it was trained on.

    Estimators take a function that builds the network and hand it the number of classes, so
    that ``module=functools.partial(replace_head, backbone)`` is all that a pretrained network
    needs; the new weights then depend on `random_state`.  An encoder of texts of transformers,
    which has no head, is given one: `EncoderWithHead`.

    Parameters
    ----------
    module : nn.Module
        The network, such as one of torchvision, timm or transformers; it is not changed.
    n_outputs : int
        Number of classes, or 1 for a regression.
    layer : str or None, default=None
        Name of the last layer, linear or a convolution, as in ``named_modules``.  None: what
        ``reset_classifier`` of the network (timm) replaces, else the linear layer that is defined
        after all other layers with weights.

    Returns
    -------
    nn.Module

    Raises
    ------
    TypeError
        If `module` is no network.
    ValueError
        If there is no such layer, or `n_outputs` is no positive integer, or not a multiple of the
        groups of a convolution.

    Examples
    --------
    >>> from torch import nn
    >>> from skexplain.training import replace_head
    >>> network = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 5))
    >>> replace_head(network, 3)[-1]
    Linear(in_features=8, out_features=3, bias=True)
    """
    if not isinstance(module, nn.Module):
        raise TypeError(f"module must be a network, an instance of nn.Module; got {module!r}.")
    check_count("n_outputs", n_outputs)
    module = copy.deepcopy(module)
    reset: Any = getattr(module, "reset_classifier", None)
    if layer is None and callable(reset):
        reset(n_outputs)
        return module
    if layer is None and is_encoder(module):
        return EncoderWithHead(module, n_outputs)
    name = _last_linear(module) if layer is None else layer
    parent_name, _, child = name.rpartition(".")
    old = dict(module.named_modules()).get(name)
    if not name or not isinstance(old, _HEADS):
        raise ValueError(
            f"layer must name a linear layer or a convolution, one of "
            f"{[key for key, each in module.named_modules() if key and isinstance(each, _HEADS)]}; "
            f"got {layer!r}."
        )
    setattr(module.get_submodule(parent_name), child, _like(old, n_outputs))
    config = getattr(module, "config", None)
    if hasattr(config, "num_labels"):  # transformers choose their losses by it
        config.num_labels = module.num_labels = n_outputs  # type: ignore[union-attr,assignment]
    return module


def is_encoder(module: nn.Module) -> bool:
    """Return whether a network is an encoder of texts of transformers, which has no head."""
    return getattr(module, "base_model", None) is module and is_text_model(module)


class EncoderWithHead(nn.Module):
    """An encoder of texts of transformers, with a linear layer on the mean of its tokens.

    Parameters
    ----------
    encoder : nn.Module
        Such as a ``BertModel``; it returns an object with ``last_hidden_state``.
    n_outputs : int
        Number of classes, or 1 for a regression.
    """

    def __init__(self, encoder: nn.Module, n_outputs: int) -> None:
        super().__init__()
        self.encoder = encoder
        config: Any = encoder.config
        kind: Any = {"device": encoder.device, "dtype": encoder.dtype}
        self.config = config
        self.head = nn.Linear(config.hidden_size, n_outputs, **kind)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the outputs; tokens whose attention mask is 0 do not take part."""
        states = self.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        if attention_mask is None:
            return self.head(states.mean(1))
        there = attention_mask.unsqueeze(2).to(states.dtype)
        return self.head((states * there).sum(1) / there.sum(1).clamp(min=1))


def _last_linear(module: nn.Module) -> str:
    """Name of the linear layer that is defined after all others with weights."""
    last = [name for name, layer in module.named_modules() if list(layer.parameters(recurse=False))]
    name = last[-1] if last else ""
    if not name or not isinstance(module.get_submodule(name), nn.Linear):
        raise ValueError(
            f"layer must be named for a {type(module).__name__}, whose last layer with weights, "
            f"{name!r}, is not linear: it may be a backbone without a head. Put one behind it, "
            f"as in torch.nn.Sequential(backbone, torch.nn.LazyLinear(n_outputs)), or name the "
            f"layer that is to be replaced."
        )
    return name


def _like(old: nn.Module, n_outputs: int) -> nn.Module:
    """Return a new layer of the kind of another, with other outputs, on its device."""
    options: Any = {"bias": old.bias is not None}
    options |= {"device": old.weight.device, "dtype": old.weight.dtype}
    if isinstance(old, nn.LazyLinear):
        return nn.LazyLinear(n_outputs, **options)
    if isinstance(old, nn.Linear):
        return nn.Linear(old.in_features, n_outputs, **options)
    if n_outputs % old.groups:  # type: ignore[operator]
        raise ValueError(
            f"n_outputs must be a multiple of {old.groups} for this convolution, which has so many "
            f"groups; got {n_outputs}."
        )
    kinds: Any = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    options |= {name: getattr(old, name) for name in kinds}
    return type(old)(old.in_channels, n_outputs, **options)


def n_outputs_parameter(module: Callable) -> str | None:
    """Return what the constructor of a network, or a function, calls the number of outputs.

    Parameters
    ----------
    module : class or callable

    Returns
    -------
    str or None
        None where it has no such parameter, or a partial function has set it already.
    """
    parameters = inspect.signature(module).parameters
    settled = getattr(module, "keywords", {})
    named = [name for name in N_OUTPUTS_NAMES if name in parameters]
    return named[0] if named and not set(named) & set(settled) else None


def backbone_parameters(module: nn.Module, x: torch.Tensor) -> frozenset[str]:
    """Return the names of the parameters before the head that require gradients.

    The head is the layer with weights that runs last, a linear one or a convolution.  A mapping
    layer is new and counts as head.

    Parameters
    ----------
    module : nn.Module
    x : Tensor of shape (n_samples, ...)
        A few samples to run.

    Returns
    -------
    frozenset of str

    Raises
    ------
    ValueError
        If another kind of layer runs last.
    """
    names = {layer: name for name, layer in module.named_modules()}
    mapping = module.mapping if isinstance(module, MappedModule) else None
    own = set() if mapping is None else set(mapping.modules())
    ran: list[nn.Module] = []
    handles = [
        layer.register_forward_hook(lambda layer, _, __: ran.append(layer))
        for layer in names
        if layer not in own and not list(layer.children()) and list(layer.parameters())
    ]
    try:
        module.eval()
        with torch.no_grad():
            module(x)
    finally:
        for handle in handles:
            handle.remove()
        module.train()
    if not ran or not isinstance(ran[-1], _HEADS):
        kind = f"{names[ran[-1]]!r}, a {type(ran[-1]).__name__}" if ran else "none"
        raise ValueError(
            f"backbone_lr must be None for a network whose last layer with weights is neither "
            f"linear nor a convolution; got {kind}. Use optimizer__param_groups."
        )
    heads = {parameter for layer in (ran[-1], *own) for parameter in layer.parameters()}
    return frozenset(
        name
        for name, parameter in module.named_parameters()
        if parameter.requires_grad and parameter not in heads
    )


def set_backbone_rate(
    module: nn.Module, backbone: frozenset[str], lr: float, backbone_lr: float | None
) -> dict[str, float]:
    """Freeze the backbone at a rate of 0, or let it be trained, and return the rates by name.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    backbone : frozenset of str
        Names of the parameters before the head.
    lr, backbone_lr : float
        Of the head and of the backbone; None: there is one rate for all.

    Returns
    -------
    dict of str to float

    Raises
    ------
    ValueError
        If there is a rate, but the network was not split at the first fit, or the other way round.
    """
    if backbone_lr is None:
        if backbone:
            raise ValueError("backbone_lr must be a number, as at the first fit; got None.")
        return {"lr": lr}
    if not backbone:
        raise ValueError(
            f"backbone_lr must be None where it was None at the first fit, or where no layer "
            f"before the head can be trained; got {backbone_lr}."
        )
    for name in backbone:
        module.get_parameter(name).requires_grad_(bool(backbone_lr > 0))
    return {"lr": lr, "backbone_lr": backbone_lr}
