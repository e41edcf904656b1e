"""A network that is fitted already: its features at a layer, its logits, in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_is_fitted
from torch import nn

from ..estimators._frame import fitted_tokens
from ..training._outputs import first_output
from ..training._prepare import hint_at_channels
from ..training._tokens import TokenSettings, adapt_tokens

# Values of inputs that a processor runs on at once: activations of a few large images stay in its
# caches, which makes an EfficientNet-Lite0 at 128 pixels three times as fast.
_BLOCK_VALUES = 1 << 19
# Probabilities of a model and of its network may differ by rounding alone.
_TOLERANCE = 1e-3
# Samples that are run to see that single outputs are logits.
_N_CHECKED = 100


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
        Samples per block at most; a processor runs on fewer large ones.
    """

    def __init__(self, model: Any, batch_size: int) -> None:
        self.batch_size = batch_size
        self._block_values: float = _BLOCK_VALUES
        self.classes: np.ndarray | None = None
        self._tokens: TokenSettings | None = None
        if isinstance(model, nn.Module):
            self.module: nn.Module = model
        else:
            inner = model.estimator if isinstance(model, FrozenEstimator) else model
            check_is_fitted(inner)
            module = getattr(inner, "module_", None)
            if not isinstance(module, nn.Module):
                raise TypeError(
                    f"estimator must be a torch module or a fitted classifier with one (module_), "
                    f"got {type(inner).__name__}. Of a pipeline pass the last step, with X as the "
                    f"steps before return it; an estimator without a network is fitted anew by "
                    f"SwapAugmentedClassifier or SwapAugmentedRegressor."
                )
            self.module = module
            if not hasattr(inner, "classes_"):
                raise TypeError(
                    f"estimator must be a classifier, got {type(inner).__name__}, which predicts "
                    f"numbers: SwapAugmentedRegressor fits it anew."
                )
            self.classes = np.asarray(inner.classes_)
            self._tokens = fitted_tokens(inner)
        # Embeddings look integers up; everything else computes with them.
        self._has_embedding = any(isinstance(m, nn.Embedding) for m in self.module.modules())
        parameter = next(self.module.parameters(), None)
        self.device = torch.device("cpu") if parameter is None else parameter.device
        self.dtype = torch.float32 if parameter is None else parameter.dtype
        if self.device.type != "cpu":
            self._block_values = np.inf

    def tokens(self, X: np.ndarray) -> TokenSettings:
        """Return whether the network reads X as tokens, and what it says about padding.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)

        Returns
        -------
        TokenSettings
            As an estimator found out; for a bare network as it would.
        """
        if self._tokens is None:
            may_be = X.dtype.kind in "iu" and X.ndim == 2
            x = torch.as_tensor(X[:2].astype(np.float32), device=self.device)
            # It is changed where X holds tokens.
            module = deepcopy(self.module).eval()
            self._tokens = adapt_tokens(module, x, TokenSettings(search=may_be))
        return self._tokens

    def check_is_whole_model(self, model: Any, X: np.ndarray, given: Any) -> None:
        """Check that the probabilities of an estimator are those of its network.

        Parameters
        ----------
        model : estimator or nn.Module
            What is corrected.
        X : ndarray of shape (n_samples, ...)
            Samples as the network takes them.
        given : array-like
            The same samples as they were passed, with the names that the estimator compares.

        Raises
        ------
        ValueError
            If the estimator does more than run its network and take the softmax.
        """
        if isinstance(model, nn.Module) or not hasattr(model, "predict_proba"):
            return
        first = np.arange(min(8, len(X)))
        expected = model.predict_proba(_safe_indexing(given, first))
        got = probabilities(self.logits([X[first]]))
        if expected.shape != got.shape or not np.allclose(expected, got, atol=_TOLERANCE):
            raise ValueError(
                "estimator must predict the softmax of its network's outputs, so that a correction "
                "of the network is one of the estimator; here its probabilities differ from these "
                "by more than rounding. Pass the network itself, with X as it takes it."
            )

    def count_classes(self, X: np.ndarray) -> int:
        """Return the number of classes, after checking what the network returns.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            Samples, of which a few are run.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If the network cannot run the samples, or returns probabilities.
        """
        try:
            outputs = torch.cat(list(self.run(self.module, [X[:2]])))
        except (RuntimeError, IndexError) as error:
            raise ValueError(
                f"X must hold samples as the network takes them, which cannot run a batch of shape "
                f"{X[:2].shape}: {str(error).rstrip().rstrip('.')}.{hint_at_channels(X.shape)}"
            ) from error
        n_classes = as_logits(outputs).shape[1]
        if outputs[0].numel() == 1:  # the logits of a few samples may lie between 0 and 1, too
            outputs = torch.cat(list(self.run(self.module, [X[:_N_CHECKED]])))
        if _are_probabilities(outputs):
            raise ValueError(
                "estimator must return logits, got a network that returns probabilities. Leave out "
                "the softmax or sigmoid at its end."
            )
        return n_classes

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
        outputs = [as_logits(output) for output in self.run(module, parts)]
        return torch.cat(outputs).double().numpy()

    def at_once(self, n_samples: int) -> Network:
        """Return one that runs so many samples in one block."""
        other = copy(self)
        other.batch_size, other._block_values = n_samples, np.inf
        return other

    def read(
        self, parts: Iterable[np.ndarray], sites: Sequence[Site]
    ) -> Iterator[list[torch.Tensor]]:
        """Yield the features of samples at some sites, of one pass for all, block by block.

        Parameters
        ----------
        parts : iterable of ndarray of shape (m, ...)
            Samples.
        sites : sequence of Site

        Yields
        ------
        list of Tensor of shape (n_block, ...)
            One per site, on the CPU.
        """
        found: list[list[torch.Tensor]] = [[] for _ in sites]
        handles = [self._listen(site, kept) for site, kept in zip(sites, found, strict=True)]
        try:
            for _ in self.run(self.module, parts):
                for site, kept in zip(sites, found, strict=True):
                    if len(kept) != 1:
                        raise ValueError(
                            f"layer must run once per pass of the network, but {site.layer!r} ran "
                            f"{len(kept)} times: name another one."
                        )
                yield [kept.pop() for kept in found]
        finally:
            for handle in handles:
                handle.remove()

    def _listen(self, site: Site, kept: list[torch.Tensor]) -> Any:
        """Add a hook that keeps the features at a site; a copy, which nothing else writes into."""
        layer = self.module.get_submodule(site.layer)

        def keep(values: Any) -> None:
            kept.append(first_tensor(values).detach().clone().cpu())

        if site.where == "before":
            return layer.register_forward_pre_hook(lambda _, args: keep(args))
        return layer.register_forward_hook(lambda _, args, output: keep(output))

    def run(self, module: nn.Module, parts: Iterable[np.ndarray]) -> Iterator[torch.Tensor]:
        """Yield outputs of blocks of samples, on the CPU.

        Parameters
        ----------
        module : nn.Module
            The network, or a corrected one.
        parts : iterable of ndarray of shape (m, ...)
            Samples.

        Yields
        ------
        Tensor of shape (n_block, ...)
        """
        with evaluating(module):
            for part in parts:
                n_values = max(1, part[:1].size)
                step = max(1, int(min(self.batch_size, self._block_values // n_values)))
                for start in range(0, len(part), step):
                    x = self.as_tensor(part[start : start + step])
                    yield first_tensor(module(x)).cpu()

    def as_tensor(self, x: np.ndarray) -> torch.Tensor:
        """Return samples as the network takes them: codes as integers, all else as numbers."""
        x = np.ascontiguousarray(x)
        if self._has_embedding and x.dtype.kind in "iu":
            return torch.from_numpy(x.astype(np.int64)).to(self.device)
        return torch.from_numpy(x.astype(np.float32)).to(self.device, self.dtype)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Run a module in evaluation mode and without gradients; its modes are as before behind it."""
    training = [m for m in module.modules() if m.training]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for m in training:
            m.training = True


def _are_probabilities(outputs: torch.Tensor) -> bool:
    """Return whether outputs of a network are those of a softmax or sigmoid."""
    if not ((outputs >= 0) & (outputs <= 1)).all():
        return False
    if outputs[0].numel() == 1:
        return len(outputs) == _N_CHECKED
    # Of half precision each is rounded.
    tolerance = max(1e-4, 4 * torch.finfo(outputs.dtype).eps)
    return bool(((outputs.double().sum(1) - 1).abs() < tolerance).all())


def first_tensor(output: Any) -> torch.Tensor:
    """Return what a network computes: a tensor, the logits of an output object, a first entry."""
    found = first_output(output)
    if not isinstance(found, torch.Tensor):
        raise TypeError(
            f"estimator must return a tensor of logits, a tuple or list that starts with one, or "
            f'an object or dict with "logits"; got {type(output).__name__}.'
        )
    return found


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
