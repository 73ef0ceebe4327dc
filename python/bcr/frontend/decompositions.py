"""Which operators torch rewrites into simpler ones before torch-mlir sees the graph.

torch-mlir's own table, and the operators that it neither rewrites nor lowers although they follow
from ones that it does lower.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch._ops import OperatorBase
from torch_mlir.extras.fx_decomp_util import get_decomposition_table

aten = torch.ops.aten


def _isfinite(x: Tensor) -> Tensor:
    # Inf - Inf and NaN - NaN are NaN, which equals nothing.
    return torch.eq(x - x, 0)


def _erfc(x: Tensor) -> Tensor:
    return 1 - torch.erf(x)


def _fmod_scalar(x: Tensor, divisor: float) -> Tensor:
    return torch.fmod(x, torch.full_like(x, divisor))


def _hypot(x: Tensor, y: Tensor) -> Tensor:
    # Scaled by the larger one: the square of a large float overflows.
    large = torch.maximum(x.abs(), y.abs())
    small = torch.minimum(x.abs(), y.abs())
    ratio = torch.where(large == 0, torch.zeros_like(large), small / large)
    return large * torch.sqrt(1 + ratio * ratio)


def _copysign(x: Tensor, y: Tensor) -> Tensor:
    # The reciprocal tells -0.0 from 0.0.
    return torch.where((y < 0) | ((y == 0) & (1 / y < 0)), -x.abs(), x.abs())


def _constant_pad(x: Tensor, pad: list[int], value: float = 0.0) -> Any:
    # A negative amount cuts; tensor.pad does not allow it.
    if all(isinstance(amount, torch.SymInt) or amount >= 0 for amount in pad):
        return NotImplemented
    for i in range(0, len(pad), 2):
        dim = x.dim() - 1 - i // 2
        cut_low, cut_high = max(-pad[i], 0), max(-pad[i + 1], 0)
        x = x.narrow(dim, cut_low, x.shape[dim] - cut_low - cut_high)
    return torch.constant_pad_nd(x, [max(amount, 0) for amount in pad], value)


def _cdist_forward(x: Tensor, y: Tensor, p: float, compute_mode: int | None) -> Tensor:
    # By differences: the matrix product that torch prefers for many rows cancels digits.
    difference = (x.unsqueeze(-2) - y.unsqueeze(-3)).abs()
    if p == 0:
        return (difference != 0).to(x.dtype).sum(-1)
    if p == 1:
        return difference.sum(-1)
    if p == 2:
        return (difference * difference).sum(-1).sqrt()
    if p == float("inf"):
        return difference.amax(-1)
    return (difference**p).sum(-1) ** (1 / p)


def _native_group_norm(
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    batch: int,
    channels: int,
    pixels: int,
    groups: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    # torch's rewrite goes through as_strided, which becomes a gather with an index table.
    grouped = x.reshape(batch, groups, channels // groups, pixels)
    variance, mean = torch.var_mean(grouped, (2, 3), correction=0, keepdim=True)
    scale = torch.rsqrt(variance + eps)
    y = ((grouped - mean) * scale).reshape(x.shape)
    per_channel = [1, channels] + [1] * (x.dim() - 2)
    if weight is not None:
        y = y * weight.reshape(per_channel)
    if bias is not None:
        y = y + bias.reshape(per_channel)
    return y, mean.reshape(batch, groups), scale.reshape(batch, groups)


def _median(x: Tensor, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    values, indices = torch.sort(x, dim=dim, stable=True)
    middle = (x.shape[dim] - 1) // 2
    values, indices = values.select(dim, middle), indices.select(dim, middle)
    if keepdim:
        return values.unsqueeze(dim), indices.unsqueeze(dim)
    return values, indices


def _rrelu(
    x: Tensor,
    noise: Tensor,
    lower: float = 0.125,
    upper: float = 1 / 3,
    training: bool = False,
    generator: torch.Generator | None = None,
) -> Any:
    if training:
        return NotImplemented
    return torch.where(x >= 0, x, x * ((lower + upper) / 2)), noise


@functools.cache
def table() -> dict[OperatorBase, Callable[..., Any]]:
    """Return the operators to rewrite and what each becomes."""
    merged: dict[OperatorBase, Callable[..., Any]] = dict(get_decomposition_table())
    # torch-mlir leaves this one out because of complex numbers, which bcr refuses anyway.
    core = core_aten_decompositions()  # type: ignore[no-untyped-call]
    for operator in (aten.linalg_norm.default, aten.linalg_norm.ord_str):
        merged[operator] = core[operator]
    merged.update(
        {
            aten.isfinite.default: _isfinite,
            aten.erfc.default: _erfc,
            aten.fmod.Scalar: _fmod_scalar,
            aten.hypot.default: _hypot,
            aten.copysign.Tensor: _copysign,
            aten._cdist_forward.default: _cdist_forward,
            aten.constant_pad_nd.default: _constant_pad,
            aten.native_group_norm.default: _native_group_norm,
            aten.median.dim: _median,
            aten.rrelu_with_noise_functional.default: _rrelu,
        }
    )
    return merged
