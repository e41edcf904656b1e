"""Trains the networks of several seeds at once, as one stacked network."""

from collections.abc import Sequence
from typing import Any

import torch

from ..penalties._draws import StackedGenerator
from ._batches import TrainingData
from ._method import Method
from ._objective import Objective
from ._random import Streams
from ._reductions import MeanOfEach, RunningMeans
from ._stack import hand_back, hand_back_state, stack_networks
from ._steps import Positions
from ._trainer import Trainer

# Optimizers that move each weight by its own gradient alone.
ELEMENTWISE_OPTIMIZERS = (
    torch.optim.SGD,
    torch.optim.Adam,
    torch.optim.AdamW,
    torch.optim.NAdam,
    torch.optim.RAdam,
    torch.optim.Adamax,
    torch.optim.Adagrad,
    torch.optim.Adadelta,
    torch.optim.RMSprop,
)


class _JointStreams(Streams):
    """Streams of several networks, whose random numbers are drawn from their own."""

    def __init__(self, each: Sequence[Streams]) -> None:
        super().__init__(each[0].root)
        self.each = tuple(each)

    def generator(
        self, purpose: str, epoch: int = 0, device: torch.device | str = "cpu"
    ) -> torch.Generator:
        """Generator of a purpose in an epoch."""
        own = [streams.generator(purpose, epoch, device) for streams in self.each]
        return StackedGenerator(own)


class JointTrainer(Trainer):
    """Trains the networks of several trainers as each of them would, up to rounding.

    A batch has the samples that each trainer would draw, one trainer after the other, and a loss
    for each.  So the gradient of a weight is that of its own network's loss.

    Parameters
    ----------
    trainers : sequence of Trainer
        New ones, which differ in their streams and in the weights of their networks.
    x : Tensor of shape (n_samples, ...)
        A few samples.

    Raises
    ------
    ValueError
        If the networks cannot be stacked.
    """

    def __init__(self, trainers: Sequence[Trainer], x: torch.Tensor) -> None:
        first = trainers[0]
        super().__init__(
            stack_networks([trainer.module_ for trainer in trainers], x),
            streams=_JointStreams([trainer.streams for trainer in trainers]),
            device=first.device,
            n_classes=None,
            optimizer=first.optimizer,
            backbone=first.backbone,
        )
        self.trainers = trainers

    def prepare(self, method: Method, **settings: Any) -> None:
        """Set the method and the settings; a loss is the mean over the samples of each network."""
        super().prepare(method, **settings)
        self.reduction = MeanOfEach(len(self.trainers))

    def train(self, data: TrainingData, valid: TrainingData | None = None, epochs: int = 1) -> None:
        """Train for some epochs, and hand weights, optimizers and history to the trainers."""
        super().train(data, valid, epochs)
        hand_back(self.module_, [trainer.module_ for trainer in self.trainers])
        for number, trainer in enumerate(self.trainers):
            hand_back_state(self.optimizer_, trainer.optimizer_, number)
            if self.mapping_optimizer_ is not None:
                hand_back_state(self.mapping_optimizer_, trainer.mapping_optimizer_, number)
            for row, ours in zip(trainer.history, self.history, strict=True):
                row["dur"] = ours["dur"] / len(self.trainers)
            trainer.module_.eval()

    def _draw_steps(
        self, data: TrainingData, objective: Objective, streams: Any, first_step: int
    ) -> list[Positions]:
        draw = super()._draw_steps
        of_each = [draw(data, objective, own, first_step) for own in streams.each]
        if objective.replacing and len(data.penalised):
            of_each = [[_as_one_part(step) for step in steps] for steps in of_each]
        return [_join(steps) for steps in zip(*of_each, strict=True)]

    def _record_means(self, means: RunningMeans, objective: Objective, data: TrainingData) -> None:
        of_each = means.of_each()
        for trainer, losses in zip(self.trainers, of_each, strict=True):
            trainer.history.new_epoch()
            trainer.history.record("epoch", trainer.epoch_)
            trainer.history.record("train_batch_count", self.history[-1, "train_batch_count"])
            trainer._record(losses, objective, data)
            trainer._mark_best()
        mean = {key: sum(own[key] for own in of_each) / len(of_each) for key in of_each[0]}
        self._record(mean, objective, data)


def _as_one_part(step: Positions) -> Positions:
    """Count all samples of a step that replaces some as penalised; each is its own donor there.

    So all networks have equal parts.  What has nothing irrelevant stays as it is.
    """
    clean, penalised, donors = step
    if penalised is None:
        return clean[:0], clean, clean
    if donors is None:
        donors = penalised
    return clean[:0], torch.cat([clean, penalised]), torch.cat([clean, donors])


def _join(steps: Sequence[Positions]) -> Positions:
    """Join what several networks draw for a step; all or none of them have penalised samples."""
    batches, penalised, donors = (_concatenate(parts) for parts in zip(*steps, strict=True))
    if all(batch is own for batch, own, _ in steps):
        penalised = batches
    return batches, penalised, donors  # type: ignore[return-value]  # there is always a batch


def _concatenate(parts: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    tensors = [part for part in parts if part is not None]
    return torch.cat(tensors) if tensors else None
