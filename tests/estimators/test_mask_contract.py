"""Check that a mask means the same to every estimator, however it is spelled."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from _estimators import LEARNERS, ConvolutionOnTables, GradCAMOnTables, weights
from _pairs import in_pairs, in_turn
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    CounterexampleClassifier,
    ERMClassifier,
    ExplanationClassifier,
    GradRegClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.exceptions import MissingExplanationWarning
from skexplain.penalties import AverageCasePenalty, InputGradientPenalty

# Few rows with any marks: these may well tell the class.
pytestmark = pytest.mark.filterwarnings("ignore::skexplain.exceptions.RemainingShortcutWarning")

# Each way in which an estimator learns from masks.  A new estimator needs a row.
BLANK_AND_GRAD = [("blank", AverageCasePenalty("blank")), ("grad", InputGradientPenalty())]
PENALTIES = {
    "avg": lambda **kw: AvgExClassifier(**kw),
    "cdep": lambda **kw: CDEPClassifier(**kw),
    "counterexample": lambda **kw: CounterexampleClassifier(**kw),
    "explanation": lambda **kw: ExplanationClassifier(
        **{"penalties": BLANK_AND_GRAD, "at": {"grad": "blank"}, **kw}
    ),
    "grad_cam": lambda **kw: GradCAMOnTables(**kw),
    "grad_reg": lambda **kw: GradRegClassifier(**kw),
    "ibp": lambda **kw: IBPExClassifier(epsilon_ramp=0, alpha_ramp=0, **kw),
    "influence": lambda **kw: InfluenceRegClassifier(**kw),
    "pgd": lambda **kw: PGDExClassifier(n_steps=2, **kw),
    "pgd_and_grad": lambda **kw: PGDExClassifier(**{"n_steps": 2, "grad_alpha": 0.5, **kw}),
    "swap": lambda **kw: SwapExClassifier(**kw),
}
# Those that reward a look at what is relevant, too.
REWARDS = {
    "hint": lambda **kw: HINTClassifier(attribution="input_gradient", **kw),
}
TWO_STAGES = {
    "two_stage": lambda **kw: TwoStageExplanationClassifier(**kw),
    "joint": lambda **kw: TwoStageExplanationClassifier(schedule="joint", **kw),
}
FORMS = {**PENALTIES, **REWARDS, **TWO_STAGES}
# Those in which rows with nothing irrelevant take part.
TAKE_ALL = {**REWARDS, **TWO_STAGES}
# Those that draw at random for each row.
DRAWN = ("avg", "counterexample", "swap")
# Those that show the network rows that were moved; others look at its gradients.
MOVING = [*DRAWN, "explanation", "pgd", "pgd_and_grad", *TWO_STAGES]
# Those that exchange parts between samples, and what keeps each sample to its own.
EXCHANGING = ("avg", "counterexample", "explanation", "ibp", "pgd", "pgd_and_grad", "swap")
WITHOUT_EXCHANGE = {form: {"exchange": False} for form in EXCHANGING}
WITHOUT_EXCHANGE["explanation"] = {
    "penalties": [("blank", AverageCasePenalty("blank", exchange=False)), BLANK_AND_GRAD[1]]
}
# Those whose default takes the label loss at moved samples instead of the clean ones; added to it:
ADDED = {form: {"alpha": 1.0} for form in ("counterexample", "pgd", "pgd_and_grad", "swap")}
# What has to be zero beside alpha to switch the explanation off.
OFF = {"pgd_and_grad": {"grad_alpha": 0}}

every_form = pytest.mark.parametrize("form", FORMS)
every_penalty = pytest.mark.parametrize("form", PENALTIES)
every_reward = pytest.mark.parametrize("form", REWARDS)
every_two_stage = pytest.mark.parametrize("form", TWO_STAGES)
every_form_that_takes_all = pytest.mark.parametrize("form", TAKE_ALL)
every_form_without_draws = pytest.mark.parametrize("form", [f for f in FORMS if f not in DRAWN])
both_marks = pytest.mark.parametrize("marks", ["irrelevant", "relevant"])
# How a mask is spelled is read in one place for all forms and both marks.
every_form_and_marks = pytest.mark.parametrize(
    ("form", "marks"), in_turn(FORMS, ["irrelevant", "relevant"])
)
few = settings(max_examples=2)

N_ROWS, N_COLUMNS = 12, 4
TABLE = (N_ROWS, N_COLUMNS)
IMAGES = (8, 2, 4, 4)

# Steps that round like their gradients.  Adam's do not: it takes as long a step along a gradient
# that is nothing but rounding.
SMOOTH = {"optimizer": torch.optim.SGD, "lr": 0.1, "batch_size": -1}
# Explanation terms so strong that another mask gives weights beyond rounding.
STRONG = {
    "avg": {"epsilon": 2.0},
    "cdep": {"alpha": 5.0},
    "counterexample": {},
    "explanation": {"alpha": 5.0},
    "grad_cam": {"alpha": 5.0},
    "grad_reg": {"alpha": 50.0},
    "hint": {"alpha": 5.0},
    "ibp": {"epsilon": 2.0},
    "influence": {"alpha": 500.0},
    "swap": {},
    "pgd": {"epsilon": 2.0},
    "pgd_and_grad": {"epsilon": 2.0},
    "two_stage": {"mask_fill": 5.0, "mapping_lr": 1.0},
    "joint": {"mask_fill": 5.0},
}


def problem(shape=TABLE):
    X = np.random.default_rng(0).normal(size=shape)
    y = np.arange(len(X)) % 2
    X.reshape(len(X), -1)[:, 0] += y
    return X, y


class ERMOnTables(ConvolutionOnTables, ERMClassifier):
    """The label loss alone on the network that Grad-CAM has for tables."""


def fitted(form, mask, X=None, y=None, *, shape=TABLE, sample_weight=None, **params):
    """Fit a form, or a class; that it may have nothing to learn from is tested elsewhere."""
    if X is None:
        X, y = problem(shape)
    make = FORMS[form] if isinstance(form, str) else form
    estimator = make(**{"max_epochs": 2, "batch_size": 5, "random_state": 0, **params})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingExplanationWarning)
        try:
            return estimator.fit(X, y, mask=mask, sample_weight=sample_weight)
        except ValueError as error:
            if "since SwapExClassifier takes the values of other samples" in str(error):
                reject()  # of drawn masks with one such row: refused, which is tested elsewhere
            raise


def weights_of(form, mask, *args, **kwargs):
    return weights(fitted(form, mask, *args, **kwargs))


def label_loss_alone(form, mask=None, **params):
    """Weights of the baseline on the network of a form."""
    make = ERMOnTables if form == "grad_cam" else ERMClassifier
    return weights(fitted(make, mask, **params))


def bools(shape=TABLE):
    return hnp.arrays(bool, shape)


def marks_and_nan(shape=TABLE):
    """Degrees that are no mere rounding, and NaN."""
    values = st.sampled_from([0.0, 1.0, np.nan]) | st.floats(0.01, 0.99)
    return hnp.arrays(np.float64, shape, elements=values, fill=st.nothing())


def test_every_estimator_that_learns_from_masks_is_here():
    assert {type(make()) for make in FORMS.values()} == set(LEARNERS)


# -- one meaning, many spellings -----------------------------------------------------------------


SPELLINGS = {
    "int": lambda mask: mask.astype(int),
    "uint8": lambda mask: mask.astype(np.uint8),
    "float32": lambda mask: mask.astype(np.float32),
    "big_endian": lambda mask: mask.astype(">f8"),
    "list": lambda mask: mask.tolist(),
    "list_of_int": lambda mask: mask.astype(int).tolist(),
    "tuples": lambda mask: tuple(map(tuple, mask.astype(float))),
    "object": lambda mask: mask.astype(object),
    "tensor": torch.from_numpy,
    "frame": lambda mask: pd.DataFrame(mask).astype("boolean"),
    "fortran": np.asfortranarray,
}


@pytest.mark.parametrize(
    ("form", "marks", "spelling"), in_turn(FORMS, ["irrelevant", "relevant"], SPELLINGS)
)
@few
@given(bools())
def test_spellings_of_a_0_1_mask_give_equal_bits(form, marks, spelling, mask):
    expected = weights_of(form, mask, mask_marks=marks)
    assert torch.equal(weights_of(form, SPELLINGS[spelling](mask), mask_marks=marks), expected)


@every_form
def test_the_mask_makes_a_difference(form):
    """Without which the equalities here would say nothing."""
    first, last = np.eye(N_COLUMNS)[[0]], np.eye(N_COLUMNS)[[-1]]
    every_other = np.where(np.arange(N_ROWS)[:, None] % 2, first, 0)
    ours = weights_of(form, first)
    for other in (last, first / 2, every_other):
        assert not torch.equal(weights_of(form, other), ours)
    assert not torch.equal(weights_of(form, first, mask_marks="relevant"), ours)


@every_form
@few
@given(bools())
def test_relevant_is_the_opposite_of_irrelevant_to_the_bit(form, mask):
    """But for the exchange of parts: marks of the reasons mark no part."""
    params = WITHOUT_EXCHANGE.get(form, {})
    expected = weights_of(form, mask, **params)
    assert torch.equal(weights_of(form, ~mask, mask_marks="relevant"), expected)
    assert torch.equal(weights_of(form, 1.0 - mask, mask_marks="relevant"), expected)


@every_form
@few
@given(marks_and_nan())
def test_relevant_degrees_are_one_minus_irrelevant_ones(form, mask):
    params = {**SMOOTH, **STRONG[form]}
    irrelevant = weights_of(form, mask, **params, **WITHOUT_EXCHANGE.get(form, {}))
    relevant = weights_of(form, 1 - mask, mask_marks="relevant", **params)
    torch.testing.assert_close(relevant, irrelevant, atol=1e-5, rtol=0)


@every_form_and_marks
@few
@given(marks_and_nan(N_COLUMNS) | bools(N_COLUMNS), st.booleans())
def test_mask_for_all_rows_equals_its_repetition(form, marks, mask, as_rows):
    expected = weights_of(form, np.tile(mask, (N_ROWS, 1)), mask_marks=marks)
    of_rows = [mask] * N_ROWS, np.broadcast_to(mask, TABLE)
    for spelling in of_rows if as_rows else (mask, mask[None]):
        assert torch.equal(weights_of(form, spelling, mask_marks=marks), expected)


@every_form_and_marks
@settings(max_examples=2)
@given(marks_and_nan((8, 4, 4)) | bools((8, 4, 4)))
def test_mask_without_channels_equals_its_broadcast(form, marks, mask):
    params = {"shape": IMAGES, "mask_marks": marks, "max_epochs": 1}
    expected = weights_of(form, mask, **params)
    assert torch.equal(weights_of(form, mask[:, None], **params), expected)
    everywhere = np.repeat(mask[:, None], 2, axis=1)
    assert torch.equal(weights_of(form, everywhere, **params), expected)


@every_form
def test_image_mask_for_all_rows_equals_its_repetition(form):
    mask = np.zeros((4, 4))
    mask[0], mask[1] = 1, np.nan
    expected = weights_of(form, np.tile(mask, (8, 1, 1)), shape=IMAGES)
    for shape in ((1, 4, 4), (1, 1, 4, 4)):
        assert torch.equal(weights_of(form, mask.reshape(shape), shape=IMAGES), expected)
    both_channels = np.tile(mask, (1, 2, 1, 1))
    assert torch.equal(weights_of(form, both_channels, shape=IMAGES), expected)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "grad_cam"])  # maps have none
def test_each_channel_may_have_its_own_mask(form):
    first, second = np.zeros((2, *IMAGES[1:]))[:, None]
    first[:, 0], second[:, 1] = 1, 1
    left, right = (weights_of(form, mask, shape=IMAGES) for mask in (first, second))
    assert not torch.equal(left, right)


@pytest.mark.parametrize(
    ("form", "dtype"), in_turn(FORMS, [np.float32, np.float64, np.int64, np.float16, ">i4"])
)
@few
@given(hnp.arrays(np.uint8, TABLE), bools())
def test_uint8_and_float_x_give_equal_bits(form, dtype, X, mask):
    y = np.arange(N_ROWS) % 2
    expected = weights_of(form, mask, X, y)
    assert torch.equal(weights_of(form, mask, X.astype(dtype), y), expected)


@every_form
def test_frame_of_reordered_columns_equals_the_array(form):
    X, y = problem()
    mask = np.random.default_rng(1).random(TABLE)
    names = ["a", "b", "c", "d"]
    frame = pd.DataFrame(mask, columns=names)[["c", "a", "d", "b"]]
    ours = weights_of(form, frame, pd.DataFrame(X, columns=names), y)
    assert torch.equal(ours, weights_of(form, mask))


@pytest.mark.parametrize(("form", "dtype"), in_turn(FORMS, [bool, np.float32]))
def test_mask_on_disk_equals_the_one_in_memory(form, dtype, tmp_path):
    mask = (np.random.default_rng(1).random(TABLE) > 0.5).astype(dtype)
    np.save(tmp_path / "mask.npy", mask)
    expected = weights_of(form, mask)
    for mode in ("r", "c"):
        on_disk = np.load(tmp_path / "mask.npy", mmap_mode=mode)
        assert torch.equal(weights_of(form, on_disk), expected)


@every_form
def test_mask_and_x_are_left_as_they_were(form):
    X, y = problem()
    mask = np.where(X > 1, np.nan, X > 0)
    copies = X.copy(), mask.copy()
    fitted(form, mask, X, y, mask_marks="relevant")
    np.testing.assert_array_equal(X, copies[0])
    np.testing.assert_array_equal(mask, copies[1])


# -- unknown marks -------------------------------------------------------------------------------


@every_form_and_marks
@few
@given(bools(), bools(N_ROWS))
def test_rows_of_nan_equal_rows_of_none(form, marks, mask, annotated):
    with_nan = np.where(annotated[:, None], mask, np.nan)
    rows = [row if given else None for row, given in zip(mask, annotated, strict=True)]
    expected = weights_of(form, with_nan, mask_marks=marks)
    assert torch.equal(weights_of(form, rows, mask_marks=marks), expected)


@pytest.mark.parametrize(
    ("form", "marks"), in_turn([*PENALTIES, *TWO_STAGES], ["irrelevant", "relevant"])
)
@settings(max_examples=4)
@given(marks_and_nan())
def test_unknown_features_count_as_relevant(form, marks, mask):
    if form in (*TWO_STAGES, *EXCHANGING):  # where a row without any mark does not take part
        assume(not np.isnan(mask).all(axis=1).any())
    nothing = 1.0 if marks == "relevant" else 0.0
    filled = np.where(np.isnan(mask), nothing, mask)
    expected = weights_of(form, filled, mask_marks=marks)
    assert torch.equal(weights_of(form, mask, mask_marks=marks), expected)


@every_reward
@both_marks
def test_unknown_features_earn_no_reward(form, marks):
    mask = np.eye(N_ROWS, N_COLUMNS)
    unknown = np.where(mask == 1, mask, np.nan)
    ours = weights_of(form, unknown, mask_marks=marks)
    for filled in (0.0, 1.0):
        marked = np.where(mask == 1, mask, filled)
        assert not torch.equal(weights_of(form, marked, mask_marks=marks), ours)


class Recorder(nn.Module):
    """A network that keeps the inputs of every pass."""

    seen: list

    def __init__(self):
        super().__init__()
        self.features = nn.Linear(N_COLUMNS, 5)
        self.head = nn.Linear(5, 2)
        type(self).seen = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return self.head(self.features(x))


@pytest.mark.parametrize("form", MOVING)
@both_marks
def test_unknown_features_are_never_changed(form, marks):
    """What the network is shown differs from the rows in known irrelevant features only."""
    X = problem()[0].astype(np.float32)
    y = np.arange(N_ROWS) % 2
    irrelevant = 1.0 if marks == "irrelevant" else 0.0
    mask = np.full((1, N_COLUMNS), 1 - irrelevant)
    mask[0, 1], mask[0, 3] = np.nan, irrelevant
    fitted(form, mask, X, y, module=Recorder, mask_marks=marks)
    seen = torch.cat(Recorder.seen).numpy()
    # The first column tells which row it is.
    assert np.isin(seen[:, 0], X[:, 0]).all()
    row = (seen[:, :1] == X[:, 0]).argmax(axis=1)
    assert (seen == X[row]).all(axis=0).tolist() == [True, True, True, False]


# -- nothing to learn from -----------------------------------------------------------------------

NO_MARKS = {
    "none": None,
    "list_of_none": [None] * N_ROWS,
    "nan": np.full(TABLE, np.nan),
    "nan_for_all_rows": np.full((1, N_COLUMNS), np.nan),
}
NOTHING_IRRELEVANT = {
    "bool": np.zeros(TABLE, bool),
    "float_for_all_rows": np.zeros((1, N_COLUMNS)),
    "vector": np.zeros(N_COLUMNS, np.uint8),
    "with_nan": np.where(np.eye(N_ROWS, N_COLUMNS) > 0, np.nan, 0),
    "with_none": [None, *np.zeros((N_ROWS - 1, N_COLUMNS))],
}


def opposite(mask):
    """The same mask in the other polarity."""
    if mask is None:
        return None
    if isinstance(mask, list):
        return [None if row is None else 1 - row for row in mask]
    return ~mask if mask.dtype == bool else 1 - mask


class Noisy(nn.Module):
    """A network that draws at random, and keeps statistics of what it sees."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Unflatten(1, (1, N_COLUMNS)),
            nn.Conv1d(1, 2, 3, padding=1),  # for Grad-CAM
            nn.Flatten(),
            nn.Linear(2 * N_COLUMNS, 6),
            nn.BatchNorm1d(6),
            nn.Dropout(0.3),
            nn.ReLU(),
        )
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.features(x))


both_modules = pytest.mark.parametrize("module", ["auto", Noisy])


@pytest.mark.parametrize(
    ("form", "module", "mask"),
    in_pairs(PENALTIES, ["auto", Noisy], {**NO_MARKS, **NOTHING_IRRELEVANT}),
)
def test_nothing_irrelevant_leaves_the_label_loss(form, module, mask):
    mask = {**NO_MARKS, **NOTHING_IRRELEVANT}[mask]
    expected = label_loss_alone(form, module=module)
    assert torch.equal(weights_of(form, mask, module=module), expected)
    ours = weights_of(form, opposite(mask), module=module, mask_marks="relevant")
    assert torch.equal(ours, expected)


@every_reward
@both_modules
@pytest.mark.parametrize("mask", NO_MARKS)
def test_nothing_known_leaves_the_label_loss(form, module, mask):
    expected = label_loss_alone(form, module=module)
    for marks in ("irrelevant", "relevant"):
        ours = weights_of(form, NO_MARKS[mask], module=module, mask_marks=marks)
        assert torch.equal(ours, expected)


@pytest.mark.parametrize("form", [*PENALTIES, *REWARDS])
@both_modules
@few
@given(marks_and_nan(), st.sampled_from([5, 64, -1]))
def test_alpha_of_zero_leaves_the_label_loss(form, module, mask, batch_size):
    params = {"module": module, "batch_size": batch_size}
    expected = label_loss_alone(form, mask, **params)
    assert torch.equal(weights_of(form, mask, alpha=0, **OFF.get(form, {}), **params), expected)
    assert torch.equal(label_loss_alone(form, **params), expected)


SETTINGS = [
    {"class_weight": "balanced"},
    {"label_loss": "focal"},
    {"sample_weight": np.arange(1.0, 1 + N_ROWS)},
    {"annotated_per_batch": 3},
    {"input_unit": "input"},
]


@pytest.mark.parametrize(("form", "params"), in_turn(PENALTIES, SETTINGS))
def test_nothing_irrelevant_leaves_the_label_loss_with(form, params):
    expected = label_loss_alone(form, **params)
    for mask in (None, np.zeros(TABLE)):
        assert torch.equal(weights_of(form, mask, **params), expected)


@pytest.mark.parametrize("form", [form for form in PENALTIES if form != "ibp"])  # has no automatic
def test_nothing_irrelevant_leaves_the_label_loss_with_automatic_alpha(form):
    for mask in (None, np.zeros(TABLE)):
        assert torch.equal(weights_of(form, mask, alpha="auto"), label_loss_alone(form))


@every_two_stage
@both_modules
def test_two_stages_without_marks_are_the_matched_control(form, module):
    full = np.eye(N_ROWS, N_COLUMNS)
    control = weights_of(form, full, alpha=0, module=module)
    for mask, marks in in_turn(NO_MARKS.values(), ["irrelevant", "relevant"]):
        ours = weights_of(form, mask, module=module, mask_marks=marks)
        assert torch.equal(ours, control)


@every_form_that_takes_all
@pytest.mark.parametrize("mask", NOTHING_IRRELEVANT)
def test_rows_with_nothing_irrelevant_take_part(form, mask):
    mask = NOTHING_IRRELEVANT[mask]
    ours = weights_of(form, mask)
    assert not torch.equal(ours, weights_of(form, None))
    assert torch.equal(weights_of(form, opposite(mask), mask_marks="relevant"), ours)


# -- the warning ---------------------------------------------------------------------------------

WITHOUT = "is fitted without a mask: it learns from labels alone"
NO_ROW = "is fitted with masks that annotate no sample: it learns from labels alone"
NO_FEATURE = "is fitted with masks that mark no feature as irrelevant: it learns from labels alone"


def fit_quietly(form, mask, sample_weight=None, **params):
    """Fit with nothing suppressed: warnings are errors in these tests."""
    X, y = problem()
    estimator = FORMS[form](max_epochs=1, random_state=0, **params)
    return estimator.fit(X, y, mask=mask, sample_weight=sample_weight)


@pytest.mark.parametrize(("form", "mask"), in_turn(FORMS, NO_MARKS))
def test_warns_without_marks(form, mask):
    message = WITHOUT if mask == "none" else NO_ROW
    with pytest.warns(MissingExplanationWarning) as caught:
        fit_quietly(form, NO_MARKS[mask])
    assert len(caught) == 1
    assert message in str(caught[0].message)
    assert str(caught[0].message).startswith(type(FORMS[form]()).__name__)
    # It points to where fit was called.
    assert caught[0].filename == inspect.getsourcefile(fit_quietly)


@pytest.mark.parametrize(("form", "mask"), in_turn(PENALTIES, NOTHING_IRRELEVANT))
def test_warns_when_nothing_is_irrelevant(form, mask):
    with pytest.warns(MissingExplanationWarning, match=NO_FEATURE) as caught:
        fit_quietly(form, NOTHING_IRRELEVANT[mask])
    assert len(caught) == 1


@every_form_that_takes_all
@pytest.mark.parametrize("mask", NOTHING_IRRELEVANT)
def test_no_warning_where_rows_with_nothing_irrelevant_take_part(form, mask):
    fit_quietly(form, NOTHING_IRRELEVANT[mask])


@pytest.mark.parametrize(("form", "mask"), in_turn(FORMS, {**NO_MARKS, **NOTHING_IRRELEVANT}))
def test_no_warning_where_the_explanation_is_switched_off(form, mask):
    fit_quietly(form, {**NO_MARKS, **NOTHING_IRRELEVANT}[mask], alpha=0, **OFF.get(form, {}))


@pytest.mark.parametrize("form", [form for form in FORMS if form != "swap"])  # which needs two rows
@both_marks
def test_no_warning_for_a_single_mark(form, marks):
    irrelevant = 1.0 if marks == "irrelevant" else 0.0
    mask = np.full(TABLE, np.nan)
    mask[5, 2] = irrelevant
    fit_quietly(form, mask, mask_marks=marks)
    rows = [None] * N_ROWS
    rows[5] = [1 - irrelevant, irrelevant, 1 - irrelevant, 1 - irrelevant]
    fit_quietly(form, rows, mask_marks=marks)


@every_form
def test_warns_when_the_only_annotated_row_weighs_nothing(form):
    mask = np.full(TABLE, np.nan)
    mask[5] = 1
    weight = np.ones(N_ROWS)
    weight[5] = 0
    with pytest.warns(MissingExplanationWarning, match=NO_ROW):
        fit_quietly(form, mask, weight)


@every_form
def test_partial_fit_warns_at_its_caller(form):
    X, y = problem()
    with pytest.warns(MissingExplanationWarning, match=WITHOUT) as caught:
        FORMS[form](random_state=0).partial_fit(X, y, [0, 1])
    assert caught[0].filename == inspect.getsourcefile(fit_quietly)


@pytest.mark.parametrize("mask", {**NO_MARKS, **NOTHING_IRRELEVANT})
def test_baseline_never_warns(mask):
    X, y = problem()
    ERMClassifier(max_epochs=1).fit(X, y, mask={**NO_MARKS, **NOTHING_IRRELEVANT}[mask])


@pytest.mark.parametrize("penalties", [[], ()])
def test_a_mask_for_no_penalty_warns(penalties):
    X, y = problem()
    clf = ExplanationClassifier(penalties=penalties, max_epochs=1)
    with pytest.warns(MissingExplanationWarning, match="a mask, and penalties=") as caught:
        clf.fit(X, y, mask=[1, 0, 0, 0])
    assert caught[0].filename == __file__
    clf.fit(X, y)  # warns of nothing: there is no mask that it would ignore


# -- rows ----------------------------------------------------------------------------------------


def without_draws(form):
    """Full batches, strong terms, and nothing that draws at random for each row."""
    draws = {"random_start": False} if form.startswith("pgd") else {}
    return {**SMOOTH, **STRONG[form], **draws, **WITHOUT_EXCHANGE.get(form, {})}


@every_form_without_draws
@settings(max_examples=4)
@given(marks_and_nan(), st.permutations(range(N_ROWS)))
def test_order_of_rows_does_not_matter(form, mask, order):
    X, y = problem()
    weight = np.linspace(0.5, 2, N_ROWS)
    params = without_draws(form)
    one = fitted(form, mask, X, y, sample_weight=weight, **params)
    other = fitted(form, mask[order], X[order], y[order], sample_weight=weight[order], **params)
    torch.testing.assert_close(weights(other), weights(one), atol=2e-5, rtol=0)
    np.testing.assert_allclose(other.predict_proba(X), one.predict_proba(X), atol=1e-4)


@every_form_without_draws
def test_masks_belong_to_their_rows(form):
    """The counterpart: permuting the mask alone does matter."""
    X, y = problem()
    mask = np.random.default_rng(1).random(TABLE) > 0.5
    params = without_draws(form)
    one, other = (weights_of(form, rows, X, y, **params) for rows in (mask, mask[::-1]))
    assert (one - other).abs().max() > 1e-3


@every_form
@few
@given(marks_and_nan(), st.sets(st.integers(0, N_ROWS - 1), min_size=1, max_size=6), st.data())
def test_row_of_weight_zero_equals_no_row(form, mask, removed, data):
    kept = np.setdiff1d(np.arange(N_ROWS), list(removed))
    X, y = problem()
    assume(len(np.unique(y[kept])) == 2)
    X[list(removed)] = 1e6  # would spoil units, range and all
    weight = np.zeros(N_ROWS)
    weight[kept] = data.draw(st.sampled_from([1.0, np.linspace(0.5, 2, len(kept))]))
    batch_size = data.draw(st.sampled_from([3, 5, -1]))
    ours = weights_of(form, mask, X, y, sample_weight=weight, batch_size=batch_size)
    theirs = weights_of(
        form, mask[kept], X[kept], y[kept], sample_weight=weight[kept], batch_size=batch_size
    )
    assert torch.equal(ours, theirs)


@every_form
@settings(max_examples=3)
@given(bools(), hnp.arrays(bool, N_ROWS))
def test_annotated_per_batch_of_the_default_size_changes_nothing(form, mask, annotated):
    rows = np.where(annotated[:, None], mask, np.nan)
    is_penalised = annotated if form in TAKE_ALL else annotated & mask.any(axis=1)
    if form == "grad_reg":  # a share needs something that is not marked, too
        is_penalised = is_penalised & ~mask.all(axis=1)
    n_penalised = int(is_penalised.sum())
    assume(0 < n_penalised < N_ROWS)
    params = {"batch_size": -1, **ADDED.get(form, {}), **WITHOUT_EXCHANGE.get(form, {})}
    expected = weights_of(form, rows, **params)
    ours = weights_of(form, rows, annotated_per_batch=n_penalised, **params)
    assert torch.equal(ours, expected)


@every_form_without_draws
def test_annotated_rows_drawn_three_times_weigh_as_once(form):
    """A mean over the penalised rows does not depend on how often each comes."""
    mask = np.full(TABLE, np.nan)
    mask[2:5, 1], mask[2:5, 2] = 1, 0
    params = {**ADDED.get(form, {}), **without_draws(form)}
    once = weights_of(form, mask, annotated_per_batch=3, **params)
    thrice = weights_of(form, mask, annotated_per_batch=9, **params)
    torch.testing.assert_close(thrice, once, atol=1e-5, rtol=0)
    fewer = weights_of(form, mask, annotated_per_batch=1, **params)
    assert (fewer - once).abs().max() > 1e-3


@pytest.mark.parametrize("form", ["pgd", "pgd_and_grad"])
def test_annotated_rows_that_replace_clean_ones_weigh_as_often_as_they_are_drawn(form):
    """There they stand in the one mean of the batch, among the clean rows."""
    mask = np.full(TABLE, np.nan)
    mask[2:5, 1], mask[2:5, 2] = 1, 0
    params = {
        **without_draws(form),
        "alpha": "replace",
        "module": linear,
        "input_unit": "input",
        "clip": None,
    }
    once = weights_of(form, mask, annotated_per_batch=3, **params)
    thrice = weights_of(form, mask, annotated_per_batch=9, **params)
    weight = np.ones(N_ROWS)
    weight[2:5] = 3
    weighted = weights_of(form, mask, sample_weight=weight, **params)
    torch.testing.assert_close(thrice, weighted, atol=1e-5, rtol=0)
    # Left alone, the three weigh as much as the nine others.
    torch.testing.assert_close(weights_of(form, mask, **params), thrice, atol=1e-5, rtol=0)
    assert (thrice - once).abs().max() > 1e-3


def linear():
    return nn.Linear(N_COLUMNS, 2)


@pytest.mark.parametrize("form", EXCHANGING)
def test_marks_of_the_reasons_exchange_no_parts(form):
    """The one difference between the two spellings of the same irrelevant features."""
    mask = np.eye(N_COLUMNS, dtype=bool)[np.arange(N_ROWS) % N_COLUMNS]
    relevant = weights_of(form, ~mask, mask_marks="relevant")
    assert torch.equal(weights_of(form, mask, **WITHOUT_EXCHANGE[form]), relevant)
    assert not torch.equal(weights_of(form, mask), relevant)
