"""Check by hand what stands in for irrelevant features, and that no reason is ever given to another
sample.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skexplain.penalties import Rows
from skexplain.penalties._fill import fill_value, irrelevant_values, pooled_axes
from skexplain.training._label_losses import regression_loss

# Each kind of X, and the shape in which its columns or channels are measured.
KINDS = {
    "table": ((4, 5), (1, 5)),
    "grey images": ((4, 3, 3), (1, 1, 1)),
    "images": ((4, 2, 3, 3), (1, 2, 1, 1)),
    "volumes": ((4, 2, 2, 2, 2), (1, 2, 1, 1, 1)),
}


def make_rows(x, irrelevance, unit=1.0, mean=0.0, lower=-1e3, upper=1e3):
    """Rows of float64, with statistics that broadcast to them."""
    x, irrelevance = (torch.as_tensor(part, dtype=torch.float64) for part in (x, irrelevance))
    statistics = (torch.as_tensor(part, dtype=torch.float64) for part in (unit, mean, lower, upper))
    unit, mean, lower, upper = (
        part if part.ndim else part.expand((1,) * x.ndim) for part in statistics
    )
    y = torch.zeros(len(x), dtype=torch.float64)
    return Rows(x, y, irrelevance, None, unit, mean, lower, upper, regression_loss("squared_error"))


def random_rows(kind, seed=0, degrees=True):
    """Rows of a kind, some features of which are irrelevant, some to a degree."""
    rng = np.random.default_rng(seed)
    shape, measured = KINDS[kind]
    irrelevance = rng.random(shape) if degrees else np.ones(shape)
    irrelevance = irrelevance * (rng.random(shape) < 0.6)
    unit = 0.5 + rng.random(measured)
    return make_rows(rng.normal(size=shape), irrelevance, unit, rng.normal(size=measured), -2, 2)


every_kind = pytest.mark.parametrize("kind", KINDS)
seeds = st.integers(0, 10_000)


# -- fills ----------------------------------------------------------------------------------------


def test_a_fill_is_a_number_the_mean_or_an_array():
    rows = random_rows("images")
    assert fill_value(3, rows).item() == 3
    assert fill_value("mean", rows) is rows.mean
    array = np.arange(18, dtype=np.float32).reshape(2, 3, 3)
    for spelling in (array, array.tolist(), array[None]):
        filled = fill_value(spelling, rows).expand_as(rows.x)
        assert filled.dtype == torch.float64
        np.testing.assert_array_equal(filled[1], array)


# -- values to give to other rows -----------------------------------------------------------------


def test_a_table_by_hand():
    """The mean over irrelevant columns is taken in units: 2 of one are 20 of the other."""
    rows = make_rows(
        [[4.0, 40.0, 7.0], [4.0, 40.0, 7.0], [4.0, 40.0, 7.0], [4.0, 40.0, 7.0]],
        [[1, 1, 0], [1, 0, 0], [0, 0, 0], [1, 0.5, 0]],
        unit=[[1.0, 10.0, 0.1]],
        mean=[[2.0, 10.0, 5.0]],
    )
    # In units, the columns are 2, 3 and 20 from their means.
    expected = [
        [4.0, 40.0, 5.0 + 0.1 * 2.5],
        [4.0, 10.0 + 10 * 2, 5.0 + 0.1 * 2],
        [2.0, 10.0, 5.0],
        # With half a weight the mean is 3.5 / 1.5, and the second column keeps half of itself.
        [4.0, 20.0 + 0.5 * (10.0 + 10 * 3.5 / 1.5), 5.0 + 0.1 * 3.5 / 1.5],
    ]
    torch.testing.assert_close(irrelevant_values(rows), torch.tensor(expected).double())


def test_images_by_hand():
    """Each channel has a mean of its own; one without irrelevant pixels has that of training."""
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    a = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    mean = torch.tensor([10.0, 20.0]).reshape(1, 2, 1, 1)
    expected = torch.tensor([[[[0.0, 1.0], [2.0, 1.0]], [[20.0, 20.0], [20.0, 20.0]]]]).double()
    torch.testing.assert_close(irrelevant_values(make_rows(x, a, mean=mean)), expected)
    without_channels = make_rows(x[:, 0], a[:, 0], mean=10.0)
    torch.testing.assert_close(irrelevant_values(without_channels), expected[:, 0])


def test_stand_ins_stay_in_the_range_of_their_column():
    rows = make_rows([[30.0, 0.0, 0.0]], [[1, 0, 0]], lower=[[-50, -5, 1]], upper=[[50, 5, 2]])
    assert irrelevant_values(rows).tolist() == [[30.0, 5.0, 2.0]]


@every_kind
def test_rows_without_reasons_are_given_as_they_are(kind):
    rows = random_rows(kind)
    everything = replace(rows, irrelevance=torch.ones_like(rows.x))
    assert torch.equal(irrelevant_values(everything), rows.x)
    nothing = replace(rows, irrelevance=torch.zeros_like(rows.x))
    assert torch.equal(irrelevant_values(nothing), rows.mean.clamp(-2, 2).expand_as(rows.x))


@every_kind
@settings(max_examples=20)
@given(seeds)
def test_reasons_are_not_given_away(kind, seed):
    """Whatever the relevant features are, the values are the same to the bit."""
    rows = random_rows(kind, seed)
    others = torch.from_numpy(np.random.default_rng(seed + 1).normal(size=rows.x.shape))
    other_reasons = torch.where(rows.irrelevance > 0, rows.x, 100 * others)
    expected = irrelevant_values(rows)
    assert torch.equal(irrelevant_values(replace(rows, x=other_reasons)), expected)


@every_kind
@settings(max_examples=10)
@given(seeds, st.sampled_from([1.0, 0.1, 1e-3]))
def test_a_feature_is_given_away_in_proportion_to_its_irrelevance(kind, seed, scale):
    """Its influence on any value is at most its degree, and at most twice on its own."""
    rows = random_rows(kind, seed)
    rows = replace(rows, irrelevance=scale * rows.irrelevance)
    unit = rows.unit.expand_as(rows.x)[0].flatten()

    def values(first):
        x = torch.cat([first.reshape(rows.x[:1].shape), rows.x[1:]])
        unclipped = replace(rows, x=x, lower=rows.lower - 1e3, upper=rows.upper + 1e3)
        return irrelevant_values(unclipped)[0].flatten()

    influence = torch.autograd.functional.jacobian(values, rows.x[0].flatten())
    influence = (influence * unit / unit[:, None]).abs()
    degree = rows.irrelevance[0].flatten()
    own = torch.eye(len(unit), dtype=torch.float64)
    assert (influence <= degree * (1 + own) + 1e-12).all()


@pytest.mark.parametrize("kind", ["images", "volumes"])
@settings(max_examples=10)
@given(seeds)
def test_masks_for_all_channels_or_rows_equal_their_repetition(kind, seed):
    rows = random_rows(kind, seed)
    for marks in (rows.irrelevance[:, :1], rows.irrelevance[:1], rows.irrelevance[:1, :1]):
        repeated = replace(rows, irrelevance=marks.expand_as(rows.x).clone())
        expected = irrelevant_values(repeated)
        assert torch.equal(irrelevant_values(replace(rows, irrelevance=marks)), expected)


def test_one_degree_for_a_whole_row():
    """A mask may broadcast along the columns, too."""
    rows = random_rows("table")
    marks = torch.rand(4, 1, dtype=torch.float64)
    expected = irrelevant_values(replace(rows, irrelevance=marks.expand(4, 5).clone()))
    torch.testing.assert_close(irrelevant_values(replace(rows, irrelevance=marks)), expected)


@pytest.mark.parametrize(("ndim", "axes"), [(2, (1,)), (3, (1, 2)), (4, (2, 3)), (5, (2, 3, 4))])
def test_pooled_axes(ndim, axes):
    assert pooled_axes(torch.zeros((1,) * ndim)) == axes
