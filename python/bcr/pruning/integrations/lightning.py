"""Pruning in Lightning's Trainer."""

from __future__ import annotations

from typing import Any

from bcr.pruning.config import PruneConfig
from bcr.pruning.integrations.session import Session
from bcr.pruning.pruner import Pruner
from bcr.pruning.report import PruneReport

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
except ImportError as error:
    raise ImportError(
        "bcr.pruning.integrations.lightning needs Lightning: pip install lightning"
    ) from error


class PruningCallback(Callback):
    """Prunes the LightningModule that a Trainer fits.

    ::

        config = bcr.PruneConfig(rate=8, method="admm")
        trainer = Trainer(callbacks=[PruningCallback(config, finalize_step=2000)])

    The penalty of the method reaches the gradients just before the optimiser's step: gradient
    accumulation, mixed precision and gradient clipping are served; the logged loss is the model's
    own. Checkpoints hold the state of the pruning, and a run that is resumed from one goes on
    with it.

    Args:
        config, finalize_step, module: see `bcr.pruning.integrations.session.Session`. Without
            `finalize_step` checkpoints written during the training hold a model that is not yet
            pruned for good.
    """

    def __init__(
        self, config: PruneConfig, *, finalize_step: int | None = None, module: str = ""
    ) -> None:
        super().__init__()
        self._session = Session(config, finalize_step=finalize_step, module=module)
        self._seen = 0  # optimiser steps of the Trainer

    @property
    def pruner(self) -> Pruner | None:
        """The pruner; None before the training has begun."""
        return self._session.pruner

    @property
    def report(self) -> PruneReport | None:
        """What was pruned; None before it is pruned for good."""
        return self._session.report

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin, with the model and the state of a checkpoint restored."""
        self._session.begin(pl_module)
        self._seen = trainer.global_step

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Any
    ) -> None:
        """Add the gradients of the penalty to those of the loss, unscaled by now."""
        self._session.before_step(optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count a step, if the optimiser has made one with this batch."""
        if trainer.global_step != self._seen:
            self._seen = trainer.global_step
            self._session.after_step()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prune for good."""
        self._session.end()

    def state_dict(self) -> dict[str, Any]:
        """Return what Lightning stores in a checkpoint."""
        return self._session.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what a checkpoint holds."""
        self._session.load_state_dict(state_dict)
