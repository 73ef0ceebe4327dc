"""Gradual magnitude pruning: a little more at a time while the model trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bcr.pruning.layer import Layer
from bcr.pruning.method import Method
from bcr.pruning.methods.options import GradualOptions
from bcr.pruning.methods.schedule import cubic_rate
from bcr.pruning.schemes import choose_masks


class Gradual(Method[GradualOptions]):
    """Prunes by magnitude every `interval` steps, to rates that rise on the cubic schedule.

    Source: Zhu & Gupta, "To prune, or not to prune" (2017), section 3 and equation 1. As there,
    pruned weights get no gradient until the next pruning, which ranks all weights anew; unlike
    there a pruned weight is set to zero and does not keep its value, so it comes back only where
    the next mask has a place for it. Each layer goes to its own rate. `finalize` prunes to the
    full rate whatever step the schedule has reached.
    """

    def __init__(self, layers: Sequence[Layer], options: GradualOptions) -> None:
        super().__init__(layers, options)
        self._step = 0

    def unfinished(self) -> str:
        """See `Method.unfinished`."""
        end = self.options.end_step
        if self._step >= end:
            return ""
        return f"{self._step} steps are done, the full rate is due after {end}"

    def step(self) -> dict[str, torch.Tensor] | None:
        """See `Method.step`."""
        self._step += 1
        begin, end = self.options.begin_step, self.options.end_step
        due = self._step == end or (self._step - begin) % self.options.interval == 0
        if not due or not begin <= self._step <= end:
            return None
        rates = {layer.name: self._rate(layer) for layer in self.layers}
        return choose_masks(self.layers, rates=rates)

    def _rate(self, layer: Layer) -> float:
        final = layer.settings.rate
        return cubic_rate(
            self._step,
            begin=self.options.begin_step,
            end=self.options.end_step,
            initial=min(self.options.initial_rate, final),
            final=final,
        )

    def masks(self) -> dict[str, torch.Tensor]:
        """See `Method.masks`."""
        return choose_masks(self.layers)

    def state_dict(self) -> dict[str, Any]:
        """See `Method.state_dict`."""
        return {"step": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `Method.load_state_dict`."""
        self._step = state["step"]
