"""A stack of pre-norm transformer blocks (Vaswani et al., 2017; Xiong et al., 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attention(nn.Module):
    """Self-attention with one linear layer for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, T, width] to [N, T, width]."""
        n, t, width = x.shape
        qkv = self.qkv(x).reshape(n, t, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v)
        mixed: Tensor = self.out(y.transpose(1, 2).reshape(n, t, width))
        return mixed


class Block(nn.Module):
    """Attention and a two-layer perceptron, each beside a shortcut."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, T, width] to [N, T, width]."""
        x = x + self.attention(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class TransformerBlocks(nn.Module):
    """Blocks with learned positions, a mean over time and a linear layer.

    Args:
        classes: outputs.
        width: size of a token, a multiple of `heads`.
        heads: of the attention.
        depth: blocks.
        length: the largest number of tokens.
    """

    def __init__(
        self, classes: int = 10, width: int = 64, heads: int = 4, depth: int = 2, length: int = 32
    ) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(length, width))
        self.blocks = nn.Sequential(*(Block(width, heads, 4 * width) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens [N, T, width] to scores [N, classes]; T is at most `length`."""
        x = self.blocks(x + self.position[: x.shape[1]])
        scores: Tensor = self.head(self.norm(x).mean(1))
        return scores
