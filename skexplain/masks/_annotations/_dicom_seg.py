"""DICOM SEG: segments of single pictures, each beside the picture that it refers to."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._rows import MAX_PIXELS
from ._fields import as_size, stem_of
from ._shapes import AnnotatedPicture


def import_pydicom(path: Path) -> Any:
    """Import pydicom, or say which extra brings it."""
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(
            f'{path} is a DICOM file, which needs pydicom; the extra "formats" brings it: '
            'pip install "skexplain[formats]"'
        ) from error
    return pydicom


def load(path: Path) -> Any:
    """Read a file, but not its pixels."""
    pydicom = import_pydicom(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that the standard does not allow
            return pydicom.dcmread(path)
    except Exception as error:  # a broken file makes pydicom raise nearly anything
        raise ValueError(f"{path} is not a DICOM file: {error}") from error


def matches(file: Any) -> bool:
    """Whether this is a segmentation."""
    return file.get("Modality") == "SEG"


def read(path: Path, file: Any) -> list[AnnotatedPicture]:
    """Read the pictures of a file, by the identifiers of the pictures that its frames refer to."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _read(path, file)
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(f"{path} is not a DICOM segmentation: {error}") from error


def _read(path: Path, file: Any) -> list[AnnotatedPicture]:
    n_frames = int(file.get("NumberOfFrames") or 1)
    size = as_size(int(file.Rows), int(file.Columns), str(path))
    if not 0 < n_frames <= MAX_PIXELS // (size[0] * size[1]):
        raise ValueError(f"{path} has {n_frames} frames of {size[0]} x {size[1]} pixels.")
    names = {
        int(segment.SegmentNumber): str(segment.get("SegmentLabel") or segment.SegmentNumber)
        for segment in file.SegmentSequence
    }
    pictures: dict[str | None, AnnotatedPicture] = {}
    segments = []
    for number, frame in enumerate(file.PerFrameFunctionalGroupsSequence):
        where = f"{path}: frame {number + 1}"
        uid = _source(frame, file, where)
        segment = int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
        segments.append((uid, segment))
        if uid not in pictures:
            # Files are often called by their identifiers.
            pictures[uid] = AnnotatedPicture(where, uid or stem_of(path), uid, size)
        pictures[uid].add_raster(
            where, [names.get(segment, str(segment))], partial(_pixels, path, file, number)
        )
    if len(set(segments)) < len(segments) or (None in pictures and len(pictures) > 1):
        raise ValueError(
            f"{path} is the segmentation of a volume: its frames do not refer to single pictures."
        )
    return list(pictures.values())


def _source(frame: Any, file: Any, where: str) -> str | None:
    """Return the identifier of the picture that a frame refers to, None where it has none."""
    found = {
        str(image.ReferencedSOPInstanceUID)
        for derivation in frame.get("DerivationImageSequence") or ()
        for image in derivation.get("SourceImageSequence") or ()
        if _is_single(image, where)
    }
    if len(found) > 1:
        raise ValueError(f"{where} was made of {len(found)} pictures; only single ones are read.")
    return next(iter(found), None)


def _is_single(image: Any, where: str) -> bool:
    if image.get("ReferencedFrameNumber") is not None:
        raise ValueError(f"{where} refers to a frame of a volume or video; only pictures are read.")
    return True


def _pixels(path: Path, file: Any, number: int) -> NDArray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = _frame(file, number)
        if file.get("SegmentationType") != "FRACTIONAL":
            return frame != 0
        return (frame / np.float32(file.MaximumFractionalValue)).astype(np.float32).clip(0, 1)
    except Exception as error:
        raise ValueError(f"{path}: the pixels of frame {number + 1}: {error}") from error


def _frame(file: Any, number: int) -> NDArray:
    """Return one frame, so that the others need not be unpacked."""
    from pydicom.pixels import pixel_array

    if file.BitsAllocated != 1 or file.file_meta.TransferSyntaxUID.is_compressed:
        return pixel_array(file, index=number)
    # A frame may begin within a byte.
    start = number * file.Rows * file.Columns
    stop = start + file.Rows * file.Columns
    data = np.frombuffer(file.PixelData[start // 8 : (stop + 7) // 8], dtype=np.uint8)
    bits = np.unpackbits(data, bitorder="little")[start % 8 :]
    return bits[: stop - start].reshape(file.Rows, file.Columns)
