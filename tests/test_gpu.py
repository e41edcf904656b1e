"""Check that a CUDA device computes what a CPU computes, wherever the data are."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    CounterexampleClassifier,
    ERMClassifier,
    ExplanationClassifier,
    FindAnotherExplanationClassifier,
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
from skexplain.inspection import (
    certified_accuracy,
    largest_gradient_mask,
    predict_bounds,
    saliency,
)
from skexplain.penalties import AverageCasePenalty, InputGradientPenalty

pytestmark = pytest.mark.gpu

ESTIMATORS = [
    ERMClassifier(),
    GradRegClassifier(),
    GradRegClassifier(alpha="auto"),
    PGDExClassifier(random_start=False),
    PGDExClassifier(grad_alpha=0.1),
    TwoStageExplanationClassifier(),
    TwoStageExplanationClassifier(schedule="joint"),
    SwapExClassifier(n_draws=2, grad_alpha=0.1),
    AvgExClassifier(),
    AvgExClassifier(perturbation="shift", max_shift=1),
    CounterexampleClassifier(),
    IBPExClassifier(epsilon=0.2, grad_alpha=0.1),
    CDEPClassifier(),
    GradCAMRegClassifier(alpha=0.01),
    HINTClassifier(alpha=0.01),
    HINTClassifier(attribution="input_gradient", alpha=0.01),
    InfluenceRegClassifier(),
    GroupDROClassifier(),
    ExplanationClassifier(
        penalties=[("swap", AverageCasePenalty()), ("grad", InputGradientPenalty())],
        at={"grad": "swap"},
        reduction="group_dro",
    ),
]

# Generators of the two devices draw other numbers.
DRAWN = ("PGDEx", "SwapEx", "AvgEx", "Counterexample", "ExplanationClassifier(")


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=120)
    X = rng.integers(0, 40, (120, 1, 8, 8), dtype=np.uint8)
    X[np.arange(120), 0, 1, y] += 200
    mask = np.zeros((120, 8, 8), dtype=bool)
    mask[:, 4:] = True
    return X, y, mask


def copy_of(estimator, **params):
    return clone(estimator).set_params(**params)


def test_auto_finds_the_device(images):
    X, y, _ = images
    clf = ERMClassifier(max_epochs=1).fit(X, y)
    assert next(clf.module_.parameters()).device.type == "cuda"


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_learns_as_on_the_cpu(estimator, images):
    X, y, mask = images
    common = {"max_epochs": 20, "lr": 3e-3, "random_state": 0}
    on_gpu = copy_of(estimator, device="cuda", **common).fit(X, y, mask=mask)
    on_cpu = copy_of(estimator, device="cpu", **common).fit(X, y, mask=mask)
    assert on_gpu.score(X, y) > 0.95
    if not str(estimator).startswith(DRAWN):
        first = [clf.history_[0]["train_loss"] for clf in (on_gpu, on_cpu)]
        assert first[0] == pytest.approx(first[1], rel=1e-2)
    agreement = np.mean(on_gpu.predict(X) == on_cpu.predict(X))
    assert agreement > 0.95


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_some_annotated_rows_and_weights(estimator, images):
    X, y, mask = images
    some = mask.astype(np.float64)
    some[30:] = np.nan
    clf = copy_of(estimator, device="cuda", max_epochs=2, early_stopping=True, random_state=0)
    clf.set_params(class_weight="balanced", validation_fraction=0.2)
    clf.fit(X, y, mask=some, sample_weight=np.linspace(0, 1, 120))
    assert np.isfinite(clf.predict_proba(X)).all()


def test_dropout_is_seeded_and_the_outside_left_alone(images):
    X, y, mask = images
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, 3))
    before = torch.cuda.get_rng_state()
    first, second = (
        GradRegClassifier(module, max_epochs=2, random_state=0).fit(X, y, mask=mask)
        for _ in range(2)
    )
    assert torch.equal(torch.cuda.get_rng_state(), before)
    losses = [clf.history_[0]["train_loss"] for clf in (first, second)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_data_that_do_not_fit_are_streamed(images, monkeypatch):
    X, y, mask = images
    whole = PGDExClassifier(max_epochs=2, random_state=0).fit(X, y, mask=mask)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    streamed = PGDExClassifier(max_epochs=2, random_state=0).fit(X, y, mask=mask)
    np.testing.assert_allclose(whole.predict_proba(X), streamed.predict_proba(X), atol=1e-3)


def test_pickles(images):
    X, y, mask = images
    clf = TwoStageExplanationClassifier(max_epochs=2, random_state=0).fit(X, y, mask=mask)
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_allclose(loaded.predict_proba(X), clf.predict_proba(X), atol=1e-5)


def test_attention_differentiates_twice(images):
    X, y, mask = images

    class Attention(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, x):
            return self.head(self.layer(x[:, 0] / 255).mean(1))

    clf = GradRegClassifier(Attention, max_epochs=1).fit(X, y, mask=mask)
    assert np.isfinite(clf.history_[0]["train_input_gradient"])


def test_certificates_are_those_of_the_cpu(images):
    X, y, mask = images
    common = {"epsilon": 0.2, "max_epochs": 20, "random_state": 0}
    on_gpu = IBPExClassifier(device="cuda", **common).fit(X, y, mask=mask)
    on_cpu = IBPExClassifier(device="cpu", **common).fit(X, y, mask=mask)
    scores = [certified_accuracy(clf, X, y, mask, 0.1) for clf in (on_gpu, on_cpu)]
    assert scores[0] == pytest.approx(scores[1], abs=0.05)
    lower, upper = predict_bounds(on_gpu, X, mask, 0.1)
    assert np.all(lower <= on_gpu.predict_proba(X) + 1e-5)
    assert np.all(on_gpu.predict_proba(X) <= upper + 1e-5)


def test_another_explanation(images):
    X, y, _ = images
    clf = FindAnotherExplanationClassifier(
        GradRegClassifier(device="cuda", max_epochs=10), n_explanations=2, random_state=0
    ).fit(X, y)
    first = largest_gradient_mask(clf.estimators_[0], X)
    np.testing.assert_array_equal(first, clf.explanations_[0])


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(1, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.layer(x[:, :, None])[0][:, -1])


@pytest.mark.parametrize(
    "cls",
    [SwapExClassifier, GradRegClassifier, PGDExClassifier, InfluenceRegClassifier],
    ids=lambda cls: cls.__name__,
)
def test_recurrent_layers_are_differentiated_in_evaluation_mode(cls):
    """cuDNN has no gradient there, nor a second derivative anywhere."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 6)).astype(np.float32)
    y, mask = (X[:, 0] > 0).astype(int), np.eye(6)[5:]
    found = {}
    for device in ("cpu", "cuda"):
        clf = cls(Recurrent, alpha=0.1, max_epochs=2, random_state=0, device=device)
        if cls is PGDExClassifier:
            clf.set_params(random_start=False)
        found[device] = clf.fit(X, y, mask=mask).predict_proba(X)
        assert np.isfinite(saliency(clf, X[:5])).all()
    np.testing.assert_allclose(found["cuda"], found["cpu"], atol=1e-3)
