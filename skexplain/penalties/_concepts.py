"""Concept-gradient penalty: the score may not react to hidden units or concept directions."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import nn

from ..masks import Masks
from ._base import Penalty, Point, Rows
from ._checks import check_axis, check_layer, check_option
from ._input_gradient import (
    OUTPUTS,
    Norm,
    Output,
    _score,
    check_norm,
    chosen_output,
    share_of_length,
)
from ._layers import (
    channels_first,
    keep_outputs,
    output_at,
    run_to_layer,
    trainable_gradient,
    warn_of_mixed_tokens,
)


class ConceptGradientPenalty(Penalty):
    r"""Size of the gradient at irrelevant units of a layer, or along irrelevant concepts.

    Use it when what must not matter is no place in the input but a notion that a layer holds: a
    unit of a bottleneck, or a direction in the activations.  With h the output of the layer, s the
    score and :math:`c_j` the direction of concept j (without `concepts`: unit j) the value of a
    sample with irrelevance a is

    .. math:: \sum_j \sum_i \Big(a_j \; c_j \cdot
        \frac{\partial s}{\partial h_{\cdot i}} \Big)^2

    summed over the spatial positions i of a feature map.  The directional derivative is the
    conceptual sensitivity of TCAV (Kim et al. 2018 [1]_), who find directions by linear classifiers
    of activations; here it is a penalty.

    Parameters
    ----------
    layer : str
        Layer whose output is h, as in ``named_modules``; its axis 1 holds the units (features of a
        linear layer, channels of a feature map; see `channel_axis`).  A mask has a column for each
        of them, shape (n, units) or (1, units), or for each concept.
    concepts : array-like of shape (k, units) or None, default=None
        Directions, one a row, used with the length they have unless ``norm="share"``; None: each
        unit is one.
    output : str, default="auto"
        The score s, as in `InputGradientPenalty`.
    norm : {"l2", "l1", "share"}, default="l2"
        Sum of squares (not its root), sum of absolute values, or the root of the sum of squares as
        a share of the length of the whole gradient at the layer; for a share directions have
        length one.
    channel_axis : int, default=1
        Axis of the layer's output that holds the units: -1 for a layer of tokens, which returns
        (n, tokens, units).  With 1 the mask of such a layer is over the tokens.

    Notes
    -----
    ``rows.irrelevance`` has shape (n_samples or 1, k), with k the number of concepts or units,
    unlike beside other penalties.  Activations have no input unit: ``rows.unit`` plays no part.

    References
    ----------
    .. [1] B. Kim et al. (2018). Interpretability Beyond Feature Attribution: Quantitative Testing
       with Concept Activation Vectors (TCAV). ICML.

    Examples
    --------
    >>> from skexplain.penalties import ConceptGradientPenalty
    >>> ConceptGradientPenalty("features", norm="l1")
    ConceptGradientPenalty(layer='features', norm='l1')
    """

    needs_double_backward = True
    allows_mixed_precision = False
    sharding = "samples"
    reads_layer = True
    marks_units = True

    def __init__(
        self,
        layer: str,
        concepts: ArrayLike | None = None,
        output: Output = "auto",
        norm: Norm = "l2",
        channel_axis: int = 1,
    ) -> None:
        self.layer = layer
        self.concepts = concepts
        self.output = output
        self.norm = norm
        self.channel_axis = channel_axis

    def mask_shape(self, mask: Any, n_rows: int) -> tuple[int, ...]:
        """Return the shape of the masks of a data set, of any number of columns.

        The right one is known once there is a network.

        Parameters
        ----------
        mask : array-like or list of shape (n, k), (1, k) or (k,)
            As the user gave it.
        n_rows : int
            Number of samples.

        Returns
        -------
        tuple of int

        Raises
        ------
        ValueError
            If the mask has more than two axes.
        """
        shape = _shape_of(mask)
        if len(shape) > 2:
            what = "row of concepts" if self.concepts is not None else f"unit of {self.layer!r}"
            raise ValueError(
                f"mask must have two axes with layer={self.layer!r}, one column per {what}, and a "
                f"row per sample or one for all; got shape {shape}. See docs/networks.md."
            )
        return n_rows, shape[-1] if shape else 0

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that the layer is there and that the concepts fit it."""
        _, activations = run_to_layer(module, x, self.layer)
        activations = channels_first(activations, self.channel_axis, self.layer)
        if self.concepts is not None:
            _check_concepts(self.concepts, activations.shape[1], self.layer)

    def check_tokens(self, module: nn.Module, rows: Rows) -> None:
        """Warn where a mask is of tokens that have mixed."""
        with torch.no_grad(), keep_outputs(module, [self.layer]) as outputs:
            module(rows.x)
        shape = outputs[self.layer].shape
        by_token = self.channel_axis == 1 and self.concepts is None and len(shape) == 3
        if by_token and shape[1] == rows.x.shape[1]:
            warn_of_mixed_tokens(module, rows, self.layer, 1)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the penalty at the clean samples, shape (n_samples,)."""
        return self.at_point(run_to_layer(module, rows.x, self.layer)[0], rows)

    def at_point(self, point: Point, rows: Rows) -> torch.Tensor:
        """Compute the penalty at a point with the output of the layer, shape (n_samples,)."""
        score = _score(chosen_output(self.output, self.norm), point.logits, rows.y)
        gradient = trainable_gradient(score, output_at(point, self.layer))
        gradient = derivative = channels_first(gradient, self.channel_axis, self.layer)
        if self.concepts is not None:
            concepts = torch.as_tensor(np.asarray(self.concepts)).to(derivative)
            if self.norm == "share":
                concepts = torch.nn.functional.normalize(concepts, dim=1)
            derivative = torch.einsum("kc,nc...->nk...", concepts, derivative)
        self._check_mask(rows.irrelevance.shape, derivative.shape[1])
        # A feature map has positions to sum over, a linear layer one.
        derivative = rows.irrelevance[..., None] * derivative[..., None].flatten(2)
        if self.norm == "share":
            return rows.loss_scale * share_of_length(derivative, gradient)
        size = derivative.abs() if self.norm == "l1" else derivative.square()
        return size.flatten(1).sum(1)

    def applies_to(self, masks: Masks) -> np.ndarray:
        """Return which samples have irrelevant units, and for a share of units others, too."""
        if self.norm == "share" and self.concepts is None:
            return masks.has_irrelevant & ~masks.marks_alike()
        return masks.has_irrelevant

    def _check_mask(self, shape: tuple[int, ...], n_columns: int) -> None:
        """Raise an error for a mask that would be broadcast over units or positions."""
        if tuple(shape[1:]) != (n_columns,):
            of = "row of concepts" if self.concepts is not None else f"unit of layer {self.layer!r}"
            raise ValueError(
                f"mask must have shape (n, {n_columns}) or (1, {n_columns}), one column per {of}; "
                f"got {shape[-1]} column(s)."
            )

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_layer("layer", self.layer, optional=False)
        check_option("output", self.output, OUTPUTS)
        check_norm(self.norm, self.output)
        check_axis("channel_axis", self.channel_axis)


def _shape_of(mask: Any) -> tuple[int, ...]:
    """Shape of a mask, or of the samples of a list that have one; () where there is none."""
    if isinstance(mask, list | tuple) or getattr(mask, "dtype", None) is np.dtype("O"):
        mask = [row for row in mask if row is not None]
    try:
        return np.shape(mask)
    except ValueError:  # samples of different lengths, which are an error elsewhere
        return ()


def _check_concepts(concepts: Any, n_units: int, layer: str) -> np.ndarray:
    expected = (
        f"concepts must be finite numbers of shape (k, {n_units}), one direction a row, as layer "
        f"{layer!r} has {n_units} units"
    )
    try:
        values = np.asarray(concepts, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{expected}; got {type(concepts).__name__}: {error}") from error
    if values.ndim != 2 or values.shape[1] != n_units or not len(values):
        raise ValueError(f"{expected}; got shape {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(f"{expected}; got infinite or missing values.")
    return values
