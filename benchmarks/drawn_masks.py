"""What it costs to draw masks of long outlines and of many boxes."""

import statistics

import numpy as np
from _benchmark import Benchmark, Column
from _memory_use import PeakMemory
from _timing import take_turns

from skexplain.masks import mask_from_boxes, mask_from_coco, mask_from_polygons

_SIZE, _N_VERTICES = 4096, 40_000
_BOX_SIZE, _N_BOXES = 1024, 10_000

# Seconds of a call, and MB that it may take at its peak.
_SECONDS, _MEGABYTES = 2.0, 200


def measure(options):
    shrink = 40 if options.quick else 1
    size, n_vertices = _SIZE // shrink, _N_VERTICES // shrink
    for outline, vertices in _outlines(n_vertices, size).items():
        calls = {
            "mask_from_polygons": lambda v=vertices: mask_from_polygons([[v]], (size, size)),
            "mask_from_coco": lambda v=vertices: _from_coco(
                size, segmentation=[v.ravel().tolist()]
            ),
        }
        yield from _rows(outline, n_vertices, size, calls, options)
    box_size, n_boxes = _BOX_SIZE // shrink, _N_BOXES // shrink
    boxes = _boxes(n_boxes, box_size)
    calls = {
        "mask_from_boxes": lambda: mask_from_boxes(
            [boxes], (box_size, box_size), box_format="xywh", unit="pixel"
        ),
        "mask_from_coco": lambda: _from_coco(box_size, bbox=boxes),
    }
    yield from _rows("boxes", n_boxes, box_size, calls, options)


def _outlines(n_vertices, size):
    """A line from anywhere to anywhere, which crosses most of the image; and one round a blob."""
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, n_vertices, endpoint=False)
    radius = 0.45 * size * (1 + 0.02 * rng.normal(size=n_vertices))
    round_it = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return {
        "random vertices": rng.uniform(0, size, size=(n_vertices, 2)),
        "ragged blob": np.clip(size / 2 + round_it, 0, size),
    }


def _boxes(n_boxes, size):
    rng = np.random.default_rng(0)
    start = rng.uniform(0, 0.9 * size, size=(n_boxes, 2))
    return np.hstack([start, rng.uniform(0.5, 0.1 * size, size=(n_boxes, 2))]).tolist()


def _from_coco(size, bbox=None, **region):
    """Read one image with one outline, or many boxes."""
    regions = [region] if bbox is None else [{"bbox": box} for box in bbox]
    file = {
        "images": [{"id": 1, "file_name": "1.png", "height": size, "width": size}],
        "annotations": [{"id": i, "image_id": 1, **each} for i, each in enumerate(regions)],
    }
    return mask_from_coco(file, [1], unit="pixel")


def _rows(figure, number, size, calls, options):
    times = take_turns(calls, options)
    for name, call in calls.items():
        with PeakMemory() as memory:
            call()
        yield {
            "figure": figure,
            "number": number,
            "size": size,
            "function": name,
            "seconds": statistics.median(times[name]),
            "memory": memory.megabytes,
            "memory_goal": _MEGABYTES,
            "goal": _SECONDS,
        }


BENCHMARK = Benchmark(
    title="Drawn masks",
    text=(
        "Median seconds of a call that draws one outline of many vertices, or many boxes, into the "
        "mask of one image, and by how many MB private memory rises, the mask itself among them. "
        "Random vertices are the worst that a file can ask for: each edge crosses a third of the "
        "image's rows."
    ),
    columns=(
        Column("figure", "figure"),
        Column("number", "vertices or boxes", ",d"),
        Column("size", "pixels a side", ",d"),
        Column("function", "function"),
        Column("seconds", "seconds", ".2f"),
        Column("memory", "MB", ".0f"),
        Column("memory_goal", "MB at most", "d"),
    ),
    judged="seconds",
    measure=measure,
)
