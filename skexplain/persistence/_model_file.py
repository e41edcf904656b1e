"""Save a fitted estimator to a file that runs no code, and load it again."""

from __future__ import annotations

import os
import warnings
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np
import sklearn
import torch
from sklearn.utils.validation import check_is_fitted

from .. import __version__
from .._checks import check_flag
from ..exceptions import ModelFileError
from ._container import Container, write_container
from ._estimators import ESTIMATORS, EstimatorReader, EstimatorWriter, handed_parameters
from ._values import CannotBeStored, describe

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_FORMAT = 1
_VERSIONS = {
    "skexplain": __version__,
    "torch": torch.__version__,
    "scikit-learn": sklearn.__version__,
    "skorch": metadata.version("skorch"),
    "numpy": np.__version__,
}


def save(
    estimator: BaseEstimator, path: str | os.PathLike[str], *, with_masks: bool = False
) -> None:
    """Save a fitted estimator of this package to a file that is safe to hand on.

    The file is a safetensors file: weights and arrays as tensors; parameters, classes, column
    names, units, the history and the versions of the packages as JSON in its header.  To load it
    runs no code from it, other than a pickle.  It holds no sample of X and no mask.

    What is code of your own is not stored: a network, callbacks, a callable perturbation or
    augmentation.  `load` asks for these by their parameter names.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted estimator: a classifier or regressor, `FindAnotherExplanationClassifier`,
        `MaskPropagator`, or `WithPropagatedMasks` or `WithTokenizer` around one.  Of a pipeline,
        its last step; the other steps are saved by ``skops.io``.
    path : str or path-like
        The file; one of this name is replaced, and kept where saving fails.
    with_masks : bool, default=False
        Whether masks of training samples that the estimator keeps are stored, too: those of
        `FindAnotherExplanationClassifier`, whose `fit_next` needs them unless it is given some.

    Raises
    ------
    TypeError
        If `estimator` is none of this package, or holds what no file can.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    See Also
    --------
    load : The way back.
    export_onnx : For predictions without Python.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from skexplain import SwapExClassifier, load, save
    >>> X, mask = np.random.default_rng(0).normal(size=(80, 3)), [[0, 0, 1]]
    >>> clf = SwapExClassifier(max_epochs=5, random_state=0).fit(X, X[:, 0] > 0, mask=mask)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     save(clf, path)
    ...     again = load(path)
    >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    check_flag("with_masks", with_masks)
    if ESTIMATORS.get(type(estimator).__name__) is not type(estimator):
        raise TypeError(
            f"estimator must be one of {sorted(ESTIMATORS)}, got {describe(type(estimator))}. "
            f"Of a pipeline save the last step, of a CorrectedClassifier its to_estimator(); "
            f"skops.io saves those of scikit-learn. See "
            f"docs/saving.md#pipelines."
        )
    check_is_fitted(estimator)
    writer = EstimatorWriter(with_masks)
    try:
        written = writer.write(estimator, "estimator")
    except CannotBeStored as error:
        raise TypeError(f"estimator cannot be saved: {error} See docs/saving.md.") from error
    record = {"format": _FORMAT, "versions": _VERSIONS, "estimator": written}
    write_container(path, record, writer.tensors)


def load(
    path: str | os.PathLike[str], *, device: str | None = None, **parameters: Any
) -> BaseEstimator:
    """Load an estimator that `save` wrote; no code from the file is run.

    Predictions are those of the estimator that was saved, to the bit on the same machine and
    versions, and `partial_fit` goes on where its training ended.

    Parameters
    ----------
    path : str or path-like
        The file.
    device : str or None, default=None
        Where the network goes to; None: as the parameter `device` of the estimator says.
    **parameters : object
        The parameters that are not in the file, by name: ``module=MyNetwork`` for a network of your
        own, ``callbacks=None`` to go on without those of training.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    ModelFileError
        If the file is damaged, no model file, or of a later version of the package; or if the
        network that was handed in has other weights.
    TypeError
        If `parameters` lacks a parameter that is not in the file, or has another.
    OSError
        If the file cannot be read.

    Warns
    -----
    UserWarning
        If it was saved with another release of torch or of this package, which may predict other
        last digits.

    See Also
    --------
    save : The way there.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from torch import nn
    >>> from skexplain import ERMClassifier, load, save
    >>> X = np.random.default_rng(0).normal(size=(80, 3))
    >>> clf = ERMClassifier(nn.Linear, module__in_features=3, module__out_features=2, max_epochs=5)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.safetensors")
    ...     save(clf.fit(X, X[:, 0] > 0), path)
    ...     again = load(path, module=nn.Linear)  # code is never in the file
    >>> bool((again.predict(X) == clf.predict(X)).all())
    True
    """
    try:
        container = Container(path)
        record = container.record
        _check_format(record)
        _check_parameters(handed_parameters(record), parameters)
        estimator = _read(container, record, device, parameters)
    except ModelFileError as error:
        raise ModelFileError(f"{path} {error} See docs/saving.md.") from error
    _warn_of_versions(path, record["versions"])
    return estimator


def _read(
    container: Container, record: dict[str, Any], device: str | None, parameters: dict[str, Any]
) -> BaseEstimator:
    try:
        estimator = EstimatorReader(container, parameters, device).read(record["estimator"])
        if type(estimator).__name__ not in ESTIMATORS:
            raise ModelFileError("must hold an estimator.")
        check_is_fitted(estimator)
        return estimator
    except ModelFileError:
        raise
    except Exception as error:  # whatever a damaged or hostile record leads to
        raise ModelFileError(
            f"holds an estimator that cannot be made: {type(error).__name__}: {error}"
        ) from error


def _check_format(record: Any) -> None:
    if not isinstance(record, dict) or not isinstance(record.get("versions"), dict):
        raise ModelFileError("holds tensors, but no estimator of this package.")
    if record.get("format") != _FORMAT:
        raise ModelFileError(
            f"has format {record.get('format')!r:.80}, written by skexplain "
            f"{record['versions'].get('skexplain')!r:.80}; skexplain {__version__} reads format "
            f"{_FORMAT}."
        )


def _check_parameters(needed: dict[str, str], given: dict[str, Any]) -> None:
    missing = {name: was for name, was in needed.items() if name not in given}
    if missing:
        name, was = next(iter(missing.items()))
        raise TypeError(
            f"load needs {sorted(missing)}, which no model file holds: {name} was {was} when the "
            f"estimator was saved; pass {name}=... See docs/saving.md."
        )
    unknown = sorted(given.keys() - needed.keys())
    if unknown:
        raise TypeError(
            f"load got {unknown}, which are in the file already; it needs {sorted(needed)}."
        )


def _warn_of_versions(path: str | os.PathLike[str], versions: dict[str, Any]) -> None:
    for name in ("skexplain", "torch"):
        if _release(versions.get(name)) != _release(_VERSIONS[name]):
            warnings.warn(
                f"{path} was saved with {name} {versions.get(name)!r:.80}, this is "
                f"{_VERSIONS[name]}: predictions may differ in their last digits.",
                UserWarning,
                stacklevel=3,
            )


def _release(version: Any) -> str:
    return str(version).split("+")[0]
