"""Networks that read tokens: hooks at their two ends, and those of transformers."""

import numpy as np
import pytest
import torch
from _texts import MASK, N_IDS, PAD, Attending, Reader, make_texts

from skexplain import (
    AvgExClassifier,
    ERMClassifier,
    GradRegClassifier,
    SwapExClassifier,
    TwoStageExplanationClassifier,
)
from skexplain.training._tokens import TokenSettings, adapt_tokens

SHORT = {"max_epochs": 2, "random_state": 0}


def make_bert():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=N_IDS,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
        pad_token_id=PAD,
    )
    return transformers.BertForSequenceClassification(config)


@pytest.mark.parametrize(
    "estimator",
    [
        SwapExClassifier(),
        GradRegClassifier(),
        AvgExClassifier(perturbation="blank", mask_id=MASK),
        AvgExClassifier(perturbation="gaussian", alpha="replace"),
        TwoStageExplanationClassifier(mask_id=MASK),
    ],
    ids=["swap", "grad", "blank", "noise", "two-stage"],
)
def test_a_model_of_transformers_goes_in_as_it_is(estimator):
    X, y, mask = make_texts(60)
    clf = estimator.set_params(module=make_bert, **SHORT).fit(X, y, mask=mask)
    assert clf.embedding_layer_ == "bert.embeddings.word_embeddings"
    assert clf.pad_id_ == PAD
    model = next(m for m in clf.module_.modules() if type(m).__name__.startswith("BertFor")).eval()
    given = {"input_ids": torch.tensor(X), "attention_mask": torch.tensor(X != PAD).long()}
    with torch.no_grad():
        by_hand = model.classifier(model.dropout(model.bert(**given).pooler_output))
    if estimator is not None and "mapping" not in clf.get_params():
        expected = by_hand.softmax(1)
        np.testing.assert_allclose(clf.predict_proba(X), expected, atol=1e-6)


def test_a_network_that_fails_behind_its_embedding_leaves_nothing_behind():
    module = Reader().eval()
    ids = torch.tensor(make_texts(4)[0]).float()
    adapt_tokens(module, ids, TokenSettings(search=True))
    expected = module(ids)
    embedded = torch.cat([ids[..., None], 0 * torch.ones(4, 8, 6)], -1)
    head, module.head = module.head, torch.nn.Linear(5, 2)
    with pytest.raises(RuntimeError):
        module(embedded)
    module.head = head
    assert torch.equal(module(ids), expected)


def test_mixed_precision_and_chunks_train_on_tokens():
    X, y, mask = make_texts(60)
    GradRegClassifier(Attending, mixed_precision=True, **SHORT).fit(X, y, mask=mask)
    at_once = GradRegClassifier(Attending, **SHORT).fit(X, y, mask=mask)
    chunks = GradRegClassifier(Attending, penalty_chunk_size=7, **SHORT).fit(X, y, mask=mask)
    np.testing.assert_allclose(chunks.predict_proba(X), at_once.predict_proba(X), atol=1e-4)


def test_early_stopping_measures_penalties_of_tokens():
    X, y, mask = make_texts(120)
    clf = GradRegClassifier(Reader, early_stopping=True, **SHORT).fit(X, y, mask=mask)
    assert clf.history_[-1, "valid_input_gradient"] > 0


def test_columns_of_floats_are_read_where_the_embedding_is_named():
    pd = pytest.importorskip("pandas")
    X, y, mask = make_texts(60)
    frame = pd.DataFrame(X, columns=[f"t{k}" for k in range(X.shape[1])])
    clf = ERMClassifier(Reader, **SHORT).fit(frame, y)
    assert clf.embedding_layer_ == "embedding"
    np.testing.assert_array_equal(
        clf.predict_proba(frame), ERMClassifier(Reader, **SHORT).fit(X, y).predict_proba(X)
    )
