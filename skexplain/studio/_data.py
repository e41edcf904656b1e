"""What a kind of data must say of itself, so that it can be marked, learnt from and taken away."""

from __future__ import annotations

import abc
import math
import reprlib
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import train_test_split

from .._checks import as_array
from ..estimators import ERMClassifier, SwapExClassifier

Mask: TypeAlias = NDArray[np.bool_]
#: One mask for each item, None where it is not annotated.
ItemMasks: TypeAlias = Sequence[Mask | None]

# Fewer held-out samples with marks say nothing of a model.
MIN_AUDITED = 4


class Options(NamedTuple):
    """How data are read, of any kind; see :meth:`Project.create`."""

    size: int | tuple[int, int] = 96
    fit: str = "pad"
    text: str | None = None
    label: str | None = None
    network: str | None = None
    verbose: bool = False


def hold_out(labels: NDArray[np.str_], share: float, seed: int, samples: str) -> list[bool]:
    """Draw the samples that are held out, of each class the same share."""
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2:
        raise ValueError(f"There must be at least two classes, got {classes.tolist()}.")
    if counts.min() < 2:
        few = classes[counts == counts.min()].tolist()
        raise ValueError(
            f"Each class must have at least two {samples}; {few[0]!r} has one"
            + (f", and so have {len(few) - 1} others." if len(few) > 1 else ".")
        )
    numbers = np.arange(len(labels))
    n_held_out = math.ceil(share * len(numbers))
    if not len(classes) <= n_held_out <= len(numbers) - len(classes):
        raise ValueError(
            f"held_out must leave {samples} of each of {len(classes)} classes in both parts; got "
            f"{share}, which is {n_held_out} of {len(numbers)} {samples}."
        )
    _, chosen = train_test_split(numbers, test_size=share, stratify=labels, random_state=seed)
    return np.isin(numbers, chosen).tolist()


class Found(NamedTuple):
    """A suggestion: what it is, the masks of items, and how sure it is."""

    text: str
    masks: dict[int, Mask]
    p_value: float
    flip_rate: float
    predictive_power: float

    @classmethod
    def of(cls, suggestion: Any, text: str, masks: dict[int, Mask]) -> Found:
        """Return what :func:`~skexplain.inspection.suggest_masks` found, for items."""
        measured = suggestion.p_value, suggestion.flip_rate, suggestion.predictive_power
        return cls(text, masks, *measured)


class Data(abc.ABC):
    """The samples of a project, and its items: what a person marks, one mask for each.

    Of pictures and texts each sample is an item; of a table each column is one.

    Parameters
    ----------
    folder : Path
        The folder of the project.
    settings : dict
        What `store` returned, and ``held_out``.

    Attributes
    ----------
    X : sequence of length n_samples
        Inputs.
    y : ndarray of str of shape (n_samples,)
        Names of the classes.
    held_out : ndarray of bool of shape (n_samples,)
        Whether a sample is kept out of the training.
    names : list of str
        Names of the items.
    """

    #: What is in the settings of a project.
    kind: ClassVar[str]
    #: What the page and messages call items and samples.
    items: ClassVar[str]
    samples: ClassVar[str]
    #: Ending of a file with a mask.
    suffix: ClassVar[str]
    #: Files to take away beside the model, its audit and the script.
    exports: ClassVar[tuple[str, ...]] = ()
    #: Whether marks that are copied or accepted are added to the masks that there are.
    adds: ClassVar[bool] = False
    #: What the control learns from.
    control: ClassVar[str]
    #: What an error says where nothing is marked.
    unmarked: ClassVar[str]
    #: Epochs of a training, unless the project says otherwise, and its learning rate.
    epochs: ClassVar[int] = 30
    lr: ClassVar[float] = 1e-3
    #: Whether masks of other items can be guessed.
    propagates: ClassVar[bool] = True

    X: Any

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        self.folder, self.settings = folder, settings
        self.y = np.array(settings["labels"])
        self.held_out = np.array(settings["held_out"], dtype=bool)
        self.names = [str(name) for name in settings["names"]]

    # -- what is stored -------------------------------------------------------------------------

    @staticmethod
    @abc.abstractmethod
    def store(folder: Path, source: Path, options: Options) -> dict[str, Any]:
        """Read data and store what the project needs; returns the settings.

        They have ``labels``, a class for each sample, ``names``, one for each item, ``skipped``,
        why what could not be read, by name, and what the kind itself needs; ``epochs`` where they
        are others than those of the kind.
        """

    def given_masks(self) -> dict[int, Mask]:
        """Return the masks of items that the data bring with them."""
        return {}

    def may_be(self, source: Path) -> bool:
        """Return whether a source whose old place is gone can be that of the project."""
        return source.name == Path(self.settings["source"]).name

    @property
    def network(self) -> str:
        """What the page says of the network; empty where it is the only one."""
        return ""

    @abc.abstractmethod
    def shape_of(self, number: int) -> tuple[int, ...]:
        """Return the shape of the mask of an item."""

    def check_mask(self, number: int, mask: ArrayLike) -> Mask:
        """Check the mask of an item, and return where it is not 0."""
        values, shape = as_array("mask", mask), self.shape_of(number)
        if values.shape != shape:
            raise ValueError(f"mask must be of shape {shape}, got {values.shape}.")
        # NaN would count as marked, and so would any text.
        if values.dtype.kind not in "buif" or not np.isfinite(values).all():
            raise ValueError(
                f"mask must hold finite numbers or bool, or be None where {self.items[:-1]} "
                f"{number} is not annotated; got {reprlib.repr(values.tolist())}."
            )
        return np.asarray(values != 0)

    @abc.abstractmethod
    def write_mask(self, path: Path, number: int, mask: Mask) -> None:
        """Write the mask of an item."""

    @abc.abstractmethod
    def read_mask(self, path: Path, number: int) -> Mask:
        """Read what `write_mask` wrote."""

    def about(self, number: int) -> dict[str, Any]:
        """Return the label of an item, and whether it is held out."""
        return {"label": str(self.y[number]), "held_out": bool(self.held_out[number])}

    def content(self, number: int) -> dict[str, Any]:
        """Return what the page shows of an item that is no picture."""
        return {}

    # -- what is learnt -------------------------------------------------------------------------

    @abc.abstractmethod
    def masks_of(self, numbers: NDArray[np.intp], masks: ItemMasks) -> Any:
        """Return the masks of samples, as ``fit(mask=...)`` takes them."""

    def n_marked(self, numbers: NDArray[np.intp], masks: ItemMasks) -> int:
        """Return in how many of these samples something is marked."""
        given = (masks[number] for number in numbers.tolist())
        return sum(mask is not None and bool(mask.any()) for mask in given)

    def n_annotated(self, numbers: NDArray[np.intp], masks: ItemMasks) -> int:
        """Return how many items have a mask, among these samples or of all columns."""
        return sum(masks[number] is not None for number in numbers.tolist())

    @abc.abstractmethod
    def shuffled(self, masks: ItemMasks, seed: int) -> ItemMasks:
        """Return masks for the control: as many marks, of which none means anything."""

    def estimator(self, with_marks: bool, **params: Any) -> Any:
        """Return an estimator that is not fitted yet."""
        params = {"lr": self.lr, **params}
        return (SwapExClassifier if with_marks else ERMClassifier)(**params)

    def samples_of(self, numbers: NDArray[np.intp]) -> Any:
        """Return samples as `fit` takes them."""
        return self.X[numbers]

    def network_of(self, clf: Any) -> Any:
        """Return the estimator within a fitted one whose inputs are arrays."""
        return clf

    def arrays_of(self, clf: Any, numbers: NDArray[np.intp]) -> NDArray[Any]:
        """Return what that estimator is given for samples."""
        return np.asarray(self.samples_of(numbers))

    def array_masks_of(self, clf: Any, numbers: NDArray[np.intp], masks: ItemMasks) -> Any:
        """Return the masks of samples over these arrays."""
        return self.masks_of(numbers, masks)

    def feature_names(self) -> list[str] | None:
        """Return the names of the columns of these arrays, where they have any."""
        return None

    def with_network(self, clf: Any, network: Any) -> Any:
        """Return a fitted estimator with another network within."""
        return network

    def without_callbacks(self, clf: Any) -> Any:
        """Return a fitted estimator without the callback that reports epochs."""
        return clf.set_params(callbacks=None)

    @abc.abstractmethod
    def looks_at(self, clf: Any, number: int) -> NDArray[np.float64]:
        """Return where a model looks in an item, of the shape of its mask, in shares of the most.

        Of a column, in shares of all columns.
        """

    @abc.abstractmethod
    def suggest(self, clf: Any, seed: int) -> list[Found]:
        """Search for what a model of labels alone leans on."""

    @abc.abstractmethod
    def next_items(self, clf: Any, masks: ItemMasks, seed: int) -> list[int]:
        """Return the items to mark next, the most important first."""

    @abc.abstractmethod
    def propagate(self, masks: ItemMasks, seed: int) -> tuple[dict[int, Mask], float | None]:
        """Guess the masks of other items, the least certain first.

        Also returns how well they overlap with masks left out, where that is known.
        """

    def copies(self, number: int, mask: Mask) -> dict[int, Mask]:
        """Return the masks of all items if what is marked in one is marked in all."""
        return dict.fromkeys(range(len(self.names)), mask)

    # -- what is brought and taken away ---------------------------------------------------------

    def read_marks(self, path: Path) -> dict[int, Mask]:
        """Read the masks of items from a file of an annotation tool."""
        raise ValueError(f"Masks of {self.items} cannot be read from files.")

    @abc.abstractmethod
    def export(self, what: str, masks: ItemMasks) -> tuple[str, bytes]:
        """Return the media type and the content of one of `exports`."""

    @abc.abstractmethod
    def write_script(self, archive: zipfile.ZipFile, masks: ItemMasks) -> None:
        """Add a script that repeats the training with marks, and what it reads."""


def in_shares(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return values in shares of the largest."""
    return np.asarray(values / max(float(values.max(initial=0)), 1e-30), dtype=np.float64)
