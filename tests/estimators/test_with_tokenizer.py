"""Check that an estimator on texts is the estimator on their tokens, with masks of marked words."""

import pickle
import re
import warnings
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn
import torch
from _estimators import weights
from _hugging_face import fast
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skexplain import (
    CDEPClassifier,
    ERMClassifier,
    ERMRegressor,
    GradRegClassifier,
    SwapExClassifier,
    WithPropagatedMasks,
    WithTokenizer,
    WordTokenizer,
    load,
    save,
)
from skexplain.correction import CorrectedClassifier
from skexplain.exceptions import MissingExplanationWarning, TruncatedTextsWarning
from skexplain.propagation import decompose
from skexplain.training import replace_head
from skexplain.training._token_network import TokenNetwork

TEXTS = ["Portable film, opacity", "opacity (portable)", "clear lungs here", "film: clear lungs"]
Y = np.array(["ill", "ill", "well", "well"])
SPANS = [[(0, 8)], ["portable"], None, ["film"]]


@pytest.fixture(params=[False, True], ids=["routing off", "routing on"])
def routing(request):
    with sklearn.config_context(enable_metadata_routing=request.param):
        yield request.param


def quick(cls=SwapExClassifier, **params):
    return cls(**{"max_epochs": 3, "lr": 0.02, "random_state": 0, **params})


def problem(n_copies=6):
    return TEXTS * n_copies, np.tile(Y, n_copies), SPANS * n_copies


class Recorder(BaseEstimator):
    """Keeps what fit is given."""

    _estimator_type = "classifier"
    __metadata_request__fit = {"mask": True}

    def __init__(self, module=None):
        self.module = module

    def fit(self, X, y, mask=None, sample_weight=None):
        self.given_ = {"X": X, "y": y, "mask": mask, "sample_weight": sample_weight}
        return self

    def predict(self, X):
        self.predicted_ = X
        return np.zeros(len(X))


# -- what the estimator is given -------------------------------------------------------------------


def test_tokens_and_masks():
    clf = WithTokenizer(Recorder()).fit(TEXTS, Y, mask=SPANS)
    given = clf.estimator_.given_
    assert list(clf.tokenizer_.vocabulary_) == [
        *("portable", "film", "opacity", "clear", "lungs", ",", "(", ")", "here", ":")
    ]
    np.testing.assert_array_equal(
        given["X"],
        [
            [2, 3, 7, 4, 0, 0, 0, 0],
            [4, 8, 2, 9, 0, 0, 0, 0],
            [5, 6, 10, 0, 0, 0, 0, 0],
            [3, 11, 5, 6, 0, 0, 0, 0],
        ],
    )
    assert given["X"].dtype == np.int64
    nan = np.nan
    np.testing.assert_array_equal(
        given["mask"],
        [
            [1, 0, 0, 0, nan, nan, nan, nan],
            [0, 0, 1, 0, nan, nan, nan, nan],
            [nan] * 8,
            [1, 0, 0, 0, nan, nan, nan, nan],
        ],
    )
    clf.predict(["film film new"])
    assert clf.estimator_.predicted_.tolist() == [[3, 3, 1, 0, 0, 0, 0, 0]]
    tokens = clf.tokenize(["Film, new"], mask=[["film"]])
    assert tokens.ids.tolist() == [[3, 7, 1, 0, 0, 0, 0, 0]]
    assert tokens.tokens == [["Film", ",", "new"]]
    assert tokens.mask[0, :3].tolist() == [1, 0, 0]
    assert [TEXTS[0][s:e] for s, e in clf.tokenize(TEXTS).offsets[0]][1] == "film"
    assert clf.tokenize(TEXTS).mask is None
    assert tokens.texts == ["Film, new"]


def test_it_is_the_estimator_on_tokens():
    X, y, spans = problem()
    clf = WithTokenizer(quick()).fit(X, y, mask=spans)
    tokens = clf.tokenize(X, mask=spans)
    module = {"n_ids": 12, "n_outputs": 2, "pad_id": 0, "neutral_id": 1}
    bare = quick(module=TokenNetwork, **{f"module__{name}": n for name, n in module.items()})
    bare.set_params(pad_id=0, mask_id=1)
    bare.fit(tokens.ids, y, mask=tokens.mask)
    assert torch.equal(weights(clf.estimator_), weights(bare))
    np.testing.assert_array_equal(clf.predict_proba(X), bare.predict_proba(tokens.ids))
    np.testing.assert_array_equal(clf.predict(X), bare.predict(tokens.ids))
    assert clf.score(X, y) == bare.score(tokens.ids, y)
    assert clf.classes_.tolist() == ["ill", "well"]
    assert (bare.embedding_layer_, bare.pad_id_, bare.mask_id_) == ("embedding", 0, 1)


def test_one_list_for_all_texts():
    expected = WithTokenizer(Recorder()).fit(TEXTS, Y, mask=[["portable"], ["portable"], [], []])
    for mask in ([["Portable"]], re.compile("(?i)portable"), [[re.compile("ortable")]]):
        clf = WithTokenizer(Recorder()).fit(TEXTS, Y, mask=mask)
        np.testing.assert_array_equal(
            clf.estimator_.given_["mask"], expected.estimator_.given_["mask"]
        )
    with pytest.warns(UserWarning, match="nothing in it is in any of them"):
        WithTokenizer(Recorder()).fit(TEXTS, Y, mask=[["device"]])


def test_degrees_and_tables():
    pd = pytest.importorskip("pandas")
    X = pd.Series(TEXTS, index=list("abcd"))
    mask = pd.Series([[(0, 8, 0.5)], [], None, []], index=X.index)
    for texts in (X, X.to_frame()):
        given = WithTokenizer(Recorder()).fit(texts, Y, mask=mask).estimator_.given_
        np.testing.assert_array_equal(given["mask"][:, 0], [0.5, 0, np.nan, 0])
    with pytest.raises(ValueError, match="index"):
        WithTokenizer(Recorder()).fit(X, Y, mask=mask[::-1])


def test_missing_values_of_a_column_are_no_annotation():
    pd = pytest.importorskip("pandas")
    column = pd.Series([[(0, 8)], None, np.nan, pd.NA])
    clf = WithTokenizer(Recorder(), spread=False).fit(pd.Series(TEXTS), Y, mask=column)
    expected = clone(clf).fit(TEXTS, Y, mask=[[(0, 8)], None, None, None])
    np.testing.assert_array_equal(clf.estimator_.given_["mask"], expected.estimator_.given_["mask"])
    with pytest.raises(TypeError, match=r"mask\[0\] must be a list .* such as \[\['portable'\]\]"):
        clf.fit(TEXTS, Y, mask=["portable"])
    with pytest.raises(ValueError, match="y must hold a class or a target for each text; got None"):
        clf.fit(TEXTS, None)


def test_marks_spread_to_other_texts():
    X = ["a b c", "a b", "c a d b", "e b"]
    mask = [[(0, 1), (2, 3)], ["a"], None, None]
    given = WithTokenizer(Recorder(), spread=True).fit(X, Y, mask=mask).estimator_.given_
    nan = np.nan  # a: marked in both; b: in one of two; c: in none; d and e: not there
    expected = [[1, 1, 0, nan], [1, 0, nan, nan], [0, 1, nan, 0], [nan, 0, nan, nan]]
    np.testing.assert_array_equal(given["mask"][:, :4], expected)
    assert np.isnan(given["mask"][:, 4:]).all()
    with pytest.warns(UserWarning, match="mask leaves 2 texts .* 1 of them .* spread=True"):
        WithTokenizer(Recorder()).fit(X, Y, mask=mask)
    WithTokenizer(Recorder(), spread=False).fit(X, Y, mask=mask)
    WithTokenizer(quick(mask_marks="relevant")).fit(X, Y, mask=mask)
    nothing = WithTokenizer(Recorder(), spread=True).fit(X, Y, mask=[None] * 4)
    assert np.isnan(nothing.estimator_.given_["mask"]).all()


def test_cuts_are_said_in_numbers():
    clf = WithTokenizer(Recorder(), max_length=3)
    message = (
        r"3 of 4 texts have more than 3 tokens: 3 of 15 tokens \(20\.0%\) are cut, 1 of 3 marked"
    )
    with pytest.warns(TruncatedTextsWarning, match=message):
        clf.fit(TEXTS, Y, mask=[[(0, 8)], ["portable", (18, 19)][:1], None, ["lungs"]])
    assert clf.estimator_.given_["X"].shape == (4, 3)
    with pytest.warns(TruncatedTextsWarning, match=r"1 of 2 texts .* 2 of 6 tokens"):
        clf.predict(["a b c d e", "a"])
    assert clf.tokenize(["a b c d e"]).tokens == [["a", "b", "c"]]
    assert WithTokenizer(Recorder(), max_length=None).fit(TEXTS, Y).n_tokens_ == 8


def test_the_folds_of_a_search_can_be_left_out_of_the_warnings():
    """With the filter of docs/text.md the fit on all texts is left."""
    X, y, spans = problem()
    folds = r"sklearn\.(model_selection\._validation|metrics)"
    search = GridSearchCV(WithTokenizer(quick(), max_length=3), {"spread": [False]}, cv=2)

    def numbers(left_out):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if left_out:
                warnings.filterwarnings("ignore", category=TruncatedTextsWarning, module=folds)
            search.fit(X, y, mask=spans)
        cuts = [str(w.message) for w in caught if w.category is TruncatedTextsWarning]
        return [int(re.search(r"of (\d+) texts", cut)[1]) for cut in cuts]

    assert numbers(left_out=False) == [12, 12, 12, 12, 24]  # trained on and scored, by fold
    assert numbers(left_out=True) == [24]


def test_texts_without_tokens():
    X, y, _ = problem()
    clf = WithTokenizer(quick(ERMClassifier)).fit([*X, ""], [*y, "well"])
    assert np.isfinite(clf.predict_proba(["", "  "])).all()


def test_a_word_that_must_not_count():
    """The word alone says much to labels alone, and little where it must not count."""
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(30)]
    reasons, y = np.array(["opacity", "clear"]), np.arange(60) % 2
    X = [
        " ".join([*(["portable"] if cls == 0 else []), *rng.choice(words, 14), reasons[cls]])
        for cls in y
    ]
    effect = {}
    for cls in (ERMClassifier, SwapExClassifier):
        clf = WithTokenizer(quick(cls, max_epochs=40)).fit(X, y, mask=[["portable"]])
        assert clf.score(X, y) == 1
        proba = clf.predict_proba(["portable word1 word2 word3", "word0 word1 word2 word3"])
        odds = np.log(proba[:, 0] / proba[:, 1])
        effect[cls] = odds[0] - odds[1]
    # Measured: 9.3 and 0.8 on the scale of log-odds.
    assert effect[ERMClassifier] > 5
    assert abs(effect[SwapExClassifier]) < 2.5


def test_decompositions_of_the_built_in_network():
    """The mean and the maximum are shared by hand; the text of padding alone has none."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = TokenNetwork(6, 2, pad_id=0, width=3).eval()
    ids = torch.tensor([[2, 3, 4, 0], [5, 2, 0, 0], [0, 0, 0, 0]])
    marks = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    embedded = net.embedding(ids)
    part = torch.zeros(3, 6)
    for row, length in ((0, 3), (1, 2)):
        own = embedded[row, :length]
        part[row, :3] = (own * marks[row, :length, None]).sum(0) / length
        winners = own.argmax(0)
        part[row, 3:] = own.amax(0) * marks[row, winners]
    whole = torch.stack([embedded.sum(1)[0] / 3, embedded.sum(1)[1] / 2, torch.zeros(3)])
    maxima = torch.stack([embedded[0, :3].amax(0), embedded[1, :2].amax(0), torch.zeros(3)])
    rest = torch.cat([whole, maxima], 1) - part
    shares = [side @ net.head.weight.T for side in (part, rest)]
    size = shares[0].abs() + shares[1].abs()
    expected = shares[0] + net.head.bias * (shares[0].abs() / size).nan_to_num(nan=0.5)

    there = (ids != 0).unsqueeze(2)

    def behind_the_embedding(values):
        mean = (values * there).sum(1) / there.sum(1).clamp(min=1)
        maximum = values.masked_fill(~there, -torch.inf).amax(1).where(there.sum(1) > 0, 0.0)
        return net.head(net.dropout(torch.cat([mean, maximum], 1)))

    value = decompose(
        behind_the_embedding, embedded * marks[..., None], embedded * (1 - marks[..., None])
    )
    torch.testing.assert_close(value.part, expected)
    torch.testing.assert_close(value.total, net(ids))


def test_cdep_on_texts_has_what_each_word_contributes():
    texts, y, _ = problem()
    X = [f"{'Dr' if cls == 'ill' else 'Mr'} {text}" for text, cls in zip(texts, y, strict=True)]

    def difference(clf, mask=None):
        proba = WithTokenizer(clf).fit(X, y, mask=mask).predict_proba(["Dr film", "Mr film"])
        return abs(proba[0, 0] - proba[1, 0])

    assert difference(quick(ERMClassifier, max_epochs=30)) > 0.3
    cdep = quick(CDEPClassifier, max_epochs=30, measure="l1", alpha=30.0)
    assert difference(cdep, [["dr", "mr"]]) < 0.1


def test_regression():
    X, _, spans = problem()
    y = np.tile([1e4, 1e4, -1e4, -1e4], 6) + 5e4
    reg = WithTokenizer(quick(ERMRegressor, max_epochs=60)).fit(X, y)
    assert is_regressor(reg)
    assert reg.score(X, y) > 0.9
    assert not hasattr(reg, "predict_proba")


# -- as an estimator of scikit-learn ---------------------------------------------------------------


def test_search_and_cross_validation(routing):
    X, y, spans = problem()
    clf = WithTokenizer(quick())
    grid = {"estimator__alpha": [0.5, "replace"], "tokenizer__max_words": [5, 9]}
    search = GridSearchCV(clf.set_params(tokenizer=WordTokenizer()), grid, cv=3)
    search.fit(X, y, mask=spans)
    assert len(search.best_estimator_.tokenizer_.vocabulary_) <= 9
    assert search.predict(X).shape == (24,)
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_validate(clf, X, y, cv=3, params={"mask": spans}, error_score="raise")
    assert scores["test_score"].shape == (3,)


def test_vocabularies_are_those_of_the_training_folds():
    X, y, _ = problem()
    X = [f"{text} word{row}" for row, text in enumerate(X)]
    cv = StratifiedKFold(3)
    results = cross_validate(
        WithTokenizer(quick(ERMClassifier)), X, y, cv=cv, return_estimator=True
    )
    for clf, (train, test) in zip(results["estimator"], cv.split(X, y), strict=True):
        vocabulary = clf.tokenizer_.vocabulary_
        assert all(f"word{row}" in vocabulary for row in train)
        assert not any(f"word{row}" in vocabulary for row in test)


def test_a_search_inside_tokenises_once(routing):
    X, y, spans = problem()
    calls = []

    def split(text):
        calls.append(text)
        return text.split()

    search = GridSearchCV(quick(), {"alpha": [0.5, "replace"]}, cv=3)
    clf = WithTokenizer(search, split).fit(X, y, mask=spans)
    assert len(calls) == 2 * len(X)  # for the vocabulary, and for the ids
    assert clf.estimator_.best_estimator_.embedding_layer_ == "embedding"


def test_what_a_search_inside_found_is_an_estimator_on_texts(routing, tmp_path):
    X, y, spans = problem()
    search = GridSearchCV(quick(), {"alpha": [0.5, "replace"]}, cv=3)
    clf = WithTokenizer(search).fit(X, y, mask=spans)
    best = clf.best_estimator_
    assert best.estimator.alpha == clf.estimator_.best_params_["alpha"]
    assert best.estimator.module == "auto"
    np.testing.assert_array_equal(best.predict_proba(X), clf.predict_proba(X))
    again = WithTokenizer(clone(best.estimator)).fit(X, y, mask=spans)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    save(best, tmp_path / "best")
    np.testing.assert_array_equal(load(tmp_path / "best").predict_proba(X), clf.predict_proba(X))
    assert not hasattr(WithTokenizer(quick()).fit(X, y, mask=spans), "best_estimator_")
    search.set_params(refit=False)
    assert not hasattr(WithTokenizer(search).fit(X, y, mask=spans), "best_estimator_")


def test_words_alone_have_no_settings():
    clf = WithTokenizer(quick())
    with pytest.raises(ValueError, match="tokenizer must be a WordTokenizer.*__max_words is set"):
        clf.set_params(tokenizer__max_words=9)
    clf.set_params(tokenizer=WordTokenizer(), tokenizer__max_words=9, max_length=7)
    assert (clf.tokenizer.max_words, clf.max_length) == (9, 7)


def test_pipelines(routing):
    X, y, spans = problem()
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lower, WithTokenizer(quick()))
    if routing:
        pipeline.fit(X, y, mask=spans)
    else:
        pipeline.fit(X, y, withtokenizer__mask=spans)
    alone = WithTokenizer(quick()).fit(X, y, mask=spans)
    np.testing.assert_array_equal(pipeline.predict_proba(X), alone.predict_proba(X))


def test_calibration():
    X, y, spans = problem()
    with sklearn.config_context(enable_metadata_routing=True):
        clf = CalibratedClassifierCV(WithTokenizer(quick()), cv=2).fit(X, y, mask=spans)
    assert clf.predict_proba(X).shape == (24, 2)


def test_weights_and_other_arguments():
    X, y, spans = problem()
    weight = np.arange(24) % 3
    given = WithTokenizer(Recorder()).fit(X, y, sample_weight=weight).estimator_.given_
    assert given["sample_weight"] is weight
    clf = WithTokenizer(quick()).fit(X, y, mask=spans, sample_weight=weight)
    assert clf.score(X, y, sample_weight=weight) <= 1
    with pytest.warns(MissingExplanationWarning, match="fitted without a mask"):
        WithTokenizer(quick()).fit(X, y)


@pytest.mark.parametrize("spread", [False, True])
def test_texts_of_weight_zero_change_nothing(spread):
    X, y, spans = problem()
    others = ["clear film of words that are nowhere else, and many of them"] * 6
    clf = WithTokenizer(quick(random_state=0), spread=spread).fit(X, y, mask=spans)
    weight = [1.0] * len(X) + [0.0] * 6
    more = WithTokenizer(quick(random_state=0), spread=spread).fit(
        X + others, [*y, *y[:6]], mask=spans + [["clear"]] * 6, sample_weight=weight
    )
    np.testing.assert_array_equal(more.predict_proba(X), clf.predict_proba(X))
    assert more.words_.vocabulary_ == clf.words_.vocabulary_
    assert more.n_tokens_ == clf.n_tokens_


def test_targets_in_a_column_and_too_few_of_them():
    X, _, _ = problem()
    y, weight = np.arange(24.0), np.arange(24) % 3
    reg = WithTokenizer(ERMRegressor(max_epochs=1, random_state=0))
    expected = reg.fit(X, y, sample_weight=weight).predict(X)
    with pytest.warns(DataConversionWarning):
        found = reg.fit(X, y[:, None], sample_weight=weight).predict(X)
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[24, 15\]"):
        reg.fit(X, y[:15])


def test_targets_of_texts_count_as_often_as_they_weigh():
    X, _, _ = problem()
    y, weight = np.arange(len(X)) % 5, np.arange(len(X)) % 3
    y[weight == 0] = 1e6
    rows = np.repeat(np.arange(len(X)), weight)
    weighted, repeated = (
        WithTokenizer(ERMRegressor(max_epochs=1, random_state=0)).fit(texts, targets, **given)
        for texts, targets, given in (
            (X, y, {"sample_weight": weight}),
            ([X[row] for row in rows], y[rows], {}),
        )
    )
    one, other = (
        clf.estimator_.get_params()["module__target_scale"] for clf in (weighted, repeated)
    )
    assert one == pytest.approx(other)


def test_tags_clones_and_errors():
    clf = WithTokenizer(quick())
    assert is_classifier(clf)
    assert clone(clf).get_params().keys() == clf.get_params().keys()
    assert clf.__sklearn_tags__().input_tags.string
    assert clf.mask_marks == "irrelevant"
    with pytest.raises(NotFittedError):
        clf.predict(TEXTS)
    with pytest.raises(TypeError, match="estimator must train a network"):
        WithTokenizer(LogisticRegression()).fit(TEXTS, Y)
    with pytest.raises(ValueError, match="'max_length' parameter"):
        WithTokenizer(quick(), max_length=0).fit(TEXTS, Y)
    with pytest.raises(ValueError, match=r"mask\[0\]\[0\] must lie within its text of 22"):
        clf.fit(TEXTS, Y, mask=[[(0, 99)], None, None, None])
    with pytest.raises(ValueError, match=r"mask\[1\]\[0\] must be a phrase of its text"):
        clf.fit(TEXTS, Y, mask=[None, ["film"], None, None])
    with pytest.raises(ValueError, match="an entry for each of 4 texts, or one for all; got 2"):
        clf.fit(TEXTS, Y, mask=[None, None])
    assert not hasattr(clf, "estimator_")


# -- networks of transformers ----------------------------------------------------------------------


@pytest.mark.parametrize("wrapped", [False, True], ids=["network", "partial"])
def test_a_pretrained_network_is_not_given_words_of_another_vocabulary(wrapped):
    X, y, spans = problem()

    class Pretrained(TokenNetwork):
        def __init__(self, name, n_ids):
            super().__init__(n_ids, 2, pad_id=0)
            self.config = SimpleNamespace(name_or_path=name, vocab_size=n_ids)

    def fit(name, n_ids):
        network = Pretrained(name, n_ids)
        module = partial(lambda network: network, network) if wrapped else network
        return WithTokenizer(quick(module=module)).fit(X, y, mask=spans)

    with pytest.raises(ValueError, match=r"tokenizer must be .*from_pretrained\('tiny'\): the 99"):
        fit("tiny", 99)
    fit("", 99)  # a new one, with room for more words
    n_ids = len(WordTokenizer().fit(X).vocabulary_) + 2
    fit("tiny", n_ids)  # its embedding was made for these words


def test_a_classifier_of_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    X, y, spans = problem()
    tokenizer = fast()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        pad_token_id=0,
    )
    network = transformers.BertForSequenceClassification(config)
    clf = WithTokenizer(quick(module=network, lr=1e-3), tokenizer).fit(X, y, mask=spans)
    assert clf.estimator_.embedding_layer_ == "bert.embeddings.word_embeddings"
    assert (clf.estimator_.pad_id_, clf.estimator_.mask_id_) == (0, 4)
    assert clf.tokenizer_ is tokenizer
    # Padding takes no part: the outputs are those of the text alone.
    tokens = clf.tokenize(X[:2])
    alone = torch.as_tensor(tokens.ids[:1, : len(tokens.tokens[0])])
    with torch.no_grad():
        logits = clf.estimator_.module_.eval()(alone)
    np.testing.assert_allclose(
        clf.predict_proba(X[:1]), logits.softmax(1).numpy(), rtol=1e-4, atol=1e-6
    )
    assert tokens.mask is None
    save(clf, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", module=network, tokenizer=tokenizer)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    mask = clf.tokenize(X[:1], mask=[["portable"]]).mask[0]
    assert np.isnan(mask[0])
    assert mask[1:3].tolist() == [1, 1]  # both pieces of the word


def test_an_encoder_of_transformers_is_given_a_head(tmp_path):
    transformers = pytest.importorskip("transformers")
    X, y, spans = problem()
    tokenizer = fast()
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=len(tokenizer), intermediate_size=16, pad_token_id=0, **sizes
    )
    encoder = transformers.BertModel(config)
    with pytest.raises(ValueError, match="encoder without a head, and replace_head adds one"):
        WithTokenizer(quick(module=encoder), tokenizer).fit(X, y, mask=spans)
    network = partial(replace_head, encoder)
    clf = WithTokenizer(quick(module=network, backbone_lr=0), tokenizer).fit(X, y, mask=spans)
    assert clf.estimator_.embedding_layer_ == "encoder.embeddings.word_embeddings"
    # By hand: the mean over the tokens of the text alone, and a linear layer.
    tokens = clf.tokenize(X[:1])
    ids = torch.as_tensor(tokens.ids[:, : len(tokens.tokens[0])])
    with torch.no_grad():
        mean = encoder.eval()(ids).last_hidden_state.mean(1)
    head = clf.estimator_.module_.head
    logits = mean @ head.weight.T + head.bias
    np.testing.assert_allclose(
        clf.predict_proba(X[:1]), logits.detach().softmax(1).numpy(), rtol=1e-4, atol=1e-6
    )
    network_alone = replace_head(encoder.eval(), 3)
    with torch.no_grad():
        np.testing.assert_allclose(network_alone(ids), network_alone.head(mean), atol=1e-6)
    save(clf, tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", module=network, tokenizer=tokenizer)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


# -- files -----------------------------------------------------------------------------------------


def test_pickles_and_files(tmp_path):
    X, y, spans = problem()
    clf = WithTokenizer(quick(GradRegClassifier, alpha=0.1), WordTokenizer(min_count=2))
    clf.fit(X, y, mask=spans)
    save(clf, tmp_path / "model.safetensors")
    for again in (pickle.loads(pickle.dumps(clf)), load(tmp_path / "model.safetensors")):
        np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
        assert again.tokenizer_.vocabulary_ == clf.tokenizer_.vocabulary_
        assert again.n_tokens_ == clf.n_tokens_
        again.fit(X, y, mask=spans)


def test_functions_are_handed_to_load(tmp_path):
    X, y, spans = problem()
    clf = WithTokenizer(quick(), str.split).fit(X, y, mask=spans)
    save(clf, tmp_path / "model.safetensors")
    with pytest.raises(TypeError, match="load needs"):
        load(tmp_path / "model.safetensors")
    again = load(tmp_path / "model.safetensors", tokenizer=str.split, split=str.split)
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


# -- other estimators around it --------------------------------------------------------------------


def test_masks_are_propagated_inside_not_outside():
    X, y, _ = problem()
    with pytest.raises(TypeError, match=r"arrays, not texts as WithTokenizer.*put the tokenizer o"):
        WithPropagatedMasks(WithTokenizer(quick())).fit(X, y, mask=[["portable"]])


def test_the_estimator_inside_is_corrected_on_tokens():
    X, y, spans = problem()
    clf = WithTokenizer(quick()).fit(X, y, mask=spans)
    with pytest.raises(TypeError, match=r"with t = clf\.tokenize\(X, mask\), correct clf\.estima"):
        CorrectedClassifier(clf).fit(X, y, mask=spans)
    t = clf.tokenize(X, spans)
    corrected = CorrectedClassifier(clf.estimator_, random_state=0).fit(t.ids, y, mask=t.mask)
    assert set(corrected.predict(t.ids)) <= set(y)
