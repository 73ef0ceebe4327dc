"""Pruning in the Trainer of Hugging Face's transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from bcr.errors import ConfigError
from bcr.pruning.config import PruneConfig
from bcr.pruning.integrations.session import Session
from bcr.pruning.pruner import Pruner
from bcr.pruning.report import PruneReport

try:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
except ImportError as error:
    raise ImportError(
        "bcr.pruning.integrations.huggingface needs transformers: pip install transformers"
    ) from error

STATE_FILE = "bcr_pruner.pt"
"""Beside the weights in each checkpoint folder."""


class PruningCallback(TrainerCallback):  # type: ignore[misc]
    """Prunes the model that a Trainer trains.

    ::

        config = bcr.PruneConfig(rate=8, method="admm")
        trainer = Trainer(model, args, callbacks=[PruningCallback(config, finalize_step=2000)])

    The penalty of the method reaches the gradients just before the optimiser's step and after
    they are clipped: gradient accumulation and mixed precision are served; the logged loss is the
    model's own. Checkpoint folders get a file with the state of the pruning, and a run that is
    resumed from one goes on with it.

    Args:
        config, finalize_step, module: see `bcr.pruning.integrations.session.Session`. Without
            `finalize_step` checkpoints written during the training hold a model that is not yet
            pruned for good.
        checkpoint: folder that a resumed run reads its state from; by default the one in the
            output folder of the Trainer.
    """

    def __init__(
        self,
        config: PruneConfig,
        *,
        finalize_step: int | None = None,
        module: str = "",
        checkpoint: str | Path | None = None,
    ) -> None:
        self._session = Session(config, finalize_step=finalize_step, module=module)
        self._checkpoint = checkpoint

    @property
    def pruner(self) -> Pruner | None:
        """The pruner; None before the training has begun."""
        return self._session.pruner

    @property
    def report(self) -> PruneReport | None:
        """What was pruned; None before it is pruned for good."""
        return self._session.report

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **kwargs: Any,
    ) -> None:
        """Begin; if steps are done already, from the state that was saved after them."""
        if state.global_step > 0:
            file = Path(self._checkpoint or _folder(args, state)) / STATE_FILE
            if not file.is_file():
                raise ConfigError(
                    f"training goes on from step {state.global_step}, but {file} is missing: pass "
                    "PruningCallback(checkpoint=...) the folder that the Trainer resumes from, "
                    "which this callback must have saved"
                )
            self._session.load_state_dict(torch.load(file, weights_only=True, map_location="cpu"))
        self._session.begin(kwargs["model"])

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Add the gradients of the penalty to those of the loss, unscaled by now."""
        self._session.before_step()

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Count the step."""
        self._session.after_step()

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write the state of the pruning into the new checkpoint."""
        saved = self._session.state_dict()  # by all processes: shards are gathered for it
        if state.is_world_process_zero:
            torch.save(saved, _folder(args, state) / STATE_FILE)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Prune for good."""
        self._session.end()


def _folder(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
