"""What every explanation term is: a callable that gives one value per row."""

from dataclasses import dataclass
from typing import Any

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
        Targets; classes as integers.
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
    #: Whether ``at_point`` computes it from the logits at a point, so that it can share a forward
    #: pass or be taken where a perturbation has moved the rows.
    reads_logits = False

    def applies_to(self, masks):
        """Tell which rows the penalty looks at.

        Parameters
        ----------
        masks : Masks
            Masks of the data set.

        Returns
        -------
        ndarray of bool of shape (n,)
            Here: the rows with something irrelevant.
        """
        return masks.has_irrelevant

    def __call__(self, module, rows, donors=None, generator=None):
        """Compute the term for each row."""
        raise TypeError(f"{type(self).__name__} does not say what it computes.")


class PerturbationPenalty(Penalty):
    """Base of the terms that are the label loss at a moved copy of the row."""

    is_label_loss = True

    def move(self, module, rows, donors=None, generator=None):
        """Move the rows along their irrelevant features.

        Returns
        -------
        Tensor of the shape of ``rows.x``
            Equal to ``rows.x``, to the bit, where the irrelevance is zero.
        """
        raise TypeError(f"{type(self).__name__} does not say how it moves a row.")

    def __call__(self, module, rows, donors=None, generator=None):
        """Compute the label loss at the moved rows, shape (rows,)."""
        return rows.label_loss(module(self.move(module, rows, donors, generator)), rows.y)


@dataclass(frozen=True)
class Point:
    """A place where terms are taken: inputs that require a gradient, and the logits there."""

    x: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Term:
    """A named penalty in an objective.

    Attributes
    ----------
    name : str
        Name in the history.
    penalty : Penalty
        What it computes.
    alpha : float or "auto"
        Its weight.
    at : str, default="clean"
        Where an input-gradient term is taken: at the clean rows, or at the point to which the
        perturbation term of that name has moved them.
    """

    name: str
    penalty: Penalty
    alpha: float | str
    at: str = "clean"


def evaluate_terms(terms, module, rows, donors=None, generators=None, clean=None):
    """Compute every term for each row; terms at one point share its forward pass.

    Parameters
    ----------
    terms : sequence of Term
        A term that is taken ``at`` another comes after it.
    module : nn.Module
        The network.
    rows, donors : Rows
        Penalised rows, and the rows that a swap takes values from.
    generators : dict of str to torch.Generator
        Generator of each term's own draws.
    clean : Point or None, default=None
        Logits at ``rows.x`` if they are known already.

    Returns
    -------
    dict of str to Tensor of shape (rows,)
    """
    points = {} if clean is None else {"clean": clean}
    hosts = {term.at for term in terms}
    values = {}
    for term in terms:
        generator = generators[term.name] if generators else None
        if term.penalty.reads_logits and term.at in points:
            values[term.name] = term.penalty.at_point(points[term.at], rows)
        elif term.name in hosts:
            point = point_at(module, term.penalty.move(module, rows, donors, generator))
            points[term.name] = point
            values[term.name] = rows.label_loss(point.logits, rows.y)
        else:
            values[term.name] = term.penalty(module, rows, donors, generator)
    return values


def point_at(module, x):
    """Run the module at `x` so that the input gradient there can be trained on."""
    x = x.detach().requires_grad_()
    # torch's fused attention kernels have no second derivative, its plain form has.
    with sdpa_kernel(SDPBackend.MATH):
        return Point(x, module(x))
