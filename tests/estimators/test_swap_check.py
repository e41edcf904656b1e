"""Check the warning after a fit whose predictions still change with what the masks mark."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    SwapExClassifier,
    SwapExRegressor,
)
from skexplain.exceptions import RemainingShortcutWarning, ShortcutInUseWarning
from skexplain.metrics import nuisance_flip_rate
from skexplain.model_selection import fit_seeds, mask_permutation_test

QUICK = {"max_epochs": 20, "lr": 0.05, "random_state": 0, "device": "cpu"}
WEAK = GradRegClassifier(alpha=1e-6, **QUICK)


def leak(n=400):
    """Two columns say a little each; the marked third one is the label."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    X = rng.normal(size=(n, 3))
    X[:, :2] += 0.7 * y[:, None]
    X[:, 2] = 4 * y + 0.1 * X[:, 2]
    return X, y, np.array([[0, 0, 1]])


def warned(estimator, *args, **kwargs):
    """Text of the warning of a fit, or None."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(*args, **kwargs)
    texts = [str(each.message) for each in caught if each.category is ShortcutInUseWarning]
    assert len(texts) <= 1
    return texts[0] if texts else None


def test_a_penalty_too_weak_is_said_in_numbers():
    X, y, mask = leak()
    with pytest.warns(ShortcutInUseWarning, match=r"% of the predictions of GradReg") as caught:
        clf = GradRegClassifier(alpha=1e-6, **QUICK).fit(X, y, mask=mask)
    assert issubclass(ShortcutInUseWarning, RemainingShortcutWarning)
    assert caught[0].filename == __file__
    text = str(caught[0].message)
    said = float(text.split("%")[0]) / 100
    assert "400 annotated samples" in text
    assert "SwapExClassifier" in text
    # Half of the donors are of the other class, and the leak decides.
    assert said == pytest.approx(0.5, abs=0.1)
    assert said == pytest.approx(nuisance_flip_rate(clf, X, mask, random_state=1), abs=0.06)


@pytest.mark.parametrize("cls", [SwapExClassifier, GradRegClassifier])
def test_nothing_is_said_where_the_shortcut_was_given_up(cls):
    X, y, mask = leak()
    assert warned(cls(**QUICK), X, y, mask=mask) is None


def test_a_swap_that_was_too_short_asks_for_epochs():
    X, y, mask = leak()
    clf = SwapExClassifier(lr=1e-9, random_state=6, device="cpu", max_epochs=1)
    text = warned(clf, X, y, mask=mask)
    assert "Train for more epochs" in text
    assert "Use SwapExClassifier" not in text


def test_masks_of_parts_reasons_and_degrees():
    X, y, mask = leak()
    own = np.repeat(mask, len(X), axis=0).astype(float)
    own[::3] = np.nan
    assert f"{np.isfinite(own[:, 0]).sum()} annotated" in warned(WEAK, X, y, mask=own)
    assert warned(GradRegClassifier(alpha=1e-6, mask_marks="relevant", **QUICK), X, y, mask=1 - own)
    assert warned(WEAK, X, y, mask=0.9 * own)


def test_what_is_not_checked():
    X, y, mask = leak()
    assert warned(GradRegClassifier(alpha=0.0, **QUICK), X, y, mask=mask) is None  # no penalty
    assert warned(ERMClassifier(**QUICK), X, y) is None
    assert warned(SwapExRegressor(alpha=1e-6, **QUICK), X, y.astype(float), mask=mask) is None
    assert (
        warned(GradRegClassifier(alpha=1e-6, norm="l2", **QUICK), X, y, mask=np.ones((1, 3)))
        is None
    )
    only_marks = np.zeros((len(X), 3))
    only_marks[0] = mask  # one sample has no donor
    assert warned(WEAK, X, y, mask=only_marks) is None


def test_a_rare_class_counts_as_much_as_a_frequent_one():
    rng = np.random.default_rng(0)
    y = (np.arange(800) >= 784).astype(int)  # sorted, as files of folders are
    X = rng.normal(size=(800, 3))
    X[:, 2] = 4 * y + 0.1 * X[:, 2]
    mask = np.array([[0, 0, 1]])
    clf = GradRegClassifier(alpha=1e-6, **{**QUICK, "max_epochs": 8})
    text = warned(clf, X, y, mask=mask)
    assert clf.score(X, y) == 1
    # Of all predictions less than a twentieth change, of the rare class's most.
    assert nuisance_flip_rate(clf, X, mask, random_state=1) < 0.05
    assert float(text.split("%")[0]) > 20


def test_a_class_of_one_sample_does_not_decide():
    X, y, mask = leak(200)
    y[0] = 2
    assert warned(GradRegClassifier(alpha=1e-6, **{**QUICK, "max_epochs": 8}), X, y, mask=mask)


def test_predictions_at_chance_that_change_at_the_least_move_are_no_shortcut():
    rng = np.random.default_rng(0)
    X, mask = rng.normal(size=(400, 3)), np.array([[0, 0, 1]])
    y = rng.integers(2, size=400)  # nothing says anything about the label
    clf = SwapExClassifier(max_epochs=2, random_state=3, device="cpu")
    assert warned(clf, X, y, mask=mask) is None
    assert nuisance_flip_rate(clf, X, mask, random_state=1) > 0.1


def test_noise_of_a_network_is_no_change_and_stays_its_own():
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x):
            return self.layer(x) + 2 * torch.randn(len(x), 2)

    X, y, mask = leak()
    state = torch.get_rng_state()
    assert warned(SwapExClassifier(Noisy, **QUICK), X, y, mask=mask) is None
    assert (torch.get_rng_state() == state).all()


class Sizes(nn.Module):
    """Notes how many samples it predicts at once."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Sequential(nn.Flatten(), nn.LazyLinear(2))
        self.sizes = []

    def forward(self, x):
        if not self.training and not torch.is_grad_enabled():
            self.sizes.append(len(x))
        return self.layer(x)


def test_a_clear_answer_takes_few_samples_and_large_images_a_few_at_once(monkeypatch):
    X, y, mask = leak()
    X[:, :2] += 3 * y[:, None]
    clf = SwapExClassifier(Sizes, **QUICK).fit(X, y, mask=mask)
    assert clf.module_.sizes[-4:] == [2, 2, 100, 100]  # before and after the exchange
    monkeypatch.setattr("skexplain.estimators._swap_check._BLOCK_VALUES", 30 * 48)
    images = np.random.default_rng(0).normal(size=(90, 3, 4, 4))
    images[:, :, 0] += 5 * y[:90, None, None]
    places = np.zeros((1, 4, 4))
    places[:, 0] = 1
    weak = GradRegClassifier(Sizes, alpha=1e-6, **QUICK)
    assert "for 90 annotated" in warned(weak, images, y[:90], mask=places)
    assert weak.module_.sizes[-6:] == [30] * 6


def test_columns_with_names_and_integers():
    pd = pytest.importorskip("pandas")
    X, y, mask = leak()
    frame = pd.DataFrame(X, columns=["a", "b", "leak"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ShortcutInUseWarning)
        GradRegClassifier(alpha=1e-6, **QUICK).fit(frame, y, mask=frame * 0 + mask)
    assert warned(GradRegClassifier(alpha=1e-6, **QUICK), (10 * X).astype(int), y, mask=mask)


def test_tokens_and_images():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=300)
    ids = rng.integers(3, 20, size=(300, 6))
    ids[:, 2] = 20 + y
    mask = np.isin(ids, (20, 21))
    network = nn.Sequential(nn.Embedding(22, 4, padding_idx=0), nn.Flatten(), nn.Linear(24, 2))
    text = warned(
        GradRegClassifier(network, alpha=1e-6, embedding_layer="0", pad_id=0, **QUICK),
        ids,
        y,
        mask=mask,
    )
    assert "300 annotated" in text

    images = rng.normal(size=(300, 1, 6, 6)).astype(np.float32)
    images[:, :, :2, :2] += 4 * y[:, None, None, None]
    places = np.zeros((1, 6, 6))
    places[:, :2, :2] = 1
    assert warned(WEAK, images, y, mask=places)


def test_the_check_draws_nothing_from_the_process():
    X, y, mask = leak()
    state = torch.get_rng_state()
    first = warned(WEAK, X, y, mask=mask)
    assert first
    assert first == warned(WEAK, X, y, mask=mask)
    assert (torch.get_rng_state() == state).all()


def test_seeds_trained_together_are_checked_each():
    X, y, mask = leak()
    with pytest.warns(ShortcutInUseWarning) as caught:
        fit_seeds(WEAK, X, y, range(3), mask=mask)
    assert [each.category for each in caught].count(ShortcutInUseWarning) == 3


def test_controls_of_a_permutation_test_say_nothing():
    X, y, _ = leak(150)
    own = np.eye(3)[np.arange(len(X)) % 3]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        mask_permutation_test(WEAK, X, y, own, cv=2, n_permutations=2, random_state=0)
        WEAK.fit(X[::2], y[::2], mask=own[::2])
    in_use = [each for each in caught if each.category is ShortcutInUseWarning]
    assert len(in_use) <= 3  # two folds with the masks as given, and the fit
