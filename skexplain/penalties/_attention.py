"""Attention supervision: attention goes to tokens that are not irrelevant."""

import math
from numbers import Integral
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from ._base import Penalty, Rows, full_precision
from ._layers import find_layers

_SMALLEST_SHARE = 1e-6

# What turns scores into weights, where attention is written out.
_SOFTMAX = (functional.softmax, torch.softmax, Tensor.softmax)


class AttentionPenalty(Penalty):
    r"""Cross entropy of the attention of a layer and the tokens that are not irrelevant.

    Attention is supervised by rationales, as in Strout et al. 2019 [1]_ and SRA [2]_, who have
    other distances: with :math:`A_t` the weight of token t, the mean over heads and over the tokens
    that attend, the value of a sample is

    .. math:: -\log \frac{\sum_t (1 - a_t) A_t}{\sum_t A_t}

    with sums over the tokens whose irrelevance a is known, so that padding and the tokens that a
    tokenizer puts at the ends count in neither.  It is 0 for a sample whose known tokens are all
    irrelevant.  It is there as a baseline: what a network attends to is not what its outputs depend
    on, as tokens have mixed before the last layers.

    Parameters
    ----------
    layer : str or None, default=None
        Layer in which attention is computed, as in ``named_modules``; the last attention in it
        counts.  None: the last attention of the network.
    query : int or None, default=None
        Position of the token that attends, such as 0 for a class token from which the network
        reads its outputs; None: the mean over all tokens but padding.

    Notes
    -----
    Weights are found in `torch.nn.MultiheadAttention`, in ``scaled_dot_product_attention``, and
    where a network takes a softmax over its tokens, as transformers do with
    ``attn_implementation="eager"``.  X must hold ids of tokens.

    References
    ----------
    .. [1] J. Strout, Y. Zhang, R. J. Mooney (2019). Do Human Rationales Improve Machine
       Explanations? BlackboxNLP.
    .. [2] SRA, supervised rational attention (2025).  arXiv 2511.07065, AAAI 2026.

    Examples
    --------
    >>> import torch
    >>> from skexplain import ExplanationClassifier, WithTokenizer
    >>> from skexplain.penalties import AttentionPenalty
    >>> class Reader(torch.nn.Module):
    ...     def __init__(self, n_outputs):
    ...         super().__init__()
    ...         self.embedding = torch.nn.Embedding(99, 8, padding_idx=0)
    ...         self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    ...         self.head = torch.nn.Linear(8, n_outputs)
    ...
    ...     def forward(self, ids):
    ...         x = self.embedding(ids)
    ...         return self.head(self.attention(x, x, x, key_padding_mask=ids == 0)[0].mean(1))
    >>> clf = ExplanationClassifier(
    ...     Reader, penalties=[("attention", AttentionPenalty())], max_epochs=30, random_state=0
    ... )
    >>> texts = ["portable film, opacity seen", "upright film, lungs clear"]
    >>> _ = WithTokenizer(clf).fit(texts * 20, ["ill", "well"] * 20, mask=[["portable", "upright"]])
    """

    is_share = True

    def __init__(self, layer: str | None = None, query: int | None = None) -> None:
        self.layer = layer
        self.query = query

    def check_parameters(self) -> None:
        """Check the parameters."""
        if not isinstance(self.layer, str | None):
            raise ValueError(f"layer must be the name of a layer or None; got {self.layer!r}.")
        if self.query is not None and not _is_position(self.query):
            raise ValueError(f"query must be a position from 0 or None; got {self.query!r}.")

    def check_kind(self, rows: Rows) -> None:
        """Check that samples are tokens."""
        if rows.tokens is None:
            raise ValueError(
                "penalties: AttentionPenalty is for ids of tokens behind an embedding, see "
                "docs/text_and_tables.md#tokens; got X of other numbers."
            )

    def check_module(self, module: nn.Module, x: Tensor) -> None:
        """Check that the layer attends to the tokens."""
        with torch.no_grad():
            self._weights(module, x)

    def __call__(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Compute the penalty, shape (n_samples,)."""
        self.check_kind(rows)
        assert rows.tokens is not None
        weights = self._weights(module, rows.x)
        known = torch.ones_like(rows.x) if rows.known is None else rows.known.to(rows.x.dtype)
        pad_id = rows.tokens.pad_id
        real = torch.ones_like(rows.x) if pad_id is None else (rows.x != pad_id).to(rows.x.dtype)
        if self.query is None:
            weights = (weights * real[:, :, None]).sum(1) / real.sum(1, keepdim=True).clamp(min=1)
        else:
            weights = weights[:, self.query]
        counted = known * real
        wanted = counted * (1 - rows.irrelevance)
        share = (weights * wanted).sum(1) / (weights * counted).sum(1).clamp(min=1e-12)
        return torch.where(wanted.sum(1) > 0, -share.clamp(min=_SMALLEST_SHARE).log(), 0.0)

    def _weights(self, module: nn.Module, x: Tensor) -> Tensor:
        """Return the mean over heads of the weights, shape (n_samples, tokens, tokens)."""
        inside: nn.Module = module
        if self.layer is not None:
            (inside,) = find_layers(module, self.layer)
        with _AttentionWeights() as seen:
            handles = [
                inside.register_forward_pre_hook(lambda *_: seen.start()),
                inside.register_forward_hook(lambda *_: seen.stop(), always_call=True),
            ]
            try:
                module(x)
            finally:
                for handle in handles:
                    handle.remove()
        name = "the network" if self.layer is None else repr(self.layer)
        if seen.last is None:
            raise ValueError(
                f"layer must be one in which attention is computed, by MultiheadAttention, "
                f"scaled_dot_product_attention or a softmax over tokens; found none in {name}."
            )
        n, tokens = x.shape[:2]
        weights = full_precision(seen.last)
        if weights.shape[-2:] != (tokens, tokens) or weights.numel() % (n * tokens**2):
            raise ValueError(
                f"layer must be one in which each token of X attends to all, weights of shape "
                f"(n_samples, heads, {tokens}, {tokens}); got {tuple(weights.shape)} for {n} "
                f"samples in {name}."
            )
        if self.query is not None and self.query >= tokens:
            raise ValueError(
                f"query must be a position of the {tokens} tokens of X; got {self.query}."
            )
        return weights.reshape(n, -1, tokens, tokens).mean(1)


def _is_position(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 0


class _AttentionWeights(TorchFunctionMode):
    """Keeps the weights of the attention that ran last while it listens; results do not change."""

    def __init__(self) -> None:
        super().__init__()
        self.listens = False
        self.last: Tensor | None = None

    def start(self) -> None:
        """Start storing attention weights."""
        self.listens = True

    def stop(self) -> None:
        """Stop storing attention weights."""
        self.listens = False

    def __torch_function__(
        self,
        function: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if not self.listens:
            return function(*args, **kwargs)
        if function is functional.multi_head_attention_forward:
            # Its own weights; the mode does not see what it calls.
            wanted = kwargs.get("need_weights", True), kwargs.get("average_attn_weights", True)
            asked = {**kwargs, "need_weights": True, "average_attn_weights": False}
            forward: Any = function
            output, weights = forward(*args, **asked)
            self.last = weights
            return output, (weights.mean(1) if wanted[1] else weights) if wanted[0] else None
        result = function(*args, **kwargs)
        if function is functional.scaled_dot_product_attention:
            self.last = _weights_of(*args, **kwargs)
        elif function in _SOFTMAX and result.ndim >= 3 and result.shape[-1] == result.shape[-2]:
            self.last = result
        return result


def _weights_of(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return the weights of scaled dot product attention, which its fast forms keep to themselves.

    Parameters
    ----------
    query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
        As in ``torch.nn.functional.scaled_dot_product_attention``.

    Returns
    -------
    Tensor of shape (n_samples, heads, tokens, tokens)
    """
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = query @ key.transpose(-2, -1) * scale
    if is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1)
