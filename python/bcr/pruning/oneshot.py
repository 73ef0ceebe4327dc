"""One-shot magnitude pruning: no training needed, the projection of the weights as they are."""

from __future__ import annotations

import torch

from bcr.pruning.method import Method
from bcr.pruning.projection import bcr_mask


class OneShot(Method):
    """Keeps in each block the rows and columns of largest norm at the time of `finalize`."""

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        return {
            layer.name: bcr_mask(
                layer.matrix(),
                rate=layer.settings.rate,
                block=layer.settings.block,
                scheme=layer.settings.scheme,
            )
            for layer in self.layers
        }
