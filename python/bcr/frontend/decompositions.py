"""Which operators torch rewrites into simpler ones before torch-mlir sees the graph.

torch-mlir's own table, and the operators that it neither rewrites nor lowers although they follow
from ones that it does lower.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import core_aten_decompositions
from torch._ops import OperatorBase
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch_mlir.extras.fx_decomp_util import get_decomposition_table

from bcr.frontend import bags, index_checks, recurrent, spatial

aten = torch.ops.aten


def _isfinite(x: Tensor) -> Tensor:
    # Inf - Inf and NaN - NaN are NaN, which equals nothing.
    return torch.eq(x - x, 0)


def _erfc(x: Tensor) -> Tensor:
    return 1 - torch.erf(x)


def _gelu(x: Tensor, approximate: str = "none") -> Any:
    # torch-mlir's own constant is 0.797724; sqrt(2 / pi) is 0.797885.
    if approximate != "tanh":
        return NotImplemented
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
    return 0.5 * x * (1 + torch.tanh(inner))


def _fmod_scalar(x: Tensor, divisor: float) -> Tensor:
    return torch.fmod(x, torch.full_like(x, divisor))


def _integer_power(x: Tensor, exponent: float) -> Any:
    if x.is_floating_point() or not isinstance(exponent, int) or exponent < 0:
        return NotImplemented
    result, square = torch.ones_like(x), x
    while exponent:
        if exponent & 1:
            result = result * square
        exponent >>= 1
        if exponent:
            square = square * square
    return result


def _bitwise_or_scalar(x: Tensor, other: int) -> Tensor:
    return torch.bitwise_or(x, torch.full_like(x, other))


def _bitwise_xor_scalar(x: Tensor, other: int) -> Tensor:
    return torch.bitwise_xor(x, torch.full_like(x, other))


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


def _select(x: Tensor, dim: int, index: int | torch.SymInt) -> Any:
    # torch-mlir makes a slice of it, whose begin may be one behind the last. Sizes give no such.
    if isinstance(index, int) or not free_unbacked_symbols(index):
        return NotImplemented
    place = aten.scalar_tensor.default(index, dtype=torch.int64)
    return aten.index.Tensor(x, [*[None] * (dim % x.dim()), place])


def _from_the_front(operator: Callable[..., Any]) -> Callable[..., Any]:
    """Return what calls an operator with a dimension that is not negative."""

    def call(x: Tensor, dim: int, *args: Any, **kwargs: Any) -> Any:
        # torch-mlir ends the process on a negative dimension of a scatter.
        if dim >= 0 or x.dim() == 0:
            return NotImplemented
        return operator(x, dim + x.dim(), *args, **kwargs)

    return call


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


def _are_known(sizes: Sequence[int | torch.SymInt]) -> bool:
    return all(isinstance(size, int) for size in sizes)


def _var_mean(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    # torch-mlir computes variances in float64, with a quarter of the lanes of float32.
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    dims = sorted(d % x.dim() for d in dim) if dim else list(range(x.dim()))
    count = math.prod(x.shape[d] for d in dims)
    shape = [1 if d in dims else size for d, size in enumerate(x.shape) if keepdim or d not in dims]
    # One dimension at the end, since loops are not merged over a slice of several.
    while dims[-2:] == [wide.dim() - 2, wide.dim() - 1] and _are_known(wide.shape[-2:]):
        wide = wide.flatten(-2)
        dims.pop()
    # About the first element (Chan, Golub and LeVeque 1983, Algorithms for computing the sample
    # variance, section 3): a sum of equal elements rounds, and where a channel is constant, which
    # one without weights is, normalisation multiplies that by up to eps ** -0.5.
    first = wide
    for d in dims:
        first = first.narrow(d, 0, 1)
    mean = first + (wide - first).mean(dims, keepdim=True)
    centred = wide - mean
    variance = (centred * centred).sum(dims, keepdim=True) / (
        count - (1 if correction is None else correction)
    )
    variance, mean = variance.reshape(shape), mean.reshape(shape)
    return variance.to(x.dtype), mean.to(x.dtype)


def _var(
    x: Tensor,
    dim: list[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> Any:
    if x.dim() == 0:
        return NotImplemented
    return _var_mean(x, dim, correction=correction, keepdim=keepdim)[0]


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
    return _kth_value(x, (x.shape[dim] - 1) // 2 + 1, dim, keepdim)


def _median_of_all(x: Tensor) -> Tensor:
    return _median(x.flatten(), 0)[0]


def _kth_value(x: Tensor, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    values, indices = torch.sort(x, dim=dim, stable=True)
    values, indices = values.narrow(dim, k - 1, 1), indices.narrow(dim, k - 1, 1)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    # Always one matrix product: for some strides torch repeats the weights for every batch.
    if sum(isinstance(size, torch.SymInt) for size in x.shape[:-1]) > 1:
        # torch-mlir takes all but one of several unknown sizes for 1 when it merges them.
        rows = torch.ops.prims.collapse(x, 0, x.dim() - 2)
    else:
        rows = x.reshape(-1, x.shape[-1])
    y = torch.mm(rows, weight.t())
    if bias is not None:
        y = y + bias
    return y.reshape(*x.shape[:-1], weight.shape[0])


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    if dropout_p > 0:
        return NotImplemented
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = (x.repeat_interleave(repeats, -3) for x in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.matmul(query * factor, key.transpose(-2, -1))
    if is_causal:
        allowed = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
        scores = scores.masked_fill(~allowed, -math.inf)
    if attn_mask is None:
        # No row is masked as a whole, so that the guard against 0/0 is not needed.
        return torch.matmul(torch.softmax(scores, -1), value)
    if attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -math.inf)
    else:
        scores = scores + attn_mask
    return torch.matmul(aten._safe_softmax(scores, -1), value)


def _softmax(x: Tensor, dim: int, half_to_float: bool) -> Tensor:
    # torch-mlir's own way computes the position of the largest element beside its value.
    if half_to_float:
        x = x.float()
    if x.numel() == 0:
        return x.clone()
    powers = torch.exp(x - torch.amax(x, dim, keepdim=True))
    return powers / powers.sum(dim, keepdim=True)


def _sort_stable(
    x: Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[Tensor, Tensor]:
    # `ordered_loops` sorts stably anyway.
    values, indices = torch.sort(x, dim, descending)
    return values, indices


def _one_hot(x: Tensor, num_classes: int = -1) -> Any:
    # torch asserts on the side that classes are in range, which is lost on the way.
    if num_classes < 0:
        return NotImplemented
    x = index_checks.checked_index(x, num_classes, False, "")
    return torch.eq(x.unsqueeze(-1), torch.arange(num_classes)).to(torch.int64)


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


def _first(rewrite: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """Return what rewrites as `rewrite` does and, where that declines, as `otherwise`."""

    def either(*args: Any, **kwargs: Any) -> Any:
        result = rewrite(*args, **kwargs)
        return otherwise(*args, **kwargs) if result is NotImplemented else result

    return either


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
            aten.linear.default: _linear,
            aten.scaled_dot_product_attention.default: _attention,
            aten._softmax.default: _softmax,
            aten.sort.stable: _sort_stable,
            aten.erfc.default: _erfc,
            aten.gelu.default: _gelu,
            aten.fmod.Scalar: _fmod_scalar,
            aten.pow.Tensor_Scalar: _integer_power,
            aten.bitwise_or.Scalar: _bitwise_or_scalar,
            aten.bitwise_xor.Scalar: _bitwise_xor_scalar,
            aten.hypot.default: _hypot,
            aten.copysign.Tensor: _copysign,
            aten._cdist_forward.default: _cdist_forward,
            aten.constant_pad_nd.default: _constant_pad,
            aten.select.int: _select,
            aten.native_group_norm.default: _native_group_norm,
            aten.var_mean.correction: _var_mean,
            aten.var.correction: _var,
            aten.median.dim: _median,
            aten.median.default: _median_of_all,
            aten.kthvalue.default: _kth_value,
            aten.one_hot.default: _one_hot,
            aten.rrelu_with_noise_functional.default: _rrelu,
        }
    )
    for scatter in (
        aten.scatter.src,
        aten.scatter.value,
        aten.scatter_add.default,
        aten.scatter_reduce.two,
    ):
        merged[scatter] = _from_the_front(scatter)
    # `check_indices` tells them from indices of the model.
    del merged[aten._unsafe_index.Tensor]
    merged.update(recurrent.DECOMPOSITIONS)
    merged.update(bags.DECOMPOSITIONS)
    for written, rewrite in spatial.DECOMPOSITIONS.items():
        before = merged.get(written)
        merged[written] = rewrite if before is None else _first(rewrite, before)
    return merged
