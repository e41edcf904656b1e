"""What a network or a layer returns: logits or features, in whatever they are wrapped."""

import copy
from collections.abc import Mapping, MutableMapping
from typing import Any


def first_output(outputs: Any) -> Any:
    """Return the logits of a dict or an object, or else the first entry of a tuple or a list.

    Parameters
    ----------
    outputs : object
        What a network or a layer has returned.

    Returns
    -------
    object
        What has neither logits nor a first entry stays as it is.
    """
    if isinstance(outputs, Mapping):
        return outputs.get("logits", outputs)
    if isinstance(outputs, tuple | list) and not hasattr(outputs, "logits"):
        return outputs[0] if len(outputs) else outputs
    return getattr(outputs, "logits", outputs)


def replace_first_output(outputs: Any, new: Any) -> Any:
    """Return outputs with another value where `first_output` reads one.

    Parameters
    ----------
    outputs : object
        What a layer has returned; it is not changed.
    new : object
        The value.

    Returns
    -------
    object of the kind of `outputs`
    """
    if "logits" in getattr(outputs, "_fields", ()):  # a named tuple
        return outputs._replace(logits=new)
    if isinstance(outputs, tuple | list) and len(outputs):
        changed = [new, *outputs[1:]]
        if hasattr(outputs, "_make"):  # a named tuple
            return outputs._make(changed)
        return changed if isinstance(outputs, list) else tuple(changed)
    if isinstance(outputs, MutableMapping) and "logits" in outputs:
        changed_mapping = copy.copy(outputs)
        changed_mapping["logits"] = new
        return changed_mapping
    if not isinstance(outputs, Mapping) and hasattr(outputs, "logits"):
        changed_object = copy.copy(outputs)
        changed_object.logits = new
        return changed_object
    return new
