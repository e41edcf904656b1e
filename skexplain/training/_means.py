"""Means of losses over an epoch."""

from operator import mul

import torch
from torch import Tensor


class RunningMeans:
    """Means of an epoch's losses, left on the device so that no step waits for them."""

    def __init__(self) -> None:
        self._values: dict[str, list[Tensor]] = {}
        self._counts: dict[str, list[int]] = {}

    def add(self, name: str, value: Tensor, count: int) -> None:
        """Add the mean `value` of `count` samples."""
        self._values.setdefault(name, []).append(value.detach())
        self._counts.setdefault(name, []).append(count)

    def result(self) -> dict[str, float]:
        """Return the mean of each name as a float."""
        return {name: self._mean(name) for name in self._values}

    def _mean(self, name: str) -> float:
        counts = self._counts[name]
        values = torch.stack(self._values[name]).tolist()
        return sum(map(mul, values, counts)) / sum(counts)
