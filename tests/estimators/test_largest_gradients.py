"""Check the masks of a classifier's largest gradients against gradients by hand."""

import copy
import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError
from torch import nn

from skexplain import ERMClassifier, ERMRegressor
from skexplain.inspection import largest_gradient_mask

N_ROWS, N_COLUMNS, N_CLASSES = 40, 5, 3


def problem(shape=(N_ROWS, N_COLUMNS), n_classes=N_CLASSES):
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape) * rng.uniform(0.2, 3, size=(1, *shape[1:]))
    return X, np.arange(len(X)) % n_classes


class Linear(nn.Module):
    """Logits linear in the flattened row; the weights are made large so that rows differ."""

    def __init__(self, n_inputs=N_COLUMNS, n_classes=N_CLASSES, scale=3.0):
        super().__init__()
        self.linear = nn.Linear(n_inputs, n_classes)
        with torch.no_grad():
            self.linear.weight.mul_(scale)

    def forward(self, x):
        return self.linear(x.flatten(1))


def fitted(X, y, module=Linear, **params):
    return ERMClassifier(module, **{"max_epochs": 1, "random_state": 0, **params}).fit(X, y)


@functools.cache
def fitted_once():
    return fitted(*problem())


def by_hand(clf, X, output, cutoff, unit):
    """Gradients of a linear model in closed form, in double precision."""
    weight, bias = (p.detach().double().numpy() for p in clf.module_.linear.parameters())
    logits = X.astype(np.float32).reshape(len(X), -1) @ weight.T + bias
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    winner = p.argmax(axis=1)
    gradient = {
        "prob_max": p.max(axis=1)[:, None] * (weight[winner] - p @ weight),
        "log_prob_max": weight[winner] - p @ weight,
        "log_prob_sum": weight.sum(axis=0) - len(weight) * p @ weight,
        "logit_sum": np.tile(weight.sum(axis=0), (len(X), 1)),
    }[output]
    size = np.abs(gradient.reshape(X.shape) * unit)
    largest = size.reshape(len(X), -1).max(axis=1).reshape(-1, *(1,) * (X.ndim - 1))
    return size > cutoff * largest


@pytest.mark.parametrize("cutoff", [0.0, 0.3, 0.67, 0.95])
@pytest.mark.parametrize("output", ["prob_max", "log_prob_max", "log_prob_sum", "logit_sum"])
@pytest.mark.parametrize("input_unit", ["sd", "input"])
def test_linear_model(input_unit, output, cutoff):
    X, y = problem()
    clf = fitted(X, y, input_unit=input_unit)
    unit = X.std(axis=0) if input_unit == "sd" else 1.0
    expected = by_hand(clf, X, output, cutoff, unit)
    mask = largest_gradient_mask(clf, X, cutoff=cutoff, output=output)
    assert mask.dtype == bool
    np.testing.assert_array_equal(mask, expected)


def test_defaults_and_units_make_a_difference():
    """Without which the equalities above would say little."""
    X, y = problem()
    clf = fitted(X, y)
    mask = largest_gradient_mask(clf, X)
    np.testing.assert_array_equal(mask, by_hand(clf, X, "prob_max", 0.67, X.std(axis=0)))
    in_input_units = largest_gradient_mask(clf.set_params(input_unit="input"), X)
    assert (mask != in_input_units).mean() > 0.1
    assert (mask != largest_gradient_mask(clf, X, output="log_prob_sum")).any()
    assert len(np.unique(mask, axis=0)) == 3  # rows differ


def test_largest_probability_of_a_nonlinear_model():
    """The direct gradient of max_k p_k, in double precision, gives the same mask."""
    X, y = problem((60, N_COLUMNS))
    clf = fitted(X, y, "auto", max_epochs=30, lr=1e-2)
    x = torch.tensor(X, requires_grad=True)
    probabilities = copy.deepcopy(clf.module_).double()(x).softmax(1)
    (gradient,) = torch.autograd.grad(probabilities.amax(1).sum(), x)
    size = np.abs(gradient.numpy() * X.std(axis=0))
    share = size / size.max(axis=1, keepdims=True)
    near = np.abs(share - 0.67) < 1e-3  # where rounding may decide
    assert near.mean() < 0.05
    mask = largest_gradient_mask(clf, X)
    np.testing.assert_array_equal(mask[~near], (share > 0.67)[~near])


@pytest.mark.parametrize("scale", [1.0, 30.0, 1000.0])
def test_a_model_that_is_sure_still_has_reasons(scale):
    """Its largest probability rounds to one; two classes have the direction w_1 - w_0 anywhere."""
    X, y = problem(n_classes=2)
    clf = fitted(X, y, module__n_classes=2, module__scale=scale)
    difference = np.diff(clf.module_.linear.weight.detach().double().numpy(), axis=0)
    size = np.abs(difference * X.std(axis=0))
    mask = largest_gradient_mask(clf, X)
    np.testing.assert_array_equal(mask, np.tile(size > 0.67 * size.max(), (N_ROWS, 1)))


# -- images ---------------------------------------------------------------------------------------


def test_a_pixel_counts_where_any_channel_does():
    X, y = problem((N_ROWS, 3, 2, 4))
    clf = fitted(X, y, module__n_inputs=24)
    unit = X.std(axis=(0, 2, 3), keepdims=True)
    expected = by_hand(clf, X, "prob_max", 0.67, unit).any(axis=1, keepdims=True)
    mask = largest_gradient_mask(clf, X)
    assert mask.shape == (N_ROWS, 1, 2, 4)
    np.testing.assert_array_equal(mask, expected)


def test_images_without_channels():
    X, y = problem((N_ROWS, 3, 4))
    clf = fitted(X, y, module__n_inputs=12)
    np.testing.assert_array_equal(
        largest_gradient_mask(clf, X), by_hand(clf, X, "prob_max", 0.67, X.std())
    )


# -- rows and batches -----------------------------------------------------------------------------


@given(seed=st.integers(0, 100), cutoffs=st.tuples(*[st.floats(0, 0.999)] * 2))
@settings(max_examples=30)
def test_a_higher_cutoff_marks_less_and_never_nothing(seed, cutoffs):
    X = np.random.default_rng(seed).normal(size=(7, N_COLUMNS))
    clf = fitted_once()
    low, high = (largest_gradient_mask(clf, X, cutoff=cutoff) for cutoff in sorted(cutoffs))
    assert (low >= high).all()
    assert high.any(axis=1).all()


class Gate(nn.Module):
    """Logits that react to the input only where its first column is positive."""

    def __init__(self, batches=None):
        super().__init__()
        self.linear = nn.Linear(N_COLUMNS, N_CLASSES)
        self.batches = [] if batches is None else batches

    def forward(self, x):
        self.batches.append(len(x))
        return self.linear(x * (x[:, :1] > 0))


def test_nothing_is_marked_where_the_gradient_is_zero():
    X, y = problem()
    mask = largest_gradient_mask(fitted(X, y, Gate), X)
    np.testing.assert_array_equal(mask.any(axis=1), X[:, 0] > 0)


def test_nothing_is_marked_where_the_input_is_not_read():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(N_CLASSES))

        def forward(self, x):
            return self.bias.expand(len(x), -1)

    X, y = problem()
    assert not largest_gradient_mask(fitted(X, y, Constant), X).any()


def test_rows_go_in_batches_and_do_not_couple():
    X, y = problem((600, N_COLUMNS))
    batches = []
    clf = fitted(X, y, Gate(batches), batch_size=16)
    clf.module_.batches.clear()
    mask = largest_gradient_mask(clf, X)
    # Two samples show first that a gradient reaches X.
    assert clf.module_.batches == [2, 256, 256, 88]
    rows = [largest_gradient_mask(clf, X[i : i + 1]) for i in range(0, 600, 60)]
    np.testing.assert_array_equal(mask[::60], np.concatenate(rows))


def test_the_module_is_in_evaluation_mode_whatever_the_caller_does():
    def build():
        return nn.Sequential(nn.Dropout(0.5), Linear(), nn.BatchNorm1d(N_CLASSES))

    X, y = problem()
    clf = fitted(X, y, build)
    expected = largest_gradient_mask(clf, X)
    before = copy.deepcopy(clf.module_.state_dict())
    clf.module_.train()
    with torch.no_grad():
        np.testing.assert_array_equal(largest_gradient_mask(clf, X), expected)
    assert not clf.module_.training
    assert all(torch.equal(value, before[key]) for key, value in clf.module_.state_dict().items())


def test_any_numeric_dtype_and_read_only_rows():
    X = np.random.default_rng(0).integers(0, 255, size=(N_ROWS, N_COLUMNS), dtype=np.uint8)
    clf = fitted(X, np.arange(N_ROWS) % N_CLASSES, module__scale=0.01)
    expected = largest_gradient_mask(clf, X)
    for dtype in (np.float32, np.float64, np.uint16, ">i4"):
        rows = X.astype(dtype)
        rows.setflags(write=False)
        np.testing.assert_array_equal(largest_gradient_mask(clf, rows), expected)


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("cutoff", [-0.1, 1, 1.5, np.nan, "0.67", None])
def test_bad_cutoff(cutoff):
    X, y = problem()
    with pytest.raises(ValueError, match="cutoff must be at least 0 and below 1, got"):
        largest_gradient_mask(fitted(X, y), X, cutoff=cutoff)


@pytest.mark.parametrize("output", ["log_prob_true", "prob_sum", "prob", None])
def test_bad_output(output):
    X, y = problem()
    with pytest.raises(ValueError, match=r"output must be one of \['prob_max', .*got"):
        largest_gradient_mask(fitted(X, y), X, output=output)


def test_bad_estimator_and_rows():
    X, y = problem()
    match = r"estimator must be a classifier of this package, got ERMRegressor\(\)"
    with pytest.raises(TypeError, match=match):
        largest_gradient_mask(ERMRegressor(), X)
    with pytest.raises(NotFittedError, match="ERMClassifier instance is not fitted yet"):
        largest_gradient_mask(ERMClassifier(), X)
    with pytest.raises(ValueError, match="X has 4 features, but ERMClassifier is expecting 5"):
        largest_gradient_mask(fitted(X, y), X[:, :4])
