"""Operations on tensors, one row or more for each rule that intervals have."""

import math
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F


def fixed(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class Row(NamedTuple):
    """An operation, the shape of its input, and the range in which boxes lie."""

    function: Any
    shape: tuple = (3, 4)
    low: float = -3.0
    high: float = 3.0


def on(shape, *functions, low=-3.0, high=3.0):
    return [Row(function, shape, low, high) for function in functions]


def positive(*functions):
    return on((3, 4), *functions, low=0.1)


MASK = fixed(3, 4) > 0
IMAGE = (2, 4, 6, 6)
SPACE = {1: (2, 4, 7), 2: (2, 4, 6, 5), 3: (2, 4, 5, 4, 6)}

# Functions of single entries, bounded exactly.
OF_ENTRIES = {
    "relu": on((3, 4), F.relu, nn.ReLU(inplace=True)),
    "relu6": on((3, 4), F.relu6, low=-8, high=8),
    "hardtanh": on((3, 4), nn.Hardtanh(-1, 2), nn.ReLU6()),
    "selu": on((3, 4), F.selu),
    "celu": on((3, 4), nn.CELU(0.5)),
    "sigmoid": on((3, 4), torch.sigmoid, torch.special.expit),
    "tanh": on((3, 4), torch.tanh),
    "softplus": on((3, 4), F.softplus, nn.Softplus(beta=3)),
    "logsigmoid": on((3, 4), F.logsigmoid),
    "hardsigmoid": on((3, 4), F.hardsigmoid, low=-5, high=5),
    "softsign": on((3, 4), F.softsign),
    "hardshrink": on((3, 4), F.hardshrink),
    "softshrink": on((3, 4), F.softshrink),
    "tanhshrink": on((3, 4), F.tanhshrink),
    "exp": on((3, 4), torch.exp),
    "exp2": on((3, 4), torch.exp2),
    "expm1": on((3, 4), torch.expm1),
    "erf": on((3, 4), torch.erf),
    "atan": on((3, 4), torch.atan),
    "sinh": on((3, 4), torch.sinh),
    "asinh": on((3, 4), torch.asinh),
    "floor": on((3, 4), torch.floor),
    "ceil": on((3, 4), torch.ceil),
    "round": on((3, 4), torch.round),
    "trunc": on((3, 4), torch.trunc),
    "sign": on((3, 4), torch.sign),
    "abs": on((3, 4), abs, torch.abs),
    "square": on((3, 4), torch.square),
    "silu": on((3, 4), F.silu),
    "mish": on((3, 4), F.mish),
    "hardswish": on((3, 4), F.hardswish, low=-5, high=5),
    "gelu": on((3, 4), F.gelu, nn.GELU("tanh")),
    "leaky_relu": on((3, 4), F.leaky_relu, nn.LeakyReLU(-0.5), lambda x: F.leaky_relu(x, 0.2)),
    "elu": on((3, 4), F.elu, nn.ELU(0.3), nn.ELU(-0.5)),
    "rrelu": on((3, 4), nn.RReLU().eval(), nn.RReLU(-0.5, -0.2).eval()),
    "prelu": on((3, 4), lambda x: F.prelu(x, fixed(4))),
    "threshold": on((3, 4), nn.Threshold(0.5, -1.0), nn.Threshold(-1.0, -1.0)),
    "log": positive(torch.log),
    "log2": positive(torch.log2),
    "log10": positive(torch.log10),
    "log1p": on((3, 4), torch.log1p, low=-0.9),
    "pow": [
        *on((3, 4), lambda x: x**2, lambda x: x**3, lambda x: x**0, lambda x: torch.pow(x, 4.0)),
        *positive(lambda x: x**0.5, lambda x: x**1.5, lambda x: x**-0.5, lambda x: x**-2),
        *on((3, 4), lambda x: x**-1, lambda x: x**-2, low=-3.0, high=-0.1),
    ],
    "sqrt": positive(torch.sqrt),
    "rsqrt": positive(torch.rsqrt),
    "rpow": on((3, 4), lambda x: 2**x, lambda x: 0.5**x),
    "cos": on((3, 4), torch.cos, low=-8, high=8),
    "sin": on((3, 4), torch.sin, low=-8, high=8),
    "reciprocal": [
        *positive(torch.reciprocal),
        *on((3, 4), torch.reciprocal, low=-3.0, high=-0.1),
    ],
    "clamp": on((3, 4), lambda x: x.clamp(-1, 2), lambda x: x.clip(max=0.5)),
    "clamp_min": on((3, 4), lambda x: x.clamp_min(0.5)),
    "clamp_max": on((3, 4), lambda x: x.clamp_max(0.5)),
    "neg": on((3, 4), torch.neg, lambda x: -x),
}


def convolutions(dimension):
    convolve = getattr(F, f"conv{dimension}d")
    weight = fixed(6, 2, *[3] * dimension)
    return on(
        SPACE[dimension],
        lambda x: convolve(x, weight, fixed(6), groups=2),
        lambda x: convolve(x, weight, padding="same", dilation=2, groups=2),
        lambda x: convolve(x, weight, None, 2, "valid" if dimension == 1 else 1, 1, 2),
    )


def transposed_convolutions(dimension):
    convolve = getattr(F, f"conv_transpose{dimension}d")
    weight = fixed(4, 3, *[3] * dimension)
    return on(
        SPACE[dimension],
        lambda x: convolve(x, weight, fixed(6), groups=2, dilation=2),
        lambda x: convolve(x, weight, stride=2, padding=1, output_padding=1, groups=2),
    )


def pools(dimension):
    space = SPACE[dimension]
    average, largest = getattr(F, f"avg_pool{dimension}d"), getattr(F, f"max_pool{dimension}d")
    adaptive = (getattr(F, f"adaptive_{kind}_pool{dimension}d") for kind in ("avg", "max"))
    return {
        f"avg_pool{dimension}d": on(
            space,
            lambda x: average(x, 2),
            lambda x: average(x, 3, 2, 1, True, count_include_pad=False),
        ),
        f"max_pool{dimension}d": on(
            space, lambda x: largest(x, 2), lambda x: largest(x, 3, stride=2, padding=1)
        ),
        **{
            f"adaptive_{kind}_pool{dimension}d": on(space, lambda x, f=f: f(x, 3))
            for kind, f in zip(("avg", "max"), adaptive, strict=True)
        },
    }


def dropped(dropout):
    """Drop the same entries whenever it is called."""

    def call(x):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            return dropout(x, 0.5, training=True)

    return call


# Which keys each of three queries may attend to, in two samples.
KEYS = torch.tensor([[[True, True, False]] * 3, [[True] * 3] * 3])
HEADS = nn.MultiheadAttention(4, 2, batch_first=True).double().eval()


ROWS = {
    **OF_ENTRIES,
    "linear": on((3, 4), lambda x: F.linear(x, fixed(5, 4), fixed(5)), nn.Linear(4, 2).double()),
    **{f"conv{d}d": convolutions(d) for d in (1, 2, 3)},
    **{f"conv_transpose{d}d": transposed_convolutions(d) for d in (1, 2, 3)},
    **pools(1),
    **pools(2),
    **pools(3),
    "add": on(
        (3, 4),
        lambda x: x + 1,
        lambda x: fixed(2, 1, 4) + x,
        lambda x: torch.add(x, x[:1], alpha=-2),
        lambda x: x.add(fixed(4), alpha=3),
        lambda x: torch.add(input=x, other=MASK),
    ),
    "sub": on(
        (3, 4),
        lambda x: x - fixed(3, 1),
        lambda x: fixed(2, 1, 4) - x,
        lambda x: x - x[:, :1],
        lambda x: torch.sub(x, fixed(4), alpha=2),
    ),
    "rsub": on((3, 4), lambda x: 1 - x, lambda x: torch.rsub(x, fixed(4), alpha=2)),
    "mul": on(
        (3, 4),
        lambda x: -2 * x,
        lambda x: fixed(2, 1, 4) * x,
        lambda x: x * MASK,
        lambda x: x * x.flip(0),
        lambda x: x * x[:, :1],
        lambda x: x * x,
    ),
    "div": [
        *on((3, 4), lambda x: x / -2, lambda x: x / fixed(4)),
        *positive(lambda x: (x - 1) / x.flip(1), lambda x: fixed(4) / x),
    ],
    "rdiv": positive(lambda x: -2 / x, lambda x: 1 / x),
    "addmm": on(
        (3, 4),
        lambda x: torch.addmm(fixed(3, 5), x, fixed(4, 5), beta=2, alpha=-1),
        lambda x: torch.addmm(x, fixed(3, 2), fixed(2, 4)),
    ),
    "baddbmm": on((2, 3, 4), lambda x: torch.baddbmm(fixed(2, 3, 3), x, x.mT)),
    "matmul": on(
        (2, 3, 4),
        lambda x: torch.matmul(x, other=fixed(4, 5)),
        lambda x: fixed(5, 3) @ x,
        lambda x: x @ x.mT,
    ),
    "rmatmul": on((3, 4), lambda x: x.__rmatmul__(fixed(2, 3))),
    "bmm": on((2, 3, 4), lambda x: torch.bmm(x, x.transpose(1, 2))),
    "mm": on((3, 4), lambda x: torch.mm(x, fixed(4, 2))),
    "mv": on((3, 4), lambda x: x.mv(fixed(4)), lambda x: torch.mv(fixed(2, 3), x[:, 0])),
    "dot": on((4,), lambda x: x.dot(fixed(4))),
    "inner": on((3, 4), lambda x: torch.inner(x, fixed(2, 4))),
    "outer": on((4,), lambda x: torch.outer(x, x.flip(0))),
    "einsum": on(
        (2, 3, 4),
        lambda x: torch.einsum("bij->bji", x),
        lambda x: torch.einsum("bij,jk->bik", x, fixed(4, 2)),
        lambda x: torch.einsum("bij,bkj->bik", [x, x]),
    ),
    "batch_norm": on(
        (5, 3),
        lambda x: F.batch_norm(x, fixed(3), fixed(3).exp(), -fixed(3).exp(), fixed(3)),
        lambda x: F.batch_norm(x, fixed(3), fixed(3).exp()),
    ),
    "layer_norm": [
        *on((3, 4), nn.LayerNorm(4, elementwise_affine=False)),
        *on(
            (3, 2, 4), lambda x: F.layer_norm(x, (2, 4), fixed(2, 4), fixed(2, 4, seed=1), eps=0.1)
        ),
        *on((3, 1), lambda x: F.layer_norm(x, (1,)), lambda x: F.layer_norm(x, [1], fixed(1))),
    ],
    "rms_norm": on((3, 2, 4), lambda x: F.rms_norm(x, (4,), fixed(4)), nn.RMSNorm((2, 4)).double()),
    "group_norm": on(
        IMAGE, lambda x: F.group_norm(x, 2, fixed(4), fixed(4, seed=1)), nn.GroupNorm(1, 4).double()
    ),
    "instance_norm": on(
        IMAGE,
        nn.InstanceNorm2d(4),
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True).double().eval(),
    ),
    "softmax": on((3, 4), lambda x: x.softmax(1), lambda x: F.softmax(x, 0), nn.Softmax(dim=-1)),
    "log_softmax": on((3, 4), lambda x: x.log_softmax(-1), lambda x: F.log_softmax(x, 0)),
    "logsumexp": on((3, 4), lambda x: x.logsumexp(1)),
    "scaled_dot_product_attention": on(
        (2, 3, 4),
        lambda x: F.scaled_dot_product_attention(x, x, x),
        lambda x: F.scaled_dot_product_attention(x, x.flip(1), 3 * x, is_causal=True),
        lambda x: F.scaled_dot_product_attention(fixed(2, 3, 4), x, x, KEYS, scale=2.0),
        lambda x: F.scaled_dot_product_attention(x, x, fixed(2, 3, 5), KEYS.double()),
    ),
    "multi_head_attention_forward": on(
        (2, 3, 4),
        lambda x: HEADS(x, x, x, need_weights=False)[0],
        lambda x: HEADS(x, x, x, key_padding_mask=~KEYS[:, 0], need_weights=False)[0],
        lambda x: HEADS(x[0], x[1], fixed(3, 4), attn_mask=~KEYS[0], need_weights=False)[0],
    ),
    "glu": on((3, 4), F.glu, lambda x: F.glu(x.T, 0)),
    "max": on(
        (3, 4),
        torch.max,
        lambda x: x.max(1)[0],
        lambda x: x.max(0, keepdim=True).values,
        lambda x: torch.max(x, fixed(4)),
        lambda x: torch.max(x, x.flip(0)),
    ),
    "min": on((3, 4), torch.min, lambda x: x.min(1).values),
    "amax": on((3, 4), lambda x: x.amax((0, 1)), lambda x: x.amax(1)),
    "amin": on((3, 4), lambda x: x.amin(1)),
    "maximum": on((3, 4), lambda x: torch.maximum(x, x.flip(1))),
    "minimum": on((3, 4), lambda x: torch.minimum(fixed(4), x)),
    "fmax": on((3, 4), lambda x: x.fmax(fixed(4))),
    "fmin": on((3, 4), lambda x: x.fmin(fixed(4))),
    "sort": on((3, 4), lambda x: x.sort(1)[0]),
    "view": on((3, 4), lambda x: x.view(-1), lambda x: (x + fixed(2, 1, 1)).view(-1)),
    "reshape": on((3, 4), lambda x: x.T.reshape(-1)),
    "flatten": on(IMAGE, nn.Flatten()),
    "unflatten": on((3, 4), nn.Unflatten(1, (2, 2))),
    "ravel": on((3, 4), torch.ravel),
    "squeeze": on((3, 1, 4), lambda x: x.squeeze(1)),
    "unsqueeze": on((3, 4), lambda x: x.unsqueeze(1)),
    "permute": on((2, 3, 4), lambda x: x.permute(2, 0, 1), lambda x: x[0].T),
    "transpose": on((3, 4), lambda x: x.transpose(0, 1), lambda x: x.swapaxes(0, 1)),
    "adjoint": on((3, 4), lambda x: x.adjoint()),
    "movedim": on((2, 3, 4), lambda x: x.movedim(0, -1), lambda x: torch.moveaxis(x, 0, 1)),
    "t": on((3, 4), torch.t),
    "flip": on((3, 4), lambda x: x.flip(1)),
    "roll": on((3, 4), lambda x: x.roll(1, 0)),
    "rot90": on((3, 4), lambda x: x.rot90()),
    "expand": on((3, 1), lambda x: x.expand(-1, 4)),
    "expand_as": on((3, 1), lambda x: x.expand_as(fixed(3, 4)), lambda x: x.expand_as(x @ x.T)),
    "broadcast_to": on((3, 1), lambda x: x.broadcast_to(2, 3, 4)),
    "repeat": on((3, 4), lambda x: x.repeat(2, 1)),
    "tile": on((3, 4), lambda x: x.tile(2)),
    "repeat_interleave": on((3, 4), lambda x: x.repeat_interleave(2, dim=0)),
    "cat": on(
        (3, 4),
        lambda x: torch.cat([x, 2 * x], 1),
        lambda x: torch.concat((fixed(1, 4), x)),
        lambda x: torch.cat(tensors=[x, x]),
    ),
    "stack": on((3, 4), lambda x: torch.stack([x, fixed(3, 4)], -1)),
    "hstack": on((3, 4), lambda x: torch.hstack([x, x])),
    "vstack": on((3, 4), lambda x: torch.vstack([x, x])),
    "dstack": on((3, 4), lambda x: torch.dstack([x, x])),
    "chunk": on((3, 4), lambda x: x.chunk(2, 1)),
    "split": on((3, 4), lambda x: x.split(2), lambda x: torch.split(x, [1, 2])),
    "split_with_sizes": on((3, 4), lambda x: x.split_with_sizes([1, 2])),
    "tensor_split": on((3, 4), lambda x: x.tensor_split(3, dim=1)),
    "unbind": on((3, 4), lambda x: x.unbind(1), list),
    "getitem": on((3, 4), lambda x: x[1:, None], lambda x: x[..., [0, 2]], lambda x: x[MASK]),
    "select": on((3, 4), lambda x: x.select(1, 2)),
    "narrow": on((3, 4), lambda x: x.narrow(1, 1, 2)),
    "index_select": on((3, 4), lambda x: x.index_select(1, torch.tensor([2, 0]))),
    "gather": on((3, 4), lambda x: x.gather(1, torch.tensor([[0], [3], [1]]))),
    "take_along_dim": on((3, 4), lambda x: x.take_along_dim(torch.tensor([[1]]), 1)),
    "masked_select": on((3, 4), lambda x: x.masked_select(MASK)),
    "diagonal": on((3, 4), lambda x: x.diagonal()),
    "tril": on((3, 4), torch.tril),
    "triu": on((3, 4), torch.triu),
    "unfold": on(IMAGE, nn.Unfold(3, padding=1), lambda x: x.unfold(2, 3, 1)),
    "fold": on((2, 12, 4), nn.Fold((3, 3), 2)),
    "pixel_shuffle": on(IMAGE, nn.PixelShuffle(2)),
    "pixel_unshuffle": on(IMAGE, nn.PixelUnshuffle(2)),
    "channel_shuffle": on(IMAGE, nn.ChannelShuffle(2)),
    "contiguous": on((3, 4), lambda x: x.T.contiguous()),
    "clone": on((3, 4), torch.clone),
    "detach": on((3, 4), lambda x: x + x.detach()),
    "cpu": on((3, 4), lambda x: x.cpu()),
    "sum": on((3, 4), torch.sum, lambda x: x.sum(1, keepdim=True)),
    "mean": on((3, 4), torch.mean, lambda x: x.mean((0, 1)), lambda x: x.mean(dim=0)),
    "cumsum": on((3, 4), lambda x: x.cumsum(1)),
    "view_as": on((3, 4), lambda x: x.T.contiguous().view_as(x)),
    "reshape_as": on((3, 4), lambda x: x.reshape_as(fixed(2, 6))),
    "type_as": on((3, 4), lambda x: x.type_as(MASK.double()), lambda x: x * MASK.type_as(x)),
    "type": on((3, 4), lambda x: x.type(torch.float64)),
    "to": on((3, 4), lambda x: x.to(torch.float64), lambda x: x + MASK.to(x)),
    "double": on((3, 4), lambda x: x.double()),
    "float": on((3, 4), lambda x: x.float().double()),
    "half": on((3, 4), lambda x: x.half().double()),
    "pad": [
        *on(
            IMAGE,
            lambda x: F.pad(x, (1, 2)),
            lambda x: F.pad(x, (1, 2, 0, 1), value=-4.0),
            nn.ReflectionPad2d(2),
            nn.ReplicationPad2d((0, 1, 2, 3)),
            nn.CircularPad2d(1),
        ),
        *on(SPACE[1], nn.Conv1d(4, 3, 3, padding=1, padding_mode="circular").double()),
    ],
    "interpolate": on(
        IMAGE,
        nn.Upsample(scale_factor=2),
        lambda x: F.interpolate(x, 4, mode="area"),
        lambda x: F.interpolate(x, (9, 5), mode="bilinear", align_corners=True),
        lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True),
    ),
    "dropout": on((3, 4), nn.Dropout().eval(), dropped(F.dropout), nn.Dropout(0.5, True).eval()),
    "dropout1d": on(SPACE[1], dropped(F.dropout1d)),
    "dropout2d": on(SPACE[2], dropped(F.dropout2d)),
    "dropout3d": on(SPACE[3], dropped(F.dropout3d)),
    "alpha_dropout": on((3, 4), nn.AlphaDropout().eval()),
    "feature_alpha_dropout": on(IMAGE, nn.FeatureAlphaDropout().eval()),
    "where": on(
        (3, 4),
        lambda x: torch.where(MASK, x, 2.0),
        lambda x: torch.where(MASK, fixed(4), -x),
        lambda x: x.where(MASK, x.flip(0)),
        lambda x: torch.where(condition=MASK, input=x, other=x[:1]),
    ),
    "masked_fill": on(
        (3, 4), lambda x: x.masked_fill(MASK, 7.0), lambda x: x.masked_fill(MASK, -math.inf).exp()
    ),
}
