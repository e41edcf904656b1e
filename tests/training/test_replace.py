"""Check label losses at perturbed samples in place of clean ones, against loops by hand and closed
forms.
"""

import math

import numpy as np
import pytest
import torch
from _estimators import make_problem, quick, weights
from sklearn.base import clone
from torch import nn
from torch.nn import functional

from skexplain import (
    AvgExClassifier,
    AvgExRegressor,
    CounterexampleClassifier,
    ERMClassifier,
    ERMRegressor,
    PGDExClassifier,
    PGDExRegressor,
    SwapExClassifier,
    SwapExRegressor,
)
from skexplain.penalties._average_case import PERTURBATIONS
from skexplain.training import Trainer
from skexplain.training._random import Streams

SEED, N_ROWS, N_CLASSES, BATCH, EPOCHS, LR = 3, 50, 3, 16, 3, 1e-2


@pytest.fixture
def data():
    """Samples whose masks of their own leave too little room for an exchange of parts."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N_ROWS, 6)).astype(np.float32)
    y = rng.integers(N_CLASSES, size=N_ROWS)
    X[np.arange(N_ROWS), y] += 2
    mask = (rng.random((N_ROWS, 6)) > 0.5).astype(float)
    mask[:, 0] = 1  # so that every sample is penalised
    return X, y, mask


def annotate(mask, which):
    """Return masks of all samples, of half of them, or one for all, as they are passed."""
    if which == "one for all":
        return mask[:1]
    if which == "half":
        mask[1::2] = np.nan
    if which == "half marked":
        mask[1::2] = 0
    if which == "few":  # some batches have none
        mask[4:] = np.nan
    return mask


class Net(nn.Sequential):
    def __init__(self, norm=False):
        between = [nn.BatchNorm1d(8), nn.Dropout(0.2)] if norm else []
        super().__init__(nn.Linear(6, 8), *between, nn.ReLU(), nn.Linear(8, N_CLASSES))


COMMON = {
    "module": Net,
    "lr": LR,
    "max_epochs": EPOCHS,
    "batch_size": BATCH,
    "input_unit": "input",
    "random_state": SEED,
}


def draw(rows, purpose, epoch, sizes):
    """Draw rows in shuffled passes, cut into steps of these sizes."""
    generator = Streams(SEED).generator(purpose, epoch)
    n_passes = -(-sum(sizes) // len(rows))
    order = [torch.randperm(len(rows), generator=generator) for _ in range(n_passes)]
    return rows[torch.cat(order)[: sum(sizes)]].split(sizes)


class Swap:
    """The donor's columns; for its reasons, the mean distance of the others from their means."""

    def __init__(self, X, n_draws=1, weight=None):
        self.n_draws = n_draws
        mean = np.average(X.astype(np.float64), axis=0, weights=weight)
        self.mean = torch.from_numpy(mean.astype(np.float32))
        self.lower, self.upper = torch.from_numpy(X.min(0)), torch.from_numpy(X.max(0))

    def __call__(self, net, x, y, a, donor, of_donor, draws):
        orders = [torch.arange(len(x))]
        for _ in range(self.n_draws - 1):
            orders.append(torch.randperm(len(x), generator=draws))
        return torch.cat([self._once(x, a, donor[order], of_donor[order]) for order in orders])

    def _once(self, x, a, donor, of_donor):
        distance = (of_donor * (donor - self.mean)).sum(1, keepdim=True)
        mean = self.mean + distance / of_donor.sum(1, keepdim=True)
        mean = mean.clamp(self.lower, self.upper)
        return torch.where(a == 1, torch.where(of_donor == 1, donor, mean), x)


class Refill:
    """Values anew, uniform in the range of their column in the training data."""

    def __init__(self, X, weight=None):
        self.lower, self.upper = torch.from_numpy(X.min(0)), torch.from_numpy(X.max(0))

    def __call__(self, net, x, y, a, donor, of_donor, draws):
        shares = torch.rand(x.shape, generator=draws)
        return torch.where(a == 1, self.lower + shares * (self.upper - self.lower), x)


class Ascent:
    """Two steps up the label loss in a box of half a unit."""

    def __init__(self, X, weight=None):
        pass

    def __call__(self, net, x, y, a, donor, of_donor, draws):
        radius, moved = 0.5 * a, x
        for _ in range(2):
            point = moved.clone().requires_grad_()
            loss = functional.cross_entropy(net(point), y, reduction="sum")
            (gradient,) = torch.autograd.grad(loss, point)
            moved = moved + 0.3 * a * gradient.sign()
            moved = torch.minimum(torch.maximum(moved, x - radius), x + radius)
        return moved


def steps(penalised, epoch, per_batch=None):
    """The clean rows of each step, the penalised ones and their donors; 50 = 16 + 16 + 16 + 2."""
    order = torch.randperm(N_ROWS, generator=Streams(SEED).generator("order", epoch))
    batches = order.split(BATCH)
    clean = [index[~penalised[index]] for index in batches]
    moving = [index[penalised[index]] for index in batches]
    everyone = penalised.nonzero()[:, 0]
    sizes = [len(rows) for rows in moving]
    if per_batch is not None:
        sizes = [per_batch] * len(batches)
        moving = draw(everyone, "penalised", epoch, sizes)
    return zip(clean, moving, draw(everyone, "donors", epoch, sizes), strict=True)


def balance(penalised, weight):
    """Raise the weights of the few that are perturbed to the sum of the others' weights."""
    given = np.ones(N_ROWS) if weight is None else weight.astype(np.float64)
    own, others = given[penalised].sum(), given[~penalised].sum()
    if own >= others:
        return weight
    return np.where(penalised, given * (others / own), given)


def label_loss(outputs, y, n_clean, n_draws, weight):
    """Mean over samples: all copies of one weigh together as much as it does."""
    values = functional.cross_entropy(outputs, y, reduction="none")
    if weight is None and n_draws == 1:
        return values.mean()
    shares = torch.ones(len(values))
    shares[n_clean:] /= n_draws
    if weight is not None:
        shares = shares * weight
    return (shares * values).sum() / shares.sum()


def train_by_hand(
    data, move, name, weight=None, n_draws=1, grad_alpha=0.0, per_batch=None, norm=False
):
    """One label loss per step, of the clean samples and then of the perturbed ones.

    Returns
    -------
    net : nn.Module
    means : list of float
        Label loss of each epoch.
    """
    X, y, mask = (torch.from_numpy(part) for part in data)
    a = mask.nan_to_num(0.0).float().expand(N_ROWS, -1)
    if per_batch is None:
        weight = balance((a > 0).any(1).numpy(), weight)
    weight = None if weight is None else torch.from_numpy(weight.astype(np.float32))
    means = []
    with torch.random.fork_rng():
        torch.manual_seed(Streams(SEED).seed("module"))
        net = Net(norm=norm)
        optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=True)
        for epoch in range(1, EPOCHS + 1):
            torch.manual_seed(Streams(SEED).seed("layers", epoch))
            draws = Streams(SEED).generator(name, epoch)
            losses, counts = [], []
            for clean, rows, donor in steps((a > 0).any(1), epoch, per_batch):
                net.eval()  # where perturbed samples are looked for, and gradients taken
                moved = X[:0]
                if len(rows):
                    moved = move(net, X[rows], y[rows], a[rows], X[donor], a[donor], draws)
                gradients = 0.0
                if grad_alpha and len(rows):
                    score = net(moved.requires_grad_()).log_softmax(1).sum()
                    (gradient,) = torch.autograd.grad(score, moved, create_graph=True)
                    gradients = (a[rows] * gradient).square().sum(1).mean()
                net.train()
                index = torch.cat([clean, rows.repeat(n_draws)])
                outputs = net(torch.cat([X[clean], moved.detach()]))
                of_step = None if weight is None else weight[index]
                loss = label_loss(outputs, y[index], len(clean), n_draws, of_step)
                optimizer.zero_grad()
                (loss + grad_alpha * gradients).backward()
                optimizer.step()
                losses.append(loss.item())
                counts.append(len(clean) + len(rows))
            means.append(np.average(losses, weights=counts))
    return net.eval(), means


def assert_same(estimator, net, means):
    """To the bit in all weights and buffers; the history holds means."""
    ours, by_hand = estimator.module_.state_dict(), net.state_dict()
    for left, right in zip(ours.values(), by_hand.values(), strict=True):
        assert torch.equal(left, right)
    assert estimator.history_[:, "train_label_loss"] == pytest.approx(means, rel=1e-5)


# -- loops by hand --------------------------------------------------------------------------------

ASCENT = {
    "alpha": "replace",
    "epsilon": 0.5,
    "n_steps": 2,
    "step_size": 0.3,
    "random_start": False,
    "clip": None,
}
CASES = {
    "swap": (SwapExClassifier(), Swap, "average_case"),
    "refill": (CounterexampleClassifier(), Refill, "average_case"),
    "pgd": (PGDExClassifier(**ASCENT), Ascent, "worst_case"),
}
every_case = pytest.mark.parametrize("case", CASES)


@pytest.mark.parametrize("annotated", ["all", "one for all", "half", "half marked", "few"])
@every_case
def test_weights_equal_those_of_a_loop_by_hand(data, case, annotated):
    """The clean samples of a batch stay in front, the perturbed ones follow in their order."""
    X, y, mask = data
    mask = annotate(mask, annotated)
    estimator, move, name = CASES[case]
    by_hand = train_by_hand((X, y, mask), move(X), name)
    estimator = clone(estimator).set_params(**COMMON).fit(X, y, mask=mask)
    assert_same(estimator, *by_hand)
    assert estimator.alpha_ == math.inf
    losses = [key for key in estimator.history_[-1] if key.endswith("loss")]
    assert losses == ["train_loss", "train_label_loss"]
    assert estimator.history_[:, "train_loss"] == estimator.history_[:, "train_label_loss"]
    assert f"train_{name}" not in estimator.history_[-1]


@every_case
def test_weights_of_samples_and_classes(data, case):
    """A perturbed sample weighs as much as the clean one that it replaces."""
    X, y, mask = data
    mask = annotate(mask, "half")
    estimator, move, name = CASES[case]
    sample_weight = np.random.default_rng(1).uniform(0.2, 3, N_ROWS).astype(np.float32)
    class_weight = {0: 5.0, 1: 1.0, 2: 0.5}
    both = sample_weight * np.array([class_weight[label] for label in y], dtype=np.float32)
    move = move(X, weight=sample_weight)
    by_hand = train_by_hand((X, y, mask), move, name, weight=both)
    estimator = clone(estimator).set_params(**COMMON, class_weight=class_weight)
    assert_same(estimator.fit(X, y, mask=mask, sample_weight=sample_weight), *by_hand)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_copies_of_a_sample_share_its_weight(data, weighted):
    X, y, mask = data
    mask = annotate(mask, "half")
    weight = None
    if weighted:
        weight = np.random.default_rng(1).uniform(0.2, 3, N_ROWS).astype(np.float32)
    move = Swap(X, n_draws=3, weight=weight)
    by_hand = train_by_hand((X, y, mask), move, "average_case", weight=weight, n_draws=3)
    estimator = SwapExClassifier(n_draws=3, **COMMON)
    assert_same(estimator.fit(X, y, mask=mask, sample_weight=weight), *by_hand)


@pytest.mark.parametrize("annotated", ["all", "half"])
@every_case
def test_annotated_per_batch(data, case, annotated):
    """Beside the clean samples of a batch come as many perturbed ones as are asked for."""
    X, y, mask = data
    mask = annotate(mask, annotated)
    estimator, move, name = CASES[case]
    by_hand = train_by_hand((X, y, mask), move(X), name, per_batch=7)
    estimator = clone(estimator).set_params(**COMMON, annotated_per_batch=7)
    assert_same(estimator.fit(X, y, mask=mask), *by_hand)


@every_case
def test_batch_norm_beside_one_annotated_sample_per_batch(data, case):
    """Where no sample of a batch is clean, a single perturbed one gets company."""
    X, y, mask = data
    params = COMMON | {"module__norm": True, "annotated_per_batch": 1}
    estimator = clone(CASES[case][0]).set_params(**params)
    for annotated in ("few", "all"):
        masks = annotate(mask.copy(), annotated)
        clf = clone(estimator).fit(X, y, mask=masks)
        assert np.isfinite(clf.predict_proba(X)).all()
    two = clone(estimator).set_params(annotated_per_batch=2).fit(X, y, mask=mask)
    assert torch.equal(weights(clf), weights(two))


@every_case
def test_a_gradient_penalty_at_the_perturbed_samples(data, case):
    """It is added to the one label loss; what replaces clean samples has no summand of its own."""
    X, y, mask = data
    mask = annotate(mask, "half")
    estimator, move, name = CASES[case]
    estimator = clone(estimator).set_params(**COMMON, grad_alpha=0.2).fit(X, y, mask=mask)
    assert estimator.alpha_ == math.inf
    for epoch in estimator.history_:
        total = epoch["train_label_loss"] + 0.2 * epoch["train_input_gradient"]
        # The numbers of clean and of perturbed samples differ by step.
        assert epoch["train_loss"] == pytest.approx(total, rel=0.02)
        assert epoch[f"train_{name}"] > 0
    net, means = train_by_hand((X, y, mask), move(X), name, grad_alpha=0.2)
    assert estimator.history_[:, "train_label_loss"] == pytest.approx(means, rel=1e-4)
    for ours, weight in zip(estimator.module_.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(ours, weight, atol=1e-6, rtol=1e-5)


class Counting(nn.Linear):
    """Notes the rows and the mode of every forward pass."""

    log: list = []

    def __init__(self):
        super().__init__(6, N_CLASSES)

    def forward(self, x):
        Counting.log.append((len(x), self.training))
        return super().forward(x)


@pytest.mark.usefixtures("training_alone")
@pytest.mark.parametrize(
    ("params", "n_passes"),
    [({}, 2), ({"grad_alpha": 1.0}, 3), ({"grad_alpha": 1.0, "grad_at": "clean"}, 3)],
    ids=["alone", "gradient there", "gradient at the clean samples"],
)
def test_samples_are_perturbed_once_per_step(data, params, n_passes):
    """One label pass over each batch, two steps of ascent, and one pass for the gradient."""
    X, y, mask = data
    params = {"max_epochs": 1, "batch_size": 20, "random_state": 0, **params}
    Counting.log.clear()
    PGDExClassifier(Counting, alpha="replace", n_steps=2, **params).fit(X, y, mask=mask)
    log = Counting.log[[training for _, training in Counting.log].index(True) - 2 :]
    assert [n for n, training in log if training] == [20, 20, 10]
    moving = [n for n, training in log if not training]
    assert moving == [n for n in (20, 20, 10) for _ in range(n_passes)]


def test_layers_that_look_at_the_batch_look_at_the_perturbed_one(data):
    """Batch norm and dropout act as in any label loss; nothing else changes a buffer."""
    X, y, mask = data
    mask = annotate(mask, "half")
    for case in ("swap", "pgd"):
        estimator, move, name = CASES[case]
        by_hand = train_by_hand((X, y, mask), move(X), name, norm=True)
        estimator = clone(estimator).set_params(**COMMON, module__norm=True)
        assert_same(estimator.fit(X, y, mask=mask), *by_hand)


@every_case
def test_data_on_disk(data, case, tmp_path):
    """Read ahead in a thread, to the same weights."""
    X, y, mask = data
    mask = annotate(mask, "half")
    mapped = []
    for name, part in (("X", X), ("mask", mask)):
        np.save(tmp_path / f"{name}.npy", part)
        mapped.append(np.load(tmp_path / f"{name}.npy", mmap_mode="r"))
    estimator = clone(CASES[case][0]).set_params(**COMMON)
    expected = weights(estimator.fit(X, y, mask=mask))
    assert torch.equal(weights(estimator.fit(mapped[0], y, mask=mapped[1])), expected)


# -- the label loss alone -------------------------------------------------------------------------

REPLACING = [SwapExClassifier, CounterexampleClassifier, PGDExClassifier, AvgExClassifier]
REPLACING += [SwapExRegressor, PGDExRegressor, AvgExRegressor]
every_estimator = pytest.mark.parametrize("cls", REPLACING, ids=lambda cls: cls.__name__)


def baseline(cls):
    return ERMRegressor if cls.__name__.endswith("Regressor") else ERMClassifier


def test_the_default():
    for cls in REPLACING:
        expected = {"AvgEx": None, "PGDEx": 1.0}.get(cls.__name__[:5], "replace")
        assert cls().alpha == expected


@pytest.mark.parametrize("perturbation", PERTURBATIONS)
def test_the_default_of_avg_ex_depends_on_the_perturbation(perturbation):
    """Noise moves a sample around itself, and is added; other values take the place of its own."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 4, 4)), np.arange(20) % 2
    mask = rng.random((20, 4, 4)) < 0.7
    clf = AvgExClassifier(perturbation=perturbation, max_epochs=1, random_state=0)
    clf.fit(X, y, mask=mask)
    replaces = perturbation in ("constant", "refill", "swap", "blank")
    assert clf.alpha_ == (math.inf if replaces else 1.0)
    stated = clone(clf).set_params(alpha="replace" if replaces else 1.0).fit(X, y, mask=mask)
    assert torch.equal(weights(clf), weights(stated))
    other = clone(clf).set_params(alpha=1.0 if replaces else "replace").fit(X, y, mask=mask)
    if perturbation != "none":
        assert not torch.equal(weights(clf), weights(other))


@every_estimator
@pytest.mark.filterwarnings("ignore::skexplain.exceptions.MissingExplanationWarning")
@pytest.mark.parametrize("mask", [None, np.full((1, 4), np.nan), np.zeros((60, 4)), [None] * 60])
def test_nothing_to_replace_is_the_label_loss_alone(cls, mask):
    X, y, _ = make_problem()
    params = {"max_epochs": 2, "random_state": 0}
    expected = weights(quick(baseline(cls), **params).fit(X, y))
    clf = quick(cls, alpha="replace", **params).fit(X, y, mask=mask)
    assert torch.equal(weights(clf), expected)


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize(
    "estimator",
    [
        AvgExClassifier(perturbation="none", alpha="replace"),
        AvgExRegressor(perturbation="none", alpha="replace"),
        PGDExClassifier(epsilon=0.0, alpha="replace", exchange=False),
        PGDExRegressor(epsilon=0.0, alpha="replace", exchange=False),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_samples_that_stay_where_they_are(estimator, early_stopping):
    """Replaced by themselves, all of them: the label loss to the bit, also of samples held out."""
    X, y, mask = make_problem(n_rows=120)
    common = {"max_epochs": 5, "batch_size": 16, "early_stopping": early_stopping}
    common |= {"validation_fraction": 0.3, "random_state": 0}
    estimator = clone(estimator).set_params(**common).fit(X, y, mask=mask)
    plain = baseline(type(estimator))(**common).fit(X, y)
    assert torch.equal(weights(estimator), weights(plain))
    for name in ("train_loss", *(["valid_loss"] if early_stopping else [])):
        assert estimator.history_[:, name] == plain.history_[:, name]


# -- epochs ---------------------------------------------------------------------------------------


@every_estimator
def test_epochs_one_by_one_equal_epochs_in_one_go(cls):
    X, y, mask = make_problem()
    mask[::3] = np.nan
    params = {"alpha": "replace", "max_epochs": 4, "random_state": 0}
    whole = quick(cls, **params).fit(X, y, mask=mask)
    by_epoch = quick(cls, **params)
    classes = () if cls.__name__.endswith("Regressor") else ([0, 1],)
    for _ in range(4):
        by_epoch.partial_fit(X, y, *classes, mask=mask)
    warm = quick(cls, **{**params, "max_epochs": 1}).fit(X, y, mask=mask)
    warm.set_params(warm_start=True, max_epochs=3).fit(X, y, mask=mask)
    for other in (by_epoch, warm):
        assert torch.equal(weights(other), weights(whole))
        assert other.alpha_ == math.inf
        assert other.n_iter_ == 4


def test_a_weight_may_change_between_warm_starts():
    """From the mixed form to the other and back: the history says which was in force."""
    X, y, mask = make_problem()
    clf = quick(SwapExClassifier, alpha=1.0, max_epochs=1, warm_start=True, random_state=0)
    alphas = [clf.set_params(alpha=alpha).fit(X, y, mask=mask).alpha_ for alpha in (1.0, "replace")]
    assert alphas == [1.0, math.inf]
    assert clf.set_params(alpha=0.5).fit(X, y, mask=mask).alpha_ == 0.5
    recorded = ["train_average_case" in epoch for epoch in clf.history_]
    assert recorded == [True, False, True]


@pytest.mark.parametrize("cls", [SwapExClassifier, PGDExClassifier])
def test_early_stopping_watches_the_loss_at_perturbed_samples(cls, monkeypatch):
    """By hand, with weights that stay: the loss held out is that of swapped or attacked samples."""
    X, y, _ = make_problem(n_rows=120)
    mask = np.array([[False, False, False, True]])
    held_out = []
    original = Trainer._validate_epoch

    def watched(self, valid, objective):
        held_out.append(valid.index)
        return original(self, valid, objective)

    monkeypatch.setattr(Trainer, "_validate_epoch", watched)
    params = {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 2, "lr": 1e-30}
    params |= {"batch_size": 10, "random_state": SEED}
    if cls is PGDExClassifier:
        params |= {
            "alpha": "replace",
            "n_steps": 1,
            "random_start": False,
            "epsilon": 1.0,
            "clip": None,
        }
    clf = cls(**params).fit(X, y, mask=mask)
    index = held_out[0]
    x = torch.from_numpy(X[index]).float()
    moved, target = x.clone(), torch.from_numpy(y[index])
    if cls is SwapExClassifier:  # the donors of all epochs alike
        order = torch.randperm(len(index), generator=Streams(SEED).generator("donors"))
        moved[:, 3] = x[order, 3]
    else:
        point = x.clone().requires_grad_()
        functional.cross_entropy(clf.module_(point), target).backward()
        moved[:, 3] += float(X[:, 3].std()) * point.grad[:, 3].sign()
    with torch.no_grad():
        expected, clean = (
            functional.cross_entropy(clf.module_(part), target).item() for part in (moved, x)
        )
    assert abs(expected - clean) > 0.02  # measured: .69 swapped and .78 attacked, .73 clean
    assert clf.history_[:, "valid_label_loss"] == pytest.approx([expected] * 2, rel=1e-4)
    assert clf.history_[:, "valid_loss"] == clf.history_[:, "valid_label_loss"]


# -- a shortcut in closed form --------------------------------------------------------------------


class Linear(nn.Linear):
    def __init__(self):
        super().__init__(1, 2)


def shortcut_log_odds(alpha):
    """Train on a column of -1 and 1 that agrees with the label in nine samples of ten.

    Returns
    -------
    float
        By how much the log-odds of the label rise from -1 to 1.
    """
    y = np.repeat([0, 1], 4000)
    agrees = np.tile(np.arange(10) > 0, 800)
    X = np.where(agrees, 2.0 * y - 1, 1 - 2.0 * y)[:, None]
    params = {"batch_size": -1, "lr": 0.03, "max_epochs": 400, "random_state": 0}
    clf = SwapExClassifier(Linear, alpha=alpha, **params).fit(X, y, mask=[[True]])
    proba = clf.predict_proba(np.array([[-1.0], [1.0]]))
    return float(np.diff(np.log(proba[:, 1] / proba[:, 0]))[0])


@pytest.mark.filterwarnings("ignore:SwapExClassifier is fitted with masks that mark every feature")
@pytest.mark.parametrize("alpha", [0, 1, 10, "replace"])
def test_a_clean_sample_still_pays_for_the_shortcut(alpha):
    """With p the share of samples in which shortcut and label agree: p in clean samples, a half in
    swapped ones, (p + alpha / 2) / (1 + alpha) in both together; the log-odds are those of it.
    """
    agreeing = 0.5 if alpha == "replace" else (0.9 + alpha / 2) / (1 + alpha)
    expected = 2 * math.log(agreeing / (1 - agreeing))
    # Measured: at most .024 away, since swaps are drawn.
    assert shortcut_log_odds(alpha) == pytest.approx(expected, abs=0.1)


def test_the_network_changes_its_mode_only_for_what_may_run_it(data):
    """A swap never runs it; a function may, and finds it in evaluation mode."""
    X, y, mask = data
    modes, found = [], []

    class Noting(Net):
        def __init__(self):
            super().__init__(norm=True)

        def train(self, mode=True):
            modes.append(mode)
            return super().train(mode)

    def move(rows, donors, generator):
        found.append(modes[-1])
        return rows.x

    settings = {"max_epochs": EPOCHS, "batch_size": BATCH, "random_state": SEED}
    SwapExClassifier(Noting, **settings).fit(X, y, mask=mask)
    of_swap = modes.copy()
    AvgExClassifier(Noting, perturbation=move, alpha="replace", **settings).fit(X, y, mask=mask)
    n_steps = EPOCHS * math.ceil(N_ROWS / BATCH)
    assert found == [False] * n_steps
    assert len(modes) - len(of_swap) >= len(of_swap) + n_steps
