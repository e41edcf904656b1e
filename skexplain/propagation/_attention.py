"""Rules for attention: scores of queries and keys, their softmax, and means of values."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ._decomposition import Decomposition, share
from ._dispatch import Propagated, call_rule
from ._interval import Interval

# Scores of keys that a query may not attend to: finite, as bounds have no infinite differences.
_NEVER = -1e9


def _allowed(attn_mask: Tensor | None, is_causal: bool, like: Any) -> Tensor:
    """Return what is added to scores of shape (..., queries, keys)."""
    bias = torch.zeros((), dtype=like.dtype, device=like.device)
    if is_causal:
        lower = torch.ones(like.shape[-2:], dtype=torch.bool, device=like.device).tril()
        bias = bias.masked_fill(~lower, _NEVER)
    if attn_mask is not None and attn_mask.dtype is torch.bool:
        bias = bias.masked_fill(~attn_mask, _NEVER)
    elif attn_mask is not None:
        bias = bias + attn_mask.clamp(min=_NEVER)
    return bias


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Propagate attention of queries to keys, of which the values are averaged.

    Parameters
    ----------
    query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa
        As of ``torch.nn.functional.scaled_dot_product_attention``, without dropout.

    Returns
    -------
    Interval or Decomposition
    """
    kind = next(type(x) for x in (query, key, value) if isinstance(x, Propagated))
    if dropout_p or enable_gqa or isinstance(attn_mask, Propagated):
        function = functional.scaled_dot_product_attention
        raise kind.no_rule(function, " with dropout, grouped queries or a mask of the input")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    product = _PRODUCTS[kind]
    scores = product(query * scale, key.transpose(-2, -1))
    bias = _allowed(attn_mask, is_causal, scores)
    if isinstance(scores, kind):
        weights = _SOFTMAX[kind](scores, bias)
    else:
        weights = (scores + bias).softmax(-1)
    return product(weights, value) if kind is Decomposition else _mean(weights, value)


# -- intervals -----------------------------------------------------------------------------------


def _bounded_softmax(scores: Interval, bias: Tensor) -> Any:
    return (scores + bias).softmax(-1)


def _mean(weights: Any, value: Any) -> Interval:
    """Bound means of values by weights that add up to one.

    Subtracting a constant from all values changes the mean by it, which makes products small; and
    no mean lies outside of the values.
    """
    least = getattr(value, "lower", value).amin(-2, keepdim=True)
    most = getattr(value, "upper", value).amax(-2, keepdim=True)
    middle = (least + most) / 2
    result = torch.matmul(weights, value - middle) + middle
    return Interval.from_bounds(
        torch.maximum(result.lower, least), torch.minimum(result.upper, most)
    )


# -- decompositions ------------------------------------------------------------------------------


def _shared_product(a: Any, b: Any) -> Decomposition:
    """Multiply two decompositions; what both parts have in common goes to each by half.

    So the shares are the Shapley values of the two: what does not depend on the part of the input
    in question contributes nothing.
    """
    if not (isinstance(a, Decomposition) and isinstance(b, Decomposition)):
        return torch.matmul(a, b)  # type: ignore[return-value]  # of which one is
    part = a.part @ (b.part + b.rest / 2) + (a.rest / 2) @ b.part
    return Decomposition(part, a.total @ b.total - part)


def _decomposed_softmax(scores: Any, bias: Tensor) -> Decomposition:
    """Split a softmax as an activation: what it is without any score is a bias."""
    at_zero = bias.softmax(-1) if bias.ndim else torch.zeros_like(scores.part).softmax(-1)
    part, whole = ((x + bias).softmax(-1) for x in (scores.part, scores.total))
    return share(Decomposition(part - at_zero, whole - part), at_zero.expand_as(part))


_PRODUCTS: dict[Any, Callable[..., Any]] = {
    Interval: torch.matmul,
    Decomposition: _shared_product,
}
_SOFTMAX: dict[Any, Callable[..., Any]] = {
    Interval: _bounded_softmax,
    Decomposition: _decomposed_softmax,
}


# -- several heads -------------------------------------------------------------------------------


def multi_head_attention(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, None]:
    """Propagate what ``torch.nn.MultiheadAttention`` computes; the weights are left out.

    The parameters are those of ``torch.nn.functional.multi_head_attention_forward``, with queries
    of shape (queries, n_samples, units).

    Returns
    -------
    output : Interval or Decomposition of shape (queries, n_samples, units)
    weights : None
    """
    kind = next(type(x) for x in (query, key, value) if isinstance(x, Propagated))
    extras = (bias_k, bias_v, static_k, static_v)
    if (training and dropout_p) or add_zero_attn or any(x is not None for x in extras):
        function = functional.multi_head_attention_forward
        raise kind.no_rule(function, " with dropout, added or static keys")
    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
    else:
        weights = in_proj_weight.chunk(3)  # type: ignore[union-attr]  # there is one then
    biases = (None,) * 3 if in_proj_bias is None else in_proj_bias.chunk(3)
    batched = query.ndim == 3

    def heads(x: Any, weight: Any, bias: Tensor | None) -> Any:
        x = functional.linear(x if batched else x.unsqueeze(1), weight, bias)
        return x.unflatten(-1, (num_heads, -1)).permute(1, 2, 0, 3)

    q, k, v = (heads(*each) for each in zip((query, key, value), weights, biases, strict=True))
    mask = None
    if attn_mask is not None:
        n_heads = num_heads if attn_mask.ndim == 3 else 1
        mask = _as_bias(attn_mask, q).reshape(-1, n_heads, *attn_mask.shape[-2:])
    if key_padding_mask is not None:
        padding = _as_bias(key_padding_mask, q).reshape(-1, 1, 1, key_padding_mask.shape[-1])
        mask = padding if mask is None else mask + padding
    mean = scaled_dot_product_attention(q, k, v, mask, is_causal=is_causal and mask is None)
    output = functional.linear(mean.permute(2, 0, 1, 3).flatten(2), out_proj_weight, out_proj_bias)
    return output if batched else output.squeeze(1), None


def _as_bias(mask: Tensor, like: Any) -> Tensor:
    """Turn a mask, of which True is what may not be attended to, into what is added to scores."""
    if mask.dtype is not torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, _NEVER)


_RULES = {
    "scaled_dot_product_attention": call_rule(scaled_dot_product_attention),
    "multi_head_attention_forward": call_rule(multi_head_attention),
}
Interval.rules.maps[1].update(_RULES)
Decomposition.rules.update(_RULES)
