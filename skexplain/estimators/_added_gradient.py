"""The input-gradient penalty that estimators of perturbations may add to their own."""

from ..penalties import InputGradientPenalty
from ..training._method import Term
from ._base import BaseExplanationEstimator


def gradient_terms(estimator: BaseExplanationEstimator, at: str) -> tuple[Term, ...]:
    """Return the term that `grad_alpha` adds to another one, or nothing.

    Parameters
    ----------
    estimator : estimator with the parameter `grad_alpha`
    at : str
        Where the gradient is taken: "clean", or the name of the perturbation's term.
    """
    if estimator.grad_alpha == 0:
        return ()
    penalty = InputGradientPenalty(estimator._gradient_output, norm="l2")
    return (Term("input_gradient", penalty, estimator.grad_alpha, at),)
