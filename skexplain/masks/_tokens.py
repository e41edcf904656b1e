"""What samples of tokens exchange: whole tokens, which have no mean, and nothing of their reasons.

Every function takes ids of shape (n_samples, tokens) in any dtype.  A token of a degree between 0
and 1 is exchanged, or given away, with this probability.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ._fill import leave_room

Generator = torch.Generator | None


def swap_tokens(
    ids: Tensor,
    irrelevance: Tensor,
    donor_ids: Tensor,
    donor_irrelevance: Tensor,
    generator: Generator = None,
) -> Tensor:
    """Replace the irrelevant tokens of samples by irrelevant tokens of their donors.

    A token comes from the same place where that is irrelevant in the donor, too, and else from
    another one of the donor's irrelevant places, drawn at random: no reason is passed on.  A donor
    with nothing irrelevant gives tokens of the others.

    Parameters
    ----------
    ids, donor_ids : Tensor of shape (n_samples, tokens)
        The samples, and the donor of each.
    irrelevance, donor_irrelevance : Tensor of shape (n_samples, tokens)
        Degrees in [0, 1]; 0 at padding.
    generator : torch.Generator or None, default=None

    Returns
    -------
    Tensor of the shape of `ids`
    """
    return _swap(ids, irrelevance, donor_ids, donor_irrelevance, _shares(3, ids, generator))


def exchange_tokens(
    ids: Tensor,
    irrelevance: Tensor,
    donor_ids: Tensor,
    donor_irrelevance: Tensor,
    otherwise: Tensor,
    pad_id: int | None,
    generator: Generator = None,
) -> Tensor:
    """Replace the tokens that either of two samples marks by those of the donor.

    As `exchange_parts` does with features.  The length of a sample does not change: where the donor
    has ended, an unmarked token of it stands in, and padding is never replaced.

    Parameters
    ----------
    ids, donor_ids : Tensor of shape (n_samples, tokens)
        The samples, and the donor of each.
    irrelevance, donor_irrelevance : Tensor of shape (n_samples, tokens)
        Degrees in [0, 1]; 0 at padding.
    otherwise : Tensor of the shape of `ids`
        What is taken for pairs whose marks cover more than half of the tokens.
    pad_id : int or None
        The id of padding.
    generator : torch.Generator or None, default=None

    Returns
    -------
    Tensor of the shape of `ids`
    """
    exchanged, fits = _exchange(
        ids, irrelevance, donor_ids, donor_irrelevance, pad_id, _shares(2, ids, generator)
    )
    return torch.where(fits, exchanged, otherwise)


def exchange_or_swap_tokens(
    ids: Tensor,
    irrelevance: Tensor,
    donor_ids: Tensor,
    donor_irrelevance: Tensor,
    pad_id: int | None,
    generator: Generator = None,
) -> Tensor:
    """Exchange the tokens of samples as `exchange_tokens`, and swap those of all other pairs.

    Parameters
    ----------
    ids, donor_ids : Tensor of shape (n_samples, tokens)
        The samples, and the donor of each.
    irrelevance, donor_irrelevance : Tensor of shape (n_samples, tokens)
        Degrees in [0, 1]; 0 at padding.
    pad_id : int or None
        The id of padding.
    generator : torch.Generator or None, default=None

    Returns
    -------
    Tensor of the shape of `ids`
    """
    both = (ids, irrelevance, donor_ids, donor_irrelevance)
    # Those of the swap first and in any case: what is drawn does not depend on the masks.
    of_swap, of_exchange = (_shares(n, ids, generator) for n in (3, 2))
    exchanged, fits = _exchange(*both, pad_id, of_exchange)
    if bool(fits.all()):
        return exchanged
    return torch.where(fits, exchanged, _swap(*both, of_swap))


def _swap(
    ids: Tensor,
    irrelevance: Tensor,
    donor_ids: Tensor,
    donor_irrelevance: Tensor,
    shares: Sequence[Tensor],
) -> Tensor:
    """Compute what `swap_tokens` returns, from random numbers in [0, 1)."""
    gives = shares[1] < donor_irrelevance
    return _take(ids, shares[0] < irrelevance, donor_ids, gives, gives, shares[2])


def _exchange(
    ids: Tensor,
    irrelevance: Tensor,
    donor_ids: Tensor,
    donor_irrelevance: Tensor,
    pad_id: int | None,
    shares: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Compute an exchange for all pairs, and which pairs leave room for one, (n_samples, 1)."""
    union = torch.maximum(irrelevance, donor_irrelevance).expand(ids.shape)
    present, of_donor = real_tokens(ids, pad_id), real_tokens(donor_ids, pad_id)
    moves = (shares[0] < union) & present
    unmarked = of_donor & (donor_irrelevance == 0)
    exchanged = _take(ids, moves, donor_ids, of_donor, unmarked, shares[1])
    return exchanged, leave_room(union, ids.ndim, present)


def _shares(n_draws: int, ids: Tensor, generator: Generator) -> list[Tensor]:
    """Draw numbers in [0, 1) for each token, several times."""
    return [torch.rand(ids.shape, generator=generator, device=ids.device) for _ in range(n_draws)]


def draw_tokens(degrees: Tensor, generator: Generator = None) -> Tensor:
    """Draw which tokens a change meets: each with the probability that its degree says.

    Parameters
    ----------
    degrees : Tensor of shape (n_samples, tokens)
        In [0, 1].
    generator : torch.Generator or None, default=None

    Returns
    -------
    bool Tensor of the shape of `degrees`
    """
    return torch.rand(degrees.shape, generator=generator, device=degrees.device) < degrees


def real_tokens(ids: Tensor, pad_id: int | None) -> Tensor:
    """Return which tokens are no padding.

    Parameters
    ----------
    ids : Tensor of shape (n_samples, tokens)
    pad_id : int or None
        None: there is no padding.

    Returns
    -------
    bool Tensor of the shape of `ids`
    """
    return torch.ones_like(ids, dtype=torch.bool) if pad_id is None else ids != pad_id


def _take(
    ids: Tensor,
    moves: Tensor,
    donor_ids: Tensor,
    in_place: Tensor,
    others: Tensor,
    share: Tensor,
) -> Tensor:
    """Replace tokens by those of donors: that of the same place, or one from another place.

    Parameters
    ----------
    ids, donor_ids : Tensor of shape (n_samples, tokens)
    moves : bool Tensor of the same shape
        Which tokens are replaced.
    in_place : bool Tensor of the same shape
        Where a donor gives the token of the place itself.
    others : bool Tensor of the same shape
        From which places it gives one where it does not; donors without any give those of others,
        and where there are none at all, tokens stay.
    share : Tensor of the same shape
        Random numbers in [0, 1), which choose the other place.

    Returns
    -------
    Tensor of the shape of `ids`
    """
    taken = torch.where(moves & in_place, donor_ids, ids)
    # Few tokens remain, as a rule.
    row, place = (moves & ~in_place).nonzero(as_tuple=True)
    pool = donor_ids[others] if len(row) else taken[:0]  # donor after donor
    if len(pool):
        count = others.sum(1)
        first, count, share = (count.cumsum(0) - count)[row], count[row], share[row, place]
        own = first + torch.minimum((share * count).long(), count - 1)
        of_all = (share * len(pool)).long().clamp(max=len(pool) - 1)
        taken[row, place] = pool[torch.where(count > 0, own, of_all)]
    return taken
