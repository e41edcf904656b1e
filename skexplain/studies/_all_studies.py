"""The studies that are installed, by name."""

from functools import cache
from importlib.metadata import entry_points

from ._study import Study

#: Entry points of this group name a sequence of studies, as ``skexplain_papers:STUDIES``.
GROUP = "skexplain.studies"

#: What is said where there are none.
NONE_INSTALLED = (
    "no studies are installed; those of the papers are in the folder papers of the repository: "
    "python -m pip install ./papers"
)


def list_studies() -> list[Study]:
    """List the studies that are installed.

    skexplain has none of its own: distributions offer them by entry points of the group
    ``skexplain.studies``.  ``pip install ./papers`` in a checkout of the repository installs those
    of the papers.

    Returns
    -------
    list of Study
        In the order in which a distribution lists them.

    Raises
    ------
    ImportError
        If the studies of a distribution cannot be imported.
    ValueError
        If two studies have the same name.

    Examples
    --------
    >>> from skexplain.studies import list_studies
    >>> for study in list_studies():
    ...     print(study.name, study.title)  # doctest: +SKIP
    """
    return list(_studies().values())


def get_study(study: str | Study) -> Study:
    """Return the declaration of a study.

    Parameters
    ----------
    study : str or Study
        Name, or a declaration, which is returned as it is.

    Returns
    -------
    Study

    Raises
    ------
    ValueError
        If no study of that name is installed.

    Examples
    --------
    >>> from skexplain.studies import get_study
    >>> get_study("heo-two-bands").source  # doctest: +SKIP
    'Heo et al. 2023, the 2-D example'
    """
    if not isinstance(study, str):
        return study
    known = _studies()
    if study not in known:
        hint = "" if known else f" ({NONE_INSTALLED})"
        raise ValueError(f"study must be one of {list(known)}, got {study!r}{hint}.")
    return known[study]


@cache
def _studies() -> dict[str, Study]:
    """Import what the entry points name."""
    found: dict[str, Study] = {}
    owners: dict[str, str] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        try:
            studies = point.load()
        except (AttributeError, ImportError) as error:
            raise ImportError(f"the studies {point.value!r} cannot be imported: {error}") from error
        for study in studies:
            if study.name in found:
                raise ValueError(
                    f"{point.value!r} and {owners[study.name]!r} both have a study "
                    f"{study.name!r}: names must differ."
                )
            found[study.name], owners[study.name] = study, point.value
    return found
