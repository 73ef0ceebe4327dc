"""What every pruning method offers to the `Pruner`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.methods.options import MethodOptions

Options = TypeVar("Options", bound=MethodOptions)


class Method(ABC, Generic[Options]):
    """Decides which weights of the layers stay, possibly after shaping them during training.

    Register a subclass in `bcr.pruning.registry`. A method does not touch the weights: it returns
    masks, chosen by `bcr.pruning.schemes`, and the `Pruner` applies them. Where several processes
    train one model, all of them call each of these functions, with equal weights, and all come to
    the same result.

    Args:
        layers: the layers to prune, with their settings.
        options: the settings of the method.
    """

    def __init__(self, layers: Sequence[Layer], options: Options) -> None:
        self.layers = list(layers)
        self.options = options

    def penalty(self) -> torch.Tensor:
        """Return the term to add to the loss: a scalar, zero unless the method needs one."""
        device = self.layers[0].parameter.device if self.layers else None
        return torch.zeros((), device=device)

    @property
    def penalises(self) -> bool:
        """Whether `penalty` must be in the loss at present."""
        return False

    def unfinished(self) -> str:
        """Return what of the schedule is still to come, for a warning; empty if nothing is."""
        return ""

    def step(self) -> dict[str, torch.Tensor] | None:
        """Do what is due after one step of the optimiser.

        Returns:
            For each layer the bool mask [M, K] of the weights to hold at zero (where False) from
            now on, in place of those held so far; None to change nothing.
        """
        return None

    @abstractmethod
    def masks(self) -> dict[str, torch.Tensor]:
        """Return for each layer the final bool mask [M, K] of the weights that stay."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a training run needs to go on from here; empty by default.

        Holds plain values and tensors only.
        """
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            ConfigError: the state is of other layers.
        """
