"""What the columns that a fitted transformer makes are made of: input columns, and words.

Composites are followed by their public attributes, so that anybody's that have the same are
followed as well; of simple transformers only those of scikit-learn that are known to work column by
column are trusted with names.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.feature_selection import SelectorMixin
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)

# What these call after an input is made of that input alone.  Others may keep names of columns that
# they mix, as a KNNImputer or a Normalizer does.
_BY_COLUMN = (
    *(SelectorMixin, MissingIndicator, SimpleImputer, Binarizer, KBinsDiscretizer, MaxAbsScaler),
    *(MinMaxScaler, OneHotEncoder, OrdinalEncoder, PolynomialFeatures, PowerTransformer),
    *(QuantileTransformer, RobustScaler, SplineTransformer, StandardScaler, TargetEncoder),
)

# The token of a column that is made of several columns of words, or in a way that is not known.
MIXED = object()


class Feature(NamedTuple):
    """A column on its way through transformers.

    Attributes
    ----------
    name : str
        Its name, as `get_feature_names_out` has it.
    origins : frozenset of str
        The input columns of which it may be made.
    token : str, MIXED or None
        The entry of a vectorizer's vocabulary that it counts; None where it counts no words.
    """

    name: str
    origins: frozenset
    token: Any = None


def trace_features(transformer: Any) -> list[Feature]:
    """Return the features that a fitted transformer makes.

    Parameters
    ----------
    transformer : object
        A fitted transformer, Pipeline, ColumnTransformer, FeatureUnion or vectorizer.

    Returns
    -------
    list of Feature

    Raises
    ------
    TypeError
        If a part has no names for what it makes.
    """
    names = getattr(transformer, "feature_names_in_", None)
    if names is None:
        names = [f"x{i}" for i in range(getattr(transformer, "n_features_in_", 1))]
    return _trace(transformer, [Feature(str(name), frozenset([str(name)])) for name in names])


def _trace(transformer: Any, inputs: list[Feature]) -> list[Feature]:
    """Return the features that one transformer makes of its inputs."""
    if isinstance(transformer, str) or transformer is None:
        return [] if transformer == "drop" else inputs  # else "passthrough"
    if hasattr(transformer, "output_indices_"):
        return _trace_columns(transformer, inputs)
    if hasattr(transformer, "transformer_list"):
        parts = [part for _, part in transformer.transformer_list]
        made = [feature for part in parts for feature in _trace(part, inputs)]
        return _rename(made, _names_out(transformer, inputs))
    if hasattr(transformer, "steps"):
        for _, step in transformer.steps:
            inputs = _trace(step, inputs)
        return inputs
    if not hasattr(transformer, "get_feature_names_out"):
        raise TypeError(
            f"{type(transformer).__name__} has no names for the columns it makes (no "
            "get_feature_names_out); a HashingVectorizer has no vocabulary: use CountVectorizer or "
            "TfidfVectorizer. For a pipeline that ends in an estimator pass pipeline[:-1]."
        )
    if hasattr(transformer, "vocabulary_"):
        origins = frozenset().union(*(feature.origins for feature in inputs))
        names = _names_out(transformer, inputs)
        return [Feature(name, origins, token=name) for name in names]
    return _trace_by_name(transformer, inputs)


def _trace_columns(transformer: Any, inputs: list[Feature]) -> list[Feature]:
    """Return the features that the parts of a ColumnTransformer make."""
    names = _names_out(transformer, inputs)
    by_name = {feature.name: feature for feature in inputs}
    features: list[Any] = [None] * len(names)
    for name, part, columns in transformer.transformers_:
        place = transformer.output_indices_[name]
        if place.start == place.stop:
            continue
        given = _select(columns, inputs, by_name)
        features[place] = _rename(_trace(part, given), names[place])
    return features


def _select(columns: Any, inputs: list[Feature], by_name: dict[str, Feature]) -> list[Feature]:
    """Return the features of a ColumnTransformer's column specification."""
    if not isinstance(columns, slice):
        columns = np.atleast_1d(columns)
        if columns.dtype.kind not in "bui":  # names
            return [by_name[str(column)] for column in columns]
    return [inputs[i] for i in np.arange(len(inputs))[columns]]


def _names_out(transformer: Any, inputs: list[Feature]) -> list[str]:
    names = transformer.get_feature_names_out([feature.name for feature in inputs])
    return [str(name) for name in names]


def _rename(features: Iterable[Feature], names: Sequence[str]) -> list[Feature]:
    """Return features under the names that a composite transformer has for them."""
    return [feature._replace(name=name) for feature, name in zip(features, names, strict=True)]


def _works_by_column(transformer: Any) -> bool:
    """Whether names say what is made of which column."""
    if isinstance(transformer, FunctionTransformer):
        function = transformer.func
        return function is None or (isinstance(function, np.ufunc) and function.nin == 1)
    return isinstance(transformer, _BY_COLUMN)


def _trace_by_name(transformer: Any, inputs: list[Feature]) -> list[Feature]:
    """Return the features that a simple transformer makes, traced by their names."""
    names = _names_out(transformer, inputs)
    by_name = {feature.name: feature for feature in inputs}
    # PCA and its like number their outputs, whatever their inputs are called.
    prefix = type(transformer).__name__.lower()
    if names == [f"{prefix}{i}" for i in range(len(names))]:
        by_name = {}
    everything = frozenset().union(*(feature.origins for feature in inputs))
    token = MIXED if any(feature.token is not None for feature in inputs) else None
    by_column = _works_by_column(transformer)

    def follow(name: str) -> Feature:
        if name in by_name:
            feature = by_name[name]
            return feature if by_column else feature._replace(origins=everything)
        if not by_column:
            return Feature(name, everything, token)
        starts = [name[:end] for end, letter in enumerate(name) if letter == "_"]
        owners = [by_name[start].origins for start in starts if start in by_name]
        return Feature(name, frozenset().union(*owners) if owners else everything, token)

    return [follow(name) for name in names]
