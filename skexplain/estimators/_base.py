"""Template of all estimators: parameters, checked data, a private net, predictions."""

import math
import warnings

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from ..exceptions import DivergenceError
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ..penalties import Rows
from ..training import (
    ExplanationNet,
    PrepareModule,
    Streams,
    TrainingData,
    TrainingProgress,
    deterministic_algorithms,
    isolated_random_state,
    measure_inputs,
    module_factory,
    stop_early,
)
from ._atomic import unchanged_on_error
from ._auto_module import AutoModule
from ._holding_out import reason_to_hold_out_none, stratified_split
from ._mask_warnings import warn_about_masks
from ._parameters import (
    COMMON_CONSTRAINTS,
    PREFIXES,
    PrefixedParameters,
    inherit_parameters,
    root_seed,
    split_prefixed,
)
from ._validation import (
    FitData,
    balance,
    check_donors,
    check_inputs,
    check_weights,
    penalised_rows,
    resolve_device,
    warn_of_coarse_columns,
)


class BaseExplanationEstimator(PrefixedParameters):
    """Base of the estimators that take a mask beside X and y.

    Parameters
    ----------
    %(module)s
    %(common_parameters)s
    """

    # Masks and weights are handed on by Pipeline, GridSearchCV and the like without further calls.
    __metadata_request__fit = {"mask": True}
    __metadata_request__partial_fit = {"mask": True}

    _parameter_constraints: dict = COMMON_CONSTRAINTS

    def __init__(
        self,
        module="auto",
        *,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=100,
        batch_size=64,
        mask_marks="irrelevant",
        input_unit="sd",
        annotated_per_batch=None,
        penalty_chunk_size=None,
        device="auto",
        compile=False,
        mixed_precision=False,
        deterministic=False,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        callbacks=None,
        verbose=0,
        warm_start=False,
        random_state=None,
        **prefixed,
    ):
        self.module = module
        self.optimizer = optimizer
        self.lr = lr
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.mask_marks = mask_marks
        self.input_unit = input_unit
        self.annotated_per_batch = annotated_per_batch
        self.penalty_chunk_size = penalty_chunk_size
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
        known, unknown = split_prefixed(prefixed)
        if unknown:
            raise TypeError(
                f"{type(self).__name__} got an unexpected keyword {next(iter(unknown))!r}: it must "
                f"be one of {self._get_param_names()} or start with one of {list(PREFIXES)}."
            )
        vars(self).update(known)

    def __init_subclass__(cls, **kwargs):
        """Complete the signature and text of a subclass."""
        super().__init_subclass__(**kwargs)
        inherit_parameters(cls)

    def __sklearn_tags__(self):
        """Tell scikit-learn that images go in, too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def __sklearn_is_fitted__(self):
        """Tell whether there is a trained network."""
        return hasattr(self, "net_")

    # -- what a subclass says ---------------------------------------------------------------------

    def _terms(self):
        """Return the terms beside the label loss, the one that `alpha` weighs first."""
        return ()

    def _check_parameters(self):
        """Check what no single parameter can tell."""

    def _check_precision(self):
        for term in self._active_terms() if self.mixed_precision else ():
            if not term.penalty.allows_mixed_precision:
                raise ValueError(
                    f"mixed_precision must be False with {type(term.penalty).__name__}, which "
                    f"needs float32; got mixed_precision={self.mixed_precision}. See "
                    f"docs/scaling.md."
                )

    def _make_net(self, **kwargs):
        return ExplanationNet(**kwargs)

    def _prepare_module(self, **kwargs):
        return PrepareModule(**kwargs)

    # -- fit --------------------------------------------------------------------------------------

    def _fit(
        self, X, y, mask, sample_weight, group_labels=None, *, go_on, partial=False, classes=None
    ):
        """Validate, build what is not there yet, train, and keep what was learnt."""
        with unchanged_on_error(self):
            self._validate_params()
            self._check_parameters()
            self._check_precision()
            device = self.net_.device if go_on else resolve_device(self.device)
            data = self._check_fit_data(X, y, mask, sample_weight, go_on, partial, classes)
            self._take_groups(data, group_labels, go_on)
            monitor = self._monitor(data, partial)
            callbacks = self._callbacks(monitor)
            with isolated_random_state(device):
                if go_on:
                    net = self._update_net(callbacks)
                else:
                    net = self._build_net(data, device, callbacks)
                rows = self._training_data(net, data, device)
                train, valid = self._split(net, rows, hold_out=monitor == "valid_loss")
            labels = getattr(self, "classes_", None)
            warn_about_masks(self, self._active_terms(), data, labels, stacklevel=4)
            check_donors(self, self._active_terms(), len(train.penalised))
        # These leave good weights; and a network that goes on has no others to go back to.
        kept = BaseException if go_on else (KeyboardInterrupt, DivergenceError)
        with unchanged_on_error(self, unless=kept):
            self._train(net, train, valid, epochs=1 if partial else self.max_epochs)
        return self

    def _train(self, net, train, valid, epochs):
        """Train, and keep the net also where that ends early with good weights."""
        self._keep(net)
        try:
            with isolated_random_state(net.device), deterministic_algorithms(self.deterministic):
                net.train(train, valid, epochs=epochs)
        finally:
            self._keep(net)

    def _keep(self, net):
        self.net_ = net
        self.module_ = net.module_
        self.history_ = net.history_
        self.n_iter_ = len(net.history_)
        self.alpha_ = next(iter(net.alphas_.values()), 0.0)

    def _check_fit_data(self, X, y, mask, sample_weight, go_on, partial, classes):
        labels = labels_beside(X, y, self if go_on else None)
        X, y = check_inputs(self, X, y, reset=not go_on)
        sample_weight, rows = check_weights(sample_weight, X)
        y = self._encode_targets(y, rows, sample_weight, go_on, partial, classes)
        masks = self._interpret_mask(mask, X, labels)
        if masks is not None and len(rows) < len(X):
            masks = masks.of_rows(rows)  # a sample of weight zero is as good as none
        if not go_on:
            self.input_shape_ = X.shape[1:]
            every = len(rows) == len(X)
            self.input_statistics_ = measure_inputs(X, None if every else rows, sample_weight)
            warn_of_coarse_columns(self.input_statistics_)
        penalised = penalised_rows(self._active_terms(), masks, rows, len(X))
        return FitData(X, y, masks, sample_weight, rows, penalised)

    def _interpret_mask(self, mask, X, labels):
        return interpret_mask(mask, X.shape, marks=self.mask_marks, **labels)

    def _take_groups(self, data, group_labels, go_on):
        """Encode the groups of rows for a reduction that knows groups; here none does."""

    def _active_terms(self):
        terms = self._terms()
        # A perturbation of weight zero is still needed where another term is taken at its point.
        hosts = {term.at for term in terms if term.alpha != 0}
        return tuple(term for term in terms if term.alpha != 0 or term.name in hosts)

    def _build_net(self, data, device, callbacks):
        streams = Streams(root_seed(self.random_state))
        module = self.module
        if isinstance(module, str):
            module = self._auto_module()
        module_parameters = {
            key.removeprefix("module__"): value
            for key, value in self._prefixed_params("module__").items()
        }
        net = self._make_net(
            module=module_factory(module, module_parameters),
            prepare_module=self._prepare_module(
                example=data.X[data.rows[:2]],
                n_outputs=self._n_outputs(),
                streams=streams,
                penalties=tuple(term.penalty for term in self._active_terms()),
            ),
            terms=self._terms(),
            reduction=self._make_reduction(),
            classifies=is_classifier(self),
            streams=streams,
            annotated_per_batch=self.annotated_per_batch,
            penalty_chunk_size=self.penalty_chunk_size,
            mixed_precision=self.mixed_precision,
            optimizer=self.optimizer,
            lr=self.lr,
            batch_size=self.batch_size,
            callbacks=callbacks,
            verbose=int(self.verbose == 1),
            device=device,
            compile=self.compile,
            **self._prefixed_params(),
        )
        return net.initialize()

    def _auto_module(self):
        return AutoModule(self.input_shape_, self._n_outputs(), self.input_statistics_)

    def _make_reduction(self):
        """Return what makes one number of a batch's label losses; None: their mean."""

    def _update_net(self, callbacks, **params):
        """Bring the parameters of a net that goes on training up to date."""
        penalties = [term.penalty for term in self._active_terms()]
        net = self.net_
        net.prepare_module.check_penalties(net.module_, penalties, net.device)
        net.update(
            terms=self._terms(),
            callbacks=callbacks,
            optimizer_parameters={"lr": self.lr, **self._prefixed_params("optimizer__")},
            annotated_per_batch=self.annotated_per_batch,
            penalty_chunk_size=self.penalty_chunk_size,
            mixed_precision=self.mixed_precision,
            batch_size=self.batch_size,
            verbose=int(self.verbose == 1),
            **self._prefixed_params("callbacks__"),
            **params,
        )
        return net

    def _monitor(self, data, partial):
        """Name the loss that early stopping watches; None: training does not stop early."""
        if not self.early_stopping or partial:
            return None
        fraction = self.validation_fraction
        reason = reason_to_hold_out_none(len(data.rows), data.penalised.sum(), fraction)
        if reason is None:
            return "valid_loss"
        warnings.warn(
            f"early_stopping watches the training objective: validation_fraction={fraction} of "
            f"{reason}.",
            UserWarning,
            stacklevel=4,
        )
        return "train_loss"

    def _callbacks(self, monitor):
        callbacks = list(self.callbacks or [])
        if self.verbose == 2:
            callbacks.append(("progress", TrainingProgress()))
        if monitor is not None:
            ramp = max((term.ramp_epochs for term in self._terms()), default=0)
            stopping = stop_early(monitor, self.n_iter_no_change, first_epoch=math.ceil(ramp))
            callbacks.append(("early_stopping", stopping))
        return callbacks

    def _frame(self, device):
        """What penalties know besides the rows themselves."""
        statistics = self.input_statistics_
        unit = statistics.sd if self.input_unit == "sd" else np.ones_like(statistics.sd)
        mean, unit, lower, upper = (
            torch.as_tensor(values, dtype=torch.float32, device=device)
            for values in (statistics.mean, unit, statistics.lower, statistics.upper)
        )
        return Rows(
            x=None,
            y=None,
            irrelevance=None,
            known=None,
            unit=unit,
            mean=mean,
            lower=lower,
            upper=upper,
            label_loss=self._label_loss(),
            loss_scale=self._loss_scale(),
        )

    def _training_data(self, net, data, device):
        return TrainingData(
            data.X,
            data.y,
            data.masks,
            sample_weight=data.sample_weight,
            label_weight=self._balanced_weight(data),
            frame=self._frame(device),
            index=data.rows,
            penalised=data.penalised,
            device=device,
            groups=data.groups,
            pooled=self._pooled_marks(data.masks),
        )

    def _pooled_marks(self, masks):
        """Return marks for the samples without a mask, where parts are exchanged."""
        if masks is None or not any(t.penalty.exchange_parts for t in self._active_terms()):
            return None
        return masks.pooled

    def _balanced_weight(self, data):
        """Weight of the label losses: samples whose loss is taken elsewhere have half of the say.

        The others go on to reward the shortcut; so where these are more, they count less, unless
        `annotated_per_batch` says how often the penalised ones come.
        """
        weight = self._label_weight(data)
        replaces = any(term.alpha == "replace" for term in self._terms())
        if not replaces or self.annotated_per_batch is not None:
            return weight
        return balance(weight, data.penalised, data.rows)

    def _split(self, net, data, hold_out):
        """Hold out rows for early stopping, as many of each class and kind as can be."""
        if not hold_out:
            return data, None
        index = data.index.numpy()
        train, valid = stratified_split(
            index, self._strata(data), self.validation_fraction, net.streams.seed("split")
        )
        return data.subset(train), data.subset(valid)

    def _strata(self, data):
        """Keys to stratify by, the finest first."""
        return [np.isin(data.index.numpy(), data.penalised.numpy()).astype(int)]

    def _masked_rows(self, X, mask, mask_marks=None):
        """Yield new rows in batches as a penalty sees them; they have no targets."""
        labels = labels_beside(X, fitted=self)
        X = check_inputs(self, X, reset=False)
        marks = self.mask_marks if mask_marks is None else mask_marks
        device = self.net_.device
        data = TrainingData(
            X,
            np.zeros(len(X)),
            interpret_mask(mask, X.shape, marks=marks, **labels),
            sample_weight=None,
            label_weight=None,
            frame=self._frame(device),
            index=np.arange(len(X)),
            penalised=np.ones(len(X), dtype=bool),
            device=device,
        )
        for index in data.index.split(self.net_.effective_batch_size(data)):
            yield data.batch(index, with_masks=True).rows

    # -- prediction -------------------------------------------------------------------------------

    def _outputs(self, X):
        """Raw outputs of the network, float32, shape (n, outputs)."""
        check_is_fitted(self)
        X = check_inputs(self, X, reset=False)
        return self.net_.outputs(X)


# The base is no subclass of its own.
inherit_parameters(BaseExplanationEstimator)
