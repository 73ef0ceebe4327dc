"""The network that spots words: what is trained, and what runs step by step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bcr.audio import BANDS

STACK = 2
"""Frames of 10 ms that the network takes in one step."""
FEATURES = STACK * BANDS
"""Numbers of one step."""
LAYERS = 2
"""Layers of the GRU."""


class Spotter(nn.Module):
    """Two GRU layers over steps of 20 ms, and a linear layer: a score for each word at each step.

    Args:
        words: how many; class 0 is everything else.
        width: units of a GRU layer.
    """

    def __init__(self, words: int, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(FEATURES))
        self.register_buffer("scale", torch.ones(FEATURES))
        self.gru = nn.GRU(FEATURES, width, LAYERS, batch_first=True)
        self.head = nn.Linear(width, 1 + words)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores [N, T, 1 + words] of steps [N, T, 80], and the state after them.

        Args:
            x: log-mel features.
            h: state before the first step, [2, N, width].
        """
        y, h = self.gru((x - self.mean) * self.scale, h)
        return self.head(y), h

    def start(self, count: int) -> Tensor:
        """Return the state of so many sounds before they begin."""
        return torch.zeros(LAYERS, count, self.gru.hidden_size)


class Step(nn.Module):
    """One step of a spotter on one sound: what is compiled."""

    def __init__(self, spotter: Spotter) -> None:
        super().__init__()
        self.spotter = spotter

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Map features [1, 1, 80] and a state to probabilities [1 + words] and the next."""
        scores, h = self.spotter(x, h)
        return torch.softmax(scores[0, 0], 0), h
