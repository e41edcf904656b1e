"""Rows of a study, and what can be made of them."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._text import csv_cell
from ._study import Study


@dataclass(frozen=True)
class StudyResults:
    """What is known of a study.

    Attributes
    ----------
    study : Study
        The declaration.
    scale : {"quick", "paper"}
        Which of its cells.
    rows : list of dict
        Factors and measures, in the order of the declaration, whatever the order of computing.
    n_done, n_cells : int
        Cells that are stored, and all.
    n_others : int
        Stored cells of another scale, declaration or package version: left out.
    n_seeds : int or None
        Seeds of every cell, where that is not what the study declares.
    """

    study: Study
    scale: str
    rows: list
    n_done: int
    n_cells: int
    n_others: int = 0
    n_seeds: int | None = None

    @property
    def is_complete(self) -> bool:
        """Whether all cells are stored."""
        return self.n_done == self.n_cells

    @property
    def columns(self) -> list[Any]:
        """Names of the columns."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return [name for name in names if not name.startswith("_")]

    def tables(self) -> Any:
        """Sum up: list of Table."""
        return self.study.tables(self.rows)

    def pictures(self) -> Any:
        """Draw: dict of figures by name; needs the extra ``plot``."""
        return self.study.pictures(self.rows)

    def to_frame(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise ImportError('a DataFrame needs pandas: pip install "skexplain[table]"') from error
        return pandas.DataFrame(self.rows, columns=self.columns)

    def save(self, path: Any) -> None:
        """Write the rows to a file.

        Parameters
        ----------
        path : str or path-like
            Ends with .csv, or with .parquet, which needs the extra ``table``.

        Raises
        ------
        ImportError
            If pandas or pyarrow is not installed, for Parquet.
        ValueError
            If the ending is another one.
        """
        ending = Path(path).suffix
        if ending == ".csv":
            with open(path, "w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(map(csv_cell, self.columns))
                writer.writerows([csv_cell(row.get(c)) for c in self.columns] for row in self.rows)
        elif ending == ".parquet":
            try:
                frame = self.to_frame()
                # A column of Parquet has one type: "auto" among numbers makes all of them text.
                mixed = [name for name, dtype in frame.dtypes.items() if dtype.kind == "O"]
                frame[mixed] = frame[mixed].map(str, na_action="ignore")
                frame.to_parquet(path)
            except ImportError as error:
                raise ImportError(
                    'Parquet needs pandas and pyarrow: pip install "skexplain[table]"'
                ) from error
        else:
            raise ValueError(f"path must end with .csv or .parquet, got {str(path)!r}.")
