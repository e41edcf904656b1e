"""The regions of a COCO file, one by one: read, and drawn as pycocotools draws them."""

from numbers import Real
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ._figures import check_reach, turn
from ._rasterise import fill_box_as_coco, fill_polygon_as_coco
from ._rows import as_numbers, shorten
from ._run_lengths import decode_rle
from ._units import Unit, check_reach_in_unit, pixels_per_unit

Regions: TypeAlias = Literal["segmentation", "bbox"]


def points_of(record: dict[str, Any], regions: Regions) -> NDArray[Any] | None:
    """Return all coordinates of an annotation, shape (k, 2); None where it has none."""
    try:
        outlines = outlines_of(record, regions)
    except ValueError:  # raised where it is drawn
        return None
    return np.concatenate(outlines) if outlines else None


def draw_region(
    mask: NDArray[Any], record: dict[str, Any], regions: Regions, unit: Unit | None
) -> None:
    """Mark an annotation's region."""
    outlines = outlines_of(record, regions)
    if outlines is None:
        region = decode_rle(record["segmentation"])
        if region.shape != mask.shape:
            raise ValueError(
                f'"size" of the run lengths is {region.shape}, that of the image {mask.shape}.'
            )
        mask |= region
        return
    pixels = pixels_per_unit(unit, mask.shape)
    for points in outlines:
        check_reach_in_unit(points, unit)
        _fill(mask, points * pixels, _rotation(record) if len(points) == 2 else 0)


def outlines_of(record: dict[str, Any], regions: Regions) -> list[NDArray[Any]] | None:
    """Return the polygons of an annotation, a box as its two corners; None for run lengths."""
    segmentation = record.get("segmentation")
    has_segmentation = segmentation is not None and segmentation != []
    if regions == "bbox" or not has_segmentation:
        return [_read_box(record.get("bbox"))]
    return None if isinstance(segmentation, dict) else _read_polygons(segmentation)


def _read_box(box: Any) -> NDArray[Any]:
    expected = '"bbox" must be [x, y, width, height]'
    numbers = as_numbers(box, expected)
    if numbers.shape != (4,) or not (numbers[2:] >= 0).all():
        raise ValueError(f"{expected}; got {shorten(box)}.")
    start = numbers[:2]
    return np.array([start, start + numbers[2:]])


def _rotation(record: dict[str, Any]) -> float:
    """Return by how many degrees a box is turned clockwise about its centre, as CVAT writes it."""
    attributes = record.get("attributes")
    angle = attributes.get("rotation", 0) if isinstance(attributes, dict) else 0
    is_number = isinstance(angle, Real) and not isinstance(angle, bool)
    if not is_number or not np.isfinite(angle):
        raise ValueError(f'"rotation" must be a number of degrees; got {shorten(angle)}.')
    return angle


def _read_polygons(polygons: Any) -> list[NDArray[Any]]:
    expected = (
        '"segmentation" must be run lengths or a list of polygons [x0, y0, x1, y1, x2, y2, ...]'
    )
    if not isinstance(polygons, list):
        raise ValueError(f"{expected}; got {shorten(polygons)}.")
    outlines = []
    for polygon in polygons:
        numbers = as_numbers(polygon, expected)
        if numbers.ndim != 1 or len(numbers) < 6 or len(numbers) % 2:
            raise ValueError(f"{expected}; got {shorten(polygon)}.")
        outlines.append(numbers.reshape(-1, 2))
    return outlines


def _fill(mask: NDArray[Any], points: NDArray[Any], angle: float) -> None:
    """Mark a polygon, or a box given by its corners, in pixels of the mask."""
    check_reach(points)
    is_box = len(points) == 2
    if is_box and angle % 180 != 0:
        (x0, y0), (x1, y1) = points
        corners = np.array([[x0, y0], [x0, y1], [x1, y1], [x1, y0]])
        points, is_box = turn(corners, points.mean(axis=0), angle), False
    low, high = points.min(axis=0), points.max(axis=0)
    size = np.array(mask.shape[::-1])
    # What has no width may lie on the edge of the image.
    flat = low == high
    if (np.where(flat, high < 0, high <= 0) | np.where(flat, low > size, low >= size)).any():
        raise ValueError(
            f"reaches from x, y = {low.tolist()} to {high.tolist()} and lies outside the image of "
            f"{size[1]} x {size[0]} (height x width)."
        )
    if is_box:
        fill_box_as_coco(mask, low, high)
    elif not fill_polygon_as_coco(mask, points):
        inside = ((points >= 0) & (points <= size)).all(axis=1)
        if not inside.any():
            raise ValueError(f"lies outside the image of {size[1]} x {size[0]} (height x width).")
