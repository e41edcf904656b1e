"""Check that penalties together give the dedicated estimators to the bit and sums by hand, and that
their parameters are reached.
"""

import pickle

import numpy as np
import pytest
import torch
from _estimators import Perceptron, make_problem, weights
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.nn import functional

from skexplain import (
    AvgExClassifier,
    ERMClassifier,
    ExplanationClassifier,
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
from skexplain.penalties import (
    AverageCasePenalty,
    CertifiedPenalty,
    ConceptGradientPenalty,
    GradCAMPenalty,
    HINTPenalty,
    InfluencePenalty,
    InputGradientPenalty,
    MaskedFeaturePenalty,
    Penalty,
    WorstCasePenalty,
)
from skexplain.training._random import Streams

QUICK = {"max_epochs": 3, "lr": 1e-2, "batch_size": 16, "random_state": 0}
PGD = WorstCasePenalty(0.5, n_steps=2)
GRAD = InputGradientPenalty()
GAUSSIAN = AverageCasePenalty("gaussian", epsilon=0.5, n_draws=2)


@pytest.fixture(scope="module")
def problem():
    """Rows, labels, masks for two thirds of the rows, and four groups."""
    X, y, mask = make_problem()
    mask[::3] = np.nan
    return X.astype(np.float32), y, mask, 2 * y + (X[:, 1] > 0)


def combined(*penalties, **params):
    return ExplanationClassifier(penalties=list(penalties), **{**QUICK, **params})


# -- the dedicated estimators ---------------------------------------------------------------------

# Draws follow the names of terms: those of the dedicated estimators, where something is drawn.
SAME = {
    "nothing": (ERMClassifier(), combined()),
    "grad": (GradRegClassifier(alpha=0.3, norm="l2"), combined(("grad", GRAD), alpha=0.3)),
    "grad auto": (
        GradRegClassifier(alpha="auto", norm="l2"),
        combined(("grad", GRAD), alpha="auto"),
    ),
    "grad share": (
        GradRegClassifier(),
        combined(("grad", InputGradientPenalty(norm="share")), alpha=GradRegClassifier().alpha),
    ),
    "pgd and grad there": (
        PGDExClassifier(alpha=1.0, epsilon=0.5, n_steps=2, grad_alpha=0.3),
        combined(
            ("grad", GRAD), ("worst_case", PGD), alpha={"grad": 0.3}, at={"grad": "worst_case"}
        ),
    ),
    "pgd and grad at the rows": (
        PGDExClassifier(alpha=1.0, epsilon=0.5, n_steps=2, grad_alpha=0.3, grad_at="clean"),
        combined(("worst_case", PGD), ("grad", GRAD), alpha={"grad": 0.3}),
    ),
    "grad where pgd of no weight is": (
        PGDExClassifier(alpha=0.0, epsilon=0.5, n_steps=2, grad_alpha=0.3),
        combined(
            ("worst_case", PGD),
            ("grad", GRAD),
            alpha={"worst_case": 0.0, "grad": 0.3},
            at={"grad": "worst_case"},
        ),
    ),
    "average and grad there": (
        AvgExClassifier(perturbation="gaussian", epsilon=0.5, n_draws=2, grad_alpha=0.3),
        combined(
            ("average_case", GAUSSIAN),
            ("grad", GRAD),
            alpha={"grad": 0.3},
            at={"grad": "average_case"},
        ),
    ),
    "swap": (SwapExClassifier(alpha=1.0), combined(("average_case", AverageCasePenalty("swap")))),
    "bounds": (
        IBPExClassifier(epsilon=0.5, epsilon_ramp=0, alpha_ramp=0, grad_alpha=0.3),
        combined(("ibp", CertifiedPenalty(0.5)), ("grad", GRAD), alpha={"grad": 0.3}),
    ),
    "hint": (
        HINTClassifier(attribution="input_gradient", alpha=0.3),
        combined(("hint", HINTPenalty("input_gradient")), alpha=0.3),
    ),
    "grad-cam": (
        GradCAMRegClassifier(Perceptron, alpha=0.3),
        combined(("cam", GradCAMPenalty()), alpha=0.3, module=Perceptron),
    ),
    "influence": (
        InfluenceRegClassifier(alpha=0.3),
        combined(("influence", InfluencePenalty()), alpha=0.3),
    ),
    "two stages": (
        TwoStageExplanationClassifier(mask_fill="mean", mapping_lr=0.1),
        combined(("m", MaskedFeaturePenalty("mean")), schedule="two_stage", mapping_lr=0.1),
    ),
    "two stages without a mapping": (
        TwoStageExplanationClassifier(mapping=None),
        combined(("m", MaskedFeaturePenalty()), schedule="two_stage", mapping=None),
    ),
    "two stages in one": (
        TwoStageExplanationClassifier(schedule="joint", alpha=0.3),
        combined(("m", MaskedFeaturePenalty()), alpha=0.3),
    ),
}


@pytest.mark.filterwarnings("ignore:ExplanationClassifier was given a mask, and penalties=")
@pytest.mark.parametrize(("dedicated", "ours"), SAME.values(), ids=SAME)
def test_equals_the_dedicated_estimator_to_the_bit(dedicated, ours, problem):
    X, y, mask, _ = problem
    dedicated = clone(dedicated).set_params(**QUICK).fit(X, y, mask=mask)
    ours = clone(ours).fit(X, y, mask=mask)
    assert torch.equal(weights(ours), weights(dedicated))
    assert ours.history_[:, "train_loss"] == dedicated.history_[:, "train_loss"]
    assert not np.isnan(ours.history_[-1, "train_loss"])
    if dedicated.trainer_.method.terms:
        plain = clone(ours).set_params(alpha=0.0).fit(X, y, mask=mask)
        assert not torch.equal(weights(plain), weights(ours))


def test_groups_without_penalties_are_group_dro(problem):
    X, y, _, groups = problem
    params = {"group_step_size": 0.1, "group_adjustment": 1.0}
    dedicated = GroupDROClassifier(**QUICK, **params).fit(X, y, group_labels=groups)
    ours = combined(reduction="group_dro", **params).fit(X, y, group_labels=groups)
    assert torch.equal(weights(ours), weights(dedicated))
    np.testing.assert_array_equal(ours.group_weights_, dedicated.group_weights_)
    assert ours.groups_ == [0, 1, 2, 3]
    assert not torch.equal(weights(ours), weights(combined().fit(X, y)))


# -- sums by hand ---------------------------------------------------------------------------------


def test_groups_and_two_penalties_by_hand(problem):
    """One step of SGD on q_g L_g + 0.3 * gradients + 0.5 * label loss of blank rows."""
    X, y, mask, groups = problem
    mask = np.nan_to_num(mask)
    clf = combined(
        ("grad", InputGradientPenalty("log_prob_true", "l1")),
        ("blank", AverageCasePenalty("blank", fill=1.5, exchange=False)),
        alpha={"grad": 0.3, "blank": 0.5},
        reduction="group_dro",
        group_step_size=2.0,
        module=nn.Linear,
        module__in_features=4,
        module__out_features=2,
        input_unit="input",
        optimizer=torch.optim.SGD,
        batch_size=-1,
        max_epochs=1,
    )
    X = X / np.float32([1, 1, 1000, 1])
    clf.fit(X, y, mask=mask, group_labels=groups)

    with torch.random.fork_rng():
        torch.manual_seed(Streams(0).seed("module"))
        net = nn.Linear(4, 2)
    x, target = torch.from_numpy(X).requires_grad_(), torch.from_numpy(y)
    a = torch.from_numpy(mask).float()
    logits = net(x)
    losses = functional.cross_entropy(logits, target, reduction="none")
    means = torch.stack([losses[torch.from_numpy(groups == g)].mean() for g in range(4)])
    q = (2.0 * means.detach()).softmax(0)
    score = logits.log_softmax(1)[torch.arange(60), target].sum()
    (gradient,) = torch.autograd.grad(score, x, create_graph=True)
    penalised = (a > 0).any(1)
    assert penalised.sum() == 40
    grad = (a * gradient).abs().sum(1)[penalised].mean()
    blank = functional.cross_entropy(net(x * (1 - a) + 1.5 * a)[penalised], target[penalised])
    total = (q * means).sum() + 0.3 * grad + 0.5 * blank
    expected = {"loss": total, "label_loss": (q * means).sum(), "grad": grad, "blank": blank}
    for name, value in expected.items():
        assert clf.history_[0, f"train_{name}"] == pytest.approx(value.item(), rel=1e-5)
    np.testing.assert_allclose(clf.group_weights_, q, rtol=1e-5)
    total.backward()
    torch.testing.assert_close(clf.module_.weight, net.weight - 1e-2 * net.weight.grad)
    torch.testing.assert_close(clf.module_.bias, net.bias - 1e-2 * net.bias.grad)


def test_two_stages_beside_other_penalties(problem):
    """The first step is on all others, the second moves the mapping alone."""
    X, y, mask, _ = problem
    others = [("pgd", PGD), ("grad", GRAD)]
    one_step = {"batch_size": -1, "max_epochs": 1, "at": {"grad": "pgd"}}
    both = combined(*others, ("m", MaskedFeaturePenalty()), schedule="two_stage", **one_step)
    both.fit(X, y, mask=mask)
    first = clone(both).set_params(alpha={"m": 0.0}).fit(X, y, mask=mask)
    state, before = both.module_.state_dict(), first.module_.state_dict()
    moved = {name for name in state if not torch.equal(state[name], before[name])}
    assert moved == {name for name in state if "mapping" in name}
    # The first step is that of the joint schedule without the masked features.
    joint = clone(first).set_params(schedule="joint").fit(X, y, mask=mask)
    assert torch.equal(weights(joint), weights(first))
    history = both.history_[0]
    total = sum(history[f"train_{name}"] for name in ("label_loss", "pgd", "grad", "m"))
    assert history["train_loss"] == pytest.approx(total)


def test_a_second_step_needs_no_gradient_of_the_features(problem):
    X, y, mask, _ = problem
    penalty = MaskedFeaturePenalty()
    clf = combined(("m", penalty), schedule="two_stage").fit(X, y, mask=mask)
    assert clf.trainer_.method.terms[0].penalty.train_features is False
    assert penalty.train_features is clf.get_params()["m__train_features"] is True
    clf = combined(("m", penalty)).fit(X, y, mask=mask)
    assert clf.trainer_.method.terms[0].penalty.train_features is True


def test_automatic_weights_follow_the_reduced_loss(problem):
    X, y, mask, groups = problem
    params = {"reduction": "group_dro", "group_step_size": 2.0, "batch_size": -1}
    clf = combined(("grad", GRAD), alpha="auto", max_epochs=1, **params)
    clf.fit(X, y, mask=mask, group_labels=groups)
    ratio = next_losses(clf, problem, alpha=1.0)
    assert clf.alphas_ == {"grad": pytest.approx(ratio["label"] / ratio["grad"], rel=1e-4)}
    assert clf.alpha_ == clf.alphas_["grad"] > 0
    assert ratio["label"] != pytest.approx(ratio["mean"], rel=1e-3)


def next_losses(clf, problem, alpha):
    """Losses of a fitted estimator, computed by hand in its present state."""
    X, y, mask, groups = problem
    x = torch.from_numpy(X).requires_grad_()
    logits = clf.module_(x)
    losses = functional.cross_entropy(logits, torch.from_numpy(y), reduction="none")
    means = np.array([losses[torch.from_numpy(groups == g)].mean().item() for g in range(4)])
    (gradient,) = torch.autograd.grad(logits.log_softmax(1).sum(), x)
    unit = torch.from_numpy(X.std(axis=0))
    a = torch.from_numpy(np.nan_to_num(mask))
    penalty = (a * unit * gradient).square().sum(1)[~np.isnan(mask[:, 0])].mean().item()
    return {"label": means @ clf.group_weights_, "mean": losses.mean().item(), "grad": penalty}


class Scale(Penalty):
    """Mean square of the logits: a penalty of a user's own."""

    def __init__(self, power=2):
        self.power = power

    def check_parameters(self):
        if self.power < 1:
            raise ValueError(f"power must be at least 1, got {self.power}.")

    def __call__(self, module, rows, donors=None, generator=None):
        return module(rows.x).abs().pow(self.power).mean(1)


def test_a_penalty_of_ones_own(problem):
    X, y, mask, _ = problem
    clf = combined(("scale", Scale()), alpha=10.0, max_epochs=20).fit(X, y, mask=mask)
    plain = clone(clf).set_params(alpha=0.0).fit(X, y, mask=mask)
    # Measured: 0.16 and 1.0.
    assert np.ptp(clf.predict_proba(X)) < 0.5 < np.ptp(plain.predict_proba(X))
    assert clf.history_[-1, "train_scale"] < clf.history_[0, "train_scale"]
    with pytest.raises(ValueError, match="scale__power must be at least 1, got 0"):
        clf.set_params(scale__power=0).fit(X, y, mask=mask)


# -- nested parameters ----------------------------------------------------------------------------


def test_parameters_of_penalties_are_parameters():
    clf = combined(("pgd", WorstCasePenalty(0.5)), ("grad", InputGradientPenalty()))
    params = clf.get_params()
    assert params["pgd__epsilon"] == 0.5
    assert params["grad__norm"] == "l2"
    assert params["pgd"] is clf.penalties[0][1]
    assert not {"pgd", "pgd__epsilon"} & set(clf.get_params(deep=False))
    assert clf.set_params(pgd__epsilon=2.0, grad__norm="l1", lr=0.5) is clf
    assert (clf.penalties[0][1].epsilon, clf.penalties[1][1].norm, clf.lr) == (2.0, "l1", 0.5)


def test_a_penalty_is_replaced_by_name():
    given = [("pgd", WorstCasePenalty(0.5)), ("grad", InputGradientPenalty())]
    clf = ExplanationClassifier(penalties=given)
    swap = AverageCasePenalty("swap")
    clf.set_params(pgd=swap, pgd__n_draws=3)
    assert [name for name, _ in clf.penalties] == ["pgd", "grad"]
    assert clf.penalties[0][1] is swap
    assert swap.n_draws == 3
    assert isinstance(given[0][1], WorstCasePenalty)  # what was passed in is not written to


def test_all_penalties_are_replaced_before_their_parameters():
    clf = combined(("grad", InputGradientPenalty()))
    clf.set_params(pgd__epsilon=3.0, penalties=[("pgd", WorstCasePenalty(0.5))])
    assert clf.penalties[0][1].epsilon == 3.0
    with pytest.raises(ValueError, match="Invalid parameter 'grad'"):
        clf.set_params(grad__norm="l1")
    with pytest.raises(ValueError, match="Invalid parameter 'epsilom'"):
        clf.set_params(pgd__epsilom=1.0)


def test_a_clone_has_penalties_of_its_own():
    fill = np.ones(4)
    given = [("pgd", WorstCasePenalty(0.5)), ("blank", AverageCasePenalty("blank", fill=fill))]
    clf = ExplanationClassifier(penalties=given, at={"grad": "pgd"}, alpha={"pgd": 2.0})
    copy = clone(clf)
    assert str(copy.get_params()) == str(clf.get_params())
    copy.set_params(pgd__epsilon=9.0)
    assert clf.get_params()["pgd__epsilon"] == 0.5
    copy.penalties[1][1].fill[:] = 7
    assert fill.sum() == 4
    assert "epsilon=0.5" in repr(clf)


def test_a_search_reaches_penalties_and_their_parameters(problem):
    X, y, mask, groups = problem
    grid = {
        "pgd__epsilon": [0.1, 1.0],
        "pgd": [WorstCasePenalty(n_steps=1)],
        "grad": [InputGradientPenalty(), InputGradientPenalty(norm="l1")],
        "alpha": [{"grad": 0.1}],
        "reduction": ["group_dro"],
    }
    clf = combined(("pgd", PGD), ("grad", GRAD), at={"grad": "pgd"}, max_epochs=1)
    search = GridSearchCV(clf, grid, cv=2, error_score="raise")
    search.fit(X, y, mask=mask, group_labels=groups)
    assert len(search.cv_results_["params"]) == 4
    best = clone(clf).set_params(**clone(search.best_params_, safe=False))
    best.fit(X, y, mask=mask, group_labels=groups)
    assert torch.equal(weights(best), weights(search.best_estimator_))
    assert PGD.epsilon == 0.5  # a search works on copies


def test_a_search_through_a_pipeline(problem):
    X, y, mask, _ = problem
    pipeline = make_pipeline(StandardScaler(), combined(("pgd", PGD), max_epochs=1))
    step = "explanationclassifier"
    search = GridSearchCV(pipeline, {f"{step}__pgd__epsilon": [0.1, 9.0]}, cv=2)
    search.set_params(error_score="raise").fit(X, y, **{f"{step}__mask": mask})
    best = search.best_estimator_[-1].trainer_.method.terms[0].penalty.epsilon
    assert best == search.best_params_[f"{step}__pgd__epsilon"]


# -- what is refused ------------------------------------------------------------------------------

TWICE = [("m", MaskedFeaturePenalty()), ("n", MaskedFeaturePenalty())]
BOTH = [("pgd", PGD), ("grad", GRAD)]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"penalties": [PGD]}, r"list of \(name, penalty\) pairs.*got \[WorstCase"),
        ({"penalties": [("pgd", WorstCasePenalty)]}, r"an instance of skexplain\.penalties\.P"),
        ({"penalties": [("pgd", ERMClassifier())]}, r"an instance of skexplain\.penalties\.P"),
        ({"penalties": [(3, PGD)]}, r"list of \(name, penalty\) pairs"),
        ({"penalties": "pgd"}, "The 'penalties' parameter"),
        ({"penalties": [("pgd", PGD), ("pgd", GRAD)]}, "distinct names.*got 'pgd' among"),
        ({"penalties": [("a__b", PGD)]}, "without '__'.*got 'a__b'"),
        ({"penalties": [("a b", PGD)]}, "identifiers.*got 'a b'"),
        ({"penalties": [("lr", PGD)]}, "neither parameters.*got 'lr'"),
        ({"penalties": [("optimizer", PGD)]}, "neither parameters.*got 'optimizer'"),
        ({"penalties": [("compile", PGD)]}, "neither parameters.*got 'compile'"),
        ({"penalties": [("clean", PGD)]}, "nor among .*'clean'.*got 'clean'"),
        ({"penalties": [("label_loss", PGD)]}, "got 'label_loss'"),
        ({"penalties": [("batch_count", PGD)]}, "got 'batch_count'"),
        ({"penalties": [("order", PGD)]}, "got 'order'"),  # it would draw as the batches do
        ({"alpha": -1.0}, "The 'alpha' parameter"),
        ({"alpha": "typo"}, "The 'alpha' parameter"),
        ({"alpha": {"pdg": 1.0}}, r"names of penalties, \['pgd', 'grad'\].*got 'pdg': 1.0"),
        ({"alpha": {"pgd": -1}}, "to non-negative numbers.*got 'pgd': -1"),
        ({"alpha": {"pgd": np.nan}}, "got 'pgd': nan"),
        ({"alpha": {"pgd": np.inf}}, "got 'pgd': inf"),
        ({"alpha": {"pgd": "typo"}}, "got 'pgd': 'typo'"),
        ({"alpha": {"pgd": np.ones(2)}}, "got 'pgd': array"),
        ({"at": "pgd"}, "The 'at' parameter"),
        ({"at": {"grad": "pdg"}}, "at must map input-gradient penalties.*got 'grad': 'pdg'"),
        ({"at": {"gard": "pgd"}}, "got 'gard': 'pgd'"),
        ({"at": {"pgd": "grad"}}, "got 'pgd': 'grad'"),
        ({"at": {"pgd": "pgd"}}, "got 'pgd': 'pgd'"),
        ({"at": {"grad": "grad"}}, "got 'grad': 'grad'"),
        ({"at": {"grad": "clean"}}, "got 'grad': 'clean'"),
        ({"reduction": "max"}, "The 'reduction' parameter"),
        ({"schedule": "three_stage"}, "The 'schedule' parameter"),
        ({"schedule": "two_stage"}, 'schedule="two_stage" needs one MaskedFeature.*got 0'),
        ({"penalties": TWICE}, 'schedule="joint" at most one; got 2'),
        (
            {"penalties": [("m", MaskedFeaturePenalty(train_features=False))], "mapping": None},
            "m__train_features must be True with mapping=None",
        ),
        ({"compile": True}, "compile must be False with InputGradientPenalty"),
        (
            {"penalties": [("concept", ConceptGradientPenalty("features"))]},
            r"that of 'concept'.*use ConceptGradRegClassifier",
        ),
    ],
)
def test_bad_combinations(params, told, problem):
    X, y, mask, _ = problem
    clf = combined(*BOTH, **{key: params[key] for key in params if key != "penalties"})
    if "penalties" in params:
        clf.penalties = params["penalties"]
    with pytest.raises(ValueError, match=told):
        clf.fit(X, y, mask=mask)
    assert not hasattr(clf, "trainer_")


@pytest.mark.parametrize(
    ("penalty", "told"),
    [
        (WorstCasePenalty(epsilon=-1), "p__epsilon must be a non-negative number, got -1"),
        (WorstCasePenalty(epsilon=np.nan), "p__epsilon must be a non-negative number, got nan"),
        (WorstCasePenalty(epsilon="1"), "p__epsilon must be a non-negative number, got '1'"),
        (WorstCasePenalty(n_steps=0), "p__n_steps must be a positive integer, got 0"),
        (WorstCasePenalty(n_steps=2.5), "p__n_steps must be a positive integer, got 2.5"),
        (WorstCasePenalty(step_size=0.0), "p__step_size must be a positive number, got 0.0"),
        (WorstCasePenalty(random_start=2), "p__random_start must be True or False, got 2"),
        (WorstCasePenalty(clip="dta"), r"p__clip must be one of \['data'\], got 'dta'"),
        (WorstCasePenalty(clip=(1, 0)), r"p__clip must be a pair of numbers.*got \(1, 0\)"),
        (WorstCasePenalty(clip=3), "p__clip must be a pair of numbers.*got 3"),
        (WorstCasePenalty(np.inf, clip=None), "p__epsilon may be infinite only with a finite"),
        (WorstCasePenalty(np.inf, clip=(0, np.inf)), "p__epsilon may be infinite only"),
        (CertifiedPenalty(epsilon=-1), "p__epsilon must be a non-negative number, got -1"),
        (CertifiedPenalty(bound="typo"), r"p__bound must be one of \['margin', 'logits'\]"),
        (CertifiedPenalty(np.inf, clip=None), "p__epsilon may be infinite only"),
        (
            InputGradientPenalty("typo"),
            r"p__output must be one of \['auto', .*'typo'",
        ),
        (
            InputGradientPenalty(norm="l3"),
            r"p__norm must be one of \['l2', 'l1', .*got 'l3'",
        ),
        (InputGradientPenalty(sign=1), "p__sign must be one of .*got 1"),
        (InputGradientPenalty(sign="positive"), 'p__sign must be "both" unless output'),
        (AverageCasePenalty("typo"), r"p__perturbation must be one of \['gaussian'.*got 'typo'"),
        (AverageCasePenalty(epsilon=-1), "p__epsilon must be a non-negative number, got -1"),
        (AverageCasePenalty(epsilon=np.inf), "p__epsilon must be a non-negative number, got inf"),
        (AverageCasePenalty(n_draws=0), "p__n_draws must be a positive integer, got 0"),
        (AverageCasePenalty(max_shift=-2), "p__max_shift must be a positive integer, got -2"),
        (AverageCasePenalty(background="red"), "p__background must be one of .*got 'red'"),
        (AverageCasePenalty("blank", fill="maen"), "p__fill must be a finite .*got 'maen'"),
        (AverageCasePenalty("blank", fill=[1, 2]), "p__fill must be a finite number, .mean. or"),
        (MaskedFeaturePenalty(fill="maen"), "p__fill must be a finite number.*got 'maen'"),
        (MaskedFeaturePenalty(fill=np.ones(3)), "p__fill must be a finite number, .mean. or"),
        (MaskedFeaturePenalty(train_features="no"), "p__train_features must be True or False"),
        (HINTPenalty("typo"), r"p__attribution must be one of \['grad_cam', .*got 'typo'"),
        (HINTPenalty(layer=3), "p__layer must be a string or None, got 3"),
        (GradCAMPenalty(layer=3), "p__layer must be a string or None, got 3"),
    ],
    ids=repr,
)
def test_bad_parameters_of_penalties(penalty, told, problem):
    X, y, mask, _ = problem
    clf = combined(("p", penalty))
    with pytest.raises(ValueError, match=told):
        clf.fit(X, y, mask=mask)
    assert not hasattr(clf, "trainer_")


@pytest.mark.parametrize(
    "penalty",
    [
        WorstCasePenalty(0, np.int64(1), np.float32(0.5), np.bool_(False), [-1, 1]),
        WorstCasePenalty(np.inf, clip=np.array([-1.0, 1.0])),
        WorstCasePenalty(np.float32(1), clip=None),
        InputGradientPenalty("log_prob_true", sign="negative"),
        AverageCasePenalty(lambda rows, donors, generator: rows.x + 1),
        AverageCasePenalty("blank", fill="mean"),
        MaskedFeaturePenalty(np.ones((1, 4))),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
def test_legal_parameters_of_penalties(penalty, problem):
    X, y, mask, _ = problem
    clf = combined(("p", penalty), alpha={"p": np.float32(0.5)}, max_epochs=1)
    assert np.isfinite(clf.fit(X, y, mask=mask).history_[-1, "train_p"])


def test_a_typo_in_the_parameters_of_concepts():
    with pytest.raises(ValueError, match="output must be one of"):
        ConceptGradientPenalty("features", output="typo").check_parameters()
    with pytest.raises(ValueError, match="layer must be a string, got None"):
        ConceptGradientPenalty(None).check_parameters()
    with pytest.raises(ValueError, match="norm must be one of"):
        ConceptGradientPenalty("features", norm="typo").check_parameters()
    ConceptGradientPenalty("features", np.eye(3)).check_parameters()


def test_groups_without_their_reduction_are_refused(problem):
    X, y, mask, groups = problem
    with pytest.raises(ValueError, match='group_labels must be None unless reduction="group_dro"'):
        combined(("grad", GRAD)).fit(X, y, mask=mask, group_labels=groups)


# -- going on -------------------------------------------------------------------------------------


def test_penalties_may_change_between_warm_starts(problem):
    X, y, mask, _ = problem
    clf = combined(("grad", GRAD), warm_start=True, max_epochs=1).fit(X, y, mask=mask)
    clf.set_params(penalties=[("pgd", clone(PGD))], alpha={"pgd": 0.5}).fit(X, y, mask=mask)
    assert clf.alphas_ == {"pgd": 0.5}
    assert "train_pgd" in clf.history_[1]
    assert "train_grad" not in clf.history_[1]
    clf.set_params(pgd__epsilon=7.0).fit(X, y, mask=mask)
    assert clf.trainer_.method.terms[0].penalty.epsilon == 7.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reduction": "group_dro"}, "reduction must not be set to 'group_dro' when training"),
        ({"schedule": "joint"}, "schedule must not be set to 'joint' when training goes on"),
        ({"schedule": "joint", "penalties": [("grad", GRAD)]}, "must not be set to"),
    ],
)
def test_what_the_first_fit_has_settled(change, told, problem):
    X, y, mask, _ = problem
    clf = combined(("m", MaskedFeaturePenalty()), schedule="two_stage", warm_start=True)
    clf.fit(X, y, mask=mask)
    learnt = weights(clf)
    with pytest.raises(ValueError, match=told):
        clf.set_params(**change).fit(X, y, mask=mask)
    assert torch.equal(weights(clf), learnt)
    clf.set_params(warm_start=False).fit(X, y, mask=mask)


def test_a_mapping_layer_neither_comes_nor_goes_when_training_goes_on(problem):
    X, y, mask, _ = problem
    mapped, plain = [("m", MaskedFeaturePenalty())], [("grad", GRAD)]
    for before, after in ((mapped, plain), (plain, mapped)):
        clf = combined(*before, warm_start=True).fit(X, y, mask=mask)
        with pytest.raises(ValueError, match="penalties must not be set to .* mapping layer"):
            clf.set_params(penalties=after).fit(X, y, mask=mask)


def test_groups_may_not_be_given_up_when_training_goes_on(problem):
    X, y, mask, groups = problem
    clf = combined(reduction="group_dro", warm_start=True).fit(X, y, group_labels=groups)
    with pytest.raises(ValueError, match="reduction must not be set to 'mean'"):
        clf.set_params(reduction="mean").fit(X, y)


def test_everything_at_once_goes_on_epoch_by_epoch(problem):
    """Groups, two stages, and penalties with draws, donors and places."""
    X, y, mask, groups = problem
    everything = combined(
        ("m", MaskedFeaturePenalty()),
        ("swap", AverageCasePenalty("swap")),
        ("pgd", PGD),
        ("grad", GRAD),
        alpha={"grad": "auto", "swap": 0.5},
        at={"grad": "swap"},
        schedule="two_stage",
        reduction="group_dro",
        group_step_size=0.5,
    )
    at_once = clone(everything).fit(X, y, mask=mask, group_labels=groups)
    for _ in range(3):
        everything.partial_fit(X, y, classes=[0, 1], mask=mask, group_labels=groups)
    assert torch.equal(weights(everything), weights(at_once))
    assert everything.alphas_ == at_once.alphas_
    assert everything.alphas_["grad"] > 0
    copy = pickle.loads(pickle.dumps(everything))
    for one in (copy, everything):
        one.partial_fit(X, y, mask=mask, group_labels=groups)
    assert torch.equal(weights(copy), weights(everything))


def test_a_compiled_two_stage_fit_can_be_stored(problem):
    X, y, mask, _ = problem
    params = {"schedule": "two_stage", "max_epochs": 1, "module": Perceptron}
    clf = combined(("m", MaskedFeaturePenalty()), compile=True, compile__backend="eager", **params)
    clf.fit(X, y, mask=mask)
    plain = combined(("m", MaskedFeaturePenalty()), **params).fit(X, y, mask=mask)
    torch.testing.assert_close(weights(clf), weights(plain))
    stored = pickle.dumps(clf)
    assert b"OptimizedModule" not in stored  # the compiled form itself stays out
    np.testing.assert_array_equal(pickle.loads(stored).predict(X), clf.predict(X))
