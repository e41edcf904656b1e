"""Each control is what its name says."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from torch import nn

from skexplain import (
    AvgExClassifier,
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.exceptions import MissingExplanationWarning
from skexplain.studies._controls import (
    CONTROLS,
    control_masks,
    control_parameters,
    shuffle_masks,
)
from skexplain.studies._trial import make_estimator

NAN = np.float32(np.nan)
_masks = array_shapes(min_dims=2, max_dims=4, min_side=1, max_side=5).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.sampled_from([0, 0.5, 1, NAN]))
)
_seeds = st.integers(0, 100)


def annotated(mask):
    return ~np.isnan(mask).reshape(len(mask), -1).all(axis=1)


def as_bytes(rows):
    return [row.tobytes() for row in rows]


@given(_masks, _seeds)
def test_shuffling_moves_masks_between_annotated_rows_alone(mask, seed):
    before = mask.copy()
    shuffled = shuffle_masks(mask, seed)
    np.testing.assert_array_equal(mask, before)  # the masks of the task stay
    rows = annotated(mask)
    np.testing.assert_array_equal(annotated(shuffled), rows)
    distinct = set(as_bytes(mask[rows]))
    if len(distinct) > 1:
        assert sorted(as_bytes(shuffled[rows])) == sorted(as_bytes(mask[rows]))
    else:  # moved within: as many marks as before, and still all alike
        assert len(set(as_bytes(shuffled[rows]))) == len(distinct)
        np.testing.assert_array_equal(np.sort(shuffled, axis=None), np.sort(mask, axis=None))
    np.testing.assert_array_equal(shuffle_masks(mask, seed), shuffled)


@given(st.integers(2, 30), _seeds)
def test_no_row_keeps_its_own_mask(n, seed):
    mask = np.eye(n, dtype=bool)
    shuffled = shuffle_masks(mask, seed)
    assert shuffled.dtype == bool
    assert not (shuffled & mask).any()
    np.testing.assert_array_equal(shuffled.sum(axis=0), 1)


def test_seeds_shuffle_otherwise():
    mask = np.eye(20)
    assert not np.array_equal(shuffle_masks(mask, 0), shuffle_masks(mask, 1))


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize(
    "row",
    [
        [1, 0],
        [1, 1, 0, NAN],
        [[1, 0], [0, 0]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[1, 1, 0, 0]] * 4,  # a bar, which vertical shifts leave as it is
        [[[1], [0], [0]]],  # an image of width one
    ],
)
def test_masks_that_are_all_alike_are_moved(row, n, seed):
    mask = np.array([row] * n, dtype=np.float32)
    moved = shuffle_masks(mask, seed)
    assert moved.shape == mask.shape
    assert not np.array_equal(moved, mask, equal_nan=True)
    np.testing.assert_array_equal(moved, moved[:1].repeat(n, axis=0))
    np.testing.assert_array_equal(np.sort(moved, axis=None), np.sort(mask, axis=None))


def test_equal_masks_of_some_rows_are_moved_and_the_others_stay_unknown():
    mask = np.full((4, 3), NAN)
    mask[1:3] = [1, 0, 0]
    moved = shuffle_masks(mask, 0)
    assert np.isnan(moved[[0, 3]]).all()
    assert moved[1].tolist() == moved[2].tolist() != [1, 0, 0]


@pytest.mark.parametrize("value", [0, 1, NAN])
def test_a_mask_that_is_the_same_everywhere_cannot_be_moved(value):
    mask = np.full((3, 2, 2), value, dtype=np.float32)
    np.testing.assert_array_equal(shuffle_masks(mask, 0), mask)


def test_masks_of_each_kind():
    mask = np.array([[1, 0, NAN], [NAN, NAN, NAN], [0, 1, 0.5]], dtype=np.float32)
    for kind in ("given", "no shortcut", "off", "reweighted"):
        assert control_masks(mask, kind, 0) is mask
    np.testing.assert_array_equal(
        control_masks(mask, "everywhere", 0), [[1, 1, NAN], [NAN] * 3, [1, 1, 1]]
    )
    np.testing.assert_array_equal(control_masks(mask, "-", 0), [[True] * 3])
    shuffled = control_masks(mask, "shuffled", 0)
    np.testing.assert_array_equal(shuffled, mask[[2, 1, 0]])
    everywhere = control_masks(np.zeros((1, 2, 2), dtype=bool), "everywhere", 0)
    np.testing.assert_array_equal(everywhere, np.ones((1, 2, 2)))


METHOD = {
    "estimator": "PGDExClassifier",
    "params": {
        "alpha": 2.0,
        "epsilon": 0.3,
        "n_steps": 3,
        "grad_alpha": 1.0,
        "lr": 0.02,
        "label_loss": "focal",
        "optimizer__weight_decay": 0.1,
    },
    "grid": {"alpha": [1, 2], "epsilon": [0.1, 1], "lr": [0.1, 0.01]},
    "off": {"alpha": 0.0, "grad_alpha": 0.0},
}


def test_off_replaces_parameters_and_searches_the_rest():
    changed = control_parameters(METHOD, "off")
    assert changed == {
        "params": {**METHOD["params"], "alpha": 0.0, "grad_alpha": 0.0},
        "grid": {"epsilon": [0.1, 1], "lr": [0.1, 0.01]},
    }


def test_reweighted_drops_the_perturbation_and_nothing_else():
    changed = control_parameters(METHOD, "reweighted")
    assert changed == {
        "estimator": "AvgExClassifier",
        "params": {
            "alpha": 2.0,
            "lr": 0.02,
            "label_loss": "focal",
            "optimizer__weight_decay": 0.1,
            "perturbation": "none",
        },
        "grid": {"alpha": [1, 2], "lr": [0.1, 0.01]},
    }
    make_estimator({**METHOD, **changed}, 0)


@pytest.mark.parametrize("masks", ["given", "-", "no shortcut", "shuffled", "everywhere"])
def test_the_other_controls_change_masks_alone(masks):
    assert control_parameters(METHOD, masks) == {}


def test_names_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match=r"masks must be one of \['given', .*'shuffled'.*'wrong'"):
        control_masks(np.ones((1, 2)), "wrong", 0)
    with pytest.raises(ValueError, match=r"'off' needs the entry 'off', got \['estimator'\]"):
        control_parameters({"estimator": "GradRegClassifier"}, "off")
    with pytest.raises(ValueError, match=r"'reweighted' needs an estimator of the package .*ERM"):
        control_parameters({"estimator": ERMClassifier}, "reweighted")


def weights(estimator):
    return np.concatenate([p.detach().numpy().ravel() for p in estimator.module_.parameters()])


class MLP(nn.Sequential):
    def __init__(self, n_features):
        super().__init__(nn.Linear(n_features, 4), nn.ReLU(), nn.Linear(4, 2))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 3)).astype(np.float32)
    X[:, :2] += y[:, None]
    mask = np.full((40, 3), NAN)
    mask[:20] = [0, 1, 0]
    return X, y, mask


_COMMON = {"max_epochs": 3, "random_state": 5, "device": "cpu"}


@pytest.mark.parametrize(
    ("estimator", "off"),
    [
        (GradRegClassifier, {"alpha": 0.0}),
        (PGDExClassifier, {"alpha": 0.0}),
        (SwapExClassifier, {"alpha": 0.0}),
        (AvgExClassifier, {"alpha": 0.0}),
    ],
)
def test_off_is_bit_equal_to_label_only(data, estimator, off):
    X, y, mask = data
    description = {"estimator": estimator.__name__, "params": {"max_epochs": 3}, "off": off}
    description |= control_parameters(description, "off")
    switched_off = make_estimator(description, 5).fit(X, y, mask=control_masks(mask, "off", 5))
    label_only = ERMClassifier(**_COMMON).fit(X, y)
    np.testing.assert_array_equal(weights(switched_off), weights(label_only))
    given = estimator(**_COMMON).fit(X, y, mask=mask)
    assert not np.array_equal(weights(given), weights(label_only))


def test_two_stage_off_keeps_the_mapping_and_skips_stage_two(data):
    X, y, mask = data
    description = {
        "estimator": "TwoStageExplanationClassifier",
        "params": {"max_epochs": 3},
        "off": {"alpha": 0.0},
    }
    description |= control_parameters(description, "off")
    switched_off = make_estimator(description, 5).fit(X, y, mask=mask)
    nothing_annotated = np.full_like(mask, NAN)
    with pytest.warns(MissingExplanationWarning):
        without = TwoStageExplanationClassifier(**_COMMON).fit(X, y, mask=nothing_annotated)
    given = TwoStageExplanationClassifier(**_COMMON).fit(X, y, mask=mask)
    np.testing.assert_array_equal(weights(switched_off), weights(without))
    assert not np.array_equal(weights(given), weights(switched_off))


def test_reweighted_counts_annotated_rows_again(data):
    """The label loss over all rows, and once more, alpha times, over the annotated ones."""
    X, y, mask = data
    common = {"max_epochs": 1, "batch_size": len(X), "optimizer": "SGD", "lr": 0.1}
    module = partial(MLP, n_features=3)
    swap = {"estimator": "SwapExClassifier", "params": {**common, "alpha": 2.0}}
    description = {**swap, "module": module}
    description |= control_parameters(description, "reweighted")
    found = make_estimator(description, 5).fit(X, y, mask=mask)
    # One step of full batches: sum w l / sum w with 1 / 40 for each row, and 2 / 20 more for the
    # first 20.  ERM's weights are normalised, so that its learning rate makes up for the sum, 3.
    weight = np.where(np.arange(40) < 20, 1 / 40 + 2 / 20, 1 / 40)
    label_only = {"estimator": "ERMClassifier", "module": module, "params": common}
    weighted = {**label_only, "params": {**common, "lr": 0.1 * weight.sum()}}
    other = make_estimator(weighted, 5).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(weights(found), weights(other), atol=1e-6)
    plain = make_estimator(label_only, 5).fit(X, y)
    assert np.abs(weights(found) - weights(plain)).max() > 1e-3


def test_every_control_says_what_it_shows():
    assert all(CONTROLS.values())
