"""Random perturbation of irrelevant features."""

from typing import Any, Literal

from numpy.typing import ArrayLike

from ..penalties import AverageCasePenalty
from ..penalties._average_case import Perturbation
from ..training._method import Method, Term, added_gradient
from ._base import MixinBase
from ._classifier import BaseExplanationClassifier
from ._parameters import NON_NEGATIVE, PERTURBATION_ALPHA, ModuleLike
from ._regressor import BaseExplanationRegressor

_GRAD_TEXT = """\
grad_alpha : float, default=0.0
        Weight of an added input-gradient penalty (``norm="l2"`` of `GradRegClassifier`) at the
        perturbed samples; for "shift", at the samples as they are."""


class _AverageCase(MixinBase):
    """Parameters and method of one perturbation, which a subclass names."""

    _penalties = (AverageCasePenalty,)
    _texts = f"""\
alpha : "replace", float or "auto", default="replace"
        "replace": the label loss of an annotated sample is taken at its perturbed copy instead of
        the clean one, in one pass.  A float adds the label loss at the perturbed copy with this
        weight to that of the clean sample, which then still rewards the shortcut; 0 is the label
        loss alone.  "auto" trains the first epoch without and then takes the ratio of the two.
    {_GRAD_TEXT}"""
    _parameter_constraints = {"alpha": PERTURBATION_ALPHA, "grad_alpha": [NON_NEGATIVE]}
    _perturbation: Perturbation = "swap"

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = "replace",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.n_draws = n_draws
        self.exchange = exchange
        self.grad_alpha = grad_alpha

    def _method(self) -> Method:
        penalty = AverageCasePenalty(
            self._perturbation, n_draws=self.n_draws, exchange=self.exchange
        )
        term = Term("average_case", penalty, self.alpha)
        gradient = added_gradient(self.grad_alpha, self._gradient_output, at=term.name)
        return Method((term, *gradient))


class _AvgEx(MixinBase):
    """Parameters and method of all perturbations."""

    _penalties = (AverageCasePenalty,)
    _texts = f"""\
alpha : "replace", float, "auto" or None, default=None
        "replace": the label loss of an annotated sample is taken at its perturbed copy instead of
        the clean one, in one pass.  A float adds the label loss at the perturbed copy with this
        weight to that of the clean sample; 0 is the label loss alone.  "auto" trains the first
        epoch without and then takes the ratio of the two.  None: "replace" where the perturbation
        puts other values in the place of the irrelevant ones ("constant", "refill", "swap",
        "blank"), 1.0 for all others.
    {_GRAD_TEXT}"""
    _parameter_constraints = {"alpha": [*PERTURBATION_ALPHA, None], "grad_alpha": [NON_NEGATIVE]}

    def __init__(
        self,
        module: ModuleLike = "auto",
        *,
        alpha: Any = None,
        perturbation: Perturbation = "gaussian",
        epsilon: float = 1.0,
        fill: float | ArrayLike | Literal["mean"] = 0.0,
        max_shift: int = 4,
        background: Literal["blank", "donor"] = "blank",
        n_draws: int = 1,
        exchange: bool = True,
        grad_alpha: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(module, **common)
        self.alpha = alpha
        self.perturbation = perturbation
        self.epsilon = epsilon
        self.fill = fill
        self.max_shift = max_shift
        self.background = background
        self.n_draws = n_draws
        self.exchange = exchange
        self.grad_alpha = grad_alpha

    def _method(self) -> Method:
        penalty = AverageCasePenalty(
            self.perturbation,
            self.epsilon,
            self.n_draws,
            self.fill,
            self.max_shift,
            self.background,
            self.exchange,
        )
        alpha = penalty.default_alpha if self.alpha is None else self.alpha
        term = Term("average_case", penalty, alpha)
        # The mask does not move along with the reasons.
        at = (
            "clean"
            if isinstance(self.perturbation, str) and self.perturbation == "shift"
            else term.name
        )
        return Method((term, *added_gradient(self.grad_alpha, self._gradient_output, at)))


class AvgExClassifier(_AvgEx, BaseExplanationClassifier):
    r"""Classifier trained on random perturbations of its irrelevant features.

    Adds to the label loss, for a sample x with irrelevance a and input unit u,

    .. math:: \alpha \, E_{\delta} \, \ell(f(x + \epsilon a u \delta), y)

    with one or more fresh draws of the noise per step (Avg-Ex of Heo et al. 2023 [1]_), or another
    perturbation.  Use it as a baseline of `PGDExClassifier`, whose worst case it replaces by the
    mean, and for its other perturbations, which take the place of the clean samples.  A step costs
    about two of the label loss's with noise, one with the others.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    SwapExClassifier : Perturbs by the values of other samples; nothing to tune.
    PGDExClassifier : Perturbs in the worst way.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import AvgExClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = AvgExClassifier(epsilon=5, max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.9)
    True
    """


class SwapExClassifier(_AverageCase, BaseExplanationClassifier):
    r"""Classifier trained on samples with the irrelevant features of other samples.

    Takes the label loss of an annotated sample x with irrelevance a where another sample x' with
    irrelevance a' has given it its irrelevant features, in place of that of x itself,

    .. math:: \ell(f((1 - a) x + a (a' x' + (1 - a') m')), y)

    where m' is the mean of the irrelevant features of x', per channel (over the columns of a table,
    in their units): a sample does not give its reasons away.  With one mask for all samples,
    columns or pixels are simply exchanged.  There is no radius to choose, values stay on the data,
    and a step costs about as much as that of the label loss alone.  Use it first: with its defaults
    it went at least .94 of the way from labels alone to a model without the shortcut, on 18 tasks
    that have one (the study "defaults").  Where values that never occur in training must be
    survived (a column set to 0), add `grad_alpha` or use `PGDExClassifier`.

    Where masks mark parts of a sample, such as a ruler or some words, and two samples' marks leave
    half of the features, parts come and go: with u = max(a, a') the loss is taken at (1 - u) x +
    u x'.
    So the marks may lie on the shortcut alone, and one class alone may have it, as long as samples
    of the others have a mask, too, which marks nothing.  Where annotated samples always mark the
    same places, these are taken for samples without a mask as well.

    Images on the backgrounds of others are older than this estimator [2]_ [3]_, and ShortKit-ML
    randomises backgrounds, too.  That a donor's reasons are never given, soft and partly
    unknown masks, and marks of parts that one class alone has are ours.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    AvgExClassifier : Other perturbations, and a callable of one's own.
    PGDExClassifier : The worst perturbation within a radius.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.  (The family of perturbations.)
    .. [2] K. Xiao, L. Engstrom, A. Ilyas, A. Madry (2021). Noise or Signal: The Role of Image
       Backgrounds in Object Recognition. ICLR.  (Foregrounds on random backgrounds, "mixed-rand".)
    .. [3] AutoBackSwap (2026). arXiv 2606.32018.  (Predicted backgrounds, filled in and swapped.)

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import SwapExClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = SwapExClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.9)
    True
    """


class CounterexampleClassifier(_AverageCase, BaseExplanationClassifier):
    r"""Classifier trained on counterexamples: samples whose irrelevant features are random.

    Takes the label loss of an annotated sample at a copy whose irrelevant features are drawn
    uniformly from their range in the training data (Schramowski et al. 2020 [1]_).  There the
    copies are made once and added to the samples (``alpha=1.0``); here they are drawn anew at each
    step and replace the samples.  Use it as a baseline of `SwapExClassifier`: its values do not
    occur in the data, so that it fails where the shortcut is a texture.  A step costs about as much
    as the label loss's.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    AvgExClassifier : Other perturbations; "refill" is this one.

    References
    ----------
    .. [1] P. Schramowski et al. (2020). Making deep neural networks right for the right scientific
       reasons by interacting with their explanations. Nature Machine Intelligence 2.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import CounterexampleClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column predicts the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> clf = CounterexampleClassifier(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.mean(clf.predict(X) == clf.predict(X + [0, 1])) > 0.9)
    True
    """

    _perturbation = "refill"


class AvgExRegressor(_AvgEx, BaseExplanationRegressor):
    r"""Regressor trained on random perturbations of its irrelevant features.

    `AvgExClassifier` with the squared error of the prediction.  For a linear model, gaussian noise
    is a ridge penalty on the weights of irrelevant columns alone (Heo et al. 2023 [1]_,
    Proposition 1).

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    SwapExRegressor : Perturbs by the values of other samples; nothing to tune.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import AvgExRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> reg = AvgExRegressor(epsilon=5, max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3)
    True
    """


class SwapExRegressor(_AverageCase, BaseExplanationRegressor):
    r"""Regressor trained on samples with the irrelevant features of other samples.

    `SwapExClassifier` with the squared error of the prediction.  In a linear model a float `alpha`
    divides the weight of an irrelevant column that is independent of the others by 1 + `alpha`, and
    ``"replace"`` makes it zero.

    Parameters
    ----------
    %(parameters)s

    Attributes
    ----------
    %(attributes)s

    See Also
    --------
    AvgExRegressor : Other perturbations, and a callable of one's own.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.  (The family; the swap is ours.)

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import SwapExRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all samples
    >>> reg = SwapExRegressor(max_epochs=30, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3)
    True
    """
