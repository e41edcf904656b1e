"""Penalties on attributions: Grad-CAM, HINT, influence, and contextual decomposition."""

from typing import Any, Literal

from ..penalties import (
    DecompositionPenalty,
    GradCAMPenalty,
    HINTPenalty,
    InfluencePenalty,
)
from ..training._method import Method, Term
from ._classifier import BaseExplanationClassifier
from ._parameters import ALPHA, ModuleLike

_ALPHA_TEXT = """\
alpha : float or "auto", default=1.0
        Weight of the penalty; 0 is the label loss alone.  "auto" trains the first epoch without
        and then takes the ratio of label loss to penalty."""


class GradCAMRegClassifier(BaseExplanationClassifier):
    r"""Classifier whose Grad-CAM map may not light up irrelevant places.

    Adds to the label loss, for a sample with the Grad-CAM map M of the predicted class at a layer,
    scaled to [0, 1], and its irrelevance a averaged to the map's cells,

    .. math:: \alpha \sum_p (a_p M_p)^2

    (RRR-G of Schramowski et al. 2020 [1]_).  Use it for large networks with a coarse last layer,
    where input gradients are too fine.  The network needs a layer with spatial axes.  A step costs
    about three of the label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    HINTClassifier : Pulls the map towards the reasons.
    GradRegClassifier : Penalises gradients at the input.

    References
    ----------
    .. [1] P. Schramowski et al. (2020). Making deep neural networks right for the right scientific
       reasons by interacting with their explanations. Nature Machine Intelligence 2.
    .. [2] R. R. Selvaraju et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-based Localization. ICCV.

    Examples
    --------
    >>> from skexplain import GradCAMRegClassifier
    >>> from skexplain.datasets import make_decoy_digits
    >>> digits = make_decoy_digits("half", random_state=0)
    >>> clf = GradCAMRegClassifier(max_epochs=5, random_state=0)
    >>> clf = clf.fit(digits.data, digits.target, mask=digits.mask)
    >>> clf.history_[-1, "train_grad_cam"] < clf.history_[0, "train_grad_cam"]
    True
    """

    _penalties = (GradCAMPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 1.0,
        layer: Any = None,
        channel_axis: int = 1,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.layer = layer
        self.channel_axis = channel_axis

    def _method(self) -> Method:
        penalty = GradCAMPenalty(self.layer, self.channel_axis)
        return Method((Term("grad_cam", penalty, self.alpha),))


class HINTClassifier(BaseExplanationClassifier):
    r"""Classifier whose attribution is pulled towards the reasons.

    Adds to the label loss, for a sample with attribution M and, where it is known,
    relevance r = 1 - a,

    .. math:: \alpha \, \mathrm{mean}_d (M_d - r_d)^2

    M is the Grad-CAM map of the true class, scaled to [0, 1] (HINT of Selvaraju et al. 2019 [1]_ in
    the form of Friedrich et al. 2023 [2]_), or the input gradient, which also is one reading of the
    baseline of Tao & Shokri 2025 [3]_.  Use it where masks mark all of the reasons: it rewards
    looking at them, and does not forbid looking elsewhere as strictly as the others.  Unknown marks
    count for nothing; a sample with nothing irrelevant takes part.  A step costs about three of the
    label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradCAMRegClassifier : Forbids irrelevant places instead.

    References
    ----------
    .. [1] R. R. Selvaraju et al. (2019). Taking a HINT: Leveraging Explanations to Make Vision and
       Language Models More Grounded. ICCV.
    .. [2] F. Friedrich, W. Stammer, P. Schramowski, K. Kersting (2023). A typology for exploring
       the mitigation of shortcut behaviour. Nature Machine Intelligence 5.
    .. [3] J. Tao, R. Shokri (2025). Machine Learning from Explanations.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import HINTClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]
    >>> reasons = np.array([[1, 0]])
    >>> clf = HINTClassifier(
    ...     attribution="input_gradient", mask_marks="relevant", max_epochs=30, random_state=0
    ... )
    >>> clf.fit(X, y, mask=reasons).score(X, y) > 0.8
    True
    """

    _penalties = (HINTPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 1.0,
        attribution: Literal["grad_cam", "input_gradient"] = "grad_cam",
        layer: Any = None,
        channel_axis: int = 1,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.attribution = attribution
        self.layer = layer
        self.channel_axis = channel_axis

    def _method(self) -> Method:
        penalty = HINTPenalty(self.attribution, self.layer, self.channel_axis)
        return Method((Term("hint", penalty, self.alpha),))


class InfluenceRegClassifier(BaseExplanationClassifier):
    r"""Classifier for whose weights irrelevant features may not be influential.

    Adds to the label loss, for a sample x with irrelevance a, input unit u, and weights theta,

    .. math:: \alpha \sum_d \Big(a_d \, u_d \frac{\partial}{\partial x_d} \sum_k \log p_k \;
        u_d \frac{\partial}{\partial x_d} \sum_i \frac{\partial \ell}{\partial \theta_i}\Big)^2

    (RBR of Shao et al. 2021 [1]_ with the identity in the place of the Hessian, as it is used).
    The product of two gradients is small wherever either is, so alpha is often in the hundreds and
    more; and it can diverge.  Use it to compare with.  The network needs a hidden layer: for a
    linear model the term is zero.  It differentiates three times: a step costs about six of the
    label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    GradRegClassifier : The first of the two gradients alone.

    References
    ----------
    .. [1] X. Shao, A. Skryagin, W. Stammer, P. Schramowski, K. Kersting (2021). Right for Better
       Reasons: Training Differentiable Models by Constraining their Influence Functions. AAAI.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import InfluenceRegClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = InfluenceRegClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> clf.score(X, y) > 0.8
    True
    """

    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(self, module: ModuleLike = "auto", *, alpha: Any = 1.0, **common: Any) -> None:
        super().__init__(module, **common)
        self.alpha = alpha

    def _method(self) -> Method:
        return Method((Term("influence", InfluencePenalty(), self.alpha),))


class CDEPClassifier(BaseExplanationClassifier):
    r"""Classifier whose logits may not be made up of contributions of irrelevant features.

    Adds to the label loss, for a sample x with irrelevance a,

    .. math:: \alpha \frac{1}{K} \sum_k \frac{e^{\beta_k}}{e^{\beta_k} + e^{\gamma_k}}

    where contextual decomposition splits each of the K logits into the contribution beta of the
    irrelevant features, a x, and gamma of the rest, (1 - a) x (CDEP of Rieger et al. 2020 [1]_).
    Use it to compare with, or with ``measure="l1"``.  The network may hold the layers that
    `skexplain.propagation.decompose` has rules for; an error names others.  A step costs about
    four of the label loss's.

    Parameters
    ----------
    %(parameters)s

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
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = CDEPClassifier(measure="l1", max_epochs=30, random_state=0)
    >>> clf = clf.fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.95)
    True
    """

    _penalties = (DecompositionPenalty,)
    _texts = _ALPHA_TEXT
    _parameter_constraints = {"alpha": ALPHA}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = 1.0,
        measure: Literal["softmax", "l1"] = "softmax",
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.measure = measure

    def _method(self) -> Method:
        return Method((Term("decomposition", DecompositionPenalty(self.measure), self.alpha),))
