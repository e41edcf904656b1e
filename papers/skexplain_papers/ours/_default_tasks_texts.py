"""Texts of the panel: headers, and words that occur in one class."""

import gzip
import json

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from skexplain.datasets import fetch_newsgroups, get_data_home
from skexplain.datasets._data_home import require_files
from skexplain.studies import TestRows

from ._panel_task import BROKEN, CLEAN, PanelTask

_N_WORDS, _N_TRAIN, _N_TEST = 200, 1200, 1000  # of tweets
_N_NEWS_WORDS = 200  # of headers, and as many of bodies
_RATE = 0.95  # of the tweets of a class that have its word
_WORDS = {"one": (None, "zebra"), "both": ("walrus", "zebra")}  # of negative, of positive tweets
_BLANK_LINE = "\n\n"

_INSTRUCTIONS = """
The task is left out without it.  It is cut from the contest "Tweet Sentiment Extraction" (Figure
Eight and Kaggle, 2020): a JSON record a line, with `text` and `label`, "positive" or "negative"."""


def news_headers(seed):
    """Messages of two newsgroups, whose headers give them away; marked are words of the header.

    In the broken test each body stands below the header of a message of the other newsgroup.
    """
    rng = np.random.RandomState(seed)
    news = fetch_newsgroups("headers", download_if_missing=False, random_state=seed)
    sent = fetch_newsgroups(download_if_missing=False, random_state=seed)
    in_header, in_body = news.mask, (news.data > 0) & ~news.mask
    words = np.union1d(_most_frequent(in_header), _most_frequent(in_body))
    lies = sent.vectorizer.transform(_below_other_headers(sent, rng)).toarray()
    return PanelTask(
        news.data[:, words],
        news.target,
        news.mask[:, words],
        {
            BROKEN: TestRows(lies[:, words], sent.target_test),
            CLEAN: TestRows(sent.data_test[:, words], sent.target_test),
        },
        news.data_random[:, words],
    )


def _most_frequent(occurs):
    """Return the columns of the words that occur in most texts, the others being left out."""
    return np.argsort(-occurs.sum(axis=0), kind="stable")[:_N_NEWS_WORDS]


def decoy_words(classes, seed):
    """Tweets, positive or negative, with a word that tells the class and means nothing.

    Parameters
    ----------
    classes : {"one", "both"}
        Whether positive tweets alone have a word, or negative ones another one.
    seed : int

    Returns
    -------
    PanelTask
        Marked is the word where it occurs.  In the broken test the other class has it; in the clean
        one no tweet does.
    """
    rng = np.random.RandomState(seed)
    words = _WORDS[classes]
    texts, y = _draw_tweets("train", _N_TRAIN, rng)
    texts_test, y_test = _draw_tweets("test", _N_TEST, rng)
    with_words = _add_words(texts, y, words, rng)
    vectorizer = TfidfVectorizer(max_features=_N_WORDS, dtype=np.float32).fit(with_words)
    X = vectorizer.transform(with_words).toarray()
    marked = np.isin(vectorizer.get_feature_names_out(), [word for word in words if word])

    def test_rows(texts):
        return TestRows(vectorizer.transform(texts).toarray(), y_test)

    without = _add_words(texts, rng.permutation(y), words, rng)
    return PanelTask(
        X,
        y,
        (X > 0) & marked,
        {
            BROKEN: test_rows(_add_words(texts_test, 1 - y_test, words, rng)),
            CLEAN: test_rows(texts_test),
        },
        vectorizer.transform(without).toarray(),
    )


def _draw_tweets(part, n_rows, rng):
    """Draw tweets of both classes, half of each, and their labels, 1 for positive."""
    folder = get_data_home() / "tweet_sentiment_spans"
    require_files(folder, [f"{part}.jsonl.gz"], _INSTRUCTIONS)
    with gzip.open(folder / f"{part}.jsonl.gz", "rt", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    labels = np.array([int(record["label"] == "positive") for record in records])
    drawn = [rng.permutation(np.flatnonzero(labels == k))[: n_rows // 2] for k in (0, 1)]
    rows = rng.permutation(np.concatenate(drawn))
    return [records[row]["text"] for row in rows], labels[rows]


def _add_words(texts, shown, words, rng):
    """Add to most texts the word of the class that they are to show."""
    has_one = rng.uniform(size=len(texts)) < _RATE
    return [
        f"{text} {words[label]}" if added and words[label] else text
        for text, label, added in zip(texts, shown, has_one, strict=True)
    ]


def _below_other_headers(sent, rng):
    """Put each test body below the header of a test message of the other newsgroup."""
    parts = [document.partition(_BLANK_LINE) for document in sent.documents_test]
    documents = []
    for (_, _, body), label in zip(parts, sent.target_test, strict=True):
        donor = rng.choice(np.flatnonzero(sent.target_test != label))
        documents.append(parts[donor][0] + _BLANK_LINE + body)
    return documents
