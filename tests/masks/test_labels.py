"""Check that names of columns and labels of samples follow one rule wherever a mask is taken beside
X.
"""

import functools

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain import (
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    MaskPropagator,
    SwapExClassifier,
    WithPropagatedMasks,
)
from skexplain.inspection import audit, certified_accuracy, fgsm, query_explanations
from skexplain.inspection._drawing import shown_rows
from skexplain.masks import interpret_mask, invert_mask, pool_masks, union_masks
from skexplain.metrics import accuracy_after_swap, irrelevant_saliency_mass
from skexplain.model_selection import mask_permutation_test, swap_accuracy_scorer

NAMES = ["age", "site", "dose"]
ROWS = [f"patient {number}" for number in range(24)]


def values(n_rows=24):
    rng = np.random.default_rng(0)
    y = np.arange(n_rows) % 2
    return rng.normal(size=(n_rows, 3)) + y[:, None], y


def marks():
    """Marks that differ between columns and between rows."""
    mask = np.zeros((24, 3), dtype=bool)
    mask[:, 1] = True
    mask[::3, 2] = True
    return mask


X, Y = values()
FRAME = pd.DataFrame(X, columns=NAMES, index=ROWS)
MASK = pd.DataFrame(marks(), columns=NAMES, index=ROWS)
OTHER_ORDER = MASK[["dose", "age", "site"]]
CLASSIFIER = GradRegClassifier(max_epochs=1, random_state=0)
FITTED = GradRegClassifier(max_epochs=1, random_state=0).fit(FRAME, Y, mask=MASK)
ON_ARRAYS = GradRegClassifier(max_epochs=1, random_state=0).fit(X, Y, mask=marks())


def _weights(estimator, X, mask):
    fitted = estimator.fit(X, Y, mask=mask)
    fitted = getattr(fitted, "estimator_", fitted)
    fitted = fitted.estimators_[0] if hasattr(fitted, "estimators_") else fitted
    return np.concatenate([p.detach().ravel() for p in fitted.module_.parameters()])


def _model(X):
    return FITTED if hasattr(X, "columns") else ON_ARRAYS


# Each takes X and a mask, and returns numbers that depend on which columns and rows are marked.
TAKERS = {
    "fit": lambda X, mask: _weights(CLASSIFIER, X, mask),
    "partial_fit": lambda X, mask: _weights_of_partial_fit(X, mask),
    "find another": lambda X, mask: _weights(
        FindAnotherExplanationClassifier(CLASSIFIER, n_explanations=1, random_state=0), X, mask
    ),
    "propagated": lambda X, mask: _weights(WithPropagatedMasks(CLASSIFIER), X, mask),
    "propagator": lambda X, mask: MaskPropagator(cv=None).fit(X, mask).model_.shares,
    "fill": lambda X, mask: MaskPropagator(cv=None).fit(X, marks()).fill(X, mask),
    "metric": lambda X, mask: accuracy_after_swap(_model(X), X, Y, mask, random_state=0),
    "scorer": lambda X, mask: swap_accuracy_scorer(random_state=0)(_model(X), X, Y, mask=mask),
    "audit": lambda X, mask: audit(_model(X), X, Y, mask, random_state=0).accuracy_after_swap,
    "attack": lambda X, mask: fgsm(_model(X), X, Y, 0.5, mask=mask),
    "certificate": lambda X, mask: certified_accuracy(_model(X), X, Y, mask, 0.1),
    "query": lambda X, mask: query_explanations(_model(X), X, 2, mask=_half(mask), random_state=0),
    "display": lambda X, mask: shown_rows(X, mask, rows=range(24)).irrelevance,
    "permutation test": lambda X, mask: (
        mask_permutation_test(
            CLASSIFIER, X, Y, mask=mask, cv=2, n_permutations=1, random_state=0
        ).scores
    ),
}
BY_COLUMN = [name for name in TAKERS if name != "permutation test"]


def _weights_of_partial_fit(X, mask):
    model = GradRegClassifier(random_state=0).partial_fit(X, Y, mask=mask, classes=[0, 1])
    return np.concatenate([p.detach().ravel() for p in model.module_.parameters()])


def _half(mask):
    """The masks of every other row, so that there is somebody to ask about."""
    mask = mask.astype(float) if hasattr(mask, "iloc") else np.array(mask, dtype=float)
    mask[1::2] = np.nan
    return mask


@functools.cache
def by_position(name):
    return TAKERS[name](FRAME, marks())


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.UnreliableMaskWarning")
def test_names_that_X_has_are_aligned(name):
    expected = by_position(name)
    for mask in (MASK, OTHER_ORDER, OTHER_ORDER.astype(float)):
        assert_array_equal(TAKERS[name](FRAME, mask), expected)


@pytest.mark.parametrize("name", BY_COLUMN)
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.UnreliableMaskWarning")
def test_names_that_cannot_be_compared_are_refused(name):
    for mask in (MASK, OTHER_ORDER):
        with pytest.raises(ValueError, match="names .* cannot be compared; got .*mask.to_numpy"):
            TAKERS[name](X, mask)
        with pytest.raises(ValueError, match="must have the columns of X|feature names"):
            TAKERS[name](FRAME.set_axis(["p", "q", "r"], axis=1), mask)


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.UnreliableMaskWarning")
def test_marks_without_names_are_read_by_position(name):
    unnamed = pd.DataFrame(marks())
    assert_array_equal(TAKERS[name](FRAME, unnamed), by_position(name))
    assert_array_equal(TAKERS[name](X, unnamed), TAKERS[name](X, marks()))


@pytest.mark.parametrize("name", TAKERS)
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.UnreliableMaskWarning")
def test_rows_in_another_order_are_refused(name):
    backwards = MASK[::-1]
    as_list = pd.Series([np.array(row) for row in marks()], index=ROWS)[::-1]
    for mask in (backwards, as_list) if name != "query" else (backwards,):
        with pytest.raises(ValueError, match=r"row 0 has the label 'patient 23'.*mask.loc\[X"):
            TAKERS[name](FRAME, mask)


@pytest.mark.parametrize("kind", [pd.DataFrame, pd.Series])
def test_which_row_labels_are_refused(kind):
    def read(labels, index):
        rows = [np.array([row % 2, 1]) for row in range(len(labels))]
        mask = pd.DataFrame(rows, index=labels) if kind is pd.DataFrame else pd.Series(rows, labels)
        masks = interpret_mask(mask, (len(index), 2), index=pd.Index(index))
        return masks.values[:, 0].tolist()

    in_order = [
        ([0, 1, 2], [0, 1, 2]),
        (["a", "b", "c"], ["a", "b", "c"]),
        ([7, 7, 3], [7, 7, 3]),  # drawn with replacement
        ([0, 1, 2], ["a", "b", "c"]),  # no names of its own
        (["a", "b", "c"], [0, 1, 2]),
        ([0, 1, 2], [2, 5, 9]),  # numbered anew beside rows of a larger table
        ([2, 5, 9], [0, 1, 2]),
        (["a", "b", "c"], [10, 20, 30]),  # nothing in common
    ]
    for labels, index in in_order:
        assert read(labels, index) == [0, 1, 0], (labels, index)
    for labels, index in [
        ([0, 1, 2], [2, 0, 1]),  # the same labels in another order
        ([2, 0, 1], [0, 1, 2]),
        (["a", "b", "c"], ["b", "a", "c"]),
        ([3, 7, 7], [7, 7, 3]),
        ([5, 6, 8], [6, 5, 9]),  # a split that the mask did not take part in
        ([5, 6, 8], [1, 2, 3]),
    ]:
        with pytest.raises(ValueError, match="mask must have its rows in the order of X"):
            read(labels, index)


def test_the_index_of_y_stands_in_behind_a_transformer():
    y, rows = pd.Series(Y, index=ROWS), np.random.default_rng(1).permutation(24)
    mask = pd.DataFrame(marks(), index=ROWS)
    model = make_pipeline(StandardScaler(), CLASSIFIER)
    given = {"gradregclassifier__mask": mask.iloc[rows]}
    model.fit(FRAME.iloc[rows], y.iloc[rows], **given)
    with pytest.raises(ValueError, match="in the order of X"):
        model.fit(FRAME.iloc[rows], y.iloc[rows], gradregclassifier__mask=mask)


def test_a_table_of_names_behind_a_transformer_of_its_own_is_aligned():
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), CLASSIFIER)
    by_name = model.fit(FRAME, Y, gradregclassifier__mask=OTHER_ORDER).predict_proba(FRAME)
    by_hand = model.fit(FRAME, Y, gradregclassifier__mask=marks()).predict_proba(FRAME)
    assert_array_equal(by_name, by_hand)


def test_other_kinds_of_names_of_X_are_known_as_well():
    for columns in ([30, 10, 20], [("a", 1), ("a", 2), ("b", 1)], [True, 1.5, "x"], [2, 0, 1]):
        frame = FRAME.set_axis(pd.Index(columns, dtype=object), axis=1)
        mask = MASK.set_axis(frame.columns, axis=1)
        values = _labelled(frame, mask.iloc[:, [2, 0, 1]])
        assert_array_equal(values, marks())


def _labelled(frame, mask):
    return shown_rows(frame, mask, rows=range(24)).irrelevance


def test_names_of_arrow_tables_and_of_masks_in_a_list():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(OTHER_ORDER, preserve_index=False)
    assert_array_equal(interpret_mask(table, X.shape, feature_names=NAMES).values, marks())
    rows = [row if number else None for number, (_, row) in enumerate(OTHER_ORDER.iterrows())]
    masks = interpret_mask(rows, X.shape, feature_names=NAMES)
    assert_array_equal(masks.values[1:], marks()[1:])
    with pytest.raises(ValueError, match="cannot be compared"):
        interpret_mask(rows, X.shape)


def test_names_that_are_told_to_the_audit_or_a_display_are_known():
    in_one = pd.Series({"dose": 0, "age": 1, "site": 1})
    for mask, same in ((OTHER_ORDER, marks()), (in_one, [[1, 1, 0]])):
        expected = audit(ON_ARRAYS, X, Y, same, random_state=0)
        report = audit(ON_ARRAYS, X, Y, mask, feature_names=NAMES, random_state=0)
        assert report.lost_by_swap == expected.lost_by_swap
        assert report.irrelevant_saliency_mass == expected.irrelevant_saliency_mass
        shown = [
            shown_rows(X, each, rows=range(24), feature_names=NAMES).irrelevance
            for each in (mask, same)
        ]
        assert_array_equal(*shown)
    with pytest.raises(ValueError, match="must have the columns of X"):
        audit(ON_ARRAYS, X, Y, MASK, feature_names=["p", "q", "r"])


def test_names_that_occur_twice_must_be_in_order():
    twice = pd.DataFrame([[1, 0, 0]], columns=["a", "b", "a"])
    masks = interpret_mask(twice, (4, 3), feature_names=["a", "b", "a"])
    assert masks.values.tolist() == [[1, 0, 0]]
    with pytest.raises(ValueError, match=r"\[a\] must occur as often"):
        interpret_mask(twice, (4, 3), feature_names=["a", "a", "b"])


def test_saliency_with_names_wants_a_mask_with_the_same():
    saliency = pd.DataFrame([[1.0, -3.0], [2.0, 2.0]], columns=["a", "b"])
    mask = pd.DataFrame({"b": [1], "a": [0]})
    assert irrelevant_saliency_mass(saliency, mask) == 0.625  # 3/4 and 1/2
    with pytest.raises(ValueError, match="cannot be compared"):
        irrelevant_saliency_mass(saliency.to_numpy(), mask)


def test_unions_go_by_name():
    first = pd.DataFrame([[1, 0, 0]], columns=["site", "age", "sex"])
    second = pd.DataFrame([[0, 0, 1], [1, 0, 0]], columns=["sex", "age", "site"], index=["p", "q"])
    union = union_masks(first, second)
    assert union.columns.tolist() == ["site", "age", "sex"]
    assert union.to_numpy().tolist() == [[1, 0, 0], [1, 0, 1]]
    assert union.index.tolist() == ["p", "q"]
    for other in (np.eye(1, 3), second[["sex", "age"]], second.rename(columns={"sex": "size"})):
        with pytest.raises(ValueError, match="masks must have the same columns"):
            union_masks(first, other)
        with pytest.raises(ValueError, match="masks must have the same columns"):
            union_masks(other, first)
    with pytest.raises(ValueError, match="in the order of X"):
        union_masks(second, second[::-1])


def test_what_is_made_of_a_table_keeps_its_names():
    """Else the array would be read in the order of X."""
    for made in (invert_mask(OTHER_ORDER), pool_masks(OTHER_ORDER), union_masks(OTHER_ORDER)):
        assert made.columns.tolist() == ["dose", "age", "site"]
    assert_array_equal(_labelled(FRAME, invert_mask(OTHER_ORDER)), ~marks())
    pooled = np.broadcast_to(marks().any(axis=0, keepdims=True), (24, 3))
    assert_array_equal(np.broadcast_to(_labelled(FRAME, pool_masks(OTHER_ORDER)), (24, 3)), pooled)


def test_a_swap_estimator_is_no_exception():
    assert_array_equal(
        _weights(SwapExClassifier(max_epochs=1, random_state=0), FRAME, OTHER_ORDER),
        _weights(SwapExClassifier(max_epochs=1, random_state=0), FRAME, marks()),
    )


def test_a_search_slices_tables_by_row_and_aligns_them_by_name():
    scores = [
        cross_val_score(CLASSIFIER, inputs, Y, params={"mask": mask}, cv=3, scoring="neg_log_loss")
        for inputs, mask in ((FRAME, OTHER_ORDER), (FRAME, MASK), (X, marks()))
    ]
    assert_array_equal(scores[0], scores[2])
    assert_array_equal(scores[1], scores[2])
    shuffled = FRAME.iloc[np.random.default_rng(0).permutation(24)]
    with pytest.raises(ValueError, match="must have its rows in the order of X"):
        cross_val_score(CLASSIFIER, shuffled, Y, params={"mask": MASK}, cv=3)
