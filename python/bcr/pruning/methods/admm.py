"""ADMM: training pulls the weights towards the nearest pruned ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.method import Method
from bcr.pruning.methods import quadratic
from bcr.pruning.methods.options import AdmmOptions
from bcr.pruning.methods.state import take_tensors
from bcr.pruning.schemes import choose_masks


class Admm(Method[AdmmOptions]):
    """Alternating direction method of multipliers.

    Source: Zhang et al., "A Systematic DNN Weight Pruning Framework using ADMM" (ECCV 2018),
    equations 4 to 8; ADMM-NN (Ren et al., ASPLOS 2019), section 3; Boyd et al., "Distributed
    Optimization and Statistical Learning via ADMM" (2011), sections 3.1.1 and 3.4.1. Minimising
    the loss f(W) over pruned weights is split in two with the auxiliary variable Z, the pruned
    copy of W, and the scaled dual variable U:

    - the optimiser minimises ``f(W) + rho / 2 * sum ||W - Z + U||^2``; `penalty` is the second
      term;
    - every `interval` steps ``Z <- projection(W + U)``, then ``U <- U + W - Z``.

    Z starts as the projection of W, U as zero, both after `begin_step` steps. rho starts small,
    so that the loss decides, and grows with each update by `rho_growth` up to `rho_max`; U is
    divided by the same factor, because the dual variable is rho * U (Boyd, section 3.4.1).

    `finalize` prunes W, by then close to Z, to the rate; further training is the masked retraining
    of the papers.
    """

    def __init__(self, layers: Sequence[Layer], options: AdmmOptions) -> None:
        super().__init__(layers, options)
        self._step = 0
        self._rho = options.rho
        # By layer name, in the shape of the parameter; empty before begin_step.
        self._dual: dict[str, torch.Tensor] = {}
        self._target: dict[str, torch.Tensor] = {}  # Z - U, what the penalty pulls W towards
        if options.begin_step == 0:
            self._start()

    def penalty(self) -> torch.Tensor:
        """See `Method.penalty`."""
        if not self._target:
            return super().penalty()
        return self._rho / 2 * quadratic.total(self.layers, quadratic.distance, self._target)

    def step(self) -> None:
        """See `Method.step`."""
        self._step += 1
        since = self._step - self.options.begin_step
        if since == 0:
            self._start()
        elif since > 0 and since % self.options.interval == 0:
            self._update()

    def _start(self) -> None:
        self._dual = {
            layer.name: torch.zeros_like(quadratic.wide(layer.parameter.detach()))
            for layer in self.layers
        }
        masks = choose_masks(self.layers)
        for layer in self.layers:
            mask = masks[layer.name]
            self._target[layer.name] = (quadratic.wide(layer.matrix()) * mask).reshape(
                layer.parameter.shape
            )

    def _update(self) -> None:
        shifted = {
            layer.name: quadratic.wide(layer.matrix()) + self._dual[layer.name].flatten(1)
            for layer in self.layers
        }
        masks = choose_masks(self.layers, shifted)
        rho = min(self._rho * self.options.rho_growth, max(self.options.rho_max, self._rho))
        for layer in self.layers:
            name = layer.name
            pruned = shifted[name] * masks[name]
            dual = (shifted[name] - pruned) * (self._rho / rho)
            self._dual[name] = dual.reshape(layer.parameter.shape)
            self._target[name] = (pruned - dual).reshape(layer.parameter.shape)
        self._rho = rho

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        return choose_masks(self.layers)

    def state_dict(self) -> dict[str, Any]:
        """See `Method.state_dict`."""
        return {
            "step": self._step,
            "rho": self._rho,
            "dual": dict(self._dual),
            "target": dict(self._target),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Method.load_state_dict`."""
        self._dual = take_tensors(self.layers, state["dual"])
        self._target = take_tensors(self.layers, state["target"])
        self._step = state["step"]
        self._rho = state["rho"]
