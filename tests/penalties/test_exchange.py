"""Check which perturbations start from samples that have exchanged their parts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from skexplain.masks import interpret_mask
from skexplain.masks._fill import exchange_parts
from skexplain.penalties import (
    AverageCasePenalty,
    CertifiedPenalty,
    InputGradientPenalty,
    Rows,
    WorstCasePenalty,
)
from skexplain.penalties._average_case import PERTURBATIONS
from skexplain.penalties._fill import exchange, irrelevant_values
from skexplain.training._label_losses import regression_loss

KINDS = {
    "table": ((6, 10), (1, 10)),
    "grey images": ((6, 4, 4), (1, 1, 1)),
    "images": ((6, 2, 4, 4), (1, 2, 1, 1)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
seeds = st.integers(0, 10_000)
EXCHANGING = ["gaussian", "uniform", "constant", "refill", "swap", "blank"]


def make_rows(kind="table", seed=0, share=0.2):
    """Samples with parts of their own; some pairs leave room and, with a large share, some do not.

    Masks of images have no channels.
    """
    rng = np.random.default_rng(seed)
    shape, measured = KINDS[kind]
    marks = rng.random((shape[0], 1, *shape[2:]) if len(shape) == 4 else shape) < share
    lower = -3 - rng.random(measured)
    parts = {
        "x": rng.normal(size=shape),
        "y": rng.normal(size=shape[0]),
        "irrelevance": marks.astype(float),
        "unit": 0.5 + rng.random(measured),
        "mean": rng.normal(size=measured),
        "lower": lower,
        "upper": lower + 6 + rng.random(measured),
    }
    parts = {name: torch.from_numpy(part) for name, part in parts.items()}
    return Rows(**parts, known=None, label_loss=regression_loss("squared_error"), marks_parts=True)


def generator():
    return torch.Generator().manual_seed(0)


def moved(perturbation, rows, donors, **params):
    return AverageCasePenalty(perturbation, **params).move(None, rows, donors, generator())


def exchanged(rows, donors, otherwise=None):
    parts = rows.x, rows.irrelevance, donors.x, donors.irrelevance
    return exchange_parts(*parts, rows.x if otherwise is None else otherwise)


def room(rows, donors):
    """Which pairs leave room, by hand."""
    union = torch.maximum(rows.irrelevance, donors.irrelevance)
    return union.flatten(1).mean(1) <= 0.5


# -- samples with exchanged parts -----------------------------------------------------------------


@every_kind
@settings(max_examples=20)
@given(seeds, st.sampled_from([0.2, 0.35]))
def test_what_may_move_is_what_either_marks(kind, seed, share):
    rows, donors = make_rows(kind, seed, share), make_rows(kind, seed + 1, share)
    ours, fits = exchange(rows, donors), room(rows, donors)
    union = torch.maximum(rows.irrelevance, donors.irrelevance)
    assert torch.equal(ours.irrelevance[fits], union[fits])
    assert torch.equal(ours.irrelevance[~fits], rows.irrelevance[~fits])
    assert torch.equal(ours.x[~fits], rows.x[~fits])
    assert torch.equal(ours.x, exchanged(rows, donors))
    kept = ("y", "unit", "mean", "lower", "upper", "known", "marks_parts")
    assert all(getattr(ours, name) is getattr(rows, name) for name in kept)


def test_without_donors_or_parts_rows_are_the_same_object():
    rows, donors = make_rows(), make_rows(seed=1)
    assert exchange(rows, None) is rows
    whole = replace(rows, marks_parts=False)
    assert exchange(whole, donors) is whole


# -- the swap -------------------------------------------------------------------------------------


@every_kind
@settings(max_examples=20)
@given(seeds, st.sampled_from([0.2, 0.35, 0.6]))
def test_swap_exchanges_parts_and_is_plain_where_there_is_no_room(kind, seed, share):
    rows, donors = make_rows(kind, seed, share), make_rows(kind, seed + 1, share)
    plain = rows.x.lerp(irrelevant_values(donors), rows.irrelevance)
    ours, fits = moved("swap", rows, donors), room(rows, donors)
    assert torch.equal(ours[~fits], plain[~fits])
    assert torch.equal(ours, exchanged(rows, donors, plain))
    # Without it, and where samples mark no parts of their own, the swap is the plain one.
    assert torch.equal(moved("swap", rows, donors, exchange=False), plain)
    whole = replace(rows, marks_parts=False)
    assert torch.equal(moved("swap", whole, donors), plain)


@every_kind
@settings(max_examples=20)
@given(seeds)
def test_the_same_part_in_all_samples_is_plainly_swapped(kind, seed):
    """Whether one mask is given for all samples or repeated for each makes no difference."""
    rows, donors = make_rows(kind, seed), make_rows(kind, seed + 1)
    mask = rows.irrelevance[:1].expand_as(rows.irrelevance)
    rows, donors = (replace(part, irrelevance=mask) for part in (rows, donors))
    expected = moved("swap", rows, donors, exchange=False)
    assert torch.equal(moved("swap", rows, donors), expected)


def test_each_draw_exchanges_with_another_donor():
    rows, donors = make_rows(share=0.1), make_rows(seed=1, share=0.1)
    copies = moved("swap", rows, donors, n_draws=10).view(10, *rows.x.shape)
    assert torch.equal(copies[0], exchanged(rows, donors))
    orders = []
    for copy in copies:
        givers = [
            {
                j
                for j in range(6)
                if torch.equal(copy[i : i + 1], exchanged(take(rows, i), take(donors, j)))
            }
            for i in range(6)
        ]
        assert all(givers)  # each copy is an exchange with some donor
        orders.append(tuple(map(min, givers)))
    assert len(set(orders)) > 5


def take(rows, i):
    return rows.take(torch.tensor([i]))


# -- the others -----------------------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("perturbation", ["gaussian", "uniform"])
def test_noise_of_size_zero_is_the_exchange_alone(kind, perturbation):
    rows, donors = make_rows(kind, share=0.3), make_rows(kind, 1, share=0.3)
    assert torch.equal(moved(perturbation, rows, donors, epsilon=0.0), exchanged(rows, donors))
    assert torch.equal(moved(perturbation, rows, donors, epsilon=0.0, exchange=False), rows.x)


@every_kind
@pytest.mark.parametrize("perturbation", [name for name in EXCHANGING if name != "swap"])
@settings(max_examples=10)
@given(seeds)
def test_perturbations_start_from_exchanged_samples(kind, perturbation, seed):
    """Their draws are the same, and what neither of two samples marks stays to the bit."""
    rows, donors = make_rows(kind, seed, 0.3), make_rows(kind, seed + 1, 0.3)
    start = replace(exchange(rows, donors), marks_parts=False)
    ours = moved(perturbation, rows, donors)
    assert torch.equal(ours, moved(perturbation, start, None))
    reasons = (start.irrelevance == 0).expand_as(ours)
    assert torch.equal(ours[reasons], rows.x[reasons])
    without = moved(perturbation, rows, donors, exchange=False)
    assert torch.equal(without, moved(perturbation, replace(rows, marks_parts=False), None))


@pytest.mark.parametrize("perturbation", EXCHANGING)
def test_a_part_that_one_class_alone_has_is_told_by_no_perturbation(perturbation):
    """What samples of either class look like afterwards, over all pairs of sample and donor.

    The trap is a 9 in the first two columns of one class; all else is alike.
    """
    n = 8
    y = np.arange(n) % 2
    x = np.zeros((n, 10))
    x[y == 1, :2] = 9.0
    frame = make_rows()
    one = torch.ones(1, 10).double()
    frame = replace(frame, unit=one, mean=0 * one, lower=-10 * one, upper=10 * one)
    sample, donor = np.indices((n, n)).reshape(2, -1)

    def side(index):
        parts = (x[index], (x == 9)[index].astype(float))
        x_, a = map(torch.from_numpy, parts)
        return replace(frame, x=x_, y=torch.from_numpy(y[index]).double(), irrelevance=a)

    # Noise is too small to hide the trap.
    copies = moved(perturbation, side(sample), side(donor), epsilon=0.1)
    trapped = (copies[:, :2] - 9).abs().amax(1) < 1
    marked = (y[sample] == 1) | (y[donor] == 1)
    changed = (copies[:, :2] != 0).any(1).numpy()
    shares = [float(trapped[y[sample] == label].double().mean()) for label in (0, 1)]
    if perturbation in ("gaussian", "uniform", "swap"):
        assert shares == [0.5, 0.5]
    else:
        assert max(shares) < 0.2
        if perturbation != "blank":
            assert (changed == marked).all()
    plain = moved(perturbation, side(sample), side(donor), epsilon=0.1, exchange=False)
    assert not (plain[y[sample] == 0, :2] != 0).any()


@pytest.mark.parametrize(
    "perturbation", ["none", "shift", lambda rows, donors, generator: rows.x + 1]
)
def test_which_do_not_exchange(perturbation):
    """Nothing moves, or only what is marked as the reason; and a user's own is taken as it is."""
    rows, donors = make_rows("images"), make_rows("images", 1)
    penalty = AverageCasePenalty(perturbation)
    assert not penalty.exchange_parts
    masks = interpret_mask(rows.irrelevance.numpy(), tuple(rows.x.shape))
    assert masks.marks_parts
    assert not penalty.takes_donors(masks)
    expected = moved(perturbation, replace(rows, marks_parts=False), None)
    assert torch.equal(moved(perturbation, rows, donors), expected)


def test_a_shift_onto_donors_does_not_exchange():
    rows, donors = make_rows("images"), make_rows("images", 1)
    params = {"background": "donor"}
    expected = moved("shift", replace(rows, marks_parts=False), donors, **params)
    assert torch.equal(moved("shift", rows, donors, **params), expected)


@every_kind
@pytest.mark.parametrize("random_start", [False, True])
def test_a_worst_case_starts_from_exchanged_samples(kind, random_start):
    rows, donors = make_rows(kind, share=0.3), make_rows(kind, 1, share=0.3)
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(1)).double()
    params = {"random_start": random_start, "clip": None}
    still = WorstCasePenalty(0.0, **params)
    assert torch.equal(still.move(module, rows, donors, generator()), exchanged(rows, donors))
    start = replace(exchange(rows, donors), marks_parts=False)
    penalty = WorstCasePenalty(0.7, **params)
    ours = penalty.move(module, rows, donors, generator())
    assert torch.equal(ours, penalty.move(module, start, None, generator()))
    # It climbs along whatever either of two samples marks, and along nothing else.
    kept = (start.irrelevance == 0).expand_as(ours)
    assert torch.equal(ours[kept], rows.x[kept])
    assert (ours != start.x)[~kept].all()
    without = WorstCasePenalty(0.0, exchange=False, **params)
    assert torch.equal(without.move(module, rows, donors, generator()), rows.x)


@every_kind
def test_a_certificate_is_of_exchanged_samples(kind):
    rows, donors = make_rows(kind, share=0.3), make_rows(kind, 1, share=0.3)
    module = nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(1)).double()
    with torch.no_grad():
        at_exchanged = rows.label_loss(module(exchanged(rows, donors)), rows.y)
        at_rows = rows.label_loss(module(rows.x), rows.y)
        still = CertifiedPenalty(0.0)(module, rows, donors)
        torch.testing.assert_close(still, at_exchanged)
        without = CertifiedPenalty(0.0, exchange=False)(module, rows, donors)
        torch.testing.assert_close(without, at_rows)
        start = replace(exchange(rows, donors), marks_parts=False)
        bound = CertifiedPenalty(0.5, clip=None)
        torch.testing.assert_close(bound(module, rows, donors), bound(module, start))
        attack = WorstCasePenalty(0.5, clip=None)
        found = attack(module, rows, donors, generator())
    assert (bound(module, rows, donors) >= found - 1e-9).all()
    assert not torch.allclose(at_exchanged, at_rows)


# -- which samples take part ----------------------------------------------------------------------

BASE = [AverageCasePenalty(name) for name in EXCHANGING] + [WorstCasePenalty(), CertifiedPenalty()]


@pytest.mark.parametrize("penalty", BASE, ids=repr)
def test_samples_without_a_part_take_part(penalty):
    """All that are annotated: the part of another sample may come to them."""
    mask = np.zeros((20, 8))
    mask[np.arange(0, 20, 4), np.arange(5)] = 1  # at places that differ
    mask[1::4] = np.nan
    annotated = np.arange(20) % 4 != 1
    marked = np.arange(20) % 4 == 0
    parts = interpret_mask(mask, (20, 8))
    assert penalty.exchange_parts
    np.testing.assert_array_equal(penalty.applies_to(parts), annotated)
    assert penalty.takes_donors(parts)
    plain = type(penalty)(**{**penalty.get_params(), "exchange": False})
    assert not plain.exchange_parts
    np.testing.assert_array_equal(plain.applies_to(parts), marked)
    assert plain.takes_donors(parts) == penalty.needs_donors
    same_place = mask.copy()
    same_place[::4] = np.eye(8)[0]
    assert penalty.applies_to(interpret_mask(same_place, (20, 8))).all()
    for other in (mask[:1], np.where(np.isnan(mask), mask, 1 - mask)):  # no parts of a sample
        masks = interpret_mask(other, (20, 8))
        np.testing.assert_array_equal(penalty.applies_to(masks), masks.has_irrelevant)
        assert penalty.takes_donors(masks) == penalty.needs_donors


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
def test_which_exchange(perturbation):
    assert AverageCasePenalty(perturbation).exchange_parts == (perturbation in EXCHANGING)


def test_other_penalties_look_at_marked_samples_alone():
    mask = np.zeros((20, 8))
    mask[::4, 0] = 1
    masks = interpret_mask(mask, (20, 8))
    penalty = InputGradientPenalty()
    np.testing.assert_array_equal(penalty.applies_to(masks), np.arange(20) % 4 == 0)
    assert not penalty.takes_donors(masks)


@pytest.mark.parametrize("cls", [AverageCasePenalty, WorstCasePenalty, CertifiedPenalty])
@pytest.mark.parametrize("exchange", [1, None, "yes"])
def test_exchange_is_true_or_false(cls, exchange):
    with pytest.raises((TypeError, ValueError), match=r"exchange must be"):
        cls(exchange=exchange).check_parameters()
