"""Two newsgroups: words of the header tell who wrote, and not what."""

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from skexplain.datasets import fetch_newsgroups
from skexplain.studies import Cell, Task, TestRows

from .._study import TrialStudy
from ._sequences import SequenceStudy, sequence_settings
from ._settings import ross_settings

_NEWSGROUPS = ("alt.atheism", "soc.religion.christian")


def newsgroups_task(dataset, seed):
    """Turn messages into word frequencies.

    Parameters
    ----------
    dataset : {"newsgroups", "made-up"}
        The real messages, or made-up ones that need no file.
    seed : int
        Seeds the shuffled headers, the order of rows, and the made-up messages.

    Returns
    -------
    Task
        Masks are over words that a row owes to its header alone.  With test sets "train", "as sent"
        and "headers shuffled", in which the headers tell nothing.
    """
    if dataset == "newsgroups":
        return _fetch_task(seed)
    with TemporaryDirectory() as folder:
        write_messages(folder, np.random.RandomState(seed))
        return _fetch_task(seed, folder)


def _fetch_task(seed, data_home=None):
    sent = fetch_newsgroups(data_home=data_home, random_state=seed)
    news = fetch_newsgroups("headers", data_home=data_home, random_state=seed)
    tests = {
        "train": TestRows(news.data, news.target),
        "as sent": TestRows(sent.data_test, sent.target_test),
        "headers shuffled": TestRows(news.data_test, news.target_test),
    }
    return Task(news.data, news.target, news.mask, tests, news.data_random)


def write_messages(folder, rng, n_rows=100):
    """Write made-up messages in the layout that `fetch_newsgroups` reads.

    A header names one of twenty hosts, ten of each newsgroup; a body has thirty of a hundred words,
    of which each newsgroup prefers ten.

    Parameters
    ----------
    folder : str or path-like
    rng : RandomState
    n_rows : int, default=100
        Messages of each newsgroup, in training and in test.
    """
    words = np.array([f"word{i:02}" for i in range(100)])
    for part in ("train", "test"):
        for label, name in enumerate(_NEWSGROUPS):
            place = Path(folder, f"20news-bydate-{part}", name)
            place.mkdir(parents=True)
            weight = np.ones(len(words))
            weight[10 * label : 10 * label + 10] = 2.0
            for row in range(n_rows):
                body = rng.choice(words, size=30, p=weight / weight.sum())
                text = f"From: host{label}{rng.randint(10)}\n\n{' '.join(body)}"
                (place / f"{row:04}").write_text(text)


def mask_absent_words(X, mask):
    """Mark header words in all rows whose body lacks them, not only where they occur.

    Then a row may be given a header word, where before it could only lose one.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Word frequencies.
    mask : ndarray of bool of shape (n, d)
        Words that a row owes to its header alone.

    Returns
    -------
    ndarray of bool of shape (n, d)
    """
    in_body = (X > 0) & ~mask
    return mask.any(axis=0) & ~in_body


class _OnNewsgroups:
    """What the two studies share: where messages come from, and the network for them."""

    def prepare(self, scale):
        """Look for the messages, or download them, where the scale needs them."""
        if scale == "paper":
            fetch_newsgroups()

    @staticmethod
    def _data_and_network(scale):
        if scale == "quick":
            return "made-up", ross_settings(121, 2, n_rows=200, batch_size=50)
        return "newsgroups", ross_settings(5000, 2, n_rows=1079)


class Newsgroups(_OnNewsgroups, TrialStudy):
    """Methods and controls, all at the package's default strength."""

    name = "ross-newsgroups"
    title = "Two newsgroups, and what their headers give away"
    source = "Ross et al. 2017, 20 newsgroups; shuffled headers are ours"
    defaults = "stored"
    methods = {
        "label-only": {"estimator": "ERMClassifier", "without_masks": True, "ceiling": True},
        **{
            f"{name}{suffix}": {
                "estimator": estimator,
                "absent_words": absent,
                "controls": ("shuffled",),  # switched off it equals label-only
            }
            for name, estimator in (("grad-reg", "GradRegClassifier"), ("swap", "SwapExClassifier"))
            for suffix, absent in (("", False), (", absent words too", True))
        },
    }
    panels = ("dataset", "test")

    def trials(self, scale):
        """One set of messages; seeds shuffle headers."""
        dataset, settings = self._data_and_network(scale)
        yield (
            {"dataset": dataset},
            list(self.methods),
            range(1 if scale == "quick" else 10),
            settings,
        )

    def task(self, factors, settings):
        """Shuffle headers; mark absent words where the method asks for it."""
        task = newsgroups_task(factors["dataset"], factors["seed"])
        if settings.get("absent_words"):
            return replace(task, mask=mask_absent_words(task.X, task.mask))
        return task

    def pictures(self, rows):
        """Test messages alone."""
        return super().pictures([row for row in rows if row["test"] != "train"])


class NewsgroupsAnother(_OnNewsgroups, SequenceStudy):
    """Seven models one after the other, without masks."""

    name = "ross-newsgroups-another"
    title = "Find another explanation, in two newsgroups"
    source = "Ross et al. 2017, find-another-explanation on 20 newsgroups"
    defaults = "stored"
    panels = ("dataset",)

    def cells(self, scale):
        """Sequences and their controls."""
        dataset, network = self._data_and_network(scale)
        quick = scale == "quick"
        settings = sequence_settings(network, 250.0, 3 if quick else 7)
        return [
            Cell({"dataset": dataset, "masks": masks, "seed": seed}, settings)
            for seed in range(1 if quick else 3)
            for masks in ("given", "off", "shuffled")
        ]

    def task(self, factors):
        """Shuffle headers."""
        return newsgroups_task(factors["dataset"], factors["seed"])
