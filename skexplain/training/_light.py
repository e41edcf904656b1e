"""The augmentation of photographs that ``augment="light"`` stands for."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class LightAugmentation:
    """A small random transformation of photographs: ``augment="light"``.

    Each image is flipped from left to right or not, moved, enlarged or reduced a little, and
    changed a little in brightness, contrast and in the balance of its channels.  What comes from
    outside the frame gets the training mean of its channel: mirrored or repeated edges would show
    a shortcut once more where no mask marks it.

    Attributes
    ----------
    mean, lower, upper : float32 Tensors of shape (1, channels, 1, 1)
        Mean and range of each channel of the training data.
    flip : float, default=0.5
        Probability of a flip.
    shift : float, default=0.05
        Largest shift along each axis, as a share of the image.
    scale : float, default=0.1
        Largest change of the size, as a share.
    contrast : float, default=0.1
        Largest change of the contrast about the training mean, as a share.
    brightness : float, default=0.03
        Largest shift of all values, as a share of the data's range.
    balance : float, default=0.02
        Largest shift of the values of a channel, as a share of its range.
    """

    mean: Tensor
    lower: Tensor
    upper: Tensor
    flip: float = 0.5
    shift: float = 0.05
    scale: float = 0.1
    contrast: float = 0.1
    brightness: float = 0.03
    balance: float = 0.02

    def __call__(
        self, images: Tensor, masks: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Move images (n, channels, h, w) and masks (n, k, h, w), and change the images' colours.

        The last channel of the masks is 1 inside the frame.
        """
        n, n_channels = images.shape[:2]
        # One draw for all, between -1 and 1, so that each sample has its own.
        draws = 2 * torch.rand((n, 6 + n_channels), generator=generator, device=images.device) - 1
        grid = functional.affine_grid(
            self._places(draws[:, :4]), list(images.shape), align_corners=False
        )
        images = functional.grid_sample(
            images, grid, mode="bilinear", padding_mode="border", align_corners=False
        )
        masks = functional.grid_sample(masks, grid, mode="nearest", align_corners=False)
        by_sample = draws[:, 4:].view(n, -1, 1, 1)
        gain = 1 + self.contrast * by_sample[:, :1]
        offset = self.brightness * by_sample[:, 1:2] + self.balance * by_sample[:, 2:]
        coloured = self.mean + gain * (images - self.mean) + offset * (self.upper - self.lower)
        images = torch.minimum(torch.maximum(coloured, self.lower), self.upper)
        return torch.where(masks[:, -1:] > 0, images, self.mean), masks

    def _places(self, draws: Tensor) -> Tensor:
        """Return the affine maps from places in the new images to places in the old ones."""
        side = torch.where(draws[:, 0] < 2 * self.flip - 1, -1.0, 1.0)
        size = 1 + self.scale * draws[:, 1]
        zero = torch.zeros_like(size)
        # The image spans 2 in the coordinates of a grid.
        right, down = 2 * self.shift * draws[:, 2], 2 * self.shift * draws[:, 3]
        rows = torch.stack([side * size, zero, right, zero, size, down], dim=1)
        return rows.view(-1, 2, 3)
