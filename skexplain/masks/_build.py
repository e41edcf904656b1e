"""Masks from what was drawn on the images: boxes and polygons."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._figures import fill_box, fill_vertices, turn
from ._place import Like, draw, geometries_of, shape_or_like, with_unknown_padding
from ._rows import (
    Missing,
    as_numbers,
    as_sequence,
    check_missing,
    check_shape,
    row_without_marks,
    shorten,
    stack_rows,
)
from ._units import (
    Unit,
    check_reach_in_unit,
    check_set,
    check_unit,
    hint_at_unit,
    pixels_per_unit,
    warn_of_percent,
)

BoxFormat: TypeAlias = Literal["xyxy", "xywh", "cxcywh", "xywhr", "cxcywhr"]
_BOX_FORMATS = {
    "xyxy": lambda a, b, c, d: (a, b, c, d),
    "xywh": lambda a, b, c, d: (a, b, a + c, b + d),
    "cxcywh": lambda a, b, c, d: (a - c / 2, b - d / 2, a + c / 2, b + d / 2),
}

# Boxes with an angle: which box, and the x and y about which it is turned.
_TURNED_FORMATS = {
    "xywhr": ("xywh", lambda a, b, c, d: (a, b)),
    "cxcywhr": ("cxcywh", lambda a, b, c, d: (a, b)),
}


def mask_from_boxes(
    boxes: Iterable[ArrayLike | None],
    shape: Sequence[int] | None = None,
    *,
    box_format: BoxFormat = "xyxy",
    image_sizes: ArrayLike | None = None,
    unit: Unit | None = None,
    missing: Missing = "unknown",
    like: Like | None = None,
) -> NDArray[Any]:
    """Mark boxes in images.

    Parameters
    ----------
    boxes : sequence of length n_samples
        Of each image a list of boxes, an array of shape (n_boxes, 4), one box (4 numbers, or 5 with
        an angle), or None if it is not annotated.
    shape : tuple of int, default=None
        Height and width of the images in X; None with `like`.
    box_format : {"xyxy", "xywh", "cxcywh", "xywhr", "cxcywhr"}, default="xyxy"
        The four numbers of a box: left, top, right, bottom; left, top, width, height (COCO,
        Label Studio); or centre and size (YOLO).  Formats with an "r" have a fifth number, by how
        many degrees the box is turned clockwise: "xywhr" about its upper left corner (Label
        Studio), "cxcywhr" about its centre (CVAT).
    image_sizes : tuple of int or array-like of shape (n_samples, 2), default=None
        Height and width of the images on which the boxes were drawn, one for all or one per image,
        where X shows the whole of them at another size.  None: those of X, or of `like`.  Shares
        and percent need them for boxes that are turned only.
    unit : {"pixel", "share", "percent"} or None, default=None
        What coordinates are: pixels; shares of the width and the height, in [0, 1] (YOLO); or
        percent of these (Label Studio).  None: pixels, after a check that they can be.
    missing : {"unknown", "empty", "error"}, default="unknown"
        What a sample with an empty list of boxes is: not annotated; annotated, with nothing marked
        (inspected, and nothing was found); or an error.  None is always not annotated.
    like : Bunch or sequence of ImageGeometry, default=None
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``, in the place of
        `shape`: coordinates are those of the picture files, as they are seen, and land where
        they were drawn.  Padding is NaN.

    Returns
    -------
    mask : ndarray of shape (n_samples, h, w)
        True in the boxes; bool.  Where a sample is not annotated, the array is float32 and that
        sample is NaN.

    Raises
    ------
    ValueError
        If a box is not four finite numbers (five with an angle), has no area, lies outside its
        image, or reaches far beyond it in shares or percent, with the sample and the box; if all
        boxes lie within one pixel and `unit` is None; or if another argument is not as described.

    Warns
    -----
    UserWarning
        If `unit` is None and all boxes look as if they were in percent.

    See Also
    --------
    mask_from_polygons : Any outline.
    mask_from_coco : Boxes in a COCO file.

    Notes
    -----
    Coordinates are those of numpy slices: pixel (i, j) covers x in [j, j + 1) and y in [i, i + 1),
    so that the box (1, 0, 3, 2) marks ``image[0:2, 1:3]``.  With fractions, a pixel is marked if
    its centre lies in the box.  A box too thin to hold a centre marks the pixels at its middle:
    nothing that was drawn gets lost.  What hangs over the edge of the image is cut off.

    Examples
    --------
    >>> from skexplain.masks import mask_from_boxes
    >>> mask_from_boxes([[(1, 0, 3, 2)], [(0, 1, 1, 2), (3, 0, 9, 1)]], shape=(2, 4)).astype(int)
    array([[[0, 1, 1, 0],
            [0, 1, 1, 0]],
           [[0, 0, 0, 1],
            [1, 0, 0, 0]]])
    """
    formats = [*_BOX_FORMATS, *_TURNED_FORMATS]
    if not isinstance(box_format, str) or box_format not in formats:
        raise ValueError(f"box_format must be one of {formats}; got {box_format!r}.")
    turned = box_format in _TURNED_FORMATS
    to_corners = _BOX_FORMATS[_TURNED_FORMATS[box_format][0] if turned else box_format]
    n_numbers = 5 if turned else 4

    def read(box: Any, pixels: NDArray[Any]) -> NDArray[Any]:
        expected = f"must be {n_numbers} numbers, or None in place of the list without annotation"
        box = as_numbers(box, expected)
        if box.shape != (n_numbers,):
            hint = " With the angle last, see box_format." if box.shape == (5,) else ""
            raise ValueError(f"{expected}; got shape {box.shape}.{hint}")
        with np.errstate(over="ignore"):  # infinity lies outside as well
            corners = np.array(to_corners(*box[:4])).reshape(2, 2)
        if not (corners[0] < corners[1]).all():
            fits = box_format == "xyxy" and (box[2:] > 0).all()
            hint = ' If it is left, top, width, height: box_format="xywh".' if fits else ""
            raise ValueError(
                f"must have an area; it spans x, y from {corners[0]} to {corners[1]}.{hint}"
            )
        if not turned:
            return corners
        pivot = np.array(_TURNED_FORMATS[box_format][1](*box[:4]))
        # Angles are those between pixels, whatever the unit.
        return turn(_four_corners(corners) * pixels, pivot * pixels, box[4]) / pixels

    nouns = ("box", "boxes")
    fill = fill_vertices if turned else fill_box
    return _draw_rows(
        boxes, read, fill, nouns, shape, image_sizes, unit, missing, like, sized=turned
    )


def _four_corners(corners: NDArray[Any]) -> NDArray[Any]:
    (x0, y0), (x1, y1) = corners
    return np.array([(x0, y0), (x0, y1), (x1, y1), (x1, y0)])


def mask_from_polygons(
    polygons: Iterable[ArrayLike | None],
    shape: Sequence[int] | None = None,
    *,
    image_sizes: ArrayLike | None = None,
    unit: Unit | None = None,
    missing: Missing = "unknown",
    like: Like | None = None,
) -> NDArray[Any]:
    """Mark polygons in images.

    Parameters
    ----------
    polygons : sequence of length n_samples
        Of each image a list of polygons, or None if it is not annotated.  A polygon is an
        array-like of shape (n_vertices, 2), the x and y of three or more vertices; it closes by
        itself.  Polygons of one image are united.
    shape : tuple of int, default=None
        Height and width of the images in X; None with `like`.
    image_sizes : tuple of int or array-like of shape (n_samples, 2), default=None
        Height and width of the images on which the polygons were drawn, one for all or one per
        image, where X shows the whole of them at another size.  None: those of X, or of `like`.
    unit : {"pixel", "share", "percent"} or None, default=None
        What coordinates are: pixels; shares of the width and the height, in [0, 1]; or percent of
        these.  None: pixels, after a check that they can be.
    missing : {"unknown", "empty", "error"}, default="unknown"
        What a sample with an empty list of polygons is: not annotated; annotated, with nothing
        marked; or an error.  None is always not annotated.
    like : Bunch or sequence of ImageGeometry, default=None
        What :func:`~skexplain.datasets.load_images` returned, or its ``geometry``, in the place of
        `shape`: coordinates are those of the picture files, as they are seen, and land where
        they were drawn.  Padding is NaN.

    Returns
    -------
    mask : ndarray of shape (n_samples, h, w)
        True inside the polygons; bool.  Where a sample is not annotated, the array is float32 and
        that sample is NaN.

    Raises
    ------
    ValueError
        If a polygon is not of three or more finite vertices, marks nothing because it lies outside
        its image, or reaches far beyond it in shares or percent, with the sample and the polygon;
        if all polygons lie within one pixel and `unit` is None; or if another argument is not as
        described.

    Warns
    -----
    UserWarning
        If `unit` is None and all polygons look as if they were in percent.

    See Also
    --------
    mask_from_coco : Polygons in a COCO file, drawn as COCO's own tools draw them.

    Notes
    -----
    A pixel is marked if its centre lies inside, where pixel (i, j) covers x in [j, j + 1) and y in
    [i, i + 1): the square (1, 0), (3, 0), (3, 2), (1, 2) marks ``image[0:2, 1:3]``.  Where an
    outline crosses itself, the even-odd rule says what is inside.  A polygon too thin to hold a
    centre marks the pixels at its vertices.

    Examples
    --------
    >>> from skexplain.masks import mask_from_polygons
    >>> triangle = [(0, 0), (4, 0), (0, 4)]
    >>> mask_from_polygons([[triangle], None], shape=(4, 4))
    array([[[ 1.,  1.,  1.,  0.],
            [ 1.,  1.,  0.,  0.],
            [ 1.,  0.,  0.,  0.],
            [ 0.,  0.,  0.,  0.]],
           [[nan, nan, nan, nan],
            [nan, nan, nan, nan],
            [nan, nan, nan, nan],
            [nan, nan, nan, nan]]], dtype=float32)
    """

    def read(polygon: Any, pixels: NDArray[Any]) -> NDArray[Any]:
        expected = "must be 3 or more vertices (x, y)"
        vertices = as_numbers(polygon, expected)
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
            raise ValueError(f"{expected}; got shape {vertices.shape}.")
        return vertices

    nouns = ("polygon", "polygons")
    fill = fill_vertices
    return _draw_rows(polygons, read, fill, nouns, shape, image_sizes, unit, missing, like)


def _draw_rows(
    rows: Any,
    read: Callable[[Any, NDArray[Any]], NDArray[Any]],
    fill: Callable[[NDArray[Any], NDArray[Any]], None],
    nouns: tuple[str, str],
    shape: Sequence[int] | None,
    image_sizes: ArrayLike | None,
    unit: Unit | None,
    missing: Missing,
    like: Like | None,
    sized: bool = False,
) -> NDArray[Any]:
    """Draw every sample's figures and stack the masks.

    Parameters
    ----------
    rows : sequence
        Of each sample its figures, or None.
    read : callable
        ``read(figure, pixels)`` checks a figure and returns its points (x, y) in its own unit, of
        which one is `pixels` pixels.
    fill : callable
        ``fill(mask, points)`` marks it, given in pixels of the mask.
    nouns : (str, str)
        One figure and many.
    shape, image_sizes, unit, missing, like
        As the builders have them.
    sized : bool
        Whether shares and percent may have image sizes.
    """
    noun, name = nouns
    shape_or_like(shape, like)
    check_missing(missing)
    check_unit(unit)
    rows = as_sequence(rows, name, "one entry per image")
    geometries: list[Any] = (
        [None] * len(rows) if like is None else geometries_of(like, len(rows), name)
    )
    shape = check_shape(shape) if like is None else geometries[0].shape
    targets = shape if like is None else [geometry.upright_size for geometry in geometries]
    targets = np.broadcast_to(targets, (len(rows), 2))
    sizes = _image_sizes(targets, image_sizes, None if sized else unit, len(rows))
    figures: list[Any] = [
        None if row is None else _figures_of(row, i, nouns) for i, row in enumerate(rows)
    ]

    for i, row in enumerate(figures):
        for j, figure in enumerate(row or ()):
            with _errors_of(f"{name}[{i}], {noun} {j}"):
                row[j] = read(figure, pixels_per_unit(unit, sizes[i]))
                check_reach_in_unit(row[j], unit)
    # All are read before any is drawn: together they show whether the unit fits.
    read_points = [figure for row in figures for figure in row or ()]
    points = np.concatenate(read_points) if read_points else np.zeros((0, 2))
    check_set(points, unit, sizes, name)
    scales = _scales(targets, sizes, unit)

    def mask_of(i: int, row: list[Any]) -> NDArray[Any]:
        mask = np.zeros(shape, dtype=bool)
        for j, figure in enumerate(row):
            with _errors_of(f"{name}[{i}], {noun} {j}", points, unit), np.errstate(over="ignore"):
                if like is None:
                    fill(mask, figure * scales[i])
                else:
                    draw(mask, geometries[i], figure * scales[i], fill)
        return mask

    def masks() -> Iterator[NDArray[Any] | None]:
        for i, row in enumerate(figures):
            if row is None:
                yield None
            elif not row:
                yield row_without_marks(missing, shape, f"{name}[{i}] has no {noun}")
            else:
                yield mask_of(i, row)

    drawn = stack_rows(with_unknown_padding(masks(), geometries), len(rows), shape)
    if unit is None:  # after the errors, which say more
        warn_of_percent(points, sizes, name, stacklevel=3)
    return drawn


@contextmanager
def _errors_of(
    figure: str, points: NDArray[Any] | None = None, unit: Unit | None = None
) -> Iterator[None]:
    """Prefix errors with the figure, and add a hint at a unit in which it would lie inside."""
    try:
        yield
    except ValueError as error:
        hint = ""
        if points is not None and "outside" in str(error):
            hint = hint_at_unit(points, unit)
        raise ValueError(f"{figure}: {error}{hint}") from error


def _figures_of(row: Any, number: int, nouns: tuple[str, str]) -> list[Any]:
    """Return the figures of one image as a list; a single box may stand without one."""
    noun, name = nouns
    figures = as_sequence(row, f"{name}[{number}]", f"the {name} of one image")
    if figures and noun == "box" and all(isinstance(value, Real) for value in figures):
        return [figures]
    return figures


def _scales(targets: NDArray[Any], sizes: NDArray[Any], unit: Unit | None) -> NDArray[Any]:
    """Return per sample the factors of x and y that turn coordinates into target pixels."""
    if unit in ("share", "percent"):
        return np.stack([pixels_per_unit(unit, target) for target in targets])
    return (targets / sizes)[:, ::-1]


def _image_sizes(
    targets: NDArray[Any], image_sizes: ArrayLike | None, unit: Unit | None, n_rows: int
) -> NDArray[Any]:
    """Return per sample the height and width of the image on which its figures were drawn."""
    if unit in ("share", "percent") and image_sizes is not None:
        raise ValueError(f"image_sizes must be None with unit={unit!r}: it has no size.")
    expected = "image_sizes must be (height, width), or an array of shape (n_samples, 2)"
    sizes = as_numbers(targets if image_sizes is None else image_sizes, expected)
    if sizes.shape not in ((2,), (n_rows, 2)) or not (sizes > 0).all():
        raise ValueError(f"{expected}, greater than zero; got {shorten(image_sizes)}.")
    return np.broadcast_to(sizes, (n_rows, 2))
