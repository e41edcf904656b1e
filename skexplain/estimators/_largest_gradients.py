"""The features that a classifier uses: those of the largest input gradients."""

from collections.abc import Iterator
from dataclasses import replace
from numbers import Real
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from .._checks import check_option
from .._surroundings import own_surroundings
from ..masks import interpret_mask
from ..masks._labels import labels_beside
from ..penalties import Rows
from ..penalties._base import point_of
from ..penalties._input_gradient import _score
from ..penalties._layers import passes_gradient
from ..penalties._tokens import at_embedding, length_by_token
from ..training._batches import TrainingData
from ._classifier import BaseExplanationClassifier
from ._frame import fitted_tokens, frame_of
from ._tokenizers import check_has_no_tokenizer
from ._validation import check_inputs

CUTOFF = 0.67
_OUTPUTS = ("prob_max", "log_prob_max", "log_prob_sum", "logit_sum")


@own_surroundings()
def largest_gradient_mask(
    estimator: BaseExplanationClassifier,
    X: ArrayLike,
    *,
    cutoff: float = CUTOFF,
    output: Literal["prob_max", "log_prob_max", "log_prob_sum", "logit_sum"] = "prob_max",
) -> np.ndarray:
    r"""Mark the features that a classifier uses: those of the largest input gradients.

    A feature d of a sample counts where

    .. math:: \Big|u_d \frac{\partial s(x)}{\partial x_d}\Big| > c \max_{d'}
        \Big|u_{d'} \frac{\partial s(x)}{\partial x_{d'}}\Big|

    with s the chosen output and u the input unit of the estimator (standard deviations by default,
    so that columns of different scales compare) [1]_.  A pixel counts where any of its channels
    does; of a token the length of the gradient at its embedding counts.

    Parameters
    ----------
    estimator : fitted classifier of this package
        The model.
    X : array-like of the shape of the training inputs
        Inputs; gradients are taken batch by batch.
    cutoff : float, default=0.67
        The share c of a sample's largest gradient; at least 0 and below 1.
    output : str, default="prob_max"
        The scalar s: "prob_max" or "log_prob_max" (both give the same mask), "log_prob_sum" or
        "logit_sum".

    Returns
    -------
    ndarray of bool of shape (n, d), (n, h, w) or (n, 1, h, w)
        Nothing is marked in a sample whose gradient is zero.

    Raises
    ------
    TypeError
        If `estimator` is anything else.
    ValueError
        If `cutoff` or `output` is not legal or X is of another shape than at fit.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez (2017). Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations. IJCAI.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import ERMClassifier
    >>> from skexplain.inspection import largest_gradient_mask
    >>> X = np.random.default_rng(0).normal(size=(100, 3))
    >>> clf = ERMClassifier(max_epochs=50, random_state=0).fit(X, X[:, 1] > 0)
    >>> int(largest_gradient_mask(clf, X).mean(axis=0).argmax())
    1
    """
    check_has_no_tokenizer(estimator, "pass clf.estimator_ and t.ids")
    if not isinstance(estimator, BaseExplanationClassifier):
        raise TypeError(f"estimator must be a classifier of this package, got {estimator!r}.")
    if not (isinstance(cutoff, Real) and 0 <= cutoff < 1):
        raise ValueError(f"cutoff must be at least 0 and below 1, got {cutoff!r}.")
    check_option("output", output, _OUTPUTS)
    check_is_fitted(estimator)
    X = check_inputs(estimator, X, reset=False)
    check_gradient(estimator, X)
    module = estimator.module_
    return np.concatenate(
        [_largest_gradients(module, rows, cutoff, output) for rows in rows_in_batches(estimator, X)]
    )


def _largest_gradients(module: Any, rows: Rows, cutoff: Any, output: Any) -> Any:
    gradient = input_gradient(module, rows, lambda logits, _: _explained(output, logits))
    size = length_by_token(gradient, rows).abs()
    if size.ndim > 3:
        size = size.amax(1, keepdim=True)
    largest = size.flatten(1).amax(1).reshape(-1, *(1,) * (size.ndim - 1))
    return (size > cutoff * largest).cpu().numpy()


def _explained(output: Any, logits: Any) -> Any:
    """Reduce logits to the scalar whose gradient explains, up to a positive factor per sample."""
    if output not in ("prob_max", "log_prob_max"):
        return _score(output, logits, None)
    return log_odds(logits, logits.argmax(1))


def log_odds(logits: Any, classes: Any) -> Any:
    r"""Log odds of a class per sample, :math:`\log p_k / (1 - p_k)`.

    Its gradient points the same way as that of the probability, which rounds to nothing where the
    model is sure.

    Parameters
    ----------
    logits : Tensor of shape (n_samples, classes)
        Outputs of the network.
    classes : LongTensor of shape (n_samples,)
        Class k of each sample.

    Returns
    -------
    Tensor of shape (n_samples,)
    """
    classes = classes[:, None]
    others = logits.scatter(1, classes, -torch.inf)
    return logits.gather(1, classes)[:, 0] - others.logsumexp(1)


def input_gradient(module: Any, rows: Rows, score: Any) -> Any:
    """Gradient of a score at each feature, per input unit.

    Parameters
    ----------
    module : nn.Module
        The network, in evaluation mode.
    rows : Rows
        Samples of shape (n_samples, ...).
    score : callable
        ``score(logits, rows.y)`` gives one value per sample.

    Returns
    -------
    Tensor of shape (n_samples, ...)
        Zero where the score does not depend on the inputs.  Of tokens at their embedding.
    """
    with torch.enable_grad():
        point = point_of(module, rows)
        (gradient,) = torch.autograd.grad(
            score(point.logits, rows.y).sum(), point.x, allow_unused=True, materialize_grads=True
        )
    return at_embedding(rows, point.x).unit * gradient


def check_gradient(estimator: Any, X: Any) -> None:
    """Check that the gradient at the inputs says what a network reads.

    Parameters
    ----------
    estimator : fitted estimator of this package
        Whose network is differentiated.
    X : ndarray of shape (n, ...)
        Checked inputs.

    Raises
    ------
    ValueError
        If the outputs depend on X, but have no gradient there, as those of an embedding of tokens.
    """
    if fitted_tokens(estimator).embedding_layer is not None:
        return  # which have one at their embedding
    module, device = estimator.module_.eval(), estimator.trainer_.device
    x = torch.as_tensor(X[:2].astype(np.float32), device=device)
    if passes_gradient(module, x):
        return
    # In another order the features are legal values, tokens, too.
    others = x.flatten(1).roll(1, dims=1).view_as(x)
    if not torch.equal(module(x), module(others)):
        raise ValueError(
            "estimator must have a network that passes a gradient to X; got one in which X is "
            "detached or made integer on the way, as for an embedding of tokens. For saliency: "
            'method="occlusion" with the token of padding as baseline. See '
            "docs/limits.md#networks."
        )


def rows_in_batches(estimator: Any, X: Any, y: Any = None) -> Iterator[Any]:
    """Yield new samples in batches on the network's device; the network is in evaluation mode.

    Parameters
    ----------
    estimator : fitted estimator of this package
        Whose network runs on them.
    X : ndarray of shape (n, ...)
        Checked inputs.
    y : ndarray of int of shape (n,) or None, default=None
        A class for each sample.

    Yields
    ------
    Rows
        Without masks.
    """
    trainer = estimator.trainer_
    trainer.module_.eval()
    frame = frame_of(estimator, trainer)
    size = max(256, trainer.effective_batch_size(X))
    for start in range(0, len(X), size):
        batch = slice(start, start + size)
        x = torch.tensor(np.asarray(X[batch], dtype=np.float32), device=trainer.device)
        classes: Any = None if y is None else torch.as_tensor(y[batch], device=trainer.device)
        yield replace(frame, x=x, y=classes)


def masked_rows(estimator: Any, X: Any, mask: Any, mask_marks: Any = None) -> Iterator[Any]:
    """Yield new samples with their masks in batches, as a penalty sees them; without targets.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted.
    X : array-like of the shape of the training inputs
    mask : array-like, list or DataFrame
    mask_marks : {"irrelevant", "relevant"} or None, default=None
        What a value of 1 says; None: as the estimator's parameter.

    Yields
    ------
    Rows
    """
    labels = labels_beside(X, fitted=estimator)
    X = check_inputs(estimator, X, reset=False)
    marks = estimator.mask_marks if mask_marks is None else mask_marks
    trainer = estimator.trainer_
    masks = interpret_mask(mask, X.shape, marks=marks, **labels)
    pad_id = fitted_tokens(estimator).pad_id
    if masks is not None and pad_id is not None:
        masks = masks.without(pad_id == X)
    data = TrainingData(
        X,
        np.zeros(len(X)),
        masks,
        frame=frame_of(estimator, trainer),
        index=np.arange(len(X)),
        penalised=np.ones(len(X), dtype=bool),
        device=trainer.device,
    )
    for index in data.index.split(trainer.effective_batch_size(data)):
        yield data.rows(index, with_masks=True)


def mean_irrelevance(explanation: Any, irrelevance: Any) -> Any:
    """Mean irrelevance over the reasons of each sample, and which samples have any."""
    if irrelevance is None:
        irrelevance = np.zeros((1,) * explanation.ndim, dtype=bool)
    inside = explanation * irrelevance
    size = np.broadcast_to(explanation, inside.shape).reshape(len(inside), -1).sum(axis=1)
    inside = np.nansum(inside.reshape(len(inside), -1), axis=1, dtype=np.float64)
    return inside / np.maximum(size, 1), size > 0


def mean_over(values: NDArray[Any], rows: NDArray[Any], weight: NDArray[Any] | None) -> float:
    """Weighted mean over some samples; 0 where there are none."""
    if not len(rows):
        return 0.0
    return float(np.average(values[rows], weights=None if weight is None else weight[rows]))
