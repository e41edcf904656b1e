"""Contextual decomposition: the part of irrelevant features in each logit."""

from ..penalties import DecompositionPenalty, Term
from ._attribution import OnePenalty
from ._classifier import BaseExplanationClassifier
from ._parameters import StrOptions

_MEASURE_TEXT = """\
measure : {"softmax", "l1"}, default="softmax"
        What is penalised: the softmax of beta over both contributions, as published, or abs(beta),
        which has worked better (see Notes)."""


class CDEPClassifier(OnePenalty, BaseExplanationClassifier):
    r"""Classifier whose logits may not be made up of contributions of irrelevant features.

    Adds to the label loss, for a row x with irrelevance a,

    .. math:: \alpha \frac{1}{K} \sum_k \frac{e^{\beta_k}}{e^{\beta_k} + e^{\gamma_k}}

    where contextual decomposition splits each of the K logits into the contribution beta of the
    irrelevant features, a x, and gamma of the rest, (1 - a) x (CDEP of Rieger et al. 2020 [1]_).
    Use it to compare with, or with ``measure="l1"``.  The network may hold the layers that
    `skexplain.propagation.decompose` has rules for; others are refused by name.  A step costs about
    four of the label loss's.

    Parameters
    ----------
    %(module)s
    %(own_parameters)s
    %(common_parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegClassifier : Penalises gradients instead of contributions.

    Notes
    -----
    The published softmax can be lowered by a shift of beta or gamma in all classes, which no
    prediction shows: a shortcut may stay, and a large alpha acts as a generic regulariser.  Hold
    gains against shuffled masks.

    References
    ----------
    .. [1] L. Rieger, C. Singh, W. J. Murdoch, B. Yu (2020). Interpretations are Useful: Penalizing
       Explanations to Align Neural Networks with Prior Knowledge. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import CDEPClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column tells the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all rows
    >>> clf = CDEPClassifier(measure="l1", max_epochs=30, random_state=0)
    >>> clf = clf.fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.95)
    True
    """

    _texts = {
        "%(own_parameters)s": OnePenalty._texts["%(own_parameters)s"] + "\n    " + _MEASURE_TEXT
    }
    _parameter_constraints = {"measure": [StrOptions({"softmax", "l1"})]}

    def __init__(self, module="auto", *, measure="softmax", **common):
        super().__init__(module, **common)
        self.measure = measure

    def _terms(self):
        return (Term("decomposition", DecompositionPenalty(self.measure), self.alpha),)
