"""Several seeds at once equal fits one after the other."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import EpochScoring
from torch import nn
from torch.nn import functional

from skexplain import (
    AvgExClassifier,
    ERMClassifier,
    FindAnotherExplanationClassifier,
    GradRegClassifier,
    GroupDROClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    PGDExRegressor,
    SwapExClassifier,
    TwoStageExplanationClassifier,
    WithTokenizer,
)
from skexplain.exceptions import DivergenceError
from skexplain.model_selection import fit_seeds
from skexplain.penalties._draws import StackedGenerator, draw

SEEDS = (3, 0, 8)
COMMON = {"optimizer": torch.optim.SGD, "lr": 0.05, "max_epochs": 3, "batch_size": 16}


def _data(n_annotated=50, shape=(6,)):
    rng = np.random.default_rng(0)
    y = np.arange(50) % 3
    X = rng.normal(size=(50, *shape)) + y.reshape(-1, *(1,) * len(shape))
    mask = rng.random(X.shape) < 0.5
    return X, y, [row if i < n_annotated else None for i, row in enumerate(mask)]


def _weights(estimator):
    return {name: w.detach().numpy() for name, w in estimator.module_.named_parameters()}


def _assert_as_alone(estimator, X, y, atol=1e-6, **arguments):
    """Compare weights and histories with those of own fits; return both kinds of fits."""
    together = fit_seeds(estimator, X, y, SEEDS, **arguments)
    alone = [clone(estimator).set_params(random_state=s).fit(X, y, **arguments) for s in SEEDS]
    for ours, own, seed in zip(together, alone, SEEDS, strict=True):
        assert ours.random_state == seed
        for name, weight in _weights(own).items():
            np.testing.assert_allclose(_weights(ours)[name], weight, rtol=1e-4, atol=atol)
        assert len(ours.history_) == len(own.history_)
        for row, expected in zip(ours.history_, own.history_, strict=True):
            assert row.keys() == expected.keys()
            losses = [key for key in row if key.startswith("train")]
            np.testing.assert_allclose(
                [row[key] for key in losses], [expected[key] for key in losses], rtol=1e-4
            )
    first = [next(iter(_weights(own).values())).tobytes() for own in together]
    assert len(set(first)) == len(SEEDS)
    return together, alone


class _Mapped(nn.Module):
    """A network of someone's own, whose head reads more than one axis."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.first = nn.Linear(4, 5, bias=False)
        self.head = nn.Linear(15, n_outputs)

    def forward(self, x):
        return self.head(torch.tanh(self.first(x)).flatten(1))


@pytest.mark.parametrize(
    "estimator",
    [
        ERMClassifier(class_weight={0: 1, 1: 2, 2: 3}),
        SwapExClassifier(),
        SwapExClassifier(alpha=0.5, grad_alpha=0.1),
        AvgExClassifier(),
        GradRegClassifier(),
        GradRegClassifier(penalty_every=3),
        PGDExClassifier(grad_alpha=0.1),
        InfluenceRegClassifier(),
        HINTClassifier(attribution="input_gradient"),
        TwoStageExplanationClassifier(),
        TwoStageExplanationClassifier(schedule="joint", penalty_every=2),
    ],
    ids=repr,
)
def test_each_seed_equals_its_own_fit(estimator):
    X, y, mask = _data()
    _assert_as_alone(estimator.set_params(**COMMON), X, y, mask=mask)


@pytest.mark.parametrize("annotated_per_batch", [None, 5])
def test_a_few_annotated_samples(annotated_per_batch):
    X, y, mask = _data(n_annotated=12)
    estimator = SwapExClassifier(alpha=1.0, annotated_per_batch=annotated_per_batch, **COMMON)
    _assert_as_alone(estimator, X, y, mask=mask, sample_weight=1.0 + np.arange(50) % 4)


@pytest.mark.parametrize("exchange", [True, False])
def test_replacing_a_few_samples(exchange):
    X, y, mask = _data(n_annotated=12)
    _assert_as_alone(SwapExClassifier(exchange=exchange, **COMMON), X, y, mask=mask)


def test_annotated_samples_per_batch_that_replace():
    X, y, _ = _data()
    mask = np.arange(6)[None] < 3
    _assert_as_alone(SwapExClassifier(annotated_per_batch=6, **COMMON), X, y, mask=mask)


def test_regression():
    X, y, mask = _data()
    _assert_as_alone(PGDExRegressor(**COMMON | {"lr": 0.01}), X, y.astype(float), mask=mask)


def test_a_network_of_someones_own():
    X, y, mask = _data(shape=(3, 4))
    _assert_as_alone(GradRegClassifier(_Mapped, **COMMON), X, y, mask=mask)


def test_training_goes_on_where_each_seed_is():
    X, y, mask = _data()
    estimator = GradRegClassifier(max_epochs=3, batch_size=16)
    together, alone = _assert_as_alone(estimator, X, y, atol=1e-5, mask=mask)
    before = _weights(together[1])
    for ours, own in zip(together[:1], alone[:1], strict=True):
        ours.partial_fit(X, y, mask=mask)
        own.partial_fit(X, y, mask=mask)
        for name, weight in _weights(own).items():
            np.testing.assert_allclose(_weights(ours)[name], weight, rtol=1e-4, atol=1e-5)
    for name, weight in _weights(together[1]).items():
        np.testing.assert_array_equal(weight, before[name])


def test_divergence_of_one_seed_is_an_error():
    X, y, mask = _data()
    with pytest.raises(DivergenceError, match="not finite in epoch"):
        fit_seeds(ERMClassifier(**COMMON | {"lr": 1e30}), X, y, SEEDS, mask=mask)


class _Shaky(nn.Module):
    def __init__(self, n_outputs=3):
        super().__init__()
        self.head = nn.Linear(6, n_outputs)

    def forward(self, x):
        return functional.dropout(self.head(x), training=self.training)


def _network(*layers):
    return nn.Sequential(nn.Linear(6, 6), *layers, nn.Linear(6, 3))


@pytest.mark.parametrize(
    ("estimator", "message"),
    [
        (ERMClassifier(_network(nn.BatchNorm1d(6))), "module must have no trained layers but"),
        (ERMClassifier(_network(nn.BatchNorm1d(6, affine=False))), "module must treat samples"),
        (ERMClassifier(_network(nn.Dropout())), "module must treat samples one by one"),
        (ERMClassifier(_Shaky), "module must treat samples one by one"),
        (ERMClassifier(optimizer=torch.optim.LBFGS), "optimizer must be one of .* got LBFGS"),
        (ERMClassifier(early_stopping=True), "early_stopping must be False .* got True"),
        (ERMClassifier(lr_schedule="cosine"), "lr_schedule must be 'constant'"),
        (ERMClassifier(callbacks=[EpochScoring("accuracy")]), "callbacks must be None"),
        (GradRegClassifier(alpha="auto"), "alpha must be a number"),
        (GradRegClassifier(penalty_chunk_size=4), "penalty_chunk_size must be None"),
        (AvgExClassifier(n_draws=2), "penalties that several networks can compute .*n_draws=2"),
        (IBPExClassifier(), "penalties that several networks can compute .* CertifiedPenalty"),
        (GroupDROClassifier(), "reduction must be the mean"),
    ],
)
def test_what_cannot_be_trained_at_once(estimator, message):
    X, y, mask = _data()
    with pytest.raises(ValueError, match=message):
        fit_seeds(estimator.set_params(max_epochs=1), X, y, SEEDS, mask=mask)


@pytest.mark.parametrize(
    "estimator",
    [
        PGDExClassifier(alpha="replace"),
        SwapExClassifier(grad_alpha=0.1),
        SwapExClassifier(annotated_per_batch=3),
    ],
)
def test_replacing_some_samples_cannot_be_trained_at_once(estimator):
    X, y, mask = _data(n_annotated=12)
    with pytest.raises(ValueError, match="something irrelevant in all .* got 12 of 50 samples"):
        fit_seeds(estimator, X, y, SEEDS, mask=mask)


def test_tokens_cannot_be_trained_at_once():
    X = np.random.default_rng(0).integers(9, size=(20, 4))
    network = nn.Sequential(nn.Embedding(9, 3), nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(ValueError, match="X must hold numbers for fit_seeds, got tokens"):
        fit_seeds(ERMClassifier(network), X, np.arange(20) % 2, SEEDS)


def test_estimator_and_seeds_are_checked():
    X, y, _ = _data()
    with pytest.raises(TypeError, match="got FindAnotherExplanationClassifier"):
        fit_seeds(FindAnotherExplanationClassifier(), X, y, SEEDS)
    with pytest.raises(ValueError, match="seeds must hold at least one seed, got none"):
        fit_seeds(ERMClassifier(), X, y, [])
    for seeds in (3, None):
        with pytest.raises(TypeError, match="seeds must be a list of seeds"):
            fit_seeds(ERMClassifier(), X, y, seeds)
    with pytest.raises(TypeError, match="estimator must be one of the estimators .* got type"):
        fit_seeds(ERMClassifier, X, y, SEEDS)
    with pytest.raises(TypeError, match="not texts as WithTokenizer does: .* fit clf.est"):
        fit_seeds(WithTokenizer(ERMClassifier()), ["a", "b"], [0, 1], SEEDS)


@pytest.mark.parametrize("mask", [None, [None] * 50], ids=["no mask", "no annotation"])
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
def test_a_swap_without_masks(mask):
    X, y, _ = _data()
    _assert_as_alone(SwapExClassifier(**COMMON), X, y, mask=mask)


class _Centred(nn.Module):
    """A network that mixes the samples of a batch."""

    def __init__(self, n_outputs=3):
        super().__init__()
        self.head = nn.Linear(6, n_outputs)

    def forward(self, x):
        return self.head(x - x.mean(0))


def test_a_network_that_mixes_samples_is_an_error():
    X, y, _ = _data()
    for n_equal in (1, 20):  # the first samples may be alike
        X[:n_equal] = X[0]
        with pytest.raises(ValueError, match="module must treat samples one by one"):
            fit_seeds(ERMClassifier(_Centred), X, y, SEEDS)


class _Zeros(ERMClassifier):
    """An estimator whose fit says more than that of its base."""

    def fit(self, X, y, *, mask=None, sample_weight=None):
        return super().fit(np.zeros_like(X), y, mask=mask, sample_weight=sample_weight)


def test_a_fit_of_a_users_own_is_an_error():
    X, y, _ = _data()
    with pytest.raises(TypeError, match="got _Zeros, which has a fit of its own"):
        fit_seeds(_Zeros(max_epochs=1), X, y, SEEDS)


def test_each_generator_draws_for_its_own_samples():
    stacked = StackedGenerator([torch.Generator().manual_seed(seed) for seed in SEEDS])
    drawn = draw(torch.rand, (6, 2), stacked, torch.zeros(1))
    for seed, part in zip(SEEDS, drawn.split(2), strict=True):
        own = torch.rand((2, 2), generator=torch.Generator().manual_seed(seed))
        assert torch.equal(part, own)
