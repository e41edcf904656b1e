"""Check IBP-Ex against a loop by hand, its schedules, and that it unlearns a shortcut."""

import numpy as np
import pytest
import torch
from _estimators import make_problem
from torch import nn
from torch.nn import functional

from skexplain import ERMClassifier, IBPExClassifier, IBPExRegressor
from skexplain.datasets import make_decoy_digits
from skexplain.exceptions import UnsupportedOperationError
from skexplain.metrics import worst_group_accuracy


def network():
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.5, 0.5, generator=generator)
    return module


def test_a_loop_by_hand_gives_the_same_weights():
    """The bounds of Gowal et al. written out, with both ramps and Grad-Reg at the clean rows."""
    X, y, mask = make_problem()
    X[:, 2] /= 1024
    epochs, epsilon, alpha, grad_alpha = 8, 0.4, 1.5, 0.1
    clf = IBPExClassifier(
        network(),
        optimizer=torch.optim.SGD,
        lr=0.05,
        batch_size=-1,
        max_epochs=epochs,
        epsilon=epsilon,
        alpha=alpha,
        epsilon_ramp=0.75,
        alpha_ramp=0.5,
        grad_alpha=grad_alpha,
        clip=None,
        exchange=False,
        random_state=0,
    ).fit(X, y, mask=mask)

    x, a = (torch.tensor(v, dtype=torch.float32) for v in (X, mask))
    x.requires_grad_()
    target, unit = torch.tensor(y), torch.tensor(X.std(0), dtype=torch.float32)
    model = network()
    first, last = model[0], model[2]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    for epoch in range(1, epochs + 1):
        radius = a * unit * epsilon * min(1, epoch / 6)
        share = min(1, epoch / 4) * alpha / (1 + alpha)
        logits = model(x)
        label_loss = functional.cross_entropy(logits, target)
        (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), x, create_graph=True)
        grad_reg = (a * unit * gradient).square().sum(1).mean()
        center, reach = first(x.detach()), radius @ first.weight.abs().T
        low, high = (center - reach).relu(), (center + reach).relu()
        difference = last.weight[1 - target] - last.weight[target]
        worst = (last.bias[1 - target] - last.bias[target]) + (
            difference * (low + high) / 2 + difference.abs() * (high - low) / 2
        ).sum(1)
        bound = functional.softplus(worst).mean()
        loss = label_loss + share / (1 - share) * bound + grad_alpha * grad_reg
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    for ours, theirs in zip(clf.module_.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert clf.alpha_ == alpha


def test_the_published_schedule():
    """Heo et al. weigh label loss and bound with a and 1 - a; their a falls from 1 to 1/2."""
    clf = IBPExClassifier(max_epochs=10)
    (term,) = clf._method().terms
    weights = [term.at_epoch(epoch).alpha for epoch in range(1, 11)]
    published = [1 - 0.5 * epoch / 10 for epoch in range(1, 11)]
    assert weights == pytest.approx([(1 - a) / a for a in published])
    (term,) = clf.set_params(alpha_ramp=0)._method().terms
    assert term.at_epoch(1).alpha == 1.0


def test_early_stopping_waits_for_the_ramps():
    """While the objective rises by design, a rise says nothing."""
    X, y, mask = make_problem(n_rows=120)
    clf = IBPExClassifier(
        max_epochs=20, epsilon=5.0, clip=None, early_stopping=True, n_iter_no_change=1
    )
    assert clf.fit(X, y, mask=mask).n_iter_ == 20
    clf.set_params(epsilon_ramp=0, alpha_ramp=0, lr=0.1, random_state=0)
    assert clf.fit(X, y, mask=mask).n_iter_ < 20


def test_repairs_a_shortcut():
    digits = make_decoy_digits("half", flatten=True, random_state=0)
    common = {"max_epochs": 30, "random_state": 0}
    scores = {}
    for name, clf in {
        "erm": ERMClassifier(**common),
        "ibp": IBPExClassifier(**common),
        "ibp+grad": IBPExClassifier(epsilon=1.0, alpha=0.25, grad_alpha=0.3, **common),
    }.items():
        predicted = clf.fit(digits.data, digits.target, mask=digits.mask).predict(digits.data_test)
        scores[name] = (
            np.mean(predicted == digits.target_test),
            worst_group_accuracy(digits.target_test, predicted, digits.groups_test),
        )
    # Measured: .39 / .26, .71 / .43 and .79 / .35, of all and of the worst group.
    assert scores["erm"][0] < 0.5
    assert scores["ibp"][0] > 0.6
    assert scores["ibp+grad"][0] > 0.6


def test_regressor_holds_still_where_the_plain_one_moves():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = X.sum(1)
    reg = IBPExRegressor(epsilon=5, max_epochs=30, random_state=0).fit(X, y, mask=[[0, 1]])
    moved = np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean()
    # Measured: .11; the true slope is 1.
    assert moved < 0.3


def test_a_network_without_rules_is_refused_at_fit():
    class Bessel(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 2)

        def forward(self, x):
            return self.head(torch.special.bessel_j0(x))

    X, y, mask = make_problem()
    clf = IBPExClassifier(Bessel, max_epochs=1)
    with pytest.raises(UnsupportedOperationError, match="'special_bessel_j0'.*interval_rule"):
        clf.fit(X, y, mask=mask)
    assert not hasattr(clf, "trainer_")
    # Switched off, the penalty asks nothing of the network.
    clf.set_params(alpha=0).fit(X, y, mask=mask)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"compile": True}, "compile must be False with CertifiedPenalty"),
        ({"epsilon": float("inf"), "clip": None}, "epsilon may be infinite only with a finite"),
        ({"clip": (1, 0)}, "clip must be a pair of numbers, the lower first"),
        ({"bound": "interval"}, "bound must be one of"),
        ({"epsilon_ramp": 2.0}, "The 'epsilon_ramp' parameter"),
        ({"alpha": "auto"}, "The 'alpha' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    X, y, mask = make_problem()
    with pytest.raises(ValueError, match=message):
        IBPExClassifier(**parameters).fit(X, y, mask=mask)
