"""Contextual decomposition explanation penalty: CDEP."""

from typing import Literal

import torch
from torch import nn

from ..propagation import Decomposition, decompose
from ..propagation._run import check_outputs
from ._base import Penalty, Rows
from ._checks import check_option
from ._tokens import at_embedding


class DecompositionPenalty(Penalty):
    r"""Contribution of irrelevant features to the logits (CDEP).

    Contextual decomposition splits each logit of a sample x with irrelevance a into the
    contribution :math:`\beta_k` of the irrelevant features, a x, and the contribution
    :math:`\gamma_k` of the rest, (1 - a) x.  The value is, over all K classes,

    .. math:: \frac{1}{K} \sum_k \frac{e^{\beta_k}}{e^{\beta_k} + e^{\gamma_k}}
        \quad \text{or} \quad \frac{1}{K} \sum_k |\beta_k|

    the first as published with code (Rieger et al. 2020 [1]_).

    Parameters
    ----------
    measure : {"softmax", "l1"}, default="softmax"
        The share of the irrelevant features after a softmax over both contributions, as published,
        or the absolute value of theirs, which has worked better (see Notes).

    See Also
    --------
    skexplain.propagation.decompose : The decomposition and its rules.

    Notes
    -----
    The published softmax rewards contributions far below those of the rest rather than small ones.
    The network may lower :math:`\beta_k` or raise :math:`\gamma_k` by as much in all classes, which
    no prediction shows, and go on telling the classes by the irrelevant features; the value then
    saturates near 0, and a large alpha acts as a regulariser of no particular features.
    ``measure="l1"`` has its minimum where the irrelevant features contribute nothing.

    Contributions are those of values other than 0: a black decoy contributes by no weight, only by
    its share of the biases.

    References
    ----------
    .. [1] L. Rieger, C. Singh, W. J. Murdoch, B. Yu (2020). Interpretations are Useful: Penalizing
       Explanations to Align Neural Networks with Prior Knowledge. ICML.

    Examples
    --------
    >>> from skexplain.penalties import DecompositionPenalty
    >>> DecompositionPenalty(measure="l1")
    DecompositionPenalty(measure='l1')
    """

    allows_mixed_precision = False
    sharding = "samples"
    reads_embedding = True

    def __init__(self, measure: Literal["softmax", "l1"] = "softmax") -> None:
        self.measure = measure

    def check_parameters(self) -> None:
        """Check the parameters."""
        check_option("measure", self.measure, ("softmax", "l1"))

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that there is a rule for each operation of the network."""
        check_outputs(module, x, Decomposition(x, 0 * x))

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Compute the penalty, shape (n_samples,)."""
        rows = at_embedding(rows)
        irrelevant = rows.irrelevance * rows.x
        logits = decompose(module, irrelevant, rows.x - irrelevant)
        if self.measure == "l1":
            return logits.part.abs().mean(1)
        # softmax of a pair is the sigmoid of their difference
        return (logits.part - logits.rest).sigmoid().mean(1)
