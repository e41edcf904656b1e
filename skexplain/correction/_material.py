"""What a correction is computed from: features of samples and of their swapped copies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ._directions import leading_directions, target_covariance, whitening


@dataclass
class Material:
    """What a correction is computed from.

    Attributes
    ----------
    clean : ndarray of shape (m, d)
        Features of the samples that a swap may change.
    swapped : ndarray of shape (n_copies, m, d)
        Features of their copies.
    codes : ndarray of int of shape (m,) or None
        Their encoded labels.
    marked : ndarray of bool of shape (m,)
        Those that have something marked themselves.
    n_classes : int
    other_features, other_codes : ndarray
        Features and labels of the samples that no swap changes.
    others_weight : float or None
        Weight of each of these; None: together no more than the samples that a swap may change,
        since they go on to reward the shortcut.
    sample_weight, other_sample_weight : ndarray of float or None
        How often samples count, of the ones and of the others; None: each once.
    """

    clean: np.ndarray
    swapped: np.ndarray
    codes: np.ndarray | None
    marked: np.ndarray
    n_classes: int
    other_features: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    other_codes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=int))
    others_weight: float | None = None
    sample_weight: np.ndarray | None = None
    other_sample_weight: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Material:
        """Return the same of some of the samples."""
        return replace(
            self,
            clean=self.clean[rows],
            swapped=self.swapped[:, rows],
            codes=None if self.codes is None else self.codes[rows],
            marked=self.marked[rows],
            sample_weight=None if self.sample_weight is None else self.sample_weight[rows],
        )

    def weight_of_sets(self, n_sets: int) -> np.ndarray | None:
        """Return the weights of several sets of copies, one below the other; None: all alike."""
        return None if self.sample_weight is None else np.tile(self.sample_weight, n_sets)

    def differences(self) -> np.ndarray:
        """Return by how much a swap moves features, each as long as it weighs."""
        found = (self.clean - self.swapped).reshape(-1, self.clean.shape[1])
        weight = self.weight_of_sets(len(self.swapped))
        return found if weight is None else found * np.sqrt(weight / weight.mean())[:, None]

    def directions(self, n_most: int) -> np.ndarray:
        """Return directions along which a swap moves features, the leading one first."""
        return leading_directions(self.differences(), n_most)

    @property
    def labels(self) -> np.ndarray:
        """The encoded labels; an error where there are none."""
        if self.codes is None:
            raise ValueError("y must be given for what is computed from labels, got None.")
        return self.codes

    @cached_property
    def whiten(self) -> np.ndarray:
        """Whitening of the features of the copies."""
        copies = self.swapped.reshape(-1, self.clean.shape[1])
        return whitening(copies, self.weight_of_sets(len(self.swapped)))

    @cached_property
    def of_targets(self) -> np.ndarray | None:
        """Covariance of the features of the copies with the classes; None without labels."""
        if self.codes is None:
            return None
        codes = np.tile(self.codes, len(self.swapped))
        copies = self.swapped.reshape(-1, self.clean.shape[1])
        weight = self.weight_of_sets(len(self.swapped))
        return target_covariance(copies, codes, self.n_classes, weight)
