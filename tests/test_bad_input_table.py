"""Every public function with every kind of bad value for every argument: no raw error, no silence.

A bad value is legal now and then; where it is not, the error is raised by this package or by
scikit-learn's checks, never by what numpy or torch happen to do with it.
"""

import inspect
import math
import warnings

import numpy as np
import pytest
from _bad_calls import Public, bad_values, foreign_names, raised_by_us

import skexplain
from skexplain import correction, datasets, inspection, masks, metrics, model_selection, penalties

# Classes that hold values or have no parameters; each has tests of its own.  Networks run on
# intervals and on parts inside of propagation, where torch's errors say more.
ELSEWHERE = {
    "AuditReport",
    "CorrectionReport",
    "ConceptGradientPenalty",  # of layers, which the network alone knows
    "ImageGeometry",
    "InfluencePenalty",  # has no parameters
    "MaskCoverage",
    "MaskSuggestion",
    "Masks",
    "Penalty",
    "PerturbationPenalty",
    "Rows",
    "WordSuggestion",
}
# One estimator stands for all: what is checked is checked in their base.
ESTIMATORS = {name for name in skexplain.__all__ if inspect.isclass(getattr(skexplain, name))}
# These draw, or compute for seconds: only the slow test calls them.
LONG = ("audit", "mask_permutation_test", "Display", "correct")
EVERY = 97
# Functions of any number of arguments, whose names are those of the calls here.
NO_NAMES = {"union_masks"}
# What a function of the caller's own raises is not ours to change.
THEIR_OWN = {("scoring", "class"), ("scoring", "function")}


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    return Public(tmp_path_factory.mktemp("public")).calls()


@pytest.fixture(autouse=True)
def _leave_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a bad path may be a good one
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_no_public_function_is_left_out(public):
    rooms = (correction, datasets, inspection, masks, metrics, model_selection, penalties)
    names = {name for room in rooms for name in room.__all__} | {"load", "save"}
    tried = {name.split(".")[0].split(" ")[0] for name in public}
    assert names - tried - ELSEWHERE == set()
    assert tried - names <= ESTIMATORS | {"ImageGeometry"}


def cases(public, long=False):
    """List calls with one bad value, as (name, argument, kind, value)."""
    return [
        (name, argument, kind, value)
        for name, (_, good) in public.items()
        if long or not any(part in name for part in LONG)
        for argument in good
        for kind, value in bad_values(good[argument])
        if (argument, kind) not in THEIR_OWN
    ]


def numbers_in(result):
    """Yield the numbers that a function returns, of itself or of a list."""
    if isinstance(result, float):
        yield result
    elif isinstance(result, np.ndarray) and result.dtype.kind == "f":
        yield from result.ravel().tolist()


def failures(public, chosen):
    """Try calls and list those with a raw or misleading error, or with a number that is none."""
    raw = []
    for name, argument, kind, value in chosen:
        function, good = public[name]
        where = f"{name}({argument}: {kind})"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = function(**{**good, argument: value})
        except Exception as error:
            if not raised_by_us(error):
                raw.append(f"{where}: {type(error).__name__}: {str(error)[:150]}")
            elif name not in NO_NAMES and (foreign := foreign_names(error, function, good)):
                raw.append(f"{where}: names {foreign}: {str(error)[:150]}")
        else:
            # Masks have NaN where they are unknown; these two where there is nothing to say.
            undefined = ("relative_core_sensitivity", "wrong_reason_share")
            score = isinstance(result, float) and name not in undefined
            if score and not all(map(math.isfinite, numbers_in(result))):
                raw.append(f"{where}: returns {result}")
    return raw


def test_valid_calls_are_valid(public):
    for function, good in public.values():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function(**good)


def test_some_bad_values(public):
    """Every 97th of the calls: over time, with those that are added, others."""
    assert failures(public, cases(public)[::EVERY]) == []


@pytest.mark.slow
def test_all_bad_values(public):
    assert failures(public, cases(public, long=True)) == []


def test_parameters_of_fetchers_are_checked_before_data_are_missed(public):
    """A typing error must not cost a download of gigabytes."""
    for name, (fetch, good) in public.items():
        for argument in good if name.startswith("fetch_") else ():
            with pytest.raises((TypeError, ValueError), match=argument):
                fetch(**{**good, argument: object()})


def test_a_number_is_no_path(tmp_path, monkeypatch):
    """Python takes it for an open file: 1 is the standard output, which would be closed."""
    monkeypatch.chdir(tmp_path)
    clf = skexplain.ERMClassifier(max_epochs=1).fit([[0.0], [1.0]], [0, 1])
    for call in (lambda: skexplain.load(1), lambda: skexplain.save(clf, True)):
        with pytest.raises(TypeError, match="path must be a path, text or path-like, got"):
            call()
    assert list(tmp_path.iterdir()) == []
