"""Activations at irrelevant places: a penalty without a second derivative."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ._base import Penalty, Rows, full_precision
from ._layers import _CONVOLUTIONS, keep_outputs

_POOL = {1: functional.adaptive_max_pool1d, 2: functional.adaptive_max_pool2d}
_POOL[3] = functional.adaptive_max_pool3d


class ActivationPenalty(Penalty):
    r"""Size of the activations of convolutions at irrelevant places (TAP).

    Use it for convolutional networks on images: it differentiates once, so that it costs little
    more than the label loss, and it stops a shortcut in each layer, where penalties at the input
    let it come back in deep ones.  With :math:`\tilde a^l` the irrelevance, resized to the map of
    layer l by the largest value of each area, the value of a sample is

    .. math:: \sum_l \sum_p \Big(\tilde a^l_p \sum_k |A^l_{kp}|\Big)^2

    (the targeted activation penalty of Zhang et al. 2024 [1]_, who sum activations, which a ReLU
    has made non-negative; absolute values are the same there and serve all others).

    Parameters
    ----------
    layers : list of str or None, default=None
        Layers whose outputs are penalised, as in ``named_modules``, of shape (n_samples, channels,
        ...) with as many spatial axes as X; None: all convolutions.

    Notes
    -----
    X has shape (n_samples, channels, ...) or (n_samples, ...).  A mask with channels counts with
    its largest value over them.  A place of a deep layer sees more of X than the area that it is
    resized from, so what is relevant close to an irrelevant place is held down, too.

    Without a second derivative it goes with ``mixed_precision=True`` and with ``compile=True``;
    then the label loss runs through the compiled network, and the penalty through its layers.

    References
    ----------
    .. [1] D. Zhang, M. Williams, F. Toni (2024). Targeted Activation Penalties Help CNNs Ignore
       Spurious Signals. AAAI.

    Examples
    --------
    >>> from skexplain import ExplanationClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> from skexplain.penalties import ActivationPenalty
    >>> digits = make_decoy_digits("half", flatten=False, random_state=0)
    >>> clf = ExplanationClassifier(
    ...     penalties=[("tap", ActivationPenalty())], alpha=0.01, max_epochs=3, random_state=0
    ... )
    >>> clf = clf.fit(digits.data, digits.target, mask=digits.mask)
    >>> clf.history_[-1, "train_tap"] < clf.history_[0, "train_tap"]
    True
    """

    allows_compile = True
    sharding = "samples"

    def __init__(self, layers: list[str] | None = None) -> None:
        self.layers = layers

    def check_parameters(self) -> None:
        """Check the parameters."""
        given = self.layers
        is_list = isinstance(given, list | tuple) and len(given) > 0
        if given is not None and not (is_list and all(isinstance(name, str) for name in given)):
            raise ValueError(f"layers must be a list of names of layers or None, got {given!r}.")

    def check_module(self, module: nn.Module, x: Tensor) -> None:
        """Check that the layers are there, run, and return maps."""
        ones = torch.ones((1,) * x.ndim, device=x.device)
        with torch.no_grad():
            self._of_outputs(module, x, ones)

    def check_tokens(self, module: nn.Module, rows: Rows) -> None:
        """Check that layers that are named return maps of tokens, not tokens of units."""
        with torch.no_grad(), keep_outputs(module, self.layers or ()) as outputs:
            module(rows.x)
        n_tokens = rows.x.shape[1]
        for name, output in outputs.items():
            if output.shape[1] == n_tokens != output.shape[2]:
                raise ValueError(
                    f"layers must return maps, (n_samples, units, tokens); got {name!r}, which "
                    f"returns {tuple(output.shape)} for {n_tokens} tokens."
                )

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the penalty at the clean samples, shape (n_samples,)."""
        values = self._of_outputs(module, rows.x, rows.irrelevance)
        if torch.is_grad_enabled() and not values.requires_grad:
            raise ValueError(
                "layers must name some that training changes; got frozen ones alone, with "
                "backbone_lr=0 or requires_grad_(False)."
            )
        return values

    def _of_outputs(self, module: nn.Module, x: Tensor, irrelevance: Tensor) -> Tensor:
        # Layers of a compiled network are traced into one function, which keeps no outputs.
        module = getattr(module, "_orig_mod", module)
        names = self.layers
        if names is None:
            parts = module.named_modules()
            names = [name for name, part in parts if isinstance(part, _CONVOLUTIONS)]
            if not names:
                raise ValueError(
                    "layers must be named, as the network has no convolution: some of "
                    f"{[name for name, _ in module.named_modules() if name]}; got None."
                )
        with keep_outputs(module, names) as outputs:
            module(x)
        total = torch.zeros(len(x), device=x.device)
        for name in names:
            size = _sum_of_channels(name, outputs.get(name), x)
            total = total + (_largest(irrelevance, x, size) * size).square().flatten(1).sum(1)
        return total


def _sum_of_channels(name: str, output: object, x: Tensor) -> Tensor:
    """Sum the absolute values of a map over its channels."""
    is_map = isinstance(output, Tensor) and len(output) == len(x) and 3 <= output.ndim <= 5
    if not isinstance(output, Tensor) or not is_map or x.ndim - output.ndim not in (0, -1):
        got = "not reached" if output is None else getattr(output, "shape", type(output).__name__)
        raise ValueError(
            f"layers must return maps, (rows, channels, ...) with the spatial axes of X, whose "
            f"rows have shape {tuple(x.shape[1:])}; got {name!r}: {got}."
        )
    return full_precision(output).abs().sum(1)


def _largest(irrelevance: Tensor, x: Tensor, size: Tensor) -> Tensor:
    """Resize irrelevance to a map: the largest value of the area of each position."""
    n_axes = size.ndim - 1
    if x.ndim == n_axes + 2:
        irrelevance = irrelevance.amax(1)
    irrelevance = irrelevance.expand(-1, *x.shape[-n_axes:])
    return _POOL[n_axes](irrelevance[:, None], size.shape[1:])[:, 0]
