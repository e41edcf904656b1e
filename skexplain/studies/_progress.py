"""How far a long run is."""

import sys
from typing import Any

from tqdm.auto import tqdm

_LOG_SECONDS = 30


def progress_bar(iterable: Any, **kwargs: Any) -> Any:
    """Show how far a run is: a bar in a terminal, now and then a line where that is a log.

    Parameters
    ----------
    iterable : iterable
        Items of the run.
    **kwargs
        Parameters of tqdm.

    Returns
    -------
    tqdm
        Yields the items.
    """
    seconds = 0.1 if sys.stderr.isatty() else _LOG_SECONDS
    return tqdm(iterable, mininterval=seconds, maxinterval=max(10, seconds), **kwargs)
