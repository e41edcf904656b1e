"""Features of samples and of their swapped copies: computed once, in blocks, kept on disk."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Memory
from numpy.lib.format import open_memmap

from .. import __version__
from ._network import Network, Site

# Samples of which stored features are held against those of the network as it is.
_N_PROBES = 4
# Values of features at each position that are kept in memory at most, of all passes together.
_MAX_VALUES = 1 << 28


@dataclass
class Features:
    """Features of samples at a site.

    Attributes
    ----------
    pooled : float64 ndarray of shape (n_samples, n_channels)
        Means over positions.
    whole : ndarray of shape (n_samples, ...) or None
        As the network computes them; None where they are not kept.
    """

    pooled: np.ndarray
    whole: np.ndarray | None


class FeatureReader:
    """Reads features at some sites, all of them in one pass of the network.

    Parameters
    ----------
    network : Network
    sites : sequence of Site
    cut : sequence of bool
        Whether the network can be cut at each site, so that features at each position are of use.
    n_passes : int
        How many times as many samples as `n_samples` are read in all.
    n_samples : int
    X : ndarray of shape (n_samples, ...)
        All samples, of which a few are run.
    cache : str, path-like, joblib.Memory or None
        Folder in which features are kept.
    """

    def __init__(
        self,
        network: Network,
        sites: Sequence[Site],
        cut: Sequence[bool],
        n_passes: int,
        X: np.ndarray,
        cache: Any,
    ) -> None:
        self.network = network
        self.sites = sites
        self._folder = _folder(cache)
        self._digest = hashlib.sha256()
        examples = next(iter(network.read([X[:1]], sites)))
        self._shapes = [tuple(h.shape[1:]) for h in examples]
        self._dtypes = [_as_array(h).dtype for h in examples]
        # On disk there is room.
        most = np.inf if self._folder else _MAX_VALUES / n_passes / len(X)
        self.keeps_whole = [
            can and (len(shape) == 1 or prod(shape) <= most)
            for can, shape in zip(cut, self._shapes, strict=True)
        ]
        if self._folder is not None:
            self._add(__version__, repr(network.module), network.batch_size, X)
            for name, tensor in network.module.state_dict().items():
                raw = tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
                self._add(name, str(tensor.dtype), tuple(tensor.shape), raw)

    def _add(self, *values: Any) -> None:
        _digest(self._digest, values)

    def at(self, number: int) -> FeatureReader:
        """Return one that reads at one of the sites alone."""
        other = copy(self)
        for name in ("sites", "_shapes", "_dtypes", "keeps_whole"):
            setattr(other, name, [getattr(self, name)[number]])
        return other

    def read(
        self, parts: Callable[[], Iterable[np.ndarray]], n_samples: int, *key: Any
    ) -> list[Features]:
        """Read the features of samples.

        Parameters
        ----------
        parts : callable
            ``parts()`` yields the samples, in blocks.
        n_samples : int
        *key : object
            Arrays, numbers and text that say which samples of X these are, or copies of them.

        Returns
        -------
        list of Features
            One per site.
        """
        if self._folder is None:
            arrays = self._compute(parts(), n_samples, np.empty)
        else:
            digest = self._digest.copy()
            for site, keeps in zip(self.sites, self.keeps_whole, strict=True):
                _digest(digest, (repr(site), keeps))
            _digest(digest, key)
            folder = self._folder / f"features-{digest.hexdigest()[:40]}"
            arrays = self._load(folder, parts, n_samples)
            if arrays is None:
                self._store(folder, parts(), n_samples)
                arrays = self._open(folder)
        found = []
        for number, keeps in enumerate(self.keeps_whole):
            pooled, whole = arrays[f"{number}-pooled"], arrays.get(f"{number}-whole")
            if keeps and whole is None:  # there are no positions
                whole = pooled.astype(self._dtypes[number])
            found.append(Features(pooled, whole))
        return found

    def _compute(
        self, parts: Iterable[np.ndarray], n_samples: int, make: Callable[..., np.ndarray]
    ) -> dict[str, np.ndarray]:
        arrays = {}
        for number, (site, shape, dtype, keeps) in enumerate(
            zip(self.sites, self._shapes, self._dtypes, self.keeps_whole, strict=True)
        ):
            n_channels = (0, *shape)[site.channel_axis]
            arrays[f"{number}-pooled"] = make((n_samples, n_channels), np.float64)
            if keeps and len(shape) > 1:
                arrays[f"{number}-whole"] = make((n_samples, *shape), dtype)
        start = 0
        for block in self.network.read(parts, self.sites):
            rows = slice(start, start + len(block[0]))
            for number, (site, h) in enumerate(zip(self.sites, block, strict=True)):
                arrays[f"{number}-pooled"][rows] = pool(h, site.channel_axis).double().numpy()
                if f"{number}-whole" in arrays:
                    arrays[f"{number}-whole"][rows] = _as_array(h)
            start = rows.stop
        return arrays

    # -- on disk ----------------------------------------------------------------------------------

    def _store(self, folder: Path, parts: Iterable[np.ndarray], n_samples: int) -> None:
        """Write the features beside the folder and move them there: none is ever half written."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix="unfinished-", dir=folder.parent))
        try:
            written: dict[str, np.ndarray] = {}

            def make(shape: tuple[int, ...], dtype: Any) -> np.ndarray:
                path = new / f"{len(written)}.npy"
                written[path.name] = open_memmap(path, "w+", dtype, shape)
                return written[path.name]

            arrays = self._compute(parts, n_samples, make)
            names = {id(array): name for name, array in arrays.items()}
            for file, array in written.items():
                array.flush()  # type: ignore[attr-defined]
                os.replace(new / file, new / f"{names[id(array)]}.npy")
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(new, folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise

    def _open(self, folder: Path) -> dict[str, np.ndarray]:
        return {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
            for path in sorted(folder.glob("*.npy"))
        }

    def _load(
        self, folder: Path, parts: Callable[[], Iterable[np.ndarray]], n_samples: int
    ) -> dict[str, np.ndarray] | None:
        """Return stored features, None where there are none or the network now computes others."""
        try:
            stored = self._open(folder)
        except (OSError, ValueError):
            return None
        few = next(iter(parts()))[:_N_PROBES]
        expected = self._compute([few], len(few), np.empty)
        for name, values in expected.items():
            of_all = stored.get(name)
            if (
                of_all is None
                or of_all.dtype != values.dtype
                or of_all.shape != (n_samples, *values.shape[1:])
                or not np.allclose(of_all[: len(few)], values, rtol=1e-3, atol=1e-5)
            ):
                return None
        return stored


def pool(features: torch.Tensor, channel_axis: int) -> torch.Tensor:
    """Return the means of features over positions, shape (n_samples, n_channels)."""
    h = features.movedim(channel_axis, -1)
    return h.flatten(1, -2).mean(1) if h.ndim > 2 else h


def _as_array(features: torch.Tensor) -> np.ndarray:
    """Return features as numpy has them, which lacks bfloat16."""
    return (features.float() if features.dtype == torch.bfloat16 else features).numpy()


def check_cache(cache: Any) -> None:
    """Check the parameter `cache`.

    Raises
    ------
    TypeError
        If it is none of the kinds that it may be.
    """
    if not isinstance(cache, str | os.PathLike | Memory | None):
        raise TypeError(
            f"cache must be None, the path of a folder or a joblib.Memory, got "
            f"{type(cache).__name__}."
        )
    if cache == "":
        raise ValueError("cache must be None, the path of a folder or a joblib.Memory, got ''.")
    if (folder := _folder(cache)) is not None and folder.parent.is_file():
        raise NotADirectoryError(f"cache must be a folder, but {folder.parent} is a file.")


def _folder(cache: Any) -> Path | None:
    location = cache.location if isinstance(cache, Memory) else cache
    return None if location is None else Path(location) / "skexplain"


def _digest(digest: Any, values: Iterable[Any]) -> None:
    """Add values to a digest, each with its kind and size, so that none runs into the next."""
    for value in values:
        if isinstance(value, np.ndarray):
            digest.update(f"array {value.dtype.str} {value.shape} ".encode())
            digest.update(np.ascontiguousarray(value).reshape(-1).view(np.uint8).data)
        else:
            text = repr(value)
            digest.update(f"{type(value).__name__} {len(text)} {text} ".encode())
