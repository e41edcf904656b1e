"""What every explanation term is: a callable that gives one value per row."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


@dataclass(frozen=True)
class Rows:
    """Rows of the data as a penalty sees them, all on one device.

    Attributes
    ----------
    x : float32 Tensor of shape (rows, ...)
        Inputs.
    y : Tensor of shape (rows,)
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
        ``label_loss(logits, y)`` gives one value per row.
    marks_parts : bool, default=False
        Whether samples mark parts of their own, which a swap exchanges (``Masks.marks_parts``).
    share_hard_mask : bool, default=False
        Whether one mask of zeros and ones serves all samples, so that no donor has other reasons.
    loss_scale : float, default=1.0
        Label loss of a constant prediction: the logarithm of the number of classes, or the variance
        of the training targets of a regressor.  A penalty without a unit is multiplied by it.
    label_weight, sample_weight : float32 Tensor of shape (rows,) or None, default=None
        Weights in label losses, class weights included, and in all other terms; None: all equal.
    groups : LongTensor of shape (rows,) or None, default=None
        Codes of the groups.
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

    def take(self, index: Tensor) -> "Rows":
        """Return the rows at `index`, a LongTensor; masks for all rows stay as they are."""
        return replace(
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
        """Return the rows `times` times, one copy of all after the other."""
        if times == 1:
            return self
        return self.take(torch.arange(len(self.y), device=self.y.device).repeat(times))


def pick(values: Tensor | None, index: Tensor) -> Tensor | None:
    """Return the values at `index`, a LongTensor; None where there are none."""
    return None if values is None else values.index_select(0, index)


def _take_marks(marks, index):
    if marks is None or len(marks) == 1:
        return marks
    return marks.index_select(0, index)


class Penalty(BaseEstimator):
    """Base of the explanation terms.

    A penalty is called with ``(module, rows, donors, generator)``: the network, the penalised rows,
    as many rows drawn independently from the same stream (None unless `needs_donors`), and the
    generator of its own draws.  It returns a tensor of shape (rows,).  The engine calls it with the
    module in evaluation mode, weighs the rows and multiplies by alpha.
    """

    #: Whether class weights apply: they do where the value is a label loss.
    is_label_loss = False
    #: Whether the value holds an input gradient, so that training differentiates twice.
    needs_double_backward = False
    #: Whether it mixes in other rows.
    needs_donors = False
    #: Whether it begins with an exchange of parts between samples, where they mark parts of their
    #: own: without one, a part that one class alone has would go on telling the label.
    exchange_parts = False
    #: Whether the network may run in bfloat16 under it.
    allows_mixed_precision = True
    #: Whether the network may run through ``torch.compile``, which neither differentiates twice nor
    #: runs on intervals.
    allows_compile = False
    #: Whether its masks are over the units of a layer instead of the features of X; such a penalty
    #: has a method ``mask_shape``.
    marks_units = False
    #: Whether ``at_point`` computes it from the logits at a point, so that it can share a forward
    #: pass or be taken where a perturbation has moved the rows.
    reads_logits = False
    #: Whether ``at_point`` computes it from the logits and the output of ``layer``, so that it can
    #: share the forward pass of the clean rows.
    reads_layer = False

    def reads(self, point):
        """Tell whether ``at_point`` finds all that it needs at a point.

        Parameters
        ----------
        point : Point

        Returns
        -------
        bool
        """
        return self.reads_logits or (self.reads_layer and self.layer in point.outputs)

    def applies_to(self, masks):
        """Tell which rows the penalty looks at.

        Parameters
        ----------
        masks : Masks
            Masks of the data set.

        Returns
        -------
        ndarray of bool of shape (n,)
            The rows with something irrelevant; where parts are exchanged, all that are annotated (a
            part may come to them), and all others, too, where the places are always the same.
        """
        if not (self.exchange_parts and masks.marks_parts):
            return masks.has_irrelevant
        return masks.annotated if masks.pooled is None else np.ones_like(masks.annotated)

    def takes_donors(self, masks):
        """Tell whether it is called with donors, given masks of the data set."""
        return self.needs_donors or (self.exchange_parts and masks.marks_parts)

    def check_parameters(self):
        """Refuse parameters that are not legal; here all are.

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

    def check_module(self, module, x):
        """Refuse a network for which the penalty cannot be computed; here none is.

        Parameters
        ----------
        module : nn.Module
            The network, in evaluation mode.
        x : float32 Tensor of shape (rows, ...)
            A few rows.

        Raises
        ------
        ValueError
            With the name of the parameter that would have to change.
        """

    def at_progress(self, progress):
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

    def __call__(self, module, rows, donors=None, generator=None):
        """Compute the term for each row."""
        raise TypeError(f"{type(self).__name__} does not say what it computes.")


class PerturbationPenalty(Penalty):
    """Base of the terms that are the label loss at a moved copy of the row."""

    is_label_loss = True
    allows_compile = True

    def move(self, module, rows, donors=None, generator=None):
        """Move the rows along their irrelevant features.

        Returns
        -------
        Tensor of shape (draws * rows, ...)
            One or more moved copies of ``rows.x``, one after the other.
        """
        raise TypeError(f"{type(self).__name__} does not say how it moves a row.")

    def __call__(self, module, rows, donors=None, generator=None):
        """Compute the label loss at the moved rows, the mean over draws, shape (rows,)."""
        moved = self.move(module, rows, donors, generator)
        return _mean_over_draws(rows.label_loss(module(moved), _copies(rows, moved).y), rows)


def _copies(rows, moved):
    """Return the rows as often as they were moved."""
    return rows.repeat(len(moved) // len(rows.x))


def _mean_over_draws(values, rows):
    return values.view(-1, len(rows.x)).mean(0) if len(values) > len(rows.x) else values


@dataclass(frozen=True)
class Point:
    """A place where terms are taken: inputs that require a gradient, and what the network returned.

    Attributes
    ----------
    x : Tensor of shape (rows, ...)
        The inputs.
    logits : Tensor of shape (rows, classes)
        Outputs of the network.
    outputs : dict of str or None to Tensor
        What layers returned, by the names under which penalties ask for them.
    """

    x: Tensor
    logits: Tensor
    outputs: dict = field(default_factory=dict)


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
        Where an input-gradient term is taken: at the clean rows, or at the point to which the
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
    def replaces(self) -> bool:
        """Whether the label loss of perturbed samples takes the place of that of the clean ones."""
        return self.alpha in ("replace", math.inf)

    @property
    def ramp_epochs(self) -> float:
        """Number of epochs after which everything has risen."""
        return max(self.alpha_epochs, self.penalty_epochs)

    def at_epoch(self, epoch: int) -> "Term":
        """Return the term as it is in an epoch, counted from 1; its `alpha` is a number.

        The share of the penalty in the whole, alpha / (1 + alpha), rises linearly: the schedule of
        Heo et al. 2023, who weigh label loss and penalty with a and 1 - a.
        """
        term = self
        if epoch < self.penalty_epochs:
            term = replace(term, penalty=self.penalty.at_progress(epoch / self.penalty_epochs))
        if epoch < self.alpha_epochs:
            share = epoch / self.alpha_epochs * self.alpha / (1 + self.alpha)
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


def evaluate_terms(terms, module, rows, donors=None, generators=None, clean=None, moved=None):
    """Compute every term for each row; terms at one point share its forward pass.

    Parameters
    ----------
    terms : sequence of Term
        A term that is taken ``at`` another comes after it.
    module : nn.Module
        The network.
    rows : Rows
        Penalised rows.
    donors : Rows or None, default=None
        Rows that a swap takes values from.
    generators : dict of str to torch.Generator or None, default=None
        Generator of each term's own draws; None: torch's.
    clean : Point or None, default=None
        What the network makes of ``rows.x``, if it is known already.
    moved : dict of str to Tensor of shape (draws * rows, ...), or None, default=None
        Where perturbations of these names have moved the rows already.

    Returns
    -------
    dict of str to Tensor of shape (rows,)

    Examples
    --------
    >>> import torch
    >>> from torch.nn.functional import cross_entropy
    >>> from skexplain.penalties import InputGradientPenalty, Rows, Term, evaluate_terms
    >>> rows = Rows(
    ...     x=torch.tensor([[0.5, 0.5]]),
    ...     y=torch.tensor([1]),
    ...     irrelevance=torch.tensor([[0.0, 1.0]]),
    ...     known=None,
    ...     unit=torch.ones(1, 2),
    ...     mean=torch.zeros(1, 2),
    ...     lower=torch.full((1, 2), -1.0),
    ...     upper=torch.ones(1, 2),
    ...     label_loss=lambda logits, y: cross_entropy(logits, y, reduction="none"),
    ... )
    >>> module = torch.nn.Linear(2, 2)
    >>> with torch.no_grad():
    ...     _ = module.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    >>> term = Term("gradient", InputGradientPenalty(), alpha=1.0)
    >>> values = evaluate_terms([term], module, rows)
    >>> values["gradient"].tolist()  # the network does not read the second feature
    [0.0]
    """
    points = {} if clean is None else {"clean": (clean, rows)}
    hosts = {term.at for term in terms}
    values = {}
    for term in terms:
        generator = generators[term.name] if generators else None
        point, copies = points.get(term.at, (None, None))
        if point is not None and term.penalty.reads(point):
            values[term.name] = _mean_over_draws(term.penalty.at_point(point, copies), rows)
        elif term.name in hosts:
            x = (moved or {}).get(term.name)
            if x is None:
                x = term.penalty.move(module, rows, donors, generator)
            point, copies = points[term.name] = point_at(module, x), _copies(rows, x)
            values[term.name] = _mean_over_draws(rows.label_loss(point.logits, copies.y), rows)
        else:
            values[term.name] = term.penalty(module, rows, donors, generator)
    return values


def point_at(module, x):
    """Run the module at `x` so that the input gradient there can be trained on."""
    x = x.detach().requires_grad_()
    # torch's fused attention kernels have no second derivative, its plain form has.
    with sdpa_kernel(SDPBackend.MATH):
        return Point(x, full_precision(module(x)))


def full_precision(outputs):
    """Return what a network computed in half the precision as float32, all else as it is.

    Parameters
    ----------
    outputs : Tensor or Propagated, of any shape
        Of a network.

    Returns
    -------
    Tensor or Propagated
        Of the same shape.

    Examples
    --------
    >>> import torch
    >>> from skexplain.penalties import full_precision
    >>> full_precision(torch.ones(1, dtype=torch.bfloat16)).dtype
    torch.float32
    """
    return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
