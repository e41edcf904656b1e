"""Estimators as records of plain values, and back."""

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch

from .. import estimators as _estimators
from .. import penalties as _penalties
from ..estimators._mask_models import ColumnShares, ImageMasks
from ..estimators._validation import resolve_device
from ..exceptions import ModelFileError
from ..masks._statistics import InputStatistics
from ..training._pretrained import PretrainedNetwork
from ..training._state import trainer_state
from ..training._token_network import TokenNetwork
from ._networks import restore_network
from ._values import CannotBeStored, Tensors, ValueReader, ValueWriter, describe


def _classes_of(room: ModuleType) -> dict[str, type[Any]]:
    found = (getattr(room, name) for name in room.__all__)
    return {
        cls.__name__: cls
        for cls in found
        if isinstance(cls, type) and issubclass(cls, BaseEstimator)
    }


# What a file may name: these classes and no others, whatever else can be imported.
ESTIMATORS = _classes_of(_estimators)
_WITH_PARAMETERS = _classes_of(_penalties)
# Of these, a file holds the attributes.
_RECORDS: dict[str, type[Any]] = {cls.__name__: cls for cls in (InputStatistics, ColumnShares)}

# Networks of the package's own that are parameters: a file names them.
_NETWORKS: dict[str, type[Any]] = {cls.__name__: cls for cls in (TokenNetwork, PretrainedNetwork)}

# Made from the network's state.
_OF_THE_NETWORK = {"trainer_", "module_", "history_", "n_iter_", "alpha_"}
# Masks of the training samples, in lists or a record: stored where this is asked for.
_MASKS = {"masks_", "explanations_", "rejected_"}
# Of scikit-learn: how metadata are routed and outputs are wrapped is set anew.
_OF_SCIKIT_LEARN = {"_metadata_request", "_sklearn_output_config"}


class EstimatorWriter(ValueWriter):
    """Turns estimators into plain values.

    Parameters
    ----------
    with_masks : bool
        Whether masks of training samples that an estimator has kept are stored, too.
    """

    def __init__(self, with_masks: bool) -> None:
        super().__init__()
        self.with_masks = with_masks

    def write(self, value: Any, place: str) -> Any:
        """Return a value as JSON can hold it."""
        name = type(value).__name__
        if ESTIMATORS.get(name) is type(value):
            return {"estimator": self._estimator(value, place)}
        if _WITH_PARAMETERS.get(name) is type(value):
            params = value.get_params(deep=False)
            return {"penalty": [name, super().write(params, place)]}
        if _RECORDS.get(name) is type(value):
            return {"record": [name, super().write(vars(value), place)]}
        if isinstance(value, type) and value in _NETWORKS.values():
            return {"network": value.__name__}
        if type(value) is Bunch:
            return {"bunch": super().write(dict(value), place)}
        if type(value) is ImageMasks:
            return {"image_masks": super().write(value.state(), place)}
        if isinstance(value, BaseEstimator):
            raise CannotBeStored(f"{place} is {describe(value)}, no estimator of this package.")
        return super().write(value, place)

    def _estimator(self, estimator: Any, place: str) -> dict[str, Any]:
        params: dict[str, Any] = {}
        handed: dict[str, str] = {}
        for name, value in estimator.get_params(deep=False).items():
            try:
                params[name] = self.write(value, f"{place}.{name}")
            except CannotBeStored:
                if isinstance(value, BaseEstimator):
                    raise
                handed[name] = describe(value)
        network = hasattr(estimator, "trainer_")
        left_out = {*estimator.get_params(deep=False), *_OF_SCIKIT_LEARN}
        left_out |= _OF_THE_NETWORK if network else set()
        state = trainer_state(estimator.trainer_) if network else None
        if state is not None:
            state["settings"] = {k: v for k, v in state["settings"].items() if k not in handed}
        return {
            "class": type(estimator).__name__,
            "params": params,
            "handed": handed,
            "attributes": {
                name: self.write(self._without_masks(name, value), f"{place}.{name}")
                for name, value in vars(estimator).items()
                if name not in left_out
            },
            "network": self.write(state, place) if network else None,
        }

    def _without_masks(self, name: str, value: Any) -> Any:
        if self.with_masks or name not in _MASKS:
            return value
        return [None] * len(value) if isinstance(value, list) else None


class EstimatorReader(ValueReader):
    """Turns plain values back into estimators.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        The tensors of the file.
    handed : dict of str to object
        Parameters that the file does not hold, by name.
    device : str or None
        The device of all estimators; None: their own.
    """

    def __init__(self, tensors: Tensors, handed: dict[str, Any], device: str | None) -> None:
        super().__init__(tensors)
        self.handed = handed
        self.device = device

    def _read_estimator(self, content: Any) -> BaseEstimator:
        cls = _known(ESTIMATORS, content["class"])
        params = {name: self.read(value) for name, value in content["params"].items()}
        params |= {name: self.handed[name] for name in content["handed"]}
        estimator = cls(**params)
        if self.device is not None and "device" in params:
            estimator.set_params(device=self.device)
        if hasattr(estimator, "_validate_params"):
            estimator._validate_params()
        for name, value in content["attributes"].items():
            if not name.isidentifier() or hasattr(cls, name) or name in params:
                raise ModelFileError(f"must hold fitted attributes, got {name!r:.80}.")
            setattr(estimator, name, self.read(value))
        if content["network"] is not None:
            # Processes that trained it together are not there where it is loaded.
            together = estimator.device == "accelerate"
            device = resolve_device("auto" if together else estimator.device)
            state = self.read(content["network"])
            if "settings" in state:
                of_optimizer = estimator._prefixed("optimizer__", strip=False)
                state["settings"] |= {
                    k: of_optimizer[k] for k in content["handed"] if k in of_optimizer
                }
            restore_network(estimator, state, device)
        return estimator

    def _read_penalty(self, content: Any) -> BaseEstimator:
        name, params = content
        return _known(_WITH_PARAMETERS, name)(**self.read(params))

    def _read_record(self, content: Any) -> Any:
        name, attributes = content
        cls: Any = _known(_RECORDS, name)
        record = cls.__new__(cls)
        for key, value in self.read(attributes).items():
            if hasattr(cls, key) or not isinstance(value, (np.ndarray, np.generic, float)):
                raise ModelFileError(f"must hold arrays in {name}, got {key!r:.80}.")
            object.__setattr__(record, key, value)  # a frozen dataclass, too
        return record

    def _read_network(self, content: Any) -> type[Any]:
        return _known(_NETWORKS, content)

    def _read_bunch(self, content: Any) -> Bunch:
        return Bunch(**self.read(content))

    def _read_image_masks(self, content: Any) -> ImageMasks:
        device = resolve_device(self.device or "auto")
        return ImageMasks.from_state(self.read(content), device)


def handed_parameters(written: Any) -> dict[str, str]:
    """Collect the parameters that a file does not hold, with what they were.

    Parameters
    ----------
    written : object
        As `EstimatorWriter` wrote it.

    Returns
    -------
    dict of str to str
    """
    found: dict[str, str] = {}
    waiting = [written]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("handed"), dict):
                found.update(value["handed"])
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _known(classes: Mapping[str, type[Any]], name: str) -> type[Any]:
    if name not in classes:
        raise ModelFileError(f"must name classes of this package, got {name!r:.80}.")
    return classes[name]
