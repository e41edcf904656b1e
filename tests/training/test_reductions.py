"""Check how label losses become one number: group weights, and what does not matter to them."""

import math
from itertools import combinations
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skexplain.training._method import GroupDRO
from skexplain.training._reductions import GroupDROReduction, MeanReduction, RunningMeans

LOSSES = torch.tensor([1.0, 3.0, 0.5, 0.5, 0.5, 2.0])
GROUPS = torch.tensor([0, 0, 1, 1, 1, 2])
MEANS = torch.tensor([2.0, 0.5, 2.0])  # of the groups, by hand


def make_data(groups, index=None, sample_weight=None):
    index = torch.arange(len(groups)) if index is None else torch.as_tensor(index)
    return SimpleNamespace(
        groups=groups, index=index, sample_weight=sample_weight, device=torch.device("cpu")
    )


def make_batch(groups, label_weight=None):
    return SimpleNamespace(groups=groups, label_weight=label_weight)


def started(step_size=0.5, adjustment=0.0, **data):
    reduction = GroupDROReduction(GroupDRO(step_size, adjustment))
    reduction.start(make_data(**{"groups": GROUPS, **data}))
    return reduction


def test_one_step_by_hand():
    reduction = started()
    value = reduction(LOSSES, make_batch(GROUPS))
    # q = (e^1, e^0.25, e^1) / Z, and L = sum of q_g L_g with the new q.
    raised = torch.tensor([math.e, math.exp(0.25), math.e], dtype=torch.float64)
    q = raised / raised.sum()
    torch.testing.assert_close(reduction.group_weights, q)
    torch.testing.assert_close(value, (q.float() * MEANS).sum())


def test_many_steps_add_up():
    reduction = started(step_size=0.1)
    for _ in range(30):
        reduction(LOSSES, make_batch(GROUPS))
    expected = (30 * 0.1 * MEANS).double().softmax(0)
    torch.testing.assert_close(reduction.group_weights, expected, rtol=1e-6, atol=1e-6)


def test_gradient_of_a_row_is_its_share_of_its_groups_weight():
    losses = LOSSES.clone().requires_grad_()
    reduction = started()
    reduction(losses, make_batch(GROUPS)).backward()
    q = reduction.group_weights.float()
    expected = q[GROUPS] / torch.tensor([2.0, 2.0, 3.0, 3.0, 3.0, 1.0])
    torch.testing.assert_close(losses.grad, expected)


def test_adjustment_raises_small_groups():
    """Equal losses: q follows C / sqrt(n_g) alone, for a group missing in the batch as well."""
    reduction = started(step_size=0.5, adjustment=3.0)
    reduction(torch.ones(5), make_batch(GROUPS[:5]))
    # In a batch of 5 of the 6 rows, group 2 has no loss, and L_g = n_g / 5 / (n_g / 6) else.
    sizes = torch.tensor([2.0, 3.0, 1.0], dtype=torch.float64)
    losses = torch.tensor([1.2, 1.2, 0.0], dtype=torch.float64)
    expected = (0.5 * (losses + 3 / sizes.sqrt())).softmax(0)
    torch.testing.assert_close(reduction.group_weights, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_batches_estimate_the_mean_loss_of_each_group_without_bias(size):
    """Over all batches that can be drawn, also those from which groups are missing."""
    logs = []
    reduction = started(step_size=1.0)
    uniform = reduction.log_q.clone()
    for rows in map(list, combinations(range(6), size)):
        reduction.log_q.copy_(uniform)
        reduction(LOSSES[rows], make_batch(GROUPS[rows]))
        logs.append(reduction.log_q - reduction.log_q[0])
    mean = torch.stack(logs).mean(0)
    torch.testing.assert_close(mean, (MEANS - MEANS[0]).double(), rtol=1e-5, atol=1e-5)


def test_held_out_rows_move_nothing_and_do_not_depend_on_batches():
    reduction = started()
    reduction(LOSSES, make_batch(GROUPS))
    q = reduction.group_weights
    with torch.no_grad():
        at_once = reduction(LOSSES, make_batch(GROUPS))
        parts = [(0, 1), (1, 3), (3, 6)]
        in_parts = sum(
            (stop - start) / 6 * reduction(LOSSES[start:stop], make_batch(GROUPS[start:stop]))
            for start, stop in parts
        )
    assert torch.equal(reduction.group_weights, q)
    torch.testing.assert_close(at_once, (q.float() * MEANS).sum())
    torch.testing.assert_close(in_parts, at_once)


@given(counts=st.lists(st.integers(1, 4), min_size=6, max_size=6), scale=st.floats(0.1, 10))
def test_sample_weights_are_repetitions(counts, scale):
    counts = torch.tensor(counts)
    weight = scale * counts.float()
    weighted = started(sample_weight=weight)
    repeated = started(groups=GROUPS.repeat_interleave(counts))
    value = weighted(LOSSES, make_batch(GROUPS, weight))
    many = repeated(LOSSES.repeat_interleave(counts), make_batch(GROUPS.repeat_interleave(counts)))
    torch.testing.assert_close(value, many)
    torch.testing.assert_close(weighted.group_weights, repeated.group_weights, rtol=1e-5, atol=1e-5)


def test_class_weights_multiply_losses():
    """Also between groups, which weights within a group would not show; their mean is one."""
    class_weight = torch.tensor([3.0, 3.0, 1.0, 1.0, 1.0, 3.0])
    reduction = started()
    reduction(LOSSES, make_batch(GROUPS, class_weight))
    costs = torch.tensor([3.0, 1.0, 3.0]) * MEANS / class_weight.mean()
    torch.testing.assert_close(reduction.group_weights, (0.5 * costs).double().softmax(0))
    scaled = started()
    scaled(LOSSES, make_batch(GROUPS, 100 * class_weight))
    torch.testing.assert_close(scaled.group_weights, reduction.group_weights)


def test_no_weight_vanishes_for_good():
    """A group that was far ahead falls back when another is as bad for as long."""
    reduction = started(step_size=1.0, groups=torch.tensor([0, 1]))
    for losses in ([2000.0, 0.0], [0.0, 2000.0]):
        reduction(torch.tensor(losses), make_batch(torch.tensor([0, 1])))
        if losses[0]:
            assert reduction.group_weights.tolist() == [1.0, 0.0]
    torch.testing.assert_close(reduction.group_weights, torch.full((2,), 0.5).double())


def test_new_groups_start_at_the_mean_weight():
    reduction = started(groups=torch.tensor([0, 1]))
    reduction(torch.tensor([4.0, 0.0]), make_batch(torch.tensor([0, 1])))
    old = reduction.group_weights
    reduction.start(make_data(torch.tensor([0, 1, 2, 3])))
    new = reduction.group_weights
    torch.testing.assert_close(new, torch.tensor([*(old / 2), 0.25, 0.25], dtype=torch.float64))
    before = reduction.log_q.clone()
    reduction.start(make_data(torch.tensor([0, 3])))  # fewer: all are kept, to the bit
    assert torch.equal(reduction.log_q, before)


def test_groups_without_rows_to_train_on_have_no_say():
    """All rows of group 2 are held out, or it comes from an earlier call."""
    reduction = started(index=range(5), adjustment=1.0)
    reduction(LOSSES[:5], make_batch(GROUPS[:5]))
    after = reduction.group_weights
    # Not even a margin: the others have risen by the half of 2 + 1 / sqrt(2) and 0.5 + 1 / sqrt(3).
    exponents = torch.tensor([1 + 0.5 / 2**0.5, 0.25 + 0.5 / 3**0.5, 0.0], dtype=torch.float64)
    torch.testing.assert_close(after, exponents.softmax(0), rtol=1e-6, atol=1e-6)
    with torch.no_grad():
        assert reduction(LOSSES[5:], make_batch(GROUPS[5:])) == 0
        total = reduction(LOSSES, make_batch(GROUPS))
    # Shares are those of the training rows, 2/5 and 3/5; sums over the batch are over 6 rows.
    expected = (after[:2].float() * torch.tensor([4 / 6 / 0.4, 1.5 / 6 / 0.6])).sum()
    torch.testing.assert_close(total, expected)


@given(
    losses=st.lists(st.floats(0, 1e4, width=32), min_size=6, max_size=6),
    step_size=st.floats(0, 10),
)
def test_weights_stay_a_distribution_ordered_by_the_losses(losses, step_size):
    reduction = started(step_size=step_size)
    losses = torch.tensor(losses)
    reduction(losses, make_batch(GROUPS))
    q = reduction.group_weights
    assert q.sum() == pytest.approx(1)
    means = torch.stack([losses[:2].mean(), losses[2:5].mean(), losses[5]])
    for a, b in combinations(range(3), 2):
        if means[a] > means[b] * (1 + 1e-5):
            assert q[a] >= q[b]


def test_mean_reduction_is_the_weighted_mean():
    assert MeanReduction()(LOSSES, make_batch(None)) == 1.25
    weight = torch.tensor([1.0, 0.0, 0.0, 0.0, 2.0, 1.0])
    assert MeanReduction()(LOSSES, make_batch(None, weight)) == 1.0
    assert MeanReduction().tensors() == []


def test_means_of_an_epoch_are_over_the_samples_of_each_loss():
    means = RunningMeans()
    for loss, count in ((1.0, 64), (4.0, 36)):
        means.add("train_loss", torch.tensor(loss), count)
    means.add("train_penalty", torch.tensor(7.0, dtype=torch.float64), 5)  # at every second step
    assert means.result() == {"train_loss": (64 + 4 * 36) / 100, "train_penalty": 7.0}
