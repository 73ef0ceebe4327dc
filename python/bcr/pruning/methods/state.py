"""Per-layer tensors in the state of a method: local parts in memory, whole tensors when saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from bcr.errors import ConfigError
from bcr.pruning.layer import Layer, shown
from bcr.pruning.sharding import joined, local_part


def save_tensors(
    layers: Sequence[Layer], tensors: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return whole tensors to save.

    Args:
        layers: the layers of the model at hand.
        tensors: local parts in the shape of the parameters by layer name, or nothing at all.
    """
    return {
        layer.name: joined(tensors[layer.name], layer.parameter)
        for layer in layers
        if layer.name in tensors
    }


def take_tensors(
    layers: Sequence[Layer], saved: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return local copies of saved tensors, each on the device of its layer.

    Args:
        layers: the layers of the model at hand.
        saved: what `save_tensors` returned.

    Raises:
        ConfigError: the tensors are of other layers.
    """
    if not saved:
        return {}
    taken = {}
    for layer in layers:
        tensor = saved.get(layer.name)
        if tensor is None or tensor.shape != layer.parameter.shape:
            raise ConfigError(
                f"{shown(layer.name)}: the state holds no tensor of shape "
                f"{list(layer.parameter.shape)} for it, it is of another model"
            )
        whole = tensor.to(layer.parameter.device, copy=True)
        taken[layer.name] = local_part(whole, layer.parameter)
    return taken
