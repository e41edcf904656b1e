"""Check masks that are filled in from those of a few samples against means and images by hand."""

import io
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
import tqdm.auto
from _estimators import column_mask
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from skexplain import MaskPropagator
from skexplain.estimators._mask_models import ImageMasks, _loss, _repaint
from skexplain.estimators._mask_network import MaskNetwork, _places
from skexplain.estimators._mask_propagation import _every_third
from skexplain.exceptions import UnreliableMaskWarning
from skexplain.masks import interpret_mask
from skexplain.training import measure_inputs

NAN = np.nan


def squares(n_rows=60, seed=0):
    """Bright 4x4 squares in random places of noise, and where they are."""
    rng = np.random.default_rng(seed)
    X, mask = rng.uniform(0, 0.7, size=(n_rows, 12, 12)), np.zeros((n_rows, 12, 12), dtype=bool)
    for row, (top, left) in enumerate(rng.integers(9, size=(n_rows, 2))):
        mask[row, top : top + 4, left : left + 4] = True
    X[mask] = 1
    return X, mask


def few(mask, n_masks=12):
    return [own if row < n_masks else None for row, own in enumerate(mask)]


def quick(**params):
    return MaskPropagator(**{"n_steps": 80, "cv": None, "random_state": 0, **params})


# -- tables ---------------------------------------------------------------------------------------

TABLE = np.array([[1, 0, 5], [2, 0, 0], [3, 4, 0], [4, 0, 6], [5, 6, 0]])
# The first three rows are annotated, the first column of the third one is unknown.
TABLE_MASK = np.array([[1, 0, 1], [0, 0, 0.5], [NAN, 1, 0], [NAN] * 3, [NAN] * 3])


def test_tables_get_the_share_of_each_column():
    """Zeros and other entries apart, since a word is irrelevant where it occurs."""
    filled = quick(threshold=None).fit(TABLE, TABLE_MASK).fill(TABLE, TABLE_MASK)
    expected = TABLE_MASK.copy()
    expected[2, 0] = 0.5  # 1 and 0 where known
    expected[3] = [0.5, 0, 1]  # zeros of column 1: 0 and 0; the 5 of column 2: 1
    expected[4] = [0.5, 1, 0.25]  # zeros of column 2: .5 and 0
    np.testing.assert_array_equal(filled, expected)


@pytest.mark.parametrize(("threshold", "first", "last"), [(0.5, 0, 0), (0.2, 1, 1), (0, 1, 1)])
def test_degrees_above_the_threshold_become_marks(threshold, first, last):
    filled = quick(threshold=threshold).fit(TABLE, TABLE_MASK).fill(TABLE, TABLE_MASK)
    np.testing.assert_array_equal(filled[3:], [[first, 0, 1], [first, 1, last]])
    assert filled[1, 2] == 0.5  # a degree that was given is no prediction


def test_relevant_marks_are_the_opposite():
    """Also at the threshold, which is one of irrelevance."""
    for threshold in (None, 0.5, 0.2):
        irrelevant = quick(threshold=threshold).fit(TABLE, TABLE_MASK)
        relevant = quick(threshold=threshold, mask_marks="relevant").fit(TABLE, 1 - TABLE_MASK)
        np.testing.assert_array_equal(
            relevant.fill(TABLE, 1 - TABLE_MASK), 1 - irrelevant.fill(TABLE, TABLE_MASK)
        )


def test_an_entry_of_a_kind_never_seen_gets_the_share_of_the_column():
    X = np.array([[1, 0], [1, 0], [0, 1]])
    filled = quick(threshold=None).fit(X[:2], [[1, 1], [1, 0]]).fill(X)
    np.testing.assert_array_equal(filled, [[1, 0.5], [1, 0.5], [1, 0.5]])


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_a_column_of_which_nothing_is_known_stays_unknown(threshold):
    mask = np.array([[1, NAN], [0, NAN], [NAN, NAN]])
    filled = quick(threshold=threshold).fit(TABLE[:3, :2], mask).fill(TABLE[:3, :2], mask)
    np.testing.assert_array_equal(
        filled, [[1, NAN], [0, NAN], [0.5 if threshold is None else 0, NAN]]
    )


def test_columns_of_a_frame_are_told_by_name():
    X = pd.DataFrame(TABLE, columns=list("abc"))
    mask = pd.DataFrame(TABLE_MASK[:, ::-1], columns=list("cba"))
    propagator = quick(threshold=None).fit(X, mask)
    expected = quick(threshold=None).fit(TABLE, TABLE_MASK).fill(TABLE)
    np.testing.assert_array_equal(propagator.fill(X), expected)
    assert propagator.feature_names_in_.tolist() == ["a", "b", "c"]


# -- what is returned -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "threshold", "dtype"),
    [
        (bool, 0.5, bool),
        (np.uint8, 0.5, np.uint8),
        (np.float64, 0.5, np.float64),
        (bool, None, np.float32),
        (np.float64, None, np.float64),
    ],
)
def test_dtype(given, threshold, dtype):
    mask = few(TABLE_MASK[[0, 0, 0, 0, 0]].astype(given), 2)
    assert quick(threshold=threshold).fit(TABLE, mask).fill(TABLE, mask).dtype == dtype


def test_a_complete_mask_is_returned_as_it_is():
    propagator = quick().fit(TABLE, TABLE_MASK)
    for mask in (np.array([[0, 1, 0]], dtype=np.uint8), TABLE_MASK[[0, 1, 0, 1, 0]]):
        assert propagator.fill(TABLE, mask) is mask


@pytest.mark.parametrize("mask_axes", ["as X", "one channel", "no channel"])
@pytest.mark.parametrize("n_channels", [None, 1, 3])
def test_images_of_all_shapes(n_channels, mask_axes):
    X, mask = squares(20)
    if n_channels is not None:
        X = np.stack([X] * n_channels, axis=1)
        repeats = {"as X": n_channels, "one channel": 1}.get(mask_axes)
        mask = mask if repeats is None else np.stack([mask] * repeats, axis=1)
    propagator = quick(n_steps=2).fit(X, few(mask))
    filled = propagator.fill(X, few(mask))
    expected = mask if n_channels is None or mask.ndim == 4 else mask[:, None]
    assert filled.shape == expected.shape
    assert interpret_mask(filled, X.shape).annotated.all()
    np.testing.assert_array_equal(filled[:12], expected[:12])
    np.testing.assert_array_equal(propagator.fill(X)[12:], filled[12:])
    nobody = propagator.fill(X, [None] * 20)
    np.testing.assert_array_equal(nobody, propagator.fill(X))


def test_known_features_of_rows_known_in_part_are_kept():
    X, mask = squares(20)
    partly = np.full(mask.shape, NAN)
    partly[:12] = mask[:12]
    partly[15, 3] = np.linspace(0, 1, 12)  # one line of one image
    propagator = quick().fit(X, partly)
    filled, predicted = propagator.fill(X, partly), propagator.fill(X)
    np.testing.assert_array_equal(filled[15, 3], partly[15, 3])
    predicted[:12] = mask[:12]
    np.testing.assert_array_equal(np.delete(filled[15], 3, 0), np.delete(predicted[15], 3, 0))
    np.testing.assert_array_equal(np.delete(filled, 15, 0), np.delete(predicted, 15, 0))


# -- images ---------------------------------------------------------------------------------------


def test_squares_are_found():
    X, mask = squares()
    propagator = quick(cv=3).fit(X, few(mask))
    filled = propagator.fill(X, few(mask))
    both, either = (filled & mask)[12:].sum(), (filled | mask)[12:].sum()
    # Measured: .96, and .91 cross-validated.
    assert both / either > 0.85
    assert propagator.iou_ > 0.75
    degrees = clone(propagator).set_params(threshold=None, cv=None).fit(X, few(mask)).fill(X)
    np.testing.assert_array_equal(degrees > 0.5, propagator.fill(X))
    assert len(np.unique(degrees)) > 1000
    assert 0 <= degrees.min() < degrees.max() <= 1


def test_images_larger_than_max_side():
    X, mask = squares(30)
    X, mask = (np.kron(part, np.ones((1, 4, 4))) for part in (X, mask))
    mask = mask.astype(bool)
    propagator = quick(max_side=12).fit(X, few(mask))
    assert propagator.model_._small(torch.zeros(2, 1, 48, 24)).shape == (2, 1, 12, 6)
    filled = propagator.fill(X)
    assert filled.shape == X.shape
    # Measured: .78; the corners of interpolated squares are round.
    assert (filled & mask).sum() / (filled | mask).sum() > 0.6


def test_examples_are_means_over_what_is_known():
    X = np.arange(16.0).reshape(1, 4, 4) / 15
    values = np.zeros((1, 4, 4))
    values[0, :2, :2] = [[1, 0], [NAN, 0.5]]
    values[0, 2:, 2:] = NAN
    masks = interpret_mask(values, X.shape)
    model = ImageMasks(measure_inputs(X), torch.device("cpu"), max_side=2)
    x, degree, known = model._examples(X, masks, np.array([0]))
    np.testing.assert_allclose(x[0, 0], np.array([[2.5, 4.5], [10.5, 12.5]]) / 15, rtol=1e-6)
    np.testing.assert_allclose(degree[0, 0], [[0.5, 0], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(known[0, 0], [[0.75, 1], [1, 0]], rtol=1e-6)


@pytest.mark.parametrize("sign", [-1, 1])
def test_values_far_from_the_mean_do_not_set_the_scale(sign):
    """A hot pixel would push all others into one bin."""
    X = sign * np.random.default_rng(0).uniform(size=(100, 4, 4))
    X[0, 0, 0] = sign * 1e6
    model = ImageMasks(measure_inputs(X), torch.device("cpu"), max_side=4)
    assert model.span.item() == pytest.approx(abs(X.mean()) + 3 * X.std() - abs(X).min())
    bounded = ImageMasks(measure_inputs(X[1:]), torch.device("cpu"), max_side=4)
    assert bounded.span.item() == pytest.approx(np.ptp(X[1:]))


def test_unknown_pixels_teach_nothing():
    """Where all that is known is irrelevant, so is everything."""
    X, _ = squares(20)
    mask = np.full(X.shape, NAN)
    mask[:, 3] = 1
    assert quick(n_steps=30).fit(X, mask).fill(X).all()


def test_repainting_touches_nothing_relevant():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(300, 2, 4, 4, generator=generator)
    degree = torch.zeros(300, 1, 4, 4)
    degree[:, :, :, 2:] = 1
    painted = _repaint(x, degree, x.mean((0, 2, 3), keepdim=True), generator)
    assert torch.equal(painted[..., :2], x[..., :2])
    right = painted[..., 2:]
    stay = (right == x[..., 2:]).flatten(1).all(1)
    constant = (right == right[..., :1, :1]).flatten(1).all(1)
    donated = (right[:, None] == x[None, ..., 2:]).flatten(2).all(2).any(1) & ~stay
    # A third each; four standard errors of a share are .11.
    for share in (stay, constant, donated):
        assert abs(share.float().mean() - 1 / 3) < 0.11
    assert (stay | constant | donated).all()
    assert not torch.equal(right[constant][:, 0], right[constant][:, 1])  # a grey per channel


def halves(n_rows, shades, seed):
    """Noise in one half, in the other a shade that may be as dark as the noise's background."""
    rng = np.random.default_rng(seed)
    X = (rng.uniform(size=(n_rows, 12, 12)) > 0.7) * rng.uniform(0.3, 1, size=(n_rows, 12, 12))
    mask = np.zeros(X.shape, dtype=bool)
    for row, upper in enumerate(rng.integers(2, size=n_rows)):
        mask[row, :6] = upper
        mask[row, 6:] = not upper
    return np.where(mask, rng.choice(shades, size=n_rows)[:, None, None], X), mask


def test_shades_that_no_annotated_row_shows_are_found():
    X, mask = halves(20, [0.5, 0.6, 0.7], seed=0)
    dark, dark_mask = halves(40, [0.05, 0.95], seed=1)

    def found(**params):
        filled = quick(n_steps=150, **params).fit(X, mask).fill(dark)
        return (filled & dark_mask).sum() / (filled | dark_mask).sum()

    # Measured with three seeds: .996 to 1, and .06 at most.
    assert found() > 0.9
    assert found(repaint=False) < 0.4


def test_the_network_sees_the_whole_image():
    torch.manual_seed(0)
    network = MaskNetwork(1, 1, 20)
    assert [block.local.dilation[0] for block in network.blocks] == [1, 2, 4, 8, 16]
    x = torch.rand(1, 1, 20, 20, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(x)[0, 0, 0, 0], x)
    assert (gradient != 0).all()
    # A block that filters 3x3 pixels has the mean of all.
    x = torch.rand(1, 16, 9, 9, requires_grad=True)
    (gradient,) = torch.autograd.grad(network.blocks[0](x)[0, :, 0, 0].sum(), x)
    assert (gradient != 0).flatten(2).any(1).all()


def test_the_network_knows_the_place_and_the_value_of_a_pixel():
    places = _places(torch.zeros(2, 3, 2, 3))
    assert places.tolist() == [[[[-1, -1, -1], [1, 1, 1]], [[-1, 0, 1], [-1, 0, 1]]]] * 2
    received = []
    network = MaskNetwork(1, 1, 3)
    network.stem.register_forward_pre_hook(lambda _, inputs: received.append(inputs[0]))
    network(torch.tensor([[[[0, 1 / 7, 3.5 / 7], [1, 2, -1]]]]))
    assert torch.equal(received[0][:, 8:], places[:1])
    distance = np.array([0, 1, 3.5, 7, 7, 0])[:, None] - np.arange(8)  # from the centres of bins
    expected = np.exp(-(distance**2)).T.reshape(8, 2, 3)
    np.testing.assert_allclose(received[0][0, :8], expected, rtol=1e-5)


def test_one_pixel():
    X = np.random.default_rng(0).uniform(size=(8, 1, 1))
    assert quick(n_steps=2).fit(X, X > 0.5).fill(X).shape == (8, 1, 1)


# -- quality --------------------------------------------------------------------------------------


def test_two_rows_are_measured_one_by_the_other():
    X = np.ones((3, 4))
    with pytest.warns(UnreliableMaskWarning, match=r"intersection over union of 0\.33 only"):
        propagator = MaskPropagator().fit(X, [[1, 0, 1, 0], [1, 1, 0, 0], None])
    assert propagator.iou_ == pytest.approx(1 / 3)
    assert propagator.n_annotated_ == 2


def test_overlap_of_degrees_is_over_known_features():
    X = np.ones((2, 3))
    mask = [[0.2, 0.8, 1.0], [0.4, 0.6, NAN]]
    propagator = MaskPropagator(threshold=None).fit(X, mask)
    # The first row is told [.4, .6, NaN], which marks nothing in its last column; the second one
    # [.2, .8, 1], whose last is not compared.
    expected = np.mean([(0.2 + 0.6 + 0) / (0.4 + 0.8 + 1), (0.2 + 0.6) / (0.4 + 0.8)])
    assert propagator.iou_ == pytest.approx(expected)


def test_rows_with_nothing_irrelevant_agree():
    assert MaskPropagator().fit(np.ones((4, 3)), np.zeros((4, 3))).iou_ == 1


def test_iou_is_cross_validated():
    """No row is measured by a model that knows it."""
    rng = np.random.default_rng(0)
    X, mask = np.ones((30, 5)), (rng.uniform(size=(30, 5)) < [0.9, 0.7, 0.5, 0.3, 0.1]) * 1.0
    mask[20:] = NAN
    propagator = MaskPropagator(cv=4, random_state=0).fit(X, mask)
    seeds = np.random.SeedSequence(0).generate_state(2)
    ious = []
    for train, test in KFold(4, shuffle=True, random_state=seeds[1]).split(np.arange(20)):
        predicted = mask[train].mean(axis=0) > 0.5
        for own in mask[test] > 0:
            ious.append((own & predicted).sum() / (own | predicted).sum())
    assert propagator.iou_ == pytest.approx(np.mean(ious))
    assert 0.5 < propagator.iou_ < 0.9


def test_samples_in_which_nothing_is_marked_say_nothing():
    """To predict nothing is no success where half of the samples have nothing to find."""
    mask = np.zeros((8, 3))
    mask[::2, 0] = [1, 0, 0, 0]  # one sample of the eight marks anything
    with pytest.warns(UnreliableMaskWarning, match="0.00 only"):
        propagator = MaskPropagator(cv=8).fit(np.ones((8, 3)), mask)
    assert propagator.iou_ == 0
    assert propagator.n_measured_ == 8


def record_trainings(monkeypatch):
    """Steps and annotated rows of each training."""
    trainings, train = [], ImageMasks.train

    def recorded(self, X, masks, rows, **params):
        trainings.append((params["n_steps"], np.asarray(rows)))
        return train(self, X, masks, rows, **params)

    monkeypatch.setattr(ImageMasks, "train", recorded)
    return trainings


def test_images_are_measured_within_one_training(monkeypatch):
    """No sample that iou_ is measured on was trained on before; afterwards all are."""
    trainings = record_trainings(monkeypatch)
    X, mask = squares(30)
    with pytest.warns(UnreliableMaskWarning):
        propagator = quick(n_steps=9, cv="auto").fit(X, few(mask))
    (first, rows), (rest, everything) = trainings
    assert (first, rest) == (6, 3)
    np.testing.assert_array_equal(everything, np.arange(12))
    held_out = np.setdiff1d(everything, rows)
    assert len(held_out) == propagator.n_measured_ == 4
    # The model of the first part alone, made again.
    seeds = np.random.SeedSequence(0).generate_state(3)
    masks = interpret_mask(few(mask), X.shape)
    model = ImageMasks(measure_inputs(X), torch.device("cpu"), 32)
    params = {"n_steps": 6, "batch_size": 8, "lr": 1e-2, "repaint": True, "on_step": int}
    predicted = model.fit(X, masks, rows, seed=int(seeds[0]), **params).degrees(X[held_out]) > 0.5
    both, either = (op(predicted, mask[held_out]) for op in (np.logical_and, np.logical_or))
    ious = both.sum((1, 2)) / either.sum((1, 2))
    assert propagator.iou_ == pytest.approx(ious.mean())


def test_few_images_are_each_left_out_once(monkeypatch):
    trainings = record_trainings(monkeypatch)
    X, mask = squares(8)
    with pytest.warns(UnreliableMaskWarning):
        propagator = quick(n_steps=2, cv="auto").fit(X, few(mask, 5))
    assert [len(rows) for _, rows in trainings] == [5, 3, 3, 4]
    assert propagator.n_measured_ == 5


def test_the_samples_held_out_have_every_amount_of_marks():
    mask = np.arange(12)[:, None] < np.repeat([0, 5, 10], 10)
    masks = interpret_mask(mask.T.astype(float), (30, 12))
    test = _every_third(masks, np.arange(30), seed=0)
    np.testing.assert_array_equal(np.bincount(mask.sum(axis=0)[test])[[0, 5, 10]], [3, 4, 3])


def test_the_loss_is_cross_entropy_and_overlap_over_known_pixels():
    logits = torch.tensor([0.0, 2.0, -1.0])
    degree, known = torch.tensor([1.0, 0.5, 1.0]), torch.tensor([1.0, 1.0, 0.0])
    p = 1 / (1 + np.exp(-2))
    entropy = (np.log(2) - 0.5 * np.log(p) - 0.5 * np.log(1 - p)) / 2
    overlap = (0.5 + 0.5 + 1) / (1 + p + 1)
    assert _loss(logits, degree, known).item() == pytest.approx(entropy + 1 - overlap, rel=1e-5)


@pytest.mark.parametrize(("cv", "total"), [("auto", 4), (2, 12), (None, 4)])
def test_progress_bar_counts_the_steps_of_all_trainings(cv, total, monkeypatch):
    bars = []

    class Bar(tqdm.auto.tqdm):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, file=io.StringIO(), **kwargs)
            bars.append(self)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    X, mask = squares(12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableMaskWarning)
        quick(n_steps=4, cv=cv).fit(X, mask)
        assert not bars
        quick(n_steps=4, cv=cv, verbose=2).fit(X, mask)
    (bar,) = bars
    assert bar.n == bar.total == total


@pytest.mark.parametrize("n_steps", [1, 2])
def test_a_step_or_two(n_steps):
    X, mask = squares(12)
    with pytest.warns(UnreliableMaskWarning):
        assert quick(n_steps=n_steps, cv="auto").fit(X, mask).n_measured_ in (4, 12)


@pytest.mark.parametrize("dtype", [np.uint16, ">f8", np.longdouble])
def test_masks_of_any_dtype_and_layout(dtype):
    X, mask = np.arange(24.0).reshape(6, 4) % 5, np.eye(6, 4)
    backwards = mask[:, ::-1].astype(dtype)[:, ::-1]
    for rows in (slice(None), slice(1)):  # one per row, and one for all
        ours, expected = (quick().fit(X, each[rows]).model_.shares for each in (backwards, mask))
        np.testing.assert_array_equal(ours, expected)


def test_one_annotated_row():
    X = np.ones((3, 2))
    with pytest.warns(UnreliableMaskWarning, match="learnt from 1 annotated sample"):
        propagator = MaskPropagator().fit(X, [[1, 0], None, None])
    assert np.isnan(propagator.iou_)
    np.testing.assert_array_equal(propagator.fill(X), [[1, 0]] * 3)


def test_without_cross_validation_there_is_nothing_to_warn_of():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        propagator = MaskPropagator(cv=None).fit(np.ones((3, 2)), [[1, 0], [0, 1], None])
    assert np.isnan(propagator.iou_)


# -- rows of weight zero, seeds, scikit-learn -----------------------------------------------------


@pytest.mark.parametrize("kind", ["table", "images"])
def test_rows_of_weight_zero_take_part_in_nothing(kind):
    X, mask = squares(24)
    X[:6] *= 100
    if kind == "table":
        X, mask = X.reshape(24, -1), mask.reshape(24, -1)
    weight = np.r_[np.zeros(6), np.full(18, 2.0)]
    params = {"cv": 2, "n_steps": 5, "threshold": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableMaskWarning)
        weighted = quick(**params).fit(X, few(mask), sample_weight=weight)
        without = quick(**params).fit(X[6:], few(mask)[6:])
        everything = quick(**params).fit(X, few(mask))
    np.testing.assert_array_equal(weighted.fill(X), without.fill(X))
    assert weighted.iou_ == without.iou_
    assert not np.array_equal(everything.fill(X), without.fill(X))


def test_equal_seeds_give_equal_bytes_and_leave_global_states_alone():
    X, mask = squares(20)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (
        quick(threshold=None, n_steps=5, random_state=seed).fit(X, few(mask)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.fill(X), second.fill(X))
    assert not np.array_equal(first.fill(X), other.fill(X))
    assert torch.equal(states[0], torch.get_rng_state())
    np.testing.assert_array_equal(states[1], np.random.get_state()[1])  # noqa: NPY002


def test_pickle_and_clone():
    X, mask = squares(20)
    fitted = quick(n_steps=5, threshold=None).fit(X, few(mask))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).fill(X), fitted.fill(X))
    assert clone(fitted).get_params() == fitted.get_params()


class Masked(MaskPropagator):
    """For checks that know of no mask, and of y."""

    def fit(self, X, y=None):
        return super().fit(X, column_mask(X))


@parametrize_with_checks([Masked(random_state=0)])
def test_scikit_learn_check(estimator, check):
    check(estimator)


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [None, [None] * 5, np.full((5, 3), NAN)])
def test_nothing_to_learn_from(mask):
    with pytest.raises(ValueError, match="mask must annotate at least one sample, got none"):
        quick().fit(TABLE, mask)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"threshold": 1.0}, "'threshold' parameter"),
        ({"mask_marks": "both"}, "'mask_marks' parameter"),
        ({"n_steps": 0}, "'n_steps' parameter"),
        ({"max_side": 0}, "'max_side' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"lr": 0}, "'lr' parameter"),
        ({"device": "abacus"}, "device must be"),
    ],
)
def test_parameters_are_checked(params, message):
    with pytest.raises(ValueError, match=message):
        quick(**params).fit(TABLE, TABLE_MASK)


def test_shapes_are_checked():
    with pytest.raises(ValueError, match=r"X must have shape .* got \(2, 1, 2, 2, 2\)"):
        quick().fit(np.ones((2, 1, 2, 2, 2)), np.ones((2, 1, 2, 2, 2)))
    with pytest.raises(ValueError, match="mask must have shape"):
        quick().fit(TABLE, TABLE_MASK[:, :2])
    propagator = quick(n_steps=1).fit(*squares(4))
    with pytest.raises(ValueError, match=r"X must have samples of shape \(12, 12\)"):
        propagator.fill(np.ones((4, 12, 11)))


def test_not_fitted():
    with pytest.raises(NotFittedError):
        quick().fill(TABLE)
