"""Outputs of layers as maps with channels first, also tokens of a transformer."""

import torch

# Class tokens, tokens of a distillation and registers: what networks put before the patches.
_MAX_EXTRA_TOKENS = 8


def as_map(output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Lay out what a layer returns for pictures as a map with channels on axis 1.

    Tokens, (n_samples, tokens, channels), are the patches of the picture, row by row, in the
    largest grid of square patches that they fill, one without a rest if there is one.  At most
    eight tokens are left over, such as class tokens and registers: they go before the patches and
    are dropped.  Channels on the last axis are put on axis 1 where only then the map has the
    proportions of the picture and there are more channels than positions along an edge.

    Parameters
    ----------
    output : Tensor of shape (n_samples, ...)
        Output of a layer, or a gradient at it.
    x : Tensor of shape (n_samples, ...)
        Inputs of the network.

    Returns
    -------
    Tensor of shape (n_samples, channels, ...)
        As it is unless `x` are pictures with a channel axis.

    Raises
    ------
    ValueError
        If more tokens are left over than a network has of class tokens and registers.

    Examples
    --------
    >>> import torch
    >>> from skexplain.penalties._token_grid import as_map
    >>> as_map(torch.zeros(2, 197, 768), torch.zeros(2, 3, 224, 224)).shape
    torch.Size([2, 768, 14, 14])
    """
    if x.ndim != 4:
        return output
    if output.ndim == 3:
        height, width = _grid(output.shape[1], x.shape[2:])
        patches = output[:, output.shape[1] - height * width :]
        return patches.transpose(1, 2).unflatten(2, (height, width))
    if output.ndim == 4 and _has_channels_last(output.shape, x.shape[2:]):
        return output.permute(0, 3, 1, 2)
    return output


def _grid(n_tokens: int, size: torch.Size) -> tuple[int, int]:
    """Rows and columns of the largest grid of square patches that leaves a few tokens over.

    Patches that cut the picture without a rest go first.
    """
    height, width = size
    for without_rest in (True, False):
        for side in range(1, min(size) + 1):
            n_over = n_tokens - (height // side) * (width // side)
            cuts = not (without_rest and (height % side or width % side))
            if cuts and 0 <= n_over <= _MAX_EXTRA_TOKENS:
                return height // side, width // side
    raise ValueError(
        f"layer must return maps, or tokens that are the patches of a picture and at most "
        f"{_MAX_EXTRA_TOKENS} others before them; got {n_tokens} tokens for pictures of "
        f"{height} x {width} pixels."
    )


def _has_channels_last(shape: torch.Size, size: torch.Size) -> bool:
    _, first, second, third = shape

    def fits(height: int, width: int) -> bool:
        return 0.5 <= (height / width) / (size[0] / size[1]) <= 2

    return third > max(first, second) and fits(first, second) and not fits(second, third)
