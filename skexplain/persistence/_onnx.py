"""A fitted estimator as an ONNX graph, which predicts without Python."""

from __future__ import annotations

import json
import logging
import os
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted
from torch import nn

from .. import __version__
from .._checks import check_path
from ..estimators._base import BaseExplanationEstimator

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator


def export_onnx(estimator: BaseEstimator, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator as an ONNX file.

    The graph takes ``X``, float32 of the shape of the training inputs with any number of samples.
    It returns ``label`` of shape (n,) and ``probabilities`` of shape (n, n_classes) for a
    classifier, ``prediction`` of shape (n,) for a regressor.  The built-in standardisation and
    class labels, also of text, are in the graph; the metadata of the file hold the column names.

    Parameters
    ----------
    estimator : estimator of this package
        A fitted classifier or regressor; `FindAnotherExplanationClassifier` and
        `WithPropagatedMasks`, too.
    path : str or path-like
        The file; one of this name is replaced.

    Raises
    ------
    TypeError
        If `estimator` is none of this package, or its class labels are neither numbers nor text.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    ImportError
        If onnx or onnxscript is not installed: ``pip install skexplain[export]``.

    See Also
    --------
    save : A file that trains on.

    Examples
    --------
    >>> import numpy as np
    >>> from skexplain import SwapExClassifier
    >>> from skexplain.persistence import export_onnx
    >>> X, mask = np.random.default_rng(0).normal(size=(80, 3)), [[0, 0, 1]]
    >>> clf = SwapExClassifier(max_epochs=5, random_state=0).fit(X, X[:, 0] > 0, mask=mask)
    >>> export_onnx(clf, "model.onnx")  # doctest: +SKIP
    """
    path = check_path("path", path)
    onnx = _import_onnx()
    check_is_fitted(estimator)
    members = _members(estimator)
    networks = [member.module_ for member in members]
    classes: Any = estimator.classes_ if is_classifier(estimator) else None
    text = classes is not None and _is_text(classes)
    labels = None if text else classes
    graph = _Predictor(networks, labels) if classes is not None else _Regression(networks[0])
    model = _export(
        graph,
        members[0].input_shape_,
        ["prediction"] if classes is None else ["label", "probabilities"],
    )
    if text:
        _gather_text(onnx, model, [str(label) for label in classes])
    names = getattr(estimator, "feature_names_in_", None)
    metadata = {
        "skexplain": __version__,
        "estimator": type(estimator).__name__,
        "feature_names": "" if names is None else json.dumps([str(name) for name in names]),
    }
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save_model(model, str(path))


def _import_onnx() -> Any:
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise ImportError(
            "export_onnx needs onnx and onnxscript: pip install skexplain[export]"
        ) from error
    return onnx


def _members(estimator: BaseEstimator) -> list[BaseExplanationEstimator]:
    """Return the estimators whose mean predicts; mostly one."""
    inner = getattr(estimator, "estimator_", estimator)
    if hasattr(inner, "estimators_") and not isinstance(inner, BaseExplanationEstimator):
        selected = inner.selected_
        members = inner.estimators_ if selected is None else [inner.estimators_[selected]]
    else:
        members = [inner]
    if not all(isinstance(member, BaseExplanationEstimator) for member in members):
        raise TypeError(
            f"estimator must be a fitted classifier or regressor of this package, got "
            f"{type(estimator).__name__}."
        )
    return members


def _is_text(classes: np.ndarray) -> bool:
    return all(isinstance(label, str) for label in classes.tolist())


class _Predictor(nn.Module):
    """Class probabilities, as mean over networks, and the most probable class."""

    labels: torch.Tensor

    def __init__(self, networks: list[nn.Module], labels: np.ndarray | None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        if labels is not None:
            if labels.dtype.kind not in "biuf":
                raise TypeError(f"classes_ must be numbers or text, got dtype {labels.dtype}.")
            self.register_buffer("labels", torch.as_tensor(labels))

    def forward(self, X: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        probabilities = torch.stack([net(X).softmax(1) for net in self.networks]).mean(0)
        winners = probabilities.argmax(1)
        return (self.labels[winners] if hasattr(self, "labels") else winners), probabilities


class _Regression(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return self.network(X)[:, 0]


def _export(graph: nn.Module, shape: tuple[int, ...], outputs: list[str]) -> Any:
    """Return the ONNX model of a network, for any number of samples."""
    device = next((p.device for p in graph.parameters()), torch.device("cpu"))
    # The exporter logs each optional package that it does without.
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of torch about itself
            program: Any = torch.onnx.export(
                graph.eval(),
                (torch.zeros(2, *shape, device=device),),
                input_names=["X"],
                output_names=outputs,
                dynamic_shapes={"X": {0: torch.export.Dim("n")}},
                dynamo=True,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    return program.model_proto


def _gather_text(onnx: Any, model: Any, labels: list[str]) -> None:
    """Turn the positions of classes at the output ``label`` into text: torch has no text."""
    helper, graph = onnx.helper, model.graph
    for node in graph.node:
        node.output[:] = ["winners" if name == "label" else name for name in node.output]
        node.input[:] = ["winners" if name == "label" else name for name in node.input]
    graph.initializer.append(
        helper.make_tensor(
            "labels", onnx.TensorProto.STRING, [len(labels)], [label.encode() for label in labels]
        )
    )
    graph.node.append(helper.make_node("Gather", ["labels", "winners"], ["label"]))
    label = next(output for output in graph.output if output.name == "label")
    label.type.tensor_type.elem_type = onnx.TensorProto.STRING
