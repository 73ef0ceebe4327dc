"""What every pruning method offers to the `Pruner`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch

from bcr.pruning.layer import Layer


class Method(ABC):
    """Decides which weights of the layers stay, possibly after shaping them during training.

    Register a subclass in `bcr.pruning.registry`.

    Args:
        layers: the layers to prune, with their settings.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.layers = list(layers)

    def penalty(self) -> torch.Tensor:
        """Return the term to add to the loss: a scalar, zero unless the method needs one."""
        device = self.layers[0].parameter.device if self.layers else None
        return torch.zeros((), device=device)

    def step(self) -> None:  # noqa: B027  a hook that most methods leave alone
        """Do what is due after one step of the optimiser; nothing unless the method needs it."""

    @abstractmethod
    def masks(self) -> dict[str, torch.Tensor]:
        """Return for each layer the bool mask [M, K] of the weights that stay."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a training run needs to go on from here; empty by default."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027  as for step
        """Take over what `state_dict` returned."""
