"""From the losses of samples to one number: of a batch, or of an epoch."""

import math
from itertools import islice
from operator import mul
from typing import Any

import torch
from skorch.callbacks import Callback

from ..penalties import Rows
from ._batches import TrainingData, has_float64
from ._label_losses import weighted_mean
from ._method import GroupDRO


class RunningMeans:
    """Means of an epoch's losses, left on the device so that no step waits for them."""

    def __init__(self) -> None:
        self._values: dict[str, list[torch.Tensor]] = {}
        self._counts: dict[str, list[float]] = {}

    def add(self, name: str, value: torch.Tensor, count: float) -> None:
        """Add the mean `value` of `count` samples, or of samples that weigh as much together."""
        self._values.setdefault(name, []).append(value.detach())
        self._counts.setdefault(name, []).append(count)

    def result(self) -> dict[str, float]:
        """Return the mean of each name as a float."""
        every = [value for values in self._values.values() for value in values]
        numbers = iter(torch.stack(every).tolist())  # all at once: reading is what takes time
        return {
            name: _mean(list(islice(numbers, len(counts))), counts)
            for name, counts in self._counts.items()
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


def _mean(values: list[float], counts: list[float]) -> float:
    return sum(map(mul, values, counts)) / (sum(counts) or 1)


class MeanReduction:
    """The weighted mean over samples."""

    def start(self, data: TrainingData) -> None:
        """Prepare for the samples of the coming epochs; nothing to do."""

    def tensors(self) -> list[torch.Tensor]:
        """State that training changes; none."""
        return []

    def restore(self, tensors: list[torch.Tensor]) -> None:
        """Restore a state that `tensors` returned; there is none."""

    def __call__(self, losses: torch.Tensor, batch: Rows) -> torch.Tensor:
        """Reduce losses of shape (n_samples,)."""
        return self.mean(losses, batch.label_weight)

    def mean(self, values: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """Mean of the values of a penalty."""
        return weighted_mean(values, weight)


class MeanOfEach(MeanReduction):
    """The weighted means over the samples of several networks, which have equal parts of a batch.

    Parameters
    ----------
    n_networks : int
    """

    def __init__(self, n_networks: int) -> None:
        self.n_networks = n_networks

    def mean(self, values: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """Reduce values of shape (n_samples,) to shape (n_networks,)."""
        values = values.view(self.n_networks, -1)
        if weight is None:
            return values.mean(1)
        weights = weight.view(self.n_networks, -1)
        totals = weights.sum(1).clamp(min=torch.finfo(weights.dtype).tiny)
        return (values * weights).sum(1) / totals


class GroupDROReduction(MeanReduction):
    r"""Group distributionally robust optimisation: a mean that worse groups weigh more in.

    With group weights q, the share p_g of each group in the training samples, and its number of
    samples n_g, a batch B has the losses

    .. math:: L_g = \frac{1}{p_g} \frac{\sum_{B \cap g} w \ell}{\sum_B w}, \qquad
        q_g \leftarrow q_g \exp(\eta (L_g + C / \sqrt{n_g})) / Z, \qquad L = \sum_g q_g L_g

    This is the online algorithm of Sagawa et al. 2020.  They draw all groups equally often; here
    batches are drawn from all samples, and a sample counts 1 / p_g times instead.  The mean loss of
    the group's samples in the batch would have no such factor, and so give a group that is missing
    in many batches too small a weight: there L_g is zero, and larger in the others.

    Parameters
    ----------
    settings : GroupDRO
        Its ``step_size`` eta, and its ``adjustment`` C: how much more small groups weigh, since
        they generalise worse.
    """

    def __init__(self, settings: GroupDRO) -> None:
        self.settings = settings
        # In logarithms no weight can vanish for good.
        self.log_q = torch.zeros(0)
        self.margin = self.inverse_share = torch.zeros(0)

    def start(self, data: TrainingData) -> None:
        """Measure the groups of the coming epochs; new groups start at the mean q."""
        self._add_groups(int(data.groups.max()) + 1 - len(self.log_q))
        self.log_q = self.log_q.to(data.device, _precision(data.device))
        positions = data.index.to(data.device)
        groups = data.groups[positions]
        weight = torch.ones_like(groups, dtype=self.log_q.dtype)
        if data.sample_weight is not None:
            weight = data.sample_weight[positions].to(weight)
        # A group without samples here (held out, or of an earlier call) has no loss and no margin.
        zeros = torch.zeros_like(self.log_q)
        share = zeros.index_add(0, groups, weight / weight.sum())
        self.inverse_share = torch.where(share > 0, 1 / share, zeros)
        sizes = torch.bincount(groups, minlength=len(zeros))
        self.margin = torch.where(sizes > 0, self.settings.adjustment / sizes.sqrt(), zeros)

    def _add_groups(self, n_new: int) -> None:
        if n_new > 0:
            mean = 1 / max(1, len(self.log_q))
            new = self.log_q.new_full((n_new,), math.log(mean))
            self.log_q = torch.cat([self.log_q, new]).log_softmax(0)

    def tensors(self) -> list[torch.Tensor]:
        """State that training changes."""
        return [self.log_q]

    def restore(self, tensors: list[torch.Tensor]) -> None:
        """Restore a state that `tensors` returned."""
        (self.log_q,) = tensors

    def __call__(self, losses: torch.Tensor, batch: Any) -> torch.Tensor:
        """Reduce losses of shape (n_samples,); moves q wherever a gradient is asked for."""
        weight = torch.ones_like(losses) if batch.label_weight is None else batch.label_weight
        total = weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
        sums = losses.new_zeros(len(self.log_q)).index_add(0, batch.groups, weight * losses)
        group_losses = sums / total * self.inverse_share.to(losses)
        if torch.is_grad_enabled():
            step = self.settings.step_size * (group_losses.detach() + self.margin)
            self.log_q.copy_((self.log_q + step).log_softmax(0))
        return (self.log_q.exp().to(losses) * group_losses).sum()

    @property
    def group_weights(self) -> torch.Tensor:
        """The weights q, on the CPU, shape (n_groups,)."""
        return self.log_q.cpu().double().softmax(0)


def _precision(device: torch.device) -> torch.dtype:
    """Double where there is one: sums of many small steps."""
    return torch.float64 if has_float64(device) else torch.float32


class GroupWeightLog(Callback):
    """Records the weight of each group at the end of each epoch."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Write them into the history."""
        net.history.record("group_weights", net.reduction.group_weights.tolist())
