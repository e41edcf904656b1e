"""Masks of what annotation tools write."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._checks import check_path, is_iterable
from .._place import geometries_of, names_of, with_unknown_padding
from .._rows import Missing, as_list, check_missing, row_without_marks, shorten, stack_rows
from ._draw import DRAWN_ON, draw_picture, frames
from ._files import FORMATS, read_files
from ._join import join
from ._shapes import AnnotatedPicture, Shape

_N_SHOWN = 10


def read_annotations(
    path: str | os.PathLike,
    *,
    like: Any,
    labels: str | int | Sequence[str | int] | None = None,
    images: Sequence[str | int] | str | None = None,
    format: str | None = None,
    drawn_on: str | None = None,
    missing: Missing = "unknown",
    predictions: bool = False,
) -> NDArray:
    """Read masks from what an annotation tool exports.

    Which tool it was is seen from the files: Label Studio (JSON and JSON-MIN, also brushes and
    bitmasks), CVAT (for images), LabelMe (JSON, and the XML of MIT's toolbox), Pascal VOC, YOLO,
    COCO, SAM, VIA (JSON and CSV), Supervisely, QuPath (GeoJSON), DICOM SEG and NIfTI.

    Parameters
    ----------
    path : path-like
        The file, or the folder with a file per picture.
    like : Bunch or sequence of ImageGeometry
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``.
    labels : str, int or sequence of these, default=None
        Labels whose shapes are marked.  None: all shapes.
    images : sequence of (str or int) of length n_samples, or "order", default=None
        How pictures of the export are found: by names of files; by the export's ids, if they are
        int; or all of them in the order of X.  None: by the file names of `like`.
    format : str, default=None
        The format, where the files do not show it: "label_studio", "cvat", "labelme",
        "labelme_xml", "voc", "yolo", "coco", "sam", "via", "via_csv", "supervisely", "qupath",
        "dicom_seg" or "nifti".
    drawn_on : {"upright", "stored"}, default=None
        Whether the tool showed pictures turned by their EXIF orientation.  None: as the sizes in
        the export say; where they do not, "upright", as browsers do.
    missing : {"unknown", "empty", "error"}, default="unknown"
        What a picture is that was annotated without a shape to mark: not annotated; annotated,
        with nothing marked; or an error.  A picture that the export does not have, or that was
        never annotated, is not annotated, or an error with "error".
    predictions : bool, default=False
        Whether to read the predictions in an export of Label Studio, for tasks that were not
        annotated.

    Returns
    -------
    mask : ndarray of shape (n_samples, h, w)
        True in the shapes; bool.  float32 where a picture is not annotated or has padding, which
        are NaN, or where a fractional DICOM segmentation has degrees.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    ValueError
        If files are broken, of no known format, of several, or of a video or volume; if no picture
        is found, a name fits several, or a picture has another size in the export; if a shape lies
        outside of its picture; if no shape has one of the `labels`; or if another argument is not
        as described.
    ImportError
        If a file needs pydicom or nibabel (extra "formats"), or pillow (extra "data").

    Warns
    -----
    UserWarning
        If something in the export is not in the masks: pictures that are not in `like`, points and
        lines, files that are not recognised, shapes outside of what was cropped.

    See Also
    --------
    skexplain.datasets.load_images : Pictures, with their geometry.
    write_annotations : The way back to the tool.
    mask_from_folder : Mask images.
    mask_coverage : Shows how much is marked.

    Notes
    -----
    A name finds a picture if they are equal, of several pictures the one whose folders agree the
    farthest; else if they are equal without regard to case, odd characters, the eight characters
    that Label Studio puts before an upload, or the ending.  Shapes of one picture are united.
    Several people's annotations of one task of Label Studio are united, too.

    Boxes, outlines and ellipses mark the pixels of the grid whose centres they hold, as in
    :func:`mask_from_polygons`.  Regions of pixels, and all of COCO's, are drawn at the size of the
    picture; then each pixel of the grid takes the mark below its centre.

    Files are not trusted: XML with entities, images that unpack to more than their picture, and
    names of other folders raise a ValueError.

    Examples
    --------
    >>> import json, tempfile
    >>> from PIL import Image
    >>> from skexplain.datasets import load_images
    >>> from skexplain.masks import read_annotations
    >>> rectangle = {
    ...     "type": "rectanglelabels", "original_width": 40, "original_height": 20,
    ...     "value": {"x": 50, "y": 0, "width": 50, "height": 50, "rectanglelabels": ["ruler"]},
    ... }
    >>> task = {
    ...     "data": {"image": "/data/upload/1/0a1b2c3d-a.png"},
    ...     "annotations": [{"result": [rectangle]}],
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (40, 20)).save(f"{folder}/a.png")
    ...     bunch = load_images(folder, size=(2, 4))
    ...     with open(f"{folder}/export.json", "w") as file:
    ...         json.dump([task], file)
    ...     read_annotations(f"{folder}/export.json", like=bunch, labels="ruler").astype(int)
    array([[[0, 0, 1, 1],
            [0, 0, 0, 0]]])
    """
    check_missing(missing)
    for name, value, legal in (("format", format, FORMATS), ("drawn_on", drawn_on, DRAWN_ON)):
        if value is not None and (not isinstance(value, str) or value not in legal):
            raise ValueError(f"{name} must be one of {list(legal)}, or None; got {value!r}.")
    geometries = geometries_of(like)
    keys = _check_images(images, like, len(geometries))
    found, pictures, unknown = read_files(check_path("path", path), format, predictions=predictions)
    shapes = _choose(pictures, labels, path)
    uids = like.get("instance_uids") if isinstance(like, Mapping) and images is None else None
    rows = join(pictures, keys, len(geometries), None if uids is None else list(uids))
    _check_found(pictures, rows, keys, path)

    report: Counter = Counter()
    pairs = {
        row: (picture, chosen)
        for row, picture, chosen in zip(rows, pictures, shapes, strict=True)
        if row is not None
    }
    order = sorted(pairs)
    stored = dict(
        zip(
            order,
            frames([(pairs[row][0], geometries[row]) for row in order], drawn_on),
            strict=True,
        )
    )
    shape = geometries[0].shape

    def masks() -> Any:
        for row, geometry in enumerate(geometries):
            picture, chosen = pairs.get(row, (None, None))
            if picture is None or picture.shapes is None:
                if missing == "error":
                    name = row if isinstance(keys, str) else keys[row]
                    raise ValueError(f"{os.fspath(path)} has no annotation of {name!r}.")
                yield None
            elif not chosen:
                yield row_without_marks(missing, shape, f"{picture.where} has no shape to mark")
            else:
                yield draw_picture(picture, chosen, geometry, stored[row], report)

    mask = stack_rows(with_unknown_padding(masks(), geometries), len(geometries), shape)
    for picture in pictures:
        report.update(picture.left_out)
    _report(path, found, pictures, rows, unknown, report)
    return mask


def _check_images(images: Any, like: Any, n_rows: int) -> list | str:
    """Return names or ids of the pictures, or "order"."""
    if images is None:
        names = names_of(like)
        if names is None:
            raise ValueError(
                'images must be names or ids of the pictures, or "order", where like has no '
                "filenames; got None."
            )
        return names
    if isinstance(images, str):
        if images != "order":
            raise ValueError(f'images must be a sequence, or "order"; got {images!r}.')
        return images
    keys = as_list("images", images, "a sequence of names or ids, one per picture")
    keys = [int(key) if isinstance(key, np.integer) else key for key in keys]
    if len(keys) != n_rows:
        raise ValueError(f"images must have one entry per picture: {n_rows}; got {len(keys)}.")
    return keys


def _choose(pictures: Sequence[AnnotatedPicture], labels: Any, path: Any) -> list[list[Shape]]:
    """Return the shapes to mark of every picture."""
    everything = [list(picture.shapes or ()) for picture in pictures]
    if labels is None:
        return everything
    wanted = [labels] if isinstance(labels, str | int | np.integer) else labels
    if isinstance(wanted, Mapping) or not is_iterable(wanted):
        raise TypeError(f"labels must be labels, or None for all; got {labels!r}.")
    names = {str(label) for label in wanted}
    known = {label for shapes in everything for shape in shapes for label in shape.labels}
    for name in sorted(names - known):
        close = get_close_matches(name, known, cutoff=0.5) or sorted(known)
        without_area = _listed(sum((picture.left_out for picture in pictures), Counter()))
        more = f" These mark nothing: {without_area}." if without_area else ""
        raise ValueError(f"labels: {os.fspath(path)} has no label {name!r}; it has {close}.{more}")
    return [
        [shape for shape in shapes if names.intersection(shape.labels)] for shapes in everything
    ]


def _check_found(
    pictures: Sequence[AnnotatedPicture], rows: Sequence[int | None], keys: Any, path: Any
) -> None:
    if any(row is not None for row in rows):
        return
    theirs = [picture.name or picture.number for picture in pictures]
    hint = (
        ' It has no names: pass images="order" if its pictures are in the order of X.'
        if all(name is None for name in theirs)
        else ""
    )
    raise ValueError(
        f"{os.fspath(path)} has none of the pictures {shorten(list(keys))}; it has "
        f"{shorten(theirs)}.{hint}"
    )


def _listed(counts: Counter) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))


def _report(
    path: Any,
    found: str,
    pictures: Sequence[AnnotatedPicture],
    rows: Sequence[int | None],
    unknown: Sequence[str],
    report: Counter,
) -> None:
    """Warn of what is in the export and not in the masks."""
    described = []
    lost = [str(p.name or p.number) for p, row in zip(pictures, rows, strict=True) if row is None]
    if lost:
        more = f" and {len(lost) - _N_SHOWN} more" if len(lost) > _N_SHOWN else ""
        described.append(
            f"{len(lost)} of {len(pictures)} pictures are not in like: "
            f"{', '.join(lost[:_N_SHOWN])}{more}"
        )
    if report:
        described.append(f"these mark nothing: {_listed(report)}")
    if unknown:
        described.append(f"{len(unknown)} files are not recognised, such as {unknown[0]}")
    if described:
        warnings.warn(
            f"{os.fspath(path)} ({found}): {'; '.join(described)}.", UserWarning, stacklevel=3
        )
