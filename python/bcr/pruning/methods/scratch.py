"""Pruning while a network is trained from scratch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.method import Method
from bcr.pruning.methods import quadratic
from bcr.pruning.methods.options import ScratchOptions
from bcr.pruning.methods.reweighting import coefficients
from bcr.pruning.methods.schedule import cubic_rate
from bcr.pruning.methods.state import save_tensors, take_tensors
from bcr.pruning.schemes import choose_masks
from bcr.pruning.sharding import local_part


class Scratch(Method[ScratchOptions]):
    """One training from random weights to a pruned network, in three phases.

    1. Up to `begin_step`: plain training, until the norms of the weights mean something.
    2. Up to `end_step`: every `interval` steps a mask is chosen anew, at a rate that rises on the
       cubic schedule (`schedule.cubic_rate`). No weight is set to zero; those outside the mask get
       the reweighted penalty (`reweighting.coefficients`), those inside none. So a group that
       was misjudged early grows back and is in the next mask.
    3. From `end_step`: the mask of the full rate is fixed, pruned weights are zero, and the rest
       of the training repairs the loss.

    Source: the idea is that of ClickTrain (Zhang et al., ICS 2021): importance estimated and
    patterns generated anew while the network trains, then fixed, then the last phase of the same
    training in place of a fine-tuning, without a dense network trained first. Ours chooses by the
    norms of any scheme's groups instead of its pattern scores, and takes the schedule of rates
    from Zhu & Gupta (2017).
    """

    def __init__(self, layers: Sequence[Layer], options: ScratchOptions) -> None:
        super().__init__(layers, options)
        self._step = 0
        # By layer name, local parts in the shape of the parameter; empty outside the second phase.
        self._coefficients: dict[str, torch.Tensor] = {}

    @property
    def penalises(self) -> bool:
        """See `Method.penalises`."""
        return bool(self._coefficients)

    def unfinished(self) -> str:
        """See `Method.unfinished`."""
        end = self.options.end_step
        if self._step >= end:
            return ""
        return f"{self._step} steps are done, the masks are fixed after {end}"

    def penalty(self) -> torch.Tensor:
        """See `Method.penalty`."""
        if not self._coefficients:
            return super().penalty()
        terms = quadratic.total(self.layers, quadratic.weighted, self._coefficients)
        return self.options.strength * terms

    def step(self) -> dict[str, torch.Tensor] | None:
        """See `Method.step`."""
        self._step += 1
        begin, end = self.options.begin_step, self.options.end_step
        if self._step == end:
            self._coefficients = {}
            return choose_masks(self.layers)
        if begin <= self._step < end and (self._step - begin) % self.options.interval == 0:
            self._choose()
        return None

    def _choose(self) -> None:
        masks = choose_masks(
            self.layers,
            rates={
                layer.name: cubic_rate(
                    self._step,
                    begin=self.options.begin_step,
                    end=self.options.end_step,
                    initial=1,
                    final=layer.settings.rate,
                )
                for layer in self.layers
            },
        )
        for layer in self.layers:
            inside = masks[layer.name].reshape(layer.parameter.shape)
            found = coefficients(layer, self.options.epsilon)
            outside = found.masked_fill(inside, 0)
            self._coefficients[layer.name] = local_part(outside, layer.parameter)

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        return choose_masks(self.layers)

    def state_dict(self) -> dict[str, Any]:
        """See `Method.state_dict`."""
        return {"step": self._step, "coefficients": save_tensors(self.layers, self._coefficients)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Method.load_state_dict`."""
        self._coefficients = take_tensors(self.layers, state["coefficients"])
        self._step = state["step"]
