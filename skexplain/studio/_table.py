"""Tables with a column of classes: columns are marked, for all rows at once."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ..inspection import saliency, suggest_masks
from ..metrics import nuisance_flip_rate
from ._data import Data, Found, ItemMasks, Mask, Options
from ._files import read_arrays, whole_file
from ._records import LABELS, choose_column, read_header
from ._scripts import TABLE

if TYPE_CHECKING:
    import pandas as pd

# Of a column of words the most frequent are columns of their own for the models.
_MAX_CATEGORIES = 30


class Table(Data):
    """Rows of a table, and a mask of one value for each column."""

    kind = "table"
    items, samples = "columns", "rows"
    suffix = ".json"
    exports = ("columns",)
    adds = True
    control = "labels and other columns, drawn at random"
    unmarked = "Mark a column first."
    epochs, lr = 60, 0.01
    propagates = False

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        super().__init__(folder, settings)
        self.file = folder / settings["file"]
        self.frame, y = read_table(self.file, label=settings["label"])
        if y.tolist() != self.y.tolist() or list(self.frame.columns) != self.names:
            raise ValueError(f"{self.file} is not the table that the project was made of")
        train = self.frame.iloc[np.flatnonzero(~self.held_out)]
        self.encode = encode_columns(self.frame).fit(train)
        self.X = self.encode.transform(self.frame).astype(np.float32)
        # The columns that models are given, by the column of the table they are made of.
        self.parts = [self.encode.output_indices_[str(i)] for i in range(len(self.names))]

    @staticmethod
    def store(folder: Path, source: Path, options: Options) -> dict[str, Any]:
        """Copy the file, and read it."""
        name = f"table{source.suffix.lower()}"
        with whole_file(folder / name) as beside:
            shutil.copyfile(source, beside)
        frame, classes, label = _read(source, options.label)
        there = classes.notna().to_numpy()
        return {
            "file": name,
            "label": label,
            "names": list(frame.columns),
            "labels": classes[there].astype(str).tolist(),
            "skipped": {f"row {row + 1}": "no label" for row in np.flatnonzero(~there).tolist()},
        }

    def shape_of(self, number: int) -> tuple[int, ...]:
        """Return the shape of one value."""
        return (1,)

    def write_mask(self, path: Path, number: int, mask: Mask) -> None:
        """Write whether the column must not matter."""
        path.write_text(json.dumps(bool(mask[0])), encoding="utf-8")

    def read_mask(self, path: Path, number: int) -> Mask:
        """Read what was written."""
        return np.array([json.loads(path.read_text(encoding="utf-8"))], dtype=bool)

    def about(self, number: int) -> dict[str, Any]:
        """Return what is in the column; no column is held out."""
        column = self.frame.iloc[:, number]
        if column.isna().all():
            about = "no values"
        elif _has_numbers(column):
            about = f"numbers, {column.min():g} to {column.max():g}"
        else:
            about = f"{column.nunique()} different values"
        return {"label": about, "held_out": False}

    def content(self, number: int) -> dict[str, Any]:
        """Return what the values are in each class."""
        column = self.frame.iloc[:, number]
        classes = []
        for label in np.unique(self.y):
            values = column[self.y == label]
            missing, facts = float(values.isna().mean()), []
            if _has_numbers(column) and missing < 1:
                low, middle, high = values.quantile([0.1, 0.5, 0.9])
                facts.append(f"80 % from {low:.4g} to {high:.4g}, half below {middle:.4g}")
            elif missing < 1:
                top = values.value_counts(normalize=True).head(4)
                facts.append(", ".join(f"{value} ({share:.0%})" for value, share in top.items()))
            if missing:
                facts.append(f"{missing:.0%} missing")
            classes.append([str(label), "; ".join(facts)])
        return {"classes": classes}

    # -- what is learnt -------------------------------------------------------------------------

    def _spread(self, masks: ItemMasks) -> NDArray[np.float32]:
        """Return one mask for all rows, NaN where it is not decided."""
        spread = np.full((1, self.X.shape[1]), np.nan, dtype=np.float32)
        for part, mask in zip(self.parts, masks, strict=True):
            if mask is not None:
                spread[0, part] = mask[0]
        return spread

    def masks_of(self, numbers: NDArray[np.intp], masks: ItemMasks) -> Any:
        """Return one mask for all rows."""
        return self._spread(masks)

    def given_masks(self) -> dict[int, Mask]:
        """Return the mask that lies beside the table, of one value for each column."""
        if self.file.suffix != ".npz":
            return {}
        mask = read_arrays(self.file).get("mask")
        if mask is None:
            return {}
        if mask.shape not in ((len(self.names),), (1, len(self.names))):
            raise ValueError(
                f"{self.file} must hold in mask one value for each of {len(self.names)} columns; "
                f"got shape {mask.shape}."
            )
        given = enumerate(mask.ravel().astype(float).tolist())
        return {number: np.array([one > 0.5]) for number, one in given if not np.isnan(one)}

    def n_marked(self, numbers: NDArray[np.intp], masks: ItemMasks) -> int:
        """Return how many rows have marks: all, or none."""
        return len(numbers) if any(mask is not None and mask[0] for mask in masks) else 0

    def n_annotated(self, numbers: NDArray[np.intp], masks: ItemMasks) -> int:
        """Return how many columns are annotated."""
        return sum(mask is not None for mask in masks)

    def shuffled(self, masks: ItemMasks, seed: int) -> ItemMasks:
        """Return as many columns, others where there are enough."""
        marked = np.array([mask is not None and bool(mask[0]) for mask in masks])
        order = np.random.default_rng(seed).permutation(len(marked))
        others = order[np.argsort(marked[order], kind="stable")][: marked.sum()]
        return [np.array([number in others]) for number in range(len(marked))]

    def feature_names(self) -> list[str]:
        """Return the names of the columns that models are given."""
        names = [""] * self.X.shape[1]
        for name, part in zip(self.names, self.parts, strict=True):
            for place in range(part.start, part.stop):
                names[place] = name
        return names

    def looks_at(self, clf: Any, number: int) -> NDArray[np.float64]:
        """Return the mean saliency of a column, in shares of all."""
        looks = np.abs(saliency(clf, self.X)).mean(axis=0)
        return np.array([looks[self.parts[number]].sum() / max(looks.sum(), 1e-30)])

    def suggest(self, clf: Any, seed: int) -> list[Found]:
        """Search for columns that give the label away."""
        found: dict[str, Found] = {}
        for one in suggest_masks(clf, self.X, random_state=seed):
            # Each column of a group is a question of its own, the most suspicious first.
            suspicion = [float(one.suspicion[part].max()) for part in self.parts]
            for column in np.argsort(suspicion)[::-1].tolist():
                name, marked = self.names[column], one.mask[self.parts[column]].any()
                if marked and name not in found:
                    found[name] = Found.of(one, name, {column: np.array([True])})
        return list(found.values())

    def next_items(self, clf: Any, masks: ItemMasks, seed: int) -> list[int]:
        """Return columns that are not decided on, those first whose exchange changes the most."""
        rows = np.flatnonzero(self.held_out)
        rates = {}
        for number, mask in enumerate(masks):
            if mask is None:
                column = np.zeros((1, self.X.shape[1]))
                column[0, self.parts[number]] = 1
                rates[number] = nuisance_flip_rate(
                    clf, self.X[rows], column, mask_marks="irrelevant", random_state=seed
                )
        return sorted(rates, key=lambda number: -rates[number])

    def propagate(self, masks: ItemMasks, seed: int) -> tuple[dict[int, Mask], float | None]:
        """Raise: a column says nothing about another one."""
        raise ValueError("The marks of columns cannot be guessed.")

    # -- what is taken away ---------------------------------------------------------------------

    def export(self, what: str, masks: ItemMasks) -> tuple[str, bytes]:
        """Return the marks as JSON: by the name of the column, null where it is not decided."""
        marks = {
            name: None if mask is None else bool(mask[0])
            for name, mask in zip(self.names, masks, strict=True)
        }
        return "application/json", json.dumps(marks, indent=1).encode()

    def write_script(self, archive: zipfile.ZipFile, masks: ItemMasks) -> None:
        """Add the script and the table."""
        settings = self.settings
        given = list(zip(self.names, masks, strict=True))
        script = TABLE.format(
            marked=[name for name, mask in given if mask is not None and mask[0]],
            unknown=[name for name, mask in given if mask is None],
            name=settings["file"],
            label=settings["label"],
            held_out=settings["share_held_out"],
            seed=settings["random_state"],
            max_epochs=settings["max_epochs"],
        )
        archive.write(self.file, settings["file"])
        archive.writestr("repeat.py", script)


def read_table(path: Path, *, label: str | None = None) -> tuple[pd.DataFrame, NDArray[np.str_]]:
    r"""Read a table with a column of classes.

    Parameters
    ----------
    path : path-like
        A file of comma-separated values, or an .npz file with the arrays ``X``, ``y`` and, where
        columns have names, ``feature_names``.
    label : str or None, default=None
        The column of classes; None: one of a usual name.  An .npz file has none.

    Returns
    -------
    frame : DataFrame of shape (n_rows, n_columns)
        The other columns; rows without a class are left out.
    y : ndarray of str of shape (n_rows,)
        The classes.

    Raises
    ------
    ValueError
        If the file cannot be read, has no columns beside the classes, or infinite
        numbers.
    ImportError
        If pandas is not installed (extra "table").

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skexplain.studio import read_table
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "patients.csv")
    ...     _ = path.write_text("age,ward,ill\n20,a,no\n30,b,yes\n")
    ...     frame, y = read_table(path, label="ill")
    >>> list(frame), y.tolist()
    (['age', 'ward'], ['no', 'yes'])
    """
    frame, classes, _ = _read(Path(path), label)
    there = classes.notna().to_numpy()
    return frame[there].reset_index(drop=True), classes[there].astype(str).to_numpy().astype(str)


def _read(path: Path, label: str | None) -> tuple[pd.DataFrame, pd.Series, str | None]:
    """Return columns, classes and the column that these are from; of all rows."""
    pandas = _pandas()
    if path.suffix.lower() == ".npz":
        frame, classes = _frame_of_arrays(path)
    else:
        label = choose_column("label", label, read_header(path), LABELS, path)
        try:
            # Names of classes are text: with a gap among them, 1 would be read as 1.0.
            frame = pandas.read_csv(path, dtype={label: str})
        except pandas.errors.ParserError as error:
            raise ValueError(f"{path} cannot be read as comma-separated values: {error}") from error
        if not isinstance(frame.index, pandas.RangeIndex):  # made of the values that are too many
            raise ValueError(f"{path} has more values in a row than columns.")
        frame.columns = frame.columns.astype(str)
        classes = frame.pop(label)
    if not frame.shape[1]:
        raise ValueError(f"{path} has no column beside the classes.")
    for name in frame.columns:
        if frame[name].dtype.kind == "f" and np.isinf(frame[name]).any():
            raise ValueError(f"{path} must hold finite numbers; column {name!r} has infinite ones.")
    return frame, classes, label


def _frame_of_arrays(path: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Return the columns and the classes of an .npz file."""
    pandas, arrays = _pandas(), read_arrays(path)
    X, y = arrays.get("X"), arrays.get("y")
    if X is None or y is None or X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(
            f"{path} must hold an array X of two axes, and y with a class for each row; got "
            f"{ {name: array.shape for name, array in arrays.items()} }."
        )
    names = [str(name) for name in arrays.get("feature_names", range(X.shape[1]))]
    if len(names) != X.shape[1]:
        raise ValueError(
            f"{path} must hold in feature_names a name for each of {X.shape[1]} columns; got "
            f"{len(names)}."
        )
    if len(set(names)) < len(names):
        raise ValueError(f"{path} must hold different names in feature_names; got {names}.")
    return pandas.DataFrame(X, columns=names), pandas.Series(y)


def encode_columns(frame: pd.DataFrame) -> ColumnTransformer:
    """Return a transformer that makes numbers of the columns of a table.

    Numbers are standardised, with the median where they are missing and a column that says so;
    of anything else each of the most frequent values is a column.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The table.

    Returns
    -------
    ColumnTransformer
        It is not fitted; each column has a part of its own, "0", "1" and so on.

    Examples
    --------
    >>> import pandas as pd
    >>> from skexplain.studio import encode_columns
    >>> frame = pd.DataFrame({"age": [20.0, 30.0, None], "ward": ["a", "b", "a"]})
    >>> encode_columns(frame).fit_transform(frame).shape  # age, its gap, two wards
    (3, 4)
    """

    def part(name: str) -> Any:
        if frame[name].dtype.kind in "biuf":
            fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
            return make_pipeline(fill, StandardScaler())
        return OneHotEncoder(
            max_categories=_MAX_CATEGORIES,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
        )

    parts = [(str(i), part(name), [name]) for i, name in enumerate(frame.columns)]
    return ColumnTransformer(parts)


def _has_numbers(column: pd.Series) -> bool:
    """Return whether a column holds numbers; yes and no are not."""
    return column.dtype.kind in "iuf"


def _pandas() -> Any:
    try:
        import pandas
    except ImportError as error:
        raise ImportError(
            'Tables in the studio need pandas: pip install "skexplain[table]".'
        ) from error
    return pandas
