"""The estimators as editors and type checkers see them.

Written by tools/make_stubs.py from the classes; do not edit.
"""

from collections.abc import Callable
from typing import Any, Literal, TypedDict, Union

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, RegressorMixin
from sklearn.utils import Bunch
from torch import nn
from typing_extensions import Self, Unpack

from .._typing import MaskLike, Seed, SpansLike
from ..masks._statistics import InputStatistics

class _Prefixed(TypedDict, total=False):
    callbacks__early_stopping: Any
    callbacks__epoch_timer: Any
    callbacks__print_log: Any
    callbacks__progress: Any
    compile__backend: str | Callable[..., Any]
    compile__disable: bool
    compile__dynamic: bool | None
    compile__fullgraph: bool
    compile__mode: str | None
    compile__options: dict[str, Any] | None
    module__activation: str
    module__batch_norm: bool
    module__bias: bool
    module__depth: int
    module__dropout: float
    module__embedding_dim: int
    module__hidden_dim: int
    module__hidden_dims: Any
    module__hidden_layer_sizes: Any
    module__hidden_size: int
    module__hidden_sizes: Any
    module__in_channels: int
    module__in_features: int
    module__input_dim: int
    module__input_size: int
    module__kernel_size: int
    module__n_channels: int
    module__n_classes: int
    module__n_columns: int
    module__n_features: int
    module__n_hidden: int
    module__n_inputs: int
    module__n_layers: int
    module__n_outputs: int
    module__nonlin: Any
    module__norm: str
    module__num_classes: int
    module__num_embeddings: int
    module__num_hidden: int
    module__num_layers: int
    module__num_units: int
    module__out_channels: int
    module__out_features: int
    module__output_dim: int
    module__output_size: int
    module__pretrained: bool
    module__scale: float
    module__weights: str
    module__width: int
    optimizer__alpha: float
    optimizer__amsgrad: bool
    optimizer__betas: tuple[float, float]
    optimizer__capturable: bool
    optimizer__centered: bool
    optimizer__dampening: float
    optimizer__decoupled_weight_decay: bool
    optimizer__differentiable: bool
    optimizer__eps: float
    optimizer__etas: tuple[float, float]
    optimizer__foreach: bool | None
    optimizer__fused: bool | None
    optimizer__history_size: int
    optimizer__initial_accumulator_value: float
    optimizer__lambd: float
    optimizer__line_search_fn: str | None
    optimizer__lr_decay: float
    optimizer__max_eval: int
    optimizer__max_iter: int
    optimizer__maximize: bool
    optimizer__momentum: float
    optimizer__momentum_decay: float
    optimizer__nesterov: bool
    optimizer__param_groups: Any
    optimizer__rho: float
    optimizer__step_sizes: tuple[float, float]
    optimizer__t0: float
    optimizer__tolerance_change: float
    optimizer__tolerance_grad: float
    optimizer__weight_decay: float

class _Estimator(BaseEstimator):
    module: Literal["auto"] | nn.Module | Callable[..., Any]
    optimizer: Callable[..., Any]
    lr: float
    backbone_lr: float | None
    lr_schedule: Literal["constant", "cosine"]
    max_epochs: int
    batch_size: int
    mask_marks: Literal["irrelevant", "relevant"]
    input_unit: Literal["input", "sd"]
    embedding_layer: str | None
    pad_id: int | None
    mask_id: int | None
    batches_by_length: bool
    annotated_per_batch: int | None
    augment: Literal["light"] | Callable[..., Any] | None
    penalty_chunk_size: int | str | None
    penalty_every: int
    device: str | torch.device
    compile: bool
    mixed_precision: bool
    deterministic: bool
    early_stopping: bool
    validation_fraction: float
    n_iter_no_change: int
    callbacks: list[Any] | None
    verbose: int | bool
    warm_start: bool
    random_state: Seed
    n_features_in_: int
    input_shape_: tuple[int, ...]
    feature_names_in_: NDArray[Any]
    input_statistics_: InputStatistics
    embedding_layer_: Any
    module_: nn.Module
    trainer_: Any
    history_: Any
    alpha_: float
    n_iter_: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self, **params: Any) -> Self: ...

class _Classifier(ClassifierMixin, _Estimator):
    label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any]
    focal_gamma: float
    label_smoothing: float
    class_weight: dict[Any, Any] | Literal["balanced"] | None
    classes_: NDArray[Any]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def set_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_partial_fit_request(self, *, classes: bool | str | None = "$UNCHANGED$", mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...

class _Regressor(RegressorMixin, _Estimator):
    label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any]
    quantile: float
    huber_delta: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def set_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_partial_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...

class AvgExClassifier(_Classifier):
    alpha: float | Literal["auto", "replace"] | None
    perturbation: Union[Literal["gaussian", "uniform", "constant", "refill", "swap", "blank", "shift", "none"], Callable[..., Any]]
    epsilon: float
    fill: float | ArrayLike | Literal["mean"]
    max_shift: int
    background: Literal["blank", "donor"]
    n_draws: int
    exchange: bool
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] | None = None,
        perturbation: Union[Literal["gaussian", "uniform", "constant", "refill", "swap", "blank", "shift", "none"], Callable[..., Any]] = "gaussian",
        epsilon: float = 1.0,
        fill: float | ArrayLike | Literal["mean"] = 0.0,
        max_shift: int = 4,
        background: Literal["blank", "donor"] = "blank",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class AvgExRegressor(_Regressor):
    alpha: float | Literal["auto", "replace"] | None
    perturbation: Union[Literal["gaussian", "uniform", "constant", "refill", "swap", "blank", "shift", "none"], Callable[..., Any]]
    epsilon: float
    fill: float | ArrayLike | Literal["mean"]
    max_shift: int
    background: Literal["blank", "donor"]
    n_draws: int
    exchange: bool
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] | None = None,
        perturbation: Union[Literal["gaussian", "uniform", "constant", "refill", "swap", "blank", "shift", "none"], Callable[..., Any]] = "gaussian",
        epsilon: float = 1.0,
        fill: float | ArrayLike | Literal["mean"] = 0.0,
        max_shift: int = 4,
        background: Literal["blank", "donor"] = "blank",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class CDEPClassifier(_Classifier):
    alpha: float | Literal["auto"]
    measure: Literal["softmax", "l1"]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 1.0,
        measure: Literal["softmax", "l1"] = "softmax",
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class ConceptGradRegClassifier(_Classifier):
    alpha: float | Literal["auto"]
    layer: str
    concepts: ArrayLike | None
    output: Literal["auto", "log_prob_sum", "log_prob_max", "log_prob_true", "prob_max", "prob_sum", "logit_sum", "logit_true"]
    norm: Literal["l2", "l1", "share"]
    channel_axis: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 2.0,
        layer: str = "features",
        concepts: ArrayLike | None = None,
        output: Literal["auto", "log_prob_sum", "log_prob_max", "log_prob_true", "prob_max", "prob_sum", "logit_sum", "logit_true"] = "auto",
        norm: Literal["l2", "l1", "share"] = "share",
        channel_axis: int = 1,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class ConceptGradRegRegressor(_Regressor):
    alpha: float | Literal["auto"]
    layer: str
    concepts: ArrayLike | None
    norm: Literal["l2", "l1", "share"]
    channel_axis: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 2.0,
        layer: str = "features",
        concepts: ArrayLike | None = None,
        norm: Literal["l2", "l1", "share"] = "share",
        channel_axis: int = 1,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class CounterexampleClassifier(_Classifier):
    alpha: float | Literal["auto", "replace"]
    n_draws: int
    exchange: bool
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] = "replace",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class ERMClassifier(_Classifier):
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class ERMRegressor(_Regressor):
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class ExplanationClassifier(_Classifier):
    penalties: list[Any] | tuple[Any, ...]
    alpha: float | Literal["auto"] | dict[Any, Any]
    at: dict[Any, Any] | None
    reduction: Literal["group_dro", "mean"]
    schedule: Literal["joint", "two_stage"]
    group_step_size: float
    group_adjustment: float
    mapping: Literal["conv1x1", "linear", "low_rank"] | nn.Module | None
    mapping_init: Literal["default", "identity"]
    mapping_lr: float
    feature_layer: str | None
    alphas_: dict[str, float]
    groups_: list[Any]
    group_weights_: NDArray[Any]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        penalties: list[Any] | tuple[Any, ...] = ...,
        alpha: float | Literal["auto"] | dict[Any, Any] = 1.0,
        at: dict[Any, Any] | None = None,
        reduction: Literal["group_dro", "mean"] = "mean",
        schedule: Literal["joint", "two_stage"] = "joint",
        group_step_size: float = 0.01,
        group_adjustment: float = 0.0,
        mapping: Literal["conv1x1", "linear", "low_rank"] | nn.Module | None = "linear",
        mapping_init: Literal["default", "identity"] = "default",
        mapping_lr: float = 0.001,
        feature_layer: str | None = None,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None, group_labels: ArrayLike | None = None) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None, group_labels: ArrayLike | None = None) -> Self: ...
    def set_fit_request(self, *, group_labels: bool | str | None = "$UNCHANGED$", mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_partial_fit_request(self, *, classes: bool | str | None = "$UNCHANGED$", group_labels: bool | str | None = "$UNCHANGED$", mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...

class FindAnotherExplanationClassifier(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    estimator: _Classifier | None
    n_explanations: int
    cutoff: float
    min_accuracy: float
    max_overlap: float
    max_alpha_raises: int
    random_state: Seed
    estimators_: list[Any]
    masks_: list[Any]
    explanations_: list[Any]
    accuracies_: list[float]
    overlaps_: list[float]
    stop_reason_: Any
    rejected_: Any
    selected_: int | None
    classes_: NDArray[Any]
    n_features_in_: int
    input_shape_: tuple[int, ...]
    feature_names_in_: NDArray[Any]
    def __init__(
        self,
        estimator: _Classifier | None = None,
        *,
        n_explanations: int = 5,
        cutoff: float = 0.67,
        min_accuracy: float = 0.9,
        max_overlap: float = 0.5,
        max_alpha_raises: int = 2,
        random_state: Seed = None,
    ) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def fit_next(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def select(self, index: int) -> Self: ...
    def set_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_params(self, **params: Any) -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...

class GradCAMRegClassifier(_Classifier):
    alpha: float | Literal["auto"]
    layer: str | None
    channel_axis: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 1.0,
        layer: str | None = None,
        channel_axis: int = 1,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class GradRegClassifier(_Classifier):
    alpha: float | Literal["auto"]
    output: Literal["auto", "log_prob_sum", "log_prob_max", "log_prob_true", "prob_max", "prob_sum", "logit_sum", "logit_true"]
    norm: Literal["l2", "l1", "share"]
    sign: Literal["both", "positive", "negative"]
    robust: Literal["random", "adversarial", "certified"] | None
    epsilon: float
    n_steps: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 2.0,
        output: Literal["auto", "log_prob_sum", "log_prob_max", "log_prob_true", "prob_max", "prob_sum", "logit_sum", "logit_true"] = "auto",
        norm: Literal["l2", "l1", "share"] = "share",
        sign: Literal["both", "positive", "negative"] = "both",
        robust: Literal["random", "adversarial", "certified"] | None = None,
        epsilon: float = 1.0,
        n_steps: int = 10,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class GradRegRegressor(_Regressor):
    alpha: float | Literal["auto"]
    norm: Literal["l2", "l1", "share"]
    robust: Literal["random", "adversarial", "certified"] | None
    epsilon: float
    n_steps: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 2.0,
        norm: Literal["l2", "l1", "share"] = "share",
        robust: Literal["random", "adversarial", "certified"] | None = None,
        epsilon: float = 1.0,
        n_steps: int = 10,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class GroupDROClassifier(_Classifier):
    group_step_size: float
    group_adjustment: float
    groups_: list[Any]
    group_weights_: NDArray[Any]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        group_step_size: float = 0.01,
        group_adjustment: float = 0.0,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None, group_labels: ArrayLike | None = None) -> Self: ...
    def partial_fit(self, X: ArrayLike, y: ArrayLike, classes: ArrayLike | None = None, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None, group_labels: ArrayLike | None = None) -> Self: ...
    def set_fit_request(self, *, group_labels: bool | str | None = "$UNCHANGED$", mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_partial_fit_request(self, *, classes: bool | str | None = "$UNCHANGED$", group_labels: bool | str | None = "$UNCHANGED$", mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...

class HINTClassifier(_Classifier):
    alpha: float | Literal["auto"]
    attribution: Literal["grad_cam", "input_gradient"]
    layer: str | None
    channel_axis: int
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 1.0,
        attribution: Literal["grad_cam", "input_gradient"] = "grad_cam",
        layer: str | None = None,
        channel_axis: int = 1,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class IBPExClassifier(_Classifier):
    alpha: float
    epsilon: float
    bound: Literal["margin", "logits"]
    clip: Union[Literal["data"], tuple[float, float], None]
    exchange: bool
    epsilon_ramp: float
    alpha_ramp: float
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float = 1.0,
        epsilon: float = 2.0,
        bound: Literal["margin", "logits"] = "margin",
        clip: Union[Literal["data"], tuple[float, float], None] = "data",
        exchange: bool = True,
        epsilon_ramp: float = 1.0,
        alpha_ramp: float = 1.0,
        grad_alpha: float = 0.0,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class IBPExRegressor(_Regressor):
    alpha: float
    epsilon: float
    bound: Literal["margin", "logits"]
    clip: Union[Literal["data"], tuple[float, float], None]
    exchange: bool
    epsilon_ramp: float
    alpha_ramp: float
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float = 1.0,
        epsilon: float = 2.0,
        bound: Literal["margin", "logits"] = "margin",
        clip: Union[Literal["data"], tuple[float, float], None] = "data",
        exchange: bool = True,
        epsilon_ramp: float = 1.0,
        alpha_ramp: float = 1.0,
        grad_alpha: float = 0.0,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class InfluenceRegClassifier(_Classifier):
    alpha: float | Literal["auto"]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto"] = 1.0,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class MaskPropagator(BaseEstimator):
    mask_marks: Literal["irrelevant", "relevant"]
    threshold: float | None
    repaint: bool
    max_side: int
    n_steps: int
    batch_size: int
    lr: float
    cv: Literal["auto"] | int | None
    device: str | torch.device
    verbose: int | bool
    random_state: Seed
    iou_: float
    n_measured_: int
    n_annotated_: int
    n_features_in_: int
    input_shape_: tuple[int, ...]
    feature_names_in_: NDArray[Any]
    def __init__(
        self,
        *,
        mask_marks: Literal["irrelevant", "relevant"] = "irrelevant",
        threshold: float | None = 0.5,
        repaint: bool = True,
        max_side: int = 32,
        n_steps: int = 240,
        batch_size: int = 8,
        lr: float = 0.01,
        cv: Literal["auto"] | int | None = "auto",
        device: str | torch.device = "auto",
        verbose: int | bool = 0,
        random_state: Seed = None,
    ) -> None: ...
    def fill(self, X: ArrayLike, mask: MaskLike | None = None) -> NDArray[Any]: ...
    def fit(self, X: ArrayLike, mask: MaskLike, *, sample_weight: ArrayLike | None = None) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_params(self, **params: Any) -> Self: ...

class PGDExClassifier(_Classifier):
    alpha: float | Literal["auto", "replace"]
    epsilon: float
    n_steps: int
    step_size: float | None
    random_start: bool
    clip: Union[Literal["data"], tuple[float, float], None]
    exchange: bool
    grad_alpha: float
    grad_at: Literal["clean", "perturbed"]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] = 1.0,
        epsilon: float = 2.0,
        n_steps: int = 5,
        step_size: float | None = None,
        random_start: bool = True,
        clip: Union[Literal["data"], tuple[float, float], None] = "data",
        exchange: bool = True,
        grad_alpha: float = 0.0,
        grad_at: Literal["clean", "perturbed"] = "perturbed",
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class PGDExRegressor(_Regressor):
    alpha: float | Literal["auto", "replace"]
    epsilon: float
    n_steps: int
    step_size: float | None
    random_start: bool
    clip: Union[Literal["data"], tuple[float, float], None]
    exchange: bool
    grad_alpha: float
    grad_at: Literal["clean", "perturbed"]
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] = 1.0,
        epsilon: float = 2.0,
        n_steps: int = 5,
        step_size: float | None = None,
        random_start: bool = True,
        clip: Union[Literal["data"], tuple[float, float], None] = "data",
        exchange: bool = True,
        grad_alpha: float = 0.0,
        grad_at: Literal["clean", "perturbed"] = "perturbed",
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class SwapExClassifier(_Classifier):
    alpha: float | Literal["auto", "replace"]
    n_draws: int
    exchange: bool
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] = "replace",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class SwapExRegressor(_Regressor):
    alpha: float | Literal["auto", "replace"]
    n_draws: int
    exchange: bool
    grad_alpha: float
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float | Literal["auto", "replace"] = "replace",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        label_loss: Literal["absolute_error", "huber", "quantile", "squared_error"] | Callable[..., Any] = "squared_error",
        quantile: float = 0.5,
        huber_delta: float = 1.0,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class TwoStageExplanationClassifier(_Classifier):
    alpha: float
    schedule: Literal["joint", "two_stage"]
    mask_fill: float | ArrayLike | Literal["mean"]
    mapping: Literal["conv1x1", "linear", "low_rank"] | nn.Module | None
    mapping_init: Literal["default", "identity"]
    mapping_lr: float
    feature_layer: str | None
    def __init__(
        self,
        module: Literal["auto"] | nn.Module | Callable[..., Any] = "auto",
        *,
        alpha: float = 1.0,
        schedule: Literal["joint", "two_stage"] = "two_stage",
        mask_fill: float | ArrayLike | Literal["mean"] = 0.0,
        mapping: Literal["conv1x1", "linear", "low_rank"] | nn.Module | None = "linear",
        mapping_init: Literal["default", "identity"] = "default",
        mapping_lr: float = 0.001,
        feature_layer: str | None = None,
        label_loss: Literal["cross_entropy", "focal"] | Callable[..., Any] = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: dict[Any, Any] | Literal["balanced"] | None = None,
        optimizer: Callable[..., Any] = ...,
        lr: float = 0.001,
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
        augment: Literal["light"] | Callable[..., Any] | None = None,
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
        **prefixed: Unpack[_Prefixed],
    ) -> None: ...

class WithPropagatedMasks(MetaEstimatorMixin, BaseEstimator):
    estimator: Any
    propagator: MaskPropagator | None
    min_iou: float
    estimator_: Any
    propagator_: MaskPropagator | None
    propagated_: bool
    classes_: NDArray[Any]
    n_features_in_: int
    feature_names_in_: NDArray[Any]
    def __init__(
        self,
        estimator: Any,
        propagator: MaskPropagator | None = None,
        min_iou: float = 0.25,
    ) -> None: ...
    def decision_function(self, X: ArrayLike) -> NDArray[Any]: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: MaskLike | None = None, sample_weight: ArrayLike | None = None, **fit_params: Any) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def predict_log_proba(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def set_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_params(self, **params: Any) -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...

class WithTokenizer(MetaEstimatorMixin, BaseEstimator):
    estimator: Any
    tokenizer: Any
    max_length: int | None
    spread: bool | None
    estimator_: Any
    tokenizer_: Any
    n_tokens_: int
    classes_: NDArray[Any]
    best_estimator_: Any
    def __init__(
        self,
        estimator: Any,
        tokenizer: Any = "words",
        max_length: int | None = 256,
        spread: bool | None = None,
    ) -> None: ...
    def fit(self, X: ArrayLike, y: ArrayLike, *, mask: SpansLike | None = None, sample_weight: ArrayLike | None = None, **fit_params: Any) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def predict(self, X: ArrayLike) -> NDArray[Any]: ...
    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]: ...
    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def set_fit_request(self, *, mask: bool | str | None = "$UNCHANGED$", sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def set_params(self, **params: Any) -> Self: ...
    def set_score_request(self, *, sample_weight: bool | str | None = "$UNCHANGED$") -> Self: ...
    def tokenize(self, X: ArrayLike, mask: SpansLike | None = None) -> Bunch: ...

class WordTokenizer(BaseEstimator):
    lowercase: bool
    max_words: int
    min_count: int
    split: Callable[..., Any] | None
    vocabulary_: dict[str, int]
    def __init__(
        self,
        *,
        lowercase: bool = True,
        max_words: int = 20000,
        min_count: int = 1,
        split: Callable[..., Any] | None = None,
    ) -> None: ...
    def encode(self, X: ArrayLike) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]: ...
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self: ...
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...
    def set_params(self, **params: Any) -> Self: ...

__all__ = [
    "AvgExClassifier",
    "AvgExRegressor",
    "CDEPClassifier",
    "ConceptGradRegClassifier",
    "ConceptGradRegRegressor",
    "CounterexampleClassifier",
    "ERMClassifier",
    "ERMRegressor",
    "ExplanationClassifier",
    "FindAnotherExplanationClassifier",
    "GradCAMRegClassifier",
    "GradRegClassifier",
    "GradRegRegressor",
    "GroupDROClassifier",
    "HINTClassifier",
    "IBPExClassifier",
    "IBPExRegressor",
    "InfluenceRegClassifier",
    "MaskPropagator",
    "PGDExClassifier",
    "PGDExRegressor",
    "SwapExClassifier",
    "SwapExRegressor",
    "TwoStageExplanationClassifier",
    "WithPropagatedMasks",
    "WithTokenizer",
    "WordTokenizer",
]
