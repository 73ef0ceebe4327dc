"""ADMM: training pulls the weights towards the nearest pruned ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.method import Method
from bcr.pruning.methods import quadratic
from bcr.pruning.methods.options import AdmmOptions
from bcr.pruning.methods.state import save_tensors, take_tensors
from bcr.pruning.schemes import choose_masks
from bcr.pruning.sharding import joined, local, local_part


class Admm(Method[AdmmOptions]):
    """Alternating direction method of multipliers.

    Source: Zhang et al., "A Systematic DNN Weight Pruning Framework using ADMM" (ECCV 2018);
    ADMM-NN (Ren et al., ASPLOS 2019); Boyd et al., "Distributed Optimization and Statistical
    Learning via ADMM" (2011), sections 3.1.1 (scaled form) and 3.4.1 (varying penalty). Minimising
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
        # By layer name, local parts in the shape of the parameter; empty before begin_step.
        self._dual: dict[str, torch.Tensor] = {}
        self._target: dict[str, torch.Tensor] = {}  # Z - U, what the penalty pulls W towards
        if options.begin_step == 0:
            self._start()

    @property
    def penalises(self) -> bool:
        """See `Method.penalises`."""
        return bool(self._target)

    def unfinished(self) -> str:
        """See `Method.unfinished`."""
        first = self.options.begin_step + self.options.interval
        if self._step >= first:
            return ""
        return f"{self._step} steps are done, the first update comes after {first}"

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
        masks = choose_masks(self.layers)
        for layer in self.layers:
            weight = quadratic.wide(local(layer.parameter.detach()))
            self._dual[layer.name] = torch.zeros_like(weight)
            pruned = quadratic.wide(layer.matrix()) * masks[layer.name]
            self._target[layer.name] = _cut(pruned, layer)

    def _update(self) -> None:
        shifted = {
            layer.name: quadratic.wide(layer.matrix())
            + joined(self._dual[layer.name], layer.parameter).flatten(1)
            for layer in self.layers
        }
        masks = choose_masks(self.layers, shifted)
        rho = min(self._rho * self.options.rho_growth, max(self.options.rho_max, self._rho))
        for layer in self.layers:
            pruned = shifted[layer.name] * masks[layer.name]
            dual = (shifted[layer.name] - pruned) * (self._rho / rho)
            self._dual[layer.name] = _cut(dual, layer)
            self._target[layer.name] = _cut(pruned - dual, layer)
        self._rho = rho

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        return choose_masks(self.layers)

    def state_dict(self) -> dict[str, Any]:
        """See `Method.state_dict`."""
        return {
            "step": self._step,
            "rho": self._rho,
            "dual": save_tensors(self.layers, self._dual),
            "target": save_tensors(self.layers, self._target),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Method.load_state_dict`."""
        self._dual = take_tensors(self.layers, state["dual"])
        self._target = take_tensors(self.layers, state["target"])
        self._step = state["step"]
        self._rho = state["rho"]


def _cut(matrix: torch.Tensor, layer: Layer) -> torch.Tensor:
    """The local part, in the shape of the parameter, of a matrix [M, K]."""
    return local_part(matrix.reshape(layer.parameter.shape), layer.parameter)
