"""The weights of recurrent modules, each as a layer of its own.

A GRU holds one matrix for the input and one for the state for each layer and direction. Everything
that prunes knows modules with one `weight`; here is one such module for each matrix. It is no part
of the model and holds nothing: it reads and writes what the recurrent module has.

A matrix is pruned as it is: its rows are those of all gates, one gate after the other.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

RECURRENT = (nn.RNNBase, nn.RNNCellBase)

_KINDS = ("weight_ih", "weight_hh", "weight_hr")


class RecurrentWeight(nn.Module):
    """One weight matrix of a recurrent module, in the place where a linear layer has its own."""

    def __init__(self, owner: nn.Module, weight: str) -> None:
        super().__init__()
        # Not as an attribute of nn.Module: the owner is no child of this one.
        object.__setattr__(self, "_owner", weakref.ref(owner))
        object.__setattr__(self, "_weight", weight)

    @property
    def owner(self) -> nn.Module:
        """The recurrent module."""
        owner: nn.Module | None = self._owner()
        assert owner is not None, "the model is gone"
        return owner

    def __getattribute__(self, name: str) -> Any:
        # The owner's parameters may be replaced at any time, by a mask or another device.
        if name in ("_parameters", "_buffers"):
            weight = object.__getattribute__(self, "__dict__").get("_weight")
            if weight is not None:
                held = getattr(self.owner, name)
                return {
                    "weight" + key.removeprefix(weight): value
                    for key, value in held.items()
                    if key in (weight, f"{weight}_orig", f"{weight}_mask")
                }
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: torch.Tensor | nn.Module) -> None:
        if name == "weight":
            setattr(self.owner, self._weight, value)
        else:
            super().__setattr__(name, value)


_views: weakref.WeakKeyDictionary[nn.Module, dict[str, RecurrentWeight]] = (
    weakref.WeakKeyDictionary()
)


def weights_of(module: nn.Module) -> dict[str, RecurrentWeight]:
    """Return the weight matrices of a recurrent module by parameter name, the same each time."""
    views = _views.setdefault(module, {})
    names = [name.removesuffix("_orig") for name in module._parameters]
    return {
        name: views.setdefault(name, RecurrentWeight(module, name))
        for name in names
        if name.startswith(_KINDS)
    }


def expand(names: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return named modules with the weights of recurrent ones in their places."""
    expanded: dict[str, nn.Module] = {}
    for name, module in names.items():
        if isinstance(module, RECURRENT):
            prefix = f"{name}." if name else ""
            for weight, view in weights_of(module).items():
                expanded[prefix + weight] = view
        else:
            expanded[name] = module
    return expanded


def kinds(module: nn.Module) -> list[str]:
    """Return the names of a module's class and its bases; of a weight, those of its module."""
    if isinstance(module, RecurrentWeight):
        module = module.owner
    return [kind.__name__ for kind in type(module).__mro__]
