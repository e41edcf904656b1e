"""The audit: numbers by hand on models that lean on one column, verdicts, pages, any classifier."""

import base64
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib as mpl
import numpy as np
import pytest
import scipy.sparse
from _estimators import quick
from _linear import fixed_linear
from matplotlib import pyplot
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.inspection import audit, saliency
from skexplain.metrics import (
    accuracy_after_swap,
    irrelevant_saliency_mass,
    nuisance_flip_rate,
    wrong_reason_share,
)

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


def test_a_trap_that_looks_alike_wherever_it_is_is_found_by_erasure():
    """A white square marks class 1: swapped for another white square it stays."""
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X, mask = rng.uniform(0, 0.2, size=(200, 6, 6)), np.zeros((200, 6, 6), dtype=bool)
    mask[y == 1, :2, :2] = True
    X[mask] = 1.0
    model = BrightCorner().fit(X, y)
    report = audit(model, X, y, mask, random_state=0)
    assert report.flips_by_swap == 0.0
    assert report.flips_by_erasure == 1.0
    assert report.lost_by_erasure == 0.5  # class 1 alone is masked, and lost
    assert report.verdict == "leans"
    # With the place masked in all rows, the swap sees it, too.
    assert audit(model, X, y, mask.any(axis=0, keepdims=True), random_state=0).flips_by_swap > 0.3


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
    verdicts = {}
    for cls in (ERMClassifier, SwapExClassifier):
        clf = cls(max_epochs=30, random_state=0).fit(digits.data, digits.target, mask=digits.mask)
        # On rows with the shortcut, where accuracy says nothing.
        report = audit(clf, digits.data, digits.target, digits.mask, random_state=0)
        assert report.accuracy > 0.95
        verdicts[cls] = report.verdict, report.flips_by_swap
    # Measured flip rates: .68 and .005.
    assert verdicts[ERMClassifier][0] == "leans"
    assert verdicts[ERMClassifier][1] > 0.4
    assert verdicts[SwapExClassifier] == ("does not lean", pytest.approx(0, abs=0.03))


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
    told = {"mask_marks": "irrelevant", "epsilon": 2.0, "random_state": 0}
    assert audit(clf, X - 0.5, y, mask, **told).certified_accuracy == 1
    assert audit(clf, X - 0.5, y, 1 - mask, **told).certified_accuracy == 0


def test_equal_seeds_give_equal_reports(tmp_path):
    X, y, mask = leak()
    for name in "ab":
        audit(ColumnReader(1), X, y, mask, random_state=3).to_html(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


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
    figure = report.figures()["Rows before and after the swap"]
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
    assert "Rows before and after the swap" not in report.figures()
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
    assert "It leans on what it must not." in text
    assert f"{report.flips_by_swap:.3f}" in text
    assert pyplot.get_fignums() == []


def test_examples_are_rows_that_flip(image_report, shortcut):
    examples = image_report.examples
    assert (examples.predicted != examples.predicted_swapped).all()
    digits, clf = shortcut
    rows = examples.shown.index
    assert np.array_equal(examples.shown.values, digits.data_test[rows])
    # The reasons stay, and the half that is masked has another shade.
    same = examples.swapped == digits.data_test[rows]
    assert same[~digits.mask_test[rows]].all()
    assert np.array_equal(clf.predict(examples.swapped), examples.predicted_swapped)


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
    with pytest.raises(TypeError, match="estimator must be a fitted classifier, got StandardSc"):
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
