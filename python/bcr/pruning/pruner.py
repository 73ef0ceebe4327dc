"""Prunes a model, and keeps it pruned, beside any training loop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from bcr.errors import ConfigError
from bcr.pruning import guard, sharding
from bcr.pruning.agreement import Group, check_agreement
from bcr.pruning.blocks import block_counts, block_size
from bcr.pruning.config import PruneConfig
from bcr.pruning.discover import Skipped, survey
from bcr.pruning.layer import Layer, shown
from bcr.pruning.recurrent import expand, kinds
from bcr.pruning.registry import method_class
from bcr.pruning.report import LayerRow, PruneReport
from bcr.pruning.scheme_names import BLOCKED
from bcr.pruning.suggest import listed


class Pruner:
    """Prunes the linear and convolutional layers of a model, in place.

    ::

        pruner = bcr.Pruner(model, bcr.PruneConfig(rate=8, block=(8, 64)))
        loss = criterion(model(x), y) + pruner.penalty()
        ...
        pruner.step()               # once per optimiser step
        print(pruner.finalize())    # from here on pruned weights are zero and stay zero

    Pruned are Linear, Conv1d, Conv2d and Conv3d and their subclasses, and the weight matrices of
    GRU, LSTM, RNN and their cells, each a layer named after its parameter (`rnn.weight_hh_l0`).
    Depthwise convolutions stay dense unless `config.modules` has an entry for the very layer.
    Frozen layers (``requires_grad=False``) and layers whose weights an embedding or the like uses
    too are an error without such an entry. Layers that share one weight are one layer with one
    mask. Models masked by `torch.nn.utils.prune` are taken as they are: both masks apply.

    After `finalize`, zeros survive every step of a `torch.optim` optimiser by themselves; after
    the step of anything else, or after loading other weights into the model, call `step`. A copy
    of the model is not watched: load `state_dict` into a Pruner of the copy. Nothing is added to
    the model.

    Where several processes train the model, each has a Pruner and makes the same calls. With
    DistributedDataParallel the Pruner gets the model inside it or around it, with FSDP2 the model
    that `fully_shard` was applied to.

    Args:
        model: on any device, in any mode.
        config: what to prune.
        process_group: the processes of `torch.distributed` that train this model together, and
            must find the same masks; by default all. None where this process trains on its own.

    Raises:
        ConfigError: the configuration does not fit the model; the message names the module.
    """

    def __init__(
        self, model: nn.Module, config: PruneConfig, *, process_group: Group = "world"
    ) -> None:
        if not isinstance(model, nn.Module):
            raise ConfigError(f"model is a {type(model).__name__}: pass a torch.nn.Module")
        if not isinstance(config, PruneConfig):
            raise ConfigError(
                f"config is a {type(config).__name__}: pass a bcr.PruneConfig, or use "
                "Pruner.from_dict or Pruner.from_yaml"
            )
        self.model = model
        self.config = config
        self._group = process_group
        sharding.reshard(model)
        found = survey(model, config)
        for layer in found.layers:
            layer.matrix()  # reports NaN and Inf now rather than after hours of training
        self._layers = found.layers
        self._skipped = found.skipped
        self._method = method_class(config.method)(found.layers, config.options)
        self._masks: dict[str, torch.Tensor] = {}
        self._report: PruneReport | None = None
        self._asked = False  # for the penalty, since the last step

    @classmethod
    def from_dict(cls, model: nn.Module, values: Mapping[str, Any]) -> Pruner:
        """Build a pruner from plain values, see `PruneConfig.from_dict`."""
        return cls(model, PruneConfig.from_dict(values))

    @classmethod
    def from_yaml(cls, model: nn.Module, source: str | Path) -> Pruner:
        """Build a pruner from a YAML file or text, see `PruneConfig.from_yaml`."""
        return cls(model, PruneConfig.from_yaml(source))

    @property
    def masks(self) -> dict[str, torch.Tensor]:
        """Bool masks in the shape of the weights, True where kept: those held at present.

        Empty before the first pruning, which most methods do in `finalize`.
        """
        return dict(self._masks)

    @property
    def report(self) -> PruneReport | None:
        """What `finalize` returned; None before it."""
        return self._report

    def penalty(self) -> torch.Tensor:
        """Return the scalar tensor to add to the loss.

        It is zero for methods that need none, and for all after `finalize`. Where the loss of a
        batch is summed from several parts (gradient accumulation), add it to each part before
        dividing by their number.
        """
        if self._report is not None:
            return torch.zeros((), device=next(self.model.parameters(), torch.empty(0)).device)
        self._asked = True
        return self._method.penalty()

    def add_penalty_gradients(self, optimizer: Optimizer | None = None) -> None:
        """Add the gradient of `penalty` to the gradients of the parameters.

        For training loops whose loss cannot be changed: call it between the last backward pass
        and the step of the optimiser, once the gradients are unscaled, in place of adding
        `penalty` to the loss.

        Args:
            optimizer: only the parameters that it trains get a gradient; by default all do.
        """
        penalty = self.penalty()
        if not penalty.requires_grad:
            return
        parameters = [p for p in (layer.parameter for layer in self._layers) if p.requires_grad]
        if optimizer is not None:
            trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
            parameters = [p for p in parameters if id(p) in trained]
        if not parameters:
            return
        for parameter, found in zip(
            parameters, torch.autograd.grad(penalty, parameters), strict=True
        ):
            parameter.grad = found if parameter.grad is None else parameter.grad.add_(found)

    def step(self) -> None:
        """Call once after every optimiser step: before `finalize` the method's own work, after
        it every pruned weight is set to zero again.
        """
        if self._report is None:
            if self._method.penalises and not self._asked:
                warnings.warn(
                    f"Pruner.penalty() was not called before this step: the method "
                    f"{self.config.method!r} needs it in the loss, or shapes no weights",
                    stacklevel=2,
                )
            self._asked = False
            masks = self._method.step()
            if masks is not None:
                check_agreement(masks, self._group)
                self._release()
                self._hold(masks)
                return
        if self._masks:
            sharding.reshard(self.model)
            for layer in self._layers:
                guard.zero(layer.module)

    def finalize(self) -> PruneReport:
        """Set the pruned weights to zero and keep them there until `release`.

        Either all layers are pruned or, if an error is raised, none. Further calls change nothing
        and return the same report.

        Raises:
            ConfigError: a weight is NaN or infinite, another pruner holds a layer, or the
                processes that train the model do not agree.
        """
        if self._report is None:
            missing = self._method.unfinished()
            if missing:
                warnings.warn(
                    f"the model is pruned in the middle of the method {self.config.method!r}: "
                    f"{missing}. Train on with Pruner.step() before finalize, or give the method a "
                    "shorter schedule in method_options",
                    stacklevel=2,
                )
            masks = self._method.masks()
            check_agreement(masks, self._group)
            report = self._describe(masks)
            self._release()
            self._hold(masks)
            self._report = report
        self.step()
        return self._report

    def release(self) -> None:
        """Let pruned weights move again. Their values stay zero until training changes them.

        Afterwards `finalize` prunes anew.
        """
        self._release()
        self._report = None

    def _release(self) -> None:
        for layer in self._layers:
            if layer.name in self._masks:
                guard.release(layer.module)
        self._masks = {}

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs besides the model's own weights.

        Holds plain values and tensors only, so that ``torch.load(weights_only=True)`` reads it.
        """
        return {
            "config": self.config.to_dict(),
            "method": self._method.state_dict(),
            "masks": self.masks,
            "report": self._report.to_dict() if self._report else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state_dict`: masks in it are applied to the model and held.

        Raises:
            ConfigError: the state is of another configuration or another model.
        """
        missing = {"config", "method", "masks", "report"} - set(state)
        if missing:
            raise ConfigError(f"this is no state of a Pruner: it lacks {listed(sorted(missing))}")
        if state["config"] != self.config.to_dict():
            raise ConfigError(
                f"the state is of another configuration, {state['config']}: build the Pruner with "
                "that one"
            )
        masks: dict[str, torch.Tensor] = dict(state["masks"])
        if masks:
            for layer in self._layers:
                mask = masks.get(layer.name)
                if mask is None or mask.shape != layer.parameter.shape or mask.dtype != torch.bool:
                    raise ConfigError(
                        f"{shown(layer.name)}: the state holds no mask of shape "
                        f"{list(layer.parameter.shape)} for it, it is of another model"
                    )
        self.release()
        self._method.load_state_dict(state["method"])
        if masks:
            self._hold(masks)
        if state["report"] is not None:
            report = PruneReport.from_dict(state["report"])
            rows = (
                replace(row, mask=masks[row.name].flatten(1)) if row.name in masks else row
                for row in report.rows
            )
            self._report = PruneReport(tuple(rows))

    def _describe(self, masks: Mapping[str, torch.Tensor]) -> PruneReport:
        """The report in the model's order, every weight counted once."""
        rows = {layer.name: _row(layer, masks[layer.name]) for layer in self._layers}
        counted = {id(layer.parameter) for layer in self._layers}
        for skipped in self._skipped:
            matrices = [p for p in skipped.weights if id(p) not in counted]
            counted.update(map(id, matrices))
            if matrices:
                rows[skipped.name] = _dense_row(skipped, matrices)
        return PruneReport(
            tuple(rows[name] for name in expand(dict(self.model.named_modules())) if name in rows)
        )

    def _hold(self, masks: Mapping[str, torch.Tensor]) -> None:
        sharding.reshard(self.model)
        for layer in self._layers:
            guard.check_free(layer)
        for layer in self._layers:
            self._masks[layer.name] = masks[layer.name].reshape(layer.parameter.shape)
            guard.hold(layer, masks[layer.name])


def _row(layer: Layer, mask: torch.Tensor) -> LayerRow:
    matrix = layer.matrix()
    kept = int(mask.sum())
    norm = float(torch.linalg.vector_norm(matrix, dtype=torch.float64))
    lost = float(torch.linalg.vector_norm(matrix.masked_fill(mask, 0), dtype=torch.float64))
    row = LayerRow(
        name=layer.name,
        type=kinds(layer.module)[0],
        shape=tuple(layer.parameter.shape),
        weights=matrix.numel(),
        kept=kept,
        pruned=True,
        scheme=layer.settings.scheme,
        rate_asked=layer.settings.rate,
        rate_reached=matrix.numel() / kept if kept else math.inf,
        relative_error=lost / norm if norm else 0.0,
        note=layer.note,
        mask=mask,
    )
    if layer.settings.scheme not in BLOCKED:
        return row
    rows, columns = block_counts(mask, layer.settings.block)
    return replace(
        row,
        block=block_size(layer.settings.block, (matrix.shape[0], matrix.shape[1])),
        blocks=len(rows),
        empty_blocks=int((rows * columns == 0).sum()),
        mean_rows=float(rows.double().mean()),
        mean_columns=float(columns.double().mean()),
    )


def _dense_row(skipped: Skipped, matrices: Sequence[nn.Parameter]) -> LayerRow:
    weights = sum(p.numel() for p in matrices)
    return LayerRow(
        name=skipped.name,
        type=kinds(skipped.module)[0],
        shape=tuple(matrices[0].shape),
        weights=weights,
        kept=weights,
        pruned=False,
        note=skipped.reason,
    )
