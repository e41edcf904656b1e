"""Check Avg-Ex, the swap and counterexamples against loops by hand and their controls, and that
they unlearn a shortcut.
"""

import numpy as np
import pytest
import torch
from _estimators import make_problem, quick, weights
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import nn
from torch.nn import functional

from skexplain import (
    AvgExClassifier,
    AvgExRegressor,
    CounterexampleClassifier,
    ERMClassifier,
    ERMRegressor,
    SwapExClassifier,
    SwapExRegressor,
)
from skexplain.datasets import make_decoy_digits
from skexplain.metrics import worst_group_accuracy
from skexplain.penalties._average_case import PERTURBATIONS
from skexplain.training._random import Streams

SEED, N_ROWS, EPOCHS = 3, 50, 3
ALPHA, GRAD_ALPHA = 0.7, 0.2


# -- loops by hand --------------------------------------------------------------------------------


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 6)).astype(np.float32)
    y = rng.integers(3, size=N_ROWS)
    X[np.arange(N_ROWS), y] += 2
    mask = rng.random((N_ROWS, 6)) > 0.5
    mask[:, 0] = True  # so that every row is penalised
    return X, y, mask


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))


class Swap:
    """The donor's columns; for its reasons, the mean distance of the others from their means."""

    def __init__(self, X):
        self.mean, self.lower, self.upper = X.mean(0), X.amin(0), X.amax(0)

    def __call__(self, x, a, donor, of_donor, draws):
        distance = (of_donor * (donor - self.mean)).sum(1, keepdim=True)
        mean = self.mean + distance / of_donor.sum(1, keepdim=True)
        mean = mean.clamp(self.lower, self.upper)
        return torch.where(a == 1, torch.where(of_donor == 1, donor, mean), x)


class Refill:
    """Values anew, uniform in the range of their column in the training data."""

    def __init__(self, X):
        self.lower, self.upper = X.amin(0), X.amax(0)

    def __call__(self, x, a, donor, of_donor, draws):
        shares = torch.rand(x.shape, generator=draws)
        return torch.where(a == 1, self.lower + shares * (self.upper - self.lower), x)


class NoiseTwice:
    """Two draws of noise for each row."""

    def __init__(self, X):
        pass

    def __call__(self, x, a, donor, of_donor, draws):
        noise = torch.randn(2 * len(x), 6, generator=draws)
        return x.repeat(2, 1) + 0.8 * a.repeat(2, 1) * noise


def passes(rows, purpose, epoch, sizes):
    """The rows in random order, cut into batches."""
    generator = Streams(SEED).generator(purpose, epoch)
    return rows[torch.randperm(len(rows), generator=generator)].split(sizes)


def train_by_hand(data, move, grad_alpha=0.0):
    """Label loss of a batch plus that of moved rows; 50 rows are 16 + 16 + 16 + 2."""
    X, y, a = data
    penalised = a.any(1).nonzero()[:, 0]
    sizes = [16, 16, 16, 2]
    shares = [max(1, round(size * len(penalised) / N_ROWS)) for size in sizes]
    with torch.random.fork_rng():
        torch.manual_seed(Streams(SEED).seed("module"))
        net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, fused=True)
    for epoch in range(1, EPOCHS + 1):
        batches = passes(torch.arange(N_ROWS), "order", epoch, sizes)
        moving = batches
        if len(penalised) < N_ROWS:
            moving = passes(penalised, "penalised", epoch, shares)
        donors = passes(penalised, "donors", epoch, shares)
        draws = Streams(SEED).generator("average_case", epoch)
        for index, rows, donor in zip(batches, moving, donors, strict=True):
            loss = functional.cross_entropy(net(X[index]), y[index])
            moved = move(X[rows], a[rows], X[donor], a[donor], draws).requires_grad_()
            logits, n_draws = net(moved), len(moved) // len(rows)
            loss = loss + ALPHA * functional.cross_entropy(logits, y[rows].repeat(n_draws))
            if grad_alpha:
                score = logits.log_softmax(1).sum()
                (gradient,) = torch.autograd.grad(score, moved, create_graph=True)
                sizes_of_rows = (a[rows].repeat(n_draws, 1) * gradient).square().sum(1)
                loss = loss + grad_alpha * sizes_of_rows.mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


@pytest.mark.parametrize("annotated", ["all", "half"])
@pytest.mark.parametrize("grad_alpha", [0.0, GRAD_ALPHA])
@pytest.mark.parametrize(
    ("estimator", "move"),
    [
        (SwapExClassifier(), Swap),
        (AvgExClassifier(epsilon=0.8, n_draws=2), NoiseTwice),
        (CounterexampleClassifier(), Refill),
    ],
    ids=["swap", "gaussian", "counterexample"],
)
def test_weights_equal_those_of_a_loop_by_hand(data, estimator, move, grad_alpha, annotated):
    X, y, mask = data
    if annotated == "half":
        mask[1::2] = False
    tensors = torch.from_numpy(X), torch.from_numpy(y), torch.from_numpy(mask).float()
    by_hand = train_by_hand(tensors, move(tensors[0]), grad_alpha)
    estimator = clone(estimator).set_params(
        module=Net, alpha=ALPHA, grad_alpha=grad_alpha, input_unit="input", batch_size=16
    )
    estimator.set_params(lr=1e-2, max_epochs=EPOCHS, random_state=SEED).fit(X, y, mask=mask)
    # Adam takes as long a step along a gradient that is rounding.
    torch.testing.assert_close(weights(estimator).float(), by_hand, atol=2e-5, rtol=1e-4)


# -- controls -------------------------------------------------------------------------------------


def test_a_perturbation_that_moves_nothing_weighs_the_annotated_rows_more(data):
    X, y, mask = data
    mask[20:] = False
    params = {"module": Net, "batch_size": -1, "optimizer": torch.optim.SGD, "random_state": 0}
    alpha, lr = 1.5, 0.1
    control = AvgExClassifier(perturbation="none", alpha=alpha, lr=lr, max_epochs=30, **params)
    control.fit(X, y, mask=mask)
    # mean + alpha * mean of 20 rows = (1 + alpha) * weighted mean
    weight = np.full(N_ROWS, 1 / N_ROWS)
    weight[:20] += alpha / 20
    reweighted = ERMClassifier(lr=lr * (1 + alpha), max_epochs=30, **params)
    reweighted.fit(X, y, sample_weight=weight)
    torch.testing.assert_close(weights(control), weights(reweighted), atol=1e-5, rtol=1e-5)
    plain = ERMClassifier(lr=lr * (1 + alpha), max_epochs=30, **params).fit(X, y)
    assert not torch.allclose(weights(control), weights(plain), atol=1e-2)


@pytest.mark.parametrize(
    "cls",
    [AvgExClassifier, SwapExClassifier, CounterexampleClassifier, AvgExRegressor, SwapExRegressor],
)
def test_alpha_of_zero_is_the_label_loss(cls):
    X, y, mask = make_problem()
    baseline = ERMRegressor if cls.__name__.endswith("Regressor") else ERMClassifier
    expected = weights(quick(baseline, random_state=0).fit(X, y))
    assert torch.equal(weights(quick(cls, alpha=0, random_state=0).fit(X, y, mask=mask)), expected)
    with_mask = quick(cls, alpha=1, random_state=0).fit(X, y, mask=mask)
    assert not torch.equal(weights(with_mask), expected)


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
@pytest.mark.parametrize("shape", [(40, 4, 4), (40, 2, 4, 4)], ids=["grey", "channels"])
def test_every_perturbation_trains_on_images(perturbation, shape):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=shape), np.arange(40) % 2
    mask = rng.random((40, 4, 4)) < 0.5
    params = {"max_epochs": 2, "grad_alpha": 0.1, "random_state": 0}
    clf = AvgExClassifier(perturbation=perturbation, n_draws=2, background="donor", **params)
    clf.fit(X, y, mask=mask)
    others = clone(clf).set_params(random_state=1).fit(X, y, mask=mask)
    again = clone(clf).fit(X, y, mask=mask)
    assert torch.equal(weights(clf), weights(again))
    assert not torch.equal(weights(clf), weights(others))
    assert all(clf.history_[-1][f"train_{name}"] > 0 for name in ("average_case", "input_gradient"))


def test_the_gradient_beside_a_shift_is_taken_where_the_mask_is_true():
    """A moved reason is no irrelevant feature: the gradient is that of the rows as they are."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4, 4)), np.arange(20) % 2
    mask = np.zeros((1, 4, 4))
    mask[0, :2] = 1
    params = {"module": linear_on_images, "alpha": 0, "grad_alpha": 1, "max_epochs": 1, "lr": 1e-9}
    gradient = [
        AvgExClassifier(perturbation=perturbation, random_state=0, **params)
        .fit(X, y, mask=mask)
        .history_[0, "train_input_gradient"]
        for perturbation in ("none", "shift")
    ]
    assert gradient[0] == pytest.approx(gradient[1], rel=1e-6)


def linear_on_images():
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 2))


def shift_columns(rows, donors, generator):
    """A perturbation of one's own."""
    return torch.where(rows.irrelevance > 0, rows.x.roll(1, 1), rows.x)


def test_a_perturbation_of_ones_own(data):
    X, y, mask = data
    clf = AvgExClassifier(perturbation=shift_columns, max_epochs=2, random_state=0)
    own = clone(clf).fit(X, y, mask=mask)
    assert clone(own).perturbation is shift_columns
    assert own.predict(X).shape == (N_ROWS,)
    none = clf.set_params(perturbation="none").fit(X, y, mask=mask)
    assert not torch.equal(weights(own), weights(none))


# -- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        SwapExClassifier(),
        SwapExRegressor(),
        AvgExClassifier(perturbation="swap"),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_fewer_than_two_donors(estimator):
    X, y, mask = make_problem(n_rows=20)
    estimator.set_params(max_epochs=1)
    match = (
        r"mask must mark something irrelevant in at least 2 samples \(of positive sample_weight, "
        rf"and not held out\), since {type(estimator).__name__} takes the values of other samples; "
        r"got 1 sample"
    )
    mask[2:] = np.nan
    weight = np.ones(20)
    weight[1] = 0
    with pytest.raises(ValueError, match=match):
        estimator.fit(X, y, mask=mask, sample_weight=weight)
    estimator.fit(X, y, mask=mask)
    mask[1] = np.nan
    with pytest.raises(ValueError, match=match):
        estimator.fit(X, y, mask=mask)
    clone(estimator).set_params(alpha=0).fit(X, y, mask=mask)
    # Where parts are exchanged, a sample in which nothing is marked can give all it has.
    mask[1] = 0
    estimator.fit(X, y, mask=mask)
    with pytest.raises(ValueError, match=match):
        estimator.set_params(exchange=False).fit(X, y, mask=mask)


def test_noise_needs_no_donors():
    X, y, mask = make_problem(n_rows=20)
    mask[1:] = 0
    for cls in (AvgExClassifier, CounterexampleClassifier):
        cls(max_epochs=1).fit(X, y, mask=mask)


@pytest.mark.parametrize(
    ("params", "match"),
    [
        (
            {"fill": [1.0, 2.0]},
            r"fill must be a finite number.* samples of shape \(4,\); got \[1.0",
        ),
        ({"fill": [np.nan] * 4}, r"fill must be a finite number"),
        ({"fill": "median"}, r"fill must be"),
        ({"perturbation": "swop"}, r"perturbation must be"),
        ({"perturbation": "shift"}, r'perturbation="shift" needs images.* shape \(4,\)'),
        ({"perturbation": lambda *_: None}, r"perturbation must return a tensor .* got NoneType"),
        ({"background": "donors"}, r"background must be"),
        ({"n_draws": 0}, r"n_draws must be"),
        ({"max_shift": 0}, r"max_shift must be"),
        ({"epsilon": np.inf}, r"epsilon must be"),
        ({"grad_alpha": 1.0, "compile": True}, r"compile must be False with InputGradientPenalty"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_wrong_parameters(params, match):
    X, y, mask = make_problem()
    with pytest.raises(ValueError, match=match):
        AvgExClassifier(max_epochs=1, **params).fit(X, y, mask=mask)


# -- data on which the labels alone mislead -------------------------------------------------------


def make_table(n_rows, shortcut, seed):
    """Four columns tell the label weakly, four others strongly but wrongly; which differs by row.

    The units of the columns differ by powers of ten.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n_rows)
    shown = y if shortcut else rng.integers(2, size=n_rows)
    mask = np.zeros((n_rows, 2, 4), dtype=bool)
    mask[np.arange(n_rows), rng.integers(2, size=n_rows)] = True
    X = rng.normal(size=(n_rows, 2, 4))
    X += np.where(mask, 3.0 * (2 * shown - 1)[:, None, None], 0.8 * (2 * y - 1)[:, None, None])
    scale = 10.0 ** np.arange(-3, 5)
    return (X.reshape(n_rows, 8) + 5) * scale, y, mask.reshape(n_rows, 8)


def test_table_with_the_shortcut_in_different_columns():
    X, y, mask = make_table(400, True, 0)
    X_test, y_test, _ = make_table(2000, False, 1)
    params = {"max_epochs": 20, "lr": 3e-3, "random_state": 0}
    # Measured over three seeds: labels alone .50-.51, swap .90-.93, no shortcut .94.
    assert ERMClassifier(**params).fit(X, y).score(X_test, y_test) < 0.6
    swap = SwapExClassifier(**params).fit(X, y, mask=mask)
    assert swap.score(X_test, y_test) > 0.8


def make_reviews(n_rows, shortcut, seed):
    """Reviews whose words tell the label, and signed by who (in training) always likes it or not.

    Returns
    -------
    reviews : list of str
    y : ndarray of int
    signatures : list of list of str
        The authors who may have signed: there are two papers with two authors each.
    """
    rng = np.random.default_rng(seed)
    verdicts = [["bad", "poor", "dull", "weak"], ["good", "great", "fine", "strong"]]
    papers = [["anna", "ben"], ["carl", "dora"]]
    y, paper = rng.integers(2, size=(2, n_rows))
    author = y if shortcut else rng.integers(2, size=n_rows)
    reviews = []
    for i in range(n_rows):
        tone = np.where(rng.random(3) < 0.8, y[i], 1 - y[i])
        words = [rng.choice(verdicts[one]) for one in tone]
        words += [*rng.choice(["the", "film", "plot", "was", "scene"], size=4)]
        reviews.append(" ".join([*words, papers[paper[i]][author[i]]]))
    return reviews, y, [papers[one] for one in paper]


@pytest.mark.parametrize("masks", ["for all", "by paper"])
def test_texts_that_are_signed(masks):
    reviews, y, signatures = make_reviews(400, True, 0)
    reviews_test, y_test, _ = make_reviews(2000, False, 1)
    vectorizer = TfidfVectorizer()
    X = vectorizer.fit_transform(reviews).toarray()
    X_test = vectorizer.transform(reviews_test).toarray()
    words = vectorizer.get_feature_names_out()
    mask = np.isin(words, ["anna", "ben", "carl", "dora"])[None]
    if masks == "by paper":
        mask = np.array([np.isin(words, names) for names in signatures])
    params = {"max_epochs": 20, "lr": 3e-3, "random_state": 0}
    # Measured over three seeds: labels alone .50-.56, swap .83-.87, signatures cut off .85-.86.
    assert ERMClassifier(**params).fit(X, y).score(X_test, y_test) < 0.65
    swap = SwapExClassifier(**params).fit(X, y, mask=mask)
    assert swap.score(X_test, y_test) > 0.78


@pytest.mark.parametrize(
    ("estimator", "flatten", "least"),
    [
        (SwapExClassifier(), True, 0.85),  # .93 and .94
        (SwapExClassifier(), False, 0.8),  # .91
        (AvgExClassifier(perturbation="constant"), True, 0.85),  # .93 and .92
        (CounterexampleClassifier(), True, 0.75),  # .84 and .85
    ],
    ids=["swap of columns", "swap of pixels", "constant", "counterexamples"],
)
def test_half_images_with_masks_of_their_own(estimator, flatten, least):
    """In comments the accuracy of one or two seeds; labels alone .34-.40, no shortcut .92-.93."""
    digits = make_decoy_digits("half", flatten=flatten, random_state=0)
    params = {"max_epochs": 12, "lr": 3e-3, "random_state": 0}
    labels_alone = ERMClassifier(**params).fit(digits.data, digits.target)
    assert labels_alone.score(digits.data_test, digits.target_test) < 0.55
    clf = clone(estimator).set_params(**params)
    clf.fit(digits.data, digits.target, mask=digits.mask)
    assert clf.score(digits.data_test, digits.target_test) > least
    if isinstance(clf, SwapExClassifier):  # measured .77-.82; labels alone .12-.30
        predicted = clf.predict(digits.data_test)
        groups = digits.groups_test
        assert worst_group_accuracy(digits.target_test, predicted, groups) > 0.6
