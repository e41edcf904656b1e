"""Learn from labels and from the reasons for them.

Estimators for scikit-learn, on torch, whose ``fit(X, y, mask=mask)`` takes beside data and labels a
mask over features that says what must not matter or what is the reason.
"""

__version__ = "0.1.0"

from .estimators import *  # noqa: F403 - the table of contents stands there
from .estimators import __all__ as _estimators
from .persistence import load, save

__all__ = [*_estimators, "load", "save"]  # noqa: PLE0604
