r"""What is minimised: the label loss of a batch plus alpha times each penalty.

.. math:: L = \sum_B w \ell / \sum_B w + \sum_k \alpha_k \sum_S w p_k / \sum_S w

A perturbation whose alpha is "replace" is no summand: the label loss of the samples that it
perturbs is taken at the perturbed samples instead of the clean ones.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .._surroundings import differentiable_recurrence
from ..penalties import Rows
from ..penalties._base import Point, changed, full_precision, leaf_at
from ..penalties._layers import keep_outputs
from ._architectures import mode_matters, set_training
from ._method import Term, with_hosts
from ._reductions import MeanReduction
from ._terms import Generators, evaluate_terms, no_writes


class Objective:
    """What one optimizer steps on.

    Parameters
    ----------
    module : nn.Module
        The network.
    terms : sequence of Term, default=()
        Penalties; their `alpha` is a number.  One of zero switches a term off, an infinite one
        replaces clean samples by perturbed ones.
    forward : callable or None, default=None
        What runs the network (a compiled form of the module); None: the module.
    reduction : MeanReduction or None, default=None
        From the label losses of a batch to one number; None: their mean.
    mixed_precision : bool, default=False
        Whether the network runs in bfloat16 where ``torch.autocast`` deems that safe.
    has_label_loss : bool, default=True
        Whether the label loss is part of it, or the penalties are all.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        terms: Sequence[Term] = (),
        forward: Callable | None = None,
        reduction: MeanReduction | None = None,
        mixed_precision: bool = False,
        has_label_loss: bool = True,
    ) -> None:
        self.module = module
        self.mixed_precision = mixed_precision
        self.forward = module if forward is None else forward
        self.reduction = MeanReduction() if reduction is None else reduction
        self.has_label_loss = has_label_loss
        self.alphas = {term.name: term.weight for term in terms}
        self.replacing = [term for term in terms if term.replaces]
        # A perturbation that is no summand is still needed where another term is taken there.
        self.terms = with_hosts(terms, lambda term: 0 < term.weight < math.inf)
        self.has_input_gradient = any(term.penalty.needs_double_backward for term in self.terms)
        self.mode_matters = mode_matters(module)
        # Where nothing depends on the mode, the label loss's own forward serves terms taken at the
        # clean samples.
        readers = [
            term.penalty
            for term in self.terms
            if term.at == "clean"
            and not self.mode_matters
            and (term.penalty.reads_logits or term.penalty.reads_layer)
            and not term.has_own_call
        ]
        self.shares_forward = bool(readers) and not self.replacing
        self.kept_layers = {reader.layer for reader in readers if reader.reads_layer}

    def takes_donors(self, masks: Any) -> bool:
        """Return whether a step needs other samples as donors, given masks of the data set."""
        every = (*self.terms, *self.replacing)
        return any(term.penalty.takes_donors(masks) for term in every)

    def with_terms(self, terms: Sequence[Term], has_label_loss: bool = True) -> "Objective":
        """Return the objective with other penalties and weights."""
        return Objective(
            self.module,
            terms,
            self.forward,
            self.reduction,
            self.mixed_precision,
            has_label_loss,
        )

    def split(self, names: frozenset[str]) -> tuple["Objective", "Objective"]:
        """Return two objectives: without the terms of these names, and these terms alone.

        A step by the penalty alone, which its weight in the whole does not change: it is 1.
        """
        every = {term.name: term for term in (*self.replacing, *self.terms)}.values()
        alone = [replace(term, alpha=1.0) for term in every if term.name in names]
        others = [term for term in every if term.name not in names]
        return self.with_terms(others), self.with_terms(alone, has_label_loss=False)

    def lazily(self, every: int) -> tuple["Objective", "Objective"]:
        """Return what is minimised at the first of every so many steps, and at the others.

        At the first the penalties weigh for all of them.  Perturbed samples that replace clean ones
        are part of each step: they have the label loss.

        Parameters
        ----------
        every : int
            Number of steps.

        Returns
        -------
        first, others : Objective
        """
        if every == 1:
            return self, self
        terms = {term.name: term for term in (*self.replacing, *self.terms)}.values()
        first = [replace(term, alpha=every * term.weight) for term in terms]
        return (
            self.with_terms(first, self.has_label_loss),
            self.with_terms(self.replacing, self.has_label_loss),
        )

    def losses_and_gradients(
        self,
        batch: Rows,
        penalised: Rows | None,
        donors: Rows | None,
        generators: Generators,
        chunk_size: int | None = None,
    ) -> tuple[Any, dict[str, Any], Tensor | None]:
        """Add the gradients of a step.

        Parameters
        ----------
        batch, penalised : Rows
            All samples of the step, and those of the penalties: the same object, others, or None.
            Where penalised samples are replaced, they are the last of `batch`.
        donors : Rows or None
            For the penalties.
        generators : dict of str to torch.Generator
            By the names of the terms.
        chunk_size : int or None, default=None
            See `penalty_gradients`; None: all losses are differentiated together.

        Returns
        -------
        total : Tensor
            The loss of the step.
        parts : dict of str to Tensor
            ``label_loss`` and each penalty.
        logits : Tensor or None
            Of the batch; None without label loss.
        """
        if not self.has_label_loss:
            penalties = self.penalty_gradients(penalised, donors, generators, chunk_size)
            return self.total(0.0, penalties), penalties, None
        size, moved = len(batch.y), None
        if penalised is not None and self.replacing:
            batch, moved = self.replace_clean(batch, penalised, donors, generators)
        if penalised is None or not self.terms:
            loss, logits, _ = self.label_term(batch)
            self.backward(loss)
            return loss, {"label_loss": loss}, logits[:size]
        if chunk_size is None:
            loss, logits, clean = self.label_term(batch, self.shares_forward and penalised is batch)
            penalties = self.penalty_terms(penalised, donors, generators, clean, moved)
            total = self.total(loss, penalties)
            self.backward(total)
        else:
            loss, logits, _ = self.label_term(batch)
            self.backward(loss)
            penalties = self.penalty_gradients(penalised, donors, generators, chunk_size)
            total = self.total(loss.detach(), penalties)
        return total, {"label_loss": loss, **penalties}, logits[:size]

    def replace_clean(
        self,
        batch: Rows,
        penalised: Rows,
        donors: Rows | None,
        generators: Generators,
    ) -> tuple[Rows, dict[str, Tensor]]:
        """Put perturbed samples in the place of the penalised ones, which are the last of a batch.

        Where there are several perturbed copies of a sample, each has its share of the weight.

        Returns
        -------
        batch : Rows
        moved : dict of str to Tensor
            The perturbed samples, by the name of the perturbation.
        """
        runs_network = any(term.penalty.runs_network for term in self.replacing)
        mode = self.evaluation_mode() if runs_network else nullcontext()
        with mode, self._precision(penalised.x):
            by_name = {
                term.name: self.move(term, penalised, donors, generators[term.name])
                for term in self.replacing
            }
        moved = list(by_name.values())
        n_clean = len(batch.x) - len(penalised.x)
        n_copies = sum(len(copies) for copies in moved) // len(penalised.x)
        if n_copies > 1:
            batch = _repeat_last(batch, len(penalised.x), moved)
        parts = [batch.x[:n_clean], *moved]
        if batch.tokens is not None and any(part.ndim == 3 for part in moved):
            parts = [part if part.ndim == 3 else batch.tokens.embed(part) for part in parts]
        return changed(batch, x=torch.cat(parts)), by_name

    def move(
        self, term: Term, penalised: Rows, donors: Rows | None, generator: torch.Generator
    ) -> Tensor:
        """Perturb samples by the penalty of a term."""
        penalty: Any = term.penalty
        with no_writes(term, penalised, donors):
            return penalty.move(self.forward, penalised, donors, generator)

    def label_term(self, batch: Rows, shared: bool = False) -> tuple[Tensor, Tensor, Point | None]:
        """Label loss of a batch: reduced, the logits, and the point if it is to be shared."""
        x = leaf_at(batch) if shared else batch.x
        kept: AbstractContextManager[Any] = nullcontext({})
        if shared and self.kept_layers:
            kept = keep_outputs(self.module, self.kept_layers, differentiable=True)
        with self._precision(x), kept as outputs:
            logits = full_precision(self.forward(x))
        loss = self.reduction(batch.label_loss(logits, batch.y), batch)
        return loss, logits, Point(x, logits, outputs) if shared else None

    def penalty_terms(
        self,
        penalised: Rows,
        donors: Rows | None,
        generators: Generators,
        clean: Point | None = None,
        moved: Any = None,
    ) -> dict[str, Tensor]:
        """Weighted mean of each penalty over the penalised samples, by name.

        The module is in evaluation mode meanwhile: samples never couple, a lone sample works, and
        no buffer changes.
        """
        with self.evaluation_mode(), self._precision(penalised.x):
            values = self.penalty_values(penalised, donors, generators, clean, moved)
        return {
            term.name: self.reduction.mean(values[term.name], weights_of(term, penalised))
            for term in self.terms
        }

    def penalty_values(
        self,
        penalised: Rows,
        donors: Rows | None,
        generators: Generators,
        clean: Point | None,
        moved: Any,
    ) -> dict[str, Tensor]:
        """Compute each penalty for each of the penalised samples, by name."""
        return evaluate_terms(self.terms, self.forward, penalised, donors, generators, clean, moved)

    def penalty_gradients(
        self,
        penalised: Any,
        donors: Rows | None,
        generators: Generators,
        chunk_size: int | None = None,
    ) -> dict[str, Any]:
        """Add the gradients of the penalties, some samples at a time; return the penalties by name.

        Equal to one pass over all samples up to rounding, and up to what random penalties draw.
        """
        sums = dict.fromkeys((term.name for term in self.terms), 0.0)
        for chunk, of_chunk in _chunks(penalised, donors, chunk_size):
            values = self.penalty_terms(chunk, of_chunk, generators)
            if chunk is not penalised:
                for term in self.terms:
                    values[term.name] = _share(term, chunk, penalised) * values[term.name]
            self.backward(sum(self._factor(name) * value for name, value in values.items()))
            sums = {name: sums[name] + value.detach() for name, value in values.items()}
        return sums

    def total(self, label_loss: Any, penalties: dict[str, Any]) -> Any:
        """Sum of the label loss and each penalty times its alpha."""
        for name, value in penalties.items():
            label_loss = label_loss + self._factor(name) * value
        return label_loss

    def _factor(self, name: str) -> float:
        """Weight of a penalty in the sum; none where it replaces the label loss of its samples."""
        alpha = self.alphas[name]
        return 0.0 if math.isinf(alpha) else alpha

    def backward(self, loss: Any) -> None:
        """Compute the gradients of all weights; those of several networks from a loss each.

        Inputs at which a penalty took a gradient would get one too, at the price of a pass through
        the first layer: they are left out.
        """
        weights = None
        if self.has_input_gradient:
            weights = [weight for weight in self.module.parameters() if weight.requires_grad]
        loss.backward(torch.ones_like(loss) if loss.ndim else None, inputs=weights)

    def _precision(self, x: Tensor) -> AbstractContextManager[Any]:
        if not self.mixed_precision:
            return nullcontext()
        # Without its cache: weights cast while no gradient was wanted would be used again.
        return torch.autocast(x.device.type, torch.bfloat16, cache_enabled=False)

    @contextmanager
    def evaluation_mode(self) -> Iterator[None]:
        """Run the module in evaluation mode, and so that it can be differentiated there."""
        if not self.mode_matters:
            yield
            return
        was_training = self.module.training
        self.module.eval()
        try:
            with differentiable_recurrence(self.module):
                yield
        finally:
            if was_training:
                set_training(self.module)


def _repeat_last(batch: Rows, n_last: int, moved: list[Tensor]) -> Rows:
    """Repeat the last samples of a batch as often as they were perturbed, sharing their weight."""
    n_first, device = len(batch.y) - n_last, batch.y.device
    share = torch.ones(len(batch.y), device=device)
    last = torch.arange(n_first, n_first + n_last, device=device)
    index, shares = [torch.arange(n_first, device=device)], [share[:n_first]]
    for copies in moved:
        n_copies = len(copies) // n_last
        index.append(last.repeat(n_copies))
        shares.append(torch.full((len(copies),), 1 / (n_copies * len(moved)), device=device))
    repeated, share = batch.take(torch.cat(index)), torch.cat(shares)
    weight = repeated.label_weight
    return changed(repeated, label_weight=share if weight is None else share * weight)


def weights_of(term: Term, rows: Rows) -> Tensor | None:
    """Return the weights of samples in a term, or None: all equal."""
    return rows.label_weight if term.penalty.is_label_loss else rows.sample_weight


def _chunks(
    penalised: Rows, donors: Rows | None, size: int | None
) -> Iterator[tuple[Rows, Rows | None]]:
    """Yield parts of the penalised samples with their donors; None: the whole."""
    n_rows = len(penalised.y)
    if size is None or size >= n_rows:
        yield penalised, donors
        return
    for index in torch.arange(n_rows, device=penalised.y.device).split(size):
        yield penalised.take(index), None if donors is None else donors.take(index)


def _share(term: Term, chunk: Rows, whole: Rows) -> Any:
    """Return how much a part of the samples weighs in a term, from 0 to 1."""
    weight = weights_of(term, whole)
    if weight is None:
        return len(chunk.y) / len(whole.y)
    of_chunk: Any = weights_of(term, chunk)
    return of_chunk.sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
