"""Weights that are split over processes.

FSDP2 (`torch.distributed.fsdp.fully_shard`) keeps every parameter as a DTensor of which each
process holds a part. Masks are chosen from whole matrices, equally in all processes; all that is
done at every step touches the local part only. On plain tensors these functions do nothing.
"""

from __future__ import annotations

import weakref

import torch
from torch import nn

# While FSDP2 computes with a module it puts the gathered parameter in the place of the sharded
# one, for the outermost module until its backward pass. What is trained is the sharded one.
_sharded: weakref.WeakKeyDictionary[nn.Module, nn.Parameter] = weakref.WeakKeyDictionary()


def is_sharded(tensor: torch.Tensor) -> bool:
    """Return whether the tensor is a DTensor."""
    return hasattr(tensor, "device_mesh")


def trained_parameter(module: nn.Module, parameter: nn.Parameter) -> nn.Parameter:
    """Return the parameter that the optimiser trains for `parameter`, now in `module`."""
    if is_sharded(parameter):
        _sharded[module] = parameter
        return parameter
    return _sharded.get(module, parameter)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in one piece. Of a sharded one all processes must ask together."""
    if not is_sharded(tensor):
        return tensor
    full: torch.Tensor = tensor.full_tensor()  # type: ignore[attr-defined]
    return full


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return the part that this process holds: the same memory, differentiable."""
    if not is_sharded(tensor):
        return tensor
    part: torch.Tensor = tensor.to_local()  # type: ignore[attr-defined]
    return part


def local_part(full: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return of `full`, equal in all processes, the part that this one holds of `like`."""
    if not is_sharded(like):
        return full
    from torch.distributed.tensor import distribute_tensor

    return distribute_tensor(
        full,
        like.device_mesh,  # type: ignore[attr-defined]
        like.placements,  # type: ignore[attr-defined]
        src_data_rank=None,  # nothing is sent, each process cuts its own copy
    ).to_local()


def joined(part: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Return the whole tensor of which each process holds `part`, cut as `like` is."""
    if not is_sharded(like):
        return part
    from torch.distributed.tensor import DTensor

    tensor: torch.Tensor = DTensor.from_local(
        part,
        like.device_mesh,  # type: ignore[attr-defined]
        like.placements,  # type: ignore[attr-defined]
        shape=like.shape,
        stride=like.stride(),
    )
    return whole(tensor)


def reshard(model: nn.Module) -> None:
    """Let FSDP2 drop its gathered parameters, which changes to the sharded ones do not reach."""
    for module in model.modules():
        drop = getattr(type(module), "reshard", None)  # of FSDPModule
        if drop is not None:
            drop(module)
