"""Check what the displays draw and where, read from matplotlib's artists."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
from _estimators import quick
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib import pyplot
from matplotlib.colors import to_rgb, to_rgba
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skexplain import ERMClassifier, ERMRegressor
from skexplain.inspection import (
    GroupAccuracyDisplay,
    MaskDisplay,
    PerturbationCurveDisplay,
    SaliencyDisplay,
    saliency,
)
from skexplain.inspection._drawing import ORANGE, VERMILION, border_segments
from skexplain.inspection._group_display import wilson_interval
from skexplain.inspection._words import word_values

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    pyplot.close("all")


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(6, 8, 8)).astype(np.uint8)
    mask = np.zeros((6, 8, 8))
    mask[:, 2:4, 5:] = 1
    mask[1] = np.nan
    return X, mask


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return rng.normal(size=(40, 5)), rng.integers(2, size=40)


# -- outlines ------------------------------------------------------------------------------------


def test_the_border_of_a_pixel_is_its_four_edges():
    marked = np.zeros((3, 4), dtype=bool)
    marked[1, 2] = True
    edges = {tuple(map(tuple, segment)) for segment in border_segments(marked)}
    assert edges == {
        ((1.5, 0.5), (2.5, 0.5)),
        ((1.5, 1.5), (2.5, 1.5)),
        ((1.5, 0.5), (1.5, 1.5)),
        ((2.5, 0.5), (2.5, 1.5)),
    }


@given(hnp.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 7))))
def test_borders_stand_between_marked_and_unmarked_pixels(marked):
    segments = border_segments(marked)
    padded = np.pad(marked, 1).astype(int)
    changes = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    assert len(segments) == changes
    inside = np.pad(marked, 1)
    for (x0, y0), (x1, y1) in segments:
        x, y = (x0 + x1) / 2 + 1, (y0 + y1) / 2 + 1  # in the padded grid
        if x0 == x1:
            sides = inside[round(y), int(x - 0.5)], inside[round(y), int(x + 0.5)]
        else:
            sides = inside[int(y - 0.5), round(x)], inside[int(y + 0.5), round(x)]
        assert sides[0] != sides[1]


# -- masks ---------------------------------------------------------------------------------------


def test_masks_on_images(images):
    X, mask = images
    display = MaskDisplay.from_mask(X, mask, rows=[0, 1])
    first, second = display.axes_
    assert np.array_equal(first.images[0].get_array(), X[0])
    tint = first.images[1].get_array()
    assert np.array_equal(tint[..., 3] > 0, mask[0] == 1)
    assert np.allclose(tint[2, 6, :3], to_rgb(ORANGE))
    assert second.get_title() == "sample 1, not annotated"
    assert first.get_title() == "sample 0"
    # Two rows of three pixels at the right edge: 2 * (2 + 3) edges, in white and in colour.
    assert [len(lines.get_segments()) for lines in first.collections] == [10, 10]
    assert len(second.collections[1].get_segments()) == 0


def test_relevant_marks_are_drawn_as_their_complement(images):
    X, mask = images
    one = MaskDisplay.from_mask(X, mask, rows=0).axes_[0].images[1].get_array()
    relevant = MaskDisplay.from_mask(X, 1 - mask, mask_marks="relevant", rows=0)
    assert np.array_equal(relevant.axes_[0].images[1].get_array(), one)


def test_colour_images_are_drawn_in_colour():
    X = np.arange(2 * 3 * 4 * 4, dtype=np.uint8).reshape(2, 3, 4, 4)
    mask = np.zeros((1, 4, 4), dtype=bool)
    mask[0, 0, 0] = True
    display = MaskDisplay.from_mask(X, mask)
    drawn = display.axes_[1].images[0].get_array()
    assert np.allclose(drawn, X[1].transpose(1, 2, 0) / 255)
    assert np.flatnonzero(display.axes_[1].images[1].get_array()[..., 3]).tolist() == [0]


def test_masks_of_a_table(table):
    X, _ = table
    masks = [None] * 40
    masks[1] = [0, 0.5, 1, np.nan, 0]
    display = MaskDisplay.from_mask(X, masks, rows=[0, 1], feature_names=list("abcde"))
    (ax,) = display.axes_
    colors = ax.images[0].get_array()
    assert np.allclose(colors[1, :, 3], [0, 0.5, 1, 1, 0])
    grey = to_rgba("0.75")
    assert np.allclose(colors[0], grey)
    assert np.allclose(colors[1, 3], grey)
    assert [label.get_text() for label in ax.get_xticklabels()] == list("abcde")


def test_masks_of_which_no_row_is_annotated(images, table):
    X, _ = table
    (ax,) = MaskDisplay.from_mask(X, [None] * 40, rows=[0, 3]).axes_
    assert ax.images[0].get_array().shape == (2, 5, 4)
    assert np.allclose(ax.images[0].get_array(), to_rgba("0.75"))
    display = MaskDisplay.from_mask(images[0], [None] * 6, rows=[1])
    assert display.axes_[0].get_title() == "sample 1, not annotated"
    clf = quick(ERMClassifier).fit(*table)
    display = SaliencyDisplay.from_estimator(clf, X, mask=[None] * 40, rows=[0, 3])
    assert not any(bar.get_hatch() for bar in display.axes_[0, 0].patches)


@pytest.mark.parametrize("dtype", [np.uint16, ">f8", np.longdouble])
def test_masks_of_any_dtype_and_layout(images, dtype):
    X, mask = images[0], np.nan_to_num(images[1])
    expected = MaskDisplay.from_mask(X, mask).axes_[0].images[1].get_array()
    backwards = mask[:, :, ::-1].astype(dtype)[:, :, ::-1]
    for each in (backwards, backwards[:1]):
        drawn = MaskDisplay.from_mask(X, each).axes_[0].images[1].get_array()
        assert np.array_equal(drawn, expected)


def test_masks_of_words():
    X = np.ones((2, 3))
    display = MaskDisplay.from_mask(
        X,
        [[1, 0, 0]],
        feature_names=["from", "church", "Subject"],
        documents=["From: the church", "nothing"],
    )
    boxes = {
        text.get_text(): None if text.get_bbox_patch() is None else text.get_bbox_patch()
        for text in display.axes_[0].texts
    }
    assert boxes["From"].get_facecolor() == to_rgba(ORANGE)
    assert boxes["church"] is None


def test_documents_in_a_series_are_those_of_their_rows():
    pd = pytest.importorskip("pandas")
    documents = pd.Series(["an apple", "a pear"], index=[1, 0])
    display = MaskDisplay.from_mask(
        np.ones((2, 2)), None, rows=[1], feature_names=["apple", "pear"], documents=documents
    )
    assert display.shown.documents == ["a pear"]


def test_words_are_found_as_they_stand_or_in_lower_case():
    pieces, values = word_values("The Church, a church.", ["church", "The"], np.array([2.0, 1.0]))
    assert "".join(pieces) == "The Church, a church."
    assert dict(zip(pieces, values, strict=True))["Church"] == 2.0
    assert values[0] == 1.0
    assert np.isnan(dict(zip(pieces, values, strict=True))["a"])


def test_a_long_text_ends_in_an_ellipsis_inside_the_picture():
    document = "word " * 2000 + "\n" + "x" * 500
    display = MaskDisplay.from_mask(
        np.ones((1, 1)), None, feature_names=["word"], documents=[document]
    )
    ax = display.axes_[0]
    assert ax.texts[-1].get_text() == "…"
    bottom, top = ax.get_ylim()
    assert all(top <= text.get_position()[1] <= bottom for text in ax.texts)


# -- saliency ------------------------------------------------------------------------------------


def test_saliency_of_every_class_beside_the_image(images):
    X, mask = images
    clf = quick(ERMClassifier).fit(X, [0, 1, 2, 0, 1, 2])
    display = SaliencyDisplay.from_estimator(clf, X, mask=mask, targets="all", rows=[0, 1])
    assert display.axes_.shape == (2, 4)
    assert [ax.get_title() for ax in display.axes_[0]] == ["image", "class 0", "class 1", "class 2"]
    for target in range(3):
        drawn = display.axes_[1, 1 + target].images[0].get_array()
        assert np.allclose(drawn, saliency(clf, X[1:2], target=target)[0], atol=1e-6)
    low, high = display.axes_[0, 1].images[0].get_clim()
    assert low == -high < 0
    # The outline stands on the image and on each map; nothing is known of row 1.
    assert all(len(ax.collections[1].get_segments()) == 10 for ax in display.axes_[0])
    assert all(len(ax.collections[1].get_segments()) == 0 for ax in display.axes_[1])


def test_saliency_of_a_data_frame_as_bars(table):
    pd = pytest.importorskip("pandas")
    X, y = table
    frame = pd.DataFrame(X, columns=["age", "ruler", "site", "sex", "dose"])
    clf = quick(ERMClassifier).fit(frame, y)
    display = SaliencyDisplay.from_estimator(
        clf, frame, mask=[[0, 1, 0, 0, 0]], rows=3, max_features=3
    )
    ax = display.axes_[0, 0]
    values = saliency(clf, frame.iloc[[3]])[0]
    order = np.argsort(-np.abs(values))[:3]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(frame.columns[order])
    assert np.allclose([bar.get_width() for bar in ax.patches], values[order])
    hatched = [bar.get_hatch() == "///" for bar in ax.patches]
    assert hatched == [name == "ruler" for name in frame.columns[order]]


def test_saliency_of_texts():
    display = SaliencyDisplay.from_predictions(
        np.ones((1, 3)),
        np.array([[1.0, -1.0, 0.0]]),
        mask=[[1, 0, 0]],
        feature_names=["from", "church", "subject"],
        documents=["From church subject of"],
    )
    (ax,) = display.axes_[0]
    boxes = {text.get_text(): text.get_bbox_patch() for text in ax.texts}
    colormap = mpl.colormaps["PuOr_r"]
    assert boxes["From"].get_facecolor() == colormap(1.0)
    assert boxes["church"].get_facecolor() == colormap(0.0)
    assert boxes["of"] is None
    (line,) = ax.lines  # only the irrelevant word is underlined
    assert line.get_xdata().tolist() == [0, 4]


def test_saliency_of_a_regressor(table):
    X, _ = table
    regressor = quick(ERMRegressor).fit(X, X[:, 0])
    display = SaliencyDisplay.from_estimator(regressor, X, rows=0)
    assert display.axes_[0, 0].get_title() == "sample 0, output"


def test_channels_add_up():
    X = np.zeros((1, 3, 2, 2))
    values = np.arange(12.0).reshape(1, 3, 2, 2)
    display = SaliencyDisplay.from_predictions(X, {"a": values, "b": values[:, :1]})
    assert np.array_equal(display.axes_[0, 1].images[0].get_array(), values[0].sum(axis=0))
    assert np.array_equal(display.axes_[0, 2].images[0].get_array(), values[0, 0])


def test_draws_into_axes_that_are_given(images):
    X, mask = images
    figure, axes = pyplot.subplots(1, 2)
    display = MaskDisplay.from_mask(X, mask, rows=[0, 1], ax=axes)
    assert display.figure_ is figure
    assert display.axes_[1] is axes[1]
    assert len(pyplot.get_fignums()) == 1


# -- groups --------------------------------------------------------------------------------------


def test_groups_as_bars_with_the_worst_in_red(table):
    X, y = table
    clf = LogisticRegression().fit(X, y)
    groups = np.where(np.arange(40) < 10, "few", "many")
    display = GroupAccuracyDisplay.from_estimator(clf, X, y, groups)
    right = clf.predict(X) == y
    assert display.accuracies == {"few": right[:10].mean(), "many": right[10:].mean()}
    assert display.counts == {"few": 10, "many": 30}
    widths = [bar.get_width() for bar in display.ax_.patches]
    assert widths == list(display.accuracies.values())
    worst = display.ax_.patches[int(np.argmin(widths))]
    assert worst.get_facecolor() == to_rgba(VERMILION)
    assert display.ax_.get_title() == "LogisticRegression"
    assert display.ax_.get_yticklabels()[0].get_text() == "few (n=10)"


def test_wilson_interval():
    # statsmodels.stats.proportion.proportion_confint(8, 10, method="wilson")
    low, high = wilson_interval(np.array([0.8, 0.0, 1.0]), np.array([10, 5, 5]))
    assert np.allclose([low[0], high[0]], [0.490162, 0.943318], atol=1e-5)
    assert low[1] == pytest.approx(0, abs=1e-12)
    assert high[2] == pytest.approx(1, abs=1e-12)


# -- curves --------------------------------------------------------------------------------------


class Threshold(ClassifierMixin, BaseEstimator):
    """Tells whether the second column is above one half."""

    classes_ = np.array([0, 1])

    def fit(self, X, y):
        return self

    def predict(self, X):
        return (X[:, 1] > 0.5).astype(int)


@pytest.fixture
def steps():
    X = np.column_stack([np.zeros(100), np.arange(100) % 2]).astype(float)
    return X, np.arange(100) % 2, [[0, 1]]


def test_accuracy_against_an_offset(steps):
    display = PerturbationCurveDisplay.from_estimator(
        Threshold(), *steps, perturbation="offset", epsilons=[0.6, 0, -0.6, 0.4], input_unit="input"
    )
    # Shifted by more than one half, all zeros pass the threshold, or all ones miss it.
    assert display.accuracies.tolist() == [[0.5], [1.0], [0.5], [1.0]]
    assert display.line_.get_xdata().tolist() == [-0.6, 0, 0.4, 0.6]
    assert display.line_.get_ydata().tolist() == [0.5, 1.0, 1.0, 0.5]
    assert display.ax_.get_xlabel() == "offset of the irrelevant features (units of X)"


def test_labels_of_another_kind_than_the_predictions_are_refused(steps):
    X, y, mask = steps
    impossible = "must be labels of the kind of .* no prediction could be right"
    with pytest.raises(ValueError, match=impossible):
        PerturbationCurveDisplay.from_estimator(Threshold(), X, y.astype(str), mask)
    for dtype in (str, object):
        predictions = np.array([["0", "1"], ["1", "1"]], dtype=dtype)
        with pytest.raises(ValueError, match=impossible):
            PerturbationCurveDisplay.from_predictions([0, 1], predictions, [0, 1])


def test_accuracy_against_noise_has_a_band(steps):
    display = PerturbationCurveDisplay.from_estimator(
        Threshold(), *steps, epsilons=[0, 2], n_repeats=4, random_state=0
    )
    assert display.accuracies.shape == (2, 4)
    assert (display.accuracies[0] == 1).all()
    # Noise of 2 sd = 1 on a distance of one half: Phi(.5) = .69; 400 draws have an error of .023.
    assert display.accuracies[1].mean() == pytest.approx(0.6915, abs=0.07)
    again = PerturbationCurveDisplay.from_estimator(
        Threshold(), *steps, epsilons=[0, 2], n_repeats=4, random_state=0, ax=display.ax_
    )
    assert np.array_equal(again.accuracies, display.accuracies)
    first, second = display.ax_.lines
    assert first.get_color() != second.get_color()
    assert first.get_marker() != second.get_marker()


def test_curve_of_predictions():
    y, predictions = [0, 1, 1], [[0, 1, 1], [0, 0, 0]]
    display = PerturbationCurveDisplay.from_predictions(y, predictions, [0, 1], name="mine")
    assert display.accuracies[:, 0].tolist() == [1.0, pytest.approx(1 / 3)]
    assert display.ax_.get_legend().get_texts()[0].get_text() == "mine"
    with pytest.raises(ValueError, match=r"predictions must have shape \(k, n\).*got \(2, 1, 3\)"):
        PerturbationCurveDisplay.from_predictions(y, predictions, [0, 1, 2])


def test_bad_arguments_of_curves(steps):
    with pytest.raises(ValueError, match=r"epsilons must be finite numbers of at least 0, one or"):
        PerturbationCurveDisplay.from_estimator(Threshold(), *steps, epsilons=[-1])
    with pytest.raises(ValueError, match=r"epsilons must be .*; got \[\]"):
        PerturbationCurveDisplay.from_estimator(Threshold(), *steps, epsilons=[])
    with pytest.raises(ValueError, match=r"perturbation must be one of .* got 'swap'"):
        PerturbationCurveDisplay.from_estimator(Threshold(), *steps, perturbation="swap")
    with pytest.raises(TypeError, match="estimator must be a fitted classifier"):
        PerturbationCurveDisplay.from_estimator(StandardScaler(), *steps)


# -- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rows": [9]}, r"rows must lie in 0 to 5; got \[9\]"),
        ({"rows": []}, r"rows must be numbers of samples of X, at least one; got \[\]"),
        ({"rows": [0.5]}, r"rows must be numbers of samples"),
        ({"mask_marks": "relevent"}, "mask_marks must be one of .* got 'relevent'"),
        ({"mask": np.full((6, 8, 8), 2)}, r"mask must hold bool, numbers in \[0, 1\]"),
        ({"documents": ["a"] * 6}, "feature_names must give the word of each column"),
        ({"documents": ["a"] * 5}, "documents must have one entry for each of the 6 samples of X"),
        ({"feature_names": ["a"]}, "feature_names must have one entry for each of the 8 columns"),
    ],
)
def test_bad_arguments(images, arguments, message):
    X, mask = images
    with pytest.raises(ValueError, match=message):
        MaskDisplay.from_mask(X, **{"mask": mask, **arguments})


def test_bad_x_axes_saliency_and_targets(images, table):
    X, mask = images
    with pytest.raises(ValueError, match=r"X must hold samples of a table.*got shape \(3,\)"):
        MaskDisplay.from_mask(np.zeros(3), None)
    with pytest.raises(ValueError, match="ax must be 1 x 2 axes, one per panel, or None; got 1"):
        MaskDisplay.from_mask(X, mask, rows=[0, 1], ax=pyplot.gca())
    with pytest.raises(ValueError, match=r"saliency must have the shape \(6, 8, 8\).*got \(6, 8\)"):
        SaliencyDisplay.from_predictions(X, X[:, 0])
    clf = quick(ERMClassifier).fit(*table)
    with pytest.raises(ValueError, match=r'targets must be "predicted" or of \[.*got 7'):
        SaliencyDisplay.from_estimator(clf, table[0], targets=[7])
    with pytest.raises(ValueError, match="targets must name at least one class"):
        SaliencyDisplay.from_estimator(clf, table[0], targets=[])


def test_without_matplotlib_the_error_names_the_extra(images, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r'pip install "skexplain\[plot\]"'):
        MaskDisplay.from_mask(*images)


# -- plot(*, ax, name, **kwargs), as scikit-learn's displays ---------------------------------------


def test_plot_passes_its_keywords_to_matplotlib(images, table):
    X, mask = images
    curve = PerturbationCurveDisplay(np.array([0.0, 1.0]), np.ones((2, 1)), name="a")
    assert curve.plot(name="b", color="red", linestyle="--").line_.get_color() == "red"
    assert curve.line_.get_linestyle() == "--"
    assert curve.ax_.get_legend().get_texts()[0].get_text() == "b"
    groups = GroupAccuracyDisplay({"x": 0.5}, {"x": 2}, name="a").plot(name="b", height=0.25)
    assert groups.ax_.get_title() == "b"
    assert groups.ax_.patches[0].get_height() == 0.25
    masks = MaskDisplay.from_mask(X, mask, rows=[0], name="masks", interpolation="bilinear")
    assert masks.figure_.get_suptitle() == "masks"
    assert masks.axes_[0].images[1].get_interpolation() == "bilinear"
    maps = SaliencyDisplay.from_predictions(X, 1.0 * X, rows=[0], name="maps", cmap="viridis")
    assert maps.figure_.get_suptitle() == "maps"
    assert maps.axes_[0, 1].images[0].get_cmap().name == "viridis"
    bars = SaliencyDisplay.from_predictions(table[0], table[0], rows=[0]).plot(height=0.25)
    assert bars.axes_[0, 0].patches[0].get_height() == 0.25


@pytest.mark.parametrize(
    "display",
    [
        PerturbationCurveDisplay(np.zeros(1), np.ones((1, 1))),
        GroupAccuracyDisplay({"x": 0.5}, {"x": 2}),
        MaskDisplay(None),
        SaliencyDisplay(None, {}),
    ],
    ids=lambda display: type(display).__name__,
)
def test_plot_takes_keywords_only(display):
    with pytest.raises(TypeError, match="positional"):
        display.plot(None)
