"""Pictures, in a folder for each class or as arrays: boxes, outlines and strokes are marked."""

from __future__ import annotations

import dataclasses
import io
import os
import tempfile
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._checks import check_path
from .._typing import MaskLike
from ..datasets import load_images
from ..estimators import MaskPropagator
from ..inspection import query_explanations, saliency, suggest_masks
from ..masks import ImageGeometry, interpret_mask, read_annotations, write_annotations
from ..training._pretrained import PretrainedNetwork, has_pretrained_weights
from ._data import Data, Found, ItemMasks, Mask, Options, in_shares
from ._files import read_arrays, whole_file
from ._scripts import ARRAYS, PICTURES

# File of the pictures, on their grid.
STORED = "pictures.npy"
# How many pictures are proposed to be marked next.
N_NEXT = 12

# Of a network with pretrained weights the last layer alone is trained, in fewer epochs; on smaller
# pictures its weights are worth little.
_MIN_PRETRAINED = 64
_PRETRAINED_EPOCHS = 15
_PRETRAINED = {"backbone_lr": 0, "lr": 3e-3, "lr_schedule": "cosine", "batch_size": 32}


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
        self.X = np.load(folder / STORED, mmap_mode="r")
        self.geometry = [_geometry(record) for record in settings["geometry"]]
        if not len(self.X) == len(self.y) == len(self.names) == len(self.held_out):
            raise ValueError("its pictures, names and labels differ in number")

    @staticmethod
    def store(folder: Path, source: Path, options: Options) -> dict[str, Any]:
        """Read a folder of pictures, or arrays."""
        if source.suffix.lower() == ".npz" and source.is_file():
            return _store_arrays(folder, source, options.network)
        bunch = load_images(
            source,
            options.size,
            fit=options.fit,
            memmap=folder / STORED,
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
            **_network(options.network, bunch.data),
        }

    def may_be(self, source: Path) -> bool:
        """Return whether a folder has all pictures of the project, or a file their name."""
        if self.settings["fit"] is None:
            return super().may_be(source)
        return all((source / name).is_file() for name in self.names)

    @property
    def network(self) -> str:
        """Which network is trained."""
        if self.settings.get("network") == "pretrained":
            return "a new last layer of a network with pretrained weights (EfficientNet-Lite0)"
        return "a small network, from scratch"

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

    def given_masks(self) -> dict[int, Mask]:
        """Return the masks that lie beside the pictures."""
        source = Path(self.settings["source"])
        if self.settings["fit"] is not None or (mask := read_pictures(source).mask) is None:
            return {}
        given = enumerate(marks_of(mask, self.X))
        return {number: marks for number, marks in given if marks is not None}

    def training(self) -> dict[str, Any]:
        """Return the parameters of estimators beside epochs and seed."""
        if self.settings.get("network") != "pretrained":
            return {}
        return {"module": PretrainedNetwork, **_PRETRAINED}

    def estimator(self, with_marks: bool, **params: Any) -> Any:
        """Return an estimator with the network of the project."""
        return super().estimator(with_marks, **self.training(), **params)

    def looks_at(self, clf: Any, number: int) -> NDArray[np.float64]:
        """Return saliency, summed over the channels."""
        return in_shares(np.abs(saliency(clf, self.X[number : number + 1])[0]).sum(axis=0))

    def suggest(self, clf: Any, seed: int) -> list[Found]:
        """Search for places and things."""
        return [
            Found.of(
                one,
                "A thing" if one.moves else "A place",
                {int(row): one.mask_of(row) for row in one.rows},
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
        # Degrees, of which those near a half say where a guess may be wrong.
        propagator.set_params(threshold=None)
        degrees = np.asarray(propagator.fill(X, list(masks))).reshape(len(X), *self.shape)
        doubts = np.minimum(degrees, 1 - degrees).sum(axis=(1, 2))
        guessed = {
            row: degrees[row] > 0.5
            for row in np.argsort(-doubts, kind="stable").tolist()
            if masks[row] is None
        }
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
        params = _PRETRAINED if self.training() else {}
        script = (ARRAYS if settings["fit"] is None else PICTURES).format(
            pictures=settings["source"],
            size=self.shape,
            fit=settings["fit"],
            held_out=settings["share_held_out"],
            seed=settings["random_state"],
            max_epochs=settings["max_epochs"],
            imports="from skexplain.training import PretrainedNetwork\n" if params else "",
            network="PretrainedNetwork, " if params else "",
            params="".join(f"{name}={value!r}, " for name, value in params.items()),
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


class Pixels(NamedTuple):
    """Pictures as arrays: X of shape (n_samples, n_channels, h, w), y, and a mask or None."""

    X: NDArray[Any]
    y: NDArray[np.str_]
    mask: MaskLike | None


def read_pictures(path: str | os.PathLike[str]) -> Pixels:
    """Read pictures from an .npz file.

    Parameters
    ----------
    path : path-like
        A file with ``X``, of shape (n_samples, n_channels, h, w), (n_samples, h, w, n_channels) or
        (n_samples, h, w), ``y``, and where there are masks already ``mask``, as in ``fit``.  Of one
        axis of 1 or 3 the channels are on that.

    Returns
    -------
    X : ndarray of shape (n_samples, n_channels, h, w)
        The pictures, of the type that they have in the file.
    y : ndarray of str of shape (n_samples,)
        The classes.
    mask : ndarray or None
        The masks.

    Raises
    ------
    ValueError
        If the file does not hold these arrays, X has other values than finite numbers, or y has
        none.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skexplain.studio import read_pictures
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "pictures.npz")
    ...     np.savez(path, X=np.zeros((4, 8, 8, 3), dtype=np.uint8), y=["a", "b", "a", "b"])
    ...     X, y, mask = read_pictures(path)
    >>> X.shape, mask is None
    ((4, 3, 8, 8), True)
    """
    arrays = read_arrays(check_path("path", path))
    if not {"X", "y"} <= set(arrays):
        raise ValueError(f"{path} must hold arrays X and y; got {sorted(arrays)}.")
    X, y, mask = arrays["X"], arrays["y"], arrays.get("mask")
    if X.ndim not in (3, 4) or not X.size or y.shape != X.shape[:1]:
        raise ValueError(
            f"{path} must hold X of shape (n_samples, n_channels, h, w) or (n_samples, h, w), and "
            f"y of shape (n_samples,); got {X.shape} and {y.shape}."
        )
    if X.dtype.kind not in "buif" or (X.dtype.kind == "f" and not np.isfinite(X).all()):
        raise ValueError(f"{path} must hold finite numbers in X; got values of type {X.dtype}.")
    if y.dtype.kind == "f" and np.isnan(y).any():
        raise ValueError(f"{path} must hold a class of each picture in y; got NaN.")
    if X.ndim == 3:
        X = X[:, None]
    elif X.shape[1] not in (1, 3) and X.shape[3] in (1, 3):
        X = np.moveaxis(X, 3, 1)
        mask = np.moveaxis(mask, 3, 1) if mask is not None and mask.ndim == 4 else mask
    return Pixels(np.ascontiguousarray(X), y.astype(str), mask)


def marks_of(mask: MaskLike | None, X: NDArray[Any]) -> list[Mask | None]:
    """Return what is marked in each picture, None where one is not annotated.

    Parameters
    ----------
    mask : array-like, list of (array-like or None) or None
        As in ``fit``; a mark is what is more than 0.5 in any channel.
    X : ndarray of shape (n_samples, n_channels, h, w) or (n_samples, h, w)
        The pictures.

    Returns
    -------
    list of (ndarray of bool of shape (h, w) or None)
    """
    marks: list[Mask | None] = [None] * len(X)
    given = interpret_mask(mask, X.shape)
    if given is None:
        return marks
    for number in np.flatnonzero(given.annotated).tolist():
        degrees = given.degrees_of(np.array([number]))[0].numpy() > 0.5
        spread = np.broadcast_to(degrees[0], X.shape[1:])
        marks[number] = np.asarray(spread.reshape(-1, *X.shape[-2:]).any(axis=0))
    return marks


def _store_arrays(folder: Path, source: Path, network: str | None) -> dict[str, Any]:
    """Store the pictures of a file of arrays."""
    X, y, _ = read_pictures(source)
    with whole_file(folder / STORED) as beside:
        np.save(beside, X)
    shape = (X.shape[2], X.shape[3])
    whole = dataclasses.asdict(ImageGeometry.fitted(shape, shape, "resize"))
    return {
        "fit": None,  # the pictures are on their grid
        "names": [f"{number:06}" for number in range(len(X))],
        "labels": y.tolist(),
        "geometry": [whole] * len(X),
        "skipped": {},
        **_network(network, X),
    }


def _network(network: str | None, X: NDArray[Any]) -> dict[str, Any]:
    """Return which network is trained, by its name, and how long."""
    of_colour = X.dtype == np.uint8 and X.shape[1] == 3
    fits = of_colour and min(X.shape[2:]) >= _MIN_PRETRAINED
    if network == "pretrained" and not fits:
        raise ValueError(
            "network='pretrained' takes pictures with three channels of uint8 and at least "
            f"{_MIN_PRETRAINED} pixels a side; got {X.dtype} of shape {X.shape}."
        )
    if network == "pretrained" and not has_pretrained_weights():
        PretrainedNetwork(2)  # raises an error that names what is missing
    if network is None:
        network = "pretrained" if fits and has_pretrained_weights() else "small"
    return {"network": network} | ({"epochs": _PRETRAINED_EPOCHS} if network != "small" else {})
