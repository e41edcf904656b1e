"""Check every rule for intervals against samples; a rule without a row here fails a test."""

import math

import pytest
import torch
from _interval_rows import OF_ENTRIES, ROWS, Row, fixed, on
from torch import nn
from torch.nn import functional as F

from skexplain.exceptions import UnsupportedOperationError
from skexplain.propagation import Interval


def listed(rows):
    return [
        pytest.param(name, row, id=f"{name}-{number}")
        for name, several in rows.items()
        for number, row in enumerate(several)
    ]


def box_of(row, seed=0):
    """Draw a box in the range of a row: some entries may not move, none of them is alike."""
    generator = torch.Generator().manual_seed(seed)
    center = torch.rand(row.shape, generator=generator, dtype=torch.float64)
    center = row.low + (row.high - row.low) * center
    room = torch.minimum(center - row.low, row.high - center)
    radius = room * torch.rand(row.shape, generator=generator, dtype=torch.float64) ** 2
    return center, radius * (torch.rand(row.shape, generator=generator) > 0.3)


def outputs(function, x):
    result = function(x)
    return list(result) if isinstance(result, (list, tuple)) else [result]


def samples(center, radius, n=40):
    generator = torch.Generator().manual_seed(1)
    for k in range(n):
        step = 2 * torch.rand(center.shape, generator=generator, dtype=torch.float64) - 1
        yield center + radius * (step if k % 2 else step.sign())


def test_every_rule_has_a_row():
    builtin = set(Interval.rules.maps[1])
    assert builtin - {"cuda", "feature_dropout", "upsample"} == set(ROWS)


@pytest.mark.parametrize(("name", "row"), listed(ROWS))
def test_bounds_contain_every_sample(name, row, monkeypatch):
    class Spy(dict):
        def get(self, key):
            asked.append(key)
            return super().get(key)

    asked = []
    center, radius = box_of(row)
    with monkeypatch.context() as patch:
        patch.setattr(Interval, "rules", Spy(Interval.rules))
        bounds = outputs(row.function, Interval(center.clone(), radius.clone()))
    assert name in asked
    slack = 1e-2 if name == "half" else 1e-5 if name == "float" else 1e-11
    for x in samples(center, radius):
        for bound, value in zip(bounds, outputs(row.function, x.clone()), strict=True):
            assert bound.center.shape == bound.radius.shape == value.shape
            assert bound.dtype == bound.radius.dtype == value.dtype
            assert (bound.lower <= value + slack).all()
            assert (bound.upper >= value - slack).all()


@pytest.mark.parametrize(("name", "row"), listed(ROWS))
def test_radius_zero_is_the_forward(name, row):
    center, radius = box_of(row)
    bounds = outputs(row.function, Interval(center.clone(), 0 * radius))
    for bound, value in zip(bounds, outputs(row.function, center.clone()), strict=True):
        torch.testing.assert_close(bound.lower, value)
        torch.testing.assert_close(bound.upper, value)


@pytest.mark.parametrize(("name", "row"), listed(ROWS))
def test_a_larger_box_contains_the_bounds_of_a_smaller(name, row):
    center, radius = box_of(row)
    small = outputs(row.function, Interval(center.clone(), 0.5 * radius))
    large = outputs(row.function, Interval(center.clone(), radius.clone()))
    for inner, outer in zip(small, large, strict=True):
        assert (outer.lower <= inner.lower + 1e-3 * (name == "half") + 1e-11).all()
        assert (outer.upper >= inner.upper - 1e-3 * (name == "half") - 1e-11).all()


@pytest.mark.parametrize(("name", "row"), listed(ROWS))
def test_gradients_are_finite(name, row):
    center, radius = (part.requires_grad_() for part in box_of(row))
    bounds = outputs(row.function, Interval(center * 1, radius * 1))
    sum((bound.upper - 2 * bound.lower).sum() for bound in bounds).backward()
    assert torch.isfinite(center.grad).all()
    assert torch.isfinite(radius.grad).all()


@pytest.mark.parametrize(("name", "row"), listed(OF_ENTRIES))
def test_functions_of_entries_are_bounded_exactly(name, row):
    """The bounds are the extremes on a fine grid, up to what lies between its points."""
    center, radius = box_of(row._replace(shape=(40, 4)))
    if name == "prelu":
        radius[:, 2] = 0.0  # so that intervals with one point are in it
    bounds = row.function(Interval(center, radius))
    step = torch.linspace(-1, 1, 2001, dtype=torch.float64).view(-1, 1, 1)
    values = row.function((center + step * radius).flatten(0, 1)).view(2001, 40, 4)
    torch.testing.assert_close(bounds.lower, values.amin(0), rtol=0, atol=2e-3)
    torch.testing.assert_close(bounds.upper, values.amax(0), rtol=0, atol=2e-3)


AT_ZERO = {
    **{
        name: [row for row in rows if row.low <= -1 and row.high >= 1 and name != "log1p"]
        for name, rows in OF_ENTRIES.items()
    },
    "sqrt": on((3, 4), torch.sqrt, lambda x: x**0.5, lambda x: x**1.5),
}


@pytest.mark.parametrize(("name", "row"), listed(AT_ZERO))
@pytest.mark.parametrize("radius", [0.0, 1.0])
def test_gradients_are_finite_at_kinks(name, row, radius):
    center = torch.zeros(3, 4, dtype=torch.float64, requires_grad=True)
    width = torch.full_like(center, radius, requires_grad=True)
    bounds = row.function(Interval(center * 1, width * 1))
    (bounds.upper - 2 * bounds.lower).sum().backward()
    assert torch.isfinite(center.grad).all()
    assert torch.isfinite(width.grad).all()


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_is_bounded_exactly(name):
    """Each entry is extreme at a corner; also where the largest leaves nothing to the rest."""
    center = torch.tensor([[0.3, -1.0, 2.0], [40.0, 0.0, -30.0], [90.0, 95.0, -95.0]]).double()
    radius = torch.tensor([[0.5, 0.2, 1.0], [40.0, 1.0, 5.0], [10.0, 0.0, 100.0]]).double()
    bounds = getattr(Interval(center, radius), name)(1)
    signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0]).double()] * 3)
    values = getattr(center + signs.unsqueeze(1) * radius, name)(-1)
    torch.testing.assert_close(bounds.lower, values.amin(0), rtol=1e-10, atol=0)
    torch.testing.assert_close(bounds.upper, values.amax(0), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    "hide",
    [
        lambda x: x.masked_fill(torch.tensor([True, False, False, False]), -math.inf),
        lambda x: x + torch.tensor([-math.inf, 0.0, 0.0, 0.0]),
    ],
    ids=["filled", "added"],
)
def test_softmax_ignores_what_is_masked_out(hide):
    """As in causal attention; the rest is as without the entry, gradients too."""
    parts = [part.requires_grad_() for part in box_of(Row(None))]
    bounds = hide(Interval(*parts)).softmax(1)
    alone = Interval(*parts)[:, 1:].softmax(1)
    assert (bounds[:, 0].upper == 0).all()
    torch.testing.assert_close(bounds[:, 1:].lower, alone.lower)
    ours = torch.autograd.grad(bounds.lower[:, 2].sum(), parts, retain_graph=True)
    expected = torch.autograd.grad(alone.lower[:, 1].sum(), parts)
    torch.testing.assert_close(ours, expected)


def test_normalised_entries_stay_within_what_n_numbers_can_be():
    """One of n numbers is at most sqrt(n - 1) standard deviations from their mean."""
    x = Interval(fixed(3, 5), torch.full((3, 5), 1e3, dtype=torch.float64))
    for bounds in (F.layer_norm(x, (5,)), F.group_norm(x, 1)):
        limit = torch.full_like(bounds.upper, 2.0)
        torch.testing.assert_close(bounds.upper, limit, rtol=1e-3, atol=0)
        torch.testing.assert_close(bounds.lower, -limit, rtol=1e-3, atol=0)


def test_deviations_from_the_mean_are_bounded_exactly():
    """With a huge eps the norm is (x - mean) / sqrt(eps), which is linear."""
    center, radius = box_of(Row(None, (3, 5)))
    bounds = F.layer_norm(Interval(center, radius), (5,), eps=1e16) * 1e8
    deviation = torch.eye(5, dtype=torch.float64) - 1 / 5
    torch.testing.assert_close(bounds.center, center @ deviation)
    torch.testing.assert_close(bounds.radius, radius @ deviation.abs())


def test_an_interval_times_itself_is_a_square():
    x = Interval(torch.zeros(1), torch.ones(1))
    assert (x * x).lower == 0
    assert (x * (x + 0)).lower == -1


def test_a_root_is_that_of_what_has_one():
    x = Interval(torch.tensor([1.0, -2.0]), torch.tensor([3.0, 3.0]))
    assert x.sqrt().lower.tolist() == [0.0, 0.0]
    assert x.sqrt().upper.tolist() == [2.0, 1.0]


X = Interval(fixed(1, 2, 6, 6), fixed(1, 2, 6, 6).abs())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda: nn.BatchNorm2d(2).double()(X), "'batch_norm'.*statistics of a batch"),
        (
            lambda: nn.BatchNorm2d(2, track_running_stats=False).eval()(X),
            "'batch_norm'.*statistics of a batch",
        ),
        (lambda: 1 / X, "'div'.*by an interval that contains 0"),
        (lambda: X / X, "'div'.*by an interval that contains 0"),
        (lambda: X**-2, "'pow'.*by an interval that contains 0"),
        (lambda: X.rsqrt(), "'rsqrt'.*by an interval that contains 0"),
        (lambda: X.log(), "'log'.*of an interval that is not positive"),
        (lambda: X**X, "'pow'.*in another place"),
        (lambda: X ** fixed(6), "'pow'.*exponent that is not a number"),
        (lambda: (-2) ** X, "'rpow'.*base that is not a positive number"),
        (lambda: F.linear(X, X), "'linear'.*in another place"),
        (lambda: F.linear(fixed(2, 6), X), "'linear'.*in another place"),
        (lambda: F.interpolate(X, 4, mode="bicubic"), "'interpolate'.*bicubic"),
        (lambda: nn.RReLU()(X), "'rrelu'.*training mode"),
        (lambda: nn.AlphaDropout()(X), "'alpha_dropout'.*training mode"),
        (lambda: F.softplus(X, threshold=1.0), "'softplus'.*threshold below 20"),
        (lambda: nn.Threshold(0.0, 1.0)(X), "'threshold'.*above the threshold"),
        (lambda: X.div(2.0, rounding_mode="floor"), "'div'.*rounding mode"),
        (lambda: X.to(torch.int64), "'to'.*whole numbers"),
        (lambda: torch.where(X, 1.0, 2.0), "'where'.*as condition"),
        (lambda: torch.einsum("i,i,i->i", X[0, 0, 0], fixed(6), fixed(6)), "'einsum'.*two factors"),
        (lambda: X.masked_fill(fixed(6) > 0, X[0, 0, 0, 0]), "'masked_fill'.*in another place"),
        (lambda: F.max_pool2d(X, 2, return_indices=True), "'max_pool2d_with_indices'"),
    ],
)
def test_what_a_rule_does_not_know_is_refused(function, message):
    with pytest.raises(UnsupportedOperationError, match=message):
        function()
