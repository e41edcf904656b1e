"""Where fits stop, the shapes they are fitted on, and the study of both."""

import numpy as np
import pytest
import torch
from _studies import run_quick
from torch.nn import functional

from skexplain_papers._networks import shapes_cnn
from skexplain_papers.tao_shokri._distributions import FOUND, Distributions, tell_setting
from skexplain_papers.tao_shokri._trajectories import EarlyStop, all_rules, draw_shapes


@pytest.mark.parametrize(
    ("criterion", "values", "patience", "best"),
    [
        ("validation loss", [3, 2, 2.5, 1, 0], 1, 1),
        ("validation loss", [3, 2, 2.5, 1, 0], 2, 4),
        ("validation accuracy", [0.5, 0.5, 0.5, 0.9], 2, 0),  # equal is no improvement
        ("validation accuracy", [0.5, 0.5, 0.5, 0.9], 3, 3),
        ("validation accuracy", [0.9, 0.8, 0.7, 1.0], 2, 0),
    ],
)
def test_a_rule_keeps_the_first_best_epoch_before_it_stops(criterion, values, patience, best):
    rule = EarlyStop(criterion, patience)
    for epoch, value in enumerate(values):
        rule.update(epoch, {criterion: value})
    assert rule.best == best
    assert rule.stopped == (best + patience < len(values))


def test_looks():
    plain, y, mask = draw_shapes("triangle", "plain", 20, 3)
    assert set(np.unique(plain)) == {0, 255}
    white, y_white, mask_white = draw_shapes("triangle", "white ground", 20, 3)
    np.testing.assert_array_equal(white, 255 - plain)
    np.testing.assert_array_equal(mask_white, mask)
    noisy, y_noisy, _ = draw_shapes("triangle", "noise", 20, 3)
    assert 75 < (noisy - plain).std() < 85
    turned, y_turned, mask_turned = draw_shapes("triangle", "turned", 20, 3)
    for labels in (y_white, y_noisy, y_turned):
        np.testing.assert_array_equal(labels, y)
    # The reasons turn with the shape, and hardly anything leaves the image.
    on_reasons = [image[~marks].sum() for image, marks in ((plain, mask), (turned, mask_turned))]
    assert on_reasons[1] == pytest.approx(on_reasons[0], rel=0.1)
    assert (turned != plain).any(axis=(1, 2, 3)).mean() > 0.8  # some angles are small


def test_one_output_is_the_binary_cross_entropy():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = shapes_cnn(output="sigmoid")
    x, y = torch.rand(5, 1, 64, 64), torch.tensor([0, 1, 1, 0, 1])
    logits = network(x)
    expected = functional.binary_cross_entropy_with_logits(logits[:, 1], y.float())
    torch.testing.assert_close(functional.cross_entropy(logits, y), expected)


def test_initial_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        normal, glorot = (shapes_cnn(init) for init in ("normal", "glorot"))
    assert normal[10].weight.std().item() == pytest.approx(0.05, rel=0.1)
    bound = (6 / (1024 + 2)) ** 0.5
    assert 0.95 * bound < glorot[10].weight.abs().max() < bound
    assert not glorot[0].bias.any()


def test_quick_scale(tmp_path):
    study = Distributions()
    rows = run_quick(study, tmp_path)
    assert len(rows) == 4 * len(all_rules())
    assert {row["look"] for row in rows} == {FOUND["look"]}
    assert tell_setting(FOUND) == "white ground"
    assert all(0 <= row["accuracy"] <= 1 for row in rows)
