"""The built-in network for texts: embedded words, pooled without the padding."""

import torch
from torch import nn

from ._architectures import Rescale

# Small beside what is learnt, so that words seen once or twice add little noise.
_INITIAL_STD = 0.1


class TokenNetwork(nn.Module):
    """Embedding, mean and maximum over the tokens of a text, a linear head.

    Parameters
    ----------
    n_ids : int
        Number of ids.
    n_outputs : int
        Number of outputs.
    pad_id : int
        Id of padding, which takes no part.
    neutral_id : int or None, default=None
        Id of a token that says nothing; it begins as zeros.
    width : int, default=32
        Length of an embedding.
    dropout : float, default=0.5
        Share of the pooled units that a training step leaves out.
    target_scale : (float, float) or None, default=None
        Mean and standard deviation of the training targets, for regression.
    """

    def __init__(
        self,
        n_ids: int,
        n_outputs: int,
        pad_id: int,
        neutral_id: int | None = None,
        width: int = 32,
        dropout: float = 0.5,
        target_scale: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.pad_id = pad_id
        self.embedding = nn.Embedding(n_ids, width, padding_idx=pad_id)
        with torch.no_grad():
            self.embedding.weight.mul_(_INITIAL_STD)
            if neutral_id is not None:
                self.embedding.weight[neutral_id] = 0
        self.dropout = nn.Dropout(dropout)
        self.head: nn.Module = nn.Linear(2 * width, n_outputs)
        if target_scale is not None:
            self.head = nn.Sequential(self.head, Rescale(*target_scale))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Compute the outputs, shape (n_samples, n_outputs)."""
        embedded = self.embedding(ids)
        there = (ids != self.pad_id).unsqueeze(2)
        count = there.sum(1)
        mean = (embedded * there).sum(1) / count.clamp(min=1)
        # Of a text without tokens all is zero.
        maximum = embedded.masked_fill(~there, -torch.inf).amax(1).where(count > 0, 0.0)
        return self.head(self.dropout(torch.cat([mean, maximum], 1)))
