"""Files of records, each with named columns: comma-separated values, JSON, and lines of JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

#: What columns with labels are called, unless their name is given.
LABELS = ("label", "class", "target", "category", "y")


def read_text(path: Path) -> str:
    """Read a file of text in UTF-8, with or without a byte order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8: {error}.") from error


def read_records(source: Path) -> list[dict[str, Any]]:
    """Read the records of a .csv, .json or .jsonl file.

    Raises
    ------
    ValueError
        If the file cannot be read.
    """
    content = read_text(source)
    if source.suffix.lower() == ".csv":
        return _read_csv(content, source)
    try:
        if source.suffix.lower() == ".json":
            records = json.loads(content)
        else:
            records = [json.loads(line) for line in content.split("\n") if line.strip()]
    except ValueError as error:
        raise ValueError(f"{source} cannot be read as JSON: {error}.") from error
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise ValueError(f"{source} must hold a list of records, each with a text and a label.")
    return records


def _read_csv(content: str, source: Path) -> list[dict[str, Any]]:
    columns = _header_of(content, source)
    reader = csv.DictReader(io.StringIO(content, newline=""))
    try:
        records = list(reader)
    except csv.Error as error:
        raise ValueError(
            f"{source} cannot be read as comma-separated values: line {reader.line_num}: {error}."
        ) from error
    for number, record in enumerate(records, 1):
        if None in record:  # the values beyond the last column
            raise ValueError(
                f"Record {number} of {source} has {len(columns) + len(record[None])} values for "
                f"{len(columns)} columns. Values with commas must be in quotes."
            )
    return records


def read_header(source: Path) -> list[str]:
    """Return the names of the columns of a .csv file, as they stand in its first line.

    Raises
    ------
    ValueError
        If the columns are not separated by commas.
    """
    return _header_of(read_text(source), source)


def _header_of(content: str, source: Path) -> list[str]:
    columns = next(csv.reader(io.StringIO(content, newline="")), [])
    if len(columns) == 1 and any(sign in columns[0] for sign in ";\t"):
        raise ValueError(
            f"The columns of {source} must be separated by commas; the first line is "
            f"{columns[0]!r}."
        )
    return columns


def choose_column(
    what: str, given: str | None, columns: list[str], usual: Iterable[str], source: Path
) -> str:
    """Return the column that is given, or the one with a usual name.

    Raises
    ------
    ValueError
        If there is none, or more than one of this name.
    """
    if given is not None and given not in columns:
        raise ValueError(f"{what}={given!r} is no column of {source}; there are {columns}.")
    found = [column for name in usual for column in columns if column.lower() == name]
    if given is None and not found:
        raise ValueError(
            f"Which column of {source} is the {what}? Pass its name as {what}; there are {columns}."
        )
    chosen = found[0] if given is None else given
    if columns.count(chosen) > 1:
        raise ValueError(f"{source} has {columns.count(chosen)} columns named {chosen!r}.")
    return chosen
