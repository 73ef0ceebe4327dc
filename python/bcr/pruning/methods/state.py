"""Per-layer tensors in the state of a method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from bcr.errors import ConfigError
from bcr.pruning.layer import Layer, shown


def take_tensors(
    layers: Sequence[Layer], saved: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return copies of saved tensors, each on the device of its layer.

    Args:
        layers: the layers of the model at hand.
        saved: tensors in the shape of the parameters by layer name, or nothing at all.

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
        taken[layer.name] = tensor.to(layer.parameter.device, copy=True)
    return taken
