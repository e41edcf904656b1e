"""Gradients along the way that a layer's output goes when irrelevant features are swapped."""

from dataclasses import replace
from typing import Any, Final, Literal

import torch
from torch import Tensor, nn

from ._average_case import AverageCasePenalty
from ._base import Penalty, Rows, full_precision, point_of
from ._checks import check_layer, check_option
from ._input_gradient import OUTPUTS, Output, _score, chosen_output
from ._layers import keep_outputs, output_at, run_to_layer, trainable_gradient

_SIGNED: Final = "signed_logits"
_SWAP = AverageCasePenalty()


class PatternPenalty(Penalty):
    r"""Derivative of the score along what a swap of irrelevant features changes at a layer.

    With h the output of the layer, s the score and :math:`\tilde x` the sample with the irrelevant
    features of another one (as `SwapExClassifier` makes it), the value of a sample is

    .. math:: \Big( (h(x) - h(\tilde x)) \cdot \frac{\partial s}{\partial h} \Big)^2 .

    This is RR-ClArC (Dreyer et al. 2024 [1]_), the squared derivative along the direction of a
    concept, with directions that masks make instead of samples with and without an artefact.  The
    direction is taken as a constant: no gradient goes through it.  Use it where masks say what must
    not matter in the input, and the layers behind h should no longer read it.  Behind a linear head
    the value is the squared change of the score under the swap, whatever the scale of h.

    Parameters
    ----------
    layer : str, default="features"
        Layer whose output is h, as in ``named_modules``.
    output : str, default="logit_true"
        The score s: as in `InputGradientPenalty`, or "signed_logits", the sum of all logits, each
        with a random sign, as in [1]_.

    Notes
    -----
    In [1]_ one direction serves all samples, the covariance of h with the presence of the artefact,
    divided by its variance (pattern-CAV of Pahde et al. 2022 [2]_), and is summed over the places
    of a feature map.  Of the two points x and :math:`\tilde x` that is their difference; each
    sample has its own here, so that the shortcut may differ between samples.  Where a reason is
    correlated with the artefact, its own direction is part of that covariance; of the difference
    it is not, as the swap leaves the reason as it is.

    What gradients of the score at h can show is what has reached h.  In a network that is trained
    from scratch an early layer does better than the last hidden one, whose features go on to hold
    the shortcut.

    References
    ----------
    .. [1] M. Dreyer, F. Pahde, C. J. Anders, W. Samek, S. Lapuschkin (2024). From Hope to Safety:
       Unlearning Biases of Deep Models via Gradient Penalization in Latent Space. AAAI.
    .. [2] F. Pahde et al. (2022). Navigating Neural Space: Revisiting Concept Activation Vectors to
       Overcome Directional Divergence. arXiv 2202.03482.

    Examples
    --------
    >>> from skexplain import ExplanationClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.penalties import PatternPenalty
    >>> digits = make_decoy_digits("half", random_state=0)
    >>> clf = ExplanationClassifier(
    ...     penalties=[("pattern", PatternPenalty())], max_epochs=3, random_state=0
    ... )
    >>> clf.fit(digits.data, digits.target, mask=digits.mask).history_[-1, "train_pattern"] > 0
    True
    """

    needs_double_backward = True
    needs_donors = True
    exchange_parts = True
    allows_mixed_precision = False

    def __init__(
        self,
        layer: str = "features",
        output: Output | Literal["signed_logits"] = "logit_true",
    ) -> None:
        self.layer = layer
        self.output = output

    @property
    def sharding(self) -> Literal["samples"] | None:  # type: ignore[override]
        """How several processes share it: not where signs are drawn for all samples."""
        return None if self.output == _SIGNED else "samples"

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_layer("layer", self.layer, optional=False)
        check_option("output", self.output, (*OUTPUTS, _SIGNED))

    def check_module(self, module: nn.Module, x: Tensor) -> None:
        """Check that the layer is there."""
        run_to_layer(module, x, self.layer)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the penalty at the clean samples, shape (n_samples,)."""
        moved = _SWAP.move(module, rows, donors, generator)
        with torch.no_grad(), keep_outputs(module, [self.layer]) as swapped:
            module(moved)
        with keep_outputs(module, [self.layer]) as outputs:
            point = replace(point_of(module, rows), outputs=outputs)
        h = output_at(point, self.layer)
        direction = (h.detach() - swapped[self.layer]).flatten(1)
        score = self._score(point.logits, rows.y, generator)
        gradient = full_precision(trainable_gradient(score, h)).flatten(1)
        return (direction * gradient).sum(1).square()

    def _score(self, logits: Tensor, y: Any, generator: torch.Generator | None) -> Tensor:
        if self.output == _SIGNED:
            signs = torch.rand(logits.shape, generator=generator, device=logits.device) - 0.5
            return (logits * signs.sign()).sum(1)
        return _score(chosen_output(self.output, "l2"), logits, y)
