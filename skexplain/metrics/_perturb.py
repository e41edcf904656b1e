"""Perturbed copies of X, in which irrelevant features have changed, for any fitted estimator."""

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .._checks import check_option, check_seed
from .._typing import MaskLike, Seed
from ..masks import Masks, interpret_mask
from ..masks._fill import pooled_axes
from ..masks._labels import labels_beside
from ..masks._meaning import Marks
from ._exchange import Draw, draw_donors, exchanged, mix, stand_ins
from ._finite import measure_finite
from ._inputs import ArrayInputs, read_inputs
from ._kinds import is_tagged_regressor, target_values
from ._token_inputs import TokenMatrixInputs, read_texts, token_inputs

Perturbation: TypeAlias = Literal["swap", "erase", "gaussian", "uniform", "offset"]
# As errors call them: not every function that perturbs has a parameter for it.
_NAMES = {"swap": "a swap", "erase": "erasing", "gaussian": "Gaussian noise"}
_NAMES |= {"uniform": "uniform noise", "offset": "an offset"}
PERTURBATIONS = tuple(_NAMES)


class Perturber:
    """Perturbs features of X under a mask and lets an estimator predict the result.

    Works in chunks of samples.  Means, units and ranges are those of the columns (or channels) of
    this X: they are there for any estimator, and before any step of a pipeline.

    Parameters
    ----------
    estimator : fitted estimator
        What predicts.
    X : array-like, sparse matrix or DataFrame of shape (n_samples, ...)
        Its inputs.
    mask : array-like, list of (array-like or None), DataFrame or Masks
        What may change.
    mask_marks : {"irrelevant", "relevant"} or None
        What 1 says; None: what the estimator says, "irrelevant" if nothing.
    perturbation : {"swap", "erase", "gaussian", "uniform", "offset"}
        How the features change.
    epsilon : float, default=1.0
        Size of the change, unless they are swapped or erased.
    input_unit : {"sd", "input"}, default="sd"
        Unit of epsilon.
    where : {"irrelevant", "core"}, default="irrelevant"
        Which features change: the irrelevant ones, or those that are known not to be.
    exchange : bool, default=True
        Whether a swap exchanges what either of two samples marks, where that leaves room.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        How often a sample counts in means, units and ranges; None: each once.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        mask: MaskLike | Masks | None,
        mask_marks: Marks | None,
        perturbation: Perturbation,
        epsilon: float = 1.0,
        input_unit: str = "sd",
        where: str = "irrelevant",
        exchange: bool = True,
        sample_weight: NDArray[Any] | None = None,
    ) -> None:
        check_option("perturbation", perturbation, PERTURBATIONS)
        check_option("input_unit", input_unit, ("sd", "input"))
        check_option("where", where, ("irrelevant", "core"))
        given = isinstance(X, ArrayInputs)
        read = None if given else read_texts(estimator, X, mask)
        if read is not None:
            mask_marks = mask_marks_of(estimator) if mask_marks is None else mask_marks
            ids: Any = read.ids
            estimator, X, mask = read.estimator, ids, read.mask
        self.estimator = estimator
        self.perturbation = perturbation
        self.epsilon = epsilon
        self.where = where
        self.exchange = exchange
        self.inputs = X if given else token_inputs(estimator, read_inputs(X))
        labels = labels_beside(X, fitted=estimator)
        self.masks = _read_masks(estimator, self.inputs, mask, mask_marks, labels)
        if where == "irrelevant":
            self._check_enough_rows()
        measured = vars(measure_finite(self.inputs, self.masks.taking_part, sample_weight))
        self._mean, self._sd, self._lower, self._upper = map(torch.from_numpy, measured.values())
        self._unit = self._sd if input_unit == "sd" else torch.ones_like(self._sd)
        self._text, self._soft = self._marked_text()

    @property
    def annotated(self) -> NDArray[Any]:
        """Indices of the samples with a mask."""
        return np.flatnonzero(self.masks.annotated)

    @property
    def irrelevant(self) -> NDArray[Any]:
        """Indices of the samples with something irrelevant."""
        return np.flatnonzero(self.masks.has_irrelevant)

    @property
    def changes_text(self) -> bool:
        """Whether it changes columns that hold no numbers."""
        return bool(self._text)

    @property
    def limits(self) -> tuple[float, float]:
        """Least and largest number of X."""
        return float(self._lower.min()), float(self._upper.max())

    def changed(self, perturbation: Perturbation, epsilon: float = 1.0) -> "Perturber":
        """Return one that changes the same features in another way; X is not measured again."""
        other = copy(self)
        other.perturbation, other.epsilon = perturbation, epsilon
        if other.where == "irrelevant":
            other._check_enough_rows()
        other._text, other._soft = other._marked_text()
        return other

    def under(self, masks: Masks) -> "Perturber":
        """Return one that changes what other masks mark; X is not measured again."""
        other = copy(self)
        other.masks = masks
        return other.changed(self.perturbation, self.epsilon)

    def _check_enough_rows(self) -> None:
        least = 2 if self.perturbation == "swap" else 1
        if len(self.irrelevant) < least:
            raise ValueError(
                f"mask must mark something irrelevant in at least {least} sample(s) of X for "
                f"{_NAMES[self.perturbation]}, got {len(self.irrelevant)}."
            )

    def predict(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Predict samples as they are."""
        return self._predict(self.inputs.take(part) for part in self.inputs.chunks(rows))

    def draw(self, generator: np.random.Generator) -> Draw:
        """Draw the samples that give to each sample in a swap.

        Parameters
        ----------
        generator : numpy Generator

        Returns
        -------
        Draw
        """
        # With marks of reasons, what a sample does not mark must not matter either: nothing of it
        # may be put over the reasons of another.
        rows = self.irrelevant if self.masks.marks_relevant else self.annotated
        every = np.arange(len(self.inputs))
        by_column, marks = self._text, None
        if self._soft:
            marks = self._drawn(self._degrees(every), len(every), generator)
            columns = np.flatnonzero(marks.any(0)).tolist()
            by_column = {column: marks[:, column] for column in columns}
        draw = draw_donors(rows, self.irrelevant, by_column, len(every), generator)
        return draw._replace(marks=marks)

    def _drawn(self, a: Tensor, n_rows: int, generator: Any) -> NDArray[np.bool_]:
        """Draw which tokens are marked, each with the probability that its degree says."""
        degrees = a.expand(n_rows, *a.shape[1:]).numpy()
        return generator.random(degrees.shape) < degrees

    def sources(self, rows: NDArray[Any], draw: Draw) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the samples from which irrelevant features come.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            Indices of the samples.
        draw : Draw
            From :meth:`draw`.

        Returns
        -------
        sources : ndarray of int of shape (m,)
            The sample that gives to each sample: the sample itself if nothing changes.
        exchanged : ndarray of bool of shape (m,)
            Whether what either of both marks is exchanged, so that marked parts come and go.
        """
        parts = [np.zeros(0, dtype=bool)]
        for part in self.inputs.chunks(rows):
            applies = self._exchanged(part, draw, self._degrees(part, draw))[1]
            parts.append(applies.flatten().numpy())
        exchanged = np.concatenate(parts)
        return np.where(exchanged, draw.donors[rows], draw.marked_donors[rows]), exchanged

    def in_units(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return samples as numbers, standardised; text is numbered."""
        x = (self.inputs[rows] - self._mean.numpy()) / self._sd.numpy()
        for column in self._text:
            x[:, column] = self.inputs.codes(column)[rows]
        return x

    def predict_perturbed(
        self, rows: NDArray[Any], generator: np.random.Generator | Draw
    ) -> NDArray[Any]:
        """Predict perturbed copies of samples.

        Parameters
        ----------
        rows : ndarray of int of shape (m,)
            Indices of the samples.
        generator : numpy Generator or Draw
            Draws the perturbation; or a swap that is drawn already.

        Returns
        -------
        ndarray of shape (m,)
        """
        return self._predict(self.perturbed(rows, generator))

    def _predict(self, parts: Iterable[Any]) -> NDArray[Any]:
        predicted = np.concatenate([self.estimator.predict(part) for part in parts])
        if predicted.ndim != 1:  # compared with labels it would broadcast
            raise ValueError(
                f"estimator must predict one label per row, got an array of shape "
                f"{predicted.shape}."
            )
        if is_tagged_regressor(self.estimator):
            numbers = target_values(predicted, "what the estimator predicts")
            # Unsigned integers have no differences; float32 stays as it is.
            return predicted if predicted.dtype.kind == "f" else numbers
        return predicted

    def perturbed(self, rows: NDArray[Any], generator: np.random.Generator | Draw) -> Iterator[Any]:
        """Yield perturbed copies of samples, of the kind of X, chunk by chunk."""
        if self.perturbation == "swap":
            draw = self.draw(generator) if isinstance(generator, np.random.Generator) else generator
            for part in self.inputs.chunks(rows):
                yield self._swapped(part, draw)
            return
        for part in self.inputs.chunks(rows):
            a = self._degrees(part)
            if isinstance(self.inputs, TokenMatrixInputs):  # which are blanked or left as they are
                shape = (len(part), *a.shape[1:])
                soft, marked = self._soft, (a > 0).expand(shape).numpy()
                marked = self._drawn(a, len(part), generator) if soft else marked
                yield self.inputs.blank(part, marked)
                continue
            x = torch.from_numpy(self.inputs[part])
            if self.perturbation == "erase":
                values = mix(x, self._surroundings(x, a), a)
            else:
                values = x + self.epsilon * a * self._unit * self._noise(x.shape, generator)
            yield self.inputs.replace(part, values.numpy(), _changed_columns(a), {})

    def _swapped(self, rows: NDArray[Any], draw: Draw) -> Any:
        a, x = self._degrees(rows, draw), torch.from_numpy(self.inputs[rows])
        a = a.expand(len(x), *a.shape[1:])
        givers = {column: of_rows[rows] for column, of_rows in draw.givers.items()}
        union, applies = self._exchanged(rows, draw, a)
        values = x if applies.all() else mix(x, self._given(draw.marked_donors[rows]), a)
        if applies.any():
            donors = torch.from_numpy(self.inputs[draw.donors[rows]])
            values = torch.where(applies, mix(x, donors, union), values)
            for column, of_rows in givers.items():
                taken = np.where(union[:, column] > 0, draw.donors[rows], rows)
                givers[column] = np.where(applies[:, 0], taken, of_rows)
            a = torch.where(applies, union, a)
        return self.inputs.replace(rows, values.numpy(), _changed_columns(a), givers)

    def _exchanged(self, rows: NDArray[Any], draw: Draw, a: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the rule of :func:`exchanged` to samples, with degrees a, and their donors."""
        if self.masks.for_all_rows or not self.exchange:
            return a, torch.zeros((len(rows), *(1,) * (a.ndim - 1)), dtype=torch.bool)
        donor_a = self._degrees(draw.donors[rows], draw)
        a, donor_a = (each.expand(len(rows), *each.shape[1:]) for each in (a, donor_a))
        union, applies = exchanged(a, donor_a)
        if self.masks.marks_relevant:
            applies = torch.zeros_like(applies)
        return union, applies

    def _degrees(self, rows: NDArray[Any], draw: Draw | None = None) -> Tensor:
        """Degrees to which features change, those of tokens as a draw of a swap has them."""
        if draw is not None and draw.marks is not None:
            return torch.from_numpy(draw.marks[rows]).double()
        a, known = self.masks.degrees_of(rows)
        if self.where != "core":
            return a
        a = 1 - a if known is None else (1 - a) * known
        # A sample of None in a list has no unknown marks, and no known ones either.
        annotated = torch.from_numpy(self.masks.annotated[rows])
        return a * annotated.reshape(-1, *(1,) * (a.ndim - 1))

    def _noise(self, shape: Sequence[int], generator: Any) -> Tensor | float:
        if self.perturbation == "gaussian":
            return torch.from_numpy(generator.standard_normal(shape))
        if self.perturbation == "uniform":
            return torch.from_numpy(generator.uniform(-1, 1, shape))
        return 1.0

    def _surroundings(self, x: Tensor, a: Tensor) -> Tensor:
        """Mean of what an image has besides, per channel; of a table the mean of each column."""
        if x.ndim == 2:
            return self._mean.expand_as(x)
        present = torch.isfinite(x)
        axes, rest = pooled_axes(x), (1 - a) * present
        share = rest.sum(axes, keepdim=True)
        own_mean = torch.where(present, rest * x, 0).sum(axes, keepdim=True) / share.clamp(min=1)
        # With less than one whole pixel left, the mean of X.
        return torch.where(share >= 1, own_mean, self._mean).expand_as(x)

    def _given(self, donors: NDArray[Any]) -> Tensor:
        a = self._degrees(donors) * torch.as_tensor(self.inputs.numeric)
        x = torch.from_numpy(self.inputs[donors])
        return stand_ins(x, a, (self._mean, self._sd, self._lower, self._upper))

    def _marked_text(self) -> tuple[dict[int, NDArray[np.bool_]], bool]:
        """Return, for each column of text with something to change, the samples that mark it.

        And whether tokens have degrees, with whose probability they are marked, as in training.
        """
        marked: dict[int, NDArray[np.bool_]] = {}
        text = ~np.broadcast_to(self.inputs.numeric, self.inputs.shape[1:2])
        if not text.any():
            return marked, False
        every = self._degrees(np.arange(len(self.inputs)))
        tokens = isinstance(self.inputs, TokenMatrixInputs)
        if tokens and self.perturbation not in ("swap", "erase"):
            raise ValueError(
                f"X must hold numbers for {_NAMES[self.perturbation]}, got ids of tokens, which "
                f"can be swapped and erased, as nuisance_flip_rate does, and nothing else."
            )
        mask_id = getattr(self.inputs, "mask_id", None)
        if tokens and self.perturbation == "erase" and mask_id is None:
            raise ValueError(
                "mask_id must be the id of a token that says nothing, for the tokens that are "
                'erased; the estimator has None. They can be swapped (perturbation="swap").'
            )
        for column in np.flatnonzero(text).tolist():
            degrees = np.broadcast_to(every[:, column].numpy(), len(self.inputs))
            if not degrees.any():
                continue
            names = self.inputs.feature_names
            name = column if names is None else names[column]
            if not tokens and (self.perturbation != "swap" or np.any(degrees % 1)):
                raise ValueError(
                    f"X must hold numbers where the mask says to change it, but column {name!r} "
                    f"does not: it can be swapped as a whole, with marks of 0 and 1, nothing else."
                )
            if degrees.sum() < 2 and not self.inputs.ragged:
                raise ValueError(
                    f"mask must mark column {name!r} in at least two rows: no other row can give "
                    f"its entry."
                )
            marked[column] = degrees > 0
        return marked, tokens and bool((every % 1).any())


def mask_marks_of(estimator: Any) -> Marks:
    """Return what a mark of 1 says to an estimator, also within pipelines and searches.

    Returns
    -------
    {"irrelevant", "relevant"}
        The `mask_marks` of the estimator or else of its parts, "irrelevant" where there is none.

    Raises
    ------
    ValueError
        If there are several parts that do not agree.
    """
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "mask_marks"):
        return estimator.mask_marks
    params = estimator.get_params() if hasattr(estimator, "get_params") else {}
    # A propagator takes those of the estimator that it serves.
    parts = [part for name, part in params.items() if name.rpartition("__")[2] != "propagator"]
    marks = {part.mask_marks for part in parts if hasattr(part, "mask_marks")}
    if len(marks) > 1:
        raise ValueError("mask_marks must be given, since parts of the estimator do not agree.")
    return marks.pop() if marks else "irrelevant"


def _read_masks(
    estimator: Any,
    inputs: ArrayInputs,
    mask: MaskLike | Masks | None,
    mask_marks: Marks | None,
    labels: dict[str, Any],
) -> Masks:
    if isinstance(mask, Masks):
        return mask
    if mask is None:
        raise ValueError("mask must say which features must not matter, got None.")
    if mask_marks is None:
        mask_marks = mask_marks_of(estimator)
    check_option("mask_marks", mask_marks, ("irrelevant", "relevant"))
    masks = interpret_mask(
        inputs.pad_mask(mask, mask_marks), inputs.shape, marks=mask_marks, **labels
    )
    if isinstance(inputs, TokenMatrixInputs):
        masks = masks.without(inputs.absent)
    if not masks.annotated.any():
        raise ValueError("mask must annotate at least one row of X, got none.")
    return masks


def _changed_columns(a: Tensor) -> NDArray[np.bool_] | None:
    """Return in which columns anything changes; None where X has no columns."""
    return (a > 0).any(0).numpy() if a.ndim == 2 else None


def make_generator(random_state: Seed) -> np.random.Generator:
    """Make numpy's generator from an int, a RandomState or None (fresh entropy)."""
    check_seed(random_state)
    if isinstance(random_state, np.random.RandomState):
        random_state = random_state.randint(2**31 - 1)
    return np.random.default_rng(random_state)
