"""Processes that train one model together must prune it alike."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Literal, TypeAlias

import torch
from torch import distributed

from bcr.errors import ConfigError
from bcr.pruning.layer import shown

Group: TypeAlias = "distributed.ProcessGroup | Literal['world'] | None"


def check_agreement(masks: Mapping[str, torch.Tensor], group: Group) -> None:
    """Compare masks between processes; all processes of the group must call this.

    Args:
        masks: bool by layer name.
        group: "world" is every process of `torch.distributed`, if it is in use; None compares
            nothing.

    Raises:
        ConfigError: the masks of a layer differ.
    """
    if group is None or not distributed.is_available() or not distributed.is_initialized():
        return
    members = None if group == "world" else group
    if not masks or distributed.get_world_size(members) == 1:
        return
    sums = [zlib.crc32(mask.cpu().numpy().tobytes()) for mask in masks.values()]
    device = next(iter(masks.values())).device
    least_and_most = torch.tensor([*(-s for s in sums), *sums], dtype=torch.int64, device=device)
    distributed.all_reduce(least_and_most, distributed.ReduceOp.MAX, members)
    least, most = (-least_and_most[: len(sums)]).tolist(), least_and_most[len(sums) :].tolist()
    differ = [name for name, low, high in zip(masks, least, most, strict=True) if low != high]
    if differ:
        raise ConfigError(
            f"{', '.join(map(shown, differ))}: the processes chose different masks, so their "
            "weights differ: wrap the model in DistributedDataParallel before training. Processes "
            "that train models of their own pass process_group=None to the Pruner"
        )
