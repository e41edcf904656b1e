"""Check each random perturbation against its definition, and that nothing moves but what may."""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skexplain.penalties import (
    AverageCasePenalty,
    InputGradientPenalty,
    Rows,
)
from skexplain.penalties._average_case import PERTURBATIONS, shift_images
from skexplain.penalties._fill import irrelevant_values
from skexplain.training._label_losses import regression_loss
from skexplain.training._method import Term
from skexplain.training._terms import evaluate_terms

# Each kind of X, and the shape in which its columns or channels are measured.
KINDS = {
    "table": ((6, 5), (1, 5)),
    "grey images": ((6, 4, 4), (1, 1, 1)),
    "images": ((6, 2, 4, 4), (1, 2, 1, 1)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
seeds = st.integers(0, 10_000)


def make_rows(kind="table", seed=0, n_rows=6):
    """Rows with masks of their own: features irrelevant, relevant or in between."""
    rng = np.random.default_rng(seed)
    shape, measured = KINDS[kind]
    shape = (n_rows, *shape[1:])
    degrees = rng.choice([0.0, 0.3, 1.0], p=[0.4, 0.2, 0.4], size=shape)
    lower = -3 - rng.random(measured)
    parts = {
        "x": rng.normal(size=shape),
        "y": rng.normal(size=n_rows),
        "irrelevance": degrees,
        "unit": 0.5 + rng.random(measured),
        "mean": rng.normal(size=measured),
        "lower": lower,
        "upper": lower + 5 + rng.random(measured),
    }
    parts = {name: torch.from_numpy(part) for name, part in parts.items()}
    return Rows(**parts, known=None, label_loss=regression_loss("squared_error"))


def everywhere(rows):
    """The same rows without any reason."""
    return replace(rows, irrelevance=torch.ones_like(rows.x))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def moved(perturbation, rows, donors=None, seed=0, **params):
    return AverageCasePenalty(perturbation, **params).move(None, rows, donors, generator(seed))


def column_or_channel_shares(rows, values):
    """Where values lie in the range of each column or channel, from 0 to 1."""
    return (values - rows.lower) / (rows.upper - rows.lower)


# -- noise ----------------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize(
    ("perturbation", "distribution"),
    [("gaussian", torch.special.ndtr), ("uniform", lambda noise: (noise + 1) / 2)],
    ids=["gaussian", "uniform"],
)
def test_noise_is_in_units_and_degrees(kind, perturbation, distribution):
    rows = make_rows(kind, n_rows=2000)
    values = moved(perturbation, rows, epsilon=2.0)
    scale = 2.0 * rows.irrelevance * rows.unit
    assert_uniform(distribution(((values - rows.x) / scale)[rows.irrelevance > 0]))


@pytest.mark.parametrize(("perturbation", "variance"), [("gaussian", 1), ("uniform", 1 / 3)])
def test_linear_model_pays_for_the_squares_of_its_irrelevant_weights(perturbation, variance):
    """E (w (x + e a u n) - y)^2 = (w x - y)^2 + e^2 var(n) sum (a u w)^2."""
    rows = make_rows()
    module = nn.Linear(5, 1).double()
    penalty = AverageCasePenalty(perturbation, epsilon=0.7, n_draws=40_000)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, -2.0, 0.5, 1.5, -1.0]]))
        value = penalty(module, rows, generator=generator())
        error = module(rows.x)[:, 0] - rows.y
        weights = rows.irrelevance * rows.unit * module.weight
    added = 0.7**2 * variance * weights.square().sum(1)
    # The loss of a draw has about the size of its mean, so that the standard error is a half %.
    torch.testing.assert_close(value, error.square() + added, rtol=0.04, atol=0)
    assert (added > 0.1 * error.square()).any()


# -- refills --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "pooled"), [("table", 1), ("grey images", (1, 2)), ("images", (2, 3))]
)
def test_constant_is_one_value_per_row_and_channel(kind, pooled):
    rows = everywhere(make_rows(kind, n_rows=1000))
    shares = column_or_channel_shares(rows, moved("constant", rows))
    assert shares.std(pooled).max() < 1e-12
    one_each = shares.mean(pooled).flatten(1) if kind == "images" else shares.mean(pooled)
    assert len(one_each.flatten().unique()) == one_each.numel() == 1000 * (1 + (kind == "images"))
    assert_uniform(one_each)


@every_kind
def test_refill_draws_each_value_from_its_range(kind):
    rows = everywhere(make_rows(kind, n_rows=1000))
    shares = column_or_channel_shares(rows, moved("refill", rows))
    assert len(shares.flatten().unique()) == rows.x.numel()
    assert_uniform(shares)


def assert_uniform(shares):
    """Kolmogorov and Smirnov's test, at a level of 0.0007, of a thousand draws and more."""
    ordered = shares.flatten().sort().values
    expected = torch.linspace(0, 1, len(ordered), dtype=torch.float64)
    assert 0 <= ordered[0] < ordered[-1] <= 1
    assert (ordered - expected).abs().max() < 2 / len(ordered) ** 0.5


@every_kind
def test_blank_leaves_the_reasons_alone(kind):
    rows = make_rows(kind)
    a = rows.irrelevance
    array = np.random.default_rng(1).normal(size=rows.x.shape[1:])
    for fill, value in ((0.0, 0.0), (2.5, 2.5), ("mean", rows.mean), (array, array)):
        expected = (1 - a) * rows.x + a * torch.as_tensor(value)
        torch.testing.assert_close(moved("blank", rows, fill=fill), expected)


@every_kind
def test_none_moves_nothing(kind):
    rows = make_rows(kind)
    assert torch.equal(moved("none", rows), rows.x)
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(1)).double()
    expected = rows.label_loss(module(rows.x), rows.y)
    assert torch.equal(AverageCasePenalty("none")(module, rows), expected)


# -- swaps ----------------------------------------------------------------------------------------


def test_swap_by_hand():
    """The first row takes the second's last two values, the mean of them, and nothing else."""
    frame = make_rows()
    zero, one = torch.zeros(1, 1).double(), torch.ones(1, 1).double()
    frame = replace(frame, unit=one, mean=zero, lower=-100 * one, upper=100 * one)
    x = torch.tensor([[1.0, 2.0, 3.0, 4.0]]).double()
    donor = torch.tensor([[50.0, 60.0, 10.0, 20.0]]).double()
    a = torch.tensor([[0.0, 1.0, 1.0, 0.5]]).double()
    of_donor = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).double()
    rows = replace(frame, x=x, irrelevance=a)
    donors = replace(frame, x=donor, irrelevance=of_donor)
    assert moved("swap", rows, donors).tolist() == [[1.0, 15.0, 10.0, 12.0]]


@every_kind
@settings(max_examples=20)
@given(seeds)
def test_one_mask_for_all_rows_is_a_plain_exchange(kind, seed):
    rows, donors = make_rows(kind, seed), make_rows(kind, seed + 1)
    mask = (rows.irrelevance[:1] == 1).double()
    rows, donors = (replace(part, irrelevance=mask) for part in (rows, donors))
    expected = torch.where(mask == 1, donors.x, rows.x)
    assert torch.equal(moved("swap", rows, donors), expected)


@every_kind
@settings(max_examples=20)
@given(seeds)
def test_a_donor_never_gives_its_reasons(kind, seed):
    rows, donors = make_rows(kind, seed), make_rows(kind, seed + 1)
    for perturbation in ("swap", "shift") if kind != "table" else ("swap",):
        values = moved(perturbation, rows, donors, background="donor", n_draws=2)
        reasons = torch.where(donors.irrelevance == 0, 1e3, 0.0)
        elsewhere = replace(donors, x=donors.x + reasons)
        again = moved(perturbation, rows, elsewhere, background="donor", n_draws=2)
        assert torch.equal(values, again)


def test_each_draw_pairs_rows_with_other_donors():
    rows, donors = everywhere(make_rows()), everywhere(make_rows(seed=1))
    copies = moved("swap", rows, donors, n_draws=20).view(20, *rows.x.shape)
    given_by = (copies[:, :, None] == donors.x).all(-1).double().argmax(-1)
    assert torch.equal(copies, donors.x[given_by])
    assert torch.equal(given_by[0], torch.arange(6))  # drawn at random already
    assert torch.equal(given_by.sort(1).values, torch.arange(6).expand(20, 6))  # each gives once
    assert len(given_by.unique(dim=0)) > 15  # of 720 orders


def test_donors_keep_their_masks_when_paired_anew():
    """A donor is passed on with its own mask, whichever row it is given to."""
    rows, donors = make_rows("images"), make_rows("images", seed=1)
    copies = moved("swap", everywhere(rows), donors, n_draws=3)
    allowed = irrelevant_values(donors).flatten(1)
    assert all((allowed == copy).all(1).any() for copy in copies.flatten(1))


# -- shifts ---------------------------------------------------------------------------------------


def shifted_by_hand(image, down, right, empty):
    height, width = image.shape
    result = np.full((height, width), empty)
    for i in range(height):
        for j in range(width):
            if 0 <= i + down < height and 0 <= j + right < width:
                result[i + down, j + right] = image[i, j]
    return result


@settings(max_examples=30)
@given(seeds, st.booleans())
def test_shifted_images_by_hand(seed, with_channels):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, 2, 3, 5) if with_channels else (4, 3, 5))
    down, right = rng.integers(-9, 10, size=(2, 4))
    ours = shift_images(torch.from_numpy(x), torch.from_numpy(down), torch.from_numpy(right))
    assert ours.shape == x.shape
    for i, row in enumerate(x):
        for channel, image in enumerate(row if with_channels else [row]):
            expected = shifted_by_hand(image, down[i], right[i], 0.0)
            np.testing.assert_array_equal(ours[i, channel] if with_channels else ours[i], expected)


@pytest.mark.parametrize("kind", ["grey images", "images"])
@pytest.mark.parametrize("background", ["blank", "donor"])
def test_shift_puts_the_reasons_elsewhere(kind, background):
    """Each row is one of the shifts of its reasons, on what it was put on."""
    rows, donors = make_rows(kind, n_rows=40), make_rows(kind, seed=1, n_rows=40)
    params = {"max_shift": 1, "background": background, "fill": "mean"}
    ours = moved("shift", rows, donors, **params)
    behind = irrelevant_values(donors) if background == "donor" else rows.mean
    found = []
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            shift = torch.tensor([down]).expand(40), torch.tensor([right]).expand(40)
            x, relevance = shift_images(rows.x, *shift), shift_images(1 - rows.irrelevance, *shift)
            expected = relevance * x + (1 - relevance) * behind
            found.append(torch.isclose(ours, expected).flatten(1).all(1))
    assert (torch.stack(found).sum(0) == 1).all()
    assert torch.stack(found).any(1).all()  # 40 rows find all nine, but for 8 % of the seeds


def test_shift_takes_one_mask_for_all_rows_and_channels():
    rows = make_rows("images")
    one = rows.irrelevance[:1, :1]
    expected = moved("shift", replace(rows, irrelevance=one.expand_as(rows.x).clone()))
    assert torch.equal(moved("shift", replace(rows, irrelevance=one)), expected)
    assert not torch.equal(expected, rows.x)


# -- a perturbation of one's own ------------------------------------------------------------------


class Recorder:
    """A perturbation that keeps what it is given."""

    def __init__(self, needs_donors=None):
        if needs_donors is not None:
            self.needs_donors = needs_donors

    def __call__(self, *arguments):
        self.rows, self.donors, self.generator = arguments
        return self.rows.x + 1


@pytest.mark.parametrize("needs_donors", [None, False, True])
def test_callable_is_given_rows_donors_and_a_generator(needs_donors):
    rows, donors, draws = make_rows(), make_rows(seed=1), generator()
    penalty = AverageCasePenalty(recorder := Recorder(needs_donors), n_draws=2)
    assert penalty.needs_donors == bool(needs_donors)
    ours = penalty.move(None, rows, donors, draws)
    assert torch.equal(ours, rows.x.repeat(2, 1) + 1)
    assert torch.equal(recorder.rows.irrelevance, rows.irrelevance.repeat(2, 1))
    assert recorder.generator is draws
    if needs_donors:
        assert torch.equal(recorder.donors.x[:6], donors.x)
        assert torch.equal(recorder.donors.x[6:].sort(0).values, donors.x.sort(0).values)
    else:
        assert recorder.donors is None


def test_callable_may_compute_in_numpy():
    rows = replace(make_rows(), x=make_rows().x.float())
    ours = moved(lambda rows, *_: torch.from_numpy(rows.x.numpy().astype(float) + 1), rows)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, rows.x + 1)


@pytest.mark.parametrize(
    ("returned", "got"),
    [
        (lambda x: x[:2], r"Tensor of shape \(2, 5\)"),
        (lambda x: None, r"NoneType of shape \(\)"),
        (lambda x: x.numpy(), r"ndarray of shape \(6, 5\)"),
    ],
    ids=["too few rows", "nothing", "no tensor"],
)
def test_callable_that_returns_something_else(returned, got):
    match = rf"perturbation must return a tensor of the shape of rows.x, \(6, 5\); got {got}"
    with pytest.raises(ValueError, match=match):
        moved(lambda rows, *_: returned(rows.x), make_rows())


# -- all of them ----------------------------------------------------------------------------------

RANDOM = [name for name in PERTURBATIONS if name not in ("swap", "blank", "none", "shift")]
# Those that leave every feature where it is.
IN_PLACE = [name for name in PERTURBATIONS if name != "shift"]


@every_kind
@pytest.mark.parametrize("perturbation", IN_PLACE)
@settings(max_examples=10)
@given(seeds)
def test_reasons_stay_to_the_bit(kind, perturbation, seed):
    rows, donors = make_rows(kind, seed), make_rows(kind, seed + 1)
    copies = moved(perturbation, rows, donors, n_draws=2)
    assert copies.shape == (12, *rows.x.shape[1:])
    for copy in copies.view(2, *rows.x.shape):
        assert torch.equal(copy[rows.irrelevance == 0], rows.x[rows.irrelevance == 0])
        still = torch.equal(copy[rows.irrelevance > 0], rows.x[rows.irrelevance > 0])
        assert still == (perturbation == "none")


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@settings(max_examples=5)
@given(seeds)
def test_masks_for_all_rows_or_channels_equal_their_repetition(perturbation, seed):
    rows, donors = make_rows("images", seed), make_rows("images", seed + 1)
    for marks in (rows.irrelevance[:, :1], rows.irrelevance[:1], rows.irrelevance[:1, :1]):
        short = [replace(part, irrelevance=marks) for part in (rows, donors)]
        full = [replace(part, irrelevance=marks.expand_as(part.x).clone()) for part in short]
        expected = moved(perturbation, *full, n_draws=2)
        assert torch.equal(moved(perturbation, *short, n_draws=2), expected)


@every_kind
@pytest.mark.parametrize("perturbation", RANDOM)
def test_draws_are_seeded_and_fresh(kind, perturbation):
    rows, draws = make_rows(kind), generator()
    penalty = AverageCasePenalty(perturbation)
    first, second = (penalty.move(None, rows, None, draws) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, moved(perturbation, rows))
    assert not torch.equal(first, moved(perturbation, rows, seed=1))


@pytest.mark.parametrize("perturbation", RANDOM)
def test_donors_for_another_term_change_nothing(perturbation):
    rows = make_rows()
    expected = moved(perturbation, rows, n_draws=3)
    assert torch.equal(moved(perturbation, rows, make_rows(seed=1), n_draws=3), expected)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
def test_the_value_is_the_mean_over_draws(perturbation):
    """And so is the gradient penalty at the copies, under the mask of each copy's row."""
    rows, donors = make_rows("images"), make_rows("images", seed=1)
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(1)).double()
    penalty = AverageCasePenalty(perturbation, n_draws=3)
    x = moved(perturbation, rows, donors, n_draws=3).requires_grad_()
    output = module(x)
    losses = (output[:, 0] - rows.y.repeat(3)).square()
    (gradient,) = torch.autograd.grad(output.sum(), x)
    sizes = (gradient * rows.irrelevance.repeat(3, 1, 1, 1) * rows.unit).square().flatten(1).sum(1)
    ours = penalty(module, rows, donors, generator())
    torch.testing.assert_close(ours, losses.view(3, 6).mean(0))
    terms = (
        Term("moved", penalty, 1.0),
        Term("gradient", InputGradientPenalty("logit_sum"), 1.0, at="moved"),
    )
    draws = {"moved": generator(), "gradient": None}
    values = evaluate_terms(terms, module, rows, donors, draws)
    torch.testing.assert_close(values["moved"], losses.view(3, 6).mean(0))
    torch.testing.assert_close(values["gradient"], sizes.view(3, 6).mean(0))


def test_which_need_donors():
    needing = {name for name in PERTURBATIONS if AverageCasePenalty(name).needs_donors}
    assert needing == {"swap"}
    assert AverageCasePenalty("shift", background="donor").needs_donors


@pytest.mark.parametrize("perturbation", ["swop", "add", "replace", None])
def test_unknown_perturbation(perturbation):
    match = rf"perturbation must be one of \['gaussian', .*, got {perturbation!r}"
    with pytest.raises(ValueError, match=match):
        AverageCasePenalty(perturbation).check_parameters()


def test_shift_needs_images():
    penalty = AverageCasePenalty("shift")
    match = r'"shift" needs images, X of shape .* got samples of shape \(5,\)'
    with pytest.raises(ValueError, match=match):
        penalty.check_module(None, make_rows().x)
    for kind in ("grey images", "images"):
        penalty.check_module(None, make_rows(kind).x)


def test_each_perturbation_is_described():
    text = inspect.getdoc(AverageCasePenalty)
    assert all(f'"{name}"' in text for name in PERTURBATIONS)


def test_a_hard_mask_for_all_samples_needs_no_mean():
    """The short cut gives the bits of the long way."""
    rows, donors = make_rows(seed=1), make_rows(seed=2)
    hard = (rows.irrelevance[:1] > 0.5).double()
    rows, donors = (replace(each, irrelevance=hard) for each in (rows, donors))
    penalty = AverageCasePenalty("swap")
    long_way = penalty.move(None, rows, donors)
    short_cut = penalty.move(None, replace(rows, share_hard_mask=True), donors)
    assert torch.equal(long_way, short_cut)
    assert torch.equal(long_way, torch.where(hard == 1, donors.x, rows.x))


def test_a_callable_need_not_be_hashable():
    class Zeros:
        __hash__ = None

        def __call__(self, rows, donors, generator):
            return torch.zeros_like(rows.x)

    penalty = AverageCasePenalty(Zeros())
    assert not penalty.exchange_parts
    assert penalty.default_alpha == 1.0
    assert (penalty.move(None, make_rows()) == 0).all()
