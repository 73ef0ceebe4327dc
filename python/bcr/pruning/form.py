"""What a pruning scheme must know of a layer besides its weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bcr.pruning.config import LayerConfig


@dataclass(frozen=True)
class Form:
    """The shape of a layer's weight tensor and the settings for it.

    Attributes:
        shape: of the weight tensor, (M, Cin / groups, *kernel); (M, K) for a linear layer.
        groups: of a convolution, 1 for a linear layer.
        settings: what was asked, the block already fitted to the layer.
    """

    shape: tuple[int, ...]
    groups: int
    settings: LayerConfig

    @property
    def matrix(self) -> tuple[int, int]:
        """M and K of the weight matrix."""
        return self.shape[0], math.prod(self.shape[1:])

    @property
    def kernel(self) -> tuple[int, int, int]:
        """M, channels of a filter and positions of a kernel; M * channels * positions weights."""
        return self.shape[0], self.shape[1], math.prod(self.shape[2:])
