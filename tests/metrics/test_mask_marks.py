"""Check that metrics read the mask_marks of an estimator, also inside of searches and pipelines."""

import numpy as np
import pytest
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skexplain import ERMClassifier, MaskPropagator, WithPropagatedMasks
from skexplain.metrics._perturb import Perturber, mask_marks_of

RELEVANT = ERMClassifier(mask_marks="relevant")
PROPAGATED = WithPropagatedMasks(RELEVANT, MaskPropagator())


@pytest.mark.parametrize(
    ("estimator", "expected"),
    [
        (LogisticRegression(), "irrelevant"),
        (object(), "irrelevant"),
        (ERMClassifier(), "irrelevant"),
        (RELEVANT, "relevant"),
        (make_pipeline(StandardScaler(), RELEVANT), "relevant"),
        (GridSearchCV(RELEVANT, {"lr": [0.1]}), "relevant"),
        (GridSearchCV(make_pipeline(StandardScaler(), RELEVANT), {}), "relevant"),
        (BaggingClassifier(RELEVANT), "relevant"),
        (make_pipeline(StandardScaler(), FrozenEstimator(RELEVANT)), "relevant"),
        (VotingClassifier([("a", RELEVANT), ("b", LogisticRegression())]), "relevant"),
        (PROPAGATED, "relevant"),
        (make_pipeline(StandardScaler(), PROPAGATED), "relevant"),
        (WithPropagatedMasks(make_pipeline(RELEVANT), MaskPropagator()), "relevant"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_marks_mean_what_the_estimator_says(estimator, expected):
    assert mask_marks_of(estimator) == expected


def test_marks_of_a_search_are_those_of_the_best():
    search = GridSearchCV(ERMClassifier(), {"mask_marks": ["relevant"]})
    assert mask_marks_of(search) == "irrelevant"
    search.best_estimator_ = RELEVANT
    assert mask_marks_of(search) == "relevant"


def test_parts_that_disagree_are_refused():
    voting = VotingClassifier([("a", RELEVANT), ("b", ERMClassifier())])
    with pytest.raises(ValueError, match="mask_marks must be given"):
        mask_marks_of(voting)
    Perturber(voting, np.eye(3), np.eye(3), "relevant", "swap")
