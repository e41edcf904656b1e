"""Texts of docstrings that several estimators here share."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

Documented = TypeVar("Documented", bound=Callable[..., Any])

_INPUTS = """\
X : array-like of the kind and shape of the training inputs
    Inputs; no mask is needed.
"""

_TEXTS = {
    "mode": """\
mode : {"replace", "add"}, default="replace"
    "replace": copies take the place of the sample; "add": the sample itself counts as one of them,
    which rewards the shortcut still.
""",
    "mask_marks": """\
mask_marks : {"irrelevant", "relevant"}, default="irrelevant"
    What a mask value of 1 says: the feature must not matter, or it is the reason.
""",
    "exchange": """\
exchange : bool, default=True
    Whether samples exchange parts, where masks mark parts of a sample and not the same places in
    all: what either of two samples marks then comes from the other one, so that whether a part is
    there says nothing about the label.  False: a sample is changed at its own marks alone, so that
    an entry that is a reason in some samples keeps its value there.
""",
    "pad_id": """\
pad_id : int or None, default=None
    Id of padding, where X is an integer array of token ids, (n_samples, tokens): padding stays
    where it is, and is never given.  None: all entries are exchanged as they are.
""",
    "random_state": """\
random_state : int, RandomState instance or None, default=None
    Draws the donors.  The estimator's own randomness is its own parameter.
""",
    "fitted": """\
n_samples_fitted_ : int or None
    Number of samples and copies that it was fitted on; None where nothing was marked.
n_features_in_ : int
    Number of features, where the estimator has it.
feature_names_in_ : ndarray of str
    Column names, where the estimator has them.
""",
    "predict": f"""\
Parameters
----------
{_INPUTS}
Returns
-------
ndarray of shape (n_samples,)
""",
    "predict_proba": f"""\
Parameters
----------
{_INPUTS}
Returns
-------
ndarray of shape (n_samples, n_classes)
    In the order of ``classes_``.
""",
    "decision_function": f"""\
Parameters
----------
{_INPUTS}
Returns
-------
ndarray of shape (n_samples,) or (n_samples, n_classes)
    Of two classes one value, that of the second less that of the first.
""",
}


def with_shared_texts(documented: Documented) -> Documented:
    """Fill the gaps ``%(name)s`` in the docstring of a class and of its methods.

    Parameters
    ----------
    documented : type or function

    Returns
    -------
    type or function
        The same.
    """
    for thing in [documented, *vars(documented).values()]:
        # A method that is there for some estimators alone is wrapped.
        for one in (thing, getattr(thing, "fn", None)):
            text = getattr(one, "__doc__", None)
            if isinstance(text, str) and "%(" in text:
                one.__doc__ = re.sub(r"^( *)%\((\w+)\)s", _filled, text, flags=re.MULTILINE)
    return documented


def _filled(gap: re.Match[str]) -> str:
    return textwrap.indent(_TEXTS[gap[2]].rstrip(), gap[1])
