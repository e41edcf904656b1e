"""Batch norm and dropout of a batch that several processes share, as one process has them."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ._processes import Processes

_DROPOUTS = (
    functional.dropout,
    functional.dropout1d,
    functional.dropout2d,
    functional.dropout3d,
)


class _Sum(torch.autograd.Function):
    """Sum over the processes; each of them reads the sum, so their gradients add up, too."""

    @staticmethod
    def forward(ctx: Any, own: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes
        total = own.clone()
        processes.add_up([total])
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        return _Sum.apply(gradient, ctx.processes), None


class LayersOfTheBatch(TorchFunctionMode):
    """Has batch norm measure the whole batch, and dropout draw for it, in training mode.

    Parameters
    ----------
    processes : Processes
    n_samples : int
        Size of the batch, of which the network is given the part of this process.
    """

    def __init__(self, processes: Processes, n_samples: int) -> None:
        super().__init__()
        self.processes = processes
        self.n_samples = n_samples

    def __torch_function__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if function is functional.batch_norm:
            return self._batch_norm(*args, **kwargs)
        if function in _DROPOUTS:
            return self._dropout(function, *args, **kwargs)
        return function(*args, **kwargs)

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            state = running_mean, running_var, weight, bias
            return functional.batch_norm(input, *state, False, momentum, eps)
        axes = [axis for axis in range(input.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(input.ndim)]
        times = self._rows_of_a_sample(input)
        own = input[: self.processes.n_own(self.n_samples) * times].float()
        count = self.n_samples * times * input.shape[2:].numel()
        if count < 2:
            raise ValueError(f"batch norm needs two values per channel to train; got {count}.")
        mean = _Sum.apply(own.sum(axes), self.processes) / count
        squares = (own - mean.view(shape)).square().sum(axes)
        variance = _Sum.apply(squares, self.processes) / count
        if running_mean is not None and running_var is not None:
            with torch.no_grad():
                running_mean.lerp_(mean.to(running_mean), momentum)
                unbiased = variance * (count / (count - 1))
                running_var.lerp_(unbiased.to(running_var), momentum)
        normed = (input.float() - mean.view(shape)) * (variance + eps).rsqrt().view(shape)
        if weight is not None:
            normed = normed * weight.view(shape)
        if bias is not None:
            normed = normed + bias.view(shape)
        return normed.to(input.dtype)

    def _dropout(
        self,
        function: Any,
        input: Tensor,
        p: float = 0.5,
        training: bool = True,
        inplace: bool = False,
    ) -> Tensor:
        if not training or p == 0:
            return input
        times = self._rows_of_a_sample(input)
        size = self.n_samples * times, *input.shape[1:]
        # Numbers are drawn in the order of the memory.
        last = input.ndim == 4 and not input.is_contiguous()
        order = torch.channels_last if last else torch.contiguous_format
        ones = torch.empty(size, dtype=input.dtype, device=input.device, memory_format=order)
        kept = function(ones.fill_(1), p, True)
        own = self.processes.part(self.n_samples, input.device)
        own = (own[:, None] * times + torch.arange(times, device=input.device)).flatten()
        return input.mul_(kept[own]) if inplace else input * kept[own]

    def _rows_of_a_sample(self, input: Tensor) -> int:
        """Return how often a sample is on the first axis, as where a network splits it."""
        n_own = -(-self.n_samples // self.processes.count)
        if len(input) % n_own:
            raise ValueError(
                f"module must have the samples on the first axis in dropout and batch norm with "
                f'device="accelerate" and several processes; got {tuple(input.shape)} for {n_own} '
                f"samples."
            )
        return len(input) // n_own
