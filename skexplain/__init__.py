"""Learn from labels and from the reasons for them.

Estimators for scikit-learn, on torch, whose ``fit(X, y, mask=mask)`` takes beside data and labels a
mask over features that says what must not matter or what is the reason.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .estimators import *  # noqa: F403 - the table of contents stands there
    from .estimators import __all__ as _estimators
    from .persistence import load as load
    from .persistence import save as save

    __all__ = [*_estimators, "load", "save"]
else:  # a type checker must not see __getattr__, which would allow every name
    from importlib import import_module as _import_module

    _ROOMS = {
        "correction",
        "datasets",
        "estimators",
        "exceptions",
        "inspection",
        "masks",
        "metrics",
        "model_selection",
        "penalties",
        "persistence",
        "propagation",
        "studies",
        "studio",
        "training",
    }

    _OF_FILES = ("load", "save")

    def __getattr__(name):
        """Import what is asked for: ``skexplain --help`` and ``--version`` need no torch."""
        if name in _ROOMS:
            return _import_module(f".{name}", __name__)
        if name in _OF_FILES:
            return getattr(_import_module(".persistence", __name__), name)
        if not name.startswith("_") or name == "__all__":
            estimators = _import_module(".estimators", __name__)
            if name == "__all__":
                return [*estimators.__all__, *_OF_FILES]
            if name in estimators.__all__:
                return getattr(estimators, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        """Return the public names and those of the rooms."""
        return sorted({*globals(), *_ROOMS, *__getattr__("__all__")})
