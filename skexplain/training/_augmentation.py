"""Images moved before anything else reads them, and their masks with them."""

import copy
import inspect
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from .._surroundings import isolated_random_state
from ..masks._statistics import InputStatistics
from ..penalties import Rows
from ._batches import concatenate
from ._kornia import KorniaAugmentation, check_kornia, is_of_kornia
from ._light import LightAugmentation
from ._random import Streams, seed_layers

# The batch, the penalised samples and their donors.
Step: TypeAlias = tuple[Rows, Rows | None, Rows | None]

# A pixel is inside the frame where all of it is, up to rounding.
_INSIDE = 0.999
# An augmentation that changes the spread of a batch by more than this has changed its unit.
_MOST_SPREAD = 16.0


class Augmentation:
    """What moves images and their masks, batch by batch.

    Parameters
    ----------
    augment : "light", callable or kornia.augmentation.AugmentationSequential
        As the parameter of an estimator.
    statistics : InputStatistics
        Mean and range of the training images.
    device : torch.device
        Where the images are.
    """

    def __init__(self, augment: Any, statistics: InputStatistics, device: torch.device) -> None:
        self.device = device
        mean, lower, upper = (
            _with_channels(torch.as_tensor(values, dtype=torch.float32, device=device))
            for values in (statistics.mean, statistics.lower, statistics.upper)
        )
        self.transform = augment
        if isinstance(augment, nn.Module):  # which may keep what it has drawn
            self.transform = copy.deepcopy(augment).to(device)
        if is_of_kornia(augment):
            self.transform = KorniaAugmentation(self.transform, lower, upper)
        elif isinstance(augment, str):
            self.transform = LightAugmentation(mean, lower, upper)
        self._values_checked = False

    def steps(
        self, steps: Iterable[Step], replacing: bool, streams: Streams, epoch: int
    ) -> Iterator[Step]:
        """Move the samples of each step of an epoch.

        What is in the label loss and in a penalty is moved once.  Penalised samples of their own
        and donors have streams of their own, so that the batch is moved as without them.

        Parameters
        ----------
        steps : iterable of (Rows, Rows or None, Rows or None)
            As `read_step` returns them.
        replacing : bool
            Whether penalised samples are the last of their batch.
        streams : Streams
        epoch : int

        Yields
        ------
        tuple
            The same, moved.
        """
        of_batch, of_penalised, of_donors = (
            streams.generator(purpose, epoch, self.device)
            for purpose in ("augment", "augment_penalised", "augment_donors")
        )
        for batch, penalised, donors in steps:
            if donors is not None:
                donors = self.move(donors, of_donors)
            if penalised is None:
                yield self.move(batch, of_batch), None, None
            elif penalised is batch:
                batch = self.move(batch, of_batch)
                yield batch, batch, donors
            else:
                if replacing:
                    n_others = len(batch.y) - len(penalised.y)
                    batch = batch.take(torch.arange(n_others, device=self.device))
                batch = self.move(batch, of_batch)
                penalised = self.move(penalised, of_penalised)
                yield concatenate(batch, penalised) if replacing else batch, penalised, donors

    def move(self, rows: Rows, generator: torch.Generator) -> Rows:
        """Move samples, and their masks where these are of pixels.

        Parameters
        ----------
        rows : Rows
            Without masks, the irrelevance is None.
        generator : torch.Generator

        Returns
        -------
        Rows
            What comes from outside the frame is unknown.
        """
        if rows.irrelevance is None or rows.irrelevance.ndim != rows.x.ndim:  # of units of a layer
            return replace(rows, x=self.move_images(rows.x, [], generator)[0])
        marks = [rows.irrelevance] if rows.known is None else [rows.irrelevance, rows.known.float()]
        x, (irrelevance, *known), inside = self.move_images(rows.x, marks, generator)
        if known:
            inside = inside & (known[0] > _INSIDE)
        # Each sample has marks of its own now, also where one mask serves all samples.
        return replace(rows, x=x, irrelevance=irrelevance, known=inside, share_hard_mask=False)

    def move_images(
        self, x: Tensor, marks: Sequence[Tensor], generator: torch.Generator
    ) -> tuple[Tensor, list[Tensor], Tensor]:
        """Move images, and marks on their pixels with them.

        Parameters
        ----------
        x : float32 Tensor of shape (n, h, w) or (n, channels, h, w)
            Images, which are written into by an augmentation that works in place.
        marks : sequence of float32 Tensors, broadcastable to `x`
            Numbers from 0 to 1.
        generator : torch.Generator
            On the device.

        Returns
        -------
        x : float32 Tensor of the same shape
        marks : list of float32 Tensors of shape (n, ...)
            0 where a pixel comes from outside the frame.
        inside : bool Tensor, broadcastable to `x`
            Whether a pixel comes from inside the frame.

        Raises
        ------
        TypeError, ValueError
            If a callable returns something else than images and masks of the same shapes, or, at
            the first call, values that are not finite or in another unit.
        """
        images = _with_channels(x)
        each = [_with_channels(mark).expand(len(x), -1, -1, -1) for mark in marks]
        frame = images.new_ones((len(x), 1, *images.shape[2:]))
        masks = torch.cat([*each, frame], dim=1)
        shapes = images.shape, masks.shape
        spread = None if self._values_checked else images.std(correction=0)
        with torch.no_grad():
            images, masks = _check_result(self._call(images, masks, generator), shapes)
        if spread is not None:
            _check_values(images, masks, spread)
            self._values_checked = True
        images, masks = images.to(x).contiguous(), masks.to(x)
        inside = masks[:, -1:] > _INSIDE
        moved = masks[:, :-1].clamp(0, 1).where(inside, 0).split([m.shape[1] for m in each], dim=1)
        if x.ndim == 4:
            return images, list(moved), inside
        return images[:, 0], [mark[:, 0] for mark in moved], inside[:, 0]

    def _call(self, images: Tensor, masks: Tensor, generator: torch.Generator) -> Any:
        if isinstance(self.transform, LightAugmentation):
            return self.transform(images, masks, generator)
        # What draws from the global state of torch or numpy draws from this stream, too.
        seed = int(torch.randint(2**32, (), generator=generator, device=self.device))
        with isolated_random_state(self.device):
            seed_layers(seed, self.device)
            np.random.seed(seed)  # noqa: NPY002 - restored, as that of torch
            return self.transform(images, masks, generator)


def check_augment(augment: Any, shape: tuple[int, ...]) -> None:
    """Check the parameter `augment` of an estimator.

    Parameters
    ----------
    augment : "light", callable or kornia.augmentation.AugmentationSequential
    shape : tuple of int
        Shape of X.

    Raises
    ------
    TypeError
        If it cannot be called with three arguments.
    ValueError
        If X holds no images, or an augmentation of kornia does what masks cannot follow.
    """
    if len(shape) not in (3, 4):
        raise ValueError(
            f"augment must be None unless X holds images, of shape (n, h, w) or (n, channels, h, "
            f"w); got augment={augment!r:.80} and X of shape {tuple(shape)}."
        )
    if is_of_kornia(augment):
        check_kornia(augment)
    elif isinstance(augment, type):
        raise TypeError(f"augment must be a function, not a class; got {augment!r}.")
    elif callable(augment):
        try:
            signature = inspect.signature(augment)
        except (TypeError, ValueError):  # no signature to be had: the call itself raises
            return
        try:
            signature.bind(None, None, None)
        except TypeError as error:
            raise TypeError(
                f"augment must be called as augment(images, masks, generator); got "
                f"{getattr(augment, '__name__', augment)!s:.80}{signature}: {error}."
            ) from error


def _check_result(result: Any, shapes: tuple[torch.Size, torch.Size]) -> tuple[Tensor, Tensor]:
    """Check that an augmentation returned images and masks of the shapes that it was given."""
    if not isinstance(result, tuple | list) or len(result) != 2:
        raise TypeError(
            f"augment must return two tensors, images and masks; got {_describe(result)}."
        )
    for name, values, shape in zip(("images", "masks"), result, shapes, strict=True):
        if not isinstance(values, Tensor):
            raise TypeError(f"augment must return {name} as a tensor; got {_describe(values)}.")
        if values.shape != shape:
            raise ValueError(
                f"augment must return {name} of the shape that it was given, {tuple(shape)}; got "
                f"{_describe(values)}."
            )
    images, masks = result
    return images, masks


def _check_values(images: Tensor, masks: Tensor, spread: Tensor) -> None:
    """Check that values are finite, and images in the unit of those that were given."""
    for name, values in (("images", images), ("masks", masks)):
        if not values.isfinite().all():
            raise ValueError(f"augment must return finite {name}; got NaN or infinite values.")
    ratio = float(images.float().std(correction=0) / spread) if spread > 0 else 1.0
    if not 1 / _MOST_SPREAD < ratio < _MOST_SPREAD:
        raise ValueError(
            f"augment must return images in the unit of X, in which it was given them; got a "
            f"standard deviation {ratio:.2g} times as large."
        )


def _with_channels(values: Tensor) -> Tensor:
    """Give images, or what broadcasts to them, a channel axis where they have none."""
    return values if values.ndim == 4 else values[:, None]


def _describe(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"an object of type {type(value).__name__}"
