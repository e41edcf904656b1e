"""A network that is fitted already: its features at a layer, its logits, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

# Probabilities of a model and of its network may differ by rounding alone.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Site:
    """A place in a network at which features are read and corrected.

    Attributes
    ----------
    layer : str
        Name of the layer, as in ``named_modules``.
    where : {"before", "behind"}
        Whether its input or its output is meant.
    channel_axis : int
        Axis of the features that holds the channels.
    is_head : bool
        Whether the layer is the last linear one, whose outputs are the logits.
    """

    layer: str
    where: str
    channel_axis: int
    is_head: bool


class Network:
    """Runs the network of a fitted model, in evaluation mode and in blocks.

    Parameters
    ----------
    model : nn.Module or fitted estimator with ``module_``
        Never changed.
    batch_size : int
        Samples per block.
    """

    def __init__(self, model: Any, batch_size: int) -> None:
        self.batch_size = batch_size
        self.classes: np.ndarray | None = None
        if isinstance(model, nn.Module):
            self.module: nn.Module = model
        else:
            inner = model.estimator if isinstance(model, FrozenEstimator) else model
            check_is_fitted(inner)
            module = getattr(inner, "module_", None)
            if not isinstance(module, nn.Module):
                raise TypeError(
                    f"estimator must be a torch module or a fitted classifier with one (module_), "
                    f"got {type(inner).__name__}. For an estimator without a network see "
                    f"SwapAugmentedClassifier."
                )
            self.module = module
            self.classes = np.asarray(inner.classes_)
        # Embeddings look integers up; everything else computes with them.
        self._has_embedding = any(isinstance(m, nn.Embedding) for m in self.module.modules())
        parameter = next(self.module.parameters(), None)
        self.device = torch.device("cpu") if parameter is None else parameter.device
        self.dtype = torch.float32 if parameter is None else parameter.dtype

    def check_is_whole_model(self, model: Any, X: np.ndarray) -> None:
        """Check that the probabilities of an estimator are those of its network.

        Raises
        ------
        ValueError
            If the estimator does more than run its network and take the softmax.
        """
        if isinstance(model, nn.Module) or not hasattr(model, "predict_proba"):
            return
        expected = model.predict_proba(X[:8])
        got = probabilities(self.logits([X[:8]]))
        if expected.shape != got.shape or not np.allclose(expected, got, atol=_TOLERANCE):
            raise ValueError(
                "estimator must predict the softmax of its network's outputs, so that a correction "
                "of the network is one of the estimator; here its probabilities differ from these "
                "by more than rounding. Pass the network itself, with X as it takes it."
            )

    def logits(self, parts: Iterable[np.ndarray], module: nn.Module | None = None) -> np.ndarray:
        """Compute the logits of blocks of samples.

        Parameters
        ----------
        parts : iterable of ndarray of shape (m, ...)
            Samples.
        module : nn.Module or None, default=None
            A corrected network; None: the one that was given.

        Returns
        -------
        float64 ndarray of shape (n_samples, n_classes)
        """
        module = self.module if module is None else module
        outputs = [as_logits(output) for output in self._run(module, parts)]
        return torch.cat(outputs).double().numpy()

    def features(self, parts: Iterable[np.ndarray], site: Site) -> np.ndarray:
        """Read the features of blocks of samples at a site, pooled over positions.

        Parameters
        ----------
        parts : iterable of ndarray of shape (m, ...)
            Samples.
        site : Site

        Returns
        -------
        float64 ndarray of shape (n_samples, n_channels)
        """
        read: list[torch.Tensor] = []
        layer = self.module.get_submodule(site.layer)

        def keep(values: Any) -> None:
            h = values[0] if isinstance(values, tuple) else values
            h = h.detach().movedim(site.channel_axis, -1)
            read.append((h.flatten(1, -2).mean(1) if h.ndim > 2 else h).cpu().double())

        if site.where == "before":
            handle = layer.register_forward_pre_hook(lambda _, args: keep(args))
        else:
            handle = layer.register_forward_hook(lambda _, args, output: keep(output))
        try:
            n_runs = sum(1 for _ in self._run(self.module, parts))
        finally:
            handle.remove()
        if len(read) != n_runs:
            raise ValueError(
                f"layer must run once per pass of the network, but {site.layer!r} ran "
                f"{len(read)} times in {n_runs}: name another one."
            )
        return torch.cat(read).numpy()

    def _run(self, module: nn.Module, parts: Iterable[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield outputs of blocks, on the CPU."""
        training = [m for m in module.modules() if m.training]
        module.eval()
        try:
            with torch.no_grad():
                for part in parts:
                    for start in range(0, len(part), self.batch_size):
                        x = self._as_tensor(part[start : start + self.batch_size])
                        yield first_tensor(module(x)).cpu()
        finally:
            for m in training:
                m.training = True

    def _as_tensor(self, x: np.ndarray) -> torch.Tensor:
        x = np.ascontiguousarray(x)
        if self._has_embedding and x.dtype.kind in "iu":
            return torch.from_numpy(x.astype(np.int64)).to(self.device)
        return torch.from_numpy(x.astype(np.float32)).to(self.device, self.dtype)

    def find_site(self, X: np.ndarray, layer: str | None, channel_axis: int | None) -> Site:
        """Find where to correct: at a layer, or at what the last linear layer is given.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            A few samples are run.
        layer : str or None
            Name; None: the input of the head.
        channel_axis : int or None
            Axis of the channels; None: axis 1 of four or more, else the last one.

        Returns
        -------
        Site
        """
        names = {name: m for name, m in self.module.named_modules() if name}
        if layer is not None and layer not in names:
            raise ValueError(f"layer must be None or one of {list(names)}, got {layer!r}.")
        head = self._find_head(X)
        if layer is None:
            if head is None:
                raise ValueError(
                    f"layer must be named, since the network does not end with a linear layer: one "
                    f"of {list(names)}; got None."
                )
            layer, where = head, "before"
        else:
            where = "behind"
        shape = self._feature_shape(X, layer, where)
        if channel_axis is None:
            channel_axis = 1 if len(shape) > 3 else -1
        n_axes = len(shape)
        if n_axes < 2 or not -n_axes < channel_axis < n_axes or channel_axis == 0:
            raise ValueError(
                f"channel_axis must be an axis of the features other than the first, which have "
                f"shape {shape}; got {channel_axis}."
            )
        return Site(layer, where, channel_axis, is_head=layer == head and where == "before")

    def _find_head(self, X: np.ndarray) -> str | None:
        """Return the name of the linear layer whose outputs are those of the network."""
        outputs: dict[str, torch.Tensor] = {}
        handles = [
            m.register_forward_hook(
                lambda _, args, output, name=name: outputs.update({name: output})
            )
            for name, m in self.module.named_modules()
            if isinstance(m, nn.Linear)
        ]
        try:
            # More than a few: an activation behind the layer changes nothing where all is positive.
            (whole,) = self._run(self.module, [X[: min(64, self.batch_size)]])
        finally:
            for handle in handles:
                handle.remove()
        for name, output in outputs.items():
            if output.shape == whole.shape and torch.equal(output.cpu(), whole):
                return name
        return None

    def _feature_shape(self, X: np.ndarray, layer: str, where: str) -> tuple[int, ...]:
        shapes: list[tuple[int, ...]] = []
        m = self.module.get_submodule(layer)

        def keep(_: nn.Module, args: Any, output: Any) -> None:
            shapes.append(tuple(first_tensor(args if where == "before" else output).shape))

        handle = m.register_forward_hook(keep)
        try:
            for _ in self._run(self.module, [X[:2]]):
                pass
        finally:
            handle.remove()
        if not shapes:
            raise ValueError(f"layer must be part of a pass of the network, but {layer!r} is not.")
        return shapes[0]


def first_tensor(output: Any) -> torch.Tensor:
    """Return what a network computes: a tensor, the logits of an output object, a first entry."""
    if hasattr(output, "logits"):
        return output.logits
    return output[0] if isinstance(output, tuple) else output


def as_logits(output: torch.Tensor) -> torch.Tensor:
    """Return one column of logits per class; a single one is that of the second of two classes."""
    output = output[:, None] if output.ndim == 1 else output
    if output.ndim != 2:
        raise ValueError(
            f"estimator must return logits of shape (n_samples, n_classes), got outputs of shape "
            f"{tuple(output.shape)}."
        )
    if output.shape[1] == 1:
        return torch.cat([torch.zeros_like(output), output], dim=1)
    return output


def probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the softmax of logits."""
    return torch.from_numpy(logits).softmax(1).numpy()
