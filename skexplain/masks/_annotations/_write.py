"""Masks back to annotation tools: COCO, and predictions for Label Studio."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..._checks import as_array, check_number, check_option, check_path
from .._geometry import ImageGeometry
from .._place import geometries_of, lift, names_of
from .._rows import as_list
from .._run_lengths import encode_rle
from ._label_studio_rle import encode_brush

_FORMATS = ("coco", "label_studio")


def write_annotations(
    path: str | os.PathLike,
    mask: ArrayLike,
    *,
    like: Any,
    label: str,
    format: str = "coco",
    images: Sequence[str] | None = None,
    url: str = "/data/local-files/?d={name}",
    from_name: str = "label",
    to_name: str = "image",
    threshold: float = 0.5,
) -> None:
    """Write masks for an annotation tool, so that people can correct them there.

    Masks that :func:`~skexplain.inspection.suggest_masks` suggests or
    :class:`~skexplain.MaskPropagator` fills in become pre-annotations on the picture files.

    Parameters
    ----------
    path : path-like
        The JSON file to write.
    mask : array-like of shape (n_samples, h, w) or (n_samples, 1, h, w)
        Marks on the grid of `like`; NaN is unmarked.
    like : Bunch or sequence of ImageGeometry
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``.
    label : str
        What the marks are called.
    format : {"coco", "label_studio"}, default="coco"
        COCO with run lengths, as CVAT imports it; or tasks of Label Studio whose predictions are
        brushes.
    images : sequence of str of length n_samples, default=None
        Names of the files.  None: those of `like`.
    url : str, default="/data/local-files/?d={name}"
        Address of a picture in Label Studio, with "{name}" in the place of its name.
    from_name, to_name : str, default="label" and "image"
        The names that the labelling interface gives to ``BrushLabels`` and ``Image``.
    threshold : float, default=0.5
        Least degree that is marked.

    Raises
    ------
    ValueError
        If `mask` is not of the grid's shape, or another argument is not as described.

    See Also
    --------
    read_annotations : The inverse.

    Notes
    -----
    Marks are written at the size of the upright picture: each of its pixels takes the mark of the
    grid's pixel that it lies on.  What was cropped is unmarked.  Samples that are all NaN are not
    annotated: COCO has their pictures without a region, Label Studio their tasks without a
    prediction.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from skexplain.masks import ImageGeometry, read_annotations, write_annotations
    >>> geometry = [ImageGeometry.fitted((30, 40), (3, 4), "resize")]
    >>> mask = np.array([[[0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_annotations(
    ...         f"{folder}/a.json", mask, like=geometry, label="ruler", images=["a.jpg"]
    ...     )
    ...     read_annotations(f"{folder}/a.json", like=geometry, images=["a.jpg"]).astype(int)
    array([[[0, 1, 1, 0],
            [0, 0, 0, 0],
            [0, 0, 0, 0]]])
    """
    path = check_path("path", path)
    check_option("format", format, _FORMATS)
    if not isinstance(label, str) or not label:
        raise ValueError(f"label must be text; got {label!r}.")
    check_number("threshold", threshold, positive=True)
    if threshold > 1:
        raise ValueError(f"threshold must lie in (0, 1]; got {threshold!r}.")
    if not isinstance(url, str) or "{name}" not in url:
        raise ValueError(f'url must be text with "{{name}}" in it; got {url!r}.')
    geometries = geometries_of(like)
    names = names_of(like) if images is None else as_list("images", images, "names of files")
    if names is None or len(names) != len(geometries):
        raise ValueError(f"images must be names of {len(geometries)} files; got {images!r}.")
    marks = _check_mask(mask, geometries)
    whole = _at_full_size(marks, geometries, threshold)
    if format == "coco":
        content: Any = _coco(whole, geometries, names, label)
    else:
        content = [
            _task(_address(url, name), marks, label, from_name, to_name)
            for name, marks in zip(names, whole, strict=True)
        ]
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)


def _address(url: str, name: str) -> str:
    """Return the address of a picture; in those of a server some characters have a meaning."""
    if urlsplit(url).scheme in ("", "http", "https"):
        name = "".join(quote(letter) if letter in "%?#&+" else letter for letter in name)
    return url.replace("{name}", name)


def _check_mask(mask: ArrayLike, geometries: Sequence[ImageGeometry]) -> NDArray:
    values = as_array("mask", mask)
    if values.ndim == 4 and values.shape[1] == 1:
        values = values[:, 0]
    shape = (len(geometries), *geometries[0].shape)
    if values.shape != shape or values.dtype.kind not in "buif":
        raise ValueError(
            f"mask must be numbers of shape {shape}, as like; got {values.dtype} of shape "
            f"{values.shape}."
        )
    known = values[~np.isnan(values)] if values.dtype.kind == "f" else values
    if known.size and not (known.min() >= 0 and known.max() <= 1):
        raise ValueError(f"mask must lie in [0, 1]; got {known.min()} to {known.max()}.")
    return values


def _at_full_size(
    marks: NDArray, geometries: Sequence[ImageGeometry], threshold: float
) -> Iterator[NDArray[np.bool_] | None]:
    """Yield the mask of each picture at its own size, None where it is not annotated."""
    for mark, geometry in zip(marks, geometries, strict=True):
        inside = mark[geometry.inside]
        is_unknown = inside.dtype.kind == "f" and bool(np.isnan(inside).all())
        # NaN compares as False.
        yield None if is_unknown else lift(mark >= threshold, geometry)


def _coco(
    whole: Iterator[NDArray[np.bool_] | None],
    geometries: Sequence[ImageGeometry],
    names: Sequence[str],
    label: str,
) -> dict:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, geometry, mask) in enumerate(
        zip(names, geometries, whole, strict=True), start=1
    ):
        height, width = geometry.upright_size
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        if mask is None or not mask.any():
            continue
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        left, top = int(columns[0]), int(rows[0])
        annotations.append(
            {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": 1,
                # CVAT takes run lengths as a mask where a region is a crowd.
                "iscrowd": 1,
                "segmentation": encode_rle(mask, compress=False),
                "area": int(mask.sum()),
                "bbox": [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top],
            }
        )
    categories = [{"id": 1, "name": label}]
    return {"images": images, "categories": categories, "annotations": annotations}


def _task(
    address: str, mask: NDArray[np.bool_] | None, label: str, from_name: str, to_name: str
) -> dict:
    """Return a task of Label Studio with a prediction, without one where `mask` is None."""
    task: dict[str, Any] = {"data": {"image": address}, "predictions": []}
    if mask is None:
        return task
    height, width = mask.shape
    brush = {
        "id": "mask",
        "type": "brushlabels",
        "from_name": from_name,
        "to_name": to_name,
        "original_height": height,
        "original_width": width,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": encode_brush(mask), "brushlabels": [label]},
    }
    results = [brush] if mask.any() else []
    task["predictions"] = [{"model_version": "skexplain", "result": results}]
    return task
