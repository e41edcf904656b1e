"""What is learnt from annotated samples about the masks of others, in tables and in images."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..masks import Masks
from ..masks._fill import without_reasons
from ..training._random import seed_layers
from ._mask_network import MaskNetwork

_CHUNK_ROWS = 256


def row_degrees(masks: Masks, rows: NDArray[Any]) -> tuple[Tensor, Tensor]:
    """Degrees of irrelevance of some samples, and where they are known.

    Tensors of shape (n_samples, ...).  An unknown degree is 0.
    """
    degree, known = masks.degrees_of(rows)
    known = torch.ones_like(degree, dtype=torch.bool) if known is None else known
    n_rows = len(rows) if masks.for_all_rows else 1
    return degree.float().repeat_interleave(n_rows, 0), known.repeat_interleave(n_rows, 0)


class ColumnShares:
    """Mean degree of each column in annotated samples, for entries that are zero and that are not.

    A column of which only one of the two was seen has one mean for both, and a column of which
    nothing is known NaN.
    """

    def fit(self, X: NDArray[Any], masks: Masks, rows: NDArray[Any]) -> "ColumnShares":
        """Compute the means over the given samples, and return self."""
        degree, known = (part.double().numpy() for part in row_degrees(masks, rows))
        occurs = X[rows] != 0
        everywhere = _mean(degree, known)
        shares = [_mean(degree, known * (occurs == value)) for value in (False, True)]
        self.shares = np.where(np.isnan(shares), everywhere, shares).astype(np.float32)
        return self

    def degrees(self, X: NDArray[Any]) -> NDArray[Any]:
        """Look up the degrees, float32, shape (n, d)."""
        return np.where(X != 0, self.shares[1], self.shares[0])


def _mean(values: NDArray[Any], weight: NDArray[Any]) -> NDArray[Any]:
    """Weighted mean of each column, NaN where it has no weight."""
    total = weight.sum(axis=0)
    with np.errstate(invalid="ignore"):
        return (values * weight).sum(axis=0) / total


class ImageMasks:
    """Learns masks of images by binary cross entropy and overlap with their degrees.

    Cross entropy alone takes hundreds of steps before it marks anything that covers a hundredth of
    the pixels; the overlap of the whole batch does not see how large the rest is.

    Parameters
    ----------
    statistics : InputStatistics
        Of the images; their range is cut at three standard deviations from the mean.
    device : torch.device
        Where to compute.
    max_side : int
        Larger images are averaged down to this side, and predictions interpolated back.
    """

    def __init__(self, statistics: Any, device: torch.device, max_side: int) -> None:
        self.device = device
        self.max_side = max_side
        low = np.maximum(statistics.lower, statistics.mean - 3 * statistics.sd)
        high = np.minimum(statistics.upper, statistics.mean + 3 * statistics.sd)
        self.low, self.span = low, np.where(high > low, high - low, 1.0)
        mean = torch.as_tensor((statistics.mean - low) / self.span, dtype=torch.float32)
        self.mean = self._images(mean)

    def state(self) -> dict[str, Any]:
        """Return what `from_state` makes an equal object of, on the CPU."""
        return {
            **{name: getattr(self, name) for name in ("max_side", "low", "span")},
            "mean": self.mean.cpu(),
            "arguments": self.network.arguments,
            "weights": dict(self.network.state_dict()),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any], device: torch.device) -> "ImageMasks":
        """Make the object of which `state` was asked, on a device."""
        model = cls.__new__(cls)
        model.device = device
        model.max_side, model.low, model.span = (state[k] for k in ("max_side", "low", "span"))
        model.mean = state["mean"].to(device)
        with torch.device("meta"):  # so that sizes which no weights back up cost nothing
            model.network = MaskNetwork(*state["arguments"])
        model.network.load_state_dict(state["weights"], assign=True)
        model.network.to(device)
        return model

    def fit(
        self, X: NDArray[Any], masks: Masks, rows: NDArray[Any], *, seed: int, **params: Any
    ) -> "ImageMasks":
        """Train a new network on the given samples, as `train` does; returns self."""
        seed_layers(seed, self.device)  # the caller isolates the global state
        side = min(self.max_side, max(X.shape[-2:]))
        n_outputs = masks.stored.shape[1] if X.ndim == 4 else 1
        n_channels = X.shape[1] if X.ndim == 4 else 1
        self.network = MaskNetwork(n_channels, n_outputs, side).to(self.device)
        return self.train(X, masks, rows, seed=seed, **params)

    def train(
        self,
        X: NDArray[Any],
        masks: Masks,
        rows: NDArray[Any],
        *,
        n_steps: int,
        batch_size: int,
        lr: float,
        repaint: bool,
        seed: int,
        on_step: Callable[[], None],
    ) -> "ImageMasks":
        """Train the present network on some samples, `on_step` after each step; returns self."""
        generator = torch.Generator().manual_seed(seed)
        optimizer = torch.optim.Adam(
            self.network.parameters(), lr=lr, fused=self.device.type in ("cpu", "cuda")
        )
        # The rate rises and falls to nothing, so that no lucky last step decides.
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n_steps)
        examples = self._examples(X, masks, rows)
        for _ in range(n_steps):
            drawn = torch.randperm(len(rows), generator=generator)[:batch_size].to(self.device)
            x, degree, known = (part[drawn] for part in examples)
            if repaint:
                x = _repaint(x, degree, self.mean, generator)
            loss = _loss(self.network(x), degree, known)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            on_step()
        return self

    def degrees(self, X: NDArray[Any]) -> NDArray[Any]:
        """Predict degrees of irrelevance, float32, shape (n, h, w) or (n, channels, h, w)."""
        with torch.no_grad():
            return np.concatenate([self._degrees(X[rows]) for rows in _chunks(len(X))])

    def _degrees(self, X: NDArray[Any]) -> NDArray[Any]:
        degree = torch.sigmoid(self.network(self._small(self._scaled(X))))
        if degree.shape[2:] != X.shape[-2:]:
            degree = functional.interpolate(degree, X.shape[-2:], mode="bilinear")
        degree = degree.cpu().numpy()
        return degree if X.ndim == 4 else degree[:, 0]

    def _scaled(self, X: NDArray[Any]) -> Tensor:
        scaled = (np.asarray(X, dtype=np.float32) - self.low) / self.span
        return self._images(torch.as_tensor(scaled, dtype=torch.float32))

    def _images(self, values: Tensor) -> Tensor:
        """Give images a channel axis, on the device."""
        values = values if values.ndim == 4 else values.unsqueeze(1)
        return values.to(self.device)

    def _small(self, images: Tensor) -> Tensor:
        """Average larger images down."""
        height, width = images.shape[2:]
        shrink = self.max_side / max(height, width)
        if shrink >= 1:
            return images
        size = max(1, round(height * shrink)), max(1, round(width * shrink))
        return functional.adaptive_avg_pool2d(images, size)

    def _examples(self, X: NDArray[Any], masks: Masks, rows: NDArray[Any]) -> list[Tensor]:
        """Images, degrees and which share of each pixel is known, averaged down; Tensors."""
        parts = [self._example(X, masks, rows[chunk]) for chunk in _chunks(len(rows))]
        return [torch.cat(part) for part in zip(*parts, strict=True)]

    def _example(self, X: NDArray[Any], masks: Masks, rows: NDArray[Any]) -> tuple[Tensor, ...]:
        parts = row_degrees(masks, rows)
        degree, known = (self._small(self._images(part.float())) for part in parts)
        # Unknown pixels have degree 0, which is not to water down the average.
        degree = (degree / known.clamp(min=1e-6)).clamp(0, 1)
        return self._small(self._scaled(X[rows])), degree, known


def _loss(logits: Tensor, degree: Tensor, known: Tensor) -> Tensor:
    """Binary cross entropy plus one minus the intersection over union, of all known pixels."""
    losses = functional.binary_cross_entropy_with_logits(logits, degree, reduction="none")
    predicted = torch.sigmoid(logits)
    both = (torch.minimum(predicted, degree) * known).sum()
    either = (torch.maximum(predicted, degree) * known).sum()
    # One pixel more of both, so that a batch in which nothing is marked has no jump at 0.
    return (losses * known).sum() / known.sum() + 1 - (both + 1) / (either + 1)


def _chunks(n_rows: int) -> list[slice]:
    return [slice(start, start + _CHUNK_ROWS) for start in range(0, n_rows, _CHUNK_ROWS)]


def _repaint(x: Tensor, degree: Tensor, mean: Tensor, generator: torch.Generator) -> Tensor:
    """Draw anew what is irrelevant, so that all kinds of it are seen in every place.

    A third of the samples stay, a third take what is irrelevant in another sample, and a third take
    one constant per channel.
    """
    n_rows, n_channels = x.shape[:2]
    donors = torch.randperm(n_rows, generator=generator).to(x.device)
    constant = torch.rand(n_rows, n_channels, 1, 1, generator=generator).to(x.device)
    choice = torch.rand(n_rows, 1, 1, 1, generator=generator).to(x.device)
    # Numbers broadcast as well.
    scale: tuple[Any, ...] = (1.0, 0.0, 1.0)
    swapped = without_reasons(x[donors], degree[donors], mean, *scale)
    painted = torch.where(choice < 1 / 3, swapped, constant)
    return torch.where(choice < 2 / 3, x.lerp(painted, degree.expand_as(x)), x)
