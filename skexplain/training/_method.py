"""What a method is: penalties, a reduction of the label losses, and a mapping layer, as values."""

from collections.abc import Mapping as Dictionary
from dataclasses import dataclass, replace

from torch import nn

from ..penalties import MaskedFeaturePenalty, Term
from ..penalties._base import with_hosts


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
    layer : {"linear", "conv1x1"}, torch.nn.Module or None, default="linear"
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
        return max((term.ramp_epochs for term in self.terms), default=0)

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
