"""Augmentations of kornia, which move masks with images."""

from typing import Any

import torch
from torch import Tensor


class KorniaAugmentation:
    """Calls an AugmentationSequential of kornia as all other augmentations are called.

    Parameters
    ----------
    augment : kornia.augmentation.AugmentationSequential
    lower, upper : Tensor
        Range of the training images.  Colours of kornia take values from 0 to 1: images are scaled
        so that this range, and 0 and 1, lie within.
    """

    def __init__(self, augment: Any, lower: Tensor, upper: Tensor) -> None:
        self.augment = augment
        self.low = lower.min().clamp(max=0)
        self.span = upper.max().clamp(min=1) - self.low

    def __call__(
        self, images: Tensor, masks: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Move images and masks; the draws are from torch's global state."""
        # Where images are filled with a constant, which is 1 at most, so are masks: in the last
        # channel, which says what is inside the frame, it must not pass for inside.
        marks, frame = masks[:, :-1], masks[:, -1:]
        try:
            images, masks = self.augment(
                (images - self.low) / self.span,
                torch.cat([marks, 2 * frame], dim=1),
                data_keys=["input", "mask"],
            )
        except NotImplementedError as error:
            raise ValueError(
                f"augment must move masks with images, which kornia cannot here: {error}"
            ) from error
        images = images * self.span + self.low
        return images, torch.cat([masks[:, :-1], masks[:, -1:] / 2], dim=1)


def is_of_kornia(augment: Any) -> bool:
    """Return whether something is an augmentation of kornia."""
    return any(cls.__module__.startswith("kornia.") for cls in type(augment).__mro__)


def check_kornia(augment: Any) -> None:
    """Check that masks can follow all that an augmentation of kornia does.

    Raises
    ------
    TypeError
        If it is no AugmentationSequential.
    ValueError
        If something in it mixes samples, or repeats the edges of images.
    """
    from kornia.augmentation import AugmentationSequential, MixAugmentationBaseV2

    if not isinstance(augment, AugmentationSequential):
        raise TypeError(
            f"augment must be a kornia.augmentation.AugmentationSequential, which moves masks "
            f"with images; got {type(augment).__name__}: put it into one."
        )
    for part in augment.modules():
        name = type(part).__name__
        if isinstance(part, MixAugmentationBaseV2):
            raise ValueError(
                f"augment must leave each sample its label, got {name}, which mixes samples."
            )
        padding = getattr(part, "flags", {}).get("padding_mode", "zeros")
        padding = getattr(padding, "name", padding).lower()
        if padding not in ("zeros", "constant", "fill"):
            raise ValueError(
                f"augment must fill with a constant what comes from outside the frame, got {name} "
                f"with padding_mode={padding!r}, whose copies of the edge would have no mask."
            )
