"""What penalties ask of a network: the output of a layer, and gradients that can be trained on."""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn

from .._surroundings import differentiable_recurrence
from ._base import Point, Rows, point_at

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def find_layers(module: nn.Module, layer: str | None = None) -> list[nn.Module]:
    """Find the submodules that may be the layer.

    Parameters
    ----------
    module : nn.Module
        The network.
    layer : str or None, default=None
        Name as in ``named_modules``; None: any convolution may be.

    Returns
    -------
    list of nn.Module
        The one of that name, or all convolutions.

    Raises
    ------
    ValueError
        If there is none; the error lists the names.
    """
    submodules = {name: submodule for name, submodule in module.named_modules() if name}
    if layer is None:
        found: list[nn.Module]
        found = [module for module in submodules.values() if isinstance(module, _CONVOLUTIONS)]
        if not found:
            raise ValueError(
                f"layer must be named, as the network has no convolution: one of "
                f"{list(submodules)}; got None."
            )
        return found
    # What wraps the network to put a layer into it goes before its names.
    for name in (layer, f"module.{layer}"):
        if name in submodules:
            return [submodules[name]]
    raise ValueError(f"layer must name a submodule, one of {list(submodules)}; got {layer!r}.")


def run_to_layer(
    module: nn.Module, x: torch.Tensor, layer: str | None = None
) -> tuple[Point, torch.Tensor]:
    """Run the module at `x` and keep the output of a layer, both to be differentiated twice.

    Parameters
    ----------
    module : nn.Module
        The network.
    x : Tensor of shape (n_samples, ...)
        Inputs.
    layer : str or None, default=None
        Name as in ``named_modules``; None: the convolution that runs last.

    Returns
    -------
    point : Point
        Inputs and logits.
    activations : Tensor of shape (n_samples, units, ...)
        Output of the layer, the last where it runs more than once.

    Raises
    ------
    ValueError
        If there is no such layer, it does not run, or it does not return one tensor with a gradient
        and a row per sample.
    """
    with keep_outputs(module, [layer], differentiable=True) as outputs:
        point = replace(point_at(module, x), outputs=outputs)
    return point, output_at(point, layer)


@contextmanager
def keep_outputs(
    module: nn.Module, layers: Iterable[str | None], *, differentiable: bool = False
) -> Iterator[dict[str | None, Any]]:
    """Keep what layers return while the network runs.

    Parameters
    ----------
    module : nn.Module
        The network.
    layers : sequence of str or None
        Names as in ``named_modules``; None: the convolution that runs last.
    differentiable : bool, default=False
        Whether what the network makes of an output can be differentiated with respect to it, also
        where all before it is frozen.

    Yields
    ------
    dict of str or None to object
        Output of each layer that was reached, the last where it ran more than once.

    Raises
    ------
    ValueError
        If there is no such layer.

    Examples
    --------
    >>> import torch
    >>> from skexplain.penalties._layers import keep_outputs
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Linear(3, 1))
    >>> with keep_outputs(module, ["0"]) as outputs:
    ...     _ = module(torch.ones(5, 2))
    >>> outputs["0"].shape
    torch.Size([5, 3])
    """
    outputs, handles = {}, []

    def keep(layer: str | None, _: Any, __: Any, output: Any) -> torch.Tensor | None:
        is_tensor = isinstance(output, torch.Tensor)
        starts = differentiable and is_tensor and output.is_floating_point()
        if starts and torch.is_grad_enabled() and not output.requires_grad:
            output = output.detach().requires_grad_()
        outputs[layer] = output
        # The network goes on with a copy, as its next layer may overwrite what it is given.
        return output.clone() if is_tensor else None

    try:
        for layer in layers:
            for found in find_layers(module, layer):
                handles.append(found.register_forward_hook(partial(keep, layer)))
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def output_at(point: Point, layer: str | None) -> torch.Tensor:
    """Return what a layer returned at a point.

    Parameters
    ----------
    point : Point
    layer : str or None
        Under this name.

    Returns
    -------
    Tensor of shape (n_samples, units, ...)

    Raises
    ------
    ValueError
        As `run_to_layer`.
    """
    if layer not in point.outputs:
        raise ValueError(f"layer must be one that the network runs; got {layer!r}, not reached.")
    output, n_rows = point.outputs[layer], len(point.x)
    is_tensor = isinstance(output, torch.Tensor)
    if not is_tensor or output.ndim < 2 or len(output) != n_rows:
        returned = f"a tensor of shape {tuple(output.shape)}" if is_tensor else type(output)
        raise ValueError(
            f"layer must return one tensor of shape (n_samples, units, ...), here of {n_rows} "
            f"samples; got {layer!r}, which returns {returned}."
        )
    if not output.requires_grad:
        raise ValueError(
            f"layer must return a tensor through which gradients flow; got {layer!r}, which runs "
            f"without them (torch.no_grad). Name another layer, or run it with gradients."
        )
    return output


def channels_first(output: torch.Tensor, channel_axis: int, layer: str | None) -> torch.Tensor:
    """Move the axis of units of a layer's output, or of its gradient, to axis 1.

    Parameters
    ----------
    output : Tensor of shape (n_samples, ...)
    channel_axis : int
        Which axis that is; negative: from the last.
    layer : str or None
        Name of the layer, for errors.

    Returns
    -------
    Tensor of shape (n_samples, units, ...)

    Raises
    ------
    ValueError
        If there is no such axis, or it is that of the samples.
    """
    if channel_axis in (0, -output.ndim) or not -output.ndim < channel_axis < output.ndim:
        raise ValueError(
            f"channel_axis must be an axis of what layer {layer!r} returns, but that of the "
            f"samples; got {channel_axis} with shape {tuple(output.shape)}."
        )
    return output.movedim(channel_axis, 1)


def warn_of_mixed_tokens(module: nn.Module, rows: Rows, layer: str | None, token_axis: int) -> None:
    """Warn where a change of one token changes what a layer returns at most others.

    Parameters
    ----------
    module : nn.Module
        The network, in evaluation mode.
    rows : Rows
        A few samples of tokens.
    layer : str or None
        Name of the layer.
    token_axis : int
        Axis of its output that holds the tokens.
    """
    tokens: Any = rows.tokens
    other = rows.x.clone()
    other[:, 0] = (other[:, 0] + 1) % tokens.embedding.num_embeddings
    outputs = []
    with torch.no_grad():
        for x in (rows.x, other):
            with keep_outputs(module, [layer]) as kept:
                module(x)
            outputs.append(kept[layer].movedim(token_axis, 0)[1:].flatten(1))
    changed = (outputs[0] - outputs[1]).abs().amax(1) > 1e-6 * outputs[0].abs().max()
    if changed.float().mean() > 0.5:
        warnings.warn(
            f"layer {layer!r} returns at each token what has become of most tokens of the sample, "
            f"so that a mask of tokens hardly reaches marked tokens there: name the embedding, or "
            f"take a penalty at the input such as GradRegClassifier. See "
            f"docs/text_and_tables.md#tokens.",
            UserWarning,
            stacklevel=7,
        )


def check_input_gradient(module: nn.Module, x: torch.Tensor) -> None:
    """Check that the outputs of a network have a gradient at the input.

    Parameters
    ----------
    module : nn.Module
        The network.
    x : float32 Tensor of shape (n_samples, ...)
        A few samples.

    Raises
    ------
    ValueError
        If nothing that depends on `x` and can be differentiated reaches the outputs.
    """
    if not passes_gradient(module, x):
        raise ValueError(
            "module must pass a gradient to X, which the penalty reads; got none: X is detached or "
            "made integer on the way, as for an embedding. SwapExClassifier needs no gradient. "
            "See docs/limits.md#networks."
        )


def passes_gradient(module: nn.Module, x: torch.Tensor) -> bool:
    """Whether the outputs of a network have a gradient at the input, which may be zero."""
    x = x.detach().requires_grad_()
    with torch.enable_grad(), differentiable_recurrence(module):
        outputs = module(x)
    if not outputs.requires_grad:
        return False
    (gradient,) = torch.autograd.grad(outputs.sum(), x, allow_unused=True)
    return gradient is not None


def trainable_gradient(score: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """Gradient of the sum of `score` at a tensor, which can be differentiated again.

    Samples do not couple in evaluation mode: each sample has its own gradient.  It is zero where
    the score does not depend on the tensor.
    """
    (gradient,) = torch.autograd.grad(
        score.sum(), at, create_graph=True, allow_unused=True, materialize_grads=True
    )
    return gradient
