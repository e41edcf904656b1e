"""Descriptions of the data sets, which stand in the folder ``descr``."""

from importlib.resources import files
from typing import Any


def read_descr(name: str, **values: Any) -> str:
    """Return the description of a data set.

    Parameters
    ----------
    name : str
        Of its file, without the ending.
    **values
        What is put in for the names in braces.

    Returns
    -------
    str
    """
    text = files(__package__).joinpath("descr", f"{name}.rst").read_text(encoding="utf-8")
    return text.format(**values)
