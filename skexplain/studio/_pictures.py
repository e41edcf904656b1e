"""Pictures in folders, one for each class: boxes, outlines and strokes are marked."""

from __future__ import annotations

import dataclasses
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..datasets import load_images
from ..estimators import MaskPropagator
from ..inspection import query_explanations, saliency, suggest_masks
from ..masks import ImageGeometry, read_annotations, write_annotations
from ._data import Data, Found, ItemMasks, Mask, Options, in_shares
from ._scripts import PICTURES

_PICTURES = "pictures.npy"
# How many pictures are proposed to be marked next.
N_NEXT = 12


class Pictures(Data):
    """Pictures on one grid, and a mask of its pixels for each."""

    kind = "pictures"
    items = samples = "pictures"
    suffix = ".png"
    exports = ("coco", "label_studio")
    control = "labels and marks of other pictures"
    unmarked = (
        "Mark something in pictures of the training first; held-out pictures, which have a dashed "
        "frame, do not count."
    )

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        super().__init__(folder, settings)
        self.X = np.load(folder / _PICTURES, mmap_mode="r")
        self.geometry = [_geometry(record) for record in settings["geometry"]]
        if not len(self.X) == len(self.y) == len(self.names) == len(self.held_out):
            raise ValueError("its pictures, names and labels differ in number")

    @staticmethod
    def store(folder: Path, source: Path, options: Options) -> dict[str, Any]:
        """Read a folder of pictures."""
        bunch = load_images(
            source,
            options.size,
            fit=options.fit,
            memmap=folder / _PICTURES,
            errors="warn",
            verbose=options.verbose,
        )
        if bunch.target_names is None or len(bunch.target_names) < 2:
            raise ValueError(f"{source} must hold at least two folders of pictures, the classes.")
        return {
            "fit": options.fit,
            "names": bunch.filenames.tolist(),
            "labels": bunch.target_names[bunch.target].tolist(),
            "geometry": [dataclasses.asdict(geometry) for geometry in bunch.geometry],
            "skipped": {str(name): str(why) for name, why in bunch.skipped.items()},
        }

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the pictures in X, and of masks."""
        return int(self.X.shape[-2]), int(self.X.shape[-1])

    def shape_of(self, number: int) -> tuple[int, ...]:
        """Return height and width."""
        return self.shape

    def write_mask(self, path: Path, number: int, mask: Mask) -> None:
        """Write a PNG file, white where it must not matter."""
        _image_of(mask).save(path)

    def read_mask(self, path: Path, number: int) -> Mask:
        """Read a PNG file."""
        from PIL import Image

        with Image.open(path) as image:
            return np.asarray(image.convert("L")) > 127

    def masks_of(self, numbers: NDArray[np.intp], masks: ItemMasks) -> Any:
        """Return a mask or None for each picture."""
        return [masks[number] for number in numbers]

    def n_marked(self, numbers: NDArray[np.intp], masks: ItemMasks) -> int:
        """Return how many pictures have marks."""
        return sum(mask is not None and bool(mask.any()) for mask in self.masks_of(numbers, masks))

    def n_annotated(self, numbers: NDArray[np.intp], masks: ItemMasks) -> int:
        """Return how many pictures have a mask."""
        return sum(mask is not None for mask in self.masks_of(numbers, masks))

    def shuffled(self, masks: ItemMasks, seed: int) -> ItemMasks:
        """Return the masks of the training, those of annotated pictures in another order."""
        rows = [
            number
            for number, mask in enumerate(masks)
            if mask is not None and not self.held_out[number]
        ]
        shuffled = list(masks)
        for row, other in zip(rows, np.random.default_rng(seed).permutation(rows), strict=True):
            shuffled[row] = masks[other]
        return shuffled

    def looks_at(self, clf: Any, number: int) -> NDArray[np.float64]:
        """Return saliency, summed over the channels."""
        return in_shares(np.abs(saliency(clf, self.X[number : number + 1])[0]).sum(axis=0))

    def suggest(self, clf: Any, seed: int) -> list[Found]:
        """Search for places and things."""
        return [
            Found(
                "A thing" if one.moves else "A place",
                {int(row): one.mask_of(row) for row in one.rows},
                one.p_value,
                one.flip_rate,
                one.predictive_power,
            )
            for one in suggest_masks(clf, np.asarray(self.X), random_state=seed)
        ]

    def next_items(self, clf: Any, masks: ItemMasks, seed: int) -> list[int]:
        """Return pictures without a mask, typical of how the model looks at them."""
        n_open = sum(mask is None for mask in masks)
        if not n_open:
            return []
        X, n = np.asarray(self.X), min(N_NEXT, n_open)
        return query_explanations(clf, X, n, mask=list(masks), random_state=seed).tolist()

    def propagate(self, masks: ItemMasks, seed: int) -> tuple[dict[int, Mask], float | None]:
        """Learn what is marked, and find it in the other pictures."""
        X = np.asarray(self.X)
        propagator = MaskPropagator(random_state=seed).fit(X, list(masks))
        filled = np.asarray(propagator.fill(X, list(masks))).reshape(len(X), *self.shape) > 0.5
        guessed = {row: filled[row] for row, mask in enumerate(masks) if mask is None}
        return guessed, float(propagator.iou_)

    def read_marks(self, path: Path) -> dict[int, Mask]:
        """Read what an annotation tool exported."""
        read = read_annotations(path, like=self.geometry, images=self.names)
        unknown = np.isnan(read).all(axis=(1, 2)) if read.dtype.kind == "f" else [False] * len(read)
        return {row: read[row] > 0.5 for row in np.flatnonzero(np.logical_not(unknown)).tolist()}

    def export(self, what: str, masks: ItemMasks) -> tuple[str, bytes]:
        """Return the masks for an annotation tool."""
        unknown = np.full(self.shape, np.nan, dtype=np.float32)
        stacked = [unknown if mask is None else mask.astype(np.float32) for mask in masks]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "annotations.json")
            write_annotations(
                path,
                np.stack(stacked),
                like=self.geometry,
                label="must not matter",
                format=what,
                images=self.names,
            )
            return "application/json", path.read_bytes()

    def write_script(self, archive: zipfile.ZipFile, masks: ItemMasks) -> None:
        """Add the script, and a PNG file for each mask; it reads the pictures where they are."""
        settings = self.settings
        script = PICTURES.format(
            pictures=settings["source"],
            size=self.shape,
            fit=settings["fit"],
            held_out=settings["share_held_out"],
            seed=settings["random_state"],
            max_epochs=settings["max_epochs"],
        )
        archive.writestr("repeat.py", script)
        for name, mask in zip(self.names, masks, strict=True):
            if mask is not None:
                file = io.BytesIO()
                _image_of(mask).save(file, "png")
                archive.writestr(f"masks/{name}.png", file.getvalue())


def _image_of(mask: Mask) -> Any:
    from PIL import Image

    return Image.fromarray(np.where(mask, 255, 0).astype(np.uint8))


def _geometry(record: dict[str, Any]) -> ImageGeometry:
    """Return a geometry from JSON, which has no tuples."""
    fields: dict[str, Any] = {
        key: tuple(v) if isinstance(v, list) else v for key, v in record.items()
    }
    return ImageGeometry(**fields)
