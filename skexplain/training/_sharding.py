"""The objective of a step whose passes through the network several processes share."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _BatchNorm

from ..penalties import Rows
from ..penalties._base import Point, full_precision, is_built_in, leaf_at
from ..penalties._draws import PartGenerator
from ..penalties._layers import keep_outputs
from ._architectures import mode_matters, set_training
from ._batches import TrainingData
from ._method import Method, Term
from ._objective import Objective
from ._processes import Processes
from ._random import seed_layers
from ._reductions import MeanReduction
from ._sharded_layers import LayersOfTheBatch
from ._terms import Generators, evaluate_terms


class _Whole(torch.autograd.Function):
    """Put the parts of all processes together; of a gradient each process takes its part."""

    @staticmethod
    def forward(ctx: Any, part: Tensor, processes: Processes, n_samples: int) -> Tensor:
        ctx.processes = processes
        return processes.gather(part)[:n_samples]

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return _Part.apply(gradient, ctx.processes, False), None, None


class _Part(torch.autograd.Function):
    """Take the part of this process; the gradients of all parts are put together.

    What makes the last part as long as the others is the last sample again, or zero, so that no
    gradient comes of it.
    """

    @staticmethod
    def forward(ctx: Any, whole: Tensor, processes: Processes, repeat: bool) -> Tensor:
        ctx.processes, ctx.n_samples = processes, len(whole)
        part = whole.index_select(0, processes.part(len(whole), whole.device))
        if not repeat:
            part[processes.n_own(len(whole)) :] = 0
        return part

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return _Whole.apply(gradient, ctx.processes, ctx.n_samples), None, None


class ShardedForward(nn.Module):
    """Runs a network on the samples of this process, and returns the outputs for all.

    So all processes compute the same losses, and the gradient of a weight is the sum of theirs.
    Gradients at the inputs are those for all samples in each process, also to be differentiated
    again.

    Parameters
    ----------
    network : nn.Module
    processes : Processes
    """

    def __init__(self, network: nn.Module, processes: Processes) -> None:
        super().__init__()
        self.network = network
        self.processes = processes
        self.mode_matters = mode_matters(network)

    def forward(self, x: Tensor) -> Tensor:
        """Compute the outputs, shape (n_samples, outputs)."""
        couples = self.mode_matters and self.network.training
        with LayersOfTheBatch(self.processes, len(x)) if couples else nullcontext():
            outputs = self.network(_Part.apply(x, self.processes, True))
        return _Whole.apply(full_precision(outputs), self.processes, len(x))


class ShardedObjective(Objective):
    """An objective whose passes through the network several processes share.

    Parameters
    ----------
    module, terms, reduction, mixed_precision, has_label_loss
        As in `Objective`.
    processes : Processes
    """

    def __init__(
        self,
        module: nn.Module,
        terms: Sequence[Term] = (),
        reduction: MeanReduction | None = None,
        mixed_precision: bool = False,
        has_label_loss: bool = True,
        *,
        processes: Processes,
    ) -> None:
        forward = ShardedForward(module, processes)
        super().__init__(module, terms, forward, reduction, mixed_precision, has_label_loss)
        self.processes = processes

    def with_terms(self, terms: Sequence[Term], has_label_loss: bool = True) -> "ShardedObjective":
        """Return the objective with other penalties and weights."""
        return ShardedObjective(
            self.module,
            terms,
            self.reduction,
            self.mixed_precision,
            has_label_loss,
            processes=self.processes,
        )

    def losses_and_gradients(self, *step: Any) -> tuple[Any, dict[str, Any], Tensor | None]:
        """Add the gradients of a step, those of all processes together; see `Objective`."""
        result = super().losses_and_gradients(*step)
        weights = self.module.parameters()
        self.processes.add_up([weight.grad for weight in weights if weight.grad is not None])
        return result

    def label_term(self, batch: Rows, shared: bool = False) -> tuple[Tensor, Tensor, Point | None]:
        """Label loss of a batch; the point that is to be shared has the samples of this process."""
        if not shared:
            return super().label_term(batch)
        x = leaf_at(batch.take(self.processes.part(len(batch.y), batch.y.device)))
        kept = keep_outputs(self.module, self.kept_layers, differentiable=True)
        with self._precision(x), kept as outputs:
            own = full_precision(self.module(x))
        logits = _Whole.apply(own, self.processes, len(batch.y))
        loss = self.reduction(batch.label_loss(logits, batch.y), batch)
        return loss, logits, Point(x, own, outputs)

    def move(
        self, term: Term, penalised: Rows, donors: Rows | None, generator: torch.Generator
    ) -> Tensor:
        """Perturb samples; a process its part, where that takes passes through the network."""
        penalty: Any = term.penalty
        if not (penalty.runs_network and _is_of_each_sample(penalty, penalised)):
            return super().move(term, penalised, donors, generator)
        size = len(penalised.y)
        index = self.processes.part(size, penalised.y.device)
        drawn = PartGenerator(generator, index, size)
        own, own_donors = penalised.take(index), donors and donors.take(index)
        return self.processes.gather(penalty.move(self.module, own, own_donors, drawn))[:size]

    def penalty_values(
        self,
        penalised: Rows,
        donors: Rows | None,
        generators: Generators,
        clean: Point | None,
        moved: Any,
    ) -> dict[str, Tensor]:
        """Compute each penalty for each sample; a process for its part, where it can."""
        moved = moved or {}
        # Terms at one point are computed together.
        of_batch = {
            name
            for term in self.terms
            if not _is_of_each_sample(term.penalty, penalised)
            for name in (term.name, term.at)
        } - {"clean"}
        apart = [term for term in self.terms if not {term.name, term.at} & of_batch]
        others = [term for term in self.terms if term not in apart]
        values = evaluate_terms(others, self.forward, penalised, donors, generators, None, moved)
        if not apart:
            return values
        size, names = len(penalised.y), {term.name for term in apart}
        index = self.processes.part(size, penalised.y.device)
        moved = {name: x.index_select(0, index) for name, x in moved.items() if name in names}
        drawn: Generators = {name: PartGenerator(generators[name], index, size) for name in names}
        own, own_donors = penalised.take(index), donors and donors.take(index)
        parts = evaluate_terms(apart, self.module, own, own_donors, drawn, clean, moved)
        return values | {
            name: _Whole.apply(part, self.processes, size) for name, part in parts.items()
        }


def _is_of_each_sample(penalty: Any, rows: Rows) -> bool:
    """Return whether a penalty of a sample can be computed without the others."""
    if penalty.sharding == "samples":
        return True
    # Networks that are stacked have samples of their own, too.  Tokens come from any sample, and
    # what a user's class does in place of one of this package may couple samples.
    return is_built_in(type(penalty)) and penalty.allows_stacking and rows.tokens is None


def shard(
    objective: Objective, method: Method, processes: Processes, data: TrainingData
) -> ShardedObjective:
    """Return an objective whose passes through the network several processes share.

    Parameters
    ----------
    objective : Objective
        Of one process.
    method : Method
        What is trained on.
    processes : Processes
    data : TrainingData

    Raises
    ------
    ValueError
        If the result would not be that of one process.
    """
    for penalty in (term.penalty for term in method.active_terms):
        # Embedding tokens is a pass of its own, which is not shared.
        whole_tokens = penalty.sharding == "passes" and not penalty.reads_embedding
        if penalty.sharding is None or (data.frame.tokens is not None and not whole_tokens):
            of = " of tokens" if penalty.sharding is not None else ""
            raise ValueError(
                f"penalties{of} must be such that processes can share them with {_SEVERAL}; got "
                f"{penalty!r}."
            )
    _check_network(objective.module, processes, data)
    terms = tuple({term.name: term for term in (*objective.replacing, *objective.terms)}.values())
    return ShardedObjective(
        objective.module,
        terms,
        objective.reduction,
        objective.mixed_precision,
        processes=processes,
    )


_SEVERAL = 'device="accelerate" and several processes'


def _check_network(module: nn.Module, processes: Processes, data: TrainingData) -> None:
    """Check that a network in training mode returns for a shared batch what it returns for one."""
    if not mode_matters(module):
        return
    for name, layer in module.named_modules():
        is_norm = isinstance(layer, _BatchNorm)
        if is_norm and (layer.running_mean is None or isinstance(layer, nn.SyncBatchNorm)):
            raise _differs(f"{type(layer).__name__} at {name!r} (use one with running statistics)")
    # Not the same number for each process.
    x = data.rows(data.index[: 8 * processes.count + 1]).x
    set_training(module)
    outputs: list[Tensor] = []
    networks: tuple[nn.Module, ...] = (module, ShardedForward(module, processes))
    for network in networks:
        seed_layers(0, x.device)
        # A pass may change the buffers.
        copies = {name: buffer.clone() for name, buffer in network.named_buffers()}
        with torch.no_grad():
            outputs.append(functional_call(network, copies, x))
    alone, shared = outputs
    if not torch.allclose(alone, shared, rtol=0, atol=1e-4 * float(alone.abs().max())):
        raise _differs("other outputs for a batch that is split, as of dropout inside attention")


def _differs(what: str) -> ValueError:
    return ValueError(
        f"module must treat samples one by one, but for batch norm and dropout, with {_SEVERAL}; "
        f"got {what}."
    )
