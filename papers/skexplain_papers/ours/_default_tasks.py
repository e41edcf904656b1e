"""The tasks of the panel on which defaults are judged: with a shortcut, or with nothing wrong."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from skexplain.datasets import get_data_home

from . import _default_tasks_images as images
from . import _default_tasks_tables as tables
from . import _default_tasks_texts as texts
from ._panel_task import annotate_share

_TENTH = 0.1
_BEANS, _APPLE = ("beans/index.csv",), ("plantvillage_apple/index.csv",)
_TWEETS = ("tweet_sentiment_spans/train.jsonl.gz",)
_NEWS = ("20news*.tar.gz", "20news-bydate-train", "20news/20news-bydate-train")


@dataclass(frozen=True)
class _Entry:
    """How a task is made.

    Attributes
    ----------
    make : callable
        From a seed to a PanelTask.
    files : tuple of str
        Patterns of paths in the data home, of which one must be there; empty: none is needed.
    annotated : float or None
        Share of the samples that keep their masks; None: all.
    has_shortcut : bool
        Whether there is a shortcut.
    regression : bool
        Whether it takes a regressor.
    """

    make: Callable
    files: tuple = ()
    annotated: float | None = None
    has_shortcut: bool = True
    regression: bool = False


#: Tasks by name.
PANEL = {
    "digits-corner": _Entry(partial(images.decoy_digits, "corner")),
    "digits-half": _Entry(partial(images.decoy_digits, "half")),
    "digits-stripes": _Entry(images.striped_digits),
    "table-one-hot": _Entry(tables.one_hot_leak),
    "table-continuous": _Entry(tables.continuous_leak),
    "table-missing": _Entry(tables.missing_indicator),
    "table-regression": _Entry(tables.regression_leak, regression=True),
    "iris-cancer": _Entry(tables.iris_cancer),
    "news-headers": _Entry(texts.news_headers, _NEWS),
    "tweets-one-class": _Entry(partial(texts.decoy_words, "one"), _TWEETS),
    "tweets-both-classes": _Entry(partial(texts.decoy_words, "both"), _TWEETS),
    "beans-corner": _Entry(partial(images.patched_beans, "corner"), _BEANS),
    "beans-anywhere": _Entry(partial(images.patched_beans, "anywhere"), _BEANS),
    "beans-both-classes": _Entry(partial(images.patched_beans, "both"), _BEANS),
    "apple-background": _Entry(images.apple_backgrounds, _APPLE),
    "digits-half-tenth": _Entry(partial(images.decoy_digits, "half"), annotated=_TENTH),
    "tweets-both-tenth": _Entry(partial(texts.decoy_words, "both"), _TWEETS, _TENTH),
    "beans-corner-tenth": _Entry(partial(images.patched_beans, "corner"), _BEANS, _TENTH),
    "harmless-digits": _Entry(images.harmless_digits, has_shortcut=False),
    "harmless-beans": _Entry(images.harmless_beans, _BEANS, has_shortcut=False),
    "harmless-table": _Entry(tables.harmless_noise, has_shortcut=False),
}


@lru_cache(maxsize=1)  # cells of a task and seed follow one another
def make_panel_task(name, seed):
    """Make a task from a seed; its arrays are shared and must not be written to.

    Parameters
    ----------
    name : str
        A key of `PANEL`.
    seed : int
        Seeds all draws: samples, places of shortcuts, and which samples are annotated.

    Returns
    -------
    PanelTask

    Raises
    ------
    ValueError
        If there is no such task.
    OSError
        If its files are missing.
    ImportError
        If its files need a package that is not installed.
    """
    if name not in PANEL:
        raise ValueError(f"name must be one of {list(PANEL)}, got {name!r}.")
    entry = PANEL[name]
    task = entry.make(seed)
    return task if entry.annotated is None else annotate_share(task, entry.annotated, seed)


def missing_files(name):
    """Return the path that a task needs and that is not there.

    Parameters
    ----------
    name : str
        A key of `PANEL`.

    Returns
    -------
    str
        Path in the data home, or "" where nothing is missing.
    """
    files, home = PANEL[name].files, get_data_home()
    if not files or any(next(home.glob(pattern), None) for pattern in files):
        return ""
    return str(home / files[0])
