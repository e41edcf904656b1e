"""Check the engine against loops by hand to the bit, and what each pass may use and change."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from skexplain import (
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.penalties import Penalty
from skexplain.training import Trainer, _evaluation
from skexplain.training._method import Method, Term
from skexplain.training._random import Streams

SEED, N_ROWS, N_CLASSES, BATCH, EPOCHS, LR = 3, 50, 3, 16, 3, 1e-2


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 6)).astype(np.float32)
    y = rng.integers(N_CLASSES, size=N_ROWS)
    X[np.arange(N_ROWS), y] += 2
    mask = rng.random((N_ROWS, 6)) > 0.5
    mask[:, 0] = True  # so that every row is penalised
    return X, y, mask


class Net(nn.Sequential):
    """A plain module, whose layers are known to compute the same in both modes or not."""

    def __init__(self, norm=False):
        layers = [nn.Linear(6, 8)]
        if norm:
            layers += [nn.BatchNorm1d(8), nn.Dropout(0.2)]
        super().__init__(*layers, nn.ReLU(), nn.Linear(8, N_CLASSES))


def fitted(estimator, data, **fit_params):
    X, y, mask = data
    estimator.set_params(
        lr=LR, max_epochs=EPOCHS, batch_size=BATCH, input_unit="input", random_state=SEED
    )
    return estimator.fit(X, y, mask=mask, **fit_params)


def new_net(**kwargs):
    torch.manual_seed(Streams(SEED).seed("module"))
    return Net(**kwargs)


def batches(epoch):
    """Shuffled slices of all rows; 50 = 16 + 16 + 16 + 2."""
    order = torch.randperm(N_ROWS, generator=Streams(SEED).generator("order", epoch))
    return order.split(BATCH)


def adam(parameters, lr=LR):
    return torch.optim.Adam(parameters, lr=lr, fused=True)


def tensors(data):
    X, y, mask = data
    return torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(mask).float()


def assert_same_weights(module, net):
    ours, by_hand = list(module.parameters()), list(net.parameters())
    assert len(ours) == len(by_hand)
    for left, right in zip(ours, by_hand, strict=True):
        assert torch.equal(left, right)


def test_label_loss_equals_a_loop_by_hand(data):
    X, y, _ = tensors(data)
    with torch.random.fork_rng():
        net = new_net()
    optimizer = adam(net.parameters())
    losses = []
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(X[index]), y[index])
            loss.backward()
            optimizer.step()
            losses.append((epoch, loss.item() * len(index) / N_ROWS))
    clf = fitted(ERMClassifier(Net), data)
    assert_same_weights(clf.module_, net)
    for epoch in range(1, EPOCHS + 1):
        mean = sum(loss for e, loss in losses if e == epoch)
        assert clf.history_[epoch - 1]["train_label_loss"] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize("shared", [False, True])
def test_grad_reg_equals_a_loop_by_hand(data, shared):
    """On one forward pass where no layer depends on the mode, else on two."""
    X, y, a = tensors(data)
    with torch.random.fork_rng():
        net = new_net()
    # A forward of a user's own may depend on the mode; torch's own layers here do not.
    module = nn.Sequential(*new_net()) if shared else Net
    optimizer = adam(net.parameters())
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            optimizer.zero_grad()
            x = X[index].requires_grad_()
            logits = net(x)
            loss = functional.cross_entropy(logits if shared else net(X[index]), y[index])
            score = logits.log_softmax(1).sum()
            (gradient,) = torch.autograd.grad(score, x, create_graph=True)
            penalty = (a[index] * gradient).square().sum(1).mean()
            (loss + 0.5 * penalty).backward()
            optimizer.step()
    clf = fitted(GradRegClassifier(module, alpha=0.5, norm="l2"), data)
    assert_same_weights(clf.module_, net)


def test_pgd_with_gradient_penalty_equals_a_loop_by_hand(data):
    X, y, a = tensors(data)
    with torch.random.fork_rng():
        net = new_net()
    optimizer = adam(net.parameters())
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            x, target, radius = X[index], y[index], 0.5 * a[index]
            moved = x
            for _ in range(2):
                point = moved.clone().requires_grad_()
                loss = functional.cross_entropy(net(point), target, reduction="sum")
                (gradient,) = torch.autograd.grad(loss, point)
                step = 0.3 * a[index] * gradient.sign()
                moved = torch.minimum(torch.maximum(moved + step, x - radius), x + radius)
            optimizer.zero_grad()
            point = moved.requires_grad_()
            logits = net(point)
            (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), point, create_graph=True)
            loss = functional.cross_entropy(net(x), target)
            loss = loss + 2.0 * functional.cross_entropy(logits, target)
            loss = loss + 0.1 * (a[index] * gradient).square().sum(1).mean()
            loss.backward()
            optimizer.step()
    clf = PGDExClassifier(
        Net,
        alpha=2.0,
        epsilon=0.5,
        n_steps=2,
        step_size=0.3,
        random_start=False,
        clip=None,
        grad_alpha=0.1,
    )
    for ours, by_hand in zip(fitted(clf, data).module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, by_hand, atol=1e-6, rtol=1e-5)


def test_pgd_beside_a_gradient_penalty_at_the_clean_rows(data):
    """The label loss's forward is shared with the gradient penalty, not with the ascent."""
    params = {"n_steps": 2, "random_start": False, "grad_alpha": 0.5, "grad_at": "clean"}
    params["alpha"] = 1.0  # a label loss at perturbed rows alone has no forward to share
    with torch.random.fork_rng():
        module = nn.Sequential(*new_net())
    shared = fitted(PGDExClassifier(module, **params), data)
    apart = fitted(PGDExClassifier(Net, **params), data)
    for left, right in zip(shared.module_.parameters(), apart.module_.parameters(), strict=True):
        torch.testing.assert_close(left, right, atol=1e-6, rtol=1e-5)
    without = fitted(PGDExClassifier(Net, **{**params, "grad_alpha": 0.0}), data)
    assert not torch.allclose(next(without.module_.parameters()), next(apart.module_.parameters()))


# -- Algorithm 1 of Tao & Shokri ------------------------------------------------------------------


def mapped_net():
    """Extractor, mapping and head with the weights that the estimator starts from."""
    net = new_net()
    extractor, head = nn.Sequential(net[0], net[1]), net[2]
    torch.manual_seed(Streams(SEED).seed("mapping"))
    return extractor, nn.Linear(8, 8), head


def divergence(extractor, mapping, x, a):
    target = extractor(x * (1 - a)).log_softmax(1)
    mapped = mapping(extractor(x)).log_softmax(1)
    return (target.exp() * (target - mapped)).sum(1).mean()


def two_stage_weights(clf):
    module = clf.module_
    extractor, head = module.module[0], module.module[2].layer
    return [*extractor.parameters(), *module.mapping.parameters(), *head.parameters()]


def test_two_stage_equals_algorithm_1_bit_for_bit(data):
    X, y, a = tensors(data)
    with torch.random.fork_rng():
        extractor, mapping, head = mapped_net()
    everything = [*extractor.parameters(), *head.parameters(), *mapping.parameters()]
    first, second = adam(everything), adam(mapping.parameters(), lr=0.02)
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            x = X[index]
            first.zero_grad()
            functional.cross_entropy(head(mapping(extractor(x))), y[index]).backward()
            first.step()
            second.zero_grad()
            divergence(extractor, mapping, x, a[index]).backward()
            second.step()
    clf = fitted(TwoStageExplanationClassifier(Net, mapping_lr=0.02), data)
    by_hand = [*extractor.parameters(), *mapping.parameters(), *head.parameters()]
    for ours, weight in zip(two_stage_weights(clf), by_hand, strict=True):
        assert torch.equal(ours, weight)


def test_joint_schedule_equals_a_loop_by_hand(data):
    X, y, a = tensors(data)
    with torch.random.fork_rng():
        extractor, mapping, head = mapped_net()
    everything = [*extractor.parameters(), *head.parameters(), *mapping.parameters()]
    optimizer = adam(everything)
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            x = X[index]
            optimizer.zero_grad()
            loss = functional.cross_entropy(head(mapping(extractor(x))), y[index])
            (loss + 0.7 * divergence(extractor, mapping, x, a[index])).backward()
            optimizer.step()
    clf = fitted(TwoStageExplanationClassifier(Net, schedule="joint", alpha=0.7), data)
    by_hand = [*extractor.parameters(), *mapping.parameters(), *head.parameters()]
    for ours, weight in zip(two_stage_weights(clf), by_hand, strict=True):
        torch.testing.assert_close(ours, weight, atol=1e-6, rtol=1e-5)


def test_layers_draw_anew_in_every_epoch(data):
    drawn = []

    class Dropping(Net):
        def forward(self, x):
            if self.training:
                drawn.append(functional.dropout(torch.ones(100)))
            return super().forward(x)

    X, y, _ = data
    ERMClassifier(Dropping, max_epochs=3, batch_size=-1, random_state=0).fit(X, y)
    assert len({tuple(values.tolist()) for values in drawn}) == len(drawn) == 3


def test_alpha_weighs_neither_of_the_two_steps(data):
    """The second one minimises the divergence alone, whatever its weight beside the label loss."""
    params = {"mapping_lr": 0.02, "optimizer": torch.optim.SGD}
    one, other = (
        fitted(TwoStageExplanationClassifier(Net, alpha=alpha, **params), data)
        for alpha in (1.0, 7.0)
    )
    for ours, weight in zip(two_stage_weights(one), two_stage_weights(other), strict=True):
        assert torch.equal(ours, weight)
    objectives = [clf.history_[-1, "train_loss"] for clf in (one, other)]
    assert objectives[1] - objectives[0] == pytest.approx(6 * one.history_[-1, "train_mapping"])


def test_without_a_mapping_the_second_step_trains_the_features(data):
    X, y, a = tensors(data)
    with torch.random.fork_rng():
        net = new_net()
    extractor, head = nn.Sequential(net[0], net[1]), net[2]
    first, second = adam(net.parameters()), adam(extractor.parameters(), lr=0.02)
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            x = X[index]
            first.zero_grad()
            functional.cross_entropy(head(extractor(x)), y[index]).backward()
            first.step()
            second.zero_grad()
            divergence(extractor, nn.Identity(), x, a[index]).backward()
            second.step()
    clf = fitted(TwoStageExplanationClassifier(Net, mapping=None, mapping_lr=0.02), data)
    assert_same_weights(clf.module_, net)


@pytest.mark.parametrize("norm", [False, True])
def test_second_stage_leaves_extractor_and_buffers_alone(data, norm, monkeypatch):
    step, seen = Trainer._step, []

    def watched(self, batch, penalised, donors, generators, watchers, optimizer, objective):
        arguments = batch, penalised, donors, generators, watchers, optimizer, objective
        if objective.has_label_loss:
            return step(self, *arguments)
        mapping = {id(p) for p in self.module_.mapping.parameters()}
        tensors = [
            t for t in self.module_.state_dict(keep_vars=True).values() if id(t) not in mapping
        ]
        before = [t.detach().clone() for t in tensors]
        result = step(self, *arguments)
        assert all(torch.equal(t, b) for t, b in zip(tensors, before, strict=True))
        assert self.module_.training
        seen.append(len(penalised.y))
        return result

    monkeypatch.setattr(Trainer, "_step", watched)
    fitted(TwoStageExplanationClassifier(Net, module__norm=norm), data)
    assert sum(seen) == N_ROWS * EPOCHS


def test_alpha_zero_switches_the_second_stage_off(data):
    X, y, _ = tensors(data)
    with torch.random.fork_rng():
        extractor, mapping, head = mapped_net()
    everything = [*extractor.parameters(), *head.parameters(), *mapping.parameters()]
    optimizer = adam(everything)
    for epoch in range(1, EPOCHS + 1):
        for index in batches(epoch):
            optimizer.zero_grad()
            functional.cross_entropy(head(mapping(extractor(X[index]))), y[index]).backward()
            optimizer.step()
    clf = fitted(TwoStageExplanationClassifier(Net, alpha=0), data)
    by_hand = [*extractor.parameters(), *mapping.parameters(), *head.parameters()]
    for ours, weight in zip(two_stage_weights(clf), by_hand, strict=True):
        assert torch.equal(ours, weight)


# -- what the passes see and touch ----------------------------------------------------------------


class Counting(nn.Module):
    """Notes the rows, the mode and the kind of every forward pass."""

    log: list = []

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(6, N_CLASSES)

    def forward(self, x):
        Counting.log.append((len(x), self.training))
        return self.linear(x)


def passes(estimator, X, y, mask):
    """Rows of the label passes and of all others, without those of the set-up."""
    Counting.log.clear()
    estimator.set_params(module=Counting, max_epochs=1, batch_size=20, random_state=0)
    estimator.fit(X, y, mask=mask)
    log = list(itertools.dropwhile(lambda entry: not entry[1], Counting.log))
    return [n for n, training in log if training], [n for n, training in log if not training]


PENALTIES = [
    (GradRegClassifier(), 1),
    (PGDExClassifier(alpha=1.0, n_steps=2), 3),
    (PGDExClassifier(alpha=1.0, n_steps=2, grad_alpha=1.0), 3),
    (PGDExClassifier(alpha=1.0, n_steps=2, grad_alpha=1.0, grad_at="clean"), 4),
]


@pytest.mark.usefixtures("training_alone")
@pytest.mark.parametrize(("estimator", "n_passes"), PENALTIES)
def test_a_penalty_sees_exactly_the_penalised_batch(estimator, n_passes, data):
    X, y, mask = data
    some = mask.astype(float)
    some[10:] = np.nan  # 10 of 50 rows are annotated: 20 rows in B give 4 in S
    label, penalty = passes(estimator, X, y, some)
    assert label == [20, 20, 10]
    assert penalty == [4] * n_passes + [4] * n_passes + [2] * n_passes


@pytest.mark.usefixtures("training_alone")
@pytest.mark.parametrize(("estimator", "n_passes"), PENALTIES)
def test_annotated_per_batch_sets_the_size(estimator, n_passes, data):
    X, y, mask = data
    some = mask.astype(float)
    some[3:] = np.nan
    estimator = type(estimator)(**{**estimator.get_params(), "annotated_per_batch": 7})
    _, penalty = passes(estimator, X, y, some)
    assert penalty == [7] * 3 * n_passes


@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
@pytest.mark.parametrize(("estimator", "_n"), PENALTIES)
@pytest.mark.parametrize("mask", [None, np.zeros((1, 6)), np.full((1, 6), np.nan)])
def test_nothing_penalised_means_no_pass(estimator, _n, mask, data):
    X, y, _ = data
    label, penalty = passes(estimator, X, y, mask)
    assert label == [20, 20, 10]
    assert penalty == []


def test_penalised_rows_come_in_shuffled_passes(data, monkeypatch):
    """Each penalised row once before any comes again, whatever the batches."""
    from skexplain.training._batches import TrainingData

    X, y, mask = data
    some = mask.astype(float)
    some[10:] = np.nan
    drawn = []
    original = TrainingData.rows

    def recording(self, index, with_masks=False):
        if with_masks:
            drawn.append(index.tolist())
        return original(self, index, with_masks)

    monkeypatch.setattr(TrainingData, "rows", recording)
    GradRegClassifier(Net, max_epochs=2, batch_size=20, random_state=0).fit(X, y, mask=some)
    rows = [row for batch in drawn for row in batch]
    assert sorted(rows[:10]) == list(range(10))
    assert sorted(rows[10:]) == list(range(10))
    assert rows[:10] != rows[10:]


@pytest.mark.parametrize(
    "estimator",
    [
        GradRegClassifier(alpha=1.0),
        PGDExClassifier(alpha=1.0, grad_alpha=1.0),
        TwoStageExplanationClassifier(),
        TwoStageExplanationClassifier(schedule="joint"),
    ],
)
def test_batch_norm_statistics_are_those_of_the_label_passes_alone(estimator, data):
    """With learning rate (almost) zero the statistics are those of the same net without masks."""
    X, y, mask = data
    common = {"lr": 1e-30, "max_epochs": 2, "random_state": 0, "module__norm": True}
    with_masks = type(estimator)(**{**estimator.get_params(), "module": Net, **common})
    if isinstance(estimator, TwoStageExplanationClassifier):
        with_masks.set_params(mapping_lr=1e-30)
    with_masks.fit(X, y, mask=mask)
    without = ERMClassifier(Net, **common).fit(X, y)
    norms = [
        next(m for m in clf.module_.modules() if isinstance(m, nn.BatchNorm1d))
        for clf in (with_masks, without)
    ]
    assert torch.equal(norms[0].running_mean, norms[1].running_mean)
    assert torch.equal(norms[0].running_var, norms[1].running_var)


def test_a_lone_row_and_batch_norm_go_together(data):
    X, y, mask = data
    some = mask.astype(float)
    some[1:] = np.nan  # one annotated row; 49 rows in batches of 16 leave a lone one
    clf = GradRegClassifier(Net, module__norm=True, batch_size=16, max_epochs=2, random_state=0)
    clf.fit(X[:49], y[:49], mask=some[:49])
    assert np.isfinite(clf.predict_proba(X)).all()


def test_class_weight_acts_on_label_losses_and_not_on_gradients(data):
    """The penalty of the first full-batch step, by hand, with class weights."""
    X, y, mask = data
    weights = {0: 5.0, 1: 1.0, 2: 0.5}
    common = {
        "max_epochs": 1,
        "batch_size": -1,
        "class_weight": weights,
        "random_state": SEED,
        "input_unit": "input",
    }
    with torch.random.fork_rng():
        net = new_net()
    x, target, a = tensors(data)
    row_weight = torch.tensor([weights[label] for label in y.tolist()])
    losses = functional.cross_entropy(net(x), target, reduction="none")
    label_loss = ((row_weight * losses).sum() / row_weight.sum()).item()
    point = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(net(point).log_softmax(1).sum(), point)
    penalty = (a * gradient).square().sum(1).mean().item()

    clf = GradRegClassifier(Net, norm="l2", **common).fit(X, y, mask=mask)
    assert clf.history_[0]["train_label_loss"] == pytest.approx(label_loss, rel=1e-5)
    assert clf.history_[0]["train_input_gradient"] == pytest.approx(penalty, rel=1e-5)
    clf = PGDExClassifier(Net, alpha=1.0, epsilon=0.0, **common).fit(X, y, mask=mask)
    assert clf.history_[0]["train_worst_case"] == pytest.approx(label_loss, rel=1e-5)


def test_automatic_alpha_is_the_ratio_after_the_first_epoch(data):
    X, y, mask = data
    clf = GradRegClassifier(Net, alpha="auto", norm="l2", max_epochs=1, random_state=0)
    clf.fit(X, y, mask=mask)
    plain = ERMClassifier(Net, max_epochs=1, random_state=0).fit(X, y)
    assert_same_weights(clf.module_, plain.module_)
    x, target, a = tensors(data)
    point = x.clone().requires_grad_()
    logits = plain.module_(point)
    (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), point)
    unit = torch.from_numpy(X.std(axis=0))
    penalty = (a * unit * gradient).square().sum(1).mean()
    ratio = functional.cross_entropy(logits, target) / penalty
    assert clf.alpha_ == pytest.approx(ratio.item(), rel=1e-4)
    # Fixed from then on, over warm starts too.
    alpha = clf.alpha_
    clf.set_params(warm_start=True, max_epochs=2).fit(X, y, mask=mask)
    assert clf.alpha_ == alpha
    assert clf.n_iter_ == 3
    assert "train_input_gradient" in clf.history_[1]


# -- units and scales -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        ERMClassifier(),
        GradRegClassifier(),
        GradRegClassifier(alpha="auto"),
        PGDExClassifier(grad_alpha=0.5),
        PGDExClassifier(epsilon=float("inf")),
        TwoStageExplanationClassifier(),
        TwoStageExplanationClassifier(mask_fill="mean"),
    ],
)
@pytest.mark.parametrize("images", [False, True])
def test_multiplying_x_by_255_changes_no_prediction(estimator, images):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=60)
    X = rng.random((60, 6, 6))
    X[:, 0, 0] = 0.5  # a column that never changes
    X[np.arange(60), 1, y] += 1
    mask = rng.random((60, 6, 6)) > 0.5
    if not images:
        X, mask = X.reshape(60, -1), mask.reshape(60, -1)
    estimator = type(estimator)(**{**estimator.get_params(), "max_epochs": 5, "random_state": 0})
    small = estimator.fit(X, y, mask=mask).predict_proba(X)
    large = estimator.fit(255 * X, y, mask=mask).predict_proba(255 * X)
    # Measured: at most 2e-6.
    np.testing.assert_allclose(small, large, atol=2e-4)


def test_input_unit_measures_gradients_in_standard_deviations(data):
    X, y, mask = data
    scale = np.array([1, 10, 0.1, 3, 1, 7], dtype=np.float32)
    common = {"max_epochs": 1, "batch_size": -1, "random_state": 0}
    in_sd = GradRegClassifier(Net, norm="l2", **common).fit(X * scale, y, mask=mask)
    # By hand: the gradient of the very same net, times each column's standard deviation.
    with torch.random.fork_rng():
        torch.manual_seed(Streams(0).seed("module"))
        net = Net()
    x = torch.from_numpy(X * scale).requires_grad_()
    (gradient,) = torch.autograd.grad(net(x).log_softmax(1).sum(), x)
    unit = torch.from_numpy((X * scale).std(axis=0))
    expected = (torch.from_numpy(mask) * unit * gradient).square().sum(1).mean()
    assert in_sd.history_[0]["train_input_gradient"] == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.slow  # measured: 10 to 130 s, a compiler at work
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch.jit, in torch itself
@pytest.mark.parametrize(
    "estimator", [ERMClassifier(), PGDExClassifier(n_steps=2), TwoStageExplanationClassifier()]
)
def test_compiled_networks_learn_the_same(estimator, data):
    X, y, mask = data
    common = {"module": Net, "max_epochs": 2, "random_state": 0}
    compiled = type(estimator)(compile=True, **common).fit(X, y, mask=mask)
    plain = type(estimator)(**common).fit(X, y, mask=mask)
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), atol=1e-4)


class DonorPenalty(Penalty):
    """Writes down which rows it is given and which donors; column 0 holds the row's number."""

    needs_donors = True

    def __init__(self, log=None):
        self.log = log

    def __call__(self, module, rows, donors=None, generator=None):
        self.log.append((rows.x[:, 0].int().tolist(), donors.x[:, 0].int().tolist()))
        return module(rows.x).sum(1) * 0


class WithDonors(ERMClassifier):
    log: list = []

    def _method(self):
        return Method((Term("donor", DonorPenalty(WithDonors.log), 1.0),))


def test_donors_are_as_many_penalised_rows_in_an_order_of_their_own(data):
    X, y, mask = data
    X = X.copy()
    X[:, 0] = np.arange(N_ROWS)
    some = mask.astype(float)
    some[20:] = np.nan
    WithDonors.log.clear()
    WithDonors(Net, max_epochs=1, batch_size=BATCH, random_state=0).fit(X, y, mask=some)
    assert [len(rows) for rows, _ in WithDonors.log] == [6, 6, 6, 1]  # 20 of 50 rows
    for rows, donors in WithDonors.log:
        assert len(donors) == len(rows)
        assert max(donors + rows) < 20
    assert [r for rows, _ in WithDonors.log for r in rows] != [
        d for _, donors in WithDonors.log for d in donors
    ]


def test_automatic_alpha_is_measured_on_rows_of_all_classes(monkeypatch):
    """Also where the rows are sorted by class and only some are looked at."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 3000)
    X = rng.normal(size=(6000, 3)).astype(np.float32)
    X[:, 0] += 6 * y
    clf = GradRegClassifier(max_epochs=1, alpha="auto", random_state=0)
    seen = []
    original = _evaluation._sample

    def recording(*args):
        seen.append(original(*args))
        return seen[-1]

    monkeypatch.setattr(_evaluation, "_sample", recording)
    clf.fit(X, y, mask=np.array([[0, 1, 1]]))
    for sample in seen:
        assert len(set(sample.tolist())) == 4096
        assert 0.4 < y[sample.numpy()].mean() < 0.6


def test_the_module_is_left_in_evaluation_mode(data):
    clf = fitted(GradRegClassifier(Net, module__norm=True), data)
    assert not clf.module_.training


class Cleared(torch.optim.SGD):
    """An optimizer that clears gradients in a way of its own."""

    def zero_grad(self, set_to_none=True):
        """Gradients become zeros, and the call is counted."""
        self.n_cleared = getattr(self, "n_cleared", 0) + 1
        super().zero_grad(set_to_none=False)


def test_an_optimizer_clears_gradients_in_its_own_way(data):
    own, plain = (
        fitted(ERMClassifier(Net, optimizer=optimizer), data)
        for optimizer in (Cleared, torch.optim.SGD)
    )
    assert own.trainer_.optimizer_.n_cleared == EPOCHS * -(-N_ROWS // BATCH)
    assert_same_weights(own.module_, plain.module_)


@pytest.mark.parametrize(("purpose", "key"), [("order", [3]), ("swap", [1007, *b"swap"])])
def test_a_seed_depends_on_root_purpose_and_epoch_alone(purpose, key):
    epochs = [0, 1, 2, 7, 8, 9, 16, 17, 100, 3]
    expected = [np.random.SeedSequence([5, epoch, *key]).generate_state(1)[0] for epoch in epochs]
    assert [Streams(5).seed(purpose, epoch) for epoch in epochs] == expected
