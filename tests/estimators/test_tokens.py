"""Estimators on token matrices: when X is one, and what each method does with whole tokens."""

import copy
import pickle

import numpy as np
import pytest
import torch
from _texts import MASK, N_IDS, PAD, WIDTH, Attending, FloatReader, Reader, flip, make_texts
from torch import nn

from skexplain import (
    AvgExClassifier,
    CDEPClassifier,
    ConceptGradRegClassifier,
    ERMClassifier,
    ERMRegressor,
    GradCAMRegClassifier,
    GradRegClassifier,
    HINTClassifier,
    IBPExClassifier,
    InfluenceRegClassifier,
    PGDExClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
    load,
    save,
)

SHORT = {"max_epochs": 2, "random_state": 0}


def weights(estimator):
    return torch.cat([weight.flatten() for weight in estimator.module_.state_dict().values()])


# -- the rule --------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", [Reader, FloatReader])
def test_integers_that_an_embedding_is_given_are_tokens(module):
    X, y, mask = make_texts()
    clf = SwapExClassifier(module, **SHORT).fit(X, y, mask=mask)
    assert (clf.embedding_layer_, clf.pad_id_, clf.mask_id_) == ("embedding", PAD, None)


def test_integers_and_floats_train_alike():
    X, y, _ = make_texts()
    tokens = ERMClassifier(FloatReader, **SHORT).fit(X, y)
    numbers = ERMClassifier(FloatReader, **SHORT).fit(X.astype(np.float32), y)
    named = ERMClassifier(FloatReader, embedding_layer="embedding", **SHORT)
    named.fit(X.astype(np.float32), y)
    assert tokens.embedding_layer_ == named.embedding_layer_ == "embedding"
    assert numbers.embedding_layer_ is None
    assert torch.equal(weights(tokens), weights(numbers))
    assert torch.equal(weights(tokens), weights(named))


class OneColumn(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(N_IDS, 2)
        self.linear = nn.Linear(WIDTH - 1, 2)

    def forward(self, x):
        return self.embedding(x[:, 0].long()) + self.linear(x[:, 1:])


class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(N_IDS, 2)
        self.linear = nn.Linear(WIDTH, 2)

    def forward(self, x):
        return self.embedding(x.long()).sum(1) + self.linear(x)


@pytest.mark.parametrize("module", [OneColumn, Both, "auto"])
def test_a_table_of_integers_stays_a_table(module):
    X, y, mask = make_texts()
    clf = GradRegClassifier(module, **SHORT).fit(X, y, mask=np.roll(mask, 1))
    assert clf.embedding_layer_ is None
    as_floats = GradRegClassifier(module, **SHORT).fit(X.astype(float), y, mask=np.roll(mask, 1))
    assert torch.equal(weights(clf), weights(as_floats))


def test_an_embedding_that_is_not_given_x_cannot_be_named():
    X, y, _ = make_texts()
    with pytest.raises(ValueError, match="embedding_layer must be given the ids of X"):
        ERMClassifier(OneColumn, embedding_layer="embedding").fit(X, y)
    with pytest.raises(ValueError, match=r"embedding_layer must name .*\['embedding'\]; got 'e'"):
        ERMClassifier(Reader, embedding_layer="e").fit(X, y)
    with pytest.raises(ValueError, match="embedding_layer must be None unless X holds ids"):
        ERMClassifier(Reader, embedding_layer="embedding").fit(X[:, None], y)


@pytest.mark.parametrize("wrong", [N_IDS, -1])
def test_ids_that_the_embedding_lacks_are_an_error(wrong):
    X, y, _ = make_texts()
    clf = ERMClassifier(Reader, **SHORT).fit(X, y)
    for row in (0, 100):
        other = X.copy()
        other[row, 3] = wrong
        with pytest.raises(ValueError, match=rf"ids of tokens from 0 to 39.*{wrong}"):
            clf.predict(other)
        with pytest.raises(ValueError, match=rf"ids of tokens from 0 to 39.*{wrong}"):
            ERMClassifier(Reader).fit(other, y)
    with pytest.raises(ValueError, match="whole numbers"):
        clf.predict(X + 0.5)
    with pytest.raises(ValueError, match="pad_id must be an id of embedding_layer"):
        ERMClassifier(Reader, pad_id=N_IDS).fit(X, y)


def test_a_plain_sequence_of_layers_is_given_integers():
    X, y, mask = make_texts()
    module = nn.Sequential(nn.Embedding(N_IDS, 4), nn.Flatten(), nn.Linear(4 * WIDTH, 2))
    clf = GradRegClassifier(module, pad_id=PAD, **SHORT).fit(X, y, mask=mask)
    assert clf.embedding_layer_ == "0"
    assert np.isfinite(clf.predict_proba(X)).all()


# -- what a fit does -------------------------------------------------------------------------------


METHODS = {
    "swap": SwapExClassifier(Reader),
    "blank": AvgExClassifier(Reader, perturbation="blank", mask_id=MASK),
    "refill": AvgExClassifier(Reader, perturbation="refill"),
    "constant": AvgExClassifier(Reader, perturbation="constant"),
    "noise": AvgExClassifier(Reader, perturbation="gaussian", epsilon=2.0, grad_alpha=1.0),
    "noise-replace": AvgExClassifier(Reader, perturbation="uniform", alpha="replace"),
    "pgd": PGDExClassifier(Reader, grad_alpha=1.0),
    "grad": GradRegClassifier(Reader),
    "ibp": IBPExClassifier(Reader, epsilon=np.inf),
    "cdep": CDEPClassifier(Reader, measure="l1"),
    "hint": HINTClassifier(Reader, attribution="input_gradient"),
    "influence": InfluenceRegClassifier(Reader),
    "two-stage": TwoStageExplanationClassifier(Reader, mask_id=MASK),
}


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_tokens_and_never_on_padding(name):
    X, y, mask = make_texts(80)
    estimator = METHODS[name].set_params(**SHORT)
    with_padding = np.broadcast_to(np.maximum(mask, np.arange(WIDTH) == WIDTH - 1), X.shape)
    real = with_padding * (X != PAD)
    clf = copy.deepcopy(estimator).fit(X, y, mask=with_padding)
    assert torch.equal(weights(clf), weights(copy.deepcopy(estimator).fit(X, y, mask=real)))
    assert not torch.equal(weights(clf), weights(ERMClassifier(Reader, **SHORT).fit(X, y)))
    # One mask for all samples is the same mask for each.
    one = copy.deepcopy(estimator).fit(X, y, mask=mask)
    each = copy.deepcopy(estimator).fit(X, y, mask=np.repeat(mask, len(X), axis=0))
    assert torch.equal(weights(one), weights(each))


# The network of the last one has a mapping layer.
@pytest.mark.parametrize("name", [name for name in METHODS if name != "two-stage"])
def test_where_padding_alone_is_marked_nothing_but_the_label_loss_is_trained(name):
    X, y, _ = make_texts(80)
    erm = ERMClassifier(Reader, **SHORT).fit(X, y)
    clf = copy.deepcopy(METHODS[name]).set_params(**SHORT)
    with pytest.warns(UserWarning, match="mask"):
        clf.fit(X, y, mask=np.where(X == PAD, 1, np.nan))
    assert torch.equal(weights(clf), weights(erm))


@pytest.mark.parametrize("name", ["swap", "blank", "refill", "grad"])
def test_a_shortcut_word_is_unlearned(name):
    X, y, mask = make_texts(400)
    settings = {"max_epochs": 25, "lr": 1e-2, "random_state": 0}
    erm = ERMClassifier(Reader, **settings).fit(X, y)
    assert erm.score(flip(X), y) < 0.2
    clf = copy.deepcopy(METHODS[name]).set_params(**settings).fit(X, y, mask=mask)
    # A bag of words can keep a word without a gradient at it, by saturation.
    assert clf.score(flip(X), y) > (0.4 if name == "grad" else 0.65)


class Spy(FloatReader):
    seen: list = []

    def forward(self, x):
        self.seen.append(x.detach().clone())
        return super().forward(x)


@pytest.mark.parametrize("parts", [False, True])
def test_a_swap_trains_on_whole_tokens_of_the_data(parts):
    X, y, mask = make_texts(60)
    marks = np.random.default_rng(0).random(X.shape) < (0.2 if parts else 0.7)
    Spy.seen = []
    SwapExClassifier(Spy, **SHORT).fit(X, y, mask=marks)
    seen = torch.cat(Spy.seen).numpy()
    assert set(np.unique(seen)) <= set(np.unique(X))
    lengths = {tuple(row) for row in X == PAD}
    assert {tuple(row) for row in seen == PAD} <= lengths


def test_a_blank_needs_a_token_that_says_nothing():
    X, y, mask = make_texts(40)
    for estimator in (METHODS["blank"], METHODS["two-stage"]):
        with pytest.raises(ValueError, match="mask_id must be the id of a token"):
            copy.deepcopy(estimator).set_params(mask_id=None).fit(X, y, mask=mask)
        name = "fill" if "fill" in estimator.get_params() else "mask_fill"
        with pytest.raises(ValueError, match="mask_id fills tokens, .* must stay 0"):
            copy.deepcopy(estimator).set_params(**{name: "mean"}).fit(X, y, mask=mask)


def test_bounds_of_gradients_are_not_for_tokens():
    X, y, mask = make_texts(40)
    clf = GradRegClassifier(Reader, robust="certified", norm="l2", **SHORT)
    with pytest.raises(ValueError, match='robust must be "random", .* for ids of tokens'):
        clf.fit(X, y, mask=mask)
    with pytest.raises(ValueError, match='norm must be .* use robust="random"'):
        clf.set_params(norm="share").fit(X, y, mask=mask)


def test_a_regressor_learns_from_tokens():
    X, y, mask = make_texts(60)
    reg = ERMRegressor(Reader, module__n_outputs=1, **SHORT).fit(X, y)
    assert reg.predict(X).shape == (60,)


# -- layers ----------------------------------------------------------------------------------------


def test_a_mask_of_tokens_where_they_have_mixed_warns():
    X, y, mask = make_texts(60)
    with pytest.warns(UserWarning, match="layer 'block' returns at each token what has become"):
        ConceptGradRegClassifier(Attending, layer="block", **SHORT).fit(X, y, mask=mask)
    with pytest.warns(UserWarning, match="layer 'block' returns at each token"):
        GradCAMRegClassifier(Attending, layer="block", channel_axis=-1, **SHORT).fit(
            X, y, mask=mask
        )
    # At the embedding no token has mixed; nor does a mask of units ask for places.
    ConceptGradRegClassifier(Attending, layer="embedding", **SHORT).fit(X, y, mask=mask)
    of_units = np.eye(12)[:1]
    ConceptGradRegClassifier(Attending, layer="block", channel_axis=-1, **SHORT).fit(
        X, y, mask=of_units
    )


def test_a_channel_axis_is_that_of_units():
    class Turned(Attending):
        def forward(self, ids):
            h = self.turn(self.block(self.embedding(ids)))
            return self.head(h.mean(2))

        def __init__(self):
            super().__init__()
            self.turn = Transpose()

    class Transpose(nn.Module):
        def forward(self, h):
            return h.transpose(1, 2)

    X, y, _ = make_texts(60)
    of_units = np.eye(12)[:1]
    last = ConceptGradRegClassifier(Turned, layer="block", channel_axis=-1, **SHORT)
    first = ConceptGradRegClassifier(Turned, layer="turn", **SHORT)
    last, first = last.fit(X, y, mask=of_units), first.fit(X, y, mask=of_units)
    torch.testing.assert_close(weights(last), weights(first))
    with pytest.raises(ValueError, match="channel_axis must be an axis of what layer 'block'"):
        ConceptGradRegClassifier(Turned, layer="block", channel_axis=3).fit(X, y, mask=of_units)
    with pytest.raises(ValueError, match="channel_axis must be the number of an axis other than 0"):
        GradCAMRegClassifier(Turned, layer="block", channel_axis=0).fit(X, y, mask=of_units)


# -- what a fitted estimator is --------------------------------------------------------------------


@pytest.mark.parametrize("module", [Reader, FloatReader])
def test_stored_and_copied_estimators_predict_the_same(module, tmp_path):
    X, y, mask = make_texts()
    clf = GradRegClassifier(module, mask_id=MASK, **SHORT).fit(X, y, mask=mask)
    expected = clf.predict_proba(X)
    save(clf, tmp_path / "model")
    loaded = load(tmp_path / "model", module=module)
    for other in (pickle.loads(pickle.dumps(clf)), copy.deepcopy(clf), loaded):
        np.testing.assert_array_equal(other.predict_proba(X), expected)
        assert (other.embedding_layer_, other.pad_id_, other.mask_id_) == ("embedding", PAD, MASK)
        other.partial_fit(X, y, mask=mask)
    assert torch.equal(weights(other), weights(clf.partial_fit(X, y, mask=mask)))
    assert len(loaded.module_._forward_pre_hooks) == len(clf.module_._forward_pre_hooks)


@pytest.mark.parametrize("cls", [GradRegClassifier, IBPExClassifier])
def test_units_are_those_of_the_present_embedding(cls):
    """Fused steps, which change weights in silence, train as others do."""
    X, y, mask = make_texts(60)
    module = MeanReader if cls is IBPExClassifier else Reader
    fused, plain = (
        cls(module, lr=0.1, max_epochs=3, random_state=0, alpha=1.0, **params).fit(X, y, mask=mask)
        for params in ({}, {"optimizer__foreach": False})
    )
    assert fused.trainer_.optimizer_.defaults["fused"]
    assert not plain.trainer_.optimizer_.defaults["fused"]
    np.testing.assert_allclose(weights(fused), weights(plain), atol=1e-3)


class MeanReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(N_IDS, 6)
        self.head = nn.Linear(6, 2)

    def forward(self, ids):
        return self.head(self.embedding(ids).mean(1))
