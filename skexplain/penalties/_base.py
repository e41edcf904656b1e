"""What every explanation term is: a callable that gives one value per sample."""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn

from .._surroundings import differentiable_attention, differentiable_recurrence
from ..masks import Masks
from ._tokens import Tokens


@dataclass(frozen=True)
class Rows:
    """Samples of the data as a penalty sees them, all on one device.

    Attributes
    ----------
    x : float32 Tensor of shape (n_samples, ...)
        Inputs.
    y : Tensor of shape (n_samples,)
        Targets: classes as integers, or float32 values to regress on.
    irrelevance : float32 Tensor, broadcastable to `x`
        Degree a in [0, 1] to which a feature must not matter.
    known : bool Tensor, broadcastable to `x`, or None
        Where a mark was given; None when everywhere.
    unit : float32 Tensor, broadcastable to `x`
        Input unit u of each column or channel.
    mean, lower, upper : float32 Tensors, broadcastable to `x`
        Mean and range of each column or channel in the training data.
    label_loss : callable
        ``label_loss(logits, y)`` gives one value per sample.
    marks_parts : bool, default=False
        Whether samples mark parts of their own, which a swap exchanges (``Masks.marks_parts``).
    share_hard_mask : bool, default=False
        Whether one mask of zeros and ones serves all samples, so that no donor has other reasons.
    loss_scale : float, default=1.0
        Label loss of a constant prediction: the logarithm of the number of classes, or the variance
        of the training targets of a regressor.  A penalty without a unit is multiplied by it.
    label_weight, sample_weight : float32 Tensor of shape (n_samples,) or None, default=None
        Weights in label losses, class weights included, and in all other terms; None: all equal.
    groups : LongTensor of shape (n_samples,) or None, default=None
        Codes of the groups.
    tokens : Tokens or None, default=None
        What is known of tokens, where `x` holds their ids; None: its entries are numbers.
    """

    x: Tensor
    y: Tensor
    irrelevance: Tensor
    known: Tensor | None
    unit: Tensor
    mean: Tensor
    lower: Tensor
    upper: Tensor
    label_loss: Any
    marks_parts: bool = False
    share_hard_mask: bool = False
    loss_scale: float = 1.0
    label_weight: Tensor | None = None
    sample_weight: Tensor | None = None
    groups: Tensor | None = None
    tokens: Tokens | None = None

    def take(self, index: Tensor) -> "Rows":
        """Return the samples at `index`, a LongTensor; masks for all samples stay as they are."""
        return changed(
            self,
            x=self.x.index_select(0, index),
            y=self.y.index_select(0, index),
            irrelevance=_take_marks(self.irrelevance, index),
            known=_take_marks(self.known, index),
            label_weight=pick(self.label_weight, index),
            sample_weight=pick(self.sample_weight, index),
            groups=pick(self.groups, index),
        )

    def repeat(self, times: int) -> "Rows":
        """Return the samples `times` times, one copy of all after the other."""
        if times == 1:
            return self
        return self.take(torch.arange(len(self.y), device=self.y.device).repeat(times))


def changed(rows: Rows, **values: Any) -> Rows:
    """Return samples with other values of some attributes.

    As ``dataclasses.replace``, which takes five times as long: a step makes several of them.
    """
    new = object.__new__(Rows)
    vars(new).update(vars(rows), **values)
    return new


def pick(values: Tensor | None, index: Tensor) -> Tensor | None:
    """Return the values at `index`, a LongTensor; None where there are none."""
    return None if values is None else values.index_select(0, index)


def _take_marks(marks: Any, index: Tensor) -> Any:
    if marks is None or len(marks) == 1:
        return marks
    return marks.index_select(0, index)


def is_built_in(kind: type) -> bool:
    """Return whether a class is of this package; one that a user derives from it is not."""
    return kind.__module__.startswith("skexplain.")


def defining(kind: type, name: str) -> type:
    """Return the class in which an attribute of a class stands; `object` where there is none."""
    return next((base for base in kind.__mro__ if name in vars(base)), object)


class Penalty(BaseEstimator):
    """Base of the explanation terms.

    A penalty is called with ``(module, rows, donors, generator)``: the network, the penalised
    samples, as many samples drawn independently from the same stream (None unless `needs_donors`),
    and the generator of its own draws.  It returns a tensor of shape (n_samples,).  The engine
    calls it with the module in evaluation mode, weighs the samples and multiplies by alpha.
    """

    #: Whether class weights apply: they do where the value is a label loss.
    is_label_loss = False
    #: Whether the value holds an input gradient, so that training differentiates twice.
    needs_double_backward = False
    #: Whether it mixes in other samples.
    needs_donors = False
    #: Whether it begins with an exchange of parts between samples, where they mark parts of their
    #: own: without one, a part that one class alone has would go on telling the label.
    exchange_parts = False
    #: Whether the network may run in bfloat16 under it.
    allows_mixed_precision = True
    #: Whether the network may run through ``torch.compile``, which neither differentiates twice nor
    #: runs on intervals.
    allows_compile = False
    #: Whether several networks may compute it as one stacked network: it calls the network on whole
    #: copies of the samples in their order, and draws through ``draw``.
    allows_stacking = False
    #: How several processes share it.  "samples": each computes it for a part of the samples, since
    #: it depends on a sample and its donor alone and draws no random numbers.  "passes": all of
    #: them compute it for all samples, with a network whose passes are shared, since it only calls
    #: the network; but each for a part where a penalty of this package has `allows_stacking`,
    #: except of tokens.  None: they cannot.
    sharding: Literal["samples", "passes"] | None = None
    #: Whether it takes the label loss at a bound of the outputs.
    bounds_label_loss = False
    #: Whether it has the same value for every network where all features of a sample are marked
    #: alike, as a share of the attribution does.
    is_share = False
    #: Whether its masks are over the units of a layer instead of the features of X; such a penalty
    #: has a method ``mask_shape``.
    marks_units = False
    #: Whether it reads or moves tokens at the output of their embedding, as numbers, not their ids.
    reads_embedding = False
    #: Whether ``at_point`` computes it from the logits at a point, so that it can share a forward
    #: pass or be taken where a perturbation has moved the samples.
    reads_logits = False
    #: Whether ``at_point`` computes it from the logits and the output of ``layer``, so that it can
    #: share the forward pass of the clean samples.
    reads_layer = False

    def reads(self, point: "Point") -> bool:
        """Return whether ``at_point`` finds all that it needs at a point.

        Parameters
        ----------
        point : Point

        Returns
        -------
        bool
        """
        return self.reads_logits or (self.reads_layer and self.layer in point.outputs)

    def applies_to(self, masks: Masks) -> np.ndarray:
        """Return the samples for which the penalty is computed.

        Parameters
        ----------
        masks : Masks
            Masks of the data set.

        Returns
        -------
        ndarray of bool of shape (n,)
            The samples with something irrelevant; where parts are exchanged, all that are annotated
            (a part may come to them), and all others, too, where the places are always the same.
        """
        if not (self.exchange_parts and masks.marks_parts):
            return masks.has_irrelevant
        return masks.annotated if masks.pooled is None else np.ones_like(masks.annotated)

    def takes_donors(self, masks: Masks) -> bool:
        """Return whether it is called with donors, given masks of the data set."""
        return self.needs_donors or (self.exchange_parts and masks.marks_parts)

    def check_parameters(self) -> None:
        """Check the parameters; here all are legal.

        Raises
        ------
        ValueError
            Whose text begins with the name of the parameter.
        """

    def check_inputs(self, row_shape: tuple[int, ...]) -> None:
        """Check parameters that depend on the shape of a sample; here there are none.

        Parameters
        ----------
        row_shape : tuple of int
            Shape of a sample.

        Raises
        ------
        ValueError
            Whose text begins with the name of the parameter.
        """

    def check_kind(self, rows: Rows) -> None:
        """Check that the penalty is for samples of this kind, tokens or numbers; here for both.

        It is called before `check_module`.

        Parameters
        ----------
        rows : Rows
            A few samples, without masks; ``rows.tokens`` is None where they are no tokens.

        Raises
        ------
        ValueError
            With the name of the parameter that would have to change.
        """

    def check_module(self, module: nn.Module, x: Tensor) -> None:
        """Check that the penalty can be computed for a network; here it always can.

        Parameters
        ----------
        module : nn.Module
            The network, in evaluation mode.
        x : float32 Tensor of shape (n_samples, ...)
            A few samples.

        Raises
        ------
        ValueError
            With the name of the parameter that would have to change.
        """

    def check_tokens(self, module: nn.Module, rows: Rows) -> None:
        """Check that the penalty can be computed for tokens; here it always can.

        Parameters
        ----------
        module : nn.Module
            The network, in evaluation mode.
        rows : Rows
            A few samples of tokens, without masks.

        Raises
        ------
        ValueError
            With the name of the parameter that would have to change.
        """

    def at_progress(self, progress: float) -> "Penalty":
        """Return the penalty as it is at some share of its ramp; here always the same.

        Parameters
        ----------
        progress : float
            From 0, the start, to 1, full strength.

        Returns
        -------
        Penalty
        """
        return self

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the term for each sample."""
        raise TypeError(f"{type(self).__name__} does not say what it computes.")


class PerturbationPenalty(Penalty):
    """Base of the terms that are the label loss at a moved copy of the sample."""

    is_label_loss = True
    allows_compile = True
    #: Whether `move` runs the network, which is in evaluation mode then.
    runs_network = True

    def move(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Move the samples along their irrelevant features.

        Returns
        -------
        Tensor of shape (draws * n_samples, ...)
            One or more moved copies of ``rows.x``, one after the other.
        """
        raise TypeError(f"{type(self).__name__} does not say how it moves a sample.")

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the label loss at the moved samples, the mean over draws, shape (n_samples,)."""
        moved = self.move(module, rows, donors, generator)
        return mean_over_draws(rows.label_loss(module(moved), copies_of(rows, moved).y), rows)


def copies_of(rows: Rows, moved: Tensor) -> Rows:
    """Return the samples as often as they were moved, tokens as ids or behind their embedding."""
    shape = moved.shape[1:-1] if rows.tokens is not None and moved.ndim == 3 else moved.shape[1:]
    if shape != rows.x.shape[1:] or not len(moved) or len(moved) % len(rows.x):
        raise TypeError(
            f"penalties: move must return copies of all samples, a tensor of shape (draws * "
            f"{len(rows.x)}, {', '.join(map(str, rows.x.shape[1:]))}); got {tuple(moved.shape)}."
        )
    return rows.repeat(len(moved) // len(rows.x))


def mean_over_draws(values: Tensor, rows: Rows) -> Tensor:
    return values.view(-1, len(rows.x)).mean(0) if len(values) > len(rows.x) else values


@dataclass(frozen=True)
class Point:
    """A place where terms are taken: inputs that require a gradient, and what the network returned.

    Attributes
    ----------
    x : Tensor of shape (n_samples, ...)
        The inputs.
    logits : Tensor of shape (n_samples, classes)
        Outputs of the network.
    outputs : dict of str or None to Tensor
        What layers returned, by the names under which penalties ask for them.
    """

    x: Tensor
    logits: Tensor
    outputs: dict = field(default_factory=dict)


def leaf_at(rows: Rows, x: Tensor | None = None) -> Tensor:
    """Return inputs at which a gradient can be taken.

    Parameters
    ----------
    rows : Rows
        The samples.
    x : Tensor of shape (n_samples, ...) or None, default=None
        Where they have been moved; None: where they are.

    Returns
    -------
    Tensor
        Ids of tokens behind their embedding, whose weights are trained through it.
    """
    x = rows.x if x is None else x
    if rows.tokens is not None:
        x = x if x.ndim == 3 else rows.tokens.embed(x)
        if x.requires_grad:
            return x
    return x.detach().requires_grad_()


def point_of(module: nn.Module, rows: Rows, x: Tensor | None = None) -> Point:
    """Run the module at samples so that the input gradient there can be trained on."""
    with differentiable_attention(), differentiable_recurrence(module):
        x = leaf_at(rows, x)
        return Point(x, full_precision(module(x)))


def point_at(module: nn.Module, x: Tensor) -> Point:
    """Run the module at `x` so that the input gradient there can be trained on."""
    x = x.detach().requires_grad_()
    with differentiable_attention(), differentiable_recurrence(module):
        return Point(x, full_precision(module(x)))


def full_precision(outputs: Any) -> Any:
    """Return what a network computed in half the precision as float32, all else as it is.

    Parameters
    ----------
    outputs : Tensor or Propagated, of any shape
        Of a network.

    Returns
    -------
    Tensor or Propagated
        Of the same shape.
    """
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
