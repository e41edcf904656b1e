"""Which picture of X an annotated picture is: by file name, by id, or in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from .._rows import shorten
from ._label_studio import bare_name
from ._shapes import AnnotatedPicture


def join(
    pictures: Sequence[AnnotatedPicture],
    images: Sequence[Any] | str,
    n_rows: int,
    uids: Sequence[str] | None = None,
) -> list[int | None]:
    """Return the row of X of every annotated picture, None where X does not have it.

    Parameters
    ----------
    pictures : sequence of AnnotatedPicture
        What the export has.
    images : sequence of (str or int), or "order"
        Names or ids of X's pictures.
    n_rows : int
        How many pictures X has.
    uids : sequence of str or None, default=None
        Identifiers of X's DICOM pictures, which come before names.

    Raises
    ------
    ValueError
        If a name fits several pictures, or several annotated pictures fit one.
    """
    if isinstance(images, str):
        if len(pictures) != n_rows:
            raise ValueError(
                f'images="order" needs as many pictures as like has, {n_rows}; the export has '
                f"{len(pictures)}."
            )
        return list(range(n_rows))
    find = _by_id(images) if all(isinstance(image, int) for image in images) else _by_name(images)
    by_uid = {uid: row for row, uid in enumerate(uids or ()) if uid}
    rows = [by_uid.get(picture.number or "", find(picture)) for picture in pictures]
    owners: dict[int, AnnotatedPicture] = {}
    for row, picture in zip(rows, pictures, strict=True):
        if row is not None and owners.setdefault(row, picture) is not picture:
            raise ValueError(
                f"{owners[row].where} and {picture.where} are both of the picture "
                f"{images[row]!r}: merge them in the tool, or pass images= with ids."
            )
    return rows


def _by_id(images: Sequence[Any]) -> Callable[[AnnotatedPicture], int | None]:
    rows = {str(image): row for row, image in enumerate(images)}
    return lambda picture: rows.get(picture.number or "")


def _upload(name: str) -> str:
    """Return a name as web servers store it: without spaces and odd characters."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_")).casefold()


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


_LEVELS: list[Callable[[str], str]] = [lambda name: name, str.casefold, _upload]

# One name is another if they agree as they are; without regard to case; or as uploads; then the
# same without the ending of ours, as label files are called; and without both.  The first that
# finds something decides.
_PAIRS = [
    *((level, level) for level in _LEVELS),
    *((lambda name, level=level: level(_stem(name)), level) for level in _LEVELS),
    *((lambda name, level=level: level(_stem(name)),) * 2 for level in _LEVELS),
]


def _parts(name: str) -> list[str]:
    """Return the folders and the name of a path, of any system."""
    return [part for part in re.split(r"[\\/]+", name) if part not in ("", ".", "..")] or [name]


def _by_name(images: Sequence[Any]) -> Callable[[AnnotatedPicture], int | None]:
    paths = [_parts(str(image)) for image in images]
    indexes: list[dict[str, list[int]]] = [{} for _ in _PAIRS]
    for row, parts in enumerate(paths):
        for (ours, _), index in zip(_PAIRS, indexes, strict=True):
            index.setdefault(ours(parts[-1]), []).append(row)

    def find(picture: AnnotatedPicture) -> int | None:
        if picture.name is None:
            return None
        *folders, name = _parts(picture.name)
        for (_, theirs), index in zip(_PAIRS, indexes, strict=True):
            for each in (name, bare_name(name)):
                if rows := index.get(theirs(each)):
                    return _closest(rows, folders, paths, picture, images)
        return None

    return find


def _closest(
    rows: list[int],
    folders: list[str],
    paths: list[list[str]],
    picture: AnnotatedPicture,
    images: Sequence[Any],
) -> int:
    """Return the sample whose folders agree the farthest."""
    if len(rows) == 1:
        return rows[0]

    def agreement(row: int) -> int:
        count = 0
        for ours, theirs in zip(reversed(paths[row][:-1]), reversed(folders), strict=False):
            if ours != theirs:
                break
            count += 1
        return count

    best = max(map(agreement, rows))
    found = [row for row in rows if agreement(row) == best]
    if len(found) > 1:
        raise ValueError(
            f"{picture.where} fits {len(found)} pictures: {shorten([images[row] for row in found])}"
            ". Give pictures names of their own, or pass images= with ids."
        )
    return found[0]
