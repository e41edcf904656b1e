"""Arrays, tables, models and lists of names, from files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import joblib
import numpy as np
from sklearn.utils import Bunch

from ..persistence import load
from ..persistence._container import is_model_file

if TYPE_CHECKING:
    import pandas as pd
    from numpy.lib.npyio import NpzFile

PathLike: TypeAlias = str | os.PathLike[str]
# Names of samples, where they have any.
Names: TypeAlias = Sequence[str] | np.ndarray | None

# What the arrays of an .npz file may be called: as scikit-learn's arguments, or as its data sets.
_NAMES = {"X": ("X", "data"), "y": ("y", "target")}


def load_model(path: PathLike, allow_pickle: bool = False) -> Any:
    """Load an estimator from a model file, which runs no code, or from a pickle, which does.

    Parameters
    ----------
    path : str or path-like
    allow_pickle : bool, default=False
        Whether the file may be one of joblib or pickle, whose code is then run.

    Returns
    -------
    estimator
    """
    if is_model_file(path):
        return load(path)
    if not allow_pickle:
        raise ValueError(
            f"{path} is no file of skexplain.save. To load a file of joblib or pickle runs code "
            f"that is in it: pass --allow-pickle for files of your own."
        )
    try:
        return joblib.load(path)
    except (ImportError, OSError):  # these say what is missing
        raise
    except Exception as error:  # a broken file makes pickle raise nearly anything
        raise ValueError(
            f"{path} must be an estimator saved by joblib.dump or pickle: {_text(error)}"
        ) from error


def read_npz(path: PathLike, required: Sequence[str] = (), optional: Sequence[str] = ()) -> Bunch:
    """Read arrays from an .npz file.

    Parameters
    ----------
    path : str or path-like
    required, optional : sequence of str
        Names; X and y are found as data and target, too.

    Returns
    -------
    Bunch of str to ndarray or None
        None for an optional array that is not there.
    """
    content = load_arrays(path)
    if not isinstance(content, np.lib.npyio.NpzFile):
        raise ValueError(f"{path} must be an .npz file, as numpy.savez writes; it is an .npy file.")
    with content:
        found = Bunch()
        for name in (*required, *optional):
            names = _NAMES.get(name, (name,))
            key = next((key for key in names if key in content.files), None)
            if key is None and name in required:
                raise ValueError(
                    f"{path} must hold an array {' or '.join(map(repr, names))}; it holds "
                    f"{content.files}."
                )
            found[name] = None if key is None else _read_array(content, key, path)
        return found


def load_arrays(path: PathLike) -> np.ndarray | NpzFile:
    """Open an .npy or .npz file; pickled objects, which could run code, raise an error."""
    try:
        return np.load(path, allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # of numpy, zipfile or zlib
        raise ValueError(
            f"{path} must be a file that numpy.save or numpy.savez wrote, without objects: "
            f"{_text(error)}"
        ) from error


def _read_array(content: NpzFile, key: str, path: PathLike) -> np.ndarray:
    try:
        return content[key]
    except Exception as error:
        raise ValueError(
            f"{path}: array {key!r} must hold numbers or text, not objects, and be intact: "
            f"{_text(error)} Labels of a DataFrame are stored as y.to_numpy(dtype=str)."
        ) from error


def read_table(
    path: PathLike, target: str, groups: str | None, columns: Sequence[str] | None
) -> Bunch:
    """Read a CSV file.

    Parameters
    ----------
    path : str or path-like
    target : str
        Column of the labels.
    groups : str or None
        Column of the groups.
    columns : sequence of str or None
        Columns that a model was fitted on, by name; None: all other columns, without names.

    Returns
    -------
    Bunch
        With X, y, groups and feature_names.
    """
    frame = _read_csv(path)
    wanted = [name for name in (target, groups) if name is not None]
    needed = wanted if columns is None else [*wanted, *columns]
    missing = [str(name) for name in needed if name not in frame.columns]
    if missing:
        raise ValueError(f"{path} must have the columns {missing}; it has {list(frame.columns)}.")
    X = frame.drop(columns=wanted) if columns is None else frame[list(columns)]
    return Bunch(
        # A model that was fitted without names wants none now.
        X=X.to_numpy() if columns is None else X,
        y=frame[target].to_numpy(),
        groups=None if groups is None else frame[groups].to_numpy(),
        feature_names=list(X.columns),
        mask=None,
    )


def _read_csv(path: PathLike) -> pd.DataFrame:
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError(f"{path}: tables need pandas: pip install pandas") from error
    try:
        return pd.read_csv(path)
    except ValueError as error:
        raise ValueError(f"{path} must be a CSV table with a line of names: {error}") from error


def read_names(path: PathLike) -> list[str]:
    """Read a text file with a name on each line."""
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8: {error}") from error
    names = [line.strip() for line in lines]
    if not all(names):
        # Left out, it would move all samples below.
        raise ValueError(
            f"{path} must have a name on each line; line {names.index('') + 1} is blank."
        )
    return names


def read_coco_images(path: PathLike) -> tuple[list[Any], list[str]]:
    """Read ids and names of the images of a COCO file, in its order."""
    expected = f'{path} must be a COCO file: JSON with a list "images" of records with an "id"'
    try:
        records = json.loads(Path(path).read_text(encoding="utf-8-sig"))["images"]
        ids = [record["id"] for record in records]
        return ids, [record.get("file_name", str(record["id"])) for record in records]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"{expected}: {_text(error)}") from error


def write_masks(path: PathLike, mask: np.ndarray, names: Names) -> None:
    """Write masks, and the names of their samples unless they are None."""
    arrays = {"mask": mask}
    if names is not None:
        arrays["names"] = np.array(names, dtype=str)
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]


def _text(error: BaseException) -> str:
    """Return an error as text; some say nothing without their name, such as KeyError('a')."""
    return f"{type(error).__name__}: {error}"
