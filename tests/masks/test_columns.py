"""Check that columns and words are found by their names, also behind transformers."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
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

from skexplain.masks import interpret_mask, mask_from_columns, mask_from_words

FRAME = pd.DataFrame(
    {
        "age": [30, 40, 50, 60, 35, 45],
        "city": ["Oslo", "Paris", "Oslo", "Rome", "Rome", "Paris"],
        "city_size": [1, 3, 1, 2, 2, 3],
        "text": ["from: Bob", "good line", "From here on", "a good day", "bad line", "a bad day"],
    }
)
LABELS = np.array([0, 1, 0, 1, 0, 1])
TEXTS = list(FRAME["text"])


def names_of(mask, transformer):
    """The columns that a mask marks, after a look at whether fit would take it."""
    names = np.asarray(getattr(transformer, "columns", transformer))
    if hasattr(transformer, "get_feature_names_out"):
        names = transformer.get_feature_names_out()
    assert mask.dtype == bool
    assert mask.shape == (1, len(names))
    assert interpret_mask(mask, (50, len(names))).for_all_rows
    return [str(name) for name in names[mask[0]]]


def one_hot(**params):
    return OneHotEncoder(sparse_output=False, **params)


# -- columns by name -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "X", [FRAME, list(FRAME.columns), FRAME.columns], ids=["frame", "list", "index"]
)
def test_columns_by_name(X):
    assert names_of(mask_from_columns(X, "city"), list(FRAME.columns)) == ["city"]
    assert names_of(mask_from_columns(X, ["text", "age"]), FRAME.columns) == ["age", "text"]
    assert names_of(mask_from_columns(X, "^city", match="regex"), FRAME) == ["city", "city_size"]
    assert names_of(mask_from_columns(X, ["x", "g"], match="regex"), FRAME) == ["age", "text"]


def test_columns_that_are_numbers():
    np.testing.assert_array_equal(mask_from_columns(pd.DataFrame(np.eye(3)), [2, 0]), [[1, 0, 1]])


def test_columns_of_a_transformer():
    encoder = one_hot().fit(FRAME[["city", "city_size"]])
    assert names_of(mask_from_columns(encoder, "city_Oslo"), encoder) == ["city_Oslo"]
    found = mask_from_columns(encoder, "^city_size_", match="regex")
    assert names_of(found, encoder) == ["city_size_1", "city_size_2", "city_size_3"]


@pytest.mark.parametrize(
    ("columns", "arguments", "message"),
    [
        ("ctiy", {}, r"columns: \['ctiy'\] not found among 4 names. Close to 'ctiy': \['city'"),
        ("CITY", {}, r"Close to 'CITY': \['city'"),
        (["age", "zzz"], {}, r"columns: \['zzz'\] not found .* There are \['age'"),
        ("^x", {"match": "regex"}, r"columns: '\^x' is found in none of \['age'"),
        ("(", {"match": "regex"}, r"columns: '\(' is no regular expression"),
        ("age", {"match": "prefix"}, "match must be"),
        ([], {}, "columns must name at least one"),
    ],
)
def test_bad_columns(columns, arguments, message):
    with pytest.raises(ValueError, match=message):
        mask_from_columns(FRAME, columns, **arguments)


@pytest.mark.parametrize("X", ["age", np.eye(3), 3, LogisticRegression()])
def test_what_has_no_columns(X):
    with pytest.raises(TypeError, match="X must be a DataFrame"):
        mask_from_columns(X, "age")


# -- columns by what they are made of ------------------------------------------------------------


def by_type(**params):
    """The usual preparation of a table: numbers scaled, categories one-hot."""
    return ColumnTransformer(
        [
            ("numbers", StandardScaler(), make_column_selector(dtype_include="number")),
            ("categories", one_hot(), ["city"]),
            ("text", CountVectorizer(), "text"),
        ],
        **params,
    )


@pytest.mark.parametrize("verbose", [True, False])
@pytest.mark.parametrize("selected", [False, True])
def test_what_is_made_of_an_input(verbose, selected):
    steps = [by_type(verbose_feature_names_out=verbose, sparse_threshold=0)]
    steps += [StandardScaler(), SelectKBest(k=12)] if selected else ["passthrough"]
    pipeline = make_pipeline(*steps).fit(FRAME, LABELS)
    names = list(pipeline.get_feature_names_out())
    for column, inner in (
        ("city", ["city_Oslo", "city_Paris", "city_Rome"]),
        ("city_size", ["city_size"]),
        ("text", ["bad", "bob", "day", "from", "good", "here", "line", "on"]),
    ):
        part = {"city": "categories", "city_size": "numbers", "text": "text"}[column]
        expected = [f"{part}__{name}" if verbose else name for name in inner]
        found = names_of(mask_from_columns(pipeline, column, match="input"), pipeline)
        assert sorted(found) == sorted(set(expected) & set(names))
        assert found


@pytest.mark.parametrize(
    "columns", [[0, 2], slice(0, 3, 2), [True, False, True, False], lambda X: ["age", "city_size"]]
)
def test_every_kind_of_column_specification(columns):
    transformer = ColumnTransformer(
        [("bins", KBinsDiscretizer(2, quantile_method="averaged_inverted_cdf"), columns)],
        remainder="passthrough",
        sparse_threshold=0,
    ).fit(FRAME)
    mask = mask_from_columns(transformer, ["age", "text"], match="input")
    found = names_of(mask, transformer)
    assert found == ["bins__age_0.0", "bins__age_1.0", "remainder__text"]


def test_inputs_without_names():
    transformer = ColumnTransformer([("a", StandardScaler(), [1]), ("b", "passthrough", [0])])
    transformer.fit(np.eye(4, 3))
    np.testing.assert_array_equal(mask_from_columns(transformer, "x0", match="input"), [[0, 1]])


def test_ambiguous_inputs_are_refused_unless_all_are_marked():
    encoder = one_hot().fit(FRAME[["city", "city_size"]])
    for column in ("city", "city_size"):
        with pytest.raises(ValueError, match=r"'city_size_1' may be made of any of \['city', 'cit"):
            mask_from_columns(encoder, column, match="input")
    assert mask_from_columns(encoder, ["city", "city_size"], match="input").all()


@pytest.mark.parametrize("mixer", [PCA(), PolynomialFeatures(include_bias=False)])
def test_mixtures_are_refused_unless_all_are_marked(mixer):
    transformer = ColumnTransformer([("m", mixer, ["age", "city_size"])]).fit(FRAME)
    with pytest.raises(ValueError, match=r"may be made of any of \['age', 'city_size'\]"):
        mask_from_columns(transformer, "age", match="input")
    assert mask_from_columns(transformer, ["age", "city_size"], match="input").all()


def test_pca_of_columns_that_an_earlier_pca_made():
    """Its outputs have the names of its inputs, and are mixtures all the same."""
    frame = pd.DataFrame(np.eye(4, 3) * [1, 2, 3], columns=["pca0", "pca1", "pca2"])
    again = PCA().fit(frame)
    assert list(again.get_feature_names_out()) == list(frame.columns)
    with pytest.raises(ValueError, match="'pca0' may be made of any"):
        mask_from_columns(again, "pca0", match="input")


class Shares(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """A transformer of somebody's that keeps names, and mixes."""

    def fit(self, X, y=None):
        self.n_features_in_, self.feature_names_in_ = X.shape[1], np.array(X.columns, dtype=object)
        return self

    def transform(self, X):
        return X / X.sum(axis=1).to_numpy()[:, None]


def subtract_mean(X):
    return X - X.mean(axis=1).to_numpy()[:, None]


MIXERS = [
    KNNImputer(n_neighbors=1, add_indicator=True),
    IterativeImputer(),
    Normalizer(),
    TfidfTransformer(),
    Shares(),
    FunctionTransformer(subtract_mean, feature_names_out="one-to-one"),
]
NUMBERS = pd.DataFrame({"age": [1.0, np.nan, 3.0, 5.0, 7.0], "leak": [0.0, 1.0, 1.5, 3.0, 9.0]})


@pytest.mark.parametrize("mixer", MIXERS, ids=lambda mixer: type(mixer).__name__)
def test_transformers_that_keep_names_of_what_they_mix(mixer):
    """Each changes `age` where `leak` does."""
    frame = NUMBERS if hasattr(mixer, "missing_values") else NUMBERS.fillna(2.0)
    transformer = mixer.fit(frame)
    other = frame.assign(leak=[1.0, 8.0, 3.0, 1.0, 2.0])
    before, after = (_dense(transformer.transform(each))[:, 0] for each in (frame, other))
    assert not np.allclose(before, after)
    with pytest.raises(ValueError, match=r"'age' may be made of any of \['age', 'leak'\]"):
        mask_from_columns(transformer, "leak", match="input")
    assert mask_from_columns(transformer, ["age", "leak"], match="input").all()
    # Alone with a column there is nothing to mix.
    alone = ColumnTransformer([("m", clone(mixer), ["leak"])], remainder="passthrough")
    mask = mask_from_columns(alone.fit(frame), "leak", match="input")
    assert mask.tolist()[0][-1] is False
    assert mask.any()


def _dense(values):
    return values.toarray() if scipy.sparse.issparse(values) else np.asarray(values)


BY_COLUMN = [
    StandardScaler(),
    MinMaxScaler(),
    MaxAbsScaler(),
    RobustScaler(),
    PowerTransformer(),
    QuantileTransformer(n_quantiles=3),
    Binarizer(),
    KBinsDiscretizer(2, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    SplineTransformer(),
    OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    TargetEncoder(cv=2),
    SimpleImputer(),
    VarianceThreshold(),
    FunctionTransformer(np.exp, feature_names_out="one-to-one"),
    FunctionTransformer(feature_names_out="one-to-one"),
]


@pytest.mark.parametrize("transformer", BY_COLUMN, ids=lambda t: type(t).__name__)
def test_transformers_that_are_trusted_work_by_column(transformer):
    """What is said to be made of `age` alone does not move where `leak` does."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(5, size=(40, 2)).astype(float), columns=["age", "leak"])
    transformer = clone(transformer).fit(frame, rng.integers(2, size=40))
    mask = mask_from_columns(transformer, "leak", match="input")[0]
    assert 0 < mask.sum() < len(mask)
    shuffled = frame.assign(leak=rng.permutation(frame["leak"]))
    before, after = (np.asarray(transformer.transform(each)) for each in (frame, shuffled))
    np.testing.assert_array_equal(before[:, ~mask], after[:, ~mask])
    assert not np.array_equal(before[:, mask], after[:, mask])


def test_an_input_that_is_not_there():
    transformer = by_type().fit(FRAME)
    with pytest.raises(
        ValueError, match=r"columns: \['ctiy'\] not found .*Close to 'ctiy': \['city'"
    ):
        mask_from_columns(transformer, "ctiy", match="input")


# -- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
def test_words(kind):
    vectorizer = kind().fit(TEXTS)
    found = names_of(mask_from_words(vectorizer, ["from", "bob"]), vectorizer)
    assert found == ["bob", "from"]


def test_words_in_ngrams():
    vectorizer = CountVectorizer(ngram_range=(1, 3)).fit(["new york times", "york news", "anew"])
    assert names_of(mask_from_words(vectorizer, "new"), vectorizer) == [
        "new",
        "new york",
        "new york times",
    ]
    assert names_of(mask_from_words(vectorizer, "new", ngrams="exact"), vectorizer) == ["new"]
    assert names_of(mask_from_words(vectorizer, "york times"), vectorizer) == [
        "new york times",
        "york times",
    ]


def test_words_through_pipelines():
    counts = make_pipeline(
        CountVectorizer(), TfidfTransformer(), SelectKBest(k=6), StandardScaler(with_mean=False)
    ).fit(TEXTS, LABELS)
    kept = [str(name) for name in counts.get_feature_names_out()]
    assert "good" in kept
    assert names_of(mask_from_words(counts, "good"), counts) == ["good"]


def test_words_beside_other_columns():
    """A word's name also stands in other columns: only the vectorizer's column counts it."""
    frame = FRAME.rename(columns={"age": "good"})
    transformer = ColumnTransformer(
        [("a", "passthrough", ["good"]), ("b", TfidfVectorizer(), "text"), ("c", "drop", ["city"])]
    ).fit(frame)
    assert names_of(mask_from_words(transformer, "good"), transformer) == ["b__good"]
    nested = make_pipeline(transformer, StandardScaler(with_mean=False)).fit(frame)
    assert names_of(mask_from_words(nested, "good"), nested) == ["b__good"]


def test_words_in_a_union():
    union = FeatureUnion(
        [("one", CountVectorizer()), ("two", TfidfVectorizer(ngram_range=(2, 2))), ("no", "drop")]
    ).fit(TEXTS)
    found = names_of(mask_from_words(union, "good"), union)
    assert found == ["one__good", "two__good day", "two__good line"]


def test_words_that_are_not_there():
    vectorizer = CountVectorizer().fit(TEXTS)
    with pytest.raises(
        ValueError, match=r"words: \['From'\] not found .*Close to 'From': \['from'"
    ):
        mask_from_words(vectorizer, ["good", "From"])
    with pytest.warns(UserWarning, match=r"words without a column: \['From'\]"):
        mask = mask_from_words(vectorizer, ["good", "From"], missing="warn")
    assert names_of(mask, vectorizer) == ["good"]
    assert not mask_from_words(vectorizer, "From", missing="ignore").any()


@pytest.mark.parametrize(
    ("vectorizer", "message"),
    [
        (HashingVectorizer(), "a HashingVectorizer has no vocabulary: use CountVectorizer"),
        (make_pipeline(HashingVectorizer(), TfidfTransformer()), "a HashingVectorizer has no"),
        (make_pipeline(CountVectorizer(), LogisticRegression()), r"pass pipeline\[:-1\]"),
        (one_hot(), "with a vocabulary"),
        ("text", "with a vocabulary"),
        (None, "with a vocabulary"),
    ],
)
def test_what_has_no_vocabulary(vectorizer, message):
    if hasattr(vectorizer, "fit"):
        vectorizer.fit(FRAME[["city"]] if isinstance(vectorizer, OneHotEncoder) else TEXTS, LABELS)
    with pytest.raises(TypeError, match=message):
        mask_from_words(vectorizer, "good")


def test_words_that_are_mixed():
    for mixer in (
        TruncatedSVD(2),
        make_pipeline(
            FunctionTransformer(lambda X: X.toarray(), feature_names_out="one-to-one"),
            PolynomialFeatures(),
        ),
    ):
        pipeline = make_pipeline(CountVectorizer(), mixer).fit(TEXTS)
        with pytest.raises(ValueError, match="followed by a step that mixes its columns into"):
            mask_from_words(pipeline, "good")


@pytest.mark.parametrize("build", [mask_from_words, mask_from_columns])
def test_what_is_not_fitted(build):
    for transformer in (CountVectorizer(), by_type()):
        with pytest.raises(NotFittedError):
            build(transformer, "good")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ngrams": "all"}, "ngrams must be one of"),
        ({"missing": "unknown"}, "missing must be one of"),
        ({"words": []}, "words must name at least one"),
    ],
)
def test_bad_arguments(arguments, message):
    vectorizer = CountVectorizer().fit(TEXTS)
    with pytest.raises(ValueError, match=message):
        mask_from_words(**{"vectorizer": vectorizer, "words": "good", **arguments})
