"""Run a study: what is missing is computed, what is there is kept."""

import time
import traceback
import warnings
from contextlib import closing
from functools import partial
from typing import Any

from .._checks import check_count
from ._all_studies import get_study
from ._parallel import run_unordered
from ._progress import progress_bar
from ._results import StudyResults
from ._store import Store, to_plain
from ._study import SCALES


class StudyError(RuntimeError):
    """Some cells of a study failed; all others are stored."""


def run_study(
    study: Any,
    scale: str = "quick",
    *,
    n_seeds: int | None = None,
    folder: Any = "study-results",
    n_jobs: int = 1,
    scheduler: Any = None,
    progress: bool = False,
) -> Any:
    """Compute the cells of a study that are not stored yet.

    Each finished cell is stored at once.  A run that was stopped, by whatever means, goes on where
    it was when it is started again, and gives the same rows.

    Parameters
    ----------
    study : str or Study
        Name from `list_studies`, or a declaration.
    scale : {"quick", "paper"}, default="quick"
        A minute, or what a claim rests on.
    n_seeds : int or None, default=None
        Seeds of every cell, 0 to n_seeds - 1; None: as many as the study declares.
    folder : str or path-like, default="study-results"
        Where finished cells are kept, a file per study.
    n_jobs : int, default=1
        Processes on this machine; each computes on one thread.
    scheduler : str or None, default=None
        Address of a Dask scheduler such as ``"tcp://10.0.0.1:8786"``, whose workers compute instead
        of this machine; needs the extra ``cluster``.  Workers need skexplain and the data sets.
    progress : bool, default=False
        Whether to show a progress bar with the time left.

    Returns
    -------
    StudyResults

    Raises
    ------
    StudyError
        At the end, if cells failed; all others are stored, and a further run tries them again.
    ImportError
        If filelock is not installed (extra "studies"), or something that the study needs.
    OSError
        If data are missing, or another process computes the same study into the same folder.
    ValueError
        If there is no such study or scale, or `n_seeds` is no positive integer.

    Warns
    -----
    UserWarning
        If cells are left out whose data are missing; it names the files.

    Examples
    --------
    >>> import tempfile
    >>> from skexplain.studies import Cell, Study, run_study
    >>> class Coins(Study):
    ...     name = "coins"
    ...     def cells(self, scale):
    ...         return [Cell({"seed": seed}) for seed in range(3)]
    ...     def run(self, factors, settings):
    ...         return [{"heads": factors["seed"] % 2}]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     results = run_study(Coins(), folder=folder)
    >>> results.is_complete
    True
    """
    study, cells = find_cells(study, scale, n_seeds)
    store = Store(folder, study.name)
    study.prepare(scale)
    with store.lock():
        stored = store.read()
        missing = [cell for cell in cells if cell.key(study.name) not in stored]
        missing = _without_lacking(study, missing)
        failures = []
        outcomes = run_unordered(
            partial(_run_cell, study), missing, n_jobs=n_jobs, scheduler=scheduler
        )
        bar = progress_bar(
            outcomes,
            desc=study.name,
            initial=len(cells) - len(missing),
            total=len(cells),
            unit="cell",
            smoothing=0.05,  # cells differ in length
            disable=not progress,
        )
        with closing(outcomes), bar:  # an interruption stops the workers, too
            for cell, rows, failure in bar:
                if failure is None:
                    store.append(cell, rows)
                else:
                    failures.append((cell, failure))
    if failures:
        raise StudyError(_describe_failures(study, failures))
    return load_results(study, scale, n_seeds=n_seeds, folder=folder)


def load_results(
    study: Any, scale: str = "quick", *, n_seeds: int | None = None, folder: Any = "study-results"
) -> Any:
    """Read what is stored of a study.

    Parameters
    ----------
    study : str or Study
        Name from `list_studies`, or a declaration.
    scale : {"quick", "paper"}, default="quick"
        Which of its cells.
    n_seeds : int or None, default=None
        Seeds of every cell, 0 to n_seeds - 1; None: as many as the study declares.
    folder : str or path-like, default="study-results"
        Where finished cells are kept.

    Returns
    -------
    StudyResults
        Of the present declaration and package version alone.

    Raises
    ------
    ValueError
        If there is no such study or scale, or `n_seeds` is no positive integer.

    Examples
    --------
    >>> from skexplain.studies import load_results
    >>> results = load_results("annotation-budget", "paper")  # doctest: +SKIP
    >>> results.tables()  # doctest: +SKIP
    """
    study, cells = find_cells(study, scale, n_seeds)
    stored = Store(folder, study.name).read()
    own = [(cell, stored.get(cell.key(study.name))) for cell in cells]
    done = [(cell, rows) for cell, rows in own if rows is not None]
    rows = [{**cell.factors, **row} for cell, found in done for row in found]
    n_others = len(stored) - len(done)
    return StudyResults(study, scale, rows, len(done), len(cells), n_others, n_seeds)


def find_cells(study: Any, scale: str, n_seeds: int | None = None) -> Any:
    """Return the declaration of a study and its cells, each once."""
    study = get_study(study)
    if scale not in SCALES:
        raise ValueError(f"scale must be one of {SCALES}, got {scale!r}.")
    cells = study.cells(scale)
    if n_seeds is not None:
        check_count("n_seeds", n_seeds)
        cells = [cell.with_seed(seed) for seed in range(n_seeds) for cell in cells]
    return study, list({cell.key(study.name): cell for cell in cells}.values())


def _run_cell(study: Any, cell: Any) -> Any:
    """Compute a cell; returns it with its rows, or with what went wrong."""
    start = time.perf_counter()
    try:
        rows = to_plain(study.run(cell.factors, study.settings_of(cell)))
    except Exception:  # one cell must not cost the others; the runner raises at the end
        return cell, None, traceback.format_exc()
    seconds = round(time.perf_counter() - start, 3)
    return cell, [{"cell_seconds": seconds, **row} for row in rows], None


def _without_lacking(study: Any, cells: Any) -> list[Any]:
    """Leave out the cells whose data are missing, and say so."""
    lacking = [(cell, study.lacks(cell.factors)) for cell in cells]
    texts = dict.fromkeys(text for _, text in lacking if text)
    if texts:
        n_lacking = sum(bool(text) for _, text in lacking)
        warnings.warn(
            f"{n_lacking} of the {len(cells)} cells of {study.name!r} that are not stored are left "
            f"out, since data are missing: {', '.join(texts)}.",
            UserWarning,
            stacklevel=3,
        )
    return [cell for cell, text in lacking if not text]


def _describe_failures(study: Any, failures: Any) -> str:
    cell, text = failures[0]
    n = "1 cell" if len(failures) == 1 else f"{len(failures)} cells"
    return (
        f"{n} of {study.name!r} failed, all others are stored. The first:\n{cell.factors}\n{text}"
    )
