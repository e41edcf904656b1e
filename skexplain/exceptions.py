"""Warnings and errors of the package's own."""


class MissingExplanationWarning(UserWarning):
    """An estimator that learns from masks was fitted without anything to learn from in them."""


class RemainingShortcutWarning(UserWarning):
    """The masks of a fit leave what they mark to tell the label, so that a shortcut may survive."""


class UnreliableMaskWarning(UserWarning):
    """Masks are predicted from too few annotated rows, or differ from what a person marked."""


class DivergenceError(ArithmeticError):
    """Training produced a loss or weight that is not finite."""


class ModelFileError(ValueError):
    """A model file is damaged, no model file, or of another network or version."""


class UnsupportedOperationError(TypeError):
    """A network does something that has no rule for what is to be propagated through it."""


__all__ = [
    "DivergenceError",
    "MissingExplanationWarning",
    "ModelFileError",
    "RemainingShortcutWarning",
    "UnreliableMaskWarning",
    "UnsupportedOperationError",
]
