"""Base of all estimators: one fit from checked arguments to a trained network, and predictions."""

from contextlib import nullcontext
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, is_classifier
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .._surroundings import deterministic_algorithms, isolated_random_state, own_surroundings
from .._typing import Seed
from ..masks._labels import labels_beside
from ..masks._statistics import measure_inputs
from ..training._architectures import build_network
from ..training._augmentation import Augmentation, check_augment
from ..training._batches import TrainingData
from ..training._heads import backbone_parameters, set_backbone_rate
from ..training._method import Method
from ..training._prepare import build_module, check_penalties
from ..training._random import Streams
from ..training._schedules import with_schedule
from ..training._state import share_state
from ..training._tokens import TokenSettings
from ..training._trainer import Trainer
from ._devices import join_device
from ._frame import frame_of, lengths_of, outputs_of, token_settings
from ._holding_out import monitored_loss, stratified_split
from ._mask_warnings import warn_about_masks
from ._parameters import (
    COMMON_CONSTRAINTS,
    ModuleLike,
    check_prefixes,
    inherit_parameters,
    root_seed,
    split_prefixed,
    trainer_settings,
)
from ._swap_check import warn_if_swaps_matter
from ._validation import (
    balance,
    check_donors,
    check_inputs,
    check_method,
    check_same_kind,
    check_tokens,
    check_weights,
    encode_groups,
    penalised_rows,
    read_masks,
    try_masks,
    unchanged_on_error,
    warn_of_coarse_columns,
)

if TYPE_CHECKING:
    from typing_extensions import Self


class BaseExplanationEstimator(BaseEstimator):
    """Base of the estimators that take a mask beside X and y.

    A subclass says its method as a value (`_method`).  What depends on the task, `_encode_targets`,
    `_label_loss`, `_loss_scale`, `_label_weight`, `_n_outputs` and `_auto_network`, is said by the
    bases of classifiers and regressors.

    Parameters
    ----------
    %(parameters)s
    """

    # Masks and weights are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}
    __metadata_request__partial_fit = {"mask": True}

    _parameter_constraints: dict = COMMON_CONSTRAINTS

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        optimizer: Any = torch.optim.Adam,
        lr: float = 1e-3,
        backbone_lr: float | None = None,
        lr_schedule: Literal["constant", "cosine"] = "constant",
        max_epochs: int = 100,
        batch_size: int = 64,
        mask_marks: Literal["irrelevant", "relevant"] = "irrelevant",
        input_unit: Literal["input", "sd"] = "sd",
        embedding_layer: str | None = None,
        pad_id: int | None = None,
        mask_id: int | None = None,
        batches_by_length: bool = False,
        annotated_per_batch: int | None = None,
        augment: Any = None,
        penalty_chunk_size: int | str | None = None,
        penalty_every: int = 1,
        device: str | torch.device = "auto",
        compile: bool = False,
        mixed_precision: bool = False,
        deterministic: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: list[Any] | None = None,
        verbose: int | bool = 0,
        warm_start: bool = False,
        random_state: Seed = None,
        **prefixed: Any,
    ) -> None:
        self.module = module
        self.optimizer = optimizer
        self.lr = lr
        self.backbone_lr = backbone_lr
        self.lr_schedule = lr_schedule
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.mask_marks = mask_marks
        self.input_unit = input_unit
        self.embedding_layer = embedding_layer
        self.pad_id = pad_id
        self.mask_id = mask_id
        self.batches_by_length = batches_by_length
        self.annotated_per_batch = annotated_per_batch
        self.augment = augment
        self.penalty_chunk_size = penalty_chunk_size
        self.penalty_every = penalty_every
        self.device = device
        self.compile = compile
        self.mixed_precision = mixed_precision
        self.deterministic = deterministic
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.verbose = verbose
        self.warm_start = warm_start
        self.random_state = random_state
        check_prefixes(type(self), prefixed)
        self.__dict__.update(prefixed)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Complete the signature and text of a subclass."""
        super().__init_subclass__(**kwargs)
        inherit_parameters(cls)

    def __sklearn_tags__(self) -> Any:
        """Return the tags of scikit-learn: images are inputs, too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: the trainer has the network, also for another device."""
        return {key: value for key, value in super().__getstate__().items() if key != "module_"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore what was pickled."""
        super().__setstate__(state)
        if hasattr(self, "trainer_"):
            self.module_ = self.trainer_.module_

    def __sklearn_is_fitted__(self) -> bool:
        """Return whether there is a trained network."""
        return hasattr(self, "trainer_")

    # -- parameters with a prefix of skorch's -----------------------------------------------------

    def _prefixed(self, prefix: str, strip: bool = True) -> dict[str, Any]:
        """Parameters with a prefix, by their names without (or with) it."""
        given = {key: value for key, value in vars(self).items() if key.startswith(prefix)}
        return {key.removeprefix(prefix): given[key] for key in given} if strip else given

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, those with a prefix of skorch's included.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of parameters that are estimators.

        Returns
        -------
        dict of str to object
        """
        prefixed, _ = split_prefixed(dict(vars(self)))
        return {**super().get_params(deep=deep), **prefixed}

    def set_params(self, **params: Any) -> "Self":
        """Set parameters, those with a prefix of skorch's included.

        Parameters
        ----------
        **params : dict
            Names and values.

        Returns
        -------
        self
        """
        prefixed, rest = split_prefixed(params)
        super().set_params(**rest)
        self.__dict__.update(prefixed)
        return self

    # -- fit --------------------------------------------------------------------------------------

    def _method(self) -> Method:
        """Return the penalties, the reduction and the mapping layer; here the label loss alone."""
        return Method()

    @own_surroundings()
    def _fit(
        self,
        X: Any,
        y: Any,
        mask: Any,
        sample_weight: Any,
        group_labels: Any = None,
        *,
        go_on: bool,
        partial: bool = False,
        classes: Any = None,
        train_by: Any = None,
    ) -> "Self":
        """Check, ask for the method, read the samples, train (or let `train_by`), keep all."""
        trainer = None
        # What ended epochs have taught is kept, whatever ends the training; without one the
        # estimator is what it was.
        with unchanged_on_error(self, unless=lambda: trainer is not None and trainer.history):
            # Check.
            self._validate_params()
            method = self._method()
            given = {"X": X, "y": y, "mask": mask, "sample_weight": sample_weight}
            device, processes = join_device(self, go_on, **given, group_labels=group_labels)
            labels = labels_beside(X, y, self if go_on else None)
            X, y = check_inputs(self, X, y, reset=not go_on)
            check_method(self, method, X.shape[1:])
            if self.augment is not None:
                check_augment(self.augment, X.shape)
            if go_on:
                check_same_kind(self, self.trainer_.method, method)

            # Read the samples.
            sample_weight, index = check_weights(sample_weight, X)
            y = self._encode_targets(y, index, sample_weight, go_on, partial, classes)
            units = next((t.penalty for t in method.terms if t.penalty.marks_units), None)
            masks = read_masks(mask, X, self.mask_marks, labels, units)
            if not go_on:
                self.input_shape_ = X.shape[1:]
                every = len(index) == len(X)
                self.input_statistics_ = measure_inputs(X, None if every else index, sample_weight)
                warn_of_coarse_columns(self.input_statistics_)
            example = torch.as_tensor(X[index[:2]].astype(np.float32), device=device)
            network = self.trainer_ if go_on else self._new_trainer(method, example, X)
            share_state(network, processes)
            frame = frame_of(self, network)
            if masks is not None and units is None and frame.tokens is not None:
                masks = masks.without(frame.tokens.pad_id == X)  # padding is no feature
            if masks is not None and len(index) < len(X):
                masks = masks.of_rows(index)  # a sample of weight zero is as good as none
            penalised = penalised_rows(method.active_terms, masks, index, len(X))
            label_weight = self._label_weight(y, sample_weight, index)
            if method.replaces and method.reduction is None and self.annotated_per_batch is None:
                # Samples without a mask go on to reward the shortcut; so where these are more, they
                # count less (unless groups are weighed by their losses).
                label_weight = balance(label_weight, penalised, index)
            groups = encode_groups(self, method, group_labels, y, index, go_on)
            augmentation = None
            if self.augment is not None:
                augmentation = Augmentation(self.augment, self.input_statistics_, device)
            data = TrainingData(
                X,
                y,
                masks,
                frame=frame,
                index=index,
                penalised=penalised,
                device=device,
                sample_weight=sample_weight,
                label_weight=label_weight,
                groups=groups,
                # Where parts are exchanged, samples without a mask have the same places marked.
                pooled=masks.pooled if masks is not None and method.exchanges_parts else None,
                lengths=lengths_of(self, X, network),
                augmentation=augmentation,
            )

            # Check the method with network and samples, and hold samples out.
            monitor = None
            if self.early_stopping and not partial:
                monitor = monitored_loss(
                    len(index), penalised.sum(), self.validation_fraction, stacklevel=5
                )
            with isolated_random_state(device):
                check_penalties(network.module_, method.active_terms, replace(frame, x=example))
                if units is not None:
                    try_masks(method, network.module_, data)
                train, valid = data, None
                if monitor == "valid_loss":
                    codes = y if is_classifier(self) else None
                    seed, share = network.streams.seed("split"), self.validation_fraction
                    parts = stratified_split(index, penalised, codes, groups, share, seed)
                    train, valid = map(data.subset, parts)
            known = getattr(self, "classes_", None)
            warn_about_masks(
                self, method.active_terms, masks, y, index, penalised, known, stacklevel=5
            )
            check_donors(self, method.active_terms, len(train.penalised))

            # Bring the trainer up to date, train, and keep what was learnt.
            with isolated_random_state(device):
                self._prepare(network, method, partial, monitor=monitor, processes=processes)
            trainer = network
            if train_by is not None:
                train_by(trainer, train)
                return self
            try:
                with deterministic_algorithms() if self.deterministic else nullcontext():
                    trainer.train(train, valid, epochs=1 if partial else int(self.max_epochs))
            finally:
                self._keep(trainer)
            if not partial:
                warn_if_swaps_matter(self, X, y, masks, stacklevel=5)
        return self

    def _new_trainer(self, method: Method, example: torch.Tensor, X: np.ndarray) -> Trainer:
        """Make the trainer of a first fit, and find out whether X holds tokens."""
        root = root_seed(self.random_state)
        with isolated_random_state(example.device):
            trainer, tokens = self._make_trainer(method, example, token_settings(self, X), root)
        self.embedding_layer_ = tokens.embedding_layer
        self.pad_id_, self.mask_id_ = tokens.pad_id, tokens.mask_id
        if tokens.embedding_layer is not None:
            check_tokens(self, X, trainer.module_)
        return trainer

    def _make_trainer(
        self, method: Method, example: torch.Tensor, tokens: TokenSettings, root: int
    ) -> tuple[Trainer, TokenSettings]:
        streams = Streams(root)
        module, tokens = build_module(
            self.module,
            self._prefixed("module__"),
            auto=self._auto_network,
            x=example,
            n_outputs=self._n_outputs(),
            mapping=method.mapping,
            streams=streams,
            tokens=tokens,
        )
        trainer = Trainer(
            module,
            streams=streams,
            device=example.device,
            n_classes=self._n_outputs() if is_classifier(self) else None,
            optimizer=self.optimizer,
            compile_parameters=self._prefixed("compile__") if self.compile else None,
            backbone=None if self.backbone_lr is None else backbone_parameters(module, example),
        )
        return trainer, tokens

    def _prepare(self, trainer: Trainer, method: Method, once: bool, **settings: Any) -> None:
        """Hand the present parameters to the trainer."""
        rates = {"lr": self.lr}
        if trainer.backbone or self.backbone_lr is not None:
            rates = set_backbone_rate(trainer.module_, trainer.backbone, self.lr, self.backbone_lr)
        callbacks = list(self.callbacks or [])
        if self.lr_schedule != "constant" and not once:
            callbacks = with_schedule(callbacks, self.lr_schedule)
        trainer.prepare(
            method,
            callbacks=callbacks,
            **settings,
            callback_parameters=self._prefixed("callbacks__", strip=False),
            optimizer_parameters={**rates, **self._prefixed("optimizer__", strip=False)},
            **trainer_settings(self),
        )

    def _keep(self, trainer: Trainer) -> None:
        self.trainer_ = trainer
        self.module_ = trainer.module_
        self.history_ = trainer.history
        self.n_iter_ = len(trainer.history)
        self.alpha_ = next(iter(trainer.alphas_.values()), 0.0)
        if trainer.method.reduction is not None:
            self.group_weights_ = trainer.reduction.group_weights.numpy()

    def _auto_network(self) -> nn.Module:
        """Build the network that ``module="auto"`` stands for."""
        return build_network(self.input_shape_, self._n_outputs(), self.input_statistics_)

    # -- prediction -------------------------------------------------------------------------------

    def _outputs(self, X: Any) -> torch.Tensor:
        """Raw outputs of the network, float32, shape (n, outputs)."""
        if not self.__sklearn_is_fitted__():
            check_is_fitted(self)  # raises; its look at the tags takes as long as a small layer
        X = check_inputs(self, X, reset=False)
        outputs = outputs_of(self, X)
        if not isfinite(outputs.sum()) and not (finite := outputs.isfinite().all(1)).all():
            raise ValueError(
                f"outputs of module_ are not finite for {int((~finite).sum())} of {len(X)} "
                f"samples, so that nothing can be predicted: compare the range of X with that of "
                f"the training, in input_statistics_."
            )
        return outputs


# The base is no subclass of its own.
inherit_parameters(BaseExplanationEstimator)

# To type checkers, mixins are such estimators; where the program runs they have no base.
if TYPE_CHECKING:
    MixinBase = BaseExplanationEstimator
else:
    MixinBase = object
