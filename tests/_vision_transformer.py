"""A small vision transformer, as tests need one without further packages."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Attention and a perceptron, both with a residual connection."""

    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, tokens):
        """Map tokens to tokens."""
        n, t, width = tokens.shape
        parts = self.queries(self.norm1(tokens)).view(n, t, 3, 2, width // 2)
        q, k, v = parts.permute(2, 0, 3, 1, 4)
        mixed = (
            functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, t, width)
        )
        tokens = tokens + self.project(mixed)
        return tokens + self.mlp(self.norm2(tokens))


class VisionTransformer(nn.Module):
    """Two blocks on square patches, and a linear head on the class token."""

    def __init__(self, num_classes=1000, patch=4, grid=(2, 2), width=8, n_extra=1, channels=3):
        super().__init__()
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.extra = nn.Parameter(torch.randn(1, n_extra, width))
        self.places = nn.Parameter(torch.randn(1, n_extra + grid[0] * grid[1], width))
        self.blocks = nn.Sequential(Block(width), Block(width))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_classes)

    def forward(self, x):
        """Return logits."""
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.extra.expand(len(x), -1, -1), tokens], 1) + self.places
        return self.head(self.norm(self.blocks(tokens))[:, 0])
