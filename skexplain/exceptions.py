"""Warnings and errors of the package's own."""


class MissingExplanationWarning(UserWarning):
    """An estimator that learns from masks was fitted without anything to learn from in them."""


class RemainingShortcutWarning(UserWarning):
    """What the masks of a fit mark still predicts the label, so that a shortcut may survive."""


class ShortcutInUseWarning(RemainingShortcutWarning):
    """Predictions of a fitted classifier change when what its masks mark is exchanged."""


class UnreliableMaskWarning(UserWarning):
    """Masks are predicted from too few annotated samples, or differ from those given."""


class TruncatedTextsWarning(UserWarning):
    """Texts have more tokens than `WithTokenizer` keeps, and the rest is cut."""


class DivergenceError(ArithmeticError):
    """Training produced a loss or weight that is not finite."""


class ModelFileError(ValueError):
    """A model file is damaged, no model file, or of another network or version."""


class UnsupportedOperationError(TypeError):
    """A network has an operation without a rule for what is to be propagated through it."""


__all__ = [
    "DivergenceError",
    "MissingExplanationWarning",
    "ModelFileError",
    "RemainingShortcutWarning",
    "ShortcutInUseWarning",
    "TruncatedTextsWarning",
    "UnreliableMaskWarning",
    "UnsupportedOperationError",
]
