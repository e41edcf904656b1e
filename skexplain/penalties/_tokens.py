"""Samples that are tokens: what is continuous happens at the output of their embedding.

There a sample is a tensor of shape (tokens, 1 + units): the id of each token, then its embedding.
The network takes it in the place of ids of shape (tokens,) and runs on from the embedding (see
``training/_tokens``), so that a penalty reads and moves it like an image.  The input unit of ids is
0, that of all units the spread of the embedding.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..masks._tokens import real_tokens

if TYPE_CHECKING:
    from ._base import Rows


@dataclass(frozen=True)
class Tokens:
    """What is known of samples that are tokens.

    Attributes
    ----------
    embedding : torch.nn.Embedding
        Through which the network reads ids.
    pad_id, mask_id : int or None
        Ids of padding and of the token that says nothing; None: there is none.
    in_spreads : bool, default=True
        Whether the input unit is the spread of the embedding, or 1.
    """

    embedding: nn.Embedding
    pad_id: int | None
    mask_id: int | None
    in_spreads: bool = True
    _measured: dict[int, dict[str, Tensor]] = field(default_factory=dict, compare=False, repr=False)

    def blank(self) -> int:
        """Return the id of the token that says nothing.

        Raises
        ------
        ValueError
            If there is none.
        """
        if self.mask_id is None:
            raise ValueError(
                "mask_id must be the id of a token that says nothing, such as [MASK] or <unk>, "
                "which stands in for irrelevant tokens here; got None. See "
                "docs/text_and_tables.md#tokens."
            )
        return self.mask_id

    def draw(
        self, shape: tuple[int, ...], generator: torch.Generator | None, like: Tensor
    ) -> Tensor:
        """Draw tokens of the vocabulary, all alike but padding; of the kind of `like`."""
        size = self.embedding.num_embeddings - (self.pad_id is not None)
        ids = torch.randint(size, shape, generator=generator, device=like.device)
        if self.pad_id is not None:
            ids = ids + (ids >= self.pad_id)
        return ids.to(like.dtype)

    def embed(self, ids: Tensor) -> Tensor:
        """Put the embedding behind the ids: shape (n_samples, tokens, 1 + units).

        Weights of the embedding are trained through it.
        """
        embedded = self.embedding(ids.long())
        return torch.cat([ids.unsqueeze(-1).to(embedded.dtype), embedded], -1)

    def changed(self) -> None:
        """Note that the embedding may have changed, of which the fused optimizers say nothing."""
        if self.embedding.weight.requires_grad:
            torch.autograd.graph.increment_version(self.embedding.weight)

    def units(self) -> dict[str, Tensor]:
        """Measure the embedding: its spread, mean and range over the vocabulary without padding.

        The spread is one number, the root of the mean variance of its units.
        """
        version = self.embedding.weight._version  # another one after each change
        if version not in self._measured:
            self._measured.clear()
            self._measured[version] = self._measure(self.embedding.weight.detach())
        return self._measured[version]

    def _measure(self, weight: Tensor) -> dict[str, Tensor]:
        if self.pad_id is not None:
            weight = weight[
                real_tokens(torch.arange(len(weight), device=weight.device), self.pad_id)
            ]
        mean = weight.mean(0)
        spread = (weight - mean).square().mean().sqrt() if self.in_spreads else weight.new_ones(())
        of_ids = {"unit": 0.0, "mean": 0.0, "lower": -torch.inf, "upper": torch.inf}
        measured = {
            "unit": spread.expand(mean.shape),
            "mean": mean,
            "lower": weight.amin(0),
            "upper": weight.amax(0),
        }
        return {
            name: torch.cat([values.new_full((1,), of_ids[name]), values]).view(1, 1, -1)
            for name, values in measured.items()
        }


def at_embedding(rows: "Rows", x: Tensor | None = None) -> "Rows":
    """Return samples of tokens as they are at the output of their embedding; all others as given.

    Parameters
    ----------
    rows : Rows
    x : Tensor of shape (n_samples, tokens, 1 + units) or None, default=None
        What they are there, if it is known already.

    Returns
    -------
    Rows
    """
    if rows.tokens is None or rows.x.ndim > 2:
        return rows

    def for_all_units(marks: Any) -> Any:
        return None if marks is None else marks.unsqueeze(-1)

    measured: dict[str, Any] = rows.tokens.units()
    return replace(
        rows,
        x=rows.tokens.embed(rows.x) if x is None else x,
        irrelevance=for_all_units(rows.irrelevance),
        known=for_all_units(rows.known),
        **measured,
    )


def length_by_token(values: Tensor, rows: "Rows") -> Tensor:
    """Return the length of what belongs to each token, of other features the values themselves.

    Parameters
    ----------
    values : Tensor of the shape of ``at_embedding(rows).x``
    rows : Rows
        Samples as they are; padding has length 0.

    Returns
    -------
    Tensor of the shape of the samples of X
    """
    if rows.tokens is None:
        return values
    return torch.linalg.vector_norm(values, dim=-1) * real_tokens(rows.x, rows.tokens.pad_id)
