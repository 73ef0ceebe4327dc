"""Bags of embeddings: the sum, mean or largest elements of some rows of a table.

torch-mlir lowers sums alone. Bags of one size are a lookup and a reduction. Where offsets say at
which index each bag begins, a matrix of truth values says which row is in which bag.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._ops import OperatorBase
from torch.overrides import TorchFunctionMode

aten = torch.ops.aten

_MODES = ("sum", "mean", "max")


def _of_one_size(
    index: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Any:
    if index.is_nested or index.dim() != 2 or max_norm is not None or mode not in _MODES:
        return NotImplemented
    rows = _rows(weight, index, per_sample_weights)
    counted = None if padding_idx is None else index != padding_idx % weight.shape[0]
    return _reduce(rows, counted, mode)


def _from_offsets(
    weight: Tensor,
    index: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, ...]:
    if not include_last_offset:
        offsets = torch.cat([offsets, offsets.new_full([1], index.shape[0])])
    place = torch.arange(index.shape[0])
    member = (place >= offsets[:-1, None]) & (place < offsets[1:, None])
    if padding_idx is not None and padding_idx >= 0:
        member = member & (index != padding_idx)
    rows = _rows(weight, index, per_sample_weights)
    if _MODES[mode] == "max":
        y = _reduce(rows, member, "max")
    else:
        y = member.to(rows.dtype) @ rows
        if _MODES[mode] == "mean":
            y = y / _count(member, y)
    # The rest is for gradients.
    return y, index, offsets, offsets


def _rows(weight: Tensor, index: Tensor, factors: Tensor | None) -> Tensor:
    rows = F.embedding(index, weight)
    return rows if factors is None else rows * factors.unsqueeze(-1)


def _reduce(rows: Tensor, counted: Tensor | None, mode: str) -> Tensor:
    """Return one row for each bag, of (bags or nothing, rows of a bag, features).

    A bag in which no row is counted, (bags, rows of a bag), is zeros.
    """
    if counted is None:
        if mode == "max":
            return rows.amax(1)
        return rows.sum(1) if mode == "sum" else rows.mean(1)
    chosen = counted.unsqueeze(-1)
    if mode == "max":
        largest = torch.where(chosen, rows, -math.inf).amax(1)
        return torch.where(counted.any(1, keepdim=True), largest, 0.0)
    y = torch.where(chosen, rows, 0.0).sum(1)
    return y / _count(counted, y) if mode == "mean" else y


def _count(counted: Tensor, like: Tensor) -> Tensor:
    return counted.sum(1, keepdim=True).clamp(min=1).to(like.dtype)


class BagsOfOneSize(TorchFunctionMode):
    """While it is active, bags of one size are traced as a lookup and a reduction.

    `torch.export` would see a flat sequence of indices and offsets.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is F.embedding_bag:
            result = _of_one_size(*args, **(kwargs or {}))
            if result is not NotImplemented:
                return result
        return func(*args, **(kwargs or {}))


DECOMPOSITIONS: dict[OperatorBase, Callable[..., Any]] = {
    aten.embedding_bag.padding_idx: _from_offsets
}
"""What torch's own operator becomes."""
