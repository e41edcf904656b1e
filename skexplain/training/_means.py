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
        return {
            name: _mean(torch.stack(values).tolist(), self._counts[name])
            for name, values in self._values.items()
        }

    def of_each(self) -> list[dict[str, float]]:
        """Return such means for each network, where values have shape (n_networks,)."""
        columns = {name: torch.stack(v, 1).tolist() for name, v in self._values.items()}
        return [
            {
                name: _mean(column, self._counts[name])
                for name, column in zip(columns, of_one, strict=True)
            }
            for of_one in zip(*columns.values(), strict=True)
        ]


def _mean(values: list[float], counts: list[int]) -> float:
    return sum(map(mul, values, counts)) / sum(counts)
