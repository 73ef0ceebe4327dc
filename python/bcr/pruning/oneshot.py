"""One-shot magnitude pruning: no training needed, the projection of the weights as they are."""

from __future__ import annotations

import torch

from bcr.pruning.method import Method
from bcr.pruning.methods.options import MethodOptions
from bcr.pruning.schemes import choose_masks


class OneShot(Method[MethodOptions]):
    """Keeps what the layers' schemes choose from the weights at the time of `finalize`."""

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        return choose_masks(self.layers)
