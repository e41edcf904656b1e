"""Check that every argument of fit and every parameter that is not legal raises an error with its
name, what is legal and what was given.  Masks have a test file of their own.
"""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import torch
from _estimators import ESTIMATORS, Perceptron, make_problem, quick, weights
from _pairs import in_turn
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from torch import nn

import skexplain
from skexplain.exceptions import DivergenceError
from skexplain.penalties import InputGradientPenalty

NAN, INF = float("nan"), float("inf")


@pytest.fixture(params=ESTIMATORS, ids=lambda cls: cls.__name__)
def cls(request):
    return request.param


def assert_refused(estimator, kind=ValueError, match=None, method="fit", **arguments):
    """Assert that a fit is refused and leaves nothing behind; `arguments` replace good ones."""
    X, y, mask = make_problem()
    with pytest.raises(kind, match=match):
        getattr(estimator, method)(**{"X": X, "y": y, "mask": mask, **arguments})
    assert not hasattr(estimator, "trainer_")
    assert not hasattr(estimator, "n_features_in_")


def changed(value, row=5, dtype=np.float64):
    """Good X with one bad value."""
    X = make_problem()[0].astype(dtype)
    X[row, 1] = value
    return X


# -- X --------------------------------------------------------------------------------------------

BAD_X = [
    (np.empty((0, 4)), r"array with 0 sample\(s\).*minimum of 1 is required"),
    (np.empty((60, 0)), r"0 feature\(s\).*minimum of 1 is required"),
    (np.arange(60.0), r"Expected 2D array, got 1D array instead"),
    (changed(NAN), "Input X contains NaN"),
    (changed(INF), "Input X contains infinity"),
    (changed(-INF, dtype=np.float32), "Input X contains infinity"),
    (changed(1e39), r"X must hold values that fit into float32 \(at most 3.4e\+38.*got 1e\+39"),
    (changed(-1e39), r"X must hold values that fit into float32 .*got 1e\+39"),
    (changed("a", dtype=object), "could not convert string to float: 'a'"),
    (changed(1j, dtype=complex), "Complex data not supported"),
]


# X, y and weights are checked in the base: every estimator, and every bad value, once.
@pytest.mark.parametrize(("cls", "bad"), in_turn(ESTIMATORS, BAD_X))
def test_bad_X(cls, bad):
    X, match = bad
    assert_refused(quick(cls), X=X, match=match)
    assert_refused(quick(cls), X=X, match=match, method="partial_fit", classes=[0, 1])


def test_sparse_X(cls):
    X = scipy.sparse.csr_array(make_problem()[0])
    assert_refused(quick(cls), TypeError, "Sparse data was passed for X, but dense.*toarray", X=X)


@pytest.mark.parametrize(("cls", "channels"), in_turn(ESTIMATORS, [1, 3, 4]))
def test_channels_last(cls, channels):
    X = np.zeros((60, 8, 9, channels), dtype=np.uint8)
    match = (
        rf"X must have its channels on axis 1, got .*\(8, 9, {channels}\).*transpose\(0, 3, 1, 2"
    )
    assert_refused(quick(cls), X=X, mask=None, match=match)


def test_too_many_axes_for_the_built_in_networks(cls):
    X = np.random.default_rng(0).random((60, 2, 3, 4, 5))
    match = r'module="auto" takes X of shape \(n, d\).*got samples of shape \(2, 3, 4, 5\)'
    assert_refused(quick(cls), X=X, mask=np.ones((1, 2, 3, 4, 5)), match=match)


BAD_AT_PREDICTION = [
    (np.zeros((3, 5)), ValueError, "X has 5 features, but .* is expecting 4 features"),
    (np.zeros((3, 4, 2)), ValueError, r"X must have samples of shape \(4,\) .*got \(4, 2\)"),
    (np.zeros(4), ValueError, "Expected 2D array, got 1D array"),
    (changed(NAN), ValueError, "Input X contains NaN"),
    (changed(1e39), ValueError, "X must hold values that fit into float32"),
    (scipy.sparse.csr_array(np.zeros((3, 4))), TypeError, "Sparse data was passed for X"),
]


@pytest.mark.parametrize(("cls", "case"), in_turn(ESTIMATORS, BAD_AT_PREDICTION))
def test_bad_X_at_prediction(cls, case):
    bad, kind, match = case
    X, y, mask = make_problem()
    estimator = quick(cls, max_epochs=1).fit(X, y, mask=mask)
    for method in (estimator.predict, estimator.predict_proba, estimator.partial_fit):
        arguments = (
            (bad, np.arange(bad.shape[0]) % 2) if method == estimator.partial_fit else (bad,)
        )
        with pytest.raises(kind, match=match):
            method(*arguments)


def test_images_of_another_size_at_prediction(cls):
    X = np.random.default_rng(0).integers(0, 256, size=(20, 8, 8), dtype=np.uint8)
    estimator = quick(cls, max_epochs=1).fit(X, np.arange(20) % 2, mask=X[:1] > 200)
    # scikit-learn's own check knows the length of axis 1 only.
    for shape in ((8, 9), (1, 8, 8), (64,)):
        match = rf"samples of shape \(8, 8\) as at fit, got {re.escape(str(shape))}"
        with pytest.raises(ValueError, match=match):
            estimator.predict(np.zeros((2, *shape)))


def test_other_columns_at_prediction(cls):
    X, y, mask = make_problem()
    frame = pd.DataFrame(X, columns=list("abcd"))
    estimator = quick(cls, max_epochs=1).fit(frame, y, mask=mask)
    with pytest.raises(ValueError, match="feature names should match"):
        estimator.predict(frame[list("bacd")])


def test_predict_before_fit(cls):
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is not fitted yet"):
            getattr(quick(cls), method)(np.zeros((2, 4)))


# -- y and sample_weight --------------------------------------------------------------------------

BAD_Y = [
    (None, "requires y to be passed, but the target y is None"),
    (np.where(np.arange(60) == 3, NAN, 1.0), "Input y contains NaN"),
    (np.linspace(0, 1, 60), "Unknown label type: continuous"),
    (np.arange(59) % 2, r"inconsistent numbers of samples: \[60, 59\]"),
    (np.zeros((60, 2)), r"y must hold one label per sample, got shape \(60, 2\).*MultiOutput"),
]


@pytest.mark.parametrize(("cls", "bad"), in_turn(ESTIMATORS, BAD_Y))
def test_bad_y(cls, bad):
    y, match = bad
    assert_refused(quick(cls), y=y, match=match)
    assert_refused(quick(cls), y=y, match=match, method="partial_fit", classes=[0, 1])


def test_one_class(cls):
    match = f"{cls.__name__} needs samples of at least two classes.*got one class only, .*7"
    assert_refused(quick(cls), y=np.full(60, 7), match=match)
    # Also where weights leave one class only.
    _, y, _ = make_problem()
    match = match.replace("7", "1")
    assert_refused(quick(cls), sample_weight=y.astype(float), match=match)


BAD_WEIGHTS = [
    (np.where(np.arange(60) == 3, -1.0, 1.0), "Negative values in data passed to `sample_weight`"),
    (np.ones(59), r"sample_weight.shape == \(59,\), expected \(60,\)"),
    (np.ones((60, 2)), "[Ss]ample.weights? must be 1D array or scalar"),
    (np.zeros(60), "[Ss]ample.weights? must (contain at least one non-zero|be positive for some)"),
    (np.full(60, NAN), "Input sample_weight contains NaN"),
    (float("inf"), "sample_weight must be finite, got inf"),
    (np.full(60, "heavy"), "sample_weight must hold numbers"),
]


@pytest.mark.parametrize(("cls", "bad"), in_turn(ESTIMATORS, BAD_WEIGHTS))
def test_bad_sample_weight(cls, bad):
    sample_weight, match = bad
    assert_refused(quick(cls), sample_weight=sample_weight, match=match)


# -- parameters -----------------------------------------------------------------------------------

BOOL = ["yes", 2, None]
COUNT = [0, -1, 1.5, "3", True]
NUMBER = [-0.1, NAN, INF, "a", None]
POSITIVE = [0, *NUMBER]

BAD_PARAMETERS = {
    "module": ["mlp", 3, None, int],
    "optimizer": ["adam", None],
    "lr": POSITIVE,
    "backbone_lr": NUMBER[:-1],
    "lr_schedule": ["linear", None],
    "max_epochs": COUNT,
    "batch_size": [0, -2, 1.5, "all", None],
    "label_loss": ["hinge", None, nn.CrossEntropyLoss()],
    "focal_gamma": NUMBER,
    "label_smoothing": [-0.1, 1.1, NAN, "a", None],
    "class_weight": ["heavy", [1, 2], {0: -1, 1: 1}, {0: NAN, 1: 1}, {0: "a"}, {0: 0, 1: 0}],
    "mask_marks": ["irelevant", None, 1],
    "input_unit": ["std", None, 1.0],
    "embedding_layer": ["nope", 3, ""],
    "pad_id": [1.5, "a", -0.5],
    "mask_id": [1.5, "a", -0.5],
    "annotated_per_batch": COUNT,
    "augment": ["strong", 3, True],
    "penalty_chunk_size": [*COUNT, "64", "0MB", "-1GB", "512mb", "nanGB"],
    "penalty_every": [*COUNT, None],
    "batches_by_length": BOOL,
    "device": ["tpu", 3, None, "meta", "cuda:99"],
    "compile": BOOL,
    "mixed_precision": BOOL,
    "deterministic": BOOL,
    "early_stopping": BOOL,
    "validation_fraction": [0.0, 1.0, 5, "a", NAN, None],
    "n_iter_no_change": [*COUNT, None],
    "callbacks": ["x", [3], [("name", 3)], Callback()],
    "verbose": [3, -1, "yes", None],
    "warm_start": BOOL,
    "random_state": [-1, "zero", 2**32, 0.5],
}
BAD_ALPHA = [-0.1, NAN, INF, "automatic", None]
BAD_AVERAGE = {"alpha": BAD_ALPHA, "n_draws": COUNT, "exchange": BOOL, "grad_alpha": NUMBER}
BAD_ONE_PENALTY = {"alpha": [*BAD_ALPHA, "replace"]}  # of what is no perturbation
BAD_GROUPS = {"group_step_size": NUMBER, "group_adjustment": NUMBER}
BAD_MAPPING = {
    "mapping": ["quadratic", 3, nn.Linear, nn.Linear(3, 3), "conv1x1"],
    "mapping_init": ["zeros", None],
    "mapping_lr": POSITIVE,
    "feature_layer": ["nope", 3, ""],
}
BAD_CLIP = ["range", 3, (1, 0), (1, 1), (0,), (0, 1, 2), (0, NAN), ("a", "b"), [None, 1]]
BAD_OWN_PARAMETERS = {
    "AvgExClassifier": {
        **BAD_AVERAGE,
        "alpha": BAD_ALPHA[:-1],  # None is that of the perturbation
        "perturbation": ["noise", None, 3],
        "epsilon": NUMBER,
        "fill": ["median", NAN, None, [1, 2], [1, 2, 3, INF]],
        "max_shift": COUNT,
        "background": ["white", None],
    },
    "CDEPClassifier": {**BAD_ONE_PENALTY, "measure": ["l2", None]},
    "CounterexampleClassifier": BAD_AVERAGE,
    "ERMClassifier": {},
    "ExplanationClassifier": {
        "penalties": [
            None,
            "swap",
            [InputGradientPenalty()],
            [("grad", "l2")],
            [("lr", InputGradientPenalty())],
            [("a__b", InputGradientPenalty())],
            [("grad", InputGradientPenalty()), ("grad", InputGradientPenalty())],
        ],
        "alpha": [*BAD_ALPHA, {"swap": -1}, {"nobody": 1}],
        "at": ["swap", {"grad": "nobody"}, {"swap": "grad"}, {"nobody": "swap"}],
        "reduction": ["max", None],
        "schedule": ["three_stage", None, "two_stage"],
        **BAD_GROUPS,
        "mapping_init": ["zeros", None],
        "mapping_lr": POSITIVE,
        "mapping": ["quadratic", 3],
        "feature_layer": [3],
    },
    "GradCAMOnTables": {
        **BAD_ONE_PENALTY,
        "layer": ["nope", 3, ""],
        "channel_axis": [0, 1.5, "last"],
    },
    "GroupDROClassifier": BAD_GROUPS,
    "HINTClassifier": {
        **BAD_ONE_PENALTY,
        "attribution": ["lime", None],
        "layer": [3],
        "channel_axis": [0, 1.5, "last"],
    },
    "IBPExClassifier": {
        "alpha": [*NUMBER, "auto", "replace"],
        "epsilon": [-0.1, NAN, "inf", None],
        "bound": ["lower", None],
        "clip": BAD_CLIP,
        "exchange": BOOL,
        "epsilon_ramp": [-0.1, 1.1, NAN, None],
        "alpha_ramp": [-0.1, 1.1, NAN, None],
        "grad_alpha": NUMBER,
    },
    "InfluenceRegClassifier": BAD_ONE_PENALTY,
    "SwapExClassifier": BAD_AVERAGE,
    "GradRegClassifier": {
        "robust": ["worst", 3, True],
        "epsilon": NUMBER,
        "n_steps": COUNT,
        "alpha": BAD_ALPHA,
        "output": ["log_prob", None],
        "norm": ["l3", 2, None],
        "sign": ["plus", 1, None, "positive", "negative"],  # one-sided needs another output
    },
    "PGDExClassifier": {
        "alpha": BAD_ALPHA,
        "epsilon": [-0.1, NAN, "inf", None],
        "n_steps": COUNT,
        "step_size": [0, -1, NAN, INF, "a"],
        "random_start": BOOL,
        "clip": BAD_CLIP,
        "exchange": BOOL,
        "grad_alpha": NUMBER,
        "grad_at": ["moved", None],
    },
    "TwoStageExplanationClassifier": {
        "alpha": [*NUMBER, "auto", "replace"],
        **BAD_MAPPING,
        "schedule": ["three_stage", None],
        "mask_fill": ["median", NAN, None, [1, 2], [1, 2, 3, INF]],
    },
}


def bad_values(cls):
    """All bad values of parameters of its own, and one of each that all have: ERM has all."""
    number, own = ESTIMATORS.index(cls), BAD_OWN_PARAMETERS[cls.__name__]
    for name, values in {**BAD_PARAMETERS, **own}.items():
        every = name in own or cls is skexplain.ERMClassifier
        yield from (
            (name, value) for value in (values if every else [values[number % len(values)]])
        )


CASES = [
    # Addresses differ between processes, and so would the names of cases.
    pytest.param(
        cls, name, value, id=re.sub(" at 0x.*", "", f"{cls.__name__}-{name}-{value!r}"[:70])
    )
    for cls in ESTIMATORS
    for name, value in bad_values(cls)
]


@pytest.mark.parametrize(("cls", "name", "value"), CASES)
def test_bad_parameter(cls, name, value):
    estimator = quick(cls, **{name: value})  # nothing is checked before fit
    X, y, mask = make_problem()
    with pytest.raises((TypeError, ValueError)) as caught:
        estimator.fit(X, y, mask=mask)
    message = str(caught.value)
    assert name in message
    assert re.search("must|needs", message)  # what is legal
    assert re.search("[gG]ot ", message)  # what came
    assert set(vars(estimator)) == set(vars(quick(cls, **{name: value})))


def test_every_parameter_has_a_bad_case(cls):
    bad = {**BAD_PARAMETERS, **BAD_OWN_PARAMETERS[cls.__name__]}
    assert set(bad) == set(cls().get_params())
    assert all(bad.values())


def test_parameters_that_do_not_go_together():
    pgd, grad_reg = skexplain.PGDExClassifier, skexplain.GradRegClassifier
    two_stage = skexplain.TwoStageExplanationClassifier
    infinite = r"epsilon may be infinite only with a finite clip.*epsilon=inf with clip="
    assert_refused(quick(pgd, epsilon=INF, clip=None), match=infinite)
    assert_refused(quick(pgd, epsilon=INF, clip=(-INF, INF)), match=infinite)
    sign = r'sign must be "both" unless output="log_prob_true", got sign=.negative.'
    assert_refused(quick(grad_reg, sign="negative", output="prob_max"), match=sign)
    compiled = "compile must be False with InputGradientPenalty"
    assert_refused(quick(grad_reg, compile=True), match=compiled)
    assert_refused(quick(pgd, grad_alpha=1.0, compile=True), match=compiled)
    identity = r'mapping_init="identity" goes with mapping="linear".* "conv1x1", got mapping=None'
    assert_refused(quick(two_stage, mapping=None, mapping_init="identity"), match=identity)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, at its first compilation
def test_compiled_module_with_a_gradient_penalty():
    module = torch.compile(Perceptron())
    match = "module must be as it was before torch.compile with InputGradientPenalty"
    assert_refused(quick(skexplain.GradRegClassifier, module=module), match=match)


# -- keywords with and without a prefix -----------------------------------------------------------


def test_keyword_without_a_prefix(cls):
    for name in ("alhpa", "modul__width", "module_width"):
        match = rf"{cls.__name__} got an unexpected keyword '{name}'.*'lr'.*start with .*'module__'"
        with pytest.raises(TypeError, match=match):
            cls(**{name: 3})
        with pytest.raises(ValueError, match=f"Invalid parameter '{name.split('__')[0]}'"):
            cls().set_params(**{name: 3})


UNKNOWN_KEYWORDS = [
    (
        {"module": Perceptron, "module__widht": 3},
        r"module__widht is not a parameter of Perceptron, which takes .*'module__width'",
    ),
    (
        {"module": Perceptron(), "module__width": 3},
        r"module__width must go with a class or function: got an instance of Perceptron",
    ),
    ({"module__width": 3}, r"module__width is not a parameter of"),
    ({"optimizer__betta": 3}, r"unexpected keyword argument 'betta'"),
    ({"callbacks__decay__gamma": 3}, r"callbacks__decay__gamma names none of the callbacks"),
]


@pytest.mark.parametrize(("cls", "unknown"), in_turn(ESTIMATORS, UNKNOWN_KEYWORDS))
def test_unknown_keyword_with_a_prefix(cls, unknown):
    params, match = unknown
    assert_refused(quick(cls, **params), (TypeError, ValueError), match)


# -- modules --------------------------------------------------------------------------------------


class Returning(nn.Module):
    """A network that does something else with its logits."""

    def __init__(self, spoil, n_outputs=2):
        super().__init__()
        self.linear = nn.Linear(4, n_outputs)
        self.spoil = spoil

    def forward(self, x):
        return self.spoil(self.linear(x))


WRONG_OUTPUTS = [
    (Returning(lambda z: z, n_outputs=3), r"outputs of shape \(n_samples, 2\).*got \(2, 3\)"),
    (Returning(lambda z: z[:, 0]), r"outputs of shape \(n_samples, 2\).*got \(2,\)"),
    (Returning(lambda z: z[:1]), r"outputs of shape \(n_samples, 2\).*got \(1, 2\)"),
    (Returning(lambda z: z[None]), r"outputs of shape \(n_samples, 2\).*got \(1, 2, 2\)"),
    (Returning(lambda z: (z[:1], z)), r"outputs of shape \(n_samples, 2\).*got \(1, 2\)"),
    (Returning(lambda z: ()), r"outputs of shape \(n_samples, 2\).*got <class 'tuple'>"),
    (Returning(lambda z: {"hidden": z}), r"outputs of shape \(n_samples, 2\).*got <class 'dict'>"),
    (Returning(lambda z: z.detach().numpy()), r"outputs of shape.*got <class 'numpy.ndarray'>"),
]


@pytest.mark.parametrize(("cls", "wrong"), in_turn(ESTIMATORS, WRONG_OUTPUTS))
def test_module_of_wrong_outputs(cls, wrong):
    module, match = wrong

    def build():
        return module

    assert_refused(quick(cls, module=build), match=f"module must return {match}")


def test_module_that_gives_no_module(cls):
    def build():
        return "perceptron"

    match = "module must give a torch.nn.Module, got str"
    assert_refused(quick(cls, module=build), TypeError, match)


# -- divergence -----------------------------------------------------------------------------------


class Spoil(Callback):
    """Makes a weight NaN when an epoch begins."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            with torch.no_grad():
                next(net.module_.parameters()).fill_(NAN)


def test_divergence_keeps_the_last_good_epoch(cls):
    X, y, mask = make_problem()
    estimator = quick(cls, callbacks=[Spoil(3)], max_epochs=5, random_state=0)
    with pytest.raises(DivergenceError, match=r"not finite in epoch 3 \(train_loss = nan\)"):
        estimator.fit(X, y, mask=mask)
    good = quick(cls, max_epochs=2, random_state=0).fit(X, y, mask=mask)
    assert torch.equal(weights(estimator), weights(good))
    np.testing.assert_array_equal(estimator.predict(X), good.predict(X))
    estimator.set_params(callbacks=None).partial_fit(X, y, mask=mask)  # and it may go on
    assert np.isfinite(estimator.history_[-1, "train_loss"])
    assert torch.isfinite(weights(estimator)).all()


def test_divergence_by_the_learning_rate(cls):
    X, y, mask = make_problem()
    estimator = quick(cls, lr=1e38, optimizer=torch.optim.SGD, random_state=0)
    with pytest.raises(DivergenceError, match=r"not finite in epoch 1 .*Lower lr"):
        estimator.fit(X, y, mask=mask)
    assert np.isfinite(estimator.predict_proba(X)).all()


def test_divergence_with_early_stopping(cls):
    X, y, mask = make_problem(n_rows=120)
    params = {"early_stopping": True, "validation_fraction": 0.3, "callbacks": [Spoil(3)]}
    estimator = quick(cls, random_state=0, **params)
    with pytest.raises(DivergenceError, match="epoch 3"):
        estimator.fit(X, y, mask=mask)
    losses = estimator.history_[:2, "valid_loss"]
    best = quick(cls, random_state=0, **{**params, "callbacks": None})
    best.set_params(max_epochs=int(np.argmin(losses)) + 1).fit(X, y, mask=mask)
    assert torch.equal(weights(estimator), weights(best))


# -- prediction ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["float32", "float64", "float16", "int32", "uint8", "bool", ">f4"]
)
def test_arrays_that_need_no_further_check_are_predicted_as_lists_are(dtype):
    """Arrays of numbers skip scikit-learn's checks, lists do not."""
    X, y, _ = make_problem()
    clf = quick(skexplain.ERMClassifier, random_state=0).fit(X, y)
    given = np.round(X).clip(0, 3).astype(dtype)
    before = given.copy()
    np.testing.assert_array_equal(clf.predict_proba(given), clf.predict_proba(given.tolist()))
    assert np.array_equal(given, before)


@pytest.mark.parametrize(
    ("values", "match"),
    [
        ([NAN], "contains NaN"),
        ([INF], "contains infinity"),
        ([1e39], "fit into float32"),
    ],
)
def test_arrays_that_do_are_checked_at_prediction(values, match):
    X, y, _ = make_problem()
    clf = quick(skexplain.ERMClassifier).fit(X, y)
    X[: len(values), 1] = values
    with pytest.raises(ValueError, match=match):
        clf.predict(X)


def test_finite_values_whose_sum_is_not_are_predicted():
    X, y, _ = make_problem()
    clf = quick(skexplain.ERMClassifier).fit(X, y)
    large = np.full((3, 4), 3e38, dtype=np.float32)
    large[:, 1] = 0
    assert clf.trainer_.outputs(large).shape == (3, 2)
    with pytest.raises(ValueError, match="outputs of module_ are not finite|fit into float32"):
        clf.predict(np.full((3, 4), 1e308))
