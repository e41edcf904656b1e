"""Check penalties that are computed at every k-th step alone, at k times their weight."""

import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skexplain import (
    ERMClassifier,
    ExplanationClassifier,
    GradRegClassifier,
    IBPExClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.penalties import AverageCasePenalty, Penalty
from skexplain.training._random import Streams

SEED, N_ROWS, N_CLASSES, BATCH, EPOCHS, LR = 3, 50, 3, 16, 3, 1e-2
N_STEPS = 4 * EPOCHS  # 50 = 16 + 16 + 16 + 2


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 6)).astype(np.float32)
    y = rng.integers(N_CLASSES, size=N_ROWS)
    X[np.arange(N_ROWS), y] += 2
    mask = rng.random((N_ROWS, 6)) > 0.5
    mask[:, 0] = True  # so that every sample is penalised
    return X, y, mask


def network():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, N_CLASSES))


def new_net():
    with torch.random.fork_rng():
        torch.manual_seed(Streams(SEED).seed("module"))
        return network()


def fitted(estimator, data, **params):
    common = {"lr": LR, "max_epochs": EPOCHS, "batch_size": BATCH, "input_unit": "input"}
    X, y, mask = data
    return estimator.set_params(random_state=SEED, **{**common, **params}).fit(X, y, mask=mask)


def batches():
    for epoch in range(1, EPOCHS + 1):
        generator = Streams(SEED).generator("order", epoch)
        yield from torch.randperm(N_ROWS, generator=generator).split(BATCH)


def tensors(data):
    X, y, mask = data
    return torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(mask).float()


def weights(estimator):
    return torch.cat([p.detach().flatten() for p in estimator.module_.parameters()])


class Recording(Penalty):
    """A penalty that notes at which samples it is computed (their first value)."""

    log: list = []  # noqa: RUF012, shared by the copies that scikit-learn makes

    def __call__(self, module, rows, donors=None, generator=None):
        self.log.append(rows.x[:, 0].tolist())
        return module(rows.x).square().mean(1)


@pytest.fixture
def log():
    Recording.log.clear()
    return Recording.log


# -- what it is ------------------------------------------------------------------------------------


def test_grad_reg_equals_a_loop_by_hand(data):
    """Steps are counted on over epochs: 0, 3, 6 and 9 of twelve have the penalty."""
    X, y, a = tensors(data)
    net = new_net()
    optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
    for step, index in enumerate(batches()):
        optimizer.zero_grad()
        x = X[index].requires_grad_()
        logits = net(x)
        loss = functional.cross_entropy(logits, y[index])
        if step % 3 == 0:
            (g,) = torch.autograd.grad(logits.log_softmax(1).sum(), x, create_graph=True)
            loss = loss + 3 * 0.5 * (a[index] * g).square().sum(1).mean()
        loss.backward()
        optimizer.step()
    clf = fitted(GradRegClassifier(network, alpha=0.5, norm="l2", penalty_every=3), data)
    by_hand = torch.cat([p.detach().flatten() for p in net.parameters()])
    assert torch.equal(weights(clf), by_hand)


def test_the_second_step_of_two_stage_equals_a_loop_by_hand(data):
    X, y, a = tensors(data)
    net = new_net()
    extractor, head = net[:2], net[2]
    with torch.random.fork_rng():
        torch.manual_seed(Streams(SEED).seed("mapping"))
        mapping = nn.Linear(8, 8)
    everything = [*net.parameters(), *mapping.parameters()]
    first = torch.optim.SGD(everything, lr=LR)
    second = torch.optim.SGD(mapping.parameters(), lr=0.02)
    for step, index in enumerate(batches()):
        x = X[index]
        first.zero_grad()
        functional.cross_entropy(head(mapping(extractor(x))), y[index]).backward()
        first.step()
        if step % 3 == 0:
            second.zero_grad()
            target = extractor(x * (1 - a[index])).log_softmax(1)
            mapped = mapping(extractor(x)).log_softmax(1)
            (3 * (target.exp() * (target - mapped)).sum(1).mean()).backward()
            second.step()
    clf = TwoStageExplanationClassifier(
        network, optimizer=torch.optim.SGD, mapping_lr=0.02, penalty_every=3
    )
    fitted(clf, data)
    torch.testing.assert_close(clf.module_.mapping.linear.weight, mapping.weight)
    torch.testing.assert_close(clf.module_.module[0].weight, net[0].weight)


class SumOfWeights(Penalty):
    """Linear in the weights: its gradient is the same at every step."""

    def __call__(self, module, rows, donors=None, generator=None):
        return sum(p.sum() for p in module.parameters()).expand(len(rows.y))


@pytest.mark.parametrize("every", [2, 3, 4, 12])
def test_a_penalty_that_is_linear_in_the_weights_moves_them_as_far(every, data):
    def nothing(logits, y):
        return 0 * logits.sum(1)

    clf = ExplanationClassifier(
        network,
        penalties=[("weights", SumOfWeights())],
        alpha=0.5,
        label_loss=nothing,
        optimizer=torch.optim.SGD,
        penalty_every=every,
    )
    start = torch.cat([p.detach().flatten() for p in new_net().parameters()])
    moved = weights(fitted(clf, data)) - start
    torch.testing.assert_close(
        moved, torch.full_like(moved, -0.5 * LR * N_STEPS), rtol=1e-4, atol=0
    )


@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
def test_masks_with_nothing_irrelevant_change_no_bit(data):
    X, y, mask = data
    labels = weights(fitted(ERMClassifier(network), data))
    for estimator in (GradRegClassifier(network), PGDExClassifier(network)):
        fitted(estimator.set_params(penalty_every=3), (X, y, 0 * mask))
        assert torch.equal(weights(estimator), labels)


# -- which steps and samples -----------------------------------------------------------------------


def recording(**params):
    return ExplanationClassifier(network, penalties=[("noted", Recording())], **params)


@pytest.mark.parametrize(("every", "n_calls"), [(1, 12), (3, 4), (5, 3), (100, 1)])
def test_it_is_computed_at_every_kth_step(every, n_calls, data, log):
    clf = fitted(recording(penalty_every=every), data)
    assert len(log) == n_calls
    assert all("train_noted" in epoch for epoch in clf.history_)


def test_penalised_samples_are_drawn_for_these_steps_alone(data, log):
    X, y, mask = data
    mask = mask.copy()
    mask[25:] = False
    fitted(recording(penalty_every=2), (X, y, mask), max_epochs=1)
    assert [len(step) for step in log] == [8, 8]  # half of 16, of four steps the first and third
    drawn = sum(log, [])
    assert len(set(drawn)) == 16  # none again before all have come
    assert set(drawn) <= set(X[:25, 0].tolist())


def test_steps_are_counted_on_by_partial_fit_and_in_copies(data, log):
    X, y, mask = data
    clf = recording(penalty_every=3, batch_size=-1, random_state=0)
    calls = []
    for _ in range(7):
        clf.partial_fit(X, y, classes=range(N_CLASSES), mask=mask)
        calls.append(len(log))
        clf = pickle.loads(pickle.dumps(clf))
    assert calls == [1, 1, 1, 2, 2, 2, 3]


def test_few_samples_with_masks_and_fewer_steps_than_k(data, log):
    X, y, mask = data
    mask = mask.copy()
    mask[5:] = False
    fitted(recording(penalty_every=2), (X, y, mask), batch_size=-1)
    assert [len(step) for step in log] == [5, 5]  # of three epochs with a step each


def test_what_replaces_the_label_loss_is_part_of_every_step(data):
    one, three = (
        fitted(SwapExClassifier(network, alpha="replace", penalty_every=every), data)
        for every in (1, 3)
    )
    assert torch.equal(weights(one), weights(three))


def test_a_penalty_beside_it_is_not(data, log):
    clf = ExplanationClassifier(
        network,
        penalties=[("swap", AverageCasePenalty("swap")), ("noted", Recording())],
        alpha={"swap": "replace", "noted": 0.0},
    )
    alone = weights(fitted(clf, data))
    both = fitted(clf.set_params(alpha={"swap": "replace", "noted": 0.1}, penalty_every=3), data)
    assert len(log) == 4
    assert not torch.equal(weights(both), alone)
    fitted(clf.set_params(alpha={"swap": "replace", "noted": 1e-30}), data)
    torch.testing.assert_close(weights(clf), alone)


# -- beside other options --------------------------------------------------------------------------


def test_the_objective_that_early_stopping_watches_has_the_penalty_in_every_epoch(data):
    clf = fitted(
        GradRegClassifier(network, alpha=0.5, norm="l2", penalty_every=2), data, batch_size=-1
    )
    for epoch in clf.history_:
        total = epoch["train_label_loss"] + 0.5 * epoch["train_input_gradient"]
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-6)
    first, second, third = clf.history_[:, "train_input_gradient"]
    assert first == second != third


def test_the_mean_over_the_steps_that_had_it_is_recorded(data, log):
    clf = fitted(recording(alpha=0.0001, penalty_every=2), data, max_epochs=1, lr=1e-12)
    with torch.no_grad():
        values = [
            clf.module_(torch.from_numpy(data[0][np.isin(data[0][:, 0], step)])).square().mean()
            for step in log
        ]
    assert clf.history_[0, "train_noted"] == pytest.approx(float(sum(values)) / 2, rel=1e-4)


def test_an_automatic_weight_is_measured_as_it_is(data):
    one, two = (
        fitted(GradRegClassifier(network, alpha="auto", norm="l2", penalty_every=every), data)
        for every in (1, 2)
    )
    assert one.alpha_ == two.alpha_ > 0
    assert not torch.equal(weights(one), weights(two))
    assert "train_input_gradient" in one.history_[0]


def test_held_out_samples_are_judged_by_the_objective_itself(data):
    clf = fitted(
        GradRegClassifier(network, alpha=0.5, norm="l2", penalty_every=4),
        data,
        early_stopping=True,
        validation_fraction=0.3,
    )
    for epoch in clf.history_:
        total = epoch["valid_label_loss"] + 0.5 * epoch["valid_input_gradient"]
        assert epoch["valid_loss"] == pytest.approx(total, rel=1e-6)


def test_weights_that_rise_are_multiplied_when_they_have_risen(data, monkeypatch):
    from skexplain.training._objective import Objective

    seen, original = [], Objective.lazily

    def watched(self, every):
        first, others = original(self, every)
        seen.append((self.alphas["certified"], first.alphas["certified"], len(others.terms)))
        return first, others

    monkeypatch.setattr(Objective, "lazily", watched)
    fitted(IBPExClassifier(network, alpha_ramp=1.0, epsilon_ramp=0.5, penalty_every=4), data)
    assert [round(ours, 4) for ours, _, _ in seen] == sorted(
        {round(ours, 4) for ours, _, _ in seen}
    )
    assert all(first == 4 * alpha and not n_others for alpha, first, n_others in seen)


def test_chunks_add_up_to_the_whole(data):
    whole, parts = (
        fitted(GradRegClassifier(network, penalty_every=3, penalty_chunk_size=size), data)
        for size in (None, 5)
    )
    torch.testing.assert_close(weights(whole), weights(parts), atol=1e-5, rtol=0)
