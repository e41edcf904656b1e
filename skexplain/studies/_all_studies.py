"""All studies by name."""

from . import _heo, _ours, _ross, _tao_shokri

_STUDIES = {
    study.name: study for paper in (_tao_shokri, _ross, _heo, _ours) for study in paper.STUDIES
}


def list_studies():
    """List the studies.

    Returns
    -------
    list of Study
        In the order of the papers, then our own.

    Examples
    --------
    >>> from skexplain.studies import list_studies
    >>> "annotation-budget" in [study.name for study in list_studies()]
    True
    """
    return list(_STUDIES.values())


def get_study(study):
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
        If there is no study of that name.

    Examples
    --------
    >>> from skexplain.studies import get_study
    >>> get_study("heo-two-bands").source
    'Heo et al. 2023, the 2-D example'
    """
    if not isinstance(study, str):
        return study
    if study not in _STUDIES:
        raise ValueError(f"study must be one of {list(_STUDIES)}, got {study!r}.")
    return _STUDIES[study]
