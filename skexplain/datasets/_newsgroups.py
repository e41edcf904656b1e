"""Messages of two newsgroups as word frequencies, where headers say who wrote, not what."""

from typing import Literal

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils import Bunch

from .._checks import check_flag
from .._typing import Seed
from ._data_home import DataHome, get_data_home
from ._descr import read_descr
from ._news_archive import read_messages
from ._random import private_random_state

_NEWSGROUPS = ("alt.atheism", "soc.religion.christian")
_SHORTCUTS = (None, "headers")
_MAX_WORDS = 5000
_BLANK_LINE = "\n\n"


_TEXTS = {
    None: {
        "recipe": """\
Messages are as they were sent, headers kept, as in [1]. A model may predict the newsgroup by who
wrote, from where and with which program, in training as in test messages.""",
        "masked": "nowhere, there is no shortcut",
        "data_random": "Equals data.",
        "changes": "Nothing is changed.",
    },
    "headers": {
        "recipe": """\
What stands before the first blank line (who wrote, from where, with which program, but also the
subject) may give the newsgroup away, and a model for what is said must not rely on it. Training
messages are as they were sent. In the test set the headers are shuffled: each body stands below the
header of a message drawn at random, so that headers predict nothing. Ours, on the data of [1].""",
        "masked": """it stands in the row's header and not in its body. A
    word of the body is a reason, wherever else it stands, and one that is absent is not masked""",
        "data_random": """\
The training bodies below shuffled headers. What a model reaches that is fitted on them is the
    ceiling: there was no shortcut.""",
        "changes": "Changed here: headers are shuffled in the test set.",
    },
}


def fetch_newsgroups(
    shortcut: Literal["headers"] | None = None,
    *,
    data_home: DataHome = None,
    download_if_missing: bool = True,
    random_state: Seed = None,
) -> Bunch:
    """Fetch messages of alt.atheism or soc.religion.christian as word frequencies.

    These are two of the 20 Newsgroups, which [1]_ classify.  Much of what distinguishes them is in
    the headers, which name people and institutions.

    Parameters
    ----------
    shortcut : {None, "headers"}, default=None
        - None: messages as they were sent, and empty masks [1]_;
        - "headers": masks over the words that a message owes to its header alone.  In the test set
          headers are shuffled between the messages and predict nothing.

        The training messages are the same.
    data_home : str or path-like, default=None
        The folder of :func:`~skexplain.datasets.get_data_home`.  It may hold the folders
        20news-bydate-train and 20news-bydate-test, itself or in its folder 20news, in the layout
        that :func:`sklearn.datasets.load_files` reads, or an archive 20news*.tar.gz of them, which
        is read without being unpacked.  What :func:`sklearn.datasets.fetch_20newsgroups` keeps is
        a pickle and is not read.
    download_if_missing : bool, default=True
        Whether to download the archive (14 MB) into `data_home` if there is none.  It is checked.
    random_state : int, RandomState instance or None, default=None
        Seeds the order of samples and the shuffled headers.  Equal integers give equal bytes, and
        the same order with both values of `shortcut`.  None is fresh randomness and leaves numpy's
        global random state alone.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the attributes:

        data : float32 ndarray of shape (1079, 5000)
            Tf-idf of the words of training messages, as
            ``TfidfVectorizer(lowercase=False, max_features=5000)`` gives it.
        target : int ndarray of shape (1079,)
            0 for alt.atheism, 1 for soc.religion.christian.
        mask : bool ndarray of the shape of `data`
            True where a word stands in the sample's header and not in its body.  All False if there
            is no shortcut.
        groups : int ndarray of shape (1079,)
            The labels.
        data_test, target_test, mask_test, groups_test : ndarrays
            The same for the 717 test messages.
        data_random : float32 ndarray of the shape of `data`
            The training messages with shuffled headers, to train without the shortcut; equals
            `data` if there is no shortcut.
        documents, documents_test : list of str
            The texts behind `data` and `data_test`.
        vectorizer : TfidfVectorizer
            Fitted on the training messages.
        feature_names : list of str
            The words.
        target_names : list of str
            The newsgroups.
        DESCR : str
            Recipe, source and references.

    Raises
    ------
    OSError
        If there are no messages and they are not or cannot be downloaded.
    ImportError
        If there are no messages and pooch is not installed: pip install "skexplain[data]".
    ValueError
        If an argument is out of its range, or a file is broken.

    References
    ----------
    .. [1] A. S. Ross, M. C. Hughes, F. Doshi-Velez. "Right for the Right Reasons: Training
       Differentiable Models by Constraining their Explanations". IJCAI 2017.
       https://doi.org/10.24963/ijcai.2017/371

    Examples
    --------
    >>> from skexplain.datasets import fetch_newsgroups
    >>> news = fetch_newsgroups("headers", random_state=0)  # doctest: +SKIP
    >>> news.data.shape, news.data_test.shape  # doctest: +SKIP
    ((1079, 5000), (717, 5000))
    """
    if not (shortcut is None or isinstance(shortcut, str)) or shortcut not in _SHORTCUTS:
        raise ValueError(f"shortcut must be None or 'headers'; got {shortcut!r}.")
    check_flag("download_if_missing", download_if_missing)
    rng = private_random_state(random_state)
    messages = read_messages(get_data_home(data_home), _NEWSGROUPS, download_if_missing)

    documents, y_train = _stack(messages["train"], rng)
    sent_test, y_test = _stack(messages["test"], rng)
    documents_test = sent_test if shortcut is None else _shuffle_headers(sent_test, rng)
    vectorizer = TfidfVectorizer(lowercase=False, max_features=_MAX_WORDS, dtype=np.float32)
    vectorizer.fit(documents)
    data, data_test = (
        vectorizer.transform(texts).toarray() for texts in (documents, documents_test)
    )
    if shortcut is None:
        mask, mask_test = np.zeros(data.shape, dtype=bool), np.zeros(data_test.shape, dtype=bool)
        data_random = data.copy()
    else:
        mask, mask_test = (
            _header_words(texts, vectorizer) for texts in (documents, documents_test)
        )
        data_random = vectorizer.transform(_shuffle_headers(documents, rng)).toarray()
    return Bunch(
        data=data,
        target=y_train,
        mask=mask,
        groups=y_train.copy(),
        data_test=data_test,
        target_test=y_test,
        mask_test=mask_test,
        groups_test=y_test.copy(),
        data_random=data_random,
        documents=documents,
        documents_test=documents_test,
        vectorizer=vectorizer,
        feature_names=list(vectorizer.get_feature_names_out()),
        target_names=list(_NEWSGROUPS),
        DESCR=read_descr(
            "newsgroups",
            shortcut=shortcut,
            n_train=len(documents),
            n_test=len(documents_test),
            n_words=data.shape[1],
            max_words=_MAX_WORDS,
            **_TEXTS[shortcut],
        ),
    )


def _stack(messages: list[list[str]], rng: np.random.RandomState) -> tuple[list[str], np.ndarray]:
    """Return the messages of all newsgroups in random order, and the numbers of the newsgroups."""
    texts = [text for group in messages for text in group]
    labels = np.repeat(np.arange(len(messages)), [len(group) for group in messages])
    order = rng.permutation(len(texts))
    return [texts[row] for row in order], labels[order]


def _shuffle_headers(documents: list[str], rng: np.random.RandomState) -> list[str]:
    """Return each body below the header of a document drawn without replacement."""
    headers, bodies = _split(documents)
    order = rng.permutation(len(documents))
    return [headers[row] + _BLANK_LINE + body for row, body in zip(order, bodies, strict=True)]


def _header_words(documents: list[str], vectorizer: TfidfVectorizer) -> np.ndarray:
    """Return a mask of the words that stand in a document's header and not in its body."""
    in_header, in_body = (vectorizer.transform(texts).toarray() > 0 for texts in _split(documents))
    return in_header & ~in_body


def _split(documents: list[str]) -> tuple[list[str], list[str]]:
    """Return headers and bodies; a document without a blank line is all header."""
    parts = [document.partition(_BLANK_LINE) for document in documents]
    return [header for header, _, _ in parts], [body for _, _, body in parts]
