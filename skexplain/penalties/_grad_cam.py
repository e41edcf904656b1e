"""Grad-CAM penalties: RRR-G pushes the map off irrelevant pixels, HINT pulls it to the reasons."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ..masks import Masks
from ._base import Penalty, Point, Rows, point_of
from ._checks import check_axis, check_layer, check_option
from ._input_gradient import _score
from ._layers import (
    channels_first,
    check_input_gradient,
    keep_outputs,
    output_at,
    run_to_layer,
    trainable_gradient,
    warn_of_mixed_tokens,
)
from ._token_grid import as_map
from ._tokens import at_embedding, length_by_token

Attribution = Literal["grad_cam", "input_gradient"]
ATTRIBUTIONS = get_args(Attribution)


class GradCAMPenalty(Penalty):
    r"""Size of the Grad-CAM map at irrelevant pixels (RRR-G).

    Use it for convolutional networks on images whose shortcut is a region: it asks what the last
    feature map covers, and not of single pixels as `InputGradientPenalty` does.  With
    :math:`\tilde a` the irrelevance, resized to the map, the value of a sample is

    .. math:: \sum_{ij} (\tilde a_{ij} M_{ij})^2, \qquad
        M = \frac{m - \min m}{\max m - \min m + 10^{-6}}, \qquad
        m_{ij} = \sum_k \Big(\frac{1}{|A_k|} \sum_{i'j'}
        \frac{\partial z_c}{\partial A_{ki'j'}}\Big) A_{kij}

    where A is the output of the layer and :math:`z_c` the logit of the predicted class.  There is
    no ReLU (Schramowski et al. 2020 [1]_, in the form of Friedrich et al. 2023 [2]_).  The
    irrelevance is resized by averaging over areas; the published bilinear resizing can miss a small
    patch altogether.

    Parameters
    ----------
    layer : str or None, default=None
        Layer whose output is penalised, as in ``named_modules``, of shape (n_samples, channels,
        ...) with one to three spatial axes; None: the convolution that runs last.  Tokens of a
        vision transformer, (n_samples, tokens, channels), are laid out as the grid of patches,
        without class tokens: name a block before the last.
    channel_axis : int, default=1
        Axis of the layer's output that holds the channels: -1 for a layer of tokens of text, which
        returns (n, tokens, units), and whose map then has a place per token.

    Notes
    -----
    X has shape (n_samples, channels, ...) or (n_samples, ...) with as many spatial axes as the map.
    A mask with channels counts with its mean over them.  Input units play no part.  A constant map
    is zero, and one whose range is far below 1e-6 nearly so.

    References
    ----------
    .. [1] P. Schramowski et al. (2020). Making deep neural networks right for the right scientific
       reasons by interacting with their explanations. Nature Machine Intelligence 2.
    .. [2] F. Friedrich, W. Stammer, P. Schramowski, K. Kersting (2023). A typology for exploring
       the mitigation of shortcut behaviour. Nature Machine Intelligence 5.

    Examples
    --------
    >>> from skexplain.penalties import GradCAMPenalty
    >>> GradCAMPenalty(layer="features.3")
    GradCAMPenalty(layer='features.3')
    """

    needs_double_backward = True
    allows_mixed_precision = False
    sharding = "samples"
    reads_layer = True

    def __init__(self, layer: str | None = None, channel_axis: int = 1) -> None:
        self.layer = layer
        self.channel_axis = channel_axis

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that the layer is there and returns a map."""
        _check_map(module, x, self.layer, self.channel_axis)

    def check_tokens(self, module: nn.Module, rows: Rows) -> None:
        """Check that the places of the map are tokens; warn where these have mixed."""
        _check_tokens(module, rows, self.layer, self.channel_axis)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the penalty at the clean samples, shape (n_samples,)."""
        point, _ = run_to_layer(module, rows.x, self.layer)
        return self.at_point(point, rows)

    def at_point(self, point: Point, rows: Rows) -> torch.Tensor:
        """Compute the penalty at a point with the output of the layer, shape (n_samples,)."""
        activations = _map_at(point, self.layer, rows.x, self.channel_axis)
        classes = point.logits.argmax(1)
        heat = grad_cam(point.logits, activations, classes, rows.x, self.channel_axis)
        irrelevance = _shrink(rows.irrelevance, rows.x, heat.shape[1:])
        return (irrelevance * heat).square().flatten(1).sum(1)

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_layer("layer", self.layer)
        check_axis("channel_axis", self.channel_axis)


class HINTPenalty(Penalty):
    r"""Distance of the attribution from the relevance.

    Use it where the masks show the reasons and the network is to use them, all of them: it rewards
    what is marked as relevant besides penalising the rest.  The value is the mean over all entries
    d with a known mark of

    .. math:: (M_d - (1 - a_d))^2

    for irrelevance a and attribution M (the squared error of Friedrich et al. 2023 [2]_, in the
    place of the ranking of Selvaraju et al. 2019 [1]_).  Every annotated sample takes part, also
    one with nothing irrelevant; a sample without a known mark has value 0.

    Parameters
    ----------
    attribution : {"grad_cam", "input_gradient"}, default="grad_cam"
        - "grad_cam": the map of `GradCAMPenalty`, between 0 and 1, for the true class, enlarged to
          the input by (bi-, tri-)linear interpolation;
        - "input_gradient": :math:`u_d \, \partial \sum_k \log p_k(x) / \partial x_d` with input
          unit u, as it is.  Signed gradients are matched to marks: one reading of the gradient
          baseline of Tao & Shokri 2025 [3]_.  The only one for tables.  Of a token the length of
          the gradient at its embedding is matched.
    layer : str or None, default=None
        Layer of "grad_cam", as in ``named_modules``; None: the convolution that runs last.
    channel_axis : int, default=1
        Of "grad_cam": axis of the layer's output that holds the channels: -1 for a layer of tokens,
        which returns (n, tokens, units), and whose map then has a place per token.

    References
    ----------
    .. [1] R. R. Selvaraju et al. (2019). Taking a HINT: Leveraging Explanations to Make Vision and
       Language Models More Grounded. ICCV.
    .. [2] F. Friedrich, W. Stammer, P. Schramowski, K. Kersting (2023). A typology for exploring
       the mitigation of shortcut behaviour. Nature Machine Intelligence 5.
    .. [3] J. Tao, R. Shokri (2025). Machine Learning from Explanations.

    Examples
    --------
    >>> from skexplain.penalties import HINTPenalty
    >>> HINTPenalty(attribution="input_gradient")
    HINTPenalty(attribution='input_gradient')
    """

    needs_double_backward = True
    allows_mixed_precision = False
    sharding = "samples"

    def __init__(
        self,
        attribution: Attribution = "grad_cam",
        layer: str | None = None,
        channel_axis: int = 1,
    ) -> None:
        self.attribution = attribution
        self.layer = layer
        self.channel_axis = channel_axis

    @property
    def reads_logits(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether the logits at a point are enough."""
        return self.attribution == "input_gradient"

    @property
    def allows_stacking(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether several networks may compute it as one: not from the output of a layer."""
        return self.attribution == "input_gradient"

    @property
    def reads_embedding(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it takes the gradient at the output of the embedding of tokens."""
        return self.attribution == "input_gradient"

    @property
    def reads_layer(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether the output of a layer is needed, too."""
        return self.attribution == "grad_cam"

    def applies_to(self, masks: Masks) -> np.ndarray:
        """Every annotated sample takes part, also one with nothing irrelevant."""
        return masks.annotated

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that the layer returns a map, or that there is a gradient at the input."""
        if self.reads_layer:
            _check_map(module, x, self.layer, self.channel_axis)
        else:
            check_input_gradient(module, x)

    def check_tokens(self, module: nn.Module, rows: Rows) -> None:
        """Check that the places of the map are tokens; warn where these have mixed."""
        if self.reads_layer:
            _check_tokens(module, rows, self.layer, self.channel_axis)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the distance at the clean samples, shape (n_samples,)."""
        if self.reads_layer:
            return self.at_point(run_to_layer(module, rows.x, self.layer)[0], rows)
        return self.at_point(point_of(module, rows), rows)

    def at_point(self, point: Point, rows: Rows) -> torch.Tensor:
        """Compute the distance at a point with known logits, and layer, shape (n_samples,)."""
        if self.reads_layer:
            activations = _map_at(point, self.layer, rows.x, self.channel_axis)
            heat = grad_cam(point.logits, activations, rows.y, rows.x, self.channel_axis)
            return _distance(_enlarge(heat, rows.x), rows)
        score = _score("log_prob_sum", point.logits, rows.y)
        gradient = at_embedding(rows, point.x).unit * trainable_gradient(score, point.x)
        return _distance(length_by_token(gradient, rows), rows)

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_option("attribution", self.attribution, ATTRIBUTIONS)
        check_layer("layer", self.layer)
        check_axis("channel_axis", self.channel_axis)


def heat_map(
    score: torch.Tensor, activations: torch.Tensor, x: torch.Tensor, channel_axis: int = 1
) -> torch.Tensor:
    """Grad-CAM map of one score per sample, neither scaled nor cut at zero."""
    gradient = _as_map(trainable_gradient(score, activations), x, channel_axis)
    activations = _as_map(activations, x, channel_axis)
    return torch.einsum("nk,nk...->n...", gradient.flatten(2).mean(2), activations)


def grad_cam(
    logits: torch.Tensor,
    activations: torch.Tensor,
    classes: torch.Tensor,
    x: torch.Tensor,
    channel_axis: int = 1,
) -> torch.Tensor:
    """Grad-CAM map of one class per sample, without ReLU, scaled to [0, 1] sample by sample.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, classes)
        Outputs of the network.
    activations : Tensor of shape (n_samples, channels, ...)
        Output of a layer on the way to them, or tokens (see `as_map`).
    classes : LongTensor of shape (n_samples,)
        Class to explain.
    x : Tensor of shape (n_samples, ...)
        Inputs of the network.
    channel_axis : int, default=1
        Axis of the activations that holds the channels.

    Returns
    -------
    Tensor of shape (n_samples, ...)
        All zero where the map is constant.

    References
    ----------
    R. R. Selvaraju et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via
    Gradient-based Localization. ICCV.
    """
    heat = heat_map(logits.gather(1, classes[:, None]), activations, x, channel_axis)
    flat = heat.flatten(1)
    lowest, highest = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return ((flat - lowest) / (highest - lowest + 1e-6)).view_as(heat)


def _run_to_map(
    module: nn.Module, x: torch.Tensor, layer: str | None, channel_axis: int = 1
) -> tuple[Point, torch.Tensor]:
    """Run to a layer whose output is a map with the spatial axes of `x`."""
    point, _ = run_to_layer(module, x, layer)
    return point, _map_at(point, layer, x, channel_axis)


def _check_tokens(module: nn.Module, rows: Rows, layer: str | None, channel_axis: int) -> None:
    """Check that tokens are not taken for channels; warn where those of a map have mixed."""
    with torch.no_grad(), keep_outputs(module, [layer]) as outputs:
        module(rows.x)
    shape = outputs[layer].shape
    axis = channel_axis % len(shape)
    token_axis = 3 - axis  # the other one of two
    if shape[token_axis] == rows.x.shape[1]:
        warn_of_mixed_tokens(module, rows, layer, token_axis)
    elif shape[axis] == rows.x.shape[1]:
        raise ValueError(
            f"channel_axis must be the axis of the units of layer {layer!r}, not of its tokens; "
            f"got {channel_axis}, where it returns {tuple(shape)} for {rows.x.shape[1]} tokens."
        )


def _check_map(module: nn.Module, x: torch.Tensor, layer: str | None, channel_axis: int) -> None:
    """Check that a layer returns a map, and that tokens of it reach the outputs."""
    point, activations = _run_to_map(module, x, layer, channel_axis)
    if activations.ndim == 3 and x.ndim == 4:
        heat = heat_map(point.logits.square().sum(1), activations, x, channel_axis)
        if not heat.any():
            raise ValueError(
                f"layer must be one whose tokens of patches reach the outputs; got {layer!r}, "
                f"behind which the class token alone is read: name an earlier block."
            )


def _map_at(
    point: Point, layer: str | None, x: torch.Tensor, channel_axis: int = 1
) -> torch.Tensor:
    """Return the output of a layer, which is a map with the spatial axes of the inputs."""
    activations = output_at(point, layer)
    size = tuple(_as_map(activations, x, channel_axis, layer).shape[2:])
    if not 1 <= len(size) <= 3 or math.prod(size) < 2:
        raise ValueError(
            f"layer must return maps, (n_samples, channels, ...) with one to three spatial axes "
            f"and more than one position; got {layer!r}, which returns {tuple(activations.shape)}."
        )
    if x.ndim - len(size) not in (1, 2):
        raise ValueError(
            f"layer must return maps with the spatial axes of X, whose samples have shape "
            f"{tuple(x.shape[1:])}; got {layer!r}, which returns {tuple(activations.shape)}."
        )
    return activations


def _as_map(
    output: torch.Tensor, x: torch.Tensor, channel_axis: int, layer: str | None = None
) -> torch.Tensor:
    """Return what a layer returns, or its gradient, with channels on axis 1."""
    if channel_axis == 1 and output.ndim > 1:
        return as_map(output, x)
    return channels_first(output, channel_axis, layer)


def _has_channels(x: torch.Tensor, size: Sequence[int]) -> bool:
    """Whether inputs with as many spatial axes as `size` have a channel axis, too."""
    return x.ndim == len(size) + 2


def _shrink(irrelevance: torch.Tensor, x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Average irrelevance over channels and over the area of each position of a map."""
    if _has_channels(x, size):
        irrelevance = irrelevance.mean(1)
    irrelevance = irrelevance.expand(-1, *x.shape[-len(size) :])
    return functional.interpolate(irrelevance[:, None], size=size, mode="area")[:, 0]


def _enlarge(heat: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Interpolate maps between the positions of `x`; they broadcast to it."""
    size = heat.shape[1:]
    mode = ("linear", "bilinear", "trilinear")[len(size) - 1]
    heat = functional.interpolate(
        heat[:, None], size=x.shape[-len(size) :], mode=mode, align_corners=False
    )
    return heat if _has_channels(x, size) else heat[:, 0]


def _distance(attribution: torch.Tensor, rows: Rows) -> torch.Tensor:
    """Mean squared distance from the relevance over the known marks of each sample."""
    error = (attribution - (1 - rows.irrelevance)).square()
    if rows.known is None:
        return error.flatten(1).mean(1)
    known = rows.known.expand_as(error)
    total = torch.where(known, error, 0).flatten(1).sum(1)
    return total / known.flatten(1).sum(1).clamp(min=1)
