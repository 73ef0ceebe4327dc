"""Penalties that are sums of squares of single weights.

Such a penalty needs no view of the layer as a matrix of blocks, and costs a few passes over the
weights. All is computed in float32 at least, whatever the type of the weights: in bfloat16 the sum
of many squares would lose all but the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch.nn import functional as F

from bcr.pruning.layer import Layer
from bcr.pruning.sharding import local

Term = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor as float32, or as it is where it is wider."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def distance(weight: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return ``sum((weight - target)^2)``, a scalar; both of one shape and type."""
    return F.mse_loss(weight, target, reduction="sum")


def weighted(weight: torch.Tensor, coefficient: torch.Tensor) -> torch.Tensor:
    """Return ``sum(coefficient * weight^2)``, a scalar; both of one shape and type."""
    return (coefficient * weight).flatten().dot(weight.flatten())


def total(
    layers: Sequence[Layer], term: Term, constants: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Return the sum of ``term(weight, constant)`` over the layers that train.

    Args:
        layers: frozen ones are left out: they cannot follow a penalty.
        term: `distance` or `weighted`.
        constants: `wide`, in the shape of the parameter, by layer name; the local parts of them
            where the parameters are sharded over processes.

    Returns:
        A scalar on the device of the first layer, with its gradient. Over shards it is the share
        of this process, whose gradient is the one of its shard.
    """
    values = []
    for layer in layers:
        parameter = layer.parameter
        if parameter.requires_grad:
            weight = wide(local(parameter))
            values.append(term(weight, constants[layer.name].to(weight.device)))
    if not values:
        return torch.zeros((), device=layers[0].parameter.device if layers else None)
    return torch.stack([value.to(values[0].device) for value in values]).sum()
