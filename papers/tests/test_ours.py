"""The studies of our own: corrupted masks, growing shortcuts, few masks."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skexplain import ERMClassifier, SwapExClassifier
from skexplain.datasets import make_decoy_digits
from skexplain.studies import _trial, get_study, run_study
from skexplain_papers._published import published_figures
from skexplain_papers.ours._corruptions import CORRUPTIONS
from skexplain_papers.ours._irrelevant_dimension import draw_texture
from skexplain_papers.ours._repeat import repeat_rows

OURS = ["annotation-budget", "mask-quality", "irrelevant-dimension"]


def corrupt(name, decoy, strength):
    """Masks of decoy digits, before and after."""
    mask = make_decoy_digits(decoy, random_state=0).mask
    return mask, CORRUPTIONS[name](mask, strength, np.random.RandomState(0))


@pytest.mark.parametrize("name", list(CORRUPTIONS))
@pytest.mark.parametrize("decoy", ["half", "corner"])
def test_a_corruption_of_strength_zero_changes_nothing(name, decoy):
    mask, corrupted = corrupt(name, decoy, 0.0)
    assert corrupted.dtype == bool
    assert_array_equal(corrupted, mask)


def test_flipped_pixels():
    mask, corrupted = corrupt("flipped", "half", 0.2)
    # 76672 pixels: a standard deviation of .0015.
    assert abs((mask != corrupted).mean() - 0.2) < 0.01
    assert abs(corrupted[mask].mean() - 0.8) < 0.01


def test_partial_masks_lose_their_first_pixels():
    mask = np.zeros((2, 3, 4), dtype=bool)
    mask[0, 0], mask[1, 1:] = True, True
    partial = CORRUPTIONS["partial"](mask, 0.5, None)
    assert_array_equal(partial[0], [[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert_array_equal(partial[1], [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1]])


def test_grown_masks_cover_their_neighbours_and_in_the_end_all():
    mask = np.zeros((1, 4, 5), dtype=bool)
    mask[0, 0, 1] = True
    grown = CORRUPTIONS["grown"](mask, 1.0, None)
    assert_array_equal(grown[0], [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [0] * 5, [0] * 5])
    assert corrupt("grown", "corner", 7.0)[1].all()
    assert not corrupt("grown", "corner", 3.0)[1].all(axis=(1, 2)).any()


def test_masks_of_other_rows_are_exchanged():
    mask, exchanged = corrupt("of other rows", "corner", 0.5)
    assert_array_equal(exchanged.sum(axis=0), mask.sum(axis=0))  # the same masks, elsewhere
    changed = (exchanged != mask).any(axis=(1, 2)).mean()
    assert abs(changed - 0.5 * 0.75) < 0.05  # a quarter has the same corner


@pytest.mark.parametrize("decoy", ["half", "corner"])
def test_misplaced_masks_miss_the_decoy(decoy):
    mask, misplaced = corrupt("misplaced", decoy, 1.0)
    assert not (mask & misplaced).any()
    assert_array_equal(misplaced.sum(axis=(1, 2)), mask.sum(axis=(1, 2)))
    if decoy == "corner":
        assert not misplaced[:, :, [0, 1, 6, 7]].any()  # the middle of an edge
        assert_array_equal(misplaced[:, 0].any(axis=1), mask[:, -1].any(axis=1))
    half = corrupt("misplaced", decoy, 0.5)
    assert abs((half[0] != half[1]).any(axis=(1, 2)).mean() - 0.5) < 0.01


def test_textures():
    rng = np.random.RandomState(0)
    digits, patterns = np.array([0, 3, 3, 9]), rng.randint(256, size=(10, 500))
    shade = draw_texture("shade", digits, patterns, rng)
    assert_array_equal(shade, np.repeat([[0], [75], [75], [225]], 500, axis=1))
    noisy = draw_texture("noisy shade", digits, patterns, rng).astype(float)
    assert abs(noisy[1].mean() - 75) < 20  # clipped at 0
    assert noisy[1].std() > 40
    drawn = draw_texture("pattern", digits, patterns, rng).astype(float)
    same, other = (np.corrcoef(drawn[1], drawn[i])[0, 1] for i in (2, 3))
    # Measured: .6 and .0.
    assert same > 0.4
    assert abs(other) < 0.2
    with pytest.raises(ValueError, match="texture must be"):
        draw_texture("stripes", digits, patterns, rng)


@pytest.mark.parametrize("texture", ["shade", "noisy shade", "pattern"])
def test_images_beside_digits_lie_in_the_test_alone(texture):
    study = get_study("irrelevant-dimension")
    factors = {"texture": texture, "irrelevant_pixels": 9, "seed": 0}
    task, again = study.task(factors, {}), study.task(factors, {})
    assert_array_equal(task.X, again.X)
    test = task.tests["image lies"]
    assert task.X.shape[1] == test.X.shape[1] == task.mask.shape[1] == 64 + 9
    assert_array_equal(task.mask[0], np.arange(73) >= 64)
    assert_array_equal(task.X[:, :64], task.X_without[:, :64])

    def explained(X, y):
        """Share of the variance of the irrelevant pixels that lies between classes."""
        means = np.stack([X[y == digit, 64:].mean(axis=0) for digit in range(10)])[y]
        return means.var() / X[:, 64:].astype(float).var()

    # Measured: .4 to 1 against .01 to .02; patterns differ in the mean, too.
    assert explained(task.X, task.y) > explained(test.X, test.y) + 0.25
    assert explained(task.X, task.y) > explained(task.X_without, task.y) + 0.25


def test_budget_hides_masks():
    study = get_study("annotation-budget")
    factors = {"decoy": "half", "masks_given": 20, "seed": 0}
    task = study.task(factors, {})
    annotated = ~np.isnan(task.mask).any(axis=1)
    assert_array_equal(np.flatnonzero(annotated), np.arange(20))
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    assert_array_equal(task.mask[:20], digits.mask[:20])
    assert_array_equal(task.X, digits.data)

    typical = study.task(factors, {"rows": "typical", "params": {"max_epochs": 2}})
    rows = np.flatnonzero(~np.isnan(typical.mask).any(axis=1))
    assert len(rows) == 20
    assert rows[-1] > 100
    assert_array_equal(typical.mask[rows], digits.mask[rows])


def test_budget_fills_masks_in():
    study = get_study("annotation-budget")
    factors = {"decoy": "half", "masks_given": 100, "seed": 0}
    task = study.task(factors, {"propagate": {"n_steps": 100}})
    truth = make_decoy_digits("half", flatten=True, random_state=0).mask
    assert not np.isnan(task.mask).any()
    assert_array_equal(task.mask[:100], truth[:100])
    # Measured: .9998; an empty mask has .5.
    assert (task.mask == truth).mean() > 0.9


def test_label_only_is_the_control_off():
    """Why no method of these studies has a control "off" of its own."""
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    shared = {"max_epochs": 2, "device": "cpu", "random_state": 0}
    plain = ERMClassifier(**shared).fit(digits.data, digits.target)
    off = SwapExClassifier(alpha=0.0, **shared).fit(digits.data, digits.target, mask=digits.mask)
    assert_array_equal(plain.predict_proba(digits.data), off.predict_proba(digits.data))


def test_repeated_rows():
    rows = [
        {"method": "plain", "n": 0, "score": 1},
        {"method": "swap", "n": 3, "score": 2},
        {"method": "swap", "n": 5, "score": 3},
        {"method": "pgd", "n": 5, "score": 4},
    ]
    repeated = repeat_rows(rows, ("n",), lambda row: row["method"] == "plain")
    assert repeated[:2] == [{"method": "plain", "n": n, "score": 1} for n in (3, 5)]
    assert repeated[2:] == rows[1:]


@pytest.mark.parametrize("name", OURS)
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_declarations(name, scale):
    study = get_study(name)
    cells = study.cells(scale)
    assert len({cell.key(name) for cell in cells}) == len(cells)
    for cell in cells:
        plain = [cell.factors, cell.settings]
        assert json.loads(json.dumps(plain)) == plain
    seeds = [cell.factors["seed"] for cell in cells]
    assert seeds == sorted(seeds)
    label_only = [cell for cell in cells if cell.factors["method"] == "label-only"]
    assert {cell.factors["masks"] for cell in label_only} == {"-", "no shortcut"}
    if name != "irrelevant-dimension":  # made once for each decoy and seed
        assert len(label_only) == 2 * 2 * len(set(seeds))


def test_published_figures_of_corrupted_masks_have_cells():
    cells = get_study("mask-quality").cells("paper")
    own = [{key: str(value) for key, value in cell.factors.items()} for cell in cells]
    figures = [figure for figure in published_figures() if figure.study == "mask-quality"]
    assert len(figures) == 9
    for figure in figures:
        assert any(figure.factors.items() <= factors.items() for factors in own), figure


def made_up(method, masks, corruption, strength, values):
    """Rows of a decoy, a value per seed."""
    about = {"decoy": "corner", "corruption": corruption, "strength": strength}
    about |= {"method": method, "masks": masks}
    return [
        {**about, "seed": seed, "mean_group": value, "accuracy": value}
        for seed, value in enumerate(values)
    ]


def test_tables_of_corrupted_masks():
    rows = [
        *made_up("label-only", "-", "none", 0.0, [0.5, 0.6]),
        *made_up("grad-reg", "given", "none", 0.0, [0.9, 1.0]),
        *made_up("grad-reg", "given", "misplaced", 1.0, [0.4, 0.5]),
        *made_up("grad-reg", "given", "flipped", 0.5, [0.6, 0.8]),
    ]
    flipped, misplaced, useless, published, verdict = get_study("mask-quality").tables(rows)
    assert misplaced.rows == [
        ("corner", "label-only", "0.550 ± 0.071", "0.550 ± 0.071"),
        ("corner", "grad-reg", "0.950 ± 0.071", "0.450 ± 0.071"),
    ]
    assert flipped.rows[1][-1] == "0.700 ± 0.141"
    right, wrong, _, random, _ = useless.rows[0][2:]
    assert [right, wrong] == ["+0.400 (se 0.000)", "-0.100 (se 0.000)"]
    assert random == "+0.150 (se 0.050)"
    assert published.rows == [
        ("corner", "misplaced", "1.0", "grad-reg", "0.450 ± 0.071", "0.822 ± 0.059")
    ]
    assert {line[:3]: line[-1] for line in verdict.rows} == {
        ("corner", "misplaced", "0.0"): "yes",
        ("corner", "misplaced", "1.0"): "no",
        ("corner", "flipped", "0.0"): "yes",
        ("corner", "flipped", "0.5"): "yes",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", OURS)
def test_quick_scale(name, tmp_path):
    pytest.importorskip("matplotlib")
    results = run_study(name, folder=tmp_path)
    assert results.is_complete
    assert all(table.rows for table in results.tables())
    assert list(results.pictures()) == [name]


def test_a_label_only_fit_inside_a_study_has_the_stored_defaults(monkeypatch):
    """annotation-budget picks rows by a label-only fit of its own."""
    seen = []

    class Noting(ERMClassifier):
        def __init__(self, module="auto", *, lr=5.0, **common):
            super().__init__(module, lr=lr, **common)

        def fit(self, X, y, *, mask=None, sample_weight=None):
            seen.append((self.lr, self.max_epochs))
            return super().fit(X, y, mask=mask, sample_weight=sample_weight)

    monkeypatch.setitem(_trial._ESTIMATORS, "ERMClassifier", Noting)
    study = get_study("annotation-budget")
    cell = next(
        cell for cell in study.cells("quick") if cell.factors["method"] == "swap, typical rows"
    )
    settings = study.settings_of(cell)
    study.task(cell.factors, {**settings, "params": {"max_epochs": 1}})
    assert seen == [(1e-3, 1)]
