"""Masks from the input of the ``masks`` commands: a folder, a COCO file or an array."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..masks import mask_from_coco, mask_from_folder, resize_mask
from ._files import Names, load_arrays, read_coco_images, read_names, read_npz

_KINDS = {
    "folder": "a folder of mask images",
    "coco": "a COCO file (.json)",
    "array": "an array (.npy, .npz)",
}
# Which options a kind of input knows.
_OPTIONS = {
    "folder": ("names", "missing", "suffix", "marked"),
    "coco": ("names", "missing", "categories", "unit"),
    "array": (),
}


def read_masks(arguments: Namespace) -> tuple[np.ndarray, Names]:
    """Read masks from what the arguments name.

    Returns
    -------
    mask : ndarray
    names : sequence of str or None
        Names of the samples, where they have any.
    """
    path = Path(arguments.input)
    kind = _kind_of(path)
    known = [name for name in _OPTIONS[kind] if getattr(arguments, name) is not None]
    for name in ("names", "missing", "categories", "unit", "suffix", "marked"):
        if name not in known and getattr(arguments, name) is not None:
            raise ValueError(f"--{name} does not go with {path}, {_KINDS[kind]}.")
    if arguments.resize and not arguments.size:
        raise ValueError("--resize needs --size H W, height and width of X's images.")
    size = tuple(arguments.size) if arguments.size else None
    if kind == "array":
        return _read_array(path, size, arguments.resize)
    options = {name: getattr(arguments, name) for name in known if name != "names"}
    options |= {"shape": size, "resize": arguments.resize}
    names = read_names(arguments.names) if arguments.names else None
    return _READERS[kind](path, names, options)


def _kind_of(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist.")
    if path.is_dir():
        return "folder"
    kind = {".json": "coco", ".npy": "array", ".npz": "array"}.get(path.suffix.lower())
    if kind is None:
        raise ValueError(f"{path} must be one of: {', '.join(_KINDS.values())}.")
    return kind


def read_mask_file(path: str | os.PathLike[str]) -> tuple[np.ndarray, Names]:
    """Read a mask, and the names of its samples if there are any, from an .npy or .npz file.

    In an .npz file the mask is called "mask" or is the only array.
    """
    content = load_arrays(path)
    if isinstance(content, np.ndarray):
        return content, None
    with content:
        name = content.files[0] if len(content.files) == 1 else "mask"
    found = read_npz(path, [name], ["names"])
    return found[name], found.names


def _read_array(
    path: Path, size: tuple[int, ...] | None, resize: Literal["area", "nearest"] | None
) -> tuple[np.ndarray, Names]:
    mask, names = read_mask_file(path)
    if size and mask.shape[-2:] != size:
        if resize is None:
            raise ValueError(
                f"{path} must hold masks of size {size[0]} x {size[1]} (--size), or pass --resize; "
                f"got an array of shape {mask.shape}."
            )
        mask = resize_mask(mask, size, method=resize)
    return mask, names


def _read_folder(
    path: Path, names: list[str] | None, options: dict[str, Any]
) -> tuple[np.ndarray, list[str]]:
    suffix = options.get("suffix", ".png")
    if names is None:
        files = sorted(file.name for file in path.iterdir() if file.name.endswith(suffix))
        names = [file.removesuffix(suffix) for file in files]
    if "marked" in options:
        marked = [int(text) if text.isdigit() else text for text in options["marked"]]
        options["marked"] = marked[0] if len(marked) == 1 else marked
    return mask_from_folder(path, names, **options), names


def _read_coco(
    path: Path, names: list[str] | None, options: dict[str, Any]
) -> tuple[np.ndarray, list[str]]:
    if names is None:
        images, names = read_coco_images(path)
    else:
        images = names
    return mask_from_coco(path, images, **options), names


_READERS = {"folder": _read_folder, "coco": _read_coco}
