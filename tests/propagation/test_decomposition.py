"""Check every rule of contextual decomposition: parts add up to the forward pass and equal cases by
hand.
"""

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from skexplain.exceptions import UnsupportedOperationError
from skexplain.propagation import Decomposition, decompose, register_decomposition_rule


def fixed(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def build(make, seed=0):
    """Make a network in double precision, with statistics and scales as after training."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = make().double().eval()
        for values in [*net.parameters(), *net.buffers()]:
            if values.ndim == 1:
                nn.init.uniform_(values, 0.5, 1.5)
        # Biases of either sign.
        for name, values in net.named_parameters():
            if name.endswith("bias"):
                nn.init.normal_(values)
    return net


class Call(nn.Module):
    """A network of one function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Row(NamedTuple):
    """An operation, the shape of its input, and whether it splits something in halves."""

    module: Any
    shape: tuple
    halves: bool = False


def on(shape, *functions):
    return [Row(Call(function), shape) for function in functions]


def halving(shape, *functions):
    return [Row(Call(function), shape, halves=True) for function in functions]


def layers(shape, *makes):
    return [Row(build(make), shape) for make in makes]


TABLE = (3, 4)
IMAGE = (2, 4, 6, 6)
SPACE = {1: (2, 4, 7), 2: (2, 4, 6, 5), 3: (2, 4, 5, 4, 6)}

SHAPES = {
    "view": on(TABLE, lambda x: x.view(-1, 2)),
    "reshape": on(TABLE, lambda x: torch.reshape(x, (4, 3))),
    "flatten": on(IMAGE, nn.Flatten(), lambda x: x.flatten(2)),
    "unflatten": on(TABLE, nn.Unflatten(1, (2, 2))),
    "ravel": on(TABLE, torch.ravel),
    "squeeze": on((3, 1, 4), lambda x: x.squeeze(1), lambda x: x.clone().squeeze_(1)),
    "unsqueeze": on(TABLE, lambda x: x.unsqueeze(1), lambda x: x.clone().unsqueeze_(1)),
    "expand": on((3, 1), lambda x: x.expand(3, 5)),
    "broadcast_to": on((3, 1), lambda x: torch.broadcast_to(x, (3, 5))),
    "repeat": on(TABLE, lambda x: x.repeat(2, 1)),
    "tile": on(TABLE, lambda x: torch.tile(x, (2,))),
    "repeat_interleave": on(TABLE, lambda x: x.repeat_interleave(2, dim=1)),
    "permute": on(IMAGE, lambda x: x.permute(0, 2, 3, 1)) + on(TABLE, lambda x: x.T),
    "transpose": on(IMAGE, lambda x: x.transpose(1, 2), lambda x: x.swapaxes(0, 1), lambda x: x.mT),
    "t": on(TABLE, torch.t),
    "movedim": on(IMAGE, lambda x: x.movedim(1, -1), lambda x: torch.moveaxis(x, 1, 2)),
    "flip": on(TABLE, lambda x: x.flip(1)),
    "roll": on(TABLE, lambda x: x.roll(1, 1)),
    "rot90": on(IMAGE, lambda x: x.rot90(1, (2, 3))),
    "cat": [
        *on(TABLE, lambda x: torch.cat([x, 2 * x], 1)),
        *halving(TABLE, lambda x: torch.cat([x, fixed(3, 2)], 1)),
    ],
    "stack": [
        *on(TABLE, lambda x: torch.stack([x, 3 * x])),
        *halving(TABLE, lambda x: torch.stack([fixed(3, 4), x], -1)),
    ],
    "hstack": on(TABLE, lambda x: torch.hstack((x, x))),
    "vstack": on(TABLE, lambda x: torch.vstack((x, x))),
    "chunk": on(TABLE, lambda x: x.chunk(2, 1)[1]),
    "split": on(TABLE, lambda x: x.split(3, 1)[0], lambda x: torch.split(x, [1, 3], 1)[1]),
    "tensor_split": on(TABLE, lambda x: x.tensor_split(3, 1)[2]),
    "unbind": on(TABLE, lambda x: x.unbind(1)[2], lambda x: list(x)[1]),
    "getitem": on(IMAGE, lambda x: x[:, 1:, ..., ::2], lambda x: x[:, torch.tensor([0, 3])]),
    "select": on(TABLE, lambda x: x.select(1, 2)),
    "narrow": on(TABLE, lambda x: x.narrow(1, 1, 2)),
    "index_select": on(TABLE, lambda x: x.index_select(1, torch.tensor([3, 1]))),
    "diagonal": on(TABLE, lambda x: x.diagonal()),
    "contiguous": on(TABLE, lambda x: x.t().contiguous()),
    "clone": on(TABLE, torch.clone),
    "detach": on(TABLE, lambda x: x.detach()),
    "to": on(TABLE, lambda x: x.to("cpu"), lambda x: x.to(torch.float64)),
    "float": on(TABLE, lambda x: x.float()),
    "double": on(TABLE, lambda x: x.double()),
    "cpu": on(TABLE, lambda x: x.cpu()),
    "neg": on(TABLE, lambda x: -x, torch.negative, lambda x: x.clone().neg_()),
    "positive": on(TABLE, torch.positive),
    "sum": on(IMAGE, lambda x: x.sum(1), lambda x: torch.sum(x, dim=(2, 3))),
    "mean": on(IMAGE, lambda x: x.mean((2, 3)), torch.mean),
    "cumsum": on(TABLE, lambda x: x.cumsum(1)),
    "pixel_shuffle": on(IMAGE, nn.PixelShuffle(2)),
    "pixel_unshuffle": on(IMAGE, nn.PixelUnshuffle(2)),
    "channel_shuffle": on(IMAGE, nn.ChannelShuffle(2)),
    "unfold": on(IMAGE, nn.Unfold(3, padding=1), lambda x: x.unfold(2, 3, 1)),
    "fold": on((2, 4 * 9, 36), nn.Fold((6, 6), 3, padding=1)),
    "interpolate": on(
        IMAGE,
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(scale_factor=1.5),
        lambda x: F.interpolate(x, size=(4, 9), mode="bicubic", align_corners=True),
        lambda x: F.interpolate(x, size=3, mode="area"),
    ),
    "avg_pool1d": on(SPACE[1], nn.AvgPool1d(3, 2, 1)),
    "avg_pool2d": on(SPACE[2], nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)),
    "avg_pool3d": on(SPACE[3], nn.AvgPool3d(2)),
    "adaptive_avg_pool1d": on(SPACE[1], nn.AdaptiveAvgPool1d(3)),
    "adaptive_avg_pool2d": on(SPACE[2], nn.AdaptiveAvgPool2d((1, 2))),
    "adaptive_avg_pool3d": on(SPACE[3], nn.AdaptiveAvgPool3d(2)),
}
WEIGHTS = fixed(4, 5, seed=1)
ARITHMETIC = {
    "add": on(
        TABLE,
        lambda x: x + 2,
        lambda x: fixed(4) + x,
        lambda x: torch.add(x, x.flip(1), alpha=3),
        lambda x: torch.add(fixed(3, 1), x, alpha=-2),
        lambda x: x.clone().add_(1.5),
        lambda x: sum([x, x]),
    ),
    "sub": on(
        TABLE, lambda x: x - 0.5, lambda x: fixed(3, 4, seed=1) - x, lambda x: torch.sub(x, 2 * x)
    ),
    "rsub": on(TABLE, lambda x: 1 - x, lambda x: torch.rsub(x, 2.0, alpha=3)),
    "mul": on(TABLE, lambda x: 2 * x, lambda x: x * fixed(4), lambda x: x.clone().mul_(-1)),
    "div": on(TABLE, lambda x: x / 3, lambda x: torch.div(x, fixed(3, 4, seed=2))),
    "matmul": on(TABLE, lambda x: x @ WEIGHTS, lambda x: torch.matmul(fixed(2, 3), x)),
    "rmatmul": on(TABLE, lambda x: x.__rmatmul__(fixed(2, 3))),
    "mm": on(TABLE, lambda x: x.mm(WEIGHTS)),
    "bmm": on((2, 3, 4), lambda x: torch.bmm(x, fixed(2, 4, 2))),
    "mv": on(TABLE, lambda x: x.mv(fixed(4))),
    "einsum": on(TABLE, lambda x: torch.einsum("ij,jk->ik", x, WEIGHTS)),
}
LAYERS = {
    "linear": layers(TABLE, lambda: nn.Linear(4, 3), lambda: nn.Linear(4, 3, bias=False)),
    "conv1d": layers(
        SPACE[1],
        lambda: nn.Conv1d(4, 6, 3, stride=2, padding=2, dilation=2, groups=2),
        lambda: nn.Conv1d(4, 2, 3, padding=2, padding_mode="circular"),
    ),
    "conv2d": layers(SPACE[2], lambda: nn.Conv2d(4, 3, 3, padding="same")),
    "conv3d": layers(SPACE[3], lambda: nn.Conv3d(4, 3, 2, bias=False), lambda: nn.Conv3d(4, 3, 2)),
    "conv_transpose1d": layers(SPACE[1], lambda: nn.ConvTranspose1d(4, 2, 3, 2, 1, 1)),
    "conv_transpose2d": layers(SPACE[2], lambda: nn.ConvTranspose2d(4, 2, 3, groups=2)),
    "conv_transpose3d": layers(SPACE[3], lambda: nn.ConvTranspose3d(4, 2, 2)),
    "batch_norm": layers(
        IMAGE,
        lambda: nn.BatchNorm2d(4),
        lambda: nn.BatchNorm2d(4, affine=False),
        lambda: nn.BatchNorm2d(4, track_running_stats=False),
    )
    + layers(TABLE, lambda: nn.BatchNorm1d(4)),
    "layer_norm": layers(
        IMAGE, lambda: nn.LayerNorm((4, 6, 6)), lambda: nn.LayerNorm(6, elementwise_affine=False)
    ),
    "group_norm": layers(
        IMAGE, lambda: nn.GroupNorm(2, 4), lambda: nn.GroupNorm(1, 4, affine=False)
    ),
    "instance_norm": layers(
        IMAGE,
        lambda: nn.InstanceNorm2d(4, affine=True),
        lambda: nn.InstanceNorm2d(4),
        lambda: nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    ),
    "pad": [
        *on(IMAGE, nn.ZeroPad2d(1), nn.ReflectionPad2d(2), lambda x: F.pad(x, (1, 0))),
        *halving(IMAGE, nn.ConstantPad2d((1, 0, 2, 0), 3.0)),
    ],
    "dropout": on(TABLE, nn.Dropout(0.3).eval()),
    "dropout1d": on(SPACE[1], nn.Dropout1d(0.3).eval()),
    "dropout2d": on(SPACE[2], nn.Dropout2d(0.3).eval()),
    "dropout3d": on(SPACE[3], nn.Dropout3d(0.3).eval()),
    "alpha_dropout": on(TABLE, nn.AlphaDropout(0.3).eval()),
    "feature_alpha_dropout": on(IMAGE, nn.FeatureAlphaDropout(0.3).eval()),
}
ACTIVATIONS = {
    "relu": on(TABLE, F.relu, nn.ReLU(), torch.relu, lambda x: F.relu_(x.clone())),
    "relu6": on(TABLE, nn.ReLU6()),
    "leaky_relu": on(TABLE, nn.LeakyReLU(0.2)),
    "prelu": layers(TABLE, lambda: nn.PReLU(4)),
    "elu": on(TABLE, nn.ELU(0.7)),
    "selu": on(TABLE, nn.SELU()),
    "celu": on(TABLE, nn.CELU(0.7)),
    "gelu": on(TABLE, nn.GELU(), nn.GELU(approximate="tanh")),
    "silu": on(TABLE, nn.SiLU()),
    "mish": on(TABLE, nn.Mish()),
    "hardswish": on(TABLE, nn.Hardswish()),
    "tanh": on(TABLE, nn.Tanh(), torch.tanh),
    "softsign": on(TABLE, nn.Softsign()),
    "tanhshrink": on(TABLE, nn.Tanhshrink()),
    "softshrink": on(TABLE, nn.Softshrink()),
    "hardshrink": on(TABLE, nn.Hardshrink()),
    "erf": on(TABLE, torch.erf),
    "sin": on(TABLE, torch.sin),
    "abs": on(TABLE, torch.abs, abs),
    "square": on(TABLE, torch.square),
    "sigmoid": on(TABLE, nn.Sigmoid(), torch.sigmoid),
    "logsigmoid": on(TABLE, nn.LogSigmoid()),
    "hardsigmoid": on(TABLE, nn.Hardsigmoid()),
    "softplus": on(TABLE, nn.Softplus(), nn.Softplus(beta=3)),
    "hardtanh": on(TABLE, nn.Hardtanh(-1, 2)),
    "threshold": halving(TABLE, nn.Threshold(0.5, 2.0)),
    "clamp": [*on(TABLE, lambda x: x.clamp(-1, 1)), *halving(TABLE, lambda x: x.clip(min=0.5))],
    "exp": on(TABLE, torch.exp),
    "cos": on(TABLE, torch.cos),
}
POOLING = {
    "max_pool1d": on(SPACE[1], nn.MaxPool1d(3, 2, 1), lambda x: F.max_pool1d(x[0], 2)),
    "max_pool2d": on(
        SPACE[2],
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, 2, 1, ceil_mode=True),
        nn.MaxPool2d(2, stride=1, dilation=2),
        lambda x: torch.max_pool2d(x, 2),
    ),
    "max_pool3d": on(SPACE[3], nn.MaxPool3d(2, padding=1)),
    "adaptive_max_pool1d": on(SPACE[1], nn.AdaptiveMaxPool1d(3)),
    "adaptive_max_pool2d": on(SPACE[2], nn.AdaptiveMaxPool2d((2, None))),
    "adaptive_max_pool3d": on(SPACE[3], nn.AdaptiveMaxPool3d(2)),
}
EVERY_OTHER = torch.tensor([True, False, True, False])
CHOICES = {
    "amax": on(IMAGE, lambda x: x.amax(1), lambda x: torch.amax(x, (1, -1), keepdim=True)),
    "amin": on(IMAGE, lambda x: x.amin(dim=2)),
    "max": on(TABLE, lambda x: x.max(1).values, lambda x: torch.max(x, 1, True)[0]),
    "min": on(TABLE, lambda x: x.min(dim=-1)[0]),
    "where": [
        *on(TABLE, lambda x: torch.where(EVERY_OTHER, x, 2 * x), lambda x: x.where(EVERY_OTHER, 0)),
        *halving(TABLE, lambda x: torch.where(EVERY_OTHER, 3.0, x)),
    ],
    "masked_fill": [
        *on(TABLE, lambda x: x.masked_fill(EVERY_OTHER, 0.0)),
        # What never wins contributes nothing.
        *on(TABLE, lambda x: x.masked_fill(EVERY_OTHER, -torch.inf).amax(1)),
        *halving(TABLE, lambda x: x.clone().masked_fill_(EVERY_OTHER, 2.0)),
    ],
}
HEADS = nn.MultiheadAttention(4, 2, batch_first=True).double().eval()
ATTENTION = {
    "scaled_dot_product_attention": [
        *on((2, 3, 4), lambda x: F.scaled_dot_product_attention(x, x, x)),
        # Where there is one key, its weight is a constant.
        *halving(
            (2, 3, 4), lambda x: F.scaled_dot_product_attention(x, x.flip(1), x, is_causal=True)
        ),
    ],
    "multi_head_attention_forward": on((2, 3, 4), lambda x: HEADS(x, x, x, need_weights=False)[0]),
}
ROWS = {**SHAPES, **ARITHMETIC, **LAYERS, **ACTIVATIONS, **POOLING, **CHOICES, **ATTENTION}
every_rule = pytest.mark.parametrize("name", ROWS)


def assert_sum(module, part, rest, **tolerance):
    value = decompose(module, part, rest)
    torch.testing.assert_close(value.total, module(part + rest), **tolerance)
    return value


def test_every_rule_has_a_row():
    assert set(ROWS) == set(Decomposition.rules)


@every_rule
def test_contributions_add_up_to_the_forward(name):
    for seed, row in enumerate(ROWS[name]):
        x = fixed(*row.shape, seed=seed)
        a = fixed(*row.shape, seed=seed + 100).sigmoid().round(decimals=1)
        a[a < 0.4], a[a > 0.6] = 0, 1
        assert_sum(row.module, a * x, (1 - a) * x)
        x[0] = 0  # a blank row
        assert_sum(row.module, a * x, (1 - a) * x)


@every_rule
def test_what_comes_from_one_side_stays_on_it(name):
    """Biases, scales and routes, too, unless a constant meets nothing at all."""
    for seed, row in enumerate(ROWS[name]):
        x = fixed(*row.shape, seed=seed)
        nothing = torch.zeros_like(x)
        output = row.module(x)
        tolerance = {"atol": 1e-6 if output.dtype == torch.float32 else 1e-12, "rtol": 0}
        alone = decompose(row.module, x, nothing)
        beside = decompose(row.module, nothing, x)
        if row.halves:
            torch.testing.assert_close(alone.part, beside.rest)
            assert (alone.rest.abs() > 0.1).any()
        else:
            for given, other in ((alone.part, alone.rest), (beside.rest, beside.part)):
                torch.testing.assert_close(given, output)
                torch.testing.assert_close(other, torch.zeros_like(output), **tolerance)


@every_rule
def test_gradients_are_finite_where_a_side_or_both_are_blank(name):
    for row in ROWS[name]:
        part, rest = fixed(*row.shape), fixed(*row.shape, seed=1)
        part[0], rest[-1], part[1:, ..., 0], rest[1:, ..., 0] = 0, 0, 0, 0
        part.requires_grad_(), rest.requires_grad_()
        value = decompose(row.module, part, rest)
        if name == "detach":
            assert not value.requires_grad
            continue
        leaves = [part, rest, *row.module.parameters()]
        gradients = torch.autograd.grad((value.part + 2 * value.rest).sum(), leaves)
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert any(gradient.any() for gradient in gradients)


# -- by hand ---------------------------------------------------------------------------------------


def test_two_layers_by_hand():
    """x = (2, 1), of which the part in question is the first feature.

    First layer, W x without bias, in (part, rest); then the bias by magnitude; then relu:
      unit 0, W = (1, -2), b = 3:    (2, -2) -> shares 1/2, 1/2: (3.5, -0.5); sum 3 -> (3.5, -0.5)
      unit 1, W = (-1, 3), b = -10:  (-2, 3) -> shares 2/5, 3/5: (-6, -3);  sum -9 -> (0, 0)
      unit 2, W = (-1, 6), b = 4:    (-2, 6) -> shares 1/4, 3/4: (-1, 9);    sum 8 -> (0, 8)
    Second layer, W = (2, 1, 1/2), b = 10: (7, -1 + 4) -> shares 7/10, 3/10: (14, 6).
    """
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -2], [-1, 3], [-1, 6]]))
        net[0].bias.copy_(torch.tensor([3.0, -10, 4]))
        net[2].weight.copy_(torch.tensor([[2.0, 1, 0.5]]))
        net[2].bias.fill_(10)
    part, rest = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    hidden = decompose(net[:2], part, rest)
    torch.testing.assert_close(hidden.part, torch.tensor([[3.5, 0.0, 0.0]]))
    torch.testing.assert_close(hidden.rest, torch.tensor([[-0.5, 0.0, 8.0]]))
    logits = decompose(net, part, rest)
    torch.testing.assert_close(logits.part, torch.tensor([[14.0]]))
    torch.testing.assert_close(logits.rest, torch.tensor([[6.0]]))
    assert net(part + rest).item() == 20


def test_what_an_activation_is_at_zero_is_a_bias():
    """exp(log 3) - 1 = 2 for the part, exp(log 9) - exp(log 3) = 6 for the rest, and 1 as 2 : 6."""
    log3 = torch.tensor([3.0]).log()
    value = decompose(Call(torch.exp), log3, log3)
    torch.testing.assert_close(value.part, torch.tensor([2.25]))
    torch.testing.assert_close(value.rest, torch.tensor([6.75]))


def test_max_pool_takes_both_where_the_sum_is_largest():
    part = torch.tensor([[[5.0, 1.0, -9.0, -2.0]]])
    rest = torch.tensor([[[-6.0, 2.0, 1.0, -3.0]]])  # sums: -1, 3, -8, -5
    value = decompose(nn.MaxPool1d(2), part, rest)
    assert value.part.tolist() == [[[1.0, -2.0]]]
    assert value.rest.tolist() == [[[2.0, -3.0]]]
    # Padding never wins, although all sums of the last window are negative.
    value = decompose(nn.MaxPool1d(3, stride=3, padding=1), part, rest)
    assert value.part.tolist() == [[[1.0, -2.0]]]


def test_a_maximum_takes_both_where_the_sum_is_largest():
    part = torch.tensor([[5.0, 1.0], [-9.0, -2.0]])
    rest = torch.tensor([[-6.0, 2.0], [1.0, -3.0]])  # sums: -1, 3; -8, -5
    for function in (lambda x: x.amax(1), lambda x: x.max(dim=1).values):
        value = decompose(function, part, rest)
        assert (value.part.tolist(), value.rest.tolist()) == ([1.0, -2.0], [2.0, -3.0])
    value = decompose(lambda x: x.amin((0, 1)), part, rest)
    assert (value.part.item(), value.rest.item()) == (-9.0, 1.0)
    assert Decomposition(part, rest).max(1).indices.tolist() == [1, 1]


@pytest.mark.parametrize(
    "function",
    [torch.amax, torch.max, lambda x: torch.max(x, x), lambda x: torch.where(x, 1.0, 2.0)],
)
def test_what_has_no_choice_to_select_is_an_error(function):
    with pytest.raises(UnsupportedOperationError, match="amax|max|where"):
        decompose(function, fixed(3, 4), fixed(3, 4))


def test_the_scale_of_a_norm_is_that_of_the_sum():
    """The sum (0, 4, 2, 2) has mean 2 and variance 2; the part (0, 4, 0, 0) has mean 1."""
    part, rest = torch.tensor([[0.0, 4.0, 0.0, 0.0]]), torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    value = decompose(nn.LayerNorm(4, eps=0.0), part, rest)
    expected = torch.tensor([[-1.0, 3.0, -1.0, -1.0]]) / 2**0.5
    torch.testing.assert_close(value.part, expected)


def test_a_bias_goes_in_halves_where_nothing_contributes():
    net = nn.Conv2d(1, 2, 3)
    blank = torch.zeros(1, 1, 5, 5)
    value = decompose(net, blank, blank)
    half = (net.bias / 2).view(1, 2, 1, 1).expand(1, 2, 3, 3)
    assert torch.equal(value.part, half)
    assert torch.equal(value.rest, half)


def test_dropout_in_training_drops_the_same_entries_of_both():
    part, rest = torch.full((200,), 1.0), torch.full((200,), 3.0)
    value = decompose(nn.Dropout(0.5), part, rest)
    assert torch.equal(3 * value.part, value.rest)
    assert set(value.part.tolist()) == {0.0, 2.0}


# -- whole networks --------------------------------------------------------------------------------


def without_biases():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(4, 4, 3, bias=False),
        nn.LeakyReLU(),
        nn.Flatten(),
        nn.Linear(64, 3, bias=False),
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_biases_everything_is_in_the_part(dtype):
    net = build(without_biases).to(dtype)
    x = fixed(5, 1, 12, 12).to(dtype)
    value = decompose(net, x, 0 * x)
    torch.testing.assert_close(value.part, net(x))
    assert not value.rest.any()
    value = decompose(net, 0 * x, x)
    torch.testing.assert_close(value.rest, net(x))
    assert not value.part.any()


class Residual(nn.Module):
    """In the functional style, with a shortcut, a concatenation and writes in place."""

    def __init__(self, norm, activation, pool):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.norm, self.activation, self.pool = norm, activation, pool
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        x = (x - 0.3) / 2
        x = self.norm(self.first(x))
        x = F.relu(x, inplace=True)
        x = x + self.activation(self.second(x))
        x += 0.5
        x = self.pool(x)
        return self.head(torch.cat([x.mean((2, 3)), x.flatten(2).sum(2)], 1))


NORMS = [
    lambda: nn.BatchNorm2d(4),
    lambda: nn.GroupNorm(2, 4),
    lambda: nn.InstanceNorm2d(4, affine=True),
    lambda: nn.LayerNorm((4, 6, 6)),
    nn.Identity,
]
FUNCTIONS = [nn.ReLU, nn.GELU, nn.Sigmoid, nn.Softplus, nn.Tanh, nn.ELU, nn.Hardswish]
POOLS = [
    lambda: nn.MaxPool2d(3, 2, 1),
    lambda: nn.MaxPool2d(2, ceil_mode=True),
    lambda: nn.AvgPool2d(2),
    lambda: nn.AdaptiveMaxPool2d(2),
    lambda: nn.Dropout2d(0.5),
]


@given(
    seed=st.integers(0, 1000),
    parts=st.tuples(*map(st.sampled_from, (NORMS, FUNCTIONS, POOLS))),
    background=st.sampled_from(["noise", "blank", "rows"]),
    graded=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=60, deadline=None)
def test_random_networks_masks_and_backgrounds(seed, parts, background, graded, dtype):
    net = build(lambda: Residual(*(make() for make in parts)), seed).to(dtype)
    x = fixed(3, 2, 6, 6, seed=seed).to(dtype)
    if background == "blank":
        x *= x > 1  # a few pixels on black
    if background == "rows":
        x[0] = 0
    a = fixed(3, 1, 6, 6, seed=seed + 1).sigmoid().to(dtype)
    a = a if graded else a.round()
    part, rest = a * x, (1 - a) * x
    given_ = part.clone(), rest.clone()
    single = {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {}
    value = assert_sum(net, part, rest, **single)
    # Writes in place change what flows, never what was given.
    assert torch.equal(part, given_[0])
    assert torch.equal(rest, given_[1])
    # Gradients are finite, and reach every weight that training reaches.
    (value.part - value.rest).sigmoid().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-38, 1e-30, 1e-20, 1e-8])
def test_gradients_are_finite_however_small_the_contributions(size):
    net = build(lambda: nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 3))).float()
    x = torch.full((1, 2), size)
    a = torch.tensor([[0.0, 1.0]])
    value = assert_sum(net, a * x, (1 - a) * x)
    (value.part - value.rest).sigmoid().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_the_gradient_of_a_share_is_bounded():
    """As published it grows as the bias over the contributions: 2.5e29 here."""
    part, rest = (torch.full((1,), 1e-30, requires_grad=True) for _ in range(2))
    (Decomposition(part, rest) + 1.0).part.sum().backward()
    assert 0 < part.grad.item() < 1e8
    assert -1e8 < rest.grad.item() < 0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.neg_(),
        lambda x: x.relu_(),
        lambda x: x.mul_(2),
        lambda x: x.add_(1),
        lambda x: x.unsqueeze_(0),
        lambda x: F.relu(x, inplace=True),
        lambda x: x.__itruediv__(3),
    ],
)
def test_a_write_in_place_leaves_what_was_given(function):
    part, rest = fixed(3, 4), fixed(3, 4, seed=1)
    kept = part.clone(), rest.clone()
    value = Decomposition(part, rest)
    assert function(value) is value
    torch.testing.assert_close(value.total, function(part + rest))
    assert torch.equal(part, kept[0])
    assert torch.equal(rest, kept[1])


def test_gradients_equal_finite_differences():
    net = build(lambda: Residual(nn.GroupNorm(2, 4), nn.Tanh(), nn.MaxPool2d(2)))
    x = fixed(2, 2, 4, 4)
    a = (fixed(2, 1, 4, 4, seed=1) > 0).double()
    names = [name for name, _ in net.named_parameters()]

    def part(*weights):
        state = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(net, state, (Decomposition(a * x, (1 - a) * x),)).part

    weights = [p.detach().clone().requires_grad_() for p in net.parameters()]
    assert torch.autograd.gradcheck(part, weights, fast_mode=True)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("softmax", nn.Softmax(1)),
        ("log_softmax", lambda x: x.log_softmax(1)),
        ("mul", lambda x: x * x.sigmoid()),
        ("matmul", lambda x: x @ x.T),
        ("div", lambda x: torch.div(torch.ones(3, 4), x)),
        ("div", lambda x: torch.div(x, 2, rounding_mode="floor")),
        ("rdiv", lambda x: 1 / x),
        ("linear", lambda x: F.linear(x, x)),
        ("prelu", lambda x: F.prelu(x, x[0])),
        ("alpha_dropout", nn.AlphaDropout(0.5)),
        ("pow", lambda x: x**2),
        ("max_pool1d_with_indices", nn.MaxPool1d(2, return_indices=True)),
        ("type", lambda x: x.type(torch.float64)),
        ("item", lambda x: float(x.sum())),
        ("bool", lambda x: x if x.sum() else -x),
        ("gt", lambda x: x * (x > 0)),
        ("add", lambda x: torch.zeros(3, 4).add_(x)),
    ],
)
def test_what_has_no_rule_is_refused_by_name(name, module):
    x = torch.ones(3, 4)
    with pytest.raises(UnsupportedOperationError, match=rf"decompositions .*got '{name}'"):
        decompose(Call(module), x, x)


def test_an_output_that_is_not_decomposed_is_refused():
    with pytest.raises(UnsupportedOperationError, match="module must return .*got Tensor"):
        decompose(Call(lambda x: x.part), torch.ones(2), torch.ones(2))


def test_a_rule_can_be_taught(monkeypatch):
    monkeypatch.setattr(Decomposition, "rules", dict(Decomposition.rules))
    part, rest = torch.tensor([2.0]), torch.tensor([-1.0])

    def square(value):
        return Decomposition(value.part**2, value.total**2 - value.part**2)

    for operation, function in (("logit", torch.logit), (torch.Tensor.digamma_, torch.digamma)):
        module = Call(function)
        with pytest.raises(UnsupportedOperationError, match="register_decomposition_rule"):
            decompose(module, part, rest)
        register_decomposition_rule(operation, square)
        value = decompose(module, part, rest)
        assert (value.part.item(), value.rest.item()) == (4.0, -3.0)
    with pytest.raises(TypeError, match="rule must be callable, got str"):
        register_decomposition_rule("logit", "square")
