"""Check that options which make training faster or smaller do not change what is learned."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    ConceptGradRegClassifier,
    ERMClassifier,
    ERMRegressor,
    GradCAMRegClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.training._batches import RowStore, TrainingData, ahead
from skexplain.training._memory import PeakBytes
from skexplain.training._objective import Objective
from skexplain.training._prepare import arrange_channels_last

N_ROWS, N_CLASSES = 53, 3


def make_data(shape=(6,)):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, *shape)).astype(np.float32)
    y = rng.integers(N_CLASSES, size=N_ROWS)
    X.reshape(N_ROWS, -1)[np.arange(N_ROWS), y] += 2
    return X, y, rng.random((N_ROWS, *shape)) > 0.5


def perceptron():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, N_CLASSES))


def fitted(estimator, data, **params):
    common = {"max_epochs": 3, "batch_size": 16, "device": "cpu", "random_state": 0}
    X, y, mask = data
    return clone(estimator).set_params(**common, **params).fit(X, y, mask=mask)


def weights(estimator):
    return torch.cat([p.detach().flatten() for p in estimator.module_.parameters()])


# -- penalties in chunks --------------------------------------------------------------------------

NOT_RANDOM = [
    GradRegClassifier(alpha=0.3),
    GradRegClassifier(alpha="auto"),
    PGDExClassifier(alpha=1.0, random_start=False, grad_alpha=0.1),
    PGDExClassifier(random_start=False, grad_alpha=0.1),  # the gradient alone is in chunks
    SwapExClassifier(alpha=1.0),
    SwapExClassifier(alpha=1.0, class_weight="balanced", annotated_per_batch=7),
    TwoStageExplanationClassifier(),
    IBPExClassifier(epsilon=0.2),
    CDEPClassifier(),
    HINTClassifier(attribution="input_gradient"),
    InfluenceRegClassifier(),
    GradRegClassifier(early_stopping=True, validation_fraction=0.25),
]


@pytest.mark.parametrize("estimator", NOT_RANDOM, ids=str)
def test_chunks_add_up_to_the_whole(estimator):
    data = make_data()
    whole = fitted(estimator, data, module=perceptron)
    parts = fitted(estimator, data, module=perceptron, penalty_chunk_size=5)
    # Measured: at most 3e-8.
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-5, rtol=0)
    for ours, theirs in zip(parts.history_, whole.history_, strict=True):
        assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)


@pytest.mark.parametrize("estimator", [GradRegClassifier(), SwapExClassifier(alpha=1.0)], ids=str)
def test_chunks_weigh_rows_as_the_whole_does(estimator):
    X, y, mask = make_data()
    weight = np.random.default_rng(1).random(N_ROWS) * (np.arange(N_ROWS) % 3 > 0)
    common = {"module": perceptron, "max_epochs": 2, "batch_size": 16, "random_state": 0}
    whole, parts = (
        clone(estimator)
        .set_params(**common, penalty_chunk_size=size)
        .fit(X, y, mask=mask, sample_weight=weight)
        for size in (None, 3)
    )
    torch.testing.assert_close(weights(parts), weights(whole), atol=1e-4, rtol=0)


def test_a_chunk_of_all_rows_is_the_whole():
    data = make_data()
    for estimator in (PGDExClassifier(alpha=1.0), TwoStageExplanationClassifier()):
        whole = fitted(estimator, data, module=perceptron)
        parts = fitted(estimator, data, module=perceptron, penalty_chunk_size=1000)
        assert torch.equal(weights(whole), weights(parts))


class Counting(nn.Module):
    """Writes down how many rows go through while gradients are kept."""

    def __init__(self):
        super().__init__()
        self.net, self.sizes = perceptron(), []

    def forward(self, x):
        if torch.is_grad_enabled() and self.training is False:
            self.sizes.append(len(x))
        return self.net(x)


def test_no_more_rows_than_a_chunk_are_differentiated_at_once():
    estimator = fitted(GradRegClassifier(), make_data(), module=Counting, penalty_chunk_size=4)
    assert max(estimator.module_.sizes) == 4


def deep():
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, N_CLASSES)),
    )


WITHIN = [
    (GradRegClassifier(), "0.65MB"),
    (GradRegClassifier(alpha="auto"), "0.65MB"),
    (PGDExClassifier(grad_alpha=0.1), "0.67MB"),
    (SwapExClassifier(alpha=1.0), "0.48MB"),
    (IBPExClassifier(), "1.12MB"),
    (CDEPClassifier(), "2MB"),
    (InfluenceRegClassifier(), "1.3MB"),
]


@pytest.mark.parametrize("chunk_size", [8, 1])
def test_chunks_of_weighted_samples_are_the_whole(chunk_size):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 3)) + y[:, None]
    weight = np.where(X[:, 2] > 1, 9, 1)
    common = {"norm": "l2", "batch_size": -1, "random_state": 0}

    def losses(size):
        params = {**common, "penalty_chunk_size": size}
        clf = GradRegClassifier(alpha=1.0, max_epochs=2, early_stopping=True, **params)
        clf.fit(X, y, mask=[[0, 0, 1]], sample_weight=weight)
        auto = GradRegClassifier(alpha="auto", max_epochs=1, **params)
        auto.fit(X, y, mask=[[0, 0, 1]], sample_weight=weight)
        return clf.history_[-1, "valid_input_gradient"], auto.alpha_

    assert losses(chunk_size) == pytest.approx(losses(None), rel=1e-4)


def test_losses_of_weighted_samples_held_out_do_not_depend_on_batches():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=200)
    X = rng.normal(size=(200, 3)) + y[:, None]
    found = []
    for batch_size in (-1, 7):
        clf = ERMClassifier(
            max_epochs=1, lr=1e-9, batch_size=batch_size, early_stopping=True, random_state=0,
            class_weight={0: 1.0, 1: 9.0},
        ).fit(X, y)  # fmt: skip
        found.append(clf.history_[-1, "valid_loss"])
    assert found[1] == pytest.approx(found[0], rel=1e-5)


@pytest.mark.parametrize(("estimator", "limit"), WITHIN, ids=str)
def test_as_many_rows_as_keep_within_a_limit_of_memory(estimator, limit, monkeypatch):
    peaks = []
    gradients = Objective.penalty_gradients

    def watched(self, *arguments):
        with PeakBytes() as counter:
            result = gradients(self, *arguments)
        peaks.append(counter.peak / 1e6)
        return result

    data = [part[:16] for part in make_data((1, 20, 20))]
    common = {"module": deep}
    chosen = fitted(estimator, data, **common, penalty_chunk_size=limit)
    size = chosen.trainer_.penalty_chunk_size
    assert 6 <= size <= 8
    monkeypatch.setattr(Objective, "penalty_gradients", watched)
    parts = fitted(estimator, data, **common, penalty_chunk_size=size)
    assert max(peaks) <= float(limit[:-2])
    assert torch.equal(weights(parts), weights(chosen))  # measuring has changed nothing
    peaks.clear()
    fitted(estimator, data, **common, penalty_chunk_size=size + 1)
    assert max(peaks) > float(limit[:-2])


def test_a_limit_that_is_large_enough_is_one_chunk():
    data = make_data()
    whole = fitted(GradRegClassifier(), data, module=perceptron, penalty_chunk_size=1000)
    parts = fitted(GradRegClassifier(), data, module=perceptron, penalty_chunk_size="1.5 GB")
    assert torch.equal(weights(whole), weights(parts))


def test_a_limit_for_less_than_a_row_is_an_error():
    with pytest.raises(ValueError, match="penalty_chunk_size must leave room for one sample"):
        fitted(
            GradRegClassifier(), make_data((1, 20, 20)), module=deep, penalty_chunk_size="0.05MB"
        )


def test_going_on_measures_again_and_leaves_gradients():
    X, y, mask = make_data((1, 20, 20))
    common = {"module": deep, "random_state": 0, "device": "cpu", "penalty_chunk_size": "2.5MB"}
    at_once = GradRegClassifier(max_epochs=2, **common).fit(X, y, mask=mask)
    one_by_one = GradRegClassifier(**common)
    for _ in range(2):
        one_by_one.partial_fit(X, y, classes=range(N_CLASSES), mask=mask)
    assert torch.equal(weights(at_once), weights(one_by_one))


def test_nothing_is_measured_where_no_penalty_is_differentiated():
    for estimator in (ERMClassifier(), SwapExClassifier()):
        data = make_data()
        free = fitted(estimator, data, module=perceptron)
        limited = fitted(estimator, data, module=perceptron, penalty_chunk_size="1MB")
        assert limited.trainer_.penalty_chunk_size is None
        assert torch.equal(weights(free), weights(limited))


# -- mixed precision ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        ERMClassifier(),
        ERMClassifier(label_loss="focal"),
        GradRegClassifier(alpha=0.1),
        AvgExClassifier(),
        SwapExClassifier(grad_alpha=0.1),
        PGDExClassifier(),
        TwoStageExplanationClassifier(),
        TwoStageExplanationClassifier(schedule="joint"),
        GroupDROClassifier(),
    ],
    ids=str,
)
def test_bfloat16_learns_about_the_same(estimator):
    data = make_data()
    plain = fitted(estimator, data, module=perceptron)
    mixed = fitted(estimator, data, module=perceptron, mixed_precision=True)
    assert weights(mixed).dtype == torch.float32
    assert not torch.equal(weights(mixed), weights(plain))
    # Measured: at most 3e-4; bfloat16 has three digits.
    np.testing.assert_allclose(
        mixed.predict_proba(data[0]), plain.predict_proba(data[0]), atol=0.01
    )


def test_bfloat16_reaches_the_layers_and_not_the_losses():
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            out = super().forward(x)
            seen.append((self.training, torch.is_grad_enabled(), out.dtype))
            return out

    X, y, _ = make_data()
    ERMRegressor(Spy(6, 1), mixed_precision=True, max_epochs=1).fit(X, y.astype(float)).predict(X)
    in_training = {dtype for training, grad, dtype in seen if training and grad}
    assert in_training == {torch.bfloat16}
    assert seen[-1][-1] == torch.float32  # a prediction


@pytest.mark.parametrize(
    "estimator",
    [
        IBPExClassifier(),
        CDEPClassifier(),
        GradCAMRegClassifier(),
        InfluenceRegClassifier(),
        ConceptGradRegClassifier(layer="0"),
    ],
    ids=str,
)
def test_bfloat16_is_refused_where_it_would_spoil_the_penalty(estimator):
    with pytest.raises(ValueError, match="mixed_precision must be False with .*Penalty"):
        fitted(estimator, make_data(), mixed_precision=True)
    if estimator.get_params()["alpha"] and not isinstance(estimator, GradCAMRegClassifier):
        fitted(estimator, make_data(), mixed_precision=True, alpha=0, module=perceptron)


# -- determinism ----------------------------------------------------------------------------------


def test_deterministic_kernels_during_the_fit_alone():
    seen = []

    class Spy(nn.Linear):
        def forward(self, x):
            seen.append((self.training, torch.are_deterministic_algorithms_enabled()))
            return super().forward(x)

    X, y, _ = make_data()
    for wanted in (True, False):
        seen.clear()
        ERMClassifier(Spy(6, N_CLASSES), deterministic=wanted, max_epochs=1).fit(X, y)
        assert {on for training, on in seen if training} == {wanted}
        assert not torch.are_deterministic_algorithms_enabled()


def test_what_the_user_set_stays():
    X, y, _ = make_data()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        ERMClassifier(deterministic=True, max_epochs=1).fit(X, y)
        assert torch.is_deterministic_algorithms_warn_only_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


# -- channels last --------------------------------------------------------------------------------


def convolutional():
    return nn.Sequential(
        nn.Conv2d(2, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 2 * 2, N_CLASSES),
    )


class Viewing(nn.Module):
    """Flattens as many published networks do, which needs the usual layout."""

    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(2, 8, 3), nn.Linear(8 * 36, N_CLASSES)

    def forward(self, x):
        x = self.conv(x)
        return self.head(x.view(len(x), -1))


def is_channels_last(module):
    weight = next(p for p in module.parameters() if p.ndim == 4)
    return weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()


def test_convolutions_are_laid_out_channels_last():
    data = make_data((2, 8, 8))
    assert is_channels_last(fitted(ERMClassifier(), data, module=convolutional).module_)
    original = convolutional()
    fitted(ERMClassifier(), data, module=original)
    assert not is_channels_last(original)  # the user's own stays as it was


def test_a_network_that_needs_the_usual_layout_keeps_it():
    estimator = fitted(GradRegClassifier(), make_data((2, 8, 8)), module=Viewing())
    assert not is_channels_last(estimator.module_)
    assert len(estimator.history_) == 3


@pytest.mark.parametrize(
    "estimator",
    [
        ERMClassifier(),
        GradRegClassifier(alpha=0.1),
        PGDExClassifier(random_start=False, n_steps=1),
        SwapExClassifier(),
        TwoStageExplanationClassifier(),
        GradCAMRegClassifier(alpha=0.1),
        IBPExClassifier(epsilon=0.1),
    ],
    ids=str,
)
def test_the_layout_changes_nothing_but_rounding(estimator, monkeypatch):
    data = make_data((2, 8, 8))
    ours = fitted(estimator, data, module=convolutional)
    monkeypatch.setattr("skexplain.training._prepare.arrange_channels_last", lambda m, x: m)
    theirs = fitted(estimator, data, module=convolutional)
    assert is_channels_last(ours.module_)
    assert not is_channels_last(theirs.module_)
    # Measured: at most 8e-4: batch norm of a last batch of five rows.
    np.testing.assert_allclose(
        ours.predict_proba(data[0]), theirs.predict_proba(data[0]), atol=0.02
    )


def test_tables_are_left_alone():
    module = perceptron()
    assert arrange_channels_last(module, torch.zeros(2, 6)) is module


# -- rows ahead -----------------------------------------------------------------------------------


def test_ahead_keeps_the_order_and_is_one_item_ahead():
    done = []

    def work(item):
        done.append(item)
        return 10 * item

    found = []
    for value in ahead(work, [1, 2, 3]):
        found.append(value)
    assert found == [10, 20, 30]
    assert done == [1, 2, 3]
    assert list(ahead(work, [])) == []


def test_ahead_raises_what_the_work_raised():
    def work(item):
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        list(ahead(work, [1]))


def test_an_abandoned_iteration_ends_its_thread():
    for _ in ahead(lambda item: item, range(1000)):
        break  # would hang or leak if the thread went on


@pytest.fixture
def on_file(tmp_path):
    def write(array, name):
        stored = np.memmap(tmp_path / name, dtype=array.dtype, mode="w+", shape=array.shape)
        stored[:] = array
        stored.flush()
        return np.memmap(tmp_path / name, dtype=array.dtype, mode="r", shape=array.shape)

    return write


@pytest.mark.parametrize(
    "estimator", [GradRegClassifier(), SwapExClassifier(), TwoStageExplanationClassifier()], ids=str
)
def test_rows_from_a_file_give_the_same_weights(estimator, on_file, monkeypatch):
    X, y, mask = make_data()
    in_memory = fitted(estimator, (X, y, mask), module=perceptron)
    fetched_ahead = []

    def spy(function, items):
        fetched_ahead.append(len(items))
        return ahead(function, items)

    monkeypatch.setattr("skexplain.training._trainer.ahead", spy)
    stored = on_file(X, "X"), y, on_file(mask, "mask")
    from_file = fitted(estimator, stored, module=perceptron)
    assert torch.equal(weights(in_memory), weights(from_file))
    assert fetched_ahead == [4, 4, 4]  # steps of each epoch


def test_what_is_streamed(on_file):
    array = make_data()[0]
    assert not RowStore(array, "cpu").streams
    assert RowStore(on_file(array, "X"), "cpu").streams
    assert RowStore(np.asarray(on_file(array, "Y")), "cpu").streams  # as validation returns it
    index, penalised = np.arange(N_ROWS), np.zeros(N_ROWS, dtype=bool)
    data = TrainingData(
        array, np.zeros(N_ROWS), None, frame=None, index=index, penalised=penalised, device="cpu"
    )
    assert not data.streams
