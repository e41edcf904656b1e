"""Check regressors on linear models against their closed forms, and that the unit of the targets
does not matter.
"""

import numpy as np
import pytest
import torch
from _estimators import Perceptron, make_problem, quick, weights
from skorch.callbacks import EpochScoring, LRScheduler
from torch import nn

from skexplain import (
    AvgExRegressor,
    ERMRegressor,
    GradRegRegressor,
    PGDExRegressor,
    SwapExRegressor,
)

REGRESSORS = [AvgExRegressor, ERMRegressor, GradRegRegressor, PGDExRegressor, SwapExRegressor]
every_regressor = pytest.mark.parametrize("cls", REGRESSORS, ids=lambda cls: cls.__name__)
N_ROWS = 200


def linear(n_columns, bias=False):
    return nn.Linear(n_columns, 1, bias=bias)


def uncorrelated(n_columns, seed=0):
    """Columns of mean zero and variance one, uncorrelated to rounding."""
    X = np.random.default_rng(seed).normal(size=(N_ROWS, n_columns))
    return np.linalg.qr(X - X.mean(0))[0] * N_ROWS**0.5


# Steps on all rows at once that become smaller, so that what is drawn at random averages out.
DECAYING = {
    "module": linear,
    "optimizer": torch.optim.SGD,
    "batch_size": -1,
    "random_state": 0,
    "callbacks": [LRScheduler(policy="StepLR", step_size=150, gamma=0.3)],
}
# Converges to the closed form where nothing is drawn at random.
EXACT = {
    "module": linear,
    "optimizer": torch.optim.LBFGS,
    "lr": 1.0,
    "max_epochs": 10,
    "batch_size": -1,
    "random_state": 0,
}


# -- closed forms ---------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [1.0, 4.0])
def test_avg_ex_solves_proposition_1(alpha):
    """D copies of the target beside one noisy column, which alone is a reason (Heo et al. 2023).

    With r = alpha epsilon^2 / (1 + alpha) and 1 / K the variance of the noise, each copy weighs
    1 / (D + r K + r / var y), and the noisy column r K times that: the proposition with the
    constants of our objective.
    """
    n_copies, K, epsilon = 10, 5, 1.0
    y, noise = uncorrelated(2).T
    X = np.column_stack([np.tile(y, (n_copies, 1)).T, y + noise / K**0.5])
    mask = np.ones((1, n_copies + 1))
    mask[0, -1] = 0
    # The largest curvature is about 2 (1 + alpha) (D + 1).
    lr = 0.04 / (1 + alpha)
    params = {**DECAYING, "module__n_columns": n_copies + 1, "input_unit": "input", "lr": lr}
    reg = AvgExRegressor(alpha=alpha, epsilon=epsilon, n_draws=3, max_epochs=500)
    reg.set_params(**params).fit(X, y, mask=mask)
    r = alpha * epsilon**2 / (1 + alpha)
    copy = 1 / (n_copies + r * K + r / y.var())
    expected = [*[copy] * n_copies, r * K * copy]
    # Measured over three seeds: at most .0013 off.  Without a penalty the last weight is zero.
    np.testing.assert_allclose(reg.module_.weight[0].detach(), expected, atol=0.005)


def test_avg_ex_noise_is_in_units_and_degrees():
    """The ridge penalty of a column is the mean of (a u)^2 over the penalised rows."""
    X, y = uncorrelated(3) * [1.0, 10.0, 0.1], uncorrelated(3, seed=1)[:, 0]
    y = X @ [1.0, 0.1, 10.0] + y
    mask = np.zeros((N_ROWS, 3))
    mask[:100, 1], mask[:100, 2] = 0.5, 1
    reg = AvgExRegressor(alpha=2.0, epsilon=1.5, n_draws=5, lr=0.05, max_epochs=400)
    # Where parts are exchanged, noise is at the samples in which nothing is marked, too.
    reg.set_params(exchange=False, **{**DECAYING, "module": LinearInUnits}).fit(X, y, mask=mask)
    # Rows with a mask take part twice.
    weight = np.where(np.arange(N_ROWS) < 100, 1 / N_ROWS + 2.0 / 100, 1 / N_ROWS)
    expected = ridge(X, y, mask[:100], alpha=2.0, variance=1.5**2, weight=weight)
    ours = reg.module_.weight.detach().numpy() / LinearInUnits.units
    # Measured over three seeds: at most .006 off.
    np.testing.assert_allclose(ours * X.std(0), expected * X.std(0), atol=0.03)


class LinearInUnits(nn.Module):
    """A linear model without intercept whose columns are brought to one scale first."""

    units = np.array([1.0, 10.0, 0.1])

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return (x / torch.from_numpy(self.units).float() @ self.weight)[:, None]


def ridge(X, y, degrees, alpha, variance=1.0, weight=None):
    """Minimise sum_i weight_i (w x_i - y_i)^2 + alpha variance sum_d mean(a_d^2) u_d^2 w_d^2."""
    weight = np.full(len(X), 1 / len(X)) if weight is None else weight
    penalty = alpha * variance * np.square(degrees).mean(0) * X.var(0)
    return np.linalg.solve(X.T @ (weight[:, None] * X) + np.diag(penalty), X.T @ (weight * y))


@pytest.mark.parametrize("input_unit", ["sd", "input"])
def test_grad_reg_is_a_ridge_penalty_on_the_irrelevant_weights(input_unit):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 4)) @ rng.normal(size=(4, 4))
    y = X @ rng.normal(size=4) + rng.normal(size=N_ROWS) + 3
    mask = np.where(rng.random((N_ROWS, 4)) < 0.5, rng.random((N_ROWS, 4)), 0)
    mask[:, 0] = 0.1  # so that every row with a mask is penalised
    mask[80:] = np.nan
    params = {**EXACT, "module__n_columns": 4, "module__bias": True, "input_unit": input_unit}
    reg = GradRegRegressor(alpha=0.6, norm="l2", **params).fit(X, y, mask=mask)
    centred = X - X.mean(0)
    degrees = mask[:80] / (1 if input_unit == "sd" else X.std(0))
    expected = ridge(centred, y - y.mean(), degrees, alpha=0.6)
    without = ridge(centred, y - y.mean(), degrees, alpha=0.0)
    assert abs(expected - without).max() > 0.1
    np.testing.assert_allclose(reg.module_.weight[0].detach(), expected, atol=1e-4)
    np.testing.assert_allclose(reg.module_.bias.item(), y.mean() - X.mean(0) @ expected, atol=1e-4)
    np.testing.assert_allclose(reg.predict(X).mean(), y.mean(), atol=1e-4)


@pytest.mark.parametrize("alpha", [1.0, 3.0])
def test_swap_divides_the_weight_of_an_independent_column(alpha):
    """By 1 + alpha: it explains the target in its own row, and is noise in another."""
    X = uncorrelated(2)
    y = X.sum(1)
    params = {**DECAYING, "module__n_columns": 2}
    reg = SwapExRegressor(alpha=alpha, n_draws=5, lr=0.05, max_epochs=400)
    reg.set_params(**params).fit(X, y, mask=np.array([[0, 1]]))
    # Measured over three seeds: at most .0015 off.
    expected = [1.0, 1 / (1 + alpha)]
    np.testing.assert_allclose(reg.module_.weight[0].detach(), expected, atol=0.02)


def test_pgd_ex_is_the_worst_case_of_a_linear_model():
    """max (w (x + a u d) - y)^2 over |d| <= epsilon is (|w x - y| + epsilon sum |a u w|)^2."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 3)) * [1.0, 2.0, 3.0]
    y = X @ [1.0, -1.0, 0.5] + rng.normal(size=N_ROWS)
    mask = np.where(rng.random((N_ROWS, 3)) < 0.7, rng.random((N_ROWS, 3)), 0)
    mask[:, 1] = 1  # so that every row is penalised
    reg = PGDExRegressor(alpha=0.5, epsilon=0.2, n_steps=4, clip=None, random_start=False)
    params = {"optimizer": torch.optim.SGD, "lr": 0.01, "batch_size": -1, "max_epochs": 50}
    reg.set_params(module=LinearFromZero, **params).fit(X, y, mask=mask)

    inputs, targets = torch.from_numpy(X), torch.from_numpy(y)
    radius = 0.2 * torch.from_numpy(mask * X.std(0))
    weight = torch.full((3,), 0.1, dtype=torch.float64, requires_grad=True)
    for _ in range(50):
        error = inputs @ weight - targets
        worst = error.abs() + radius @ weight.abs()
        loss = error.square().mean() + 0.5 * worst.square().mean()
        (gradient,) = torch.autograd.grad(loss, weight)
        weight = (weight - 0.01 * gradient).detach().requires_grad_()
    torch.testing.assert_close(weights(reg), weight.detach(), atol=1e-4, rtol=1e-4)
    assert reg.history_[-1]["train_worst_case"] == pytest.approx(
        worst.square().mean().item(), rel=1e-4
    )


class LinearFromZero(nn.Module):
    """A linear model without intercept that starts from equal weights."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), 0.1))

    def forward(self, x):
        return (x @ self.weight)[:, None]


# -- targets --------------------------------------------------------------------------------------


def make_targets():
    """A sum of two columns, the second of which is irrelevant."""
    n_rows = 200
    X, _, mask = make_problem(n_rows)
    return X, X[:, 0] + X[:, 3], mask


@every_regressor
def test_the_built_in_network_learns_in_the_unit_of_the_targets(cls):
    X, y, mask = make_targets()
    params = {"lr": 2e-2, "max_epochs": 20, "batch_size": 32, "random_state": 0}
    plain = quick(cls, **params).fit(X, y, mask=mask).score(X, y)
    assert plain > 0.7
    for scale, shift in ((1e-3, 0.0), (1e5, 1e7)):
        targets = scale * y + shift
        scaled = quick(cls, **params).fit(X, targets, mask=mask)
        # Equal but for rounding and Adam's epsilon.
        assert scaled.score(X, targets) == pytest.approx(plain, abs=0.05)


@every_regressor
def test_the_unit_of_the_targets_is_that_of_the_first_fit(cls):
    X, y, mask = make_targets()
    reg = quick(cls, warm_start=True, max_epochs=2, random_state=0).fit(X, 5 * y + 7, mask=mask)
    reg.fit(X, y, mask=mask).partial_fit(X, y, mask=mask)
    rescale = reg.module_.head[1]
    assert rescale.mean.item() == pytest.approx((5 * y + 7).mean(), rel=1e-6)
    assert rescale.sd.item() == pytest.approx(5 * y.std(), rel=1e-6)


def test_targets_that_do_not_vary():
    X, _, mask = make_targets()
    reg = SwapExRegressor(max_epochs=20, lr=1e-2, random_state=0).fit(X, np.full(200, 7), mask=mask)
    np.testing.assert_allclose(reg.predict(X), 7, atol=0.3)


def test_predictions_are_one_number_per_row():
    X, y, mask = make_targets()
    reg = quick(SwapExRegressor, random_state=0).fit(X, y, mask=mask)
    predicted = reg.predict(X)
    assert predicted.shape == (200,)
    assert predicted.dtype == np.float64
    r2 = 1 - np.square(y - predicted).mean() / y.var()
    assert reg.score(X, y) == pytest.approx(r2, abs=1e-6)


def test_scores_of_epochs():
    """skorch scores the predictions of the steps, which here change nothing."""
    X, y, mask = make_targets()
    scoring = EpochScoring("r2", name="r2", on_train=True, lower_is_better=False)
    reg = quick(SwapExRegressor, random_state=0, callbacks=[scoring], lr=1e-30)
    reg.fit(X, y, mask=mask)
    assert reg.history_[-1]["r2"] == pytest.approx(reg.score(X, y), abs=1e-5)


@every_regressor
def test_early_stopping(cls):
    X, y, mask = make_targets()
    y = y + np.random.default_rng(0).normal(size=200)
    params = {"early_stopping": True, "max_epochs": 200, "lr": 3e-2, "n_iter_no_change": 3}
    reg = quick(cls, **params, random_state=0).fit(X, y, mask=mask)
    assert reg.n_iter_ < 200
    assert reg.history_[-1]["valid_loss"] > min(reg.history_[:, "valid_loss"])


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (np.full(60, 1e39), r"y must hold values that fit into float32 .* got 1e\+39"),
        (np.full(60, -1e300), r"y must hold values that fit into float32 .* got 1e\+300"),
        (np.full(60, np.nan), "Input y contains NaN"),
        (np.full(60, "high"), "y must hold numbers: could not convert string to float"),
        (np.zeros((60, 2)), r"y must hold one label per sample, got shape \(60, 2\).*MultiOutput"),
        (np.zeros(59), r"inconsistent numbers of samples: \[60, 59\]"),
    ],
    ids=["large", "overflow", "nan", "text", "two targets", "rows"],
)
def test_wrong_targets(y, match):
    X, _, mask = make_problem()
    with pytest.raises(ValueError, match=match):
        quick(SwapExRegressor).fit(X, y, mask=mask)


@every_regressor
def test_module_of_wrong_outputs(cls):
    X, _, mask = make_problem()
    match = r"module must return outputs of shape \(n_samples, 1\).* got \(2, 2\)"
    with pytest.raises(ValueError, match=match):
        quick(cls, module=nn.Linear(X.shape[1], 2)).fit(X, X[:, 0], mask=mask)
    quick(cls, module=Perceptron).fit(X, X[:, 0], mask=mask)
