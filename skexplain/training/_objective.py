r"""What is minimised: the label loss of a batch plus alpha times each penalty.

.. math:: L = \sum_B w \ell / \sum_B w + \sum_k \alpha_k \sum_S w p_k / \sum_S w
"""

from contextlib import contextmanager
from operator import mul

import torch

from ..penalties import Point, evaluate_terms
from ._architectures import mode_matters
from ._label_losses import weighted_mean
from ._reductions import MeanReduction


class Objective:
    """Label loss and penalties of a step.

    Parameters
    ----------
    module : nn.Module
        The network.
    terms : sequence of Term
        Penalties; none: the label loss alone.
    alphas : dict of str to float
        Weight of each term; a weight of zero switches the term off.
    forward : callable or None, default=None
        What runs the network (a compiled form of the module); None: the module.
    reduction : callable or None, default=None
        From the label losses of a batch to one number; None: their mean.
    """

    def __init__(self, module, terms=(), alphas=None, forward=None, reduction=None):
        self.module = module
        self.forward = module if forward is None else forward
        self.alphas = dict(alphas or {})
        self.reduction = MeanReduction() if reduction is None else reduction
        active = [term for term in terms if self.alphas[term.name] > 0]
        # A perturbation of weight zero is still needed where another term is taken at its point.
        hosts = {term.at for term in active}
        self.terms = [term for term in terms if term in active or term.name in hosts]
        self.needs_donors = any(term.penalty.needs_donors for term in self.terms)
        self.has_input_gradient = any(term.penalty.needs_double_backward for term in self.terms)
        self.mode_matters = mode_matters(module)
        # Where nothing depends on the mode, the label loss's own forward serves terms taken at the
        # clean rows.
        self.shares_forward = not self.mode_matters and any(
            term.at == "clean" and term.penalty.reads_logits for term in self.terms
        )

    def split(self, names):
        """Return two objectives: without and with the terms of these names."""
        parts = (
            [term for term in self.terms if term.name not in names],
            [term for term in self.terms if term.name in names],
        )
        return tuple(
            Objective(self.module, terms, self.alphas, self.forward, self.reduction)
            for terms in parts
        )

    def label_term(self, batch, shared=False):
        """Label loss of a batch: reduced, the logits, and the point if it is to be shared."""
        x = batch.rows.x
        if shared:
            x = x.detach().requires_grad_()
        logits = self.forward(x)
        loss = self.reduction(batch.rows.label_loss(logits, batch.rows.y), batch)
        return loss, logits, Point(x, logits) if shared else None

    def penalty_terms(self, penalised, donors, generators, clean=None):
        """Weighted mean of each penalty over the penalised rows, by name.

        The module is in evaluation mode meanwhile: rows never couple, a lone row works, and no
        buffer changes.
        """
        with self.evaluation_mode():
            values = evaluate_terms(
                self.terms, self.forward, penalised.rows, donors, generators, clean
            )
        return {
            term.name: weighted_mean(
                values[term.name],
                penalised.label_weight if term.penalty.is_label_loss else penalised.sample_weight,
            )
            for term in self.terms
        }

    def total(self, label_loss, penalties):
        """Sum of the label loss and each penalty times its alpha."""
        for name, value in penalties.items():
            label_loss = label_loss + self.alphas[name] * value
        return label_loss

    def backward(self, loss):
        """Compute the gradients of all weights.

        Inputs at which a penalty took a gradient would get one too, at the price of a pass through
        the first layer: they are left out.
        """
        weights = None
        if self.has_input_gradient:
            weights = [weight for weight in self.module.parameters() if weight.requires_grad]
        loss.backward(inputs=weights)

    @contextmanager
    def evaluation_mode(self):
        """Run the module in evaluation mode where that could make a difference."""
        if not self.mode_matters or not self.module.training:
            yield
            return
        self.module.eval()
        try:
            yield
        finally:
            self.module.train()


class RunningMeans:
    """Means of an epoch's losses, left on the device so that no step waits for them."""

    def __init__(self):
        self._values, self._counts = {}, {}

    def add(self, name, value, count):
        """Add the mean `value` of `count` rows."""
        self._values.setdefault(name, []).append(value.detach())
        self._counts.setdefault(name, []).append(count)

    def result(self):
        """Return the mean of each name as a float."""
        return {name: self._mean(name) for name in self._values}

    def _mean(self, name):
        counts = self._counts[name]
        values = torch.stack(self._values[name]).tolist()
        return sum(map(mul, values, counts)) / sum(counts)
