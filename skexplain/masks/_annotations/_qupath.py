"""QuPath: GeoJSON, in pixels of the whole slide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ._fields import as_dict, as_float, as_items, as_points, as_text, objects, stem_of
from ._shapes import AnnotatedPicture


def matches(content: Any) -> bool:
    """Whether this is the content of such a file."""
    if isinstance(content, list):
        return bool(content) and all(_is(item, "Feature") for item in content)
    return _is(content, "FeatureCollection") or _is(content, "Feature")


def _is(content: Any, kind: str) -> bool:
    return isinstance(content, dict) and content.get("type") == kind


def read(path: Path, content: Any) -> list[AnnotatedPicture]:
    """Read the shapes of a file; its picture is the one of the same name."""
    if isinstance(content, dict):
        content = content.get("features", [content])
    picture = AnnotatedPicture(str(path), stem_of(path))
    for where, feature in objects(content, f"{path}: features"):
        properties = feature.get("properties")
        labels = _labels(properties if isinstance(properties, dict) else {}, where)
        geometry = as_dict(feature.get("geometry"), f"{where}: 'geometry'")
        plane = geometry.get("plane")
        if isinstance(plane, dict) and any(
            as_float(plane.get(axis, 0), f"{where}: plane {axis!r}") for axis in "zt"
        ):
            raise ValueError(f"{where} lies in a stack of planes; only single pictures are read.")
        kind, parts = geometry.get("type"), geometry.get("coordinates")
        if kind == "Polygon":
            _add(picture, where, labels, parts)
        elif kind == "MultiPolygon":
            for part in as_items(parts, f"{where}: 'coordinates'"):
                _add(picture, where, labels, part)
        else:
            picture.left_out[as_text(kind, f"{where}: 'type'")] += 1
    return [picture]


def _add(picture: AnnotatedPicture, where: str, labels: list[str], rings: Any) -> None:
    outline, *holes = as_items(rings, f"{where}: 'coordinates'") or [[]]
    what = f"{where}: 'coordinates'"
    picture.add_polygon(
        where, labels, as_points(outline, what), [as_points(hole, what) for hole in holes]
    )


def _labels(properties: dict, where: str) -> list[str]:
    """Return the class of an annotation, and its name."""
    names = [properties.get("name")]
    kind = properties.get("classification")
    if isinstance(kind, dict):
        names += [kind.get("name"), *(kind.get("names") or [])]
    found = [as_text(name, f"{where}: 'name'") for name in names if name not in (None, "")]
    return list(dict.fromkeys(found))
