"""Words that are suggested: a planted one is first, with figures that are computed by hand."""

from math import comb, log

import numpy as np
import pytest

from skexplain import ERMClassifier, ERMRegressor, SwapExClassifier, WithTokenizer
from skexplain.inspection import suggest_words

OTHER = [f"word{number}" for number in range(40)]


@pytest.fixture(scope="module")
def planted():
    """Texts of which those of one class have a word, and a model that saw no mask."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    texts = [" ".join([*rng.choice(OTHER, 6), *(["Portable", "film"] if cls else [])]) for cls in y]
    clf = WithTokenizer(ERMClassifier(max_epochs=30, lr=0.01, random_state=0)).fit(texts, y)
    return clf, texts, y


def test_a_planted_word(planted):
    clf, texts, y = planted
    assert clf.score(texts, y) == 1
    found = suggest_words(clf, texts, max_p_value=1e-3)
    assert {one.word for one in found} == {"portable", "film"}
    first = found[0]
    assert first.label == 1
    assert first.rows.tolist() == np.flatnonzero(y).tolist()
    # 60 of 60 texts are predicted a class that half of all are.
    tell = 1 - log(60.5 / 61) / log(0.5)
    np.testing.assert_allclose([first.predictive_power, first.score], [tell, tell / 2])
    words = {word.lower() for text in texts for word in text.split()}
    np.testing.assert_allclose(first.p_value, 0.5**60 * len(words) * 2)
    mask = first.to_mask(120)
    assert [row is None for row in mask] == [cls == 0 for cls in y]
    ((start, stop),) = mask[1]
    assert texts[1][start:stop].lower() == first.word
    WithTokenizer(SwapExClassifier(max_epochs=1), spread=True).fit(texts, y, mask=mask)


def test_how_far_a_class_goes_with_a_word():
    from skexplain.inspection._suggest_words import _predictive_power

    code, power, p_value = _predictive_power(np.array([0, 0, 0, 1, 2]), np.array([0.3, 0.4, 0.3]))
    assert code == 0
    np.testing.assert_allclose(power, 1 - log(3.3 / 6) / log(0.3))
    tail = sum(comb(5, m) * 0.3**m * 0.7 ** (5 - m) for m in (3, 4, 5))
    np.testing.assert_allclose(p_value, tail)


def test_nothing_is_suggested_where_no_word_goes_with_a_class():
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice(OTHER, 8)) for _ in range(100)]
    y = rng.integers(2, size=100)
    clf = WithTokenizer(ERMClassifier(max_epochs=1, random_state=0)).fit(texts[:20], y[:20])
    assert suggest_words(clf, texts) == []


def test_errors(planted):
    clf, texts, _ = planted
    with pytest.raises(TypeError, match="estimator must be a WithTokenizer"):
        suggest_words(clf.estimator_, texts)
    with pytest.raises(ValueError, match="max_p_value must be at most 1, got 2"):
        suggest_words(clf, texts, max_p_value=2)
    with pytest.raises(ValueError, match="X must hold texts"):
        suggest_words(clf, [3])
    with pytest.raises(ValueError, match="n_texts must be the number of texts, more than 119"):
        suggest_words(clf, texts)[0].to_mask(5)
    reg = WithTokenizer(ERMRegressor(max_epochs=1)).fit(texts[:8], np.arange(8.0))
    with pytest.raises(TypeError, match="must be a classifier"):
        suggest_words(reg, texts)
