"""Reweighted group lasso: small groups of weights shrink away, large ones are left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.method import Method
from bcr.pruning.methods import quadratic
from bcr.pruning.methods.options import ReweightedOptions
from bcr.pruning.methods.reweighting import coefficients
from bcr.pruning.methods.state import save_tensors, take_tensors
from bcr.pruning.schemes import choose_masks, threshold_masks
from bcr.pruning.sharding import local_part


class Reweighted(Method[ReweightedOptions]):
    """Adds ``strength * sum over groups of ||W_g||^2 / (||W_g^t||^2 + epsilon)`` to the loss.

    Source and exact form of the penalty: `reweighting.coefficients`, anew every `interval` steps.
    The groups are those that the layer's scheme drops together.

    `finalize` prunes to the rate asked for; with ``ranking="network"`` the layers share one
    budget, so that the rate of each comes out of the training. With a `threshold` the rate of all
    comes out of it: groups are dropped whose root mean square is below `threshold` times that of
    their layer. The rate asked for is then the least one: a layer that keeps too much is pruned
    to it.
    """

    def __init__(self, layers: Sequence[Layer], options: ReweightedOptions) -> None:
        super().__init__(layers, options)
        self._step = 0
        # By layer name, local parts in the shape of the parameter; empty before begin_step.
        self._coefficients: dict[str, torch.Tensor] = {}
        if options.begin_step == 0:
            self._reweight()

    @property
    def penalises(self) -> bool:
        """See `Method.penalises`."""
        return bool(self._coefficients)

    def unfinished(self) -> str:
        """See `Method.unfinished`."""
        first = self.options.begin_step + self.options.interval
        if self._step >= first:
            return ""
        return f"{self._step} steps are done, the first reweighting comes after {first}"

    def penalty(self) -> torch.Tensor:
        """See `Method.penalty`."""
        if not self._coefficients:
            return super().penalty()
        terms = quadratic.total(self.layers, quadratic.weighted, self._coefficients)
        return self.options.strength * terms

    def step(self) -> None:
        """See `Method.step`."""
        self._step += 1
        since = self._step - self.options.begin_step
        if since >= 0 and since % self.options.interval == 0:
            self._reweight()

    def _reweight(self) -> None:
        self._coefficients = {
            layer.name: local_part(coefficients(layer, self.options.epsilon), layer.parameter)
            for layer in self.layers
        }

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        asked = choose_masks(self.layers)
        if self.options.threshold is None:
            return asked
        bounds = {
            layer.name: self.options.threshold
            * float(layer.matrix().double().square().mean()) ** 0.5
            for layer in self.layers
        }
        found = threshold_masks(self.layers, bounds)
        return {
            name: mask if int(mask.sum()) <= int(asked[name].sum()) else asked[name]
            for name, mask in found.items()
        }

    def state_dict(self) -> dict[str, Any]:
        """See `Method.state_dict`."""
        return {"step": self._step, "coefficients": save_tensors(self.layers, self._coefficients)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Method.load_state_dict`."""
        self._coefficients = take_tensors(self.layers, state["coefficients"])
        self._step = state["step"]
