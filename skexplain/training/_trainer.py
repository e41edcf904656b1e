"""What trains a network on an objective with masks, with skorch's callbacks."""

import math
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from skorch.history import History
from torch import nn

from .._surroundings import isolated_random_state
from ..penalties import Rows
from ._architectures import let_go_of_graphs, set_training
from ._batches import TrainingData, ahead
from ._callbacks import (
    BatchWatchers,
    TrainingProgress,
    WeightKeeper,
    has_stopped,
    resume_schedules,
    start_callbacks,
    states_of_schedules,
    stop_early,
    without_pickles,
)
from ._evaluation import evaluate_losses, settle_alphas, with_all_penalties
from ._memory import chunk_size_for
from ._method import Method
from ._objective import Objective
from ._prepare import build_optimizer, clear_gradients, update_optimizer
from ._processes import Processes
from ._random import Streams, draws_from_the_process, seed_layers
from ._reductions import GroupDROReduction, GroupWeightLog, MeanReduction, RunningMeans
from ._scoring import Scored
from ._sharding import shard
from ._steps import Positions, epoch_steps, read_step
from ._terms import Generators

Step = tuple[torch.optim.Optimizer, Objective]


class Trainer(Scored):
    """Trains a network: no net of skorch, yet to skorch's callbacks what a net is.

    Callbacks find here all that they read, among it ``history``, ``module_``, ``optimizer_``,
    ``save_params`` and ``load_params``, and ``predict`` and ``predict_proba`` for scores.  Targets
    and predictions of classes are codes, positions in the estimator's ``classes_``.  Batches are
    slices of whole tensors, losses are read once per epoch, and callbacks that use batches are
    served only where there are any.

    Parameters
    ----------
    module : nn.Module
        The network, on its device.
    streams : Streams
        Random streams.
    device : torch.device
    n_classes : int or None
        Number of classes; None: the output is the prediction itself.
    optimizer : torch.optim.Optimizer class
    compile_parameters : dict or None, default=None
        Of ``torch.compile``; None: the network is not compiled.
    backbone : frozenset of str or None, default=None
        Parameters that are trained at a rate of their own.

    Attributes
    ----------
    method : Method
        What is trained on.
    alphas_ : dict of str to float
        Weight of each penalty that is in force.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        streams: Streams,
        device: torch.device,
        n_classes: int | None,
        optimizer: type[torch.optim.Optimizer],
        compile_parameters: dict[str, Any] | None = None,
        backbone: frozenset[str] | None = None,
    ) -> None:
        super().__init__(module, device, n_classes)
        self.streams = streams
        self.optimizer = optimizer
        self.compile_parameters = compile_parameters
        self.backbone = backbone or frozenset()
        self.history = History()
        self.method = Method()
        self.alphas_: dict[str, float] = {}
        self.unsettled_: set[str] = set()
        self.optimizer_parameters: dict[str, Any] = {}
        self.optimizer_: Any = None
        self.mapping_optimizer_: Any = None
        self.reduction: Any = None
        self.schedules_: dict[str, dict] = {}

    # -- set-up -----------------------------------------------------------------------------------

    def prepare(
        self,
        method: Method,
        *,
        callbacks: list,
        callback_parameters: dict[str, Any],
        optimizer_parameters: dict[str, Any],
        batch_size: int,
        annotated_per_batch: int | None,
        penalty_chunk_size: int | str | None,
        penalty_every: int,
        mixed_precision: bool,
        monitor: str | None = None,
        n_iter_no_change: int = 10,
        verbose: int = 0,
        processes: Processes | None = None,
    ) -> None:
        """Set the method and the settings before a training or its continuation; weights stay.

        Parameters
        ----------
        method : Method
        callbacks : list of (callback or (str, callback))
        callback_parameters, optimizer_parameters : dict of str to object
            ``callbacks__*``, and ``optimizer__*`` with ``lr`` and ``backbone_lr``.
        batch_size : int
            Samples per step; -1: all.
        annotated_per_batch : int or None
            Size of the batch of penalised samples; None: proportional to their share.
        penalty_chunk_size : int, str or None
            Penalised samples, or memory for them, differentiated at once; None: all of a step.
        penalty_every : int
            Steps from one with penalties to the next.
        mixed_precision : bool
            Whether the network runs in bfloat16 in training.
        monitor : {"train_loss", "valid_loss"} or None, default=None
            What early stopping monitors, for `n_iter_no_change` epochs; None: it is off.
        n_iter_no_change : int, default=10
            Epochs without improvement before early stopping.
        verbose : {0, 1, 2}, default=0
            Silent, a table with a row per epoch, or a progress bar.
        processes : Processes or None, default=None
            Those that train the network together in the training that follows; None: this one
            alone.
        """
        if processes is not None and not processes.is_first:
            verbose = 0
        # The first, since one that stops the training ends the epoch for those after it.
        first = [] if method.reduction is None else [("group_weights", GroupWeightLog())]
        last = [("progress", TrainingProgress())] if verbose == 2 else []
        if monitor is not None:
            stopping = stop_early(monitor, n_iter_no_change, math.ceil(method.ramp_epochs))
            last.append(("early_stopping", stopping))
        every = [*first, *callbacks, *last]
        self.verbose = int(verbose == 1)  # as skorch's own logs read it
        self.callbacks_ = start_callbacks(every, callback_parameters, self.verbose)
        self.batch_size = batch_size
        self.annotated_per_batch = annotated_per_batch
        self.penalty_chunk_size: Any = penalty_chunk_size
        self.penalty_every = penalty_every
        self.mixed_precision = mixed_precision
        was_automatic = {term.name for term in self.method.terms if term.alpha == "auto"}
        for term in method.terms:
            if term.alpha != "auto":
                self.alphas_[term.name] = term.weight
                self.unsettled_.discard(term.name)
            elif term.name not in was_automatic:  # else it stays settled, or is still to be
                self.alphas_[term.name] = 0.0
                self.unsettled_.add(term.name)
        self.method = method
        if self.optimizer_ is None:
            dro = method.reduction
            self.reduction = MeanReduction() if dro is None else GroupDROReduction(dro)
            self.optimizer_parameters = optimizer_parameters
            self.build_optimizers()
        else:
            if method.reduction is not None:
                self.reduction.settings = method.reduction
            # Only what has changed: a schedule may have moved the rest.
            known = self.optimizer_parameters
            changed = {
                name: value
                for name, value in optimizer_parameters.items()
                if name not in known or known[name] != value
            }
            if self.schedules_ and changed.keys() & {"lr", "backbone_lr"}:
                self.schedules_ = {}  # they begin anew, at these rates
                for group in self.optimizer_.param_groups:
                    group["lr"] = group.get("initial_lr", group["lr"])  # a plateau has none
            self.set_params(**changed)
            if self.mapping_optimizer_ is not None and method.mapping is not None:
                shared = {**optimizer_parameters, "lr": method.mapping.lr}
                update_optimizer(self.mapping_optimizer_, shared, shared)
        self.processes = processes

    def build_optimizers(self) -> None:
        """Build the optimizer, and one of the same class for a mapping layer's own step."""
        mapping, settings = self.method.mapping, self.optimizer_parameters
        self.optimizer_ = build_optimizer(self.optimizer, self.module_, settings, self.backbone)
        if mapping is not None and mapping.lr is not None:
            # Without a layer, all that the features depend on is trained.
            trained: Any = self.module_.mapping
            trained = self.module_ if isinstance(trained, nn.Identity) else trained
            settings = {**settings, "lr": mapping.lr, "backbone_lr": None}
            self.mapping_optimizer_ = build_optimizer(self.optimizer, trained, settings)

    # -- training ---------------------------------------------------------------------------------

    def train(self, data: TrainingData, valid: TrainingData | None = None, epochs: int = 1) -> None:
        """Train for some epochs, with skorch's callbacks.

        Parameters
        ----------
        data, valid : TrainingData
            Samples to train on, and samples held out (or None).
        epochs : int, default=1
            At most so many.

        Raises
        ------
        KeyboardInterrupt
            As it was raised, once the callbacks have restored the best weights.
        DivergenceError
            If the loss or a weight is no longer finite; the weights of the last good epoch are
            back in place.
        """
        self.max_epochs = epochs  # where skorch's callbacks look for it
        shared = draws_from_the_process(self, data)
        writes = self.processes is None or self.processes.is_first
        try:
            with (
                isolated_random_state(self.device) if shared else nullcontext(),
                nullcontext() if writes else without_pickles(self.callbacks_),
            ):
                self._train(data, valid, shared)
        finally:
            self.processes = None

    def _train(self, data: TrainingData, valid: TrainingData | None, shared: bool) -> None:
        on_epoch = {"dataset_train": data, "dataset_valid": valid}
        self.reduction.start(data)
        keeper = WeightKeeper(self)
        forward = None
        if self.compile_parameters is not None:
            forward = torch.compile(self.module_, **self.compile_parameters)
        self.penalty_chunk_size = chunk_size_for(self.penalty_chunk_size, self, data)
        terms = self.method.weighted(self.alphas_)
        objective = Objective(self.module_, terms, forward, self.reduction, self.mixed_precision)
        if self.processes is not None:
            objective = shard(objective, self.method, self.processes, data)
        goes_on = bool(self.history)
        rates = [dict(group) for group in self.optimizer_.param_groups]
        for group in self.optimizer_.param_groups if goes_on else ():
            group.setdefault("initial_lr", group["lr"])  # torch asks for it in all but the first
        self.notify("on_train_begin", X=data, y=None)
        if goes_on:
            resume_schedules(self.callbacks_, self.schedules_, self.optimizer_, rates)
        try:
            for _ in range(self.max_epochs):
                self.history.new_epoch()
                self.history.record("epoch", self.epoch_)
                self.notify("on_epoch_begin", **on_epoch)
                self._train_epoch(data, objective, shared)
                keeper.check_and_keep()
                if self.unsettled_ and len(data.penalised):
                    objective = settle_alphas(self, data, objective)
                if valid is not None:
                    self._validate_epoch(valid, objective)
                self._mark_best()
                if not self._end_epoch(on_epoch):
                    break
        finally:
            self.notify("on_train_end", X=data, y=None)
            self.schedules_ = states_of_schedules(self.callbacks_)
            if self.history and "train_loss" not in self.history[-1]:
                del self.history[-1]  # an epoch that was not finished
            self.module_.eval()  # as users of module_ expect it
            let_go_of_graphs(self.module_)

    def _end_epoch(self, on_epoch: dict[str, Any]) -> bool:
        """Close the epoch; False when a callback asked to stop, in this process or another."""
        stops = False
        try:
            self.notify("on_epoch_end", **on_epoch)
        except KeyboardInterrupt:
            # skorch's way to stop early; a true Ctrl-C goes on.
            stops = any(has_stopped(callback) for _, callback in self.callbacks_)
            if not stops:
                raise
        return not (stops if self.processes is None else self.processes.any(stops))

    def _train_epoch(self, data: TrainingData, objective: Objective, shared: bool) -> None:
        epoch = self.epoch_
        if epoch < self.method.ramp_epochs:
            terms = [term.at_epoch(epoch) for term in self.method.weighted(self.alphas_)]
            objective = objective.with_terms(terms)
        with_penalties, between = self._steps(objective)
        if shared:
            seed_layers(self.streams.seed("layers", epoch), self.device)
        generators = self.generators(epoch)
        means = RunningMeans()
        watchers = BatchWatchers(self)
        if objective.mode_matters or not self.module_.training:
            set_training(self.module_)
        first_step = 0
        if self.penalty_every > 1:  # steps are counted on over epochs, and calls of fit that go on
            first_step = sum(row.get("train_batch_count", 0) for row in self.history)
        batches = self._draw_steps(data, objective, self.streams, first_step)
        read = partial(read_step, data, objective)
        reading = ahead(read, batches) if data.streams else map(read, batches)
        if data.augmentation is not None:
            replacing = bool(objective.replacing)
            reading = data.augmentation.steps(reading, replacing, self.streams, epoch)
        for number, (batch, penalised, donors) in enumerate(reading, first_step):
            watchers.begin(batch)
            (optimizer, first), *own = between if number % self.penalty_every else with_penalties
            step = partial(self._step, batch, penalised, donors, generators, watchers)
            loss, parts, logits = step(optimizer, first)
            for optimizer, of_mapping in own:
                if penalised is not None and of_mapping.terms:
                    _, penalties, _ = step(optimizer, of_mapping)
                    loss = objective.total(loss.detach(), penalties)
                    parts.update(penalties)
            means.add("train_loss", loss, len(batch.y))
            for name, value in parts.items():
                of_rows: Any = batch if name == "label_loss" else penalised
                means.add(f"train_{name}", value, len(of_rows.y))
            watchers.end(batch, loss, logits.detach())
        watchers.stand_in(len(data))
        self.history.record("train_batch_count", len(batches))
        self._record_means(means, objective, data)

    def _draw_steps(
        self, data: TrainingData, objective: Objective, streams: Streams, first_step: int
    ) -> list[Positions]:
        return epoch_steps(
            data,
            objective,
            streams,
            self.epoch_,
            batch_size=self.effective_batch_size(data),
            annotated_per_batch=self.annotated_per_batch,
            penalty_every=self.penalty_every,
            first_step=first_step,
        )

    def _record_means(self, means: RunningMeans, objective: Objective, data: TrainingData) -> None:
        self._record(means.result(), objective, data)

    def _record(self, losses: dict[str, float], objective: Objective, data: TrainingData) -> None:
        if self.penalty_every > 1 and len(data.penalised):
            before = self.history[-2] if len(self.history) > 1 else {}
            losses = with_all_penalties(losses, before, objective)
        for name, value in losses.items():
            self.history.record(name, value)

    def _steps(self, objective: Objective) -> tuple[list[Step], list[Step]]:
        """Return what is stepped on for a batch with penalties, and for one between those.

        Each is one pair, or two with a mapping's own step.
        """
        optimizers, objectives = [self.optimizer_], [objective]
        if self.mapping_optimizer_ is not None:
            optimizers.append(self.mapping_optimizer_)
            objectives = list(objective.split(self.method.own_step))
        lazy = [one.lazily(self.penalty_every) for one in objectives]
        due, between = zip(*lazy, strict=True)
        return list(zip(optimizers, due, strict=True)), list(zip(optimizers, between, strict=True))

    def _step(
        self,
        batch: Rows,
        penalised: Rows | None,
        donors: Rows | None,
        generators: Generators,
        watchers: BatchWatchers,
        optimizer: torch.optim.Optimizer,
        objective: Objective,
    ) -> list[Any]:
        """Step an optimizer; return the loss, its parts and the logits as they were before."""
        first: list[Any] = []

        # An optimizer like LBFGS calls the closure several times: the first values are reported.
        def closure() -> Any:
            clear_gradients(optimizer)
            loss, parts, logits = objective.losses_and_gradients(
                batch, penalised, donors, generators, self.penalty_chunk_size
            )
            if objective.has_label_loss:
                watchers.gradients(batch)
            if not first:
                first.extend([loss, parts, logits])
            return loss

        optimizer.step(closure)
        if batch.tokens is not None:
            batch.tokens.changed()
        return first

    def generators(self, epoch: int) -> Generators:
        """Return the generator of each term's draws in an epoch."""
        return {
            term.name: self.streams.generator(term.name, epoch, self.device)
            for term in self.method.terms
        }

    def _validate_epoch(self, valid: TrainingData, objective: Objective) -> None:
        """Record the estimator's own objective on the held-out samples."""
        means = evaluate_losses(self, valid, objective, watchers=BatchWatchers(self))
        label_loss = means.pop("label_loss")
        total = objective.total(label_loss, means)
        for name, value in {"loss": total, "label_loss": label_loss, **means}.items():
            self.history.record(f"valid_{name}", value)
