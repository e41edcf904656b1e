"""Random perturbation of irrelevant features: Avg-Ex, and the swap between samples."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import torch
from torch import nn
from torch.nn import functional

from ..masks._fill import exchange_parts
from ..masks._tokens import exchange_or_swap_tokens, swap_tokens
from ._base import PerturbationPenalty, Rows, is_built_in
from ._checks import (
    check_count,
    check_fill,
    check_flag,
    check_number,
    check_option,
    check_token_fill,
)
from ._draws import draw
from ._fill import (
    Fill,
    exchange,
    fill_value,
    irrelevant_values,
    pooled_axes,
    replace_irrelevant,
)
from ._tokens import at_embedding

Perturbation = Literal[
    "gaussian",
    "uniform",
    "constant",
    "refill",
    "swap",
    "blank",
    "shift",
    "none",
]
PERTURBATIONS = get_args(Perturbation)
# These move the marked features of a sample; the others are of no use to it, or the user's own.
# Tuples: a callable that is compared with them need not be hashable.
_REPLACING = ("constant", "refill", "swap", "blank")
_EXCHANGING = ("gaussian", "uniform", *_REPLACING)


class AverageCasePenalty(PerturbationPenalty):
    r"""Label loss at randomly perturbed irrelevant features, the mean over draws.

    Each step draws anew for each sample x with irrelevance a and input unit u.

    Parameters
    ----------
    perturbation : str or callable, default="swap"
        How irrelevant features move:

        - "gaussian", "uniform": ``x + epsilon a u noise``, the noise standard normal or between -1
          and 1 (Avg-Ex of Heo et al. 2023 [1]_);
        - "constant": all to one random value per sample and channel from the range of the training
          data; in a table, to one random share of each column's range;
        - "refill": each to a random value of its own range, as the counterexamples of Schramowski
          et al. 2020 [2]_;
        - "swap": to the irrelevant features of another sample; where that sample's are relevant,
          to the mean of its irrelevant ones, so that no reason is passed on (but see `exchange`);
          other backgrounds behind an object are the mixed-rand of Xiao et al. 2021 [3]_;
        - "blank": to `fill`, which leaves the sample with its reasons alone;
        - "shift": the reasons alone, moved by up to `max_shift` pixels, on `background`; what
          leaves the image is lost;
        - "none": nothing moves: the control that only weighs these samples more.

        A callable is given ``(rows, donors, generator)``, `Rows` and a torch.Generator, and
        returns a tensor of the shape of ``rows.x``, which is taken as it is; donors are None
        unless it has an attribute ``needs_donors`` that is true.

        Of tokens (see the user guide) whole ones are exchanged: "swap" takes those of the same
        place or of another irrelevant place of the donor, "constant" and "refill" any of the
        vocabulary, "blank" puts `mask_id`; noise is added at the output of the embedding.
    epsilon : float, default=1.0
        Size of the noise in input units: its standard deviation, or half the width.
    n_draws : int, default=1
        Perturbed copies of a sample per step; the value is their mean.
    fill : float, "mean" or array-like, default=0.0
        What "blank" fills with, in the unit of X: a number, the training mean of each column or
        channel, or an array that broadcasts to a sample.
    max_shift : int, default=4
        How far "shift" moves, in pixels, along each axis of an image.
    background : {"blank", "donor"}, default="blank"
        What "shift" puts the reasons on: the `fill`, or another sample's irrelevant features.
    exchange : bool, default=True
        Whether samples exchange parts before, where masks mark parts of a sample (a ruler, some
        words) and not the same places in all: what either of two samples marks then comes from the
        other one, so that whether a part is there says nothing about the label, also where one
        class alone has it.  No part is put where the two masks would cover more than half.
        For noise, constants, blanks and the swap.

    References
    ----------
    .. [1] J. Heo, V. Piratla, M. Wicker, A. Weller (2023). Use Perturbations when Learning from
       Explanations. NeurIPS.
    .. [2] P. Schramowski et al. (2020). Making deep neural networks right for the right scientific
       reasons by interacting with their explanations. Nature Machine Intelligence 2.
    .. [3] K. Xiao, L. Engstrom, A. Ilyas, A. Madry (2021). Noise or Signal: The Role of Image
       Backgrounds in Object Recognition. ICLR.

    Examples
    --------
    >>> from skexplain.penalties import AverageCasePenalty
    >>> AverageCasePenalty("gaussian", epsilon=0.5)
    AverageCasePenalty(epsilon=0.5, perturbation='gaussian')
    """

    sharding = "passes"

    def __init__(
        self,
        perturbation: Perturbation | Callable[..., Any] = "swap",
        epsilon: float = 1.0,
        n_draws: int = 1,
        fill: Fill = 0.0,
        max_shift: int = 4,
        background: Literal["blank", "donor"] = "blank",
        exchange: bool = True,
    ) -> None:
        self.perturbation = perturbation
        self.epsilon = epsilon
        self.n_draws = n_draws
        self.fill = fill
        self.max_shift = max_shift
        self.background = background
        self.exchange = exchange

    @property
    def exchange_parts(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it begins with an exchange of parts."""
        return self.exchange and self.perturbation in _EXCHANGING

    @property
    def allows_stacking(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether several networks may compute it as one: one copy of each sample, in its place."""
        own = callable(self.perturbation) or self.perturbation == "shift"
        return self.n_draws == 1 and not own

    @property
    def runs_network(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it may run the network: a callable, or a class of a user's, may do so."""
        return callable(self.perturbation) or not is_built_in(type(self))

    @property
    def default_alpha(self) -> Literal["replace"] | float:
        """Weight where none is given: other values take the place of the clean ones, noise adds."""
        return "replace" if self.perturbation in _REPLACING else 1.0

    @property
    def needs_donors(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it mixes in other samples."""
        if callable(self.perturbation):
            return bool(getattr(self.perturbation, "needs_donors", False))
        return self.perturbation == "swap" or (
            self.perturbation == "shift" and self.background == "donor"
        )

    def check_parameters(self) -> None:
        """Check the parameters."""
        if not callable(self.perturbation):
            check_option("perturbation", self.perturbation, PERTURBATIONS)
        check_number("epsilon", self.epsilon)
        check_count("n_draws", self.n_draws)
        check_count("max_shift", self.max_shift)
        check_option("background", self.background, ("blank", "donor"))
        check_flag("exchange", self.exchange)

    @property
    def reads_embedding(self) -> bool:  # type: ignore[override]  # follows from parameters
        """Whether it moves tokens at the output of their embedding."""
        return self.perturbation in ("gaussian", "uniform")

    def check_inputs(self, row_shape: tuple[int, ...]) -> None:
        """Check that the fill broadcasts to a sample."""
        check_fill("fill", self.fill, row_shape)

    def check_tokens(self, module: nn.Module, rows: Rows) -> None:
        """Check that there is a token to fill with."""
        if self.perturbation == "blank":
            check_token_fill(self.fill, rows.tokens)

    def check_module(self, module: nn.Module, x: torch.Tensor) -> None:
        """Check that what is to be shifted are images."""
        if self.perturbation == "shift" and x.ndim not in (3, 4):
            raise ValueError(
                f'perturbation="shift" needs images, X of shape (n, h, w) or (n, channels, h, w); '
                f"got samples of shape {tuple(x.shape[1:])}."
            )

    def move(
        self,
        module: nn.Module,
        rows: Rows,
        donors: Rows | None = None,
        generator: torch.Generator | None = None,
    ) -> torch.Tensor:
        """Perturb each sample `n_draws` times; shape (n_draws * n_samples, ...)."""
        copies = rows.repeat(self.n_draws)
        exchanges = self.exchange_parts and rows.marks_parts
        if not (self.needs_donors or exchanges):
            donors = None  # they are there where another term needs them
        elif self.n_draws > 1:
            donors = _redistribute(donors, self.n_draws, generator)
        if exchanges and self.perturbation != "swap":
            copies = exchange(copies, donors, generator)
        if self.reads_embedding:
            copies = at_embedding(copies)
        if callable(self.perturbation):
            return self._call(self.perturbation, copies, donors, generator)
        return getattr(self, f"_{self.perturbation}")(copies, donors, generator)

    @staticmethod
    def _call(
        perturbation: Callable[..., Any],
        rows: Rows,
        donors: Rows | None,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        moved = perturbation(rows, donors, generator)
        if not isinstance(moved, torch.Tensor) or moved.shape != rows.x.shape:
            raise ValueError(
                f"perturbation must return a tensor of the shape of rows.x, "
                f"{tuple(rows.x.shape)}; got {type(moved).__name__} of shape "
                f"{tuple(getattr(moved, 'shape', ()))}."
            )
        return moved.to(rows.x)

    def _gaussian(
        self, rows: Rows, donors: Rows | None, generator: torch.Generator | None
    ) -> torch.Tensor:
        return self._add(rows, draw(torch.randn, rows.x.shape, generator, rows.x))

    def _uniform(
        self, rows: Rows, donors: Rows | None, generator: torch.Generator | None
    ) -> torch.Tensor:
        return self._add(rows, 2 * draw(torch.rand, rows.x.shape, generator, rows.x) - 1)

    def _add(self, rows: Rows, noise: torch.Tensor) -> torch.Tensor:
        return rows.x + self.epsilon * rows.irrelevance * rows.unit * noise

    def _constant(
        self, rows: Rows, donors: Rows | None, generator: torch.Generator | None
    ) -> torch.Tensor:
        pooled = pooled_axes(rows.x)
        shape = [1 if axis in pooled else size for axis, size in enumerate(rows.x.shape)]
        return replace_irrelevant(rows, _in_range(rows, shape, generator), generator)

    def _refill(
        self, rows: Rows, donors: Rows | None, generator: torch.Generator | None
    ) -> torch.Tensor:
        return replace_irrelevant(rows, _in_range(rows, rows.x.shape, generator), generator)

    def _swap(self, rows: Rows, donors: Rows, generator: torch.Generator | None) -> torch.Tensor:
        both = (rows.x, rows.irrelevance, donors.x, donors.irrelevance)
        exchanges = self.exchange and rows.marks_parts
        if rows.tokens is not None:
            if exchanges:
                return exchange_or_swap_tokens(*both, rows.tokens.pad_id, generator)
            return swap_tokens(*both, generator)
        if rows.share_hard_mask:  # the same to the bit, without a mean that no sample is given
            return replace_irrelevant(rows, donors.x)

        def by_own_marks() -> torch.Tensor:
            return replace_irrelevant(rows, irrelevant_values(donors))

        return exchange_parts(*both, by_own_marks) if exchanges else by_own_marks()

    def _blank(
        self, rows: Rows, donors: Rows | None, generator: torch.Generator | None
    ) -> torch.Tensor:
        return replace_irrelevant(rows, fill_value(self.fill, rows), generator)

    def _shift(self, rows: Rows, donors: Any, generator: torch.Generator | None) -> torch.Tensor:
        if self.background == "donor":
            background = irrelevant_values(donors)
        else:
            background = fill_value(self.fill, rows).expand_as(rows.x)
        shifts = torch.randint(
            -self.max_shift,
            self.max_shift + 1,
            (2, len(rows.x)),
            generator=generator,
            device=rows.x.device,
        )
        relevance = (1 - rows.irrelevance).expand_as(rows.x)
        return background.lerp(shift_images(rows.x, *shifts), shift_images(relevance, *shifts))

    def _none(
        self, rows: Rows, donors: Rows | None, generator: torch.Generator | None
    ) -> torch.Tensor:
        return rows.x


def _in_range(rows: Rows, shape: Sequence[int], generator: torch.Generator | None) -> torch.Tensor:
    """Draw shares of the given shape, and return the values there in each column or channel.

    Of tokens, draw any of the vocabulary.
    """
    if rows.tokens is not None:
        return rows.tokens.draw(tuple(shape), generator, rows.x)
    return rows.lower + draw(torch.rand, shape, generator, rows.x) * (rows.upper - rows.lower)


def _redistribute(donors: Any, n_draws: int, generator: torch.Generator | None) -> Rows:
    """Return the donors for other samples at each draw but the first."""
    size, device = len(donors.x), donors.x.device
    orders = [torch.arange(size, device=device)]
    for _ in range(n_draws - 1):
        orders.append(torch.randperm(size, generator=generator, device=device))
    return donors.take(torch.cat(orders))


def shift_images(x: torch.Tensor, down: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Shift each image by its own numbers of pixels; zeros come in from outside.

    Parameters
    ----------
    x : Tensor of shape (n_samples, h, w) or (n_samples, channels, h, w)
        Images.
    down, right : LongTensor of shape (n_samples,)
        Pixels.

    Returns
    -------
    Tensor of the shape of `x`
    """
    height, width = x.shape[-2:]
    margin = max(height, width)
    down, right = down.clamp(-margin, margin), right.clamp(-margin, margin)
    images = x if x.ndim == 4 else x[:, None]
    padded = functional.pad(images, [margin] * 4)
    i = torch.arange(height, device=x.device) + margin - down[:, None]
    j = torch.arange(width, device=x.device) + margin - right[:, None]
    row = torch.arange(len(x), device=x.device)[:, None, None, None]
    channel = torch.arange(images.shape[1], device=x.device)[:, None, None]
    return padded[row, channel, i[:, None, :, None], j[:, None, None, :]].view_as(x)
