"""Check that SubsampleSplit gives exact counts and disjoint, nested sets, and its errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import cross_validate

from skexplain.model_selection import SubsampleSplit
from skexplain.model_selection._split import _round, _shares

Y = np.repeat(["cat", "fox"], [120, 80])
X = np.zeros((200, 1))


def counts(y, rows):
    return dict(zip(*np.unique(y[rows], return_counts=True), strict=True))


def first(y, *arguments, **parameters):
    parameters = {"random_state": 0, **parameters}
    return next(SubsampleSplit(*arguments, **parameters).split(np.zeros((len(y), 1)), y))


def test_ten_rows_at_one_to_nine_beside_a_balanced_test():
    splits = list(SubsampleSplit(10, class_ratio=0.1, n_splits=30, random_state=0).split(X, Y))
    assert len(splits) == 30
    for train, test in splits:
        assert counts(Y, train) == {"cat": 9, "fox": 1}
        assert counts(Y, test) == {"cat": 79, "fox": 79}
        assert not np.intersect1d(train, test).size
    assert len({train.tobytes() for train, _ in splits}) == 30


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        (None, {"cat": 6, "fox": 4}),
        ("balanced", {"cat": 5, "fox": 5}),
        (0.3, {"cat": 7, "fox": 3}),
        ({"cat": 1, "fox": 4}, {"cat": 2, "fox": 8}),
        (0.001, {"cat": 9, "fox": 1}),
        (0.999, {"cat": 1, "fox": 9}),
    ],
)
def test_class_ratios(ratio, expected):
    train, test = first(Y, 10, class_ratio=ratio, test_size=10, test_class_ratio=ratio)
    assert counts(Y, train) == expected
    assert counts(Y, test) == expected


def test_sizes_as_shares():
    train, test = first(Y, 0.25, test_size=0.1)
    assert (len(train), len(test)) == (50, 20)


def test_largest_test_set_of_a_ratio():
    # 110 and 70 rows are left; at 1:4 the 110 cats allow 27 foxes.
    _, test = first(Y, 20, class_ratio="balanced", test_class_ratio=0.2)
    assert counts(Y, test) == {"cat": 110, "fox": 27}


def test_larger_training_sets_contain_the_smaller_ones_and_share_their_test():
    sets = [first(Y, size, class_ratio=0.1, test_size=40) for size in (10, 20, 50, 100)]
    for (small, test), (large, other) in zip(sets[:-1], sets[1:], strict=True):
        assert set(small) <= set(large)
        assert np.array_equal(np.sort(test), np.sort(other))
    # Later splits, too, do not depend on the sizes.
    second = [
        list(SubsampleSplit(size, test_size=40, random_state=0).split(X, Y))[1] for size in (10, 50)
    ]
    assert set(second[0][0]) <= set(second[1][0])


@given(st.integers(1, 60), st.integers(1, 60), st.none() | st.floats(0.01, 0.99))
def test_training_sets_of_two_classes_are_nested_at_every_size(n_first, n_second, ratio):
    available = np.array([n_first, n_second])
    shares = _shares("class_ratio", ratio, [0, 1], available)
    sizes = range(2, 121)
    by_size = np.array([_round(size, shares, "train_size", [0, 1]) for size in sizes])
    assert (np.diff(by_size, axis=0) >= 0).all()


def test_training_sets_of_more_classes_are_nested_at_whole_shares():
    y = np.repeat([0, 1, 2], [600, 600, 200])
    sets = [set(first(y, size)[0]) for size in (7, 14, 70, 700)]
    assert all(small <= large for small, large in zip(sets[:-1], sets[1:], strict=True))
    # Largest remainders: at other sizes a class may lose a row.
    assert [list(counts(y, first(y, size)[0]).values()) for size in (10, 11)] == [
        [4, 4, 2],
        [5, 5, 1],
    ]


@given(st.data())
def test_counts_are_exact_and_next_to_their_shares(data):
    n_classes = data.draw(st.integers(2, 5))
    available = data.draw(st.lists(st.integers(20, 40), min_size=n_classes, max_size=n_classes))
    weights = data.draw(st.lists(st.integers(1, 9), min_size=n_classes, max_size=n_classes))
    size = data.draw(st.integers(n_classes, 20))
    y = np.repeat(np.arange(n_classes), available)
    ratio = dict(enumerate(weights))
    train, test = first(y, size, class_ratio=ratio, random_state=data.draw(st.integers(0, 99)))
    got = np.bincount(y[train], minlength=n_classes)
    assert got.sum() == len(np.unique(train)) == size
    assert got.min() >= 1
    exact = size * np.array(weights) / sum(weights)
    if exact.min() >= 1:
        assert (np.abs(got - exact) < 1).all()
    else:
        assert (got <= np.ceil(np.maximum(exact, 1))).all()
    left = np.array(available) - got
    assert np.bincount(y[test], minlength=n_classes).tolist() == [left.min()] * n_classes
    assert not np.intersect1d(train, test).size


def test_random_state():
    a, b = first(Y, 10, random_state=3), first(Y, 10, random_state=3)
    assert all(np.array_equal(*pair) for pair in zip(a, b, strict=True))
    assert not np.array_equal(a[0], first(Y, 10, random_state=4)[0])
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    fresh = first(Y, 10, random_state=None), first(Y, 10, random_state=None)
    assert not np.array_equal(fresh[0][0], fresh[1][0])
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


class RecordingClassifier(ClassifierMixin, BaseEstimator):
    """Keeps the masks that reach it."""

    __metadata_request__fit = {"mask": True}
    masks = []

    def fit(self, X, y, mask=None):
        self.classes_ = np.unique(y)
        assert np.array_equal(X[:, 0], mask[:, 0])  # the masks of these very rows
        self.masks.append(mask)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def test_a_study_of_thirty_trials_is_one_call_with_masks_routed():
    X = np.arange(200.0)[:, None]
    RecordingClassifier.masks = []
    splitter = SubsampleSplit(10, class_ratio=0.1, n_splits=30, random_state=0)
    with config_context(enable_metadata_routing=True):
        result = cross_validate(RecordingClassifier(), X, Y, cv=splitter, params={"mask": X})
    assert [len(mask) for mask in RecordingClassifier.masks] == [10] * 30
    assert result["test_score"].tolist() == [0.5] * 30


def test_repr_and_number_of_splits():
    splitter = SubsampleSplit(10, class_ratio=0.1, n_splits=3)
    assert splitter.get_n_splits() == 3
    assert "class_ratio=0.1" in repr(splitter)
    assert "train_size=10" in repr(splitter)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"train_size": 0}, "train_size must be an integer from 1 to 200"),
        ({"train_size": 1.5}, "train_size must be an integer .*; got 1.5"),
        ({"train_size": True}, "train_size must be an integer .*; got True"),
        ({"train_size": 1}, r"train_size must be at least 2, one for each of the classes"),
        ({"train_size": 200}, "train_size=200 leaves no sample of class 'cat' for the test set"),
        ({"class_ratio": 1.0}, "class_ratio must be a float between 0 and 1, a dict"),
        ({"class_ratio": "even"}, "class_ratio must be .*; got 'even'"),
        ({"class_ratio": {"cat": 1}}, r"class_ratio must give a positive weight to each of the"),
        ({"class_ratio": {"cat": 1, "fox": 0}}, "class_ratio must give a positive weight"),
        ({"test_class_ratio": 2}, "test_class_ratio must be a float between 0 and 1"),
        (
            {"train_size": 100, "class_ratio": 0.9},
            "train_size and its class ratio need 90 samples of class 'fox', but there are 80",
        ),
        (
            {"test_size": 190},
            "test_size and its class ratio need 95 samples of class 'fox', but there are 76 beside",
        ),
        ({"n_splits": 0}, "n_splits must be a positive integer, got 0"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        first(Y, **{"train_size": 10, **arguments})


def test_bad_targets():
    splitter = SubsampleSplit(10)
    with pytest.raises(ValueError, match="y must hold class labels, got None"):
        next(splitter.split(X, None))
    with pytest.raises(ValueError, match="got a target of type 'continuous'"):
        next(splitter.split(X, np.linspace(0, 1, 200)))
    with pytest.raises(ValueError, match="float for two classes only, got 0.1 for 3 classes"):
        first(np.arange(90) % 3, 10, class_ratio=0.1)
