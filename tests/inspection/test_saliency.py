"""Check saliency maps against closed forms, values by hand and other implementations."""

import copy
import functools
import itertools
import sys

import numpy as np
import pytest
import torch
from _linear import fixed_linear
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skexplain import (
    ERMClassifier,
    ERMRegressor,
    FindAnotherExplanationClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.inspection import fgsm, largest_gradient_mask, saliency

LABELS = np.array(["bird", "cat", "dog"])
SHAPES = [(4,), (2, 3), (3, 2, 4)]
METHODS = ["input_gradient", "smooth_grad", "integrated_gradients", "occlusion", "lime", "grad_cam"]
# Few samples, where their number does not matter.
QUICK = {
    "integrated_gradients": {"n_steps": 5},
    "smooth_grad": {"n_samples": 3},
    "lime": {"n_samples": 20},
}


def problem(row_shape, n_rows=12, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(1, 1, size=(n_rows, *row_shape)) * rng.uniform(0.2, 3, size=(1, *row_shape))
    weight = 0.5 * rng.normal(size=(3, int(np.prod(row_shape))))
    return X, LABELS[np.arange(n_rows) % 3], weight


def units(X):
    axes = {2: (0,), 3: (0, 1, 2), 4: (0, 2, 3)}[X.ndim]
    return X.std(axes, keepdims=True), X.mean(axes, keepdims=True)


def gradients_by_hand(weight, X, k, output):
    """Of a linear softmax model, each row for its class k."""
    logits = X.reshape(len(X), -1) @ weight.T
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    excess = weight[k] - p @ weight
    own = p[np.arange(len(X)), k][:, None]
    gradient = {
        "log_odds": excess / (1 - own),
        "prob": own * excess,
        "log_prob": excess,
        "logit": weight[k],
        "log_prob_sum": weight.sum(axis=0) - len(weight) * p @ weight,
        "logit_sum": np.tile(weight.sum(axis=0), (len(X), 1)),
    }[output]
    return gradient.reshape(X.shape)


# -- linear models --------------------------------------------------------------------------------


@pytest.mark.parametrize("row_shape", SHAPES)
@pytest.mark.parametrize("output", ["log_odds", "prob", "log_prob", "logit"])
def test_input_gradient(output, row_shape):
    X, y, weight = problem(row_shape)
    clf = fixed_linear(weight, X, y)
    unit, _ = units(X)
    true = np.searchsorted(LABELS, y)
    winner = np.searchsorted(LABELS, clf.predict(X))
    assert 0 < np.mean(winner == true) < 1
    for target, k in {"cat": np.ones(len(X), dtype=int), None: winner}.items():
        maps = saliency(clf, X, target=target, output=output)
        expected = unit * gradients_by_hand(weight, X, k, output)
        np.testing.assert_allclose(maps, expected, rtol=2e-4, atol=1e-6)
    clf.set_params(input_unit="input")
    maps = saliency(clf, X, target=y, output=output)
    expected = gradients_by_hand(weight, X, true, output)
    np.testing.assert_allclose(maps, expected, rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize("output", ["log_prob_sum", "logit_sum"])
def test_input_gradient_of_all_classes(output):
    X, y, weight = problem((4,))
    maps = saliency(fixed_linear(weight, X, y), X, output=output)
    expected = X.std(axis=0) * gradients_by_hand(weight, X, 0, output)
    np.testing.assert_allclose(maps, expected, rtol=2e-4, atol=1e-6)


def test_defaults():
    X, y, weight = problem((4,))
    clf = fixed_linear(weight, X, y)
    maps = saliency(clf, X)
    assert (maps.dtype, maps.shape) == (np.float32, X.shape)
    expected = saliency(clf, X, method="input_gradient", target=clf.predict(X), output="log_odds")
    np.testing.assert_array_equal(maps, expected)


def test_the_largest_gradients_are_those_of_largest_gradient_mask():
    X, y, weight = problem((4,), n_rows=60)
    clf = fixed_linear(weight, X, y)
    size = np.abs(saliency(clf, X))
    expected = largest_gradient_mask(clf, X)
    np.testing.assert_array_equal(size > 0.67 * size.max(axis=1, keepdims=True), expected)


@pytest.mark.parametrize("row_shape", SHAPES)
def test_smooth_grad(row_shape):
    """Noise does not change the gradient of a linear score."""
    X, y, weight = problem(row_shape)
    unit, _ = units(X)
    maps = saliency(
        fixed_linear(weight, X, y),
        X,
        method="smooth_grad",
        target="dog",
        output="logit",
        n_samples=3,
        noise=2.0,
    )
    np.testing.assert_allclose(
        maps, np.tile(unit * weight[2].reshape(row_shape), (12, *(1,) * len(row_shape))), rtol=1e-5
    )


@pytest.mark.parametrize("row_shape", SHAPES)
def test_integrated_gradients(row_shape):
    """Of a linear score they are w (x - b), for any number of steps."""
    X, y, weight = problem(row_shape)
    clf = fixed_linear(weight, X, y)
    new = 1 + X[::-1] ** 2  # of another mean
    _, mean = units(X)
    array = np.random.default_rng(1).normal(size=row_shape)
    for baseline, start in {"mean": mean, "two": 2.0, "array": array}.items():
        maps = saliency(
            clf,
            new,
            method="integrated_gradients",
            target="bird",
            output="logit",
            baseline={"two": 2, "array": array}.get(baseline, baseline),
            n_steps=3,
        )
        expected = weight[0].reshape(row_shape) * (new - start)
        np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)


def test_occlusion_of_columns():
    X, y, weight = problem((4,))
    clf = fixed_linear(weight, X, y)
    maps = saliency(clf, X, method="occlusion", target="bird", output="logit")
    np.testing.assert_allclose(maps, weight[0] * (X - X.mean(axis=0)), rtol=1e-4, atol=1e-5)


def patches(row_shape, size, stride):
    """Slices of the patches of a row: all channels, cut at the border."""
    starts = [
        range(0, max(1, stride * (-(-(length - size) // stride) + 1)), stride)
        for length in row_shape[-2:]
    ]
    for top, left in itertools.product(*starts):
        yield (..., slice(top, top + size), slice(left, left + size))


@pytest.mark.parametrize("row_shape", [(5, 7), (3, 5, 7)])
@pytest.mark.parametrize("stride", [None, 1, 2])
def test_occlusion_of_patches(row_shape, stride):
    """A feature has the mean over its patches of w (x - b), summed over the patch."""
    X, y, weight = problem(row_shape)
    clf = fixed_linear(weight, X, y)
    maps = saliency(
        clf, X, method="occlusion", target="dog", output="logit", patch_size=3, stride=stride
    )
    fall = weight[2].reshape(row_shape) * (X - units(X)[1])
    total, count = np.zeros(X.shape), np.zeros(row_shape)
    for patch in patches(row_shape, 3, stride or 3):
        count[patch] += 1
        total[patch] += fall[patch].reshape(len(X), -1).sum(1).reshape(-1, *(1,) * len(row_shape))
    assert count.min() == 1
    np.testing.assert_allclose(maps, total / count, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("row_shape", [(6,), (4, 6), (3, 4, 6)])
def test_lime(row_shape):
    """Of a linear score the coefficients are its differences, less what the ridge takes."""
    X, y, weight = problem(row_shape, n_rows=3)
    clf = fixed_linear(weight, X, y)
    size = {} if len(row_shape) == 1 else {"patch_size": 2}
    maps = saliency(
        clf, X, method="lime", target="dog", output="logit", n_samples=400, random_state=0, **size
    )
    fall = weight[2].reshape(row_shape) * (X - units(X)[1])
    if size:
        for patch in patches(row_shape, 2, 2):
            axes = tuple(range(1, X.ndim))
            fall[patch] = fall[patch].sum(axis=axes, keepdims=True)
    # Measured: the slope over all features between 0.97 and 0.98, correlation above 0.9999.
    assert np.corrcoef(maps.ravel(), fall.ravel())[0, 1] > 0.995
    assert 0.9 < (maps * fall).sum() / (fall**2).sum() < 1


def test_lime_fits_a_ridge_with_the_weights_of_the_kernel():
    """The limit of many samples, from all 16 patterns, for a score that is far from linear."""
    X, y, weight = problem((4,), n_rows=6)
    clf = fixed_linear(2 * weight, X, y)
    row, start = X[3:4], X.mean(axis=0)
    n_samples = 1500
    maps = saliency(
        clf, row, method="lime", target="bird", output="prob", n_samples=n_samples, random_state=0
    )
    present = np.array(list(itertools.product([0, 1], repeat=4)))
    values = clf.predict_proba(np.where(present, row, start))[:, 0]
    distance = 1 - np.sqrt(present.mean(axis=1))
    kernel = np.exp(-((distance / 0.25) ** 2) / 2) * n_samples / len(present)
    expected = Ridge(alpha=1.0).fit(present, values, sample_weight=kernel).coef_
    # Measured: 0.005 to 0.015 apart, over six seeds; without the kernel 0.07.
    np.testing.assert_allclose(maps[0], expected, atol=0.03)


def test_lime_of_a_text_looks_at_its_own_words():
    rng = np.random.default_rng(0)
    X = (rng.random((30, 300)) < 0.02) * rng.uniform(0.5, 1, size=(30, 300))
    weight = rng.normal(size=(2, 300))
    clf = fixed_linear(weight, X, np.arange(30) % 2, input_unit="input")
    maps = saliency(clf, X[:3], method="lime", target=1, output="logit", baseline=0, n_samples=100)
    np.testing.assert_array_equal(maps[X[:3] == 0], 0)
    expected = weight[1] * X[:3]
    # Measured: correlation 0.999.
    assert np.corrcoef(maps[X[:3] > 0], expected[X[:3] > 0])[0, 1] > 0.98
    nothing = np.zeros((1, 300))
    np.testing.assert_array_equal(saliency(clf, nothing, method="lime", baseline=0), nothing)


def test_patches_are_an_eighth_of_the_shorter_side():
    X, y, weight = problem((16, 24))
    clf = fixed_linear(weight, X, y)
    for method in ("occlusion", "lime"):
        few = {"n_samples": 5} if method == "lime" else {}
        first, second = (
            saliency(clf, X[:1], method=method, random_state=0, **few, **size)
            for size in ({}, {"patch_size": 2})
        )
        np.testing.assert_array_equal(first, second)
        whole = saliency(clf, X[:1], method=method, patch_size=99, **few)
        assert len(np.unique(whole[0, :16, :16])) == 1


# -- other models ---------------------------------------------------------------------------------


class Cubic(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        cubes = x**3 + 0 * self.shift
        return torch.stack([cubes[:, 0], cubes[:, 1]], 1)


def test_noise_of_smooth_grad_is_in_input_units():
    """E d(x + s u e)^3 = 3 (x^2 + s^2 u^2); the gradient is per unit, too."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 2)) * [1.0, 10.0]
    clf = ERMClassifier(Cubic, max_epochs=1).fit(X, np.arange(20) % 2)
    unit = X.std(axis=0)
    maps = saliency(
        clf,
        X,
        method="smooth_grad",
        target=1,
        output="logit",
        n_samples=1500,
        noise=1.5,
        random_state=0,
    )
    expected = 3 * unit * (X**2 + (1.5 * unit) ** 2)
    # Measured: within 0.05; without the noise or in other units several times off.
    np.testing.assert_allclose(maps[:, 1], expected[:, 1], rtol=0.15)
    np.testing.assert_array_equal(maps[:, 0], 0)


class OneConvolution(nn.Module):
    """Two 1x1 filters, x and 1 - 2 x; outputs weigh their pixels."""

    def __init__(self, head):
        super().__init__()
        self.convolution = nn.Conv2d(1, 2, 1)
        self.register_buffer("head", torch.tensor(head, dtype=torch.float32))
        self.frozen = [[1.0], [-2.0]], [0.0, 1.0]

    def forward(self, x):
        weight, bias = map(torch.tensor, self.frozen)
        with torch.no_grad():
            self.convolution.weight.copy_(weight.reshape(2, 1, 1, 1))
            self.convolution.bias.copy_(bias)
        return self.convolution(x[:, None]).flatten(1) @ self.head.T


def test_grad_cam_by_hand():
    """Channel weights are the mean of the head's, 0.5 and -1: 0.5 x - (1 - 2 x) = 2.5 x - 1."""
    X = np.random.default_rng(0).uniform(size=(8, 2, 2))
    of_class = [1.0, 0, 0, 1, -4, 0, 0, 0]
    clf = ERMClassifier(lambda: OneConvolution([of_class, [0.0] * 8]), max_epochs=1)
    clf.fit(X, np.arange(8) % 2)
    maps = saliency(clf, X, method="grad_cam", target=0, output="logit")
    expected = np.maximum(2.5 * X - 1, 0)
    assert 0.2 < np.mean(expected > 0) < 0.8
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-6)
    # The log odds of two classes are the difference of their logits.
    np.testing.assert_allclose(saliency(clf, X, method="grad_cam", target=0), maps, atol=1e-6)
    against = np.maximum(1 - 2.5 * X, 0)
    np.testing.assert_allclose(saliency(clf, X, method="grad_cam", target=1), against, atol=1e-6)
    predicted = clf.predict(X)
    assert 0 < np.mean(predicted) < 1
    expected = np.where(predicted[:, None, None], against, maps)
    np.testing.assert_allclose(saliency(clf, X, method="grad_cam"), expected, atol=1e-6)


@functools.cache
def trained(kind):
    """Estimators with our layers inside: standardisation, rescaling, mapping, channels."""
    rng = np.random.default_rng(0)
    shape = {"images": (16, 16), "channels": (2, 12, 16)}.get(kind.split()[-1], (5,))
    X = 100 + 20 * rng.normal(size=(40, *shape))
    y = np.arange(40) % 3
    X[:, 0] += 20 * y.reshape(-1, *(1,) * (len(shape) - 1))
    common = {"max_epochs": 5, "lr": 1e-2, "random_state": 0}
    if kind.startswith("regressor"):
        return ERMRegressor(**common).fit(X, 50.0 * y), X
    if kind.startswith("two stages"):
        clf = TwoStageExplanationClassifier(mask_marks="relevant", **common)
        mask = np.zeros((1, *shape), dtype=bool)
        mask[:, 0] = True
        return clf.fit(X, y, mask=mask), X
    return ERMClassifier(**common).fit(X, y), X


KINDS = [
    "table",
    "images",
    "channels",
    "regressor of a table",
    "regressor of images",
    "two stages",
    "two stages of images",
]


def exact_score(estimator, k):
    """Log odds of a class, or the prediction, in double precision."""
    module = copy.deepcopy(estimator.module_).double()

    def score(X):
        with torch.no_grad():
            outputs = module(torch.tensor(X))
        if isinstance(estimator, ERMRegressor):
            return outputs[:, 0].numpy()
        others = [j for j in range(outputs.shape[1]) if j != k]
        return (outputs[:, k] - outputs[:, others].logsumexp(1)).numpy()

    return score


@pytest.mark.parametrize("kind", KINDS)
def test_our_layers(kind):
    estimator, X = trained(kind)
    X = X[:4]
    target = {} if isinstance(estimator, ERMRegressor) else {"target": 2}
    score = exact_score(estimator, 2)
    rng = np.random.default_rng(0)
    sd, mean = (getattr(estimator.input_statistics_, name) for name in ("sd", "mean"))
    # The gradient in a few directions, by central differences.
    maps = saliency(estimator, X, **target).astype(np.float64)
    for _ in range(5):
        direction = rng.normal(size=X.shape)
        step = 1e-6 * sd * direction
        slope = (score(X + step) - score(X - step)) / 2e-6
        along = (maps * direction).reshape(len(X), -1).sum(axis=1)
        size = np.linalg.norm(maps.reshape(len(X), -1), axis=1)
        np.testing.assert_array_less(np.abs(along - slope), 1e-3 * size)
    # Completeness.  Measured: within 1 % of the change with 50 steps.
    maps = saliency(estimator, X, method="integrated_gradients", **target)
    change = score(X) - score(np.broadcast_to(mean, X.shape))
    total = maps.reshape(len(X), -1).sum(axis=1)
    np.testing.assert_allclose(total, change, atol=0.02 * np.abs(change).max())
    # A patch over everything, and over a column or a corner.
    if X.ndim == 2:
        moved = X.copy()
        moved[:, 1] = mean[0, 1]
        patch = {}
    else:
        moved = np.where(np.arange(X.shape[-1]) < 6, mean, X)
        moved[..., 6:, :] = X[..., 6:, :]
        patch = {"patch_size": 6}
    maps = saliency(estimator, X, method="occlusion", **target, **patch)
    at = (slice(None), 1) if X.ndim == 2 else (slice(None), *(0,) * (X.ndim - 1))
    fall = score(X) - score(moved)
    np.testing.assert_allclose(maps[at], fall, atol=1e-3 * np.abs(score(X)).max())


@pytest.mark.parametrize("kind", ["images", "channels", "two stages of images"])
def test_grad_cam_equals_that_of_captum(kind):
    from captum.attr import LayerAttribution, LayerGradCam

    estimator, X = trained(kind)
    size = X.shape[-2:]
    layer = [m for m in estimator.module_.modules() if isinstance(m, nn.Conv2d)][-1]
    x = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    heat = LayerGradCam(estimator.module_, layer).attribute(x, target=1, relu_attributions=True)
    expected = LayerAttribution.interpolate(heat, size, "bilinear").detach().numpy()
    maps = saliency(estimator, X, method="grad_cam", target=1, output="logit")
    assert maps.shape == (len(X), *(1,) * (X.ndim - 3), *size)
    assert maps.max() > 0
    np.testing.assert_allclose(maps.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)


def test_grad_cam_of_a_chosen_layer():
    estimator, X = trained("images")
    first, last = (
        saliency(estimator, X, method="grad_cam", layer=name)
        for name in ("features.2", "features.5")
    )
    np.testing.assert_array_equal(last, saliency(estimator, X, method="grad_cam"))
    assert (first != last).any()
    with pytest.raises(ValueError, match=r"layer must name a submodule, .*got 'nowhere'"):
        saliency(estimator, X, method="grad_cam", layer="nowhere")


class Constant(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return self.bias.expand(len(x), -1)


@pytest.mark.parametrize("method", METHODS[:-1])
def test_a_network_that_does_not_read_its_inputs_looks_at_nothing(method):
    X, y, _ = problem((4,))
    clf = ERMClassifier(Constant, max_epochs=1).fit(X, y)
    maps = saliency(clf, X, method=method, **QUICK.get(method, {}))
    np.testing.assert_allclose(maps, 0, atol=1e-6)


# -- rows, batches and the world outside ----------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
def test_rows_do_not_couple(method):
    estimator, X = trained("images")
    kwargs = {"method": method, "random_state": 3, **QUICK.get(method, {})}
    y = np.arange(6) % 3
    maps = saliency(estimator, X[:6], target=y, **kwargs)
    np.testing.assert_array_equal(saliency(estimator, X[:6], target=y, **kwargs), maps)
    for i in (1, 5):
        alone = saliency(estimator, X[i : i + 1], target=int(y[i]), **kwargs)
        np.testing.assert_allclose(alone[0], maps[i], rtol=1e-4, atol=1e-5 * np.abs(maps).max())


def test_targets_stay_with_their_rows_over_batches():
    X, y, weight = problem((4,), n_rows=600)
    clf = fixed_linear(weight, X, y)
    y = y[np.random.default_rng(0).permutation(600)]
    expected = weight[np.searchsorted(LABELS, y)]
    maps = saliency(clf, X, target=list(y), output="logit")
    np.testing.assert_allclose(maps, X.std(axis=0) * expected, rtol=1e-5)
    maps = saliency(clf, X, method="integrated_gradients", target=y, output="logit", baseline=0)
    np.testing.assert_allclose(maps, X * expected, rtol=1e-4, atol=1e-5)
    maps = saliency(clf, X, method="occlusion", target=y, output="logit", baseline=0)
    np.testing.assert_allclose(maps, X * expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", ["smooth_grad", "lime"])
def test_seeds(method):
    estimator, X = trained("table")
    kwargs = {"method": method, **QUICK[method]}
    first = saliency(estimator, X[:2], random_state=0, **kwargs)
    state = np.random.RandomState(0)
    for seed in (1, None, state, state):
        other = saliency(estimator, X[:2], random_state=seed, **kwargs)
        assert (other != first).any()
        first = other


@pytest.mark.parametrize("method", METHODS)
def test_nothing_outside_changes(method):
    estimator, X = trained("images")
    module = estimator.module_
    frozen = next(module.parameters())
    frozen.requires_grad_(False)
    try:
        module.train()
        before = copy.deepcopy(module.state_dict())
        grads = [parameter.requires_grad for parameter in module.parameters()]
        torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
        kwargs = {"method": method, "random_state": 0, **QUICK.get(method, {})}
        rows = X[:2].copy()
        with torch.no_grad():
            maps = saliency(estimator, rows, **kwargs)
        np.testing.assert_array_equal(rows, X[:2])
        np.testing.assert_array_equal(maps, saliency(estimator, X[:2], **kwargs))
        assert torch.equal(torch.get_rng_state(), torch_state)
        assert np.array_equal(np.random.get_state()[1], numpy_state[1])  # noqa: NPY002
        assert not module.training
        assert [parameter.requires_grad for parameter in module.parameters()] == grads
        assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())
        assert not any(hook for m in module.modules() for hook in m._forward_hooks)
    finally:
        frozen.requires_grad_(True)


def test_gradients_of_the_weights_are_left_alone():
    X, y, _ = problem((4,))
    clf = ERMClassifier(max_epochs=1).fit(X, y)
    for parameter in clf.module_.parameters():
        parameter.grad = torch.ones_like(parameter)
    for method in METHODS[:-1]:
        saliency(clf, X[:2], method=method, **QUICK.get(method, {}))
    assert all((parameter.grad == 1).all() for parameter in clf.module_.parameters())


def test_any_numeric_dtype_and_read_only_rows():
    X = np.random.default_rng(0).integers(0, 255, size=(6, 8, 8), dtype=np.uint8)
    clf = ERMClassifier(max_epochs=1, random_state=0).fit(X, np.arange(6) % 3)
    for method in ("input_gradient", "occlusion", "grad_cam"):
        expected = saliency(clf, X, method=method)
        for dtype in (np.float32, np.float64, np.uint16, ">i4"):
            rows = X.astype(dtype)
            rows.setflags(write=False)
            np.testing.assert_array_equal(saliency(clf, rows, method=method), expected)


# -- what is refused ------------------------------------------------------------------------------


def test_bad_estimators():
    X, y, _ = problem((4,))
    for estimator in (
        make_pipeline(StandardScaler(), ERMClassifier()),
        FindAnotherExplanationClassifier(),
        Ridge(),
    ):
        with pytest.raises(TypeError, match=f"network of its own, got {type(estimator).__name__};"):
            saliency(estimator, X)
    with pytest.raises(NotFittedError, match="ERMClassifier instance is not fitted yet"):
        saliency(ERMClassifier(), X)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        ({"method": "gradient"}, r"method must be one of \['input_gradient', .* got 'gradient'"),
        ({"output": "log_prob_true"}, r"output must be one of \['log_odds', .*got 'log_prob_true'"),
        ({"target": "fish"}, r"target must hold labels of the classes \['bird', .*got 'fish'"),
        (
            {"target": ["cat"] * 3},
            "target must be one label or one for each of the 12 samples of X",
        ),
        ({"target": "cat", "output": "logit_sum"}, "target must be None with output='logit_sum'"),
        ({"random_state": "0"}, "random_state must be an int .* got '0'"),
        ({"method": "grad_cam"}, "layer must be named, as the network has no convolution"),
        ({"method": "grad_cam", "layer": 3}, "layer must be a string or None, got 3"),
        ({"method": "lime", "n_samples": 0}, "n_samples must be a positive integer, got 0"),
        ({"method": "lime", "patch_size": 2}, "patch_size must be None for tables"),
        ({"method": "smooth_grad", "n_samples": 1.5}, "n_samples must be a positive integer"),
        ({"method": "smooth_grad", "noise": -1}, "noise must be a non-negative number, got -1"),
        ({"method": "integrated_gradients", "n_steps": 0}, "n_steps must be a positive integer"),
        ({"method": "occlusion", "baseline": "zero"}, r"baseline must be one of \['mean'\]"),
        ({"method": "occlusion", "baseline": [1, 2]}, "baseline must be a finite number, .mean."),
        ({"method": "occlusion", "stride": 2}, "stride must be at most patch_size, 1; got 2"),
    ],
)
def test_bad_values(params, match):
    X, y, weight = problem((4,))
    with pytest.raises(ValueError, match=match):
        saliency(fixed_linear(weight, X, y), X, **params)


def test_parameters_of_another_method():
    X, y, weight = problem((4,))
    clf = fixed_linear(weight, X, y)
    match = r"saliency got 'n_steps', but method='lime' has parameters \['baseline', 'n_samples', "
    with pytest.raises(TypeError, match=match):
        saliency(clf, X, method="lime", n_steps=3)
    with pytest.raises(TypeError, match=r"method='input_gradient' has parameters \[\]"):
        saliency(clf, X, baseline=0)


def test_bad_rows_and_classes_of_a_regressor():
    regressor, X = trained("regressor of a table")
    with pytest.raises(ValueError, match="X has 4 features, but ERMRegressor is expecting 5"):
        saliency(regressor, X[:, :4])
    with pytest.raises(ValueError, match="target must be None for a regressor, got 1"):
        saliency(regressor, X, target=1)
    with pytest.raises(ValueError, match="output must be None for a regressor, got 'prob'"):
        saliency(regressor, X, output="prob")


def test_numbers_are_not_their_text():
    clf, X = trained("table")
    with pytest.raises(ValueError, match=r"target must hold labels of the classes .*got '1'"):
        saliency(clf, X, target="1")


@pytest.mark.parametrize("method", METHODS)
def test_without_captum(method, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    monkeypatch.delitem(sys.modules, "captum.attr", raising=False)
    estimator, X = trained("images")
    if method in ("input_gradient", "grad_cam"):
        assert saliency(estimator, X[:2], method=method).any()
        return
    with pytest.raises(ImportError, match=r'pip install "skexplain\[explain\]"'):
        saliency(estimator, X[:2], method=method)


class Words(nn.Module):
    """Reads words without an embedding, through which a gradient could be taken."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(27, 2)

    def forward(self, x):
        return self.head(nn.functional.one_hot(x.long(), 9).flatten(1).float())


def test_no_gradient_at_tokens_is_an_error():
    """Zero everywhere would say that no word matters."""
    X = np.random.default_rng(0).integers(9, size=(30, 3))
    clf = ERMClassifier(Words, max_epochs=1, random_state=0).fit(X, X[:, 0] > 4)
    for method in ("input_gradient", "smooth_grad", "integrated_gradients"):
        with pytest.raises(ValueError, match="passes a gradient to X; .* embedding of tokens"):
            saliency(clf, X[:1], method=method)
    with pytest.raises(ValueError, match="passes a gradient to X"):
        largest_gradient_mask(clf, X)
    with pytest.raises(ValueError, match="passes a gradient to X"):
        fgsm(clf, X, X[:, 0] > 4, epsilon=1.0)
    pytest.importorskip("captum")
    assert saliency(clf, X[:5], method="occlusion", baseline=0).any(axis=1).all()
