"""Rows that hold for all values of a factor: computed once, shown everywhere."""

from skexplain.studies.tools import group


def repeat_rows(rows, factors, is_shared):
    """Repeat rows that do not depend on some factors for all that the other rows have there.

    Parameters
    ----------
    rows : list of dict
    factors : sequence of str
        What the shared rows do not depend on, such as ("masks_given",) for label-only.
    is_shared : callable
        Whether a row is to be repeated.

    Returns
    -------
    list of dict
        The shared rows, each once for every combination of values of the factors; then the others.
    """
    own = [row for row in rows if not is_shared(row)]
    shared = [row for row in rows if is_shared(row)]
    combinations = [dict(zip(factors, values, strict=True)) for values in group(own, factors)]
    return [*({**row, **values} for row in shared for values in combinations), *own]
