"""One mask for all samples, from the names of columns or from words."""

import re
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .._checks import check_option, is_iterable
from ._rows import shorten
from ._trace import MIXED, trace_features


def mask_from_columns(
    X: Any, columns: str | Iterable[str], *, match: Literal["name", "regex", "input"] = "name"
) -> NDArray[np.bool_]:
    """Mark columns by their names.

    Parameters
    ----------
    X : DataFrame, sequence of str, or fitted transformer or pipeline
        What has the columns: data, their names, or what makes them (by `get_feature_names_out`).
        For a pipeline that ends in an estimator pass ``pipeline[:-1]``.
    columns : str or sequence of str
        The columns to mark.
    match : {"name", "regex", "input"}, default="name"
        - "name": `columns` are names of columns;
        - "regex": they are regular expressions, and columns in which one is found are marked;
        - "input": they are columns of the data that went into the transformer, and all that
          is made of them is marked: of "city" the columns "cat__city_Oslo" and
          "cat__city_Paris".

    Returns
    -------
    mask : bool ndarray of shape (1, n_columns)
        One mask for all samples.

    Raises
    ------
    TypeError
        If `X` has no column names.
    ValueError
        If a name is not there, with those that are close, or an expression finds nothing; with
        "input", if a column may be made of one of `columns` as well as of another one.

    See Also
    --------
    mask_from_words : Words of a vectorizer.
    invert_mask : Marks all other columns.

    Notes
    -----
    What "input" has: the columns that a ColumnTransformer gives to each of its parts; that
    inside a part a transformer of scikit-learn that works column by column (scalers, encoders,
    `SimpleImputer`, selections, a `FunctionTransformer` of a ufunc) makes an output with an input's
    name, or with that name, an underscore and more, of it; and that anything else (a principal
    component, a product, all that a `KNNImputer`, a `Normalizer` or a function of one's own makes)
    may be made of all of them.  Names that fit two inputs ("city_size_2" of "city" and "city_size")
    are an error unless both are marked.

    Examples
    --------
    >>> from skexplain.masks import mask_from_columns
    >>> mask_from_columns(["age", "hospital_A", "hospital_B"], "^hospital_", match="regex")
    array([[False,  True,  True]])
    """
    check_option("match", match, ("name", "regex", "input"))
    columns = _as_names(columns, "columns")
    if match == "input":
        return _mark_inputs(X, columns)
    names = _names_of(X)
    if match == "name":
        before = set(getattr(X, "feature_names_in_", ()))
        hint = ' They are columns before it: match="input".' if before.issuperset(columns) else ""
        _check_names(columns, names, "columns", hint)
        return np.isin(names, columns)[None]
    if match != "regex":
        raise ValueError(f'match must be "name", "regex" or "input"; got {match!r}.')
    mask = np.zeros((1, len(names)), dtype=bool)
    for column in columns:
        try:
            found = [re.search(column, name) is not None for name in names]
        except re.error as error:
            raise ValueError(f"columns: {column!r} is no regular expression: {error}.") from error
        if not any(found):
            raise ValueError(f"columns: {column!r} is found in none of {shorten(names)}.")
        mask |= found
    return mask


def mask_from_words(
    vectorizer: Any,
    words: str | Iterable[str],
    *,
    ngrams: Literal["containing", "exact"] = "containing",
    missing: Literal["error", "warn", "ignore"] = "error",
) -> NDArray[np.bool_]:
    """Mark the columns that a fitted vectorizer makes of certain words.

    Parameters
    ----------
    vectorizer : fitted CountVectorizer or TfidfVectorizer, or what contains one
        A pipeline, ColumnTransformer or FeatureUnion may contain several; columns that are not made
        of words stay unmarked.  For a pipeline that ends in an estimator pass ``pipeline[:-1]``.
    words : str or sequence of str
        Words as they stand in the vocabulary (in lower case, by the vectorizers' default), or
        several words with single spaces between them.
    ngrams : {"containing", "exact"}, default="containing"
        Where the vectorizer counts n-grams: whether to mark all that contain the word, so that it
        has no other way in, or the word alone.
    missing : {"error", "warn", "ignore"}, default="error"
        What to do about words without a column.

    Returns
    -------
    mask : bool ndarray of shape (1, n_columns)
        One mask for all samples.

    Raises
    ------
    TypeError
        If there is no vectorizer with a vocabulary (a HashingVectorizer has none).
    ValueError
        If a word has no column and `missing` is "error", or a step mixes the columns of words.

    Warns
    -----
    UserWarning
        If a word has no column and `missing` is "warn".

    See Also
    --------
    mask_from_columns : Columns by their names.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from skexplain.masks import mask_from_words
    >>> vectorizer = CountVectorizer(ngram_range=(1, 2)).fit(["subject line", "good line"])
    >>> vectorizer.get_feature_names_out().tolist()
    ['good', 'good line', 'line', 'subject', 'subject line']
    >>> mask_from_words(vectorizer, "subject").astype(int)
    array([[0, 0, 0, 1, 1]])
    """
    check_option("ngrams", ngrams, ("containing", "exact"))
    check_option("missing", missing, ("error", "warn", "ignore"))
    words = _as_names(words, "words")
    features = trace_features(vectorizer)
    mixed = [feature.name for feature in features if feature.token is MIXED]
    if mixed:
        raise ValueError(
            f"vectorizer is followed by a step that mixes its columns into {shorten(mixed)}, so "
            "that none of them stands for a word."
        )
    tokens = [feature.token for feature in features]
    vocabulary = [token for token in tokens if token is not None]
    if not vocabulary:
        raise TypeError(
            "vectorizer must be, or contain, a fitted vectorizer with a vocabulary, such as "
            f"CountVectorizer or TfidfVectorizer; got {vectorizer!r}."
        )
    # Spaces around both find a word, or a phrase, at the bounds of words only.
    padded = np.array([f" {token} " if token is not None else "" for token in tokens])
    mask = np.zeros((1, len(tokens)), dtype=bool)
    absent = []
    for word in words:
        wanted = f" {word} "
        found = padded == wanted if ngrams == "exact" else np.char.find(padded, wanted) >= 0
        mask |= found
        if not found.any():
            absent.append(word)
    if absent and missing == "error":
        _check_names(absent, vocabulary, "words")
    if absent and missing == "warn":
        warnings.warn(f"words without a column: {shorten(absent)}.", stacklevel=2)
    return mask


def _as_names(names: str | Iterable[str], name: str) -> list[str]:
    if not isinstance(names, str) and not is_iterable(names):
        raise TypeError(f"{name} must be a name or a sequence of names; got {names!r}.")
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise ValueError(f"{name} must name at least one; got none.")
    return [str(value) for value in names]


def _names_of(X: Any) -> list[str]:
    if hasattr(X, "get_feature_names_out"):
        return [str(name) for name in X.get_feature_names_out()]
    names = getattr(X, "columns", X)
    if getattr(names, "ndim", 1) != 1 or not is_iterable(names):
        raise TypeError(
            "X must be a DataFrame, a sequence of column names, or a fitted transformer with "
            f"get_feature_names_out; got {type(X).__name__}."
        )
    return [str(value) for value in names]


def _check_names(
    wanted: Iterable[str], names: Sequence[str], argument: str, hint: str = ""
) -> None:
    """Check that all names exist; the error shows names that are similar."""
    known = set(names)
    absent = [name for name in wanted if name not in known]
    if not absent:
        return
    lower = {name.lower(): name for name in names}
    close = [lower[match] for match in get_close_matches(absent[0].lower(), lower, n=3)]
    others = f" Close to {absent[0]!r}: {close}." if close else f" There are {shorten(names)}."
    found = f"{argument}: {shorten(absent)} not found among {len(names)} names."
    raise ValueError(f"{found}{hint or others}")


def _mark_inputs(transformer: Any, columns: list[str]) -> NDArray[np.bool_]:
    features = trace_features(transformer)
    inputs = sorted(set().union(*(feature.origins for feature in features)))
    _check_names(columns, inputs, "columns")
    wanted = set(columns)
    for feature in features:
        if feature.origins & wanted and not feature.origins <= wanted:
            raise ValueError(
                f"columns: {feature.name!r} may be made of any of "
                f"{shorten(sorted(feature.origins))}; name the columns that the transformer makes, "
                'with match="name", or mark all of these.'
            )
    return np.array([[bool(feature.origins & wanted) for feature in features]])
