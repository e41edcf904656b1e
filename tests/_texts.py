"""Texts as matrices of token ids, and small networks that read them."""

import numpy as np
import torch
from torch import nn

from skexplain.penalties import Rows
from skexplain.penalties._tokens import Tokens
from skexplain.training._label_losses import CrossEntropyLoss
from skexplain.training._tokens import TokenSettings, adapt_tokens

PAD, MASK, N_IDS, WIDTH = 0, 1, 40, 8


class Reader(nn.Module):
    """Reads ids as integers, leaves out padding, and mixes neighbours."""

    def __init__(self, n_outputs=2):
        super().__init__()
        self.embedding = nn.Embedding(N_IDS, 6, padding_idx=PAD)
        self.mix = nn.Linear(6, 6)
        self.head = nn.Linear(6, n_outputs)

    def forward(self, ids):
        real = (ids != PAD).unsqueeze(-1)
        h = torch.tanh(self.mix(self.embedding(ids))) * real
        return self.head(h.sum(1) / real.sum(1))


class FloatReader(Reader):
    """Turns floats into ids by itself, as networks had to."""

    def forward(self, x):
        return super().forward(x.long())


class Attending(nn.Module):
    """A block of attention behind the embedding, after which tokens have mixed."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(N_IDS, 12, padding_idx=PAD)
        self.block = nn.TransformerEncoderLayer(12, 2, 16, dropout=0.0, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, ids):
        return self.head(self.block(self.embedding(ids)).mean(1))


def make_texts(n=200, seed=0):
    """Texts of different lengths whose first token is a shortcut; returns X, y and a mask of it.

    Token 2 + y stands first.  The third token is a reason that holds for 4 of 5 texts.
    """
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    X = rng.integers(10, N_IDS, size=(n, WIDTH))
    X[:, 0] = 2 + y
    X[:, 2] = 4 + np.where(rng.random(n) < 0.8, y, 1 - y)
    X[np.arange(WIDTH) >= rng.integers(4, WIDTH + 1, size=n)[:, None]] = PAD
    mask = np.zeros((1, WIDTH))
    mask[0, 0] = 1
    return X, y, mask


def flip(X):
    """Return texts with the shortcut of the other class."""
    X = X.copy()
    X[:, 0] = 5 - X[:, 0]
    return X


def make_case(seed, n=6, share=0.5):
    """Return a network of doubles, which is adapted to tokens, and samples of them."""
    torch.manual_seed(seed)
    module = Reader().double().eval()
    X, y, _ = make_texts(n, seed)
    ids = torch.tensor(X, dtype=torch.float64)
    adapt_tokens(module, ids, TokenSettings(search=True))
    a = torch.rand(ids.shape, dtype=torch.float64) * (torch.rand(ids.shape) < share)
    unused = torch.ones(1, ids.shape[1], dtype=torch.float64)
    rows = Rows(
        x=ids,
        y=torch.tensor(y),
        irrelevance=a * (ids != PAD),
        known=ids != PAD,
        unit=unused,
        mean=unused,
        lower=unused,
        upper=unused,
        label_loss=CrossEntropyLoss(),
        tokens=Tokens(module.embedding, PAD, MASK),
    )
    return module, rows
