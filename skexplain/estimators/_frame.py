"""What penalties know besides the samples themselves: units, range, label loss, and tokens."""

from typing import Any

import numpy as np
import torch

from .._surroundings import surroundings_of_outputs
from ..penalties import Rows
from ..penalties._tokens import Tokens
from ..training._lengths import check_lengths, outputs_by_length, text_lengths
from ..training._tokens import TokenSettings


def frame_of(estimator: Any, trainer: Any) -> Rows:
    """Return what the samples of an estimator share, as penalties see it.

    Parameters
    ----------
    estimator : estimator of this package
        That has measured its inputs.
    trainer : Trainer
        Of its network.

    Returns
    -------
    Rows
        Without samples.
    """
    statistics = estimator.input_statistics_
    unit = statistics.sd if estimator.input_unit == "sd" else np.ones_like(statistics.sd)
    mean, unit, lower, upper = (
        torch.as_tensor(values, dtype=torch.float32, device=trainer.device)
        for values in (statistics.mean, unit, statistics.lower, statistics.upper)
    )
    later: Any = None  # differs from batch to batch
    return Rows(
        x=later,
        y=later,
        irrelevance=later,
        known=None,
        unit=unit,
        mean=mean,
        lower=lower,
        upper=upper,
        label_loss=estimator._label_loss(),
        loss_scale=estimator._loss_scale(),
        tokens=tokens_of(estimator, trainer.module_),
    )


def token_settings(estimator: Any, X: Any) -> TokenSettings:
    """Return whether X may be tokens, by the parameters of an estimator and the dtype of X."""
    may_be = X.dtype.kind in "iu" and X.ndim == 2 and not isinstance(estimator.module, str)
    if estimator.embedding_layer is not None and X.ndim != 2:
        raise ValueError(
            f"embedding_layer must be None unless X holds ids of tokens, shape (n, tokens); got "
            f"{estimator.embedding_layer!r} with X of shape {X.shape}."
        )
    return TokenSettings(estimator.embedding_layer, estimator.pad_id, estimator.mask_id, may_be)


def fitted_tokens(estimator: Any) -> TokenSettings:
    """Return how a fitted estimator reads tokens; those of older releases do not."""
    layer, pad_id, mask_id = (
        getattr(estimator, name, None) for name in ("embedding_layer_", "pad_id_", "mask_id_")
    )
    return TokenSettings(layer, pad_id, mask_id)


def lengths_of(estimator: Any, X: np.ndarray, trainer: Any) -> torch.Tensor | None:
    """Return the lengths of texts where an estimator makes batches by them, else None."""
    if not estimator.batches_by_length:
        return None
    settings = fitted_tokens(estimator)
    if settings.embedding_layer is None:
        raise ValueError("batches_by_length must be False unless X holds ids of tokens.")
    pad_id: Any = settings.pad_id
    check_lengths(trainer.module_, X, pad_id, trainer.device)
    return text_lengths(X, pad_id)


def outputs_of(estimator: Any, X: np.ndarray) -> torch.Tensor:
    """Return the raw outputs of the network of a fitted estimator, float32, (n, outputs)."""
    pad_id, outputs = fitted_tokens(estimator).pad_id, estimator.trainer_.outputs
    with surroundings_of_outputs():
        if not getattr(estimator, "batches_by_length", False) or pad_id is None:
            return outputs(X)
        size = len(X) if estimator.batch_size == -1 else int(estimator.batch_size)
        return outputs_by_length(outputs, X, pad_id, size)


def tokens_of(estimator: Any, module: Any) -> Tokens | None:
    """Return what penalties know of tokens; None where an estimator does not read X as tokens.

    Parameters
    ----------
    estimator : estimator of this package
        That has found out.
    module : nn.Module
        Its network.

    Returns
    -------
    Tokens or None
    """
    settings = fitted_tokens(estimator)
    if settings.embedding_layer is None:
        return None
    layers = dict(module.named_modules())
    # A mapping layer that is put into the network goes before its names.
    embedding = layers.get(settings.embedding_layer) or layers[f"module.{settings.embedding_layer}"]
    in_spreads = estimator.input_unit == "sd"
    return Tokens(embedding, settings.pad_id, settings.mask_id, in_spreads)
