"""Saliency: one map of attributions per sample."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import is_classifier
from torch import nn

from .._checks import check_option
from .._surroundings import isolated_random_state, own_surroundings
from .._typing import Seed
from ..estimators._base import BaseExplanationEstimator
from ..estimators._largest_gradients import (
    check_gradient,
    input_gradient,
    log_odds,
    rows_in_batches,
)
from ..estimators._parameters import root_seed
from ..estimators._validation import check_inputs
from ..masks._tokens import real_tokens
from ..metrics._token_inputs import read_texts
from ..penalties._checks import check_layer
from ..penalties._grad_cam import _enlarge, _run_to_map, heat_map
from ..penalties._input_gradient import _score
from ..penalties._tokens import at_embedding
from ..training._random import seed_layers
from ._captum import Score, integrated_gradients, lime, occlusion, smooth_grad
from ._checks import check_model, class_codes

_OF_A_CLASS = ("log_odds", "log_prob", "prob", "logit")
_OF_ALL_CLASSES = ("log_prob_sum", "logit_sum")
# Methods that ask for the score of the samples themselves: its logits give the predicted class.
_AT_THE_ROWS = ("input_gradient", "grad_cam")
# Methods that read the gradient at the inputs.
_OF_GRADIENTS = ("input_gradient", "smooth_grad", "integrated_gradients")


@own_surroundings()
def saliency(
    estimator: BaseExplanationEstimator,
    X: ArrayLike,
    *,
    method: str = "input_gradient",
    target: Any = None,
    output: str | None = None,
    random_state: Seed = None,
    **params: Any,
) -> np.ndarray:
    r"""Map how much each feature of each sample speaks for a class, or moves a prediction.

    Parameters
    ----------
    estimator : classifier or regressor of this package
        A fitted one, or a `WithTokenizer` around it.
    X : array-like of the shape of the training inputs, or sequence of str
        Inputs; texts of a `WithTokenizer` have one value for each of its `n_tokens_` tokens.
    method : str, default="input_gradient"
        How features are weighed, with s the score that is explained and u the input unit of the
        estimator (standard deviations by default, so that columns of different scales compare):

        - "input_gradient": :math:`u_d \, \partial s(x) / \partial x_d` [1]_;
        - "smooth_grad": the mean of that over noisy copies of the sample [2]_; parameters
          `n_samples` and `noise`;
        - "integrated_gradients": :math:`(x_d - b_d)` times the mean of
          :math:`\partial s / \partial x_d` on the way from the baseline b to x [3]_.  A map sums to
          :math:`s(x) - s(b)`; parameters `baseline` and `n_steps`;
        - "occlusion": the fall of s when a patch is set to the baseline [4]_; parameters
          `baseline`, `patch_size` and `stride`;
        - "lime": the coefficients of a linear model of s, where each patch is there or set to the
          baseline at random [5]_; parameters `baseline`, `n_samples` and `patch_size`;
        - "grad_cam": what the map of a convolution shows of the class, not negative, enlarged to
          the image [6]_; parameter `layer`.

        All but the first and the last need captum (``pip install "skexplain[explain]"``).

        Tokens have one value each, at the output of their embedding e: of "input_gradient",
        :math:`(e - \bar e) \cdot \partial s / \partial e`, the change of s to first order from a
        token of the mean embedding :math:`\bar e` to this one; "smooth_grad" the mean of that over
        noisy embeddings; "integrated_gradients" and "occlusion" from tokens `mask_id` (or, with
        ``baseline="mean"`` and without one, from the mean embedding); "lime" likewise.  Padding has
        0.
    target : label or array-like of shape (n,), default=None
        Class that is explained, for all samples or for each, such as the true labels; None: the
        predicted one.  Not for regressors, nor for an output without a class.
    output : str or None, default=None
        The score s.  For a class k: "log_odds", :math:`\log p_k / (1 - p_k)`, whose gradient points
        the same way as that of "prob" but does not round to nothing where the model is sure;
        "log_prob", "prob" or "logit".  For all classes together: "log_prob_sum", what
        `GradRegClassifier` makes small, or "logit_sum".  None: "log_odds", or the prediction of a
        regressor, which has no other.
    random_state : int, RandomState instance or None, default=None
        For "smooth_grad" and "lime"; each sample has the same draws.  None: fresh entropy.
    **params
        Parameters of the method:

        - `baseline` : float, "mean" or array-like, default="mean".  What stands for an absent
          feature, in the unit of X: a number, the training mean of each column or channel
          (``input_statistics_``), or an array that broadcasts to a sample.  For counts of words: 0.
        - `n_steps` : int, default=50.  Points on the way from the baseline.
        - `n_samples` : int, default=50 for "smooth_grad", 500 for "lime".  Random copies of a
          sample.
        - `noise` : float, default=0.5.  Standard deviation of the noise in input units.
        - `patch_size` : int or None, default=None.  Side of the square patches, over all channels,
          of images; None: an eighth of the shorter side.  Each column of a table is a patch.
        - `stride` : int or None, default=None.  Step between patches; None: they do not overlap.
        - `layer` : str or None, default=None.  As in ``named_modules``; None: the convolution that
          runs last.

    Returns
    -------
    ndarray of float32 of the shape of X
        In units of s.  Positive: speaks for the class.  "grad_cam" has one channel, (n, h, w) or
        (n, 1, h, w).

    Raises
    ------
    ImportError
        If the method needs captum, which is not installed.
    TypeError
        If `estimator` is anything else, or a parameter is none of the method's.
    ValueError
        If a value is not legal, X is of another shape than at fit, or no gradient reaches X.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    largest_gradient_mask : The features of the largest input gradients.

    References
    ----------
    .. [1] K. Simonyan, A. Vedaldi, A. Zisserman (2014). Deep Inside Convolutional Networks:
       Visualising Image Classification Models and Saliency Maps. ICLR workshop.
    .. [2] D. Smilkov et al. (2017). SmoothGrad: removing noise by adding noise.
    .. [3] M. Sundararajan, A. Taly, Q. Yan (2017). Axiomatic Attribution for Deep Networks. ICML.
    .. [4] M. D. Zeiler, R. Fergus (2014). Visualizing and Understanding Convolutional Networks.
       ECCV.
    .. [5] M. T. Ribeiro, S. Singh, C. Guestrin (2016). "Why Should I Trust You?": Explaining the
       Predictions of Any Classifier. KDD.  The weights and the ridge are those of the authors' code
       for images.
    .. [6] R. R. Selvaraju et al. (2017). Grad-CAM: Visual Explanations from Deep Networks via
       Gradient-based Localization. ICCV.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ERMClassifier
    >>> from skexplain.inspection import saliency
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> clf = ERMClassifier(max_epochs=50, random_state=0).fit(X, X[:, 1] > 0)
    >>> maps = saliency(clf, X, target=True)
    >>> maps.shape
    (100, 3)
    >>> int(maps.mean(axis=0).argmax())  # the second column speaks for the class
    1
    """
    read = read_texts(estimator, X)
    if read is not None:
        estimator, X = read.estimator, read.ids
    check_model(estimator)
    explain = _method(method, params)
    output = _check_output(estimator, output, target)
    seed = root_seed(random_state)
    X = check_inputs(estimator, X, reset=False)
    if method in _OF_GRADIENTS:
        check_gradient(estimator, X)
    classes = _explained_classes(estimator, X, method, output, target)
    score = partial(_class_score, output)
    module, device = estimator.module_, estimator.trainer_.device
    maps = []
    with isolated_random_state(device):
        for batch in rows_in_batches(estimator, X, classes):
            for rows in _one_by_one(batch) if method in ("smooth_grad", "lime") else [batch]:
                seed_layers(seed, device)  # so that a sample's map does not depend on the others
                if rows.tokens is not None and method != "grad_cam":
                    values = _of_tokens(explain, module, rows, score, method)
                else:
                    values = explain(module, rows, score)
                maps.append(values.detach().cpu().numpy())
    return np.concatenate(maps)


def _of_tokens(
    explain: Callable[..., torch.Tensor], module: nn.Module, rows: Any, score: Score, method: str
) -> torch.Tensor:
    """Explain samples of tokens at the output of their embedding, with one value per token."""
    with torch.no_grad():
        embedded = at_embedding(rows)
    values = explain(module, embedded, score)[..., 1:]
    if method in ("input_gradient", "smooth_grad"):  # per unit
        step = (embedded.x - embedded.mean)[..., 1:]
        values = values * step / embedded.unit[..., 1:].clamp_min(torch.finfo(step.dtype).tiny)
    # What is set to the baseline as a whole has the same value in all units.
    values = values[..., 0] if method in ("occlusion", "lime") else values.sum(-1)
    return values * real_tokens(rows.x, rows.tokens.pad_id)


def _grad_cam(
    module: nn.Module, rows: Any, score: Score, *, layer: str | None = None
) -> torch.Tensor:
    """Return the mean gradient of each channel of a layer, times its map, where it is positive."""
    check_layer("layer", layer)
    with torch.enable_grad():
        point, activations = _run_to_map(module, rows.x, layer)
        heat = heat_map(score(point.logits, rows.y), activations, point.x)
    return _enlarge(heat.detach().relu(), rows.x)


_METHODS: dict[str, Callable[..., torch.Tensor]] = {
    "input_gradient": input_gradient,
    "smooth_grad": smooth_grad,
    "integrated_gradients": integrated_gradients,
    "occlusion": occlusion,
    "lime": lime,
    "grad_cam": _grad_cam,
}


def _method(name: str, params: dict[str, Any]) -> Callable[..., torch.Tensor]:
    check_option("method", name, tuple(_METHODS))
    function = _METHODS[name]
    parameters = inspect.signature(function).parameters.values()
    legal = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    for key in params:
        if key not in legal:
            raise TypeError(f"saliency got {key!r}, but method={name!r} has parameters {legal}.")
    return partial(function, **params)


def _check_output(estimator: BaseExplanationEstimator, output: str | None, target: Any) -> str:
    if not is_classifier(estimator):
        for name, value in {"target": target, "output": output}.items():
            if value is not None:
                raise ValueError(f"{name} must be None for a regressor, got {value!r}.")
        return "logit_sum"  # of its one output
    if output is None:
        return "log_odds"
    check_option("output", output, _OF_A_CLASS + _OF_ALL_CLASSES)
    if target is not None and output in _OF_ALL_CLASSES:
        raise ValueError(f"target must be None with output={output!r}, which is of no class.")
    return output


def _explained_classes(
    estimator: BaseExplanationEstimator, X: np.ndarray, method: str, output: str, target: Any
) -> np.ndarray | None:
    """Return the code of each sample's class; None: that which the method's pass predicts."""
    if target is not None:
        return class_codes("target", target, estimator, len(X))
    if method in _AT_THE_ROWS:
        return None
    if output in _OF_A_CLASS:
        return estimator.trainer_.outputs(X).argmax(1).numpy()
    return np.zeros(len(X), dtype=np.int64)


def _class_score(output: str, logits: torch.Tensor, classes: torch.Tensor | None) -> torch.Tensor:
    """Reduce logits of shape (n, n_classes) to a scalar per sample; None: predicted classes."""
    if output in _OF_ALL_CLASSES:
        return _score(output, logits, None)
    if classes is None:
        classes = logits.argmax(1)
    if output == "log_odds":
        return log_odds(logits, classes)
    if output == "logit":
        return logits.gather(1, classes[:, None])[:, 0]
    log_prob = _score("log_prob_true", logits, classes)
    return log_prob if output == "log_prob" else log_prob.exp()


def _one_by_one(rows: Any) -> list[Any]:
    positions = torch.arange(len(rows.x), device=rows.x.device)
    return [rows.take(position) for position in positions.split(1)]
