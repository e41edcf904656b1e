"""Masks from an annotation file in COCO's format."""

import json
import os
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from difflib import get_close_matches
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._checks import check_option, check_path, is_iterable
from ._coco_regions import Regions, draw_region, points_of
from ._place import Like, fit_to_geometry, geometries_of, grid_of, names_of, with_unknown_padding
from ._resample import Resize
from ._rows import (
    Missing,
    as_list,
    check_missing,
    check_shape,
    common_shape,
    fit_to,
    row_without_marks,
    shorten,
    stack_rows,
)
from ._units import (
    Unit,
    are_shares,
    beyond_percent,
    check_unit,
    shares_error,
    warn_of_percent,
)

_Images: TypeAlias = dict[int | str, tuple[str | None, tuple[int, int]]]  # name and size by id
_Records: TypeAlias = dict[int | str, list[tuple[str, dict[str, Any]]]]


def mask_from_coco(
    annotations: str | os.PathLike[str] | dict[str, Any],
    images: Iterable[int | str] | None = None,
    *,
    categories: int | str | Sequence[int | str] | None = None,
    regions: Regions = "segmentation",
    include_crowd: bool = True,
    unit: Unit | None = None,
    shape: Sequence[int] | None = None,
    resize: Resize | None = None,
    missing: Missing = "unknown",
    like: Like | None = None,
) -> NDArray[Any]:
    """Mark the annotated regions of a COCO file.

    CVAT, Label Studio, Roboflow, VIA and other tools export this format.

    Parameters
    ----------
    annotations : str, path-like or dict
        The JSON file, or what is in it: "images", "annotations" and, to filter, "categories".
    images : sequence of length n_samples, default=None
        The image of each sample of X: its "id" (int) or its "file_name" (str).  A name without a
        folder also finds an image in a folder, if there is only one of that name.  None: the file
        names of `like`.
    categories : int, str or sequence of these, default=None
        Ids or names of the categories to mark.  None: all.
    regions : {"segmentation", "bbox"}, default="segmentation"
        What to mark: the outline or run lengths of an annotation (its box, where it has no
        segmentation), or always its box.
    include_crowd : bool, default=True
        Whether to mark annotations with "iscrowd": 1, regions that hold several objects.
    unit : {"pixel", "share", "percent"} or None, default=None
        What the coordinates of outlines and boxes are: pixels, as COCO has them; shares of the
        width and the height, in [0, 1] (Azure ML); or percent of these.  None: pixels, after a
        check that not all lie within one.
    shape : tuple of int, default=None
        Height and width of X's images.  None: those in the file, which then must all agree.
    resize : {"area", "nearest"} or None, default=None
        How to bring masks to `shape`, see :func:`resize_mask`, where X shows the whole images at
        another size.  None: a size other than `shape` is an error.
    missing : {"unknown", "empty", "error"}, default="unknown"
        What a sample is whose image is in the file without a region to mark: not annotated;
        annotated, with nothing marked; or an error.  An image that is not in the file is not
        annotated, or an error with "error".
    like : Bunch or sequence of ImageGeometry, default=None
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``, in the place of
        `shape`: the sizes in the file are those of the picture files, as they are stored or as they
        are seen, and marks are brought to X's grid (`resize`: "nearest" by default; where it is
        given, other sizes of the same proportions are legal, too).  Padding is NaN.

    Returns
    -------
    mask : ndarray of shape (n_samples, h, w)
        True in the regions; bool.  float32 where a sample is not annotated, which is NaN, or where
        ``resize="area"`` gives degrees.

    Raises
    ------
    TypeError
        If `annotations` is neither a path nor a dict, or `images` no sequence of int or str.
    ValueError
        If the file is malformed or a region lies outside of its image, with the name of the file
        and the record; if none of the images is in it; if a category is not; if an image has
        another size than expected; or if `unit` is None and all coordinates lie between 0 and 1.

    Warns
    -----
    UserWarning
        If `unit` is None and all coordinates look as if they were in percent.

    See Also
    --------
    mask_from_polygons : Polygons that are at hand, on pixel centres.
    decode_rle : The run lengths of a single mask.

    Notes
    -----
    The regions of an image are united.  They are drawn at the size that the file gives for the
    image and then resized.  Polygons and boxes are drawn by the rule of COCO's own tools, so that a
    mask equals that of pycocotools; along an outline it differs from
    :func:`mask_from_polygons` in some pixels, and a region of less than a pixel may mark none.  A
    box whose "attributes" have a "rotation" (CVAT) is turned by so many degrees clockwise about its
    centre.

    Examples
    --------
    >>> from skexplain.masks import mask_from_coco
    >>> file = {
    ...     "images": [{"id": 5, "file_name": "a.png", "height": 2, "width": 3}],
    ...     "categories": [{"id": 1, "name": "ruler"}],
    ...     "annotations": [{"id": 8, "image_id": 5, "category_id": 1, "bbox": [1, 0, 2, 1]}],
    ... }
    >>> mask_from_coco(file, ["a.png"], categories="ruler").astype(int)
    array([[[0, 1, 1],
            [0, 0, 0]]])
    """
    check_option("regions", regions, ("segmentation", "bbox"))
    check_missing(missing)
    check_unit(unit)
    if images is None:
        images = names_of(like)
    images = as_list("images", images, "a sequence of ids or file names")
    content, source = _read(annotations)
    entries = _read_images(content, source)
    wanted = _find_images(images, entries, source)
    if missing == "error" and None in wanted:
        raise ValueError(f"{source} has no image {images[wanted.index(None)]!r}.")
    sizes = {f"{source}: image id {i!r}": entries[i][1] for i in wanted if i is not None}
    if like is None:
        geometries, shape = [None] * len(images), common_shape(sizes, shape, resize)
    else:
        geometries = geometries_of(like, len(images), "images")
        shape = grid_of(geometries, shape, resize)
    records = _records_by_image(
        content, source, entries, _category_ids(categories, content, source), include_crowd
    )
    if unit is None:
        shown = ((entries[i][1], r) for i in wanted if i is not None for _, r in records.get(i, ()))
        _check_pixels(shown, content, regions, source)

    def masks() -> Iterator[NDArray[Any] | None]:
        for image, geometry in zip(wanted, geometries, strict=True):
            if image is None:
                yield None
                continue
            shown = records.get(image, [])
            where = f"{source}: image id {image!r}"
            if not shown:
                yield row_without_marks(missing, shape, f"{where} has no region to mark")
                continue
            mask = np.zeros(entries[image][1], dtype=bool)
            for name, record in shown:
                _blame(name, draw_region, mask, record, regions, unit)
            if geometry is None:
                yield fit_to(mask, shape, resize, where)
            else:
                yield fit_to_geometry(mask, geometry, resize, where)

    return stack_rows(with_unknown_padding(masks(), geometries), len(wanted), shape)


def _read(annotations: Any) -> tuple[dict[str, Any], str]:
    """Return the content and what errors call it."""
    if isinstance(annotations, dict):
        return annotations, "annotations"
    if not isinstance(annotations, str | os.PathLike):
        raise TypeError(f"annotations must be a path or a dict; got {shorten(annotations)}.")
    source = str(check_path("annotations", annotations))
    with open(source, encoding="utf-8-sig") as file:
        try:
            content = json.load(file)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{source} is not a JSON file: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{source} must hold a JSON object; got {shorten(content)}.")
    return content, source


def _entries(
    content: dict[str, Any], key: str, source: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the records of a list beside the name by which errors call them."""
    records = content.get(key)
    if not isinstance(records, list):
        raise ValueError(f'{source} must have a list "{key}"; got {shorten(records)}.')
    for number, record in enumerate(records):
        name = f"{source}: {key}[{number}]"
        if not isinstance(record, dict):
            raise ValueError(f"{name} must be an object; got {shorten(record)}.")
        if "id" in record:
            name += f" (id {shorten(record['id'])})"
        yield name, record


def _blame(name: str, function: Callable[..., Any], *args: Any) -> Any:
    """Call a function whose error is this record's."""
    try:
        return function(*args)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _read_images(content: dict[str, Any], source: str) -> _Images:
    """Return file name and size by image id."""
    images = {}
    for name, record in _entries(content, "images", source):
        number = _id(record, "id", name)
        if number in images:
            raise ValueError(f"{name}: another image has the same id.")
        file_name = record.get("file_name")
        if file_name is not None and not isinstance(file_name, str):
            raise ValueError(f'{name}: "file_name" must be text; got {shorten(file_name)}.')
        size = record.get("height"), record.get("width")
        images[number] = file_name, _blame(name, check_shape, size, '"height", "width"')
    return images


def _id(record: dict[str, Any], key: str, name: str) -> Any:
    number = record.get(key)
    if not isinstance(number, Integral | str) or isinstance(number, bool):
        raise ValueError(f'{name}: "{key}" must be a whole number or text; got {shorten(number)}.')
    return number


def _find_images(images: list[Any], entries: _Images, source: str) -> list[int | str | None]:
    """Return the image id of every sample, None where the file does not have it."""
    ids: dict[str, list[int | str]] = {}
    for number, (file_name, _) in entries.items():
        if file_name is not None:
            ids.setdefault(file_name, []).append(number)
    # Exact names come first, so that a bare name never hides one.
    for number, (file_name, _) in entries.items():
        bare = os.path.basename((file_name or "").replace("\\", "/"))
        if bare and bare != file_name:
            ids.setdefault(bare, []).append(number)

    def find(image: Any) -> int | str | None:
        if isinstance(image, Integral) and not isinstance(image, bool):
            return int(image) if image in entries else None
        if not isinstance(image, str):
            raise TypeError(f"images must hold ids (int) or file names (str); got {image!r}.")
        found = ids.get(image, [image] if image in entries else [])
        if len(found) > 1:
            raise ValueError(f"{source} has {len(found)} images of the name {image!r}: use ids.")
        return found[0] if found else None

    found = [find(image) for image in images]
    if not any(image is not None for image in found):
        some = shorten(list(ids)[:5] or list(entries)[:5])
        raise ValueError(f"{source} has none of the images {shorten(images)}; it has {some}.")
    return found


def _category_ids(categories: Any, content: dict[str, Any], source: str) -> set[int | str] | None:
    """Return the ids of the categories to mark, or None for all."""
    if categories is None:
        return None
    wanted = [categories] if isinstance(categories, str | Integral) else categories
    if not isinstance(wanted, list | tuple | np.ndarray | set) or not is_iterable(wanted):
        raise TypeError(f"categories must be ids or names of categories; got {categories!r}.")
    ids: dict[int | str, list[int | str]] = {}
    for name, record in _entries(content, "categories", source):
        number = _id(record, "id", name)
        # An id that is a name is itself; several ids may share a name.
        for key in {number, str(record.get("name"))}:
            ids.setdefault(key, []).append(number)
    for category in wanted:
        if not isinstance(category, str | Integral) or category not in ids:
            names = [key for key in ids if isinstance(key, str)]
            close = get_close_matches(str(category), names, cutoff=0.5) or names
            raise ValueError(
                f"categories: {source} has no category {category!r}; it has {shorten(close)}."
            )
    return {number for category in wanted for number in ids[category]}


def _records_by_image(
    content: dict[str, Any],
    source: str,
    images: Container[int | str],
    categories: set[int | str] | None,
    include_crowd: bool,
) -> _Records:
    """Return the annotations of every image that are to be shown."""
    records: _Records = {}
    for name, record in _entries(content, "annotations", source):
        image = _id(record, "image_id", name)
        if image not in images:
            raise ValueError(f'{name}: no image has the id {image!r} of its "image_id".')
        is_shown = not _is_crowd(record, name) or include_crowd
        if is_shown and (categories is None or _id(record, "category_id", name) in categories):
            records.setdefault(image, []).append((name, record))
    return records


def _is_crowd(record: dict[str, Any], name: str) -> bool:
    value = record.get("iscrowd", 0)
    if not isinstance(value, bool | Integral) or value not in (0, 1):
        raise ValueError(f'{name}: "iscrowd" must be 0 or 1; got {shorten(value)}.')
    return bool(value)


def _check_pixels(
    shown: Iterable[tuple[tuple[int, int], dict[str, Any]]],
    content: dict[str, Any],
    regions: Regions,
    source: str,
) -> None:
    """Raise an error, or warn, if the coordinates of a file fit another unit than pixels.

    Parameters
    ----------
    shown : iterable of ((height, width), record)
        The annotations to mark.
    content : dict
        The file, whose other annotations show what coordinates are, too.
    regions : {"segmentation", "bbox"}
    source : str
        What errors call the file.
    """
    found, sizes = [], []
    for size, record in shown:
        points = points_of(record, regions) if max(size) > 1 else None
        if points is None:
            continue
        if beyond_percent(points):  # as a rule the first one
            return
        found.append(points)
        sizes.append(size)
    if not found:
        return
    points, what = np.concatenate(found), f"{source}: coordinates of regions"
    if are_shares(points):
        others = (points_of(record, regions) for record in content["annotations"])
        if all(other is None or are_shares(other) for other in others):
            raise shares_error(what)
    warn_of_percent(points, np.array(sizes), what, stacklevel=3)
