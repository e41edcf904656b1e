"""Learn from labels and from the reasons for them.

Estimators for scikit-learn, on torch, whose ``fit(X, y, mask=mask)`` takes beside data and labels a
mask over features that says what must not matter or what is the reason.
"""

from .estimators import (
    ERMClassifier,
    GradRegClassifier,
    PGDExClassifier,
    TwoStageExplanationClassifier,
)

__version__ = "0.1.0"

__all__ = [
    "ERMClassifier",
    "GradRegClassifier",
    "PGDExClassifier",
    "TwoStageExplanationClassifier",
]
