"""Check the numbers, verdicts and pages of the audit on models that depend on one column, for any
classifier.
"""

import base64
import datetime
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse
import torch
from _estimators import quick
from _linear import fixed_linear
from matplotlib import pyplot
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import Bunch

import skexplain
from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.inspection import _audit_measures, _audit_tasks, audit, saliency
from skexplain.inspection._audit_tasks import CLASSIFICATION
from skexplain.inspection._audit_verdict import decide
from skexplain.metrics import (
    accuracy_after_swap,
    irrelevant_saliency_mass,
    nuisance_flip_rate,
    wrong_reason_share,
)
from skexplain.metrics._perturb import Perturber

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


class ColumnReader(ClassifierMixin, BaseEstimator):
    """Predicts what stands in a column."""

    def __init__(self, column=0):
        self.column = column
        self.classes_ = np.array([0, 1])

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.asarray(X)[:, self.column].astype(int)


@pytest.fixture(scope="module")
def shortcut():
    """Digits, and a network that took their shortcut."""
    digits = make_decoy_digits("half", random_state=0)
    return digits, ERMClassifier(max_epochs=10, random_state=0).fit(digits.data, digits.target)


class BrightCorner(ClassifierMixin, BaseEstimator):
    """Tells whether the first pixel of an image is bright."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return (X[:, 0, 0] > 0.5).astype(int)


def leak(n=400):
    """Two columns that equal the label, the second irrelevant."""
    y = np.arange(n) % 2
    return np.column_stack([y, y, y[::-1]]).astype(float), y, np.array([[0, 1, 0]])


def test_a_model_that_reads_the_irrelevant_column_leans():
    X, y, mask = leak()
    report = audit(ColumnReader(1), X, y, mask, random_state=0)
    assert report.verdict == "leans"
    assert report.accuracy == report.accuracy_annotated == 1.0
    # A random row of two balanced classes has the other label half of the time.
    assert report.flips_by_swap == pytest.approx(0.5, abs=0.05)
    assert report.lost_by_swap == pytest.approx(report.flips_by_swap)
    assert report.accuracy_after_swap == pytest.approx(1 - report.flips_by_swap)
    assert report.flip_rate_by_feature == {"x1": pytest.approx(0.5, abs=0.05)}
    # Where the other has another label, the prediction is always that label.
    assert report.toward_donor_by_swap == 1.0
    assert (report.accuracy_of_marks, report.chance) == (1.0, 0.5)
    assert "accuracy goes from 1.00 to" in report.reason
    assert report.irrelevant_share == pytest.approx(1 / 3)
    assert (report.n_rows, report.n_annotated, report.n_irrelevant) == (400, 400, 400)
    # Noise on the column that it reads hurts, noise on the others does not.
    assert report.relative_core_sensitivity == -1.0


def test_a_model_that_reads_another_column_does_not_lean():
    X, y, mask = leak()
    report = audit(ColumnReader(0), X, y, mask, random_state=0)
    assert report.verdict == "does not lean"
    assert report.flips_by_swap == report.lost_by_swap == report.lost_by_swap_se == 0.0
    assert report.flip_rate_by_feature == {"x1": 0.0}
    assert report.relative_core_sensitivity == 1.0


def test_few_rows_are_unclear():
    X, y, mask = leak(8)
    report = audit(ColumnReader(0), X, y, mask, random_state=0)
    assert report.verdict == "unclear"
    assert report.flips_by_swap == 0.0
    # Wilson's interval of 0 among 8, from statsmodels.
    assert report.flips_by_swap_interval == pytest.approx((0.0, 0.324412), abs=1e-5)


def test_a_shortcut_that_looks_alike_wherever_it_is_is_found_by_erasure():
    """A white square marks class 1: swapped for another white square it stays."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X, mask = rng.uniform(0, 0.2, size=(200, 6, 6)), np.zeros((200, 6, 6), dtype=bool)
    mask[y == 1, :2, :2] = True
    X[mask] = 1.0
    alone = [row if row.any() else None for row in mask]
    model = BrightCorner().fit(X, y)
    report = audit(model, X, y, alone, random_state=0)
    assert report.flips_by_swap == 0.0
    assert report.flips_by_erasure == 1.0
    assert report.lost_by_erasure == 1.0  # class 1 alone is annotated, and lost
    assert report.verdict == "leans"
    # With masks of rows that have nothing to mark, the swap sees it, too: squares come and go.
    assert audit(model, X, y, mask, random_state=0).flips_by_swap > 0.4


def test_flips_alone_are_enough():
    # The label is gone from the irrelevant column, so nothing is lost; but predictions follow it.
    X, y, mask = leak()
    X[:, 1] = np.random.default_rng(0).integers(2, size=400)
    report = audit(ColumnReader(1), X, y, mask, random_state=0)
    assert abs(report.lost_by_swap) < 0.1
    assert report.verdict == "leans"


def test_numbers_are_those_of_the_metrics(shortcut):
    digits, clf = shortcut
    X, y, mask = digits.data_test[:200], digits.target_test[:200], digits.mask_test[:200].copy()
    mask = [None if row % 4 == 0 else each for row, each in enumerate(mask)]
    report = audit(clf, X, y, mask, group_labels=y, epsilon=0.0, n_repeats=15, random_state=0)
    assert report.n_annotated == 150
    right = clf.predict(X) == y
    assert report.accuracy == right.mean()
    assert report.accuracy_annotated == right[np.arange(200) % 4 > 0].mean()
    swapped = accuracy_after_swap(clf, X, y, mask, n_repeats=15, random_state=1)
    assert report.accuracy_after_swap == pytest.approx(swapped, abs=0.03)
    flips = nuisance_flip_rate(clf, X, mask, n_repeats=15, random_state=1)
    assert report.flips_by_swap == pytest.approx(flips, abs=0.03)
    maps = saliency(clf, X)
    assert report.irrelevant_saliency_mass == irrelevant_saliency_mass(maps, mask)
    assert report.wrong_reason_share == wrong_reason_share(maps, mask)
    assert report.certified_accuracy == report.accuracy  # nothing moves within a radius of 0
    assert report.worst_group_accuracy == min(right[y == digit].mean() for digit in range(10))
    assert report.flip_rate_by_feature == {}


def test_the_swap_repairs_what_the_audit_finds():
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    # Held-out samples with the shortcut, where accuracy says nothing.
    train, held_out = (
        (digits.data[rows], digits.target[rows], digits.mask[rows])
        for rows in (slice(None, None, 2), slice(1, None, 2))
    )
    reports = {}
    for cls in (ERMClassifier, SwapExClassifier):
        clf = cls(max_epochs=40, random_state=0).fit(*train[:2], mask=train[2])
        reports[cls] = audit(clf, *held_out, random_state=0)
        assert reports[cls].accuracy > 0.9
    leaning, mended = reports[ERMClassifier], reports[SwapExClassifier]
    # Measured: flips .64 and .07, accuracy lost .62 and .05.
    assert leaning.verdict == "leans"
    assert leaning.decided_by == "swap"
    assert leaning.flips_by_swap > 0.4
    assert leaning.toward_donor_by_swap_interval[0] > 0.05
    assert mended.verdict != "leans"
    assert mended.flips_by_swap < 0.15


def test_relevant_marks_are_those_of_the_estimator():
    X, y, mask = leak()
    clf = quick(ERMClassifier, mask_marks="relevant").fit(X, y)
    one = audit(clf, X, y, 1 - mask, random_state=0)
    two = audit(clf, X, y, mask, mask_marks="irrelevant", random_state=0)
    assert one.numbers() == two.numbers()


def test_the_certificate_has_the_marks_of_the_audit():
    X, y, mask = leak()
    # Reads the first column alone, which the mask leaves as it is, and its opposite moves.
    clf = fixed_linear([[-1.0, 0, 0], [1.0, 0, 0]], X - 0.5, y, mask_marks="relevant")
    of_marks = {"mask_marks": "irrelevant", "epsilon": 2.0, "random_state": 0}
    assert audit(clf, X - 0.5, y, mask, **of_marks).certified_accuracy == 1
    assert audit(clf, X - 0.5, y, 1 - mask, **of_marks).certified_accuracy == 0


def test_equal_seeds_give_equal_reports(tmp_path):
    X, y, mask = leak()
    for name in "ab":
        audit(ColumnReader(1), X, y, mask, random_state=3).to_html(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# -- what a verdict rests on ------------------------------------------------------------------


def white_squares(n=240, seed=0, both=False):
    """Return images with a white square on one class, and a dark bar that is longer in the other.

    The square is at a random place; its mask marks it alone.
    """
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X, mask = rng.uniform(0.3, 0.5, size=(n, 12, 12)), np.zeros((n, 12, 12), dtype=bool)
    for row in range(n):
        X[row, 10, : 4 + 4 * y[row]] = 0
        if y[row] or both:
            top, left = rng.integers(0, 7, size=2)
            mask[row, top : top + 3, left : left + 3] = True
    X[mask] = 1
    return X, y, mask


class WhiteOrBar(BrightCorner):
    """Tells whether there is anything white, or how long the bar is."""

    def __init__(self, reads="white", disturbed_by=None):
        self.reads = reads
        self.disturbed_by = disturbed_by

    def predict(self, X):
        white, bar = (X == 1).any(axis=(1, 2)), (X[:, 10] == 0).sum(axis=1) > 6
        predicted = (white if self.reads == "white" else bar).astype(int)
        if self.disturbed_by is not None:
            predicted[white] = self.disturbed_by(predicted, X)[white]
        return predicted


@pytest.mark.parametrize("unmarked", ["zeros", "None", "NaN"])
def test_a_shortcut_of_one_class_is_given_to_the_other(unmarked):
    """It does not matter how samples without the shortcut are annotated."""
    X, y, mask = white_squares()
    mask = [row if row.any() else {"zeros": row, "NaN": np.full_like(row, np.nan, float)}.get(
        unmarked
    ) for row in mask]  # fmt: skip
    leaning = audit(WhiteOrBar("white").fit(X, y), X, y, mask, random_state=0)
    honest = audit(WhiteOrBar("bar").fit(X, y), X, y, mask, random_state=0)
    assert (leaning.verdict, honest.verdict) == ("leans", "does not lean")
    among_all = unmarked != "zeros"
    assert leaning.decided_by == ("swap_among_all" if among_all else "swap")
    # Samples of class 0 change if they are given a square, and are lost; those of class 1 change in
    # any case, and are lost half of the time: where the other has no square.
    assert leaning.deciding.lost == pytest.approx((1 + 0.5) / 2, abs=0.05)
    assert honest.deciding.lost == 0
    assert (
        any("Of class 0 few samples or none have a mask" in n for n in leaning.notes) == among_all
    )
    assert ("flips_by_swap_among_all" in leaning) == among_all


def test_erasure_decides_where_no_swap_can():
    """Marks of reasons say that all else is irrelevant: nothing may come over other reasons."""
    X, y, mask = white_squares()
    reasons = np.zeros_like(mask)
    reasons[:, 10] = True
    one_class = [row if label else None for row, label in zip(reasons, y, strict=True)]
    model = WhiteOrBar("white").fit(X, y)
    report = audit(model, X, y, one_class, mask_marks="relevant", random_state=0)
    assert report.verdict == "leans"
    assert report.decided_by == "erasure"
    assert "erased" in report.reason
    assert "Samples before and after erasure" in report.figures()
    assert report.examples.change == "erased"
    assert any("erasure decides" in note for note in report.notes)
    bar = audit(WhiteOrBar("bar").fit(X, y), X, y, one_class, mask_marks="relevant", random_state=0)
    assert bar.verdict == "does not lean"


def test_a_model_that_is_merely_disturbed_does_not_lean():
    """Whatever is white makes it guess, or say the class that goes with no square."""
    X, y, mask = white_squares(400)

    def guess(predicted, X):
        return np.where(X[:, 11, 11] > 0.4, predicted, 1 - predicted)

    guessing = WhiteOrBar("bar", guess).fit(X, y)
    report = audit(guessing, X, y, mask, random_state=0)
    assert report.flips_by_swap > 0.2  # so many that it was said to lean
    assert report.verdict != "leans"
    assert "disturbs" in report.reason
    timid = WhiteOrBar("bar", lambda predicted, X: 0 * predicted).fit(X, y)
    report = audit(timid, X, y, mask, random_state=0)
    assert report.flips_by_swap > 0.2
    assert report.verdict == "does not lean"


def test_a_shortcut_that_predicts_nothing_here_is_found_by_what_is_predicted():
    X, y, mask = white_squares(both=True)
    X[mask] = 0.4
    shown = np.random.default_rng(1).permutation(240) < 120
    X[mask & shown[:, None, None]] = 1
    mask[~shown] = False
    report = audit(WhiteOrBar("white").fit(X, y), X, y, mask, random_state=0)
    assert report.verdict == "leans"
    assert "does not predict the class" in report.reason
    assert abs(report.lost_by_swap) < 0.2
    assert audit(WhiteOrBar("bar").fit(X, y), X, y, mask, random_state=0).verdict == "does not lean"


def test_training_data_are_noticed():
    X, y, mask = leak()
    X[:, 2] = np.random.default_rng(0).normal(size=len(X))
    clf = quick(ERMClassifier).fit(X, y)
    clf.predict = lambda X: np.asarray(X)[:, 0].astype(int)  # as if it knew them by heart
    known = audit(clf, X, y, mask, random_state=0)
    assert known.trained_on
    assert known.verdict == "unclear"
    assert known.reason.startswith("These are the samples that the model was trained on")
    other = audit(clf, X[:-10], y[:-10], mask, random_state=0)
    assert not other.trained_on
    assert other.verdict == "does not lean"
    # Of other estimators nothing is known but what they get right.
    assert any("accuracy on these samples is 1.000" in note for note in other.notes)
    clf.predict = lambda X: np.asarray(X)[:, 1].astype(int)
    leaning = audit(clf, X, y, mask, random_state=0)
    assert leaning.verdict == "leans"
    assert any("was trained on" in note for note in leaning.notes)
    worse = np.where(np.arange(400) < 20, 1 - y, y)
    assert audit(ColumnReader(0), X, worse, mask, random_state=0).notes == []


def test_pull_by_hand():
    """Among three classes, chance is how often a class comes that nobody gave."""
    before = np.array([0, 0, 0, 0])
    given = np.array([[1, 1, 2, 0]])
    after = np.array([[1, 0, 2, 1]])
    changes = np.ones((1, 4), dtype=bool)
    pull = _audit_tasks._pull_labels("p", before, after, given, changes)["p"]
    # Given 1: one of two, and by chance (of those that are given 2 or 0) one of two; given 2: one
    # of one, by chance none of three.
    assert pull == pytest.approx(((1 - 0.5) + (0 - 0.5) + 1) / 3)


@pytest.mark.parametrize("shape", [(200, 4), (200, 30, 30), (200, 2, 13, 14)])
def test_predict_from_marks(shape):
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X, mask = rng.normal(size=shape), np.zeros(shape)
    place = (slice(None), *(0,) * (len(shape) - 1))
    mask[place] = 1

    def of_marks(X, mask, **kwargs):
        swap = Perturber(ColumnReader(), X, mask, "irrelevant", "swap")
        return _audit_measures.predict_from_marks(swap, y, 0, **kwargs)

    assert not of_marks(X, mask).predictive
    X[place] = 9 * y
    guessed = of_marks(X, mask)
    assert (guessed.score, guessed.chance) == (1, 0.5)
    assert not of_marks(X, mask, values=False).predictive
    mask[y == 0] = 0
    assert of_marks(X, mask, values=False).predictive


# -- other kinds of data -------------------------------------------------------------------------


def test_a_data_frame_with_text_in_any_classifier():
    pd = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder

    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    X = pd.DataFrame({"age": rng.normal(size=300), "site": np.where(y, "north", "south")})
    model = make_pipeline(
        make_column_transformer((OneHotEncoder(), ["site"]), remainder="passthrough"),
        RandomForestClassifier(n_estimators=10, random_state=0),
    ).fit(X, y)
    mask = pd.DataFrame([[1, 0]], columns=["site", "age"])
    report = audit(model, X, y, mask, random_state=0)
    assert report.verdict == "leans"
    assert list(report.flip_rate_by_feature) == ["site"]
    assert "accuracy_noise_on_irrelevant" not in report
    assert "irrelevant_saliency_mass" not in report
    frame = report.to_frame()
    assert frame.loc["flips_by_swap", "value"] == report.flips_by_swap


def test_sparse_words_with_their_documents(tmp_path):
    documents = ["From: church\nthe lord", "From: nasa\nno god"] * 20
    y = np.arange(40) % 2
    vectorizer = CountVectorizer()
    X = vectorizer.fit_transform(documents)
    assert scipy.sparse.issparse(X)
    words = list(vectorizer.get_feature_names_out())
    mask = [[word in ("church", "nasa") for word in words]]
    tree = DecisionTreeClassifier(random_state=0).fit(X, y)
    audit(tree, X, y, mask, feature_names=words, random_state=0).to_html(tmp_path / "tree.html")
    dense = X.toarray()
    clf = quick(ERMClassifier).fit(dense, y)
    report = audit(clf, dense, y, mask, feature_names=words, documents=documents, random_state=0)
    figure = report.figures()["Samples, and where the gradient lies"]
    drawn = {text.get_text() for ax in figure.axes for text in ax.texts}
    assert {"church", "lord"} <= drawn
    pd = pytest.importorskip("pandas")
    series = pd.Series(documents, index=np.arange(len(y))[::-1])
    again = audit(clf, dense, y, mask, feature_names=words, documents=series, random_state=0)
    assert again.examples.shown.documents == report.examples.shown.documents
    with pytest.raises(ValueError, match="documents must have one entry for each of the"):
        audit(clf, dense, y, mask, feature_names=words, documents=documents[1:], random_state=0)


class BrightVoxel(BrightCorner):
    """Tells whether the first entry of a row of any shape is bright."""

    def predict(self, X):
        return (X.reshape(len(X), -1)[:, 0] > 0.5).astype(int)


def test_rows_of_more_axes_than_a_picture_are_audited_without_examples(tmp_path):
    y = np.arange(40) % 2
    X = np.random.default_rng(0).uniform(size=(40, 1, 2, 3, 4))
    X[:, 0, 0, 0, 0] = y
    mask = np.zeros((1, 1, 2, 3, 4))
    mask[0, 0, 0, 0, 0] = 1
    report = audit(BrightVoxel().fit(X, y), X, y, mask, random_state=0)
    assert report.verdict == "leans"
    assert report.examples is None
    assert "Samples before and after the swap" not in report.figures()
    report.to_html(tmp_path / "report.html")


def test_a_pipeline_of_ours_is_audited_without_gradients():
    X, y, mask = leak()
    model = make_pipeline(StandardScaler(), quick(ERMClassifier)).fit(X, y)
    report = audit(model, X, y, mask, random_state=0)
    assert "irrelevant_saliency_mass" not in report
    assert report.flips_by_swap >= 0


def test_a_model_of_any_library_is_audited():
    class Other:
        def predict(self, X):
            return np.asarray(X)[:, 1].astype(int)

    X, y, mask = leak()
    expected = audit(ColumnReader(1), X, y, mask, random_state=0)
    assert audit(Other(), X, y, mask, random_state=0).numbers() == expected.numbers()


def test_missing_values_are_audited(tmp_path):
    from sklearn.ensemble import HistGradientBoostingClassifier

    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    X = pd.DataFrame({"age": rng.normal(size=400) + y, "lab": rng.normal(size=400)})
    X.loc[y == 1, "lab"] = np.nan  # that it is missing predicts the label
    model = HistGradientBoostingClassifier(random_state=0).fit(X[:200], y[:200])
    report = audit(model, X[200:], y[200:], [[0, 1]], random_state=0)
    assert report.verdict == "leans"
    assert report.accuracy_of_marks == 1
    assert "accuracy_noise_on_irrelevant" in report
    report.to_html(tmp_path / "report.html")


@pytest.mark.parametrize("kind", ["objects", "polars"])
def test_tables_of_any_kind_are_audited(kind, tmp_path):
    y = np.arange(60) % 2
    sites = np.where(y, "north", "south")
    if kind == "polars":
        pl = pytest.importorskip("polars")
        X = pl.DataFrame({"age": np.arange(60.0), "site": sites})
        read = lambda X: X["site"].to_numpy()  # noqa: E731
    else:
        X = np.array([[float(age), site] for age, site in enumerate(sites)], dtype=object)
        read = lambda X: X[:, 1]  # noqa: E731
    model = type("Site", (), {"predict": lambda self, X: (read(X) == "north").astype(int)})()
    report = audit(model, X, y, [[0, 1]], random_state=0)
    assert report.verdict == "leans"
    assert report.accuracy_of_marks == 1
    assert any("left out: marked columns hold no numbers" in note for note in report.notes)
    report.to_html(tmp_path / "report.html")


class FirstToken(torch.nn.Module):
    """Sums what it looks up for each position."""

    def __init__(self):
        super().__init__()
        self.embedding = torch.nn.Embedding(50, 2)

    def forward(self, X):
        return self.embedding(X.long()).sum(dim=1)


def test_tokens_are_swapped_and_nothing_else():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = rng.integers(2, 50, size=(200, 6))
    X[:, 0] = y
    clf = ERMClassifier(FirstToken, max_epochs=40, lr=0.05, random_state=0).fit(X[:100], y[:100])
    report = audit(clf, X[100:], y[100:], [[1, 0, 0, 0, 0, 0]], random_state=0)
    assert report.verdict == "leans"
    assert not {"flips_by_erasure", "noise"} & set(report)
    assert any("numbers are tokens" in note for note in report.notes)


def test_what_a_model_does_not_predict_for_is_left_out():
    X, y, mask = leak()
    table = {0.0: 0, 1.0: 1}
    lookup = type("Lookup", (), {"predict": lambda _, X: np.array([table[x] for x in X[:, 1]])})()
    report = audit(lookup, X, y, mask, random_state=0)
    assert report.verdict == "leans"
    assert any("does not predict for changed numbers (KeyError)" in note for note in report.notes)


# -- pages ---------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Keeps the tags that are open, the images and the addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.sources += [attrs[key] for key in ("src", "href") if key in attrs]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def image_report(shortcut):
    digits, clf = shortcut
    return audit(
        clf,
        digits.data_test,
        digits.target_test,
        digits.mask_test,
        group_labels=digits.groups_test,
        random_state=0,
    )


def test_the_page_is_whole_and_needs_nothing_else(tmp_path, image_report):
    report = image_report
    path = tmp_path / "audit.html"
    report.to_html(path)
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.open == []
    assert len(page.sources) == 3  # examples, noise, groups
    for source in page.sources:
        head, data = source.split(",", 1)
        assert head == "data:image/png;base64"
        assert base64.b64decode(data).startswith(b"\x89PNG")
    text = " ".join(page.text)
    # From the top: verdict, why, figures, pictures; then what was audited; all else is folded.
    whole = path.read_text(encoding="utf-8")
    marks = [
        "It leans on what it must not.", "Given the marked part", 'class="figures"', "<img",
        "What was audited", "<details>", "accuracy after a swap", "Accuracy by group", "</details>",
    ]  # fmt: skip
    places = [whole.index(mark) for mark in marks]
    assert places == sorted(places)
    assert whole.count('class="figure"') == 3
    assert f"{report.flips_by_swap:.3f}" in text
    assert f"{report.n_rows} samples of 8 x 8, " in text
    assert "max_epochs=10" in text
    assert "seed 0" in text
    assert f"skexplain {skexplain.__version__}" in text
    assert datetime.date.today().isoformat() in text
    assert pyplot.get_fignums() == []


def test_examples_are_rows_that_flip(image_report, shortcut):
    examples = image_report.examples
    assert (examples.predicted != examples.predicted_changed).all()
    digits, clf = shortcut
    rows = examples.shown.index
    assert np.array_equal(examples.shown.values, digits.data_test[rows])
    # The reasons stay, and the half that is masked has another shade.
    assert examples.change == "swapped"
    same = examples.changed == digits.data_test[rows]
    assert same[~digits.mask_test[rows]].all()
    assert np.array_equal(clf.predict(examples.changed), examples.predicted_changed)


def test_no_data_stand_in_the_parameters(tmp_path):
    X, y, mask = leak()
    model = ColumnReader(1)
    model.column = np.int64(1)
    model.classes_ = y
    model.get_params = lambda deep=True: {"weights": X, "network": object(), "text": "a" * 200}
    parameters = audit(model, X, y, mask, random_state=0).provenance["parameters"]
    assert parameters == f"network=object, text={'a' * 77}..., weights=ndarray"


def test_labels_are_escaped(tmp_path):
    X, y, mask = leak()
    model = type("A<b>", (ColumnReader,), {})(1)
    audit(model, X, y, mask, random_state=0).to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "A&lt;b&gt;" in text
    assert "A<b>" not in text


def test_it_shows_itself_in_a_notebook_and_as_text(monkeypatch):
    X, y, mask = leak()
    report = audit(ColumnReader(1), X, y, mask, random_state=0)
    assert "<img" in report._repr_html_()
    assert re.search(r"flips by the swap +0\.\d{3}", repr(report))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    body = report._repr_html_()
    assert "flips by the swap" in body
    assert "<img" not in body
    with pytest.raises(ImportError, match=r"skexplain\[plot\]"):
        report.to_html("nowhere.html")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("width", [1000, 400])
def test_the_page_opens_in_a_browser(tmp_path, width, image_report):
    image_report.to_html(tmp_path / "audit.html")
    command = [
        "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--hide-scrollbars", f"--user-data-dir={tmp_path / 'profile'}",
        f"--window-size={width},2000", f"--screenshot={tmp_path / 'page.png'}",
        (tmp_path / "audit.html").as_uri(),
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    picture = pyplot.imread(tmp_path / "page.png")
    assert picture.shape[:2] == (2000, width)
    # Text and pictures cover the page: the screenshot was looked at.
    assert (picture[..., :3] < 0.9).any(axis=2).mean() > 0.1


# -- bad input -----------------------------------------------------------------------------------


def test_bad_arguments():
    X, y, mask = leak()
    model = ColumnReader(1)
    with pytest.raises(
        TypeError, match="estimator must be a fitted classifier or regressor, got StandardSc"
    ):
        audit(StandardScaler(), X, y, mask)
    with pytest.raises(ValueError, match="y has 3 rows, but X has 400"):
        audit(model, X, y[:3], mask)
    with pytest.raises(ValueError, match="kind of y, str, but .* number: no prediction could be"):
        audit(model, X, y.astype(str), mask)
    with pytest.raises(ValueError, match="mask must say which features must not matter, got None"):
        audit(model, X, y, None)
    with pytest.raises(ValueError, match="n_repeats must be"):
        audit(model, X, y, mask, n_repeats=0)
    with pytest.raises(ValueError, match="feature_names must have one entry for each of the 3"):
        audit(model, X, y, mask, feature_names=["a"])
    with pytest.raises(ValueError, match="mask must mark something irrelevant in at least 2"):
        audit(model, X, y, [[0, 1, 0]] + [None] * 399)


@pytest.mark.parametrize(("n_changed", "disturbs"), [(0, False), (2, True)])
def test_a_model_that_nothing_changes_is_not_said_to_be_disturbed(n_changed, disturbs):
    """Of a few samples the interval of the loss is wide, also where no prediction changes."""
    share = n_changed / 20
    measures = Bunch(
        lost=share, lost_interval=(-0.1, 0.2), flips=share, flips_interval=(0, 0.2), before=0.7,
        after=0.7 - share, toward=0.0, toward_interval=(0.0, 0.0), crossing=0.0, n_rows=20,
    )  # fmt: skip
    verdict, _, reason = decide(
        {"swap": measures}, True, CLASSIFICATION.words, erasure_counts=False
    )
    assert verdict == "does not lean"
    assert ("disturbs" in reason) == disturbs
