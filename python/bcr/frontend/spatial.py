"""Transposed and 3-D convolutions, upsampling and mirrored borders as what kernels are fast at.

torch-mlir writes a transposed convolution of stride s as a convolution of an image with s - 1 zeros
between its pixels, so that all but one of s * s products are with zeros. It writes interpolation
as a loop that finds out where each pixel comes from. Both are the same operation for every s-th
pixel: s * s convolutions with a part of the taps each, or s * s sums of neighbours.

A 3-D convolution is one of images that have the channels of all the slices it meets, with the same
matrix of weights, so that its zeros count as those of any other.

Filters that are computed, one a channel, such as those of a tracker that looks for one image in
another, may be as many as a call chooses, for which torch-mlir has no form: a sum over the taps.

A border of mirrored or repeated pixels is a few slices beside the image; torch looks up where each
pixel of the result comes from.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch._ops import OperatorBase
from torch.fx.experimental.symbolic_shapes import statically_known_true

aten = torch.ops.aten


@dataclass(frozen=True)
class _Phase:
    """Every s-th result along one dimension: a convolution with taps `first`, `first` + s, ..."""

    first: int
    padding: tuple[int, int]


def _phases(size: int, kernel: int, stride: int, padding: int, results: int) -> list[_Phase]:
    """Return one phase for each of the first `stride` results.

    Result q = s * a + b gets input i through tap t where q + padding = s * i + t. So its taps are
    those with t = (b + padding) mod s, and tap number m of them meets input a + shift - m.
    """
    phases = []
    for b in range(stride):
        shift, first = divmod(b + padding, stride)
        taps = len(range(first, kernel, stride))
        low = taps - 1 - shift
        phases.append(_Phase(first, (low, results - 1 + shift - (size - 1))))
    return phases


def _is_fixed(sizes: Sequence[int | torch.SymInt]) -> bool:
    """Return whether all sizes are known when the model is compiled, and none is 0."""
    return all(isinstance(size, int) and size > 0 for size in sizes)


def _convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int | torch.SymInt,
) -> Any:
    rank = x.dim() - 2
    kernel = weight.shape[2:]
    if not isinstance(groups, int):
        if transposed or not _is_fixed((*weight.shape[1:], *x.shape[2:])) or weight.shape[1] > 1:
            return NotImplemented
        if not statically_known_true(weight.shape[0] == groups):
            return NotImplemented
        return _channel_by_channel(x, weight, bias, stride, padding, dilation)
    if not transposed:
        if rank != 3 or not _is_fixed(x.shape[1:]):
            return NotImplemented
        return _in_slices(x, weight, bias, stride, padding, dilation, groups)
    if (
        rank not in (1, 2)
        or all(step == 1 for step in stride)
        or any(step != 1 for step in dilation)
        or any(taps < step for taps, step in zip(kernel, stride))
        or not _is_fixed(x.shape[1:])
    ):
        return NotImplemented
    sizes = [
        (size - 1) * step - 2 * pad + taps + more
        for size, step, pad, taps, more in zip(x.shape[2:], stride, padding, kernel, output_padding)
    ]
    # Every phase has as many results; what is too much is cut off at the end.
    results = [-(-size // step) for size, step in zip(sizes, stride)]
    inputs, outputs = weight.shape[0], weight.shape[1] * groups
    taps_of = weight.reshape(groups, inputs // groups, outputs // groups, *kernel)
    taps_of = taps_of.transpose(1, 2).reshape(outputs, inputs // groups, *kernel)
    parts = []
    for phases in itertools.product(
        *(_phases(*each) for each in zip(x.shape[2:], kernel, stride, padding, results))
    ):
        taps = taps_of
        pads: list[int] = []
        for dim, (phase, step) in enumerate(zip(phases, stride), start=2):
            taps = aten.slice.Tensor(taps, dim, phase.first, None, step)
            pads = [*phase.padding, *pads]
        taps = taps.flip(tuple(range(2, 2 + rank)))
        ones, zeros = [1] * rank, [0] * rank
        padded = aten.constant_pad_nd.default(x, pads)
        parts.append(
            aten.convolution.default(padded, taps, bias, ones, zeros, ones, False, zeros, groups)
        )
    y = torch.stack(parts, 2).reshape(x.shape[0], outputs, *stride, *results)
    # The phase goes behind its dimension: neighbours come from different phases.
    order = [part for dim in range(2, 2 + rank) for part in (rank + dim, dim)]
    y = y.permute(0, 1, *order)
    y = y.reshape(*y.shape[:2], *(size * step for size, step in zip(results, stride)))
    for dim, size in enumerate(sizes, start=2):
        y = y.narrow(dim, 0, size)
    return y


def _channel_by_channel(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
) -> Tensor:
    """Return a convolution of each channel with a filter of its own, tap after tap."""
    x = aten.constant_pad_nd.default(x, [pad for pad in reversed(padding) for _ in range(2)])
    sizes = zip(x.shape[2:], weight.shape[2:], stride, dilation)
    reach = [
        (size - apart * (taps - 1) - 1) // step * step + 1 for size, taps, step, apart in sizes
    ]
    y: Tensor | None = None
    for tap in itertools.product(*map(range, weight.shape[2:])):
        part, factor = x, weight.select(1, 0)
        for dim, (at, step, apart) in enumerate(zip(tap, stride, dilation), start=2):
            begin = at * apart
            part = aten.slice.Tensor(part, dim, begin, begin + reach[dim - 2], step)
            factor = factor.narrow(dim - 1, at, 1)
        y = part * factor if y is None else y + part * factor
    assert y is not None
    return y if bias is None else y + bias[(..., *[None] * (x.dim() - 2))]


def _in_slices(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Return a 3-D convolution, computed as one of images: a sample for each slice of the result.

    Column (channel, slice, row, column) of W is the same number before and after.
    """
    taps, step = weight.shape[2], dilation[0]
    x = aten.constant_pad_nd.default(x, [0, 0, 0, 0, padding[0], padding[0]])
    count = (x.shape[2] - step * (taps - 1) - 1) // stride[0] + 1
    reach = (count - 1) * stride[0] + 1
    met = [
        aten.slice.Tensor(x, 2, tap * step, tap * step + reach, stride[0]) for tap in range(taps)
    ]
    samples, channels, height, width = x.shape[0], x.shape[1] * taps, *x.shape[3:]
    images = torch.stack(met, 2).permute(0, 3, 1, 2, 4, 5)
    images = images.reshape(samples * count, channels, height, width)
    flat = weight.reshape(weight.shape[0], -1, *weight.shape[3:])
    options = (list(stride[1:]), list(padding[1:]), list(dilation[1:]), False, [0, 0], groups)
    y: Tensor = aten.convolution.default(images, flat, bias, *options)
    return y.reshape(samples, count, *y.shape[1:]).transpose(1, 2).contiguous()


def _factors(
    x: Tensor, sizes: Sequence[int] | None, scales: Sequence[float] | None
) -> list[int] | None:
    """Return by how much each dimension grows, or nothing unless all are whole numbers."""
    images = x.shape[2:]
    if not _is_fixed((*images, *(sizes or ()))):
        return None
    ratios = [a / b for a, b in zip(sizes, images)] if sizes else list(scales or ())
    if not x.is_floating_point() or any(r < 1 or r != int(r) for r in ratios):
        return None
    return [int(ratio) for ratio in ratios]


def _interleave(parts: list[Tensor], dim: int) -> Tensor:
    return torch.stack(parts, dim + 1).flatten(dim, dim + 1)


def _between(x: Tensor, dim: int, factor: int) -> Tensor:
    """Return results at (q + 1/2) / factor - 1/2; beyond an edge its pixel is repeated."""
    size = x.shape[dim]
    if size == 1 or factor == 1:
        return _interleave([x] * factor, dim)
    first, last = x.narrow(dim, 0, 1), x.narrow(dim, size - 1, 1)
    before = torch.cat([first, x.narrow(dim, 0, size - 1)], dim)
    after = torch.cat([x.narrow(dim, 1, size - 1), last], dim)
    parts = []
    for phase in range(factor):
        at = (phase + 0.5) / factor - 0.5
        other = before if at < 0 else after
        parts.append(x * (1 - abs(at)) + other * abs(at) if at else x)
    return _interleave(parts, dim)


def _linear(
    x: Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float] | None,
) -> Any:
    factors = _factors(x, output_size, scale_factors)
    if align_corners or factors is None:
        return NotImplemented
    y = x.float() if x.dtype.itemsize < 4 else x
    for dim, factor in enumerate(factors, start=2):
        y = _between(y, dim, factor)
    return y.to(x.dtype)


def _nearest(
    x: Tensor, output_size: Sequence[int] | None, scale_factors: Sequence[float] | None
) -> Any:
    factors = _factors(x, output_size, scale_factors)
    if factors is None:
        return NotImplemented
    apart = x.reshape(*x.shape[:2], *(part for size in x.shape[2:] for part in (size, 1)))
    order = [part for size, factor in zip(x.shape[2:], factors) for part in (size, factor)]
    grown = [size * factor for size, factor in zip(x.shape[2:], factors)]
    return apart.expand(*x.shape[:2], *order).reshape(*x.shape[:2], *grown)


def _extend(
    x: Tensor, pad: Sequence[int], border: Callable[[Tensor, int, int, int], Tensor]
) -> Any:
    """Return x with slices at both ends of its last dimensions.

    Args:
        pad: how many before and behind, last dimension first.
        border: (x, dimension, first index, count) -> that many slices, `first index` counted as if
            x went on.
    """
    sizes = x.shape[x.dim() - len(pad) // 2 :]
    if not _is_fixed((*sizes, *(amount + 1 for amount in pad))):
        return NotImplemented
    for i in range(0, len(pad), 2):
        dim, (low, high) = x.dim() - 1 - i // 2, pad[i : i + 2]
        parts = [border(x, dim, -low, low)] if low else []
        parts.append(x)
        parts += [border(x, dim, x.shape[dim], high)] if high else []
        x = torch.cat(parts, dim)
    return x


_LARGE = 8
"""Above this many, slices are looked up one by one by `flip` in place of a copy for each."""


def _mirrored(x: Tensor, dim: int, first: int, count: int) -> Tensor:
    last = x.shape[dim] - 1
    begin = 1 if first < 0 else last - count
    if count > _LARGE:
        return x.narrow(dim, begin, count).flip(dim)
    return torch.cat([x.narrow(dim, begin + i, 1) for i in reversed(range(count))], dim)


def _repeated(x: Tensor, dim: int, first: int, count: int) -> Tensor:
    edge = x.narrow(dim, 0 if first < 0 else x.shape[dim] - 1, 1)
    return edge.expand([count if d == dim else -1 for d in range(x.dim())])


def _reflection_pad(x: Tensor, padding: Sequence[int]) -> Any:
    return _extend(x, padding, _mirrored)


def _replication_pad(x: Tensor, padding: Sequence[int]) -> Any:
    return _extend(x, padding, _repeated)


DECOMPOSITIONS: dict[OperatorBase, Callable[..., Any]] = {
    aten.convolution.default: _convolution,
    aten.upsample_linear1d.vec: _linear,
    aten.upsample_bilinear2d.vec: _linear,
    aten.upsample_nearest1d.vec: _nearest,
    aten.upsample_nearest2d.vec: _nearest,
    aten.reflection_pad1d.default: _reflection_pad,
    aten.reflection_pad2d.default: _reflection_pad,
    aten.reflection_pad3d.default: _reflection_pad,
    aten.replication_pad1d.default: _replication_pad,
    aten.replication_pad2d.default: _replication_pad,
    aten.replication_pad3d.default: _replication_pad,
}
"""What each operator becomes where its sizes are known, and for upsampling whole multiples."""
