"""The meaning of the numbers, by definition, in NumPy: the oracle that compiled code is held to.

Shares no code with the compiler and imports no torch. Clarity before speed.

A *block* of W[M, K] keeps the rows S and the columns T that hold a non-zero; every weight outside
S x T is pruned and takes no part in a sum: 0 x Inf is not computed there. Inside S x T zeros count
as weights. With `block=(1, 1)`, the default, exactly the zeros are pruned.

Floating-point results are accumulated in float64 and integers in int64, then cast to the dtype of
the first argument. Sums of integer-valued floats are exact as long as they stay below 2**53.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
BlockShape = tuple[int, int] | Literal["matrix"]


class Block(NamedTuple):
    """One block: kept rows S and kept columns T as indices into W, ascending, and W[S, T]."""

    rows: Array
    columns: Array
    values: Array


def as_matrix(weight: Array) -> Array:
    """Return W[M, K] of a linear or convolution weight: M first, columns (cin, kh, kw)."""
    return weight.reshape(weight.shape[0], math.prod(weight.shape[1:]))


def pack(weight: Array, block: BlockShape) -> list[Block]:
    """Cut W[M, K] into blocks, row of blocks after row of blocks, and drop what each prunes.

    Blocks at the right and lower edge are as large as what is left. An all-zero block has empty
    S, T and values.
    """
    height, width = weight.shape if block == "matrix" else block
    packed = []
    for r0 in range(0, weight.shape[0], max(height, 1)):
        for c0 in range(0, weight.shape[1], max(width, 1)):
            part = weight[r0 : r0 + height, c0 : c0 + width]
            rows, columns = (part != 0).any(axis=1), (part != 0).any(axis=0)
            packed.append(
                Block(
                    r0 + np.flatnonzero(rows), c0 + np.flatnonzero(columns), part[rows][:, columns]
                )
            )
    return packed


def unpack(packed: Iterable[Block], shape: tuple[int, int], dtype: npt.DTypeLike) -> Array:
    """Return W[M, K] of this shape with the blocks in their places and zeros elsewhere."""
    weight = np.zeros(shape, dtype)
    for rows, columns, values in packed:
        weight[np.ix_(rows, columns)] = values
    return weight


def matmul(
    x: Array, weight: Array, bias: Array | None = None, *, block: BlockShape = (1, 1)
) -> Array:
    """Linear layer: x[..., K] times W[M, K] transposed, plus bias[M]; returns [..., M]."""
    wide = _wide(x)
    y = np.zeros((*x.shape[:-1], weight.shape[0]), wide.dtype)
    with np.errstate(all="ignore"):
        for rows, columns, values in pack(weight, block):
            y[..., rows] += wide[..., columns] @ _wide(values).T
        return (y if bias is None else y + bias).astype(x.dtype)


def conv(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    block: BlockShape = (1, 1),
) -> Array:
    """Convolution (cross-correlation, as in PyTorch) over one, two or three dimensions.

    Args:
        x: [N, Cin, *image].
        weight: [M, Cin / groups, *kernel]; its blocks are those of W[M, K].
        bias: [M].
        stride, padding, dilation: one number, or one per dimension of the image.
        groups: output channels and input channels are cut into this many independent parts.
        block: see the module.

    Returns:
        [N, M, *output], output = (image + 2 padding - dilation (kernel - 1) - 1) // stride + 1.
    """
    kernel = weight.shape[2:]
    stride, padding, dilation = (_each(v, len(kernel)) for v in (stride, padding, dilation))
    padded = np.pad(_wide(x), [(0, 0), (0, 0), *((p, p) for p in padding)])
    out = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(padded.shape[2:], kernel, stride, dilation)
    ]
    # One slice of the image per position of the kernel: taps[N, Cin, kernel position, *out].
    slices = (
        tuple(
            slice(i * d, i * d + (o - 1) * s + 1, s)
            for i, d, o, s in zip(at, dilation, out, stride)
        )
        for at in itertools.product(*map(range, kernel))
    )
    taps = np.stack([padded[:, :, *window] for window in slices], axis=2)
    m, per_group = weight.shape[0], weight.shape[0] // groups
    taps = taps.reshape(x.shape[0], groups, -1, math.prod(out))  # [N, group, K, pixels]
    y = np.zeros((x.shape[0], m, math.prod(out)), taps.dtype)
    with np.errstate(all="ignore"):
        for rows, columns, values in pack(as_matrix(weight), block):
            for row, kept in zip(rows, _wide(values)):
                y[:, row] += kept @ taps[:, row // per_group][:, columns]
        if bias is not None:
            y += _wide(bias)[:, None]
        return y.reshape(x.shape[0], m, *out).astype(x.dtype)


def conv2d(x: Array, weight: Array, *args: Any, **kwargs: Any) -> Array:
    """`conv` over images: x[N, Cin, H, W], weight[M, Cin / groups, Kh, Kw]."""
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(f"conv2d takes 4-D x and weight, not {x.ndim}-D and {weight.ndim}-D")
    return conv(x, weight, *args, **kwargs)


def recurrent(
    kind: Literal["gru", "lstm", "rnn_tanh", "rnn_relu"],
    x: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None = None,
    bias_hh: Array | None = None,
    h: Array | None = None,
    c: Array | None = None,
    projection: Array | None = None,
    *,
    reverse: bool = False,
    block: BlockShape = (1, 1),
) -> tuple[Array, ...]:
    """One direction of one layer of `torch.nn.GRU`, `LSTM` or `RNN`, by the equations there.

    Args:
        kind: what a step computes.
        x: [T, N, I].
        weight_ih: [G H, I], the rows of a gate one after the other, gates in PyTorch's order.
        weight_hh: [G H, P]; P is H without a projection.
        bias_ih, bias_hh: [G H].
        h: [N, P] before the first step; zeros if None.
        c: [N, H] before the first step, of an LSTM; zeros if None.
        projection: [P, H], of an LSTM.
        reverse: steps from the last to the first.
        block: of weight_ih and weight_hh, see the module.

    Returns:
        h of every step [T, N, P], h after the last step [N, P], and of an LSTM c [N, H].
    """
    wide = _wide(x)
    gates = {"gru": 3, "lstm": 4}.get(kind, 1)
    units, samples = weight_hh.shape[0] // gates, x.shape[1]
    state = np.zeros((samples, weight_hh.shape[1])) if h is None else _wide(h)
    cell = np.zeros((samples, units)) if c is None else _wide(c)
    y = np.empty((x.shape[0], *state.shape))
    for t in range(x.shape[0])[:: -1 if reverse else 1]:
        a = np.split(matmul(wide[t], weight_ih, bias_ih, block=block), gates, axis=-1)
        b = np.split(matmul(state, weight_hh, bias_hh, block=block), gates, axis=-1)
        if kind == "gru":
            r, z = _sigmoid(a[0] + b[0]), _sigmoid(a[1] + b[1])
            state = (1 - z) * np.tanh(a[2] + r * b[2]) + z * state
        elif kind == "lstm":
            i, f, o = (_sigmoid(a[g] + b[g]) for g in (0, 1, 3))
            cell = f * cell + i * np.tanh(a[2] + b[2])
            state = o * np.tanh(cell)
            if projection is not None:
                state = matmul(state, projection)
        else:
            state = np.tanh(a[0] + b[0]) if kind == "rnn_tanh" else np.maximum(a[0] + b[0], 0)
        y[t] = state
    finals = (y, state, cell) if kind == "lstm" else (y, state)
    return tuple(part.astype(x.dtype) for part in finals)


def residual(x: Array, other: Array) -> Array:
    """Sum of two activations of one shape."""
    return _pointwise(lambda v: v + _wide(other), x)


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return _pointwise(lambda v: np.maximum(v, 0), x)


def relu6(x: Array) -> Array:
    """min(max(x, 0), 6)."""
    return clamp(x, 0, 6)


def clamp(x: Array, low: float | None = None, high: float | None = None) -> Array:
    """min(max(x, low), high); a limit of None is none; high wins if it is below low."""
    lo, hi = -math.inf if low is None else low, math.inf if high is None else high
    return _pointwise(lambda v: np.minimum(np.maximum(v, lo), hi), x)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Return x for x >= 0, else negative_slope * x."""
    return _pointwise(lambda v: np.where(v < 0, negative_slope * v, v), x)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x))."""
    return _pointwise(_sigmoid, x)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent."""
    return _pointwise(np.tanh, x)


def silu(x: Array) -> Array:
    """x * sigmoid(x)."""
    return _pointwise(lambda v: v * _sigmoid(v), x)


def hardswish(x: Array) -> Array:
    """x * min(max(x + 3, 0), 6) / 6."""
    return _pointwise(lambda v: v * np.minimum(np.maximum(v + 3, 0), 6) / 6, x)


def gelu(x: Array, approximate: Literal["none", "tanh"] = "none") -> Array:
    """x * Phi(x), Phi the normal distribution, by erf or by the approximation with tanh."""

    def phi(v: Array) -> Array:
        if approximate == "tanh":
            return (1 + np.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2
        return (1 + _erf(v / math.sqrt(2))) / 2

    return _pointwise(lambda v: v * phi(v), x)


ACTIVATIONS: dict[str, Callable[..., Array]] = {
    f.__name__: f for f in (relu, relu6, clamp, leaky_relu, sigmoid, tanh, silu, hardswish, gelu)
}


def _wide(x: Array) -> Array:
    return x.astype(np.int64 if np.issubdtype(x.dtype, np.integer) else np.float64)


def _each(value: int | Sequence[int], count: int) -> list[int]:
    return [value] * count if isinstance(value, int) else list(value)


def _pointwise(f: Callable[[Array], Array], x: Array) -> Array:
    with np.errstate(all="ignore"):
        return f(_wide(x)).astype(x.dtype)


def _sigmoid(v: Array) -> Array:
    return 1 / (1 + np.exp(-v))


def _erf(v: Array) -> Array:
    return np.array([math.erf(e) for e in v.flat], np.float64).reshape(v.shape)
