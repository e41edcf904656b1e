"""What a method is: penalties, a reduction of the label losses, and a mapping layer, as values."""

import math
from collections.abc import Callable, Sequence
from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace

from torch import nn

from ..penalties import InputGradientPenalty, MaskedFeaturePenalty, Penalty
from ..penalties._base import defining, is_built_in
from ..penalties._input_gradient import Output


@dataclass(frozen=True)
class Term:
    """A named penalty in an objective.

    Attributes
    ----------
    name : str
        Name in the history.
    penalty : Penalty
        What it computes.
    alpha : float, "auto" or "replace"
        Its weight; "replace", for perturbations: the label loss of an annotated sample is taken at
        the perturbed sample instead of the clean one.
    at : str, default="clean"
        Where an input-gradient term is taken: at the clean samples, or at the point to which the
        perturbation term of that name has moved them.
    alpha_epochs : float, default=0.0
        Epochs over which the weight rises.
    penalty_epochs : float, default=0.0
        Epochs over which the penalty itself rises (its ``at_progress``).
    prefix : str, default=""
        What the names of the penalty's parameters begin with in those of the estimator.
    """

    name: str
    penalty: Penalty
    alpha: float | str
    at: str = "clean"
    alpha_epochs: float = 0.0
    penalty_epochs: float = 0.0
    prefix: str = ""

    @property
    def weight(self) -> float:
        """`alpha` as a number, unless it is automatic; "replace" is infinite."""
        return math.inf if self.alpha == "replace" else float(self.alpha)

    @property
    def replaces(self) -> bool:
        """Whether the label loss of perturbed samples takes the place of that of the clean ones."""
        return self.alpha in ("replace", math.inf)

    @property
    def has_own_call(self) -> bool:
        """Whether a class of a user's says what the penalty is by its call, and not elsewhere."""
        call, at_point = (defining(type(self.penalty), name) for name in ("__call__", "at_point"))
        return not is_built_in(call) and not issubclass(at_point, call)

    def at_epoch(self, epoch: int) -> "Term":
        """Return the term as it is in an epoch, counted from 1; its `alpha` is a number.

        The share of the penalty in the whole, alpha / (1 + alpha), rises linearly: the schedule of
        Heo et al. 2023, who weigh label loss and penalty with a and 1 - a.
        """
        term = self
        if epoch < self.penalty_epochs:
            term = replace(term, penalty=self.penalty.at_progress(epoch / self.penalty_epochs))
        if epoch < self.alpha_epochs:
            share = epoch / self.alpha_epochs * self.weight / (1 + self.weight)
            term = replace(term, alpha=share / (1 - share))
        return term

    def check(self, row_shape: tuple[int, ...]) -> None:
        """Check the parameters of the penalty, by the names that they have in the estimator."""
        try:
            self.penalty.check_parameters()
            self.penalty.check_inputs(row_shape)
        except ValueError as error:
            raise ValueError(f"{self.prefix}{error}") from error


def with_hosts(terms: Sequence[Term], chosen: Callable[[Term], bool]) -> tuple[Term, ...]:
    """Return the chosen terms, and those at whose points a chosen one is taken.

    Parameters
    ----------
    terms : sequence of Term
    chosen : callable
        ``chosen(term)`` says whether a term is wanted for itself.
    """
    hosts = {term.at for term in terms if chosen(term)}
    return tuple(term for term in terms if chosen(term) or term.name in hosts)


def added_gradient(alpha: float, output: Output, at: str) -> tuple[Term, ...]:
    """Return the input-gradient term that a method adds to a perturbation, or nothing.

    Parameters
    ----------
    alpha : float
        Its weight, `grad_alpha` of the estimator; 0: there is none.
    output : str
        The score whose gradient is taken.
    at : str
        Where it is taken: "clean", or the name of the perturbation's term.
    """
    if alpha == 0:
        return ()
    return (Term("input_gradient", InputGradientPenalty(output, norm="l2"), alpha, at),)


@dataclass(frozen=True)
class GroupDRO:
    """Group distributionally robust optimisation instead of the mean of the label losses.

    Attributes
    ----------
    step_size : float
        How fast the weights of worse groups rise, eta.
    adjustment : float
        How much more small groups weigh, C.
    """

    step_size: float
    adjustment: float


@dataclass(frozen=True)
class Mapping:
    """A mapping layer behind the features of the network.

    Attributes
    ----------
    layer : {"linear", "low_rank", "conv1x1"}, torch.nn.Module or None, default="linear"
        What it is; None: the identity, without weights.
    init : {"default", "identity"}, default="default"
        Start from torch's random values or from the identity.
    feature_layer : str or None, default=None
        Submodule whose output are the features; None: the child ``features``, else all before the
        last linear layer.
    lr : float or None, default=None
        Learning rate of an optimizer step of its own (of the features, where there is no layer) on
        the masked-feature penalty, as in Algorithm 1 of Tao & Shokri; None: one step on the sum.
    """

    layer: str | nn.Module | None = "linear"
    init: str = "default"
    feature_layer: str | None = None
    lr: float | None = None


@dataclass(frozen=True)
class Method:
    """What an estimator trains on, besides its label loss.

    Attributes
    ----------
    terms : tuple of Term, default=()
        Penalties with their weights, the one that `alpha` weighs first; a term that is taken at
        the point of another stands after it.
    reduction : GroupDRO or None, default=None
        From the label losses of a batch to one number; None: their mean.
    mapping : Mapping or None, default=None
        A mapping layer that is put into the network.
    """

    terms: tuple[Term, ...] = ()
    reduction: GroupDRO | None = None
    mapping: Mapping | None = None

    @property
    def active_terms(self) -> tuple[Term, ...]:
        """Terms that training computes: those with a weight, and perturbations that they need."""
        return with_hosts(self.terms, lambda term: term.alpha != 0)

    @property
    def replaces(self) -> bool:
        """Whether label losses of perturbed samples take the place of those of the clean ones."""
        return any(term.replaces for term in self.terms)

    @property
    def exchanges_parts(self) -> bool:
        """Whether samples exchange parts where they mark parts of their own."""
        return any(term.penalty.exchange_parts for term in self.active_terms)

    @property
    def ramp_epochs(self) -> float:
        """Number of epochs after which all weights and penalties have risen."""
        return max((max(t.alpha_epochs, t.penalty_epochs) for t in self.terms), default=0)

    @property
    def own_step(self) -> frozenset[str]:
        """Names of the terms that the mapping layer's own optimizer step is on."""
        if self.mapping is None or self.mapping.lr is None:
            return frozenset()
        masked = (term for term in self.terms if isinstance(term.penalty, MaskedFeaturePenalty))
        return frozenset(term.name for term in masked)

    def weighted(self, alphas: Dictionary[str, float]) -> tuple[Term, ...]:
        """Return the terms with the weights that are in force, by name."""
        return tuple(replace(term, alpha=alphas[term.name]) for term in self.terms)
