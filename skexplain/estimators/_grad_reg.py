"""Input-gradient regularisation: right for the right reasons."""

import numpy as np

from ..masks import interpret_mask
from ..penalties import ConceptGradientPenalty, InputGradientPenalty, Term
from ..penalties._input_gradient import NORMS, OUTPUTS, check_norm
from ._classifier import BaseExplanationClassifier
from ._parameters import ALPHA, StrOptions, refuse_compile
from ._regressor import BaseExplanationRegressor

_ALPHA_TEXT = """\
alpha : float or "auto", default=2.0
        Weight of the penalty; 0 is the label loss alone.  "auto" trains the first epoch without
        and then takes the ratio of label loss to penalty (the rule of [1]_)."""

_LAYER_TEXT = """\
layer : str or None, default=None
        Submodule, as in ``named_modules``, at whose output the gradient is taken instead of the
        input's: the mask then has one column per unit (per channel of a feature map), shape (n, k)
        or (1, k), and says which units must not matter.
    concepts : array-like of shape (k, n_units) or None, default=None
        Directions in the space of the layer's units, such as concept activation vectors: the mask
        then has one column per direction."""

_OUTPUT_TEXT = """\
output : str, default="auto"
        The scalar whose gradient is penalised: "log_prob_sum", "log_prob_max", "log_prob_true",
        "prob_max", "prob_sum", "logit_sum" or "logit_true".  "prob_sum" is identically one: no
        penalty, a control.  "logit_sum" is that of Heo et al. 2023 [2]_; a network can satisfy it
        by a shift of all logits, which softmax ignores.  "logit_true" is the logit of the true
        class less the mean of all logits.  "auto": "logit_true" with a share, else
        "log_prob_sum"."""

_NORM_TEXT = """\
norm : {"share", "l2", "l1"}, default="share"
        The length of the irrelevant part of the gradient as a share of the length of all of it, or
        the sum of squares or of absolute values of the irrelevant part.  A share needs no tuning
        to the number of features, their units and the network; "l2" is the published penalty, for
        which `alpha` is to be searched over powers of ten."""

_SIGN_TEXT = """\
sign : {"both", "positive", "negative"}, default="both"
        Which gradients count; one-sided only with ``output="log_prob_true"``."""


class _GradReg:
    """What classifier and regressor share."""

    _parameter_constraints = {
        "alpha": ALPHA,
        "norm": [StrOptions(set(NORMS))],
        "layer": [str, None],
        "concepts": ["array-like", None],
    }

    def __init__(
        self, module="auto", *, alpha=2.0, norm="share", layer=None, concepts=None, **common
    ):
        super().__init__(module, **common)
        self.alpha = alpha
        self.norm = norm
        self.layer = layer
        self.concepts = concepts

    def _check_parameters(self):
        if self.concepts is not None and self.layer is None:
            raise ValueError(
                "concepts must come with layer, the submodule in whose space they are directions; "
                "got layer=None."
            )
        if self.alpha != 0:
            refuse_compile(self)

    def _gradient_penalty(self, output, **own):
        if self.layer is not None:
            return ConceptGradientPenalty(self.layer, self.concepts, output, self.norm)
        return InputGradientPenalty(output, self.norm, **own)

    def _interpret_mask(self, mask, X, labels):
        if self.layer is None or mask is None:
            return super()._interpret_mask(mask, X, labels)
        shape = _shape_of(mask)
        if len(shape) > 2:
            what = "row of concepts" if self.concepts is not None else f"unit of {self.layer!r}"
            raise ValueError(
                f"mask must have two axes with layer={self.layer!r}, one column per {what}, and a "
                f"row per row of X or one for all; got shape {shape}. See docs/networks.md."
            )
        # Any number of columns: the right one is known once there is a network.
        shape = (len(X), shape[-1] if shape else 0)
        return interpret_mask(mask, shape, marks=self.mask_marks, index=labels["index"])

    def _training_data(self, net, data, device):
        training = super()._training_data(net, data, device)
        if self.layer is not None:
            _try_masks(self._active_terms(), net.module_, training)
        return training


def _shape_of(mask):
    """Shape of a mask, or of the rows of a list that have one; () where there is none."""
    if isinstance(mask, (list, tuple)) or getattr(mask, "dtype", None) is np.dtype("O"):
        mask = [row for row in mask if row is not None]
    try:
        return np.shape(mask)
    except ValueError:  # rows of different lengths, which are refused elsewhere
        return ()


def _try_masks(terms, module, training):
    """Compute penalties at two rows: a mask of wrong shape is refused before training."""
    if training.masks is None or not training.masks.annotated.any():
        return
    rows = training.batch(training.index[:2], with_masks=True).rows
    for term in terms:
        term.penalty(module.eval(), rows)


class GradRegClassifier(_GradReg, BaseExplanationClassifier):
    r"""Classifier whose output may not react to irrelevant features.

    Adds to the label loss, for a row x with irrelevance a, input unit u and the input gradient g of
    the logit of its class (less the mean of all K logits),

    .. math:: \alpha \, \log K \, \frac{\lVert a \, u \, g \rVert_2}{\lVert u \, g \rVert_2},

    the share of the gradient that lies on irrelevant features, in units of the label loss of a
    constant prediction.  The published penalty (Ross et al. 2017 [1]_) is
    ``GradRegClassifier(norm="l2", alpha=1.0)``: :math:`\alpha \lVert a \, u \, g \rVert_2^2` with
    g the gradient of :math:`\sum_k \log p_k(x)`.  Its weight depends on the number of marked
    features and on the network.  A mask that marks all features alike leaves no share to learn
    from, with a warning: against small attacks on all features use "l2".

    Use it when the shortcut is small, when test values may lie outside the training range, or on
    tables.  It acts on infinitesimal changes only: against large ones (half an image) combine it
    with a perturbation, as `PGDExClassifier` does.  A step costs about three of the label loss's,
    as it differentiates twice.

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
    PGDExClassifier : Large perturbations, with this penalty on request.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.
    .. [2] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import GradRegClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = rng.integers(2, size=200)
    >>> X = rng.normal(size=(200, 2)) + 2 * y[:, None]  # either column tells the label
    >>> mask = np.array([[False, True]])  # the second must not matter, in all rows
    >>> clf = GradRegClassifier(alpha=10, max_epochs=50, random_state=0).fit(X, y, mask=mask)
    >>> moved = X + [0, 1]
    >>> bool(np.mean(clf.predict(X) == clf.predict(moved)) > 0.95)
    True
    """

    _texts = {
        "%(own_parameters)s": "\n    ".join(
            [_ALPHA_TEXT, _OUTPUT_TEXT, _NORM_TEXT, _SIGN_TEXT, _LAYER_TEXT]
        )
    }
    _parameter_constraints = {
        "output": [StrOptions(set(OUTPUTS))],
        "sign": [StrOptions({"both", "positive", "negative"})],
    }

    def __init__(self, module="auto", *, output="auto", sign="both", **common):
        super().__init__(module, **common)
        self.output = output
        self.sign = sign

    def _check_parameters(self):
        super()._check_parameters()
        check_norm(self.norm, self.output)
        if self.sign != "both" and (self.output != "log_prob_true" or self.layer is not None):
            raise ValueError(
                f'sign must be "both" unless output="log_prob_true" (and layer=None), got '
                f"sign={self.sign!r} with output={self.output!r} and layer={self.layer!r}."
            )

    def _terms(self):
        penalty = self._gradient_penalty(self.output, sign=self.sign)
        return (Term("input_gradient", penalty, self.alpha),)


class GradRegRegressor(_GradReg, BaseExplanationRegressor):
    r"""Regressor whose prediction may not react to irrelevant features.

    Adds to the squared error, for a row x with irrelevance a, input unit u and the gradient g of
    the prediction,

    .. math:: \alpha \, \sigma_y^2 \, \frac{\lVert a \, u \, g \rVert_2}{\lVert u \, g \rVert_2},

    the share of the gradient that lies on irrelevant features, times the variance of the training
    targets, so that neither the unit of X nor that of y matters.  ``norm="l2", alpha=1.0`` is the
    published penalty, :math:`\alpha \lVert a \, u \, g \rVert_2^2` (Ross et al. 2017 [1]_, for
    regression).  Use it on tables with a leaking column.  A step costs
    about three of the label loss's, as it differentiates twice.

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
    GradRegClassifier : The same for classes.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import GradRegRegressor
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X.sum(axis=1)
    >>> mask = np.array([[False, True]])  # the second must not matter, in all rows
    >>> reg = GradRegRegressor(alpha=10, max_epochs=50, random_state=0).fit(X, y, mask=mask)
    >>> bool(np.abs(reg.predict(X) - reg.predict(X + [0, 1])).mean() < 0.3)
    True
    """

    _texts = {"%(own_parameters)s": "\n    ".join([_ALPHA_TEXT, _NORM_TEXT, _LAYER_TEXT])}

    def _terms(self):
        penalty = self._gradient_penalty(self._gradient_output)
        return (Term("input_gradient", penalty, self.alpha),)


def gradient_terms(estimator, at):
    """Return the input-gradient term that `grad_alpha` adds to another, or nothing."""
    if estimator.grad_alpha == 0:
        return ()
    penalty = InputGradientPenalty(estimator._gradient_output, norm="l2")
    return (Term("input_gradient", penalty, estimator.grad_alpha, at),)
