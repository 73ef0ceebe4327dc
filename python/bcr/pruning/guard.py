"""Keeps pruned weights at zero while training goes on.

A mask is held for a module, not for a pruner, so that it outlives the `Pruner` object, and outside
the module, so that `state_dict`, `copy.deepcopy` and `torch.save` of the model see nothing of it.
Two things work together:

- a hook on the gradient keeps pruned positions out of gradient norms and optimiser state; the
  gradients of weights that FSDP2 shards do not pass it, they are masked before the step instead;
- a hook on every `torch.optim` optimiser zeroes them again after its step, because momentum or
  averages gathered before pruning would revive them.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)
from torch.utils.hooks import RemovableHandle

from bcr.errors import ConfigError
from bcr.pruning.layer import Layer, outer_mask, shown, weight_parameter
from bcr.pruning.sharding import is_sharded, local, local_part


@dataclass
class _Hold:
    name: str
    mask: torch.Tensor  # bool, in the shape of the weight
    gradient_hook: RemovableHandle | None
    prior: torch.Tensor | None  # the module's own torch.nn.utils.prune mask before ours
    dropped: torch.Tensor | None = None  # of the local part of the weight, where it is

    def dropped_of(self, parameter: torch.Tensor) -> torch.Tensor:
        """Bool, True where the local part of `parameter` is to be zero."""
        part = local(parameter)
        kept = self.dropped
        if kept is None or kept.device != part.device or kept.shape != part.shape:
            kept = ~local_part(self.mask.to(part.device), parameter)
            self.dropped = kept
        return kept


_held: weakref.WeakKeyDictionary[nn.Module, _Hold] = weakref.WeakKeyDictionary()
_optimizer_hooks: list[RemovableHandle] = []


def check_free(layer: Layer) -> None:
    """Raise `ConfigError` if the layer's zeros are already held."""
    if layer.module in _held:
        raise ConfigError(
            f"{shown(layer.name)} is already pruned and held at zero by a Pruner: call release() "
            "of that one before pruning again"
        )


def hold(layer: Layer, mask: torch.Tensor) -> None:
    """Zero the weights where `mask` [M, K] is False and keep them zero until `release`."""
    if not _optimizer_hooks:
        _optimizer_hooks.append(register_optimizer_step_pre_hook(_before_step))
        _optimizer_hooks.append(register_optimizer_step_post_hook(_after_step))

    parameter = layer.parameter
    mask = mask.reshape(parameter.shape)
    handle = None
    if parameter.requires_grad and not is_sharded(parameter):
        hook = _gradient_hook(mask)
        handle = parameter.register_hook(hook)  # type: ignore[no-untyped-call]
    prior = outer_mask(layer.module)
    if prior is not None:
        prior = prior.clone()
    _held[layer.module] = _Hold(layer.name, mask, handle, prior)
    zero(layer.module)


def _gradient_hook(mask: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda grad: grad.masked_fill(~mask.to(grad.device), 0)


def zero(module: nn.Module) -> None:
    """Set the held weights of `module` to zero again."""
    if module not in _held:
        return
    held = _held[module]
    parameter = weight_parameter(module, held.name)
    if parameter.shape != held.mask.shape:
        raise ConfigError(
            f"{shown(held.name)} was pruned as {list(held.mask.shape)} and is now "
            f"{list(parameter.shape)}: call release() before changing a layer's shape"
        )
    with torch.no_grad():
        dropped = held.dropped_of(parameter)
        local(parameter).masked_fill_(dropped, 0)
        mask = outer_mask(module)
        if mask is not None:
            mask.masked_fill_(dropped, 0)
            # torch.nn.utils.prune refreshes this attribute only at the next forward.
            module.weight = parameter * mask


def release(module: nn.Module) -> None:
    """Let the weights of `module` move again; they keep their present values."""
    held = _held.pop(module, None)
    if held is None:
        return
    if held.gradient_hook is not None:
        held.gradient_hook.remove()
    mask = outer_mask(module)
    if mask is not None and held.prior is not None:
        mask.copy_(held.prior)


def _before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    for _, held, parameter in _stepped(optimizer):
        if is_sharded(parameter) and parameter.grad is not None:
            local(parameter.grad).masked_fill_(held.dropped_of(parameter), 0)


def _after_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
    for module, _, _ in _stepped(optimizer):
        zero(module)


def _stepped(optimizer: Optimizer) -> Iterator[tuple[nn.Module, _Hold, nn.Parameter]]:
    """The held modules whose weights the optimiser trains."""
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    for module, held in list(_held.items()):
        parameter = weight_parameter(module, held.name)
        if id(parameter) in trained:
            yield module, held, parameter
