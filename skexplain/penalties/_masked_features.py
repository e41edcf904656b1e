"""Agreement of a sample's features with those of its reasons alone: two-stage optimisation."""

from typing import Any

import numpy as np
import torch

from ..masks import Masks
from ._base import Penalty, Rows, full_precision
from ._checks import check_fill, check_flag, check_token_fill
from ._fill import Fill, fill_value, replace_irrelevant


class MaskedFeaturePenalty(Penalty):
    r"""Divergence of mapped features from the features of the masked sample.

    With features f, mapping m and x' the sample with its irrelevant features filled, the value is

    .. math:: KL(\mathrm{softmax}\, f(x') \,\|\, \mathrm{softmax}\, m(f(x)))

    over the flattened features (Tao & Shokri [1]_, Algorithm 1).

    Parameters
    ----------
    fill : float, "mean" or array-like, default=0.0
        What stands in for irrelevant features: a number, the training mean of each column or
        channel, or an array that broadcasts to a sample.  For irrelevant tokens `mask_id` does.
    train_features : bool, default=True
        Whether gradients reach the feature extractor too; if not, only the mapping learns.

    References
    ----------
    .. [1] J. Tao, R. Shokri (2025). Machine Learning from Explanations.

    Examples
    --------
    >>> from skexplain.penalties import MaskedFeaturePenalty
    >>> MaskedFeaturePenalty(fill="mean")
    MaskedFeaturePenalty(fill='mean')
    """

    allows_compile = True
    allows_stacking = True
    sharding = "samples"

    def __init__(self, fill: Fill = 0.0, train_features: bool = True) -> None:
        self.fill = fill
        self.train_features = train_features

    def applies_to(self, masks: Masks) -> np.ndarray:
        """Every annotated sample takes part, also one with nothing irrelevant."""
        return masks.annotated

    def mask_rows(self, rows: Rows, generator: torch.Generator | None = None) -> torch.Tensor:
        """Fill the irrelevant features: ``x * (1 - a) + fill * a``; shape of ``rows.x``."""
        return replace_irrelevant(rows, fill_value(self.fill, rows), generator)

    def __call__(
        self,
        module: Any,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the divergence, shape (n_samples,), of a `module` with features and mapping."""
        with torch.set_grad_enabled(self.train_features and torch.is_grad_enabled()):
            target = _log_softmax(module.features(self.mask_rows(rows, generator)))
            features = module.features(rows.x)
        mapped = _log_softmax(module.mapping(features))
        divergence = (target.exp() * (target - mapped)).sum(1)
        if torch.is_grad_enabled() and not divergence.requires_grad:
            raise ValueError(
                "mapping must be a layer where nothing before the features is trained, with "
                "backbone_lr=0 or requires_grad_(False); got None."
            )
        return divergence

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_flag("train_features", self.train_features)

    def check_inputs(self, row_shape: tuple[int, ...]) -> None:
        """Check that the fill broadcasts to a sample."""
        check_fill("fill", self.fill, row_shape)

    def check_tokens(self, module: Any, rows: Rows) -> None:
        """Check that there is a token to fill with."""
        check_token_fill(self.fill, rows.tokens)


def _log_softmax(features: torch.Tensor) -> torch.Tensor:
    return full_precision(features).flatten(1).log_softmax(1)
