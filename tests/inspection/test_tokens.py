"""Metrics, audits and explanations of texts that are matrices of tokens."""

import numpy as np
import pytest
import torch
from _texts import MASK, N_IDS, PAD, WIDTH, Reader, flip, make_texts

from skexplain import ERMClassifier, IBPExClassifier, SwapExClassifier
from skexplain.inspection import (
    audit,
    certified_accuracy,
    fgsm,
    largest_gradient_mask,
    saliency,
)
from skexplain.metrics import accuracy_after_swap, accuracy_under_noise, nuisance_flip_rate
from skexplain.metrics._perturb import Perturber


@pytest.fixture(scope="module")
def leaning():
    X, y, mask = make_texts(300)
    clf = ERMClassifier(Reader, max_epochs=20, lr=1e-2, mask_id=MASK, random_state=0).fit(X, y)
    return clf, *make_texts(200, seed=1)[:2], mask


@pytest.mark.parametrize("of_each", [False, True])
def test_a_swap_of_the_metrics_exchanges_whole_tokens(leaning, of_each):
    clf, X, y, mask = leaning
    mask = np.random.default_rng(0).random(X.shape) < 0.2 if of_each else mask
    perturber = Perturber(clf, X, mask, None, "swap")
    rows = np.arange(len(X))
    changed = np.concatenate(list(perturber.perturbed(rows, np.random.default_rng(0))))
    assert changed.dtype == X.dtype
    np.testing.assert_array_equal(changed == PAD, X == PAD)
    assert set(np.unique(changed)) <= set(np.unique(X))
    for place in range(WIDTH):
        moved = changed[:, place] != X[:, place]
        assert set(changed[moved, place]) <= set(np.unique(X))
    if not of_each:
        np.testing.assert_array_equal(changed[:, 1:], X[:, 1:])
        # Everyone's first token comes from someone: no class of it is lost.
        np.testing.assert_array_equal(np.sort(changed[:, 0]), np.sort(X[:, 0]))


@pytest.mark.parametrize("of_each", [False, True])
def test_a_degree_of_a_token_is_the_probability_that_it_changes(leaning, of_each):
    clf, _, _, _ = leaning
    rng = np.random.default_rng(0)
    X = np.arange(1, 5)[None] + 4 * rng.integers(2, size=(400, 4))  # two ids at each place
    mask = np.broadcast_to([0.0, 0.25, 1.0, 0.0], X.shape) if of_each else [[0.0, 0.25, 1.0, 0.0]]
    swap = Perturber(clf, X, mask, "irrelevant", "swap")
    changed = np.concatenate(list(swap.perturbed(np.arange(400), rng)))
    np.testing.assert_array_equal(changed[:, [0, 3]], X[:, [0, 3]])
    assert set(np.unique(changed[:, 1])) == {2, 6}
    # With masks of their own either of two texts may mark it; half of the donors have the same id.
    either = 1 - 0.75**2 if of_each else 0.25
    np.testing.assert_allclose((changed != X).mean(0), [0, either / 2, 0.5, 0], atol=0.08)
    draw = swap.draw(rng)  # to which belongs what moves
    again = np.concatenate(list(swap.perturbed(np.arange(400), draw)))
    if of_each:
        moves = draw.marks | draw.marks[draw.donors]
        np.testing.assert_array_equal(again, np.where(moves, X[draw.donors], X))
    else:
        # A donor whose token is no mark in this draw gives none: another one does.
        givers = draw.givers[1]
        np.testing.assert_array_equal(again[:, 1], X[givers, 1])
        assert (draw.marks[givers, 1] == draw.marks[:, 1]).all()
    erased = np.concatenate(list(swap.changed("erase").perturbed(np.arange(400), rng)))
    np.testing.assert_allclose((erased == MASK).mean(0)[1:], [0.25, 1, 0], atol=0.06)


def test_metrics_measure_how_much_a_word_matters(leaning):
    clf, X, y, mask = leaning
    swapped = accuracy_after_swap(clf, X, y, mask, random_state=0)
    assert swapped < 0.7 < clf.score(X, y)
    assert swapped < accuracy_after_swap(clf, X, y, 0.5 * mask, random_state=0) < clf.score(X, y)
    assert nuisance_flip_rate(clf, X, mask, random_state=0) > 0.3
    erased = X.copy()
    erased[:, 0] = MASK
    expected = np.mean(clf.predict(erased) != clf.predict(X))
    assert nuisance_flip_rate(clf, X, mask, perturbation="erase", random_state=0) == expected
    with pytest.raises(ValueError, match="X must hold numbers for Gaussian noise, got ids"):
        accuracy_under_noise(clf, X, y, mask, scale=1.0)
    with pytest.raises(ValueError, match="X must hold numbers, which can be moved"):
        fgsm(clf, X, y, 1.0)


def test_frames_of_tokens_stay_frames():
    pd = pytest.importorskip("pandas")
    X, y, mask = make_texts(100)
    frame = pd.DataFrame(X, columns=[f"t{k}" for k in range(WIDTH)])
    clf = SwapExClassifier(Reader, max_epochs=2, random_state=0).fit(frame, y, mask=mask)
    of_frame = accuracy_after_swap(clf, frame, y, mask, random_state=0)
    plain = SwapExClassifier(Reader, max_epochs=2, random_state=0).fit(X, y, mask=mask)
    assert of_frame == accuracy_after_swap(plain, X, y, mask, random_state=0)


def test_an_audit_of_tokens_swaps_erases_and_explains(leaning, tmp_path):
    clf, X, y, mask = leaning
    report = audit(clf, X, y, mask, random_state=0)
    assert report.verdict == "leans"
    assert report.flips_by_erasure > 0
    assert 0 < report.irrelevant_saliency_mass < 1
    assert "noise" not in report
    assert any(note.startswith("Noise is left out: numbers are tokens") for note in report.notes)
    report.to_html(tmp_path / "report.html")
    assert "numbers are tokens" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_saliency_has_a_value_per_token_and_none_for_padding(leaning):
    clf, X, y, _ = leaning
    maps = saliency(clf, X, target=y)
    assert maps.shape == X.shape
    assert not maps[X == PAD].any()
    ids = torch.tensor(X)
    embedding = clf.module_.embedding
    embedded = embedding(ids).detach().requires_grad_()
    real = (ids != PAD).unsqueeze(-1)
    h = torch.tanh(clf.module_.mix(embedded)) * real
    logits = clf.module_.head(h.sum(1) / real.sum(1))
    odds = logits[torch.arange(len(y)), y] - logits[torch.arange(len(y)), 1 - torch.tensor(y)]
    gradient = torch.autograd.grad(odds.sum(), embedded)[0]
    step = embedded - embedding.weight[torch.arange(N_IDS) != PAD].mean(0)
    expected = (step * gradient).sum(2) * real[..., 0]
    np.testing.assert_allclose(maps, expected.detach(), rtol=1e-3, atol=1e-5)
    marked = largest_gradient_mask(clf, X)
    assert marked.shape == X.shape
    assert not marked[X == PAD].any()


def test_methods_of_captum_explain_tokens_against_the_token_that_says_nothing(leaning):
    pytest.importorskip("captum")
    clf, X, y, _ = leaning
    X, y = X[:12], y[:12]
    blank = np.where(X == PAD, PAD, MASK)
    scores = [clf.module_(torch.tensor(ids)).detach() for ids in (X, blank)]
    odds = [s[torch.arange(12), y] - s[torch.arange(12), 1 - torch.tensor(y)] for s in scores]
    maps = {
        method: saliency(clf, X, method=method, target=y, random_state=0, **params)
        for method, params in {
            "integrated_gradients": {},
            "occlusion": {},
            "lime": {"n_samples": 100},
            "smooth_grad": {"n_samples": 10},
        }.items()
    }
    np.testing.assert_allclose(
        maps["integrated_gradients"].sum(1), odds[0] - odds[1], rtol=0.01, atol=0.01
    )
    for place in range(WIDTH):
        without = X.copy()
        without[:, place] = blank[:, place]
        fallen = clf.module_(torch.tensor(without)).detach()
        fallen = odds[0] - fallen[torch.arange(12), y] + fallen[torch.arange(12), 1 - y]
        np.testing.assert_allclose(maps["occlusion"][:, place], fallen, atol=1e-4)
    for values in maps.values():
        assert values.shape == X.shape
        assert not values[X == PAD].any()
        assert values[:, 0].mean() > np.abs(values[:, 3:]).mean()  # the shortcut stands out
    with pytest.raises(ValueError, match='baseline must be "mean" for tokens'):
        saliency(clf, X, method="occlusion", baseline=0.0)


def test_a_certificate_holds_for_any_token():
    X, y, mask = make_texts(200)
    settings = {"epsilon": np.inf, "max_epochs": 25, "lr": 1e-2, "random_state": 0}
    clf = IBPExClassifier(Reader, **settings).fit(X, y, mask=mask)
    certified = certified_accuracy(clf, X, y, mask, np.inf, clip="data")
    worst = np.ones(len(X), dtype=bool)
    for token in range(1, N_IDS):
        other = X.copy()
        other[:, 0] = token
        worst &= clf.predict(other) == y
    assert 0.4 < certified <= worst.mean()
    assert clf.score(flip(X), y) >= certified
