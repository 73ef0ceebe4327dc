"""One prunable layer: its weight as a matrix W[M, K], however the module stores it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from bcr.errors import ConfigError
from bcr.pruning.config import LayerConfig
from bcr.pruning.form import Form
from bcr.pruning.recurrent import RECURRENT, RecurrentWeight
from bcr.pruning.sharding import trained_parameter, whole

PRUNABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, RecurrentWeight, *RECURRENT)


@dataclass(frozen=True)
class Layer:
    """A module to prune and the settings for it.

    Attributes:
        name: qualified name, the first one if the module or its weight has several.
        module: a Linear, Conv1d, Conv2d, Conv3d or RecurrentWeight.
        settings: what was asked, the block already fitted to the layer.
        note: remark for the report.
    """

    name: str
    module: nn.Module
    settings: LayerConfig
    note: str = ""

    @property
    def parameter(self) -> nn.Parameter:
        """The parameter that holds the weights at this moment."""
        return weight_parameter(self.module, self.name)

    @property
    def form(self) -> Form:
        """Shape and settings, all that a scheme needs besides the weights."""
        groups = getattr(self.module, "groups", 1)
        return Form(tuple(self.parameter.shape), int(groups), self.settings)

    def matrix(self) -> torch.Tensor:
        """Return the effective weights as [M, K], without gradient.

        A convolution's row is an output channel and its columns are (cin, kh, kw), row-major. A
        mask of `torch.nn.utils.prune` is applied. Of a weight that is sharded over processes all
        of them must ask together, and all get the whole.

        Raises:
            ConfigError: a weight is NaN or infinite.
        """
        weight = whole(self.parameter.detach())
        mask = outer_mask(self.module)
        if mask is not None:
            weight = weight.masked_fill(mask == 0, 0)
        if not bool(weight.isfinite().all()):
            bad = int((~weight.isfinite()).sum())
            raise ConfigError(
                f"{shown(self.name)}: {bad} of {weight.numel()} weights are NaN or Inf, there is "
                "no norm to rank them by; repair the training or leave the layer dense with "
                f"modules={{{self.name!r}: None}}"
            )
        return weight.reshape(weight.shape[0], -1)


def shown(name: str) -> str:
    """Return a qualified name for a message; the model itself has an empty one."""
    return f"module {name!r}" if name else "the model itself"


def outer_mask(module: nn.Module) -> torch.Tensor | None:
    """Return the mask that `torch.nn.utils.prune` keeps beside `weight_orig`, if there is one."""
    if "weight_orig" not in module._parameters:
        return None
    return module._buffers.get("weight_mask")


def weight_parameter(module: nn.Module, name: str) -> nn.Parameter:
    """Return the parameter behind `module.weight`.

    Raises:
        ConfigError: the weight is computed, uninitialised, without data or not a real float.
    """
    parameter = module._parameters.get("weight")
    if parameter is None and outer_mask(module) is not None:
        parameter = module._parameters["weight_orig"]
    leave = f"or leave the layer dense with modules={{{name!r}: None}}"
    if parameter is None:
        raise ConfigError(
            f"{shown(name)} ({type(module).__name__}) has no weight parameter, its weight is "
            "computed from others (weight_norm, spectral_norm, a parametrization): make it plain "
            f"with torch.nn.utils.parametrize.remove_parametrizations, {leave}"
        )
    if is_lazy(parameter):
        raise ConfigError(
            f"{shown(name)} is not initialised yet: run the model once on an example input, {leave}"
        )
    if parameter.is_meta:
        raise ConfigError(f"{shown(name)} is on the meta device, without data: load it, {leave}")
    if not parameter.is_floating_point():
        raise ConfigError(
            f"{shown(name)} has {parameter.dtype} weights: pruning ranks real floating-point "
            f"numbers, convert it, {leave}"
        )
    return trained_parameter(module, parameter)
