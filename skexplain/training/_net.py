"""The engine: a private skorch net that trains on an objective with masks."""

import math
from functools import partial

import torch
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PrintLog
from torch import nn

from ._batches import RowStore, ahead, shuffled_passes
from ._callbacks import BatchWatchers, WeightKeeper, check_callbacks, has_stopped
from ._objective import Objective, RunningMeans, with_sizes
from ._random import seed_layers
from ._reductions import MeanReduction
from ._steps import epoch_steps, evaluation_steps, read_step

# Optimizers whose one-kernel form computes the same and is faster.
_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)


class ExplanationNet(NeuralNet):
    """skorch net whose step adds penalties to the label loss.

    Batches are slices of whole tensors, losses are read once per epoch, and callbacks that look at
    batches are served only where there are any.

    Parameters
    ----------
    module : nn.Module class or callable
        Called with the ``module__*`` parameters.
    prepare_module : callable
        Turns what `module` returned into the network to train; checks it, too.
    terms : tuple of Term
        Penalties.
    streams : Streams
        Random streams.
    annotated_per_batch : int or None
        Size of the batch of penalised rows; None: proportional to their share.
    penalty_chunk_size : int or None
        Penalised rows that are differentiated at once; None: all of a step.
    mixed_precision : bool
        Whether the network runs in bfloat16 in training.
    reduction : callable or None
        From the label losses of a batch to one number; None: their mean.
    classifies : bool
        Whether the outputs are logits of classes, or the prediction itself.
    **kwargs
        Parameters of ``skorch.NeuralNet``.
    """

    def __init__(
        self,
        module,
        *,
        prepare_module,
        terms=(),
        streams=None,
        annotated_per_batch=None,
        penalty_chunk_size=None,
        mixed_precision=False,
        reduction=None,
        classifies=True,
        **kwargs,
    ):
        self.prepare_module = prepare_module
        self.terms = terms
        self.streams = streams
        self.annotated_per_batch = annotated_per_batch
        self.penalty_chunk_size = penalty_chunk_size
        self.mixed_precision = mixed_precision
        self.reduction = MeanReduction() if reduction is None else reduction
        self.classifies = classifies
        super().__init__(module, criterion=nn.Identity, train_split=None, **kwargs)

    # -- set-up -----------------------------------------------------------------------------------

    @property
    def _default_callbacks(self):
        # A silent log would still format its table every epoch.
        # The weights of groups are a list, which would not fit into a column.
        log = [("print_log", PrintLog(keys_ignored="group_weights"))] if self.verbose else []
        return [("epoch_timer", EpochTimer()), *log]

    def torch_compile(self, module, name):
        """Keep the module as it is: its compiled form is made for a fit and never stored."""
        return module

    def initialize_callbacks(self):
        """Refuse what is no callback, and parameters of callbacks that are not there."""
        check_callbacks(self.callbacks)
        super().initialize_callbacks()
        names = [name for name, _ in self.callbacks_]
        for key, value in vars(self).items():
            if key.startswith("callbacks__") and value is not None:
                name = key.split("__")[1]
                if name not in names:
                    raise ValueError(f"{key} names none of the callbacks, which are {names}.")
        return self

    def initialize_module(self):
        """Build the network with a seed of its own."""
        seed_layers(self.streams.seed("module"), self.device)
        module = self.module(**self.get_params_for("module"))
        self.module_ = self.prepare_module(module, self.device)
        return self

    def initialize_optimizer(self, triggered_directly=None):
        """Build the optimizer, fused where that computes the same faster."""
        self.optimizer_ = self.build_optimizer(self.get_all_learnable_params())
        return self

    def build_optimizer(self, named_parameters, **overrides):
        """Build one optimizer of the chosen class over the parameters."""
        args, kwargs = self.get_params_for_optimizer("optimizer", named_parameters)
        kwargs.update(overrides)
        chosen = {"fused", "foreach", "capturable", "differentiable"} & set(kwargs)
        if self.optimizer in _FUSED and not chosen and self._all_float(args[0]):
            kwargs["fused"] = True
        return self.optimizer(*args, **kwargs)

    @staticmethod
    def _all_float(groups):
        return all(
            parameter.is_floating_point() and parameter.device.type in ("cpu", "cuda")
            for group in groups
            for parameter in group["params"]
        )

    def initialize(self):
        """Initialise all parts; nothing has been trained yet."""
        self.alphas_, self.unsettled_ = {}, set()
        self._take_alphas(self.terms)
        return super().initialize()

    def _take_alphas(self, terms, before=()):
        """Take over weights; an automatic one stays as it is settled, or is still to be."""
        was_automatic = {term.name for term in before if term.alpha == "auto"}
        for term in terms:
            if term.alpha == "replace":  # the limit in which the clean sample has no weight
                self.alphas_[term.name] = math.inf
                self.unsettled_.discard(term.name)
            elif term.alpha != "auto":
                self.alphas_[term.name] = float(term.alpha)
                self.unsettled_.discard(term.name)
            elif term.name not in was_automatic:
                self.alphas_[term.name] = 0.0
                self.unsettled_.add(term.name)

    def update(self, *, terms, callbacks, optimizer_parameters, **params):
        """Take over parameters before going on; weights and optimizer state stay."""
        vars(self).update(params)
        self._take_alphas(terms, before=self.terms)
        self.terms = terms
        self.callbacks = callbacks
        self._initialize_callbacks()
        # Only what has changed: a schedule may have moved the rest.
        changed = dict(
            item for item in optimizer_parameters.items() if vars(self).get(item[0]) != item[1]
        )
        if changed:
            self.set_params(**changed)

    # -- training ---------------------------------------------------------------------------------

    def train(self, data, valid=None, epochs=1):
        """Train for some epochs, with skorch's callbacks.

        Parameters
        ----------
        data, valid : TrainingData
            Rows to train on, and rows held out (or None).
        epochs : int, default=1
            At most so many.

        Raises
        ------
        KeyboardInterrupt
            As it came, once the callbacks have restored the best weights.
        DivergenceError
            If the loss or a weight is no longer finite; the weights of the last good epoch are
            back in place.
        """
        self.max_epochs = epochs  # where skorch's callbacks look for it
        on_epoch = {"dataset_train": data, "dataset_valid": valid}
        self.reduction.start(data)
        keeper = WeightKeeper(self)
        objective = self._build_objective()
        self.notify("on_train_begin", X=data, y=None)
        try:
            for _ in range(epochs):
                self.notify("on_epoch_begin", **on_epoch)
                self._train_epoch(data, self._ramped(objective))
                keeper.check_and_keep()
                if self._fix_automatic_alphas(data, objective):
                    objective = objective.with_terms(self.terms, self.alphas_)
                if valid is not None:
                    self._validate_epoch(valid, objective)
                self._mark_best()
                if not self._end_epoch(on_epoch):
                    break
        finally:
            self.notify("on_train_end", X=data, y=None)
            self._drop_unfinished_epoch()
            self.module_.eval()  # as whoever takes module_ out expects it

    def _end_epoch(self, on_epoch):
        """Close the epoch; False when a callback asked to stop."""
        try:
            self.notify("on_epoch_end", **on_epoch)
        except KeyboardInterrupt:
            # skorch's way to stop early; a true Ctrl-C goes on.
            if any(has_stopped(callback) for _, callback in self.callbacks_):
                return False
            raise
        return True

    def _mark_best(self):
        """Say whether the epoch is the best so far, where skorch's callbacks look for it."""
        for name in {"train_loss", "valid_loss"} & set(self.history[-1]):
            earlier = (row[name] for row in reversed(self.history) if row.get(f"{name}_best"))
            self.history.record(f"{name}_best", self.history[-1, name] < next(earlier, math.inf))

    def _drop_unfinished_epoch(self):
        if self.history and "train_loss" not in self.history[-1]:
            del self.history[-1]

    @property
    def epoch_(self):
        """Number of the epoch in progress, from 1, counted over warm starts."""
        return len(self.history)

    def _train_epoch(self, data, objective):
        epoch = self.epoch_
        seed_layers(self.streams.seed("layers", epoch), self.device)
        generators = self._generators(epoch)
        means = RunningMeans()
        watchers = BatchWatchers(self)
        self.module_.train()
        steps = epoch_steps(
            data,
            objective,
            self.streams,
            epoch,
            batch_size=self.effective_batch_size(data),
            annotated_per_batch=self.annotated_per_batch,
        )
        read = partial(read_step, data, objective)
        for batch, penalised, donors in ahead(read, steps) if data.streams else map(read, steps):
            watchers.begin(batch)
            values, logits = self._step(objective, batch, penalised, donors, generators, watchers)
            for name, (value, count) in values.items():
                means.add(f"train_{name}", value, count)
            watchers.end(batch, values["loss"][0], logits)
        watchers.stand_in(len(data))
        self.history.record("train_batch_count", len(steps))
        self._record(means)

    def _step(self, objective, batch, penalised, donors, generators, watchers):
        """One optimizer step; returns the losses with their numbers of rows, and the logits."""
        first = []

        # An optimizer like LBFGS calls the closure several times: the first values are reported.
        def closure():
            self.optimizer_.zero_grad()
            loss, parts, logits = objective.losses_and_gradients(
                batch, penalised, donors, generators, self.penalty_chunk_size
            )
            values = with_sizes(loss, parts, batch, penalised)
            watchers.gradients(batch)
            if not first:
                first.extend([values, logits.detach()])
            return loss

        self.optimizer_.step(closure)
        return first

    def _build_objective(self):
        forward = None
        if self.compile:
            forward = torch.compile(self.module_, **self.get_params_for("compile"))
        return Objective(
            self.module_, self.terms, self.alphas_, forward, self.reduction, self.mixed_precision
        )

    def _ramped(self, objective):
        """Return the objective of this epoch, in which terms may still have to rise."""
        epoch = self.epoch_
        if all(term.ramp_epochs <= epoch for term in self.terms):
            return objective
        return objective.with_terms(
            [term.at_epoch(epoch) for term in self.terms],
            {t.name: t.alpha_at_epoch(self.alphas_[t.name], epoch) for t in self.terms},
        )

    def _generators(self, epoch):
        return {
            term.name: self.streams.generator(term.name, epoch, self.device) for term in self.terms
        }

    def effective_batch_size(self, data):
        """Return the batch size; -1 stands for all rows at once, as in skorch."""
        return len(data) if self.batch_size == -1 else self.batch_size

    def _record(self, means):
        for name, value in means.result().items():
            self.history.record(name, value)

    # -- held-out rows and automatic weights ------------------------------------------------------

    def _validate_epoch(self, valid, objective):
        """Record the estimator's own objective on the held-out rows."""
        means = self.evaluate_losses(valid, objective, watchers=BatchWatchers(self))
        label_loss = means.pop("label_loss")
        total = objective.total(label_loss, means)
        for name, value in {"loss": total, "label_loss": label_loss, **means}.items():
            self.history.record(f"valid_{name}", value)

    def evaluate_losses(self, data, objective, max_rows=None, watchers=None):
        """Mean label loss and penalties over rows, with the same draws at every call."""
        means = RunningMeans()
        generators = self._generators(0)
        size = self.effective_batch_size(data)
        self.module_.eval()
        index = self._sample(data.index, max_rows)
        for step in evaluation_steps(data, objective, self.streams, index.split(size)):
            batch, penalised, donors = read_step(data, objective, step)
            n_rows, trained_on = len(batch.rows.y), batch
            if watchers:
                watchers.begin(batch, training=False)
            if penalised is not None:
                trained_on, _ = objective.replace_clean(batch, penalised, donors, generators)
            with torch.no_grad():
                loss, logits, _ = objective.label_term(trained_on)
                if watchers and watchers.active and penalised is not None:
                    # Scores of held-out samples are of what `predict` says of them.
                    _, logits, _ = objective.label_term(batch)
            means.add("label_loss", loss, n_rows)
            if watchers:
                watchers.end(batch, loss, logits, training=False)
        rows = self._sample(data.penalised, max_rows if objective.terms else 0)
        if not len(rows):  # none of the rows held out is penalised
            return means.result()
        donors = shuffled_passes(data.penalised, len(rows), self.streams.generator("donors"))
        size = min(size, self.penalty_chunk_size or size)
        for index, donor_index in zip(rows.split(size), donors.split(size), strict=True):
            penalised = data.batch(index, with_masks=True)
            with_donors = None
            if objective.takes_donors(data.masks):
                with_donors = data.batch(donor_index, with_masks=True).rows
            values = objective.penalty_terms(penalised, with_donors, generators)
            for name, value in values.items():
                means.add(name, value, len(index))
        return means.result()

    def _sample(self, rows, max_rows):
        """At most so many rows, drawn at random: they may be sorted by class; None: all."""
        if max_rows is None:
            return rows
        size = min(max_rows, len(rows))
        return shuffled_passes(rows, size, self.streams.generator("order"))

    def _fix_automatic_alphas(self, data, objective):
        """At the end of the first epoch with masks, weigh each automatic term as the label loss."""
        if not self.unsettled_ or not len(data.penalised):
            return False
        switched_on = {**self.alphas_, **dict.fromkeys(self.unsettled_, 1.0)}
        objective = objective.with_terms(self.terms, switched_on)
        # A few thousand rows tell the ratio well enough.
        means = self.evaluate_losses(data, objective, max_rows=4096)
        label_loss = means.pop("label_loss")
        for name in self.unsettled_:
            self.alphas_[name] = label_loss / means[name] if means[name] > 0 else 0.0
        self.unsettled_ = set()
        # Early stopping compares this epoch with later ones, which have the penalty.
        total = objective.with_terms(self.terms, self.alphas_).total(label_loss, means)
        self.history.record("train_loss", total)
        return True

    # -- prediction -------------------------------------------------------------------------------

    def outputs(self, X):
        """Outputs for all rows of an array, on the CPU, shape (n, outputs)."""
        rows = RowStore(X, self.device)
        size = max(256, self.effective_batch_size(X))
        self.module_.eval()
        with torch.no_grad():  # a module may keep what it made here, and train on with it
            batches = [
                self.module_(rows.take(index).to(torch.float32)).cpu()
                for index in torch.arange(len(X)).split(size)
            ]
        return torch.cat(batches)

    def infer(self, x, **fit_params):
        """Run the module on a batch (for skorch's scoring callbacks)."""
        return self.module_(x.to(self.device))

    def predict(self, X):
        """Predict encoded classes, or values (for skorch's scoring callbacks)."""
        outputs = self.predict_proba(X)
        return outputs.argmax(1) if self.classifies else outputs[:, 0]
