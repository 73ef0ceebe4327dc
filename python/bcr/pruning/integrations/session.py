"""What all callbacks do: a `Pruner` driven by the events of a training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from bcr.errors import ConfigError
from bcr.pruning.config import PruneConfig
from bcr.pruning.pruner import Pruner
from bcr.pruning.report import PruneReport
from bcr.pruning.suggest import did_you_mean


class Session:
    """Prunes one model in the course of one training run.

    Args:
        config: what to prune.
        finalize_step: optimiser step after which the model is pruned for good; what is left of
            the training is masked retraining. None: at the end of the training.
        module: qualified name of the part of the model to prune; the names in `config` are
            relative to it.

    Attributes:
        pruner: None before the training has begun.
        report: None before the model is pruned for good.
        steps: optimiser steps so far.
    """

    def __init__(
        self, config: PruneConfig, *, finalize_step: int | None = None, module: str = ""
    ) -> None:
        if not isinstance(config, PruneConfig):
            raise ConfigError(
                f"config is a {type(config).__name__}: pass a bcr.PruneConfig, such as "
                "PruneConfig.from_yaml(...)"
            )
        whole = isinstance(finalize_step, int) and not isinstance(finalize_step, bool)
        if finalize_step is not None and (not whole or finalize_step < 1):
            raise ConfigError(
                f"finalize_step is {finalize_step!r}: it counts optimiser steps, a whole number "
                "of at least 1, or None for the end of the training"
            )
        self.config = config
        self.finalize_step = finalize_step
        self.module = module
        self.pruner: Pruner | None = None
        self.report: PruneReport | None = None
        self.steps = 0
        self._loaded: Mapping[str, Any] | None = None

    def begin(self, model: nn.Module) -> None:
        """Start, or go on with a model that is in training already or from a loaded state."""
        names = dict(model.named_modules(remove_duplicate=False))
        if self.module not in names:
            raise ConfigError(
                f"the model has no module {self.module!r} to prune."
                f"{did_you_mean(self.module, names)}"
            )
        if self.pruner is None or self.pruner.model is not names[self.module]:
            self.pruner = Pruner(names[self.module], self.config)
            self.report = None
            self.steps = 0
        if self._loaded is not None:
            self.pruner.load_state_dict(self._loaded["pruner"])
            self.steps = self._loaded["steps"]
            self._loaded = None
            self.report = self.pruner.report

    def before_step(self, optimizer: Optimizer | None = None) -> None:
        """Add the gradients of the penalty; call it when those of the loss are complete."""
        if self.pruner is not None:
            self.pruner.add_penalty_gradients(optimizer)

    def after_step(self) -> None:
        """Call once after each step of the optimiser."""
        if self.pruner is None:
            return
        self.pruner.step()
        self.steps += 1
        if self.steps == self.finalize_step:
            self.report = self.pruner.finalize()

    def end(self) -> None:
        """Prune for good, unless this is done."""
        if self.pruner is not None:
            self.report = self.pruner.finalize()

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs; empty before the training has begun."""
        if self.pruner is None:
            return {}
        return {"pruner": self.pruner.state_dict(), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a `state_dict` at the next `begin`."""
        self._loaded = state or None
