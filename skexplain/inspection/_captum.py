"""Explanations that captum computes, each a function of (module, rows, score).

``score(logits, rows.y)`` gives the value per sample that is explained.  captum is imported late.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import torch
from numpy.typing import ArrayLike
from torch import nn

from .._checks import check_count, check_number, check_option
from .._surroundings import differentiable_recurrence
from ..penalties._checks import check_fill
from ..penalties._fill import fill_value

# From logits and classes to a value per sample; what stands for an absent feature.
Score: TypeAlias = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
Baseline: TypeAlias = Literal["mean"] | float | ArrayLike

# Width of the kernel by which LIME weighs samples, as in the authors' code.
_KERNEL_WIDTH = 0.25


def require_captum() -> Any:
    """Import captum, or raise an error that names the extra.

    Raises
    ------
    ImportError
        If captum is not installed.
    """
    try:
        import captum.attr
    except ImportError as error:
        raise ImportError(
            "All methods of saliency but input_gradient and grad_cam need captum, which the extra "
            '"explain" brings: pip install "skexplain[explain]"'
        ) from error
    return captum


def integrated_gradients(
    module: nn.Module, rows: Any, score: Score, *, baseline: Baseline = "mean", n_steps: int = 50
) -> torch.Tensor:
    """Return the share of each feature in the change of the score from baseline to sample."""
    check_count("n_steps", n_steps)
    start = _baseline(baseline, rows)
    attr = require_captum().attr
    return attr.IntegratedGradients(_forward(module, rows, score)).attribute(
        rows.x, baselines=start, n_steps=n_steps, internal_batch_size=len(rows.x)
    )


def smooth_grad(
    module: nn.Module, row: Any, score: Score, *, n_samples: int = 50, noise: float = 0.5
) -> torch.Tensor:
    """Return the mean gradient per input unit over noisy copies of one sample."""
    check_count("n_samples", n_samples)
    check_number("noise", noise)
    attr = require_captum().attr
    forward = _forward(module, row, score)

    # In steps of one input unit from the sample: captum's noise has one size for all columns.
    def at_offset(offset: torch.Tensor) -> torch.Tensor:
        return forward(row.x + row.unit * offset)

    return attr.NoiseTunnel(attr.Saliency(at_offset)).attribute(
        torch.zeros_like(row.x),
        nt_samples=n_samples,
        nt_samples_batch_size=min(n_samples, 256),
        stdevs=float(noise),
        abs=False,
    )


def occlusion(
    module: nn.Module,
    rows: Any,
    score: Score,
    *,
    baseline: Baseline = "mean",
    patch_size: int | None = None,
    stride: int | None = None,
) -> torch.Tensor:
    """Return the fall of the score when a patch is set to the baseline, a mean over patches."""
    shape = rows.x.shape[1:]
    start = _baseline(baseline, rows)
    size = _patch_size(patch_size, shape)
    if stride is not None:
        check_count("stride", stride)
        if stride > size:
            raise ValueError(f"stride must be at most patch_size, {size}; got {stride}.")
    attr = require_captum().attr
    return attr.Occlusion(_forward(module, rows, score)).attribute(
        rows.x,
        sliding_window_shapes=_window(size, shape),
        strides=_window(stride or size, shape),
        baselines=start,
    )


def lime(
    module: nn.Module,
    row: Any,
    score: Score,
    *,
    baseline: Baseline = "mean",
    n_samples: int = 500,
    patch_size: int | None = None,
) -> torch.Tensor:
    """Return the coefficients of a linear model of the score, fitted to random sets of patches."""
    check_count("n_samples", n_samples)
    start = _baseline(baseline, row)
    segments = _segments(_patch_size(patch_size, row.x.shape[1:]), row.x)
    captum = require_captum()
    from captum._utils.models.linear_model import SkLearnRidge

    # What equals the baseline already cannot matter: a text has few of its vocabulary's words.
    differs = (row.x != start).flatten()
    present = torch.unique(segments.flatten()[differs])
    if not len(present):
        return torch.zeros_like(row.x)
    in_model = torch.isin(segments, present)
    # The others go with a feature of the model, whose samples they do not change.
    segments = torch.searchsorted(present, segments).clamp(max=len(present) - 1)
    coefficients = captum.attr.Lime(
        _forward(module, row, score),
        interpretable_model=SkLearnRidge(alpha=1.0),
        similarity_func=_similarity,
    ).attribute(
        row.x,
        baselines=start,
        feature_mask=segments,
        n_samples=n_samples,
        perturbations_per_eval=min(n_samples, 256),
    )
    return torch.where(in_model, coefficients, 0)


def _similarity(_: torch.Tensor, __: torch.Tensor, present: torch.Tensor, **___: Any) -> float:
    """Return the weight of a random copy: a kernel of its cosine distance to the sample."""
    distance = 1 - math.sqrt(present.float().mean())
    return math.exp(-((distance / _KERNEL_WIDTH) ** 2) / 2)


def _forward(module: nn.Module, rows: Any, score: Score) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function that captum explains, for whole copies of the samples."""

    def forward(x: torch.Tensor) -> torch.Tensor:
        # Adds nothing, but captum raises for a network that does not read its inputs.
        unread = (0 * x).flatten(1).sum(1)
        with differentiable_recurrence(module):
            logits = module(x)
        return score(logits, rows.y.repeat(len(x) // len(rows.y))) + unread

    return forward


def _baseline(baseline: Baseline, rows: Any) -> torch.Tensor:
    """Return what stands for an absent feature, as one sample."""
    if isinstance(baseline, str):
        check_option("baseline", baseline, ("mean",))
    check_fill("baseline", baseline, rows.x.shape[1:])
    return fill_value(baseline, rows).broadcast_to(rows.x[:1].shape)


def _spatial(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths along which patches lie: the columns, or the axes after the channels."""
    return shape[1:] if len(shape) > 2 else shape


def _patch_size(patch_size: int | None, shape: tuple[int, ...]) -> int:
    if len(shape) == 1:
        if patch_size is not None:
            raise ValueError(
                f"patch_size must be None for tables, where each column stands alone; got "
                f"{patch_size!r}."
            )
        return 1
    shortest = min(_spatial(shape))
    if patch_size is None:
        return max(1, round(shortest / 8))
    check_count("patch_size", patch_size)
    return min(patch_size, shortest)


def _window(size: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a patch of a sample: all channels, and a square (a cube) of pixels."""
    n_spatial = len(_spatial(shape))
    return (*shape[:-n_spatial], *(size,) * n_spatial)


def _segments(size: int, x: torch.Tensor) -> torch.Tensor:
    """Number the patches of a sample: each feature's, shape of ``x[:1]``."""
    number = torch.zeros((), dtype=torch.int64, device=x.device)
    for length in _spatial(x.shape[1:]):
        place = torch.arange(length, device=x.device) // size
        number = number[..., None] * (int(place[-1]) + 1) + place
    return number.expand(x[:1].shape).contiguous()
