"""What a correction has to exceed before it is called a repair."""

import numpy as np
import pytest
import torch
from _corrections import MASK, Biased, D, make_data, outputs
from scipy.stats import ttest_1samp

from skexplain.correction import _controls as controls
from skexplain.correction import correct
from skexplain.correction._controls import _p_value


def test_the_p_value_of_one_control_is_that_of_a_t_test():
    differences = np.random.default_rng(0).normal(0.2, size=30)
    expected = ttest_1samp(differences, 0, alternative="greater").pvalue
    assert _p_value(differences) == pytest.approx(expected)
    assert _p_value(differences[None]) == pytest.approx(expected)
    assert _p_value(np.zeros(5)) == 1
    assert _p_value(np.full(5, 0.5)) == 0


def test_masks_that_are_shuffled_ones_seldom_exceed_five_others():
    """All samples move alike, so that only the scatter of the shufflings is left."""
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(400):
        own, *others = rng.normal(size=6)
        noise = 1e-3 * rng.normal(size=(5, 40))
        p_values.append(_p_value(own - np.array(others)[:, None] + noise))
    assert np.mean(np.array(p_values) < 0.025) == pytest.approx(0.025, abs=0.015)
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(("n_samples", "expected"), [(30, 5), (300, 3)])
def test_masks_are_shuffled_several_times(n_samples, expected, monkeypatch):
    X, y = make_data(n_samples)
    mask = np.repeat(MASK, n_samples, axis=0)
    mask[::2] = np.arange(D) == D - 2
    drawn = []
    whole = controls.shuffled_place

    def counted(*args):
        drawn.append(whole(*args))
        return drawn[-1]

    monkeypatch.setattr(controls, "shuffled_place", counted)
    report = correct(Biased(), X, mask, y, method="refit_head", random_state=0).report_
    assert len(drawn) == expected
    assert len({place.material.swapped.tobytes() for place in drawn}) == expected
    assert 0 <= report.p_value <= 1
    assert report.is_repair == (report.p_value < 0.025)
    assert f"{report.p_value:.3g}" in str(report)


def test_masks_of_the_same_places_are_not_shuffled():
    """Samples without a mask are given the places of the others: whose mask it is says nothing."""
    X, y = make_data(200)
    few = [np.arange(D) == D - 1 if row < 40 else None for row in range(200)]
    report = correct(Biased(), X, few, y, method="project", n_directions=1, random_state=0).report_
    assert report.shuffled_gain is None
    assert report.n_samples == 200
    assert report.is_repair


def test_changed_samples_are_those_that_the_corrected_network_predicts_otherwise():
    X, y = make_data(100)
    few = [np.arange(D) == D - 1 if row < 40 else None for row in range(100)]
    for layer in (None, "body"):
        clf = correct(
            Biased(), X, few, y, method="project", layer=layer, exchange=False, n_directions=1,
            random_state=0,
        )  # fmt: skip
        before, after = (outputs(m, X).argmax(1) for m in (Biased(), clf.module_))
        expected = torch.nonzero(before != after)[:, 0].tolist()
        assert clf.report_.changed.tolist() == expected
        assert len(expected) > 5
