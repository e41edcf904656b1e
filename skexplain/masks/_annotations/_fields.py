"""Fields of files that are not trusted: each is of the expected type, or an error names it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from .._rows import as_numbers, check_shape, shorten

# Annotations are never drawn farther away than this.
_FARTHEST = 1e8

_DEEPEST = 100


def load_json(path: Path) -> Any:
    """Read a JSON file."""
    try:
        return json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error


def load_xml(path: Path) -> ElementTree.Element:
    """Read an XML file without entities and external files, which a document type can define."""
    builder = ElementTree.TreeBuilder()
    parser = expat.ParserCreate(namespace_separator="}")
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"{path} has elements in more than {_DEEPEST} others.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ValueError(f"{path} has a document type or entities, which are not read.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(path.read_bytes(), True)
        return builder.close()
    except (expat.ExpatError, LookupError, AssertionError) as error:
        raise ValueError(f"{path} is not an XML file: {error}") from error


def as_dict(value: Any, what: str) -> dict:
    """Return an object of a JSON file."""
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object; got {shorten(value)}.")
    return value


def as_items(value: Any, what: str) -> list:
    """Return a list of a JSON file."""
    if not isinstance(value, list):
        raise ValueError(f"{what} must be a list; got {shorten(value)}.")
    return value


def objects(value: Any, what: str) -> Iterator[tuple[str, dict]]:
    """Yield the objects of a list, each beside what errors call it."""
    for number, item in enumerate(as_items(value, what)):
        where = f"{what}[{number}]"
        yield where, as_dict(item, where)


def as_text(value: Any, what: str) -> str:
    """Return text, or a whole number as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{what} must be text; got {shorten(value)}.")


def as_float(value: Any, what: str) -> float:
    """Return a number of a JSON file, or one that is written as text in an XML file."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        # Compared first, since a whole number may be too great to be a float.
        or not abs(value) <= _FARTHEST
        or math.isnan(value)
    ):
        raise ValueError(f"{what} must be a number up to {_FARTHEST:.0e}; got {shorten(value)}.")
    return float(value)


def as_int(value: Any, what: str) -> int:
    """Return a whole number."""
    number = as_float(value, what)
    if number % 1:
        raise ValueError(f"{what} must be a whole number; got {shorten(value)}.")
    return int(number)


def floats(record: Any, keys: str, where: str) -> list[float]:
    """Return numbers of a record, a dict or an XML element, by their keys."""
    return [as_float(record.get(key), f"{where}: {key!r}") for key in keys.split()]


def as_size(height: Any, width: Any, where: str) -> tuple[int, int]:
    """Return a height and a width."""
    try:
        return check_shape([as_int(side, "a side") for side in (height, width)], "size")
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def as_points(value: Any, where: str) -> NDArray[np.float64]:
    """Return points (x, y) of shape (n_points, 2)."""
    expected = f"{where} must be points (x, y)"
    numbers = as_numbers(as_items(value, where), expected)
    if not numbers.size:
        return np.zeros((0, 2))
    if numbers.ndim != 2 or numbers.shape[1] != 2 or not (np.abs(numbers) <= _FARTHEST).all():
        raise ValueError(f"{expected} up to {_FARTHEST:.0e}; got {shorten(value)}.")
    return numbers


def child_text(element: ElementTree.Element, path: str) -> str | None:
    """Return the text of an element below another, None where there is none."""
    text = element.findtext(path)
    return None if text is None else text.strip()


def plain_name(name: str, where: str) -> str:
    """Return the name of a file to open, which must not lead out of its folder."""
    is_plain = name == PurePosixPath(name).name and "\\" not in name and ":" not in name
    if not is_plain or name in ("", ".", "..") or "\0" in name:
        raise ValueError(f"{where} must be the name of a file, without folders; got {name!r}.")
    return name


def stem_of(path: Path) -> str:
    """Return the name of a file without its endings for annotations."""
    name = os.path.basename(path)
    for ending in (".nii.gz", ".geojson", ".json", ".xml", ".txt", ".nii", ".dcm"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name
