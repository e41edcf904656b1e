"""What looks at a model takes texts of `WithTokenizer`: it is what it is on their tokens."""

import numpy as np
import pytest
import sklearn
from sklearn.model_selection import GridSearchCV

from skexplain import IBPExClassifier, SwapExClassifier, WithTokenizer
from skexplain.inspection import (
    SaliencyDisplay,
    audit,
    certified_accuracy,
    fgsm,
    largest_gradient_mask,
    predict_bounds,
    query_explanations,
    saliency,
    suggest_masks,
)
from skexplain.inspection._words import html_words, token_values
from skexplain.metrics import accuracy_after_swap, nuisance_flip_rate
from skexplain.model_selection import mask_permutation_test, swap_accuracy_scorer

TEXTS = ["portable film, opacity seen", "film, lungs seen clear", "<b>opacity</b> & $x$ portable"]
Y = ["ill", "well", "ill"]


@pytest.fixture(scope="module")
def clf():
    clf = WithTokenizer(SwapExClassifier(max_epochs=5, lr=0.02, random_state=0))
    return clf.fit(TEXTS * 10, Y * 10, mask=[["portable"]])


def test_saliency_and_metrics(clf):
    seen = clf.tokenize(TEXTS * 5, mask=[["portable"]])
    inside = clf.estimator_
    np.testing.assert_array_equal(saliency(clf, TEXTS), saliency(inside, seen.ids[:3]))
    for metric, y in ((accuracy_after_swap, (Y * 5,)), (nuisance_flip_rate, ())):
        found = metric(clf, TEXTS * 5, *y, mask=[["portable"]], random_state=0)
        assert found == metric(inside, seen.ids, *y, mask=seen.mask, random_state=0)


def test_audit_of_texts(clf, tmp_path):
    seen = clf.tokenize(TEXTS * 20, mask=[["portable"]])
    report = audit(clf, TEXTS * 20, Y * 20, [["portable"]], random_state=0)
    on_tokens = audit(clf.estimator_, seen.ids, Y * 20, seen.mask, random_state=0)
    for name in ("verdict", "accuracy", "accuracy_after_swap", "accuracy_after_erasure"):
        assert report[name] == on_tokens[name]
    assert report.estimator == "WithTokenizer"
    assert report.examples.shown.documents[0] in TEXTS
    pytest.importorskip("matplotlib")
    report.to_html(tmp_path / "audit.html")


def test_certificates_hold_for_any_word():
    texts = [f"{word} film, {text}" for word in ("portable", "upright") for text in TEXTS] * 10
    y, mask = Y * 20, [["portable", "upright"]]
    settings = {"epsilon": np.inf, "max_epochs": 60, "lr": 0.1, "random_state": 0}
    clf = WithTokenizer(IBPExClassifier(**settings)).fit(texts, y, mask=mask)
    ends = {"epsilon": np.inf, "clip": "data"}
    certified = certified_accuracy(clf, texts, y, mask, **ends)
    lower, upper = predict_bounds(clf, texts, mask, **ends)
    found = clf.tokenize(texts, mask)
    worst = np.ones(len(texts), dtype=bool)
    for word in clf.tokenizer_.vocabulary_.values():
        proba = clf.estimator_.predict_proba(np.where(found.mask == 1, word, found.ids))
        assert ((lower - 1e-6 <= proba) & (proba <= upper + 1e-6)).all()
        worst &= clf.classes_[proba.argmax(1)] == y
    assert 0.6 < certified <= worst.mean()
    assert certified == certified_accuracy(clf.estimator_, found.ids, y, found.mask, **ends)


def test_which_texts_to_annotate_next(clf):
    """The saliency of a word counts wherever it stands: equal bags of words are one cluster."""
    texts = ["portable film", "film portable", "clear lungs", "lungs clear"] * 3
    for n in (2, 4):
        chosen = query_explanations(clf, texts, n, random_state=0)
        bags = {frozenset(texts[row].split()) for row in chosen}
        assert len(chosen) == n
        assert len(bags) == 2
    annotated = [[]] * 2 + [None] * 10
    assert query_explanations(clf, texts, 4, mask=annotated, random_state=0).min() >= 2
    found = clf.tokenize(texts, annotated)
    np.testing.assert_array_equal(
        query_explanations(clf, texts, 4, mask=annotated, random_state=0),
        query_explanations(clf.estimator_, found.ids, 4, mask=found.mask, random_state=0),
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda clf: fgsm(clf, TEXTS, Y, 1.0),
        lambda clf: suggest_masks(clf, TEXTS),
        lambda clf: largest_gradient_mask(clf, TEXTS),
        lambda clf: mask_permutation_test(clf, TEXTS * 5, Y * 5, [["portable"]] * 15),
    ],
)
def test_what_takes_no_texts_says_what_it_takes(clf, call):
    with pytest.raises(TypeError, match=r"t = clf.tokenize\(X, mask\) of a fitted clf, .* t\.ids"):
        call(clf)


def test_a_search_around_texts():
    search = GridSearchCV(
        WithTokenizer(SwapExClassifier(max_epochs=2, random_state=0)),
        {"estimator__lr": [0.01]},
        scoring=swap_accuracy_scorer(),
        cv=2,
    )
    with sklearn.config_context(enable_metadata_routing=True):
        search.fit(TEXTS * 4, Y * 4, mask=[[(0, 3)]] * 12)
    assert np.isfinite(search.best_score_)
    best = search.best_estimator_
    np.testing.assert_array_equal(saliency(search, TEXTS), saliency(best, TEXTS))


def test_pictures_of_texts(clf, tmp_path):
    pytest.importorskip("matplotlib")
    display = SaliencyDisplay.from_estimator(clf, TEXTS, mask=[["portable"]], rows=[0, 2])
    drawn = [text.get_text() for text in display.axes_[1, 0].texts]
    assert "opacity" in drawn
    assert r"\$" in drawn
    display.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;" in page
    assert page.count("underline") == 2
    table = SaliencyDisplay.from_predictions(np.eye(3), np.eye(3))
    with pytest.raises(ValueError, match="to_html needs texts"):
        table.to_html(tmp_path / "page.html")


def test_tokens_of_a_text():
    # The bytes of an emoji are two tokens at one place; the last begins with a space.
    offsets = np.array([[0, 0], [0, 2], [3, 4], [3, 4], [4, 8]])
    pieces, values = token_values("ab-\N{ROCKET} cd!", offsets, np.array([9, 1, 2, 3, 4, 5]))
    assert pieces == ["ab", "-", "\N{ROCKET}", " ", "cd", "!"][:4] + ["cd!"]
    np.testing.assert_array_equal(values, [1, np.nan, 5, np.nan, 4])


def test_words_in_html():
    words = html_words(["a", "\n", "<"], ["white", None, "black"], [True, False, False])
    assert words == (
        '<span style="background: #ffffff; color: black; text-decoration: underline 2px '
        '#d55e00;">a</span>\n<span style="background: #000000; color: white;">&lt;</span>'
    )
