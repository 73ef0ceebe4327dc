"""Finds out how a weight matrix was pruned from its zeros alone.

Nothing here knows the compiler, but both judge a block shape by the same sum: the bytes of the
values, rows and columns that every block would name. Smaller blocks than those of the pruning
name everything twice, larger ones store zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch

_SAMPLE = 1 << 24  # weights that shapes are compared on; the best ones are measured on all
_STRIP = 256  # rows of a sample that stay together, no less than the highest block below M
_SLACK = 1.01  # a few kept weights may be zero by chance


@dataclass(frozen=True)
class BlockFit:
    """What a layer would store if it were packed in blocks of one shape.

    Attributes:
        block: rows and columns; (1, 1) stands for single weights.
        stored: weights in the kept rows times the kept columns of all blocks.
        rate: weights of the layer divided by those stored.
    """

    block: tuple[int, int]
    stored: int
    rate: float


def fit_blocks(nonzero: torch.Tensor, positions: int = 1, most: int = 3) -> list[BlockFit]:
    """Return the block shapes that describe the zeros in the fewest bytes, the best one first.

    Of shapes within half a percent the larger one counts as better; a part of a block that is
    listed already is left out where it stores the same.

    Args:
        nonzero: bool [M, K].
        positions: of a kernel; multiples of it are tried as widths beside powers of two.
        most: length of the list.
    """
    m, k = nonzero.shape
    shapes = [(h, w) for h in (*_doubled(2, min(m, _STRIP + 1)), m) for w in _widths(k, positions)]
    sample = _sampled(nonzero)
    sizes = _measure(sample, [(1, k), *dict.fromkeys(s for s in shapes if s[0] > 1)])
    ordered = sorted(sizes, key=lambda shape: sizes[shape][1])
    least = sizes[ordered[0]][1]
    close = [s for s in ordered if sizes[s][1] <= 1.005 * least]
    close.sort(key=lambda s: -s[0] * s[1])
    best: list[tuple[int, int]] = []
    for h, w in close + [s for s in ordered if s not in close]:
        stored = sizes[h, w][0]
        single = h == 1  # its width means nothing
        if not any(h <= a and (w <= b or single) and stored == sizes[a, b][0] for a, b in best):
            best.append((h, w))
        if len(best) == most:
            break
    exact = sizes if sample is nonzero else _measure(nonzero, best)
    return [
        BlockFit(
            shape if shape[0] > 1 else (1, 1), exact[shape][0], m * k / max(1, exact[shape][0])
        )
        for shape in best
    ]


def fit_schemes(
    nonzero: torch.Tensor, shape: tuple[int, ...], groups: int, best: BlockFit
) -> list[str]:
    """Return the names of the schemes whose patterns the zeros have, the strictest first.

    Args:
        nonzero: bool [M, K].
        shape: of the weight tensor.
        groups: of a convolution.
        best: of `fit_blocks`.
    """
    count, weights = int(nonzero.sum()), nonzero.numel()
    if count in (0, weights):
        return ["dense" if count else "empty"]
    m, channels = shape[0], shape[1]
    kernels = nonzero.view(m, channels, -1)
    positions = kernels.shape[2]
    found = []

    def is_stored_by(stored: int) -> bool:
        return stored < weights and stored <= _SLACK * count

    rows = int(nonzero.any(dim=1).sum())
    read = kernels.view(groups, m // groups, channels, positions).any(dim=3).any(dim=1)
    read_weights = int(read.sum()) * (m // groups) * positions
    if is_stored_by(rows * nonzero.shape[1]):
        found.append("filter")
    if is_stored_by(read_weights):
        found.append("channel")
    if not found and groups == 1 and is_stored_by(rows * int(read.sum()) * positions):
        found.append("filter and channel")
    if shape[2:] == (3, 3) and _is_pattern(kernels.view(-1, 9)):
        found.append("pattern")
    if not found:
        found += _n_of_m(kernels)
    if best.block[0] > 1 and is_stored_by(best.stored):
        if positions > 1:
            found += _punched(kernels, count)
        found += [_lines(nonzero, best.block)] if not found else []
    return found or ["unstructured"]


def _doubled(first: int, bound: int) -> list[int]:
    sizes = []
    while first < bound:
        sizes.append(first)
        first *= 2
    return sizes


def _widths(k: int, positions: int) -> list[int]:
    sizes = {*_doubled(4, k), k}
    if positions > 1:
        sizes.update(_doubled(positions, k))
    return sorted(sizes)


def _sampled(nonzero: torch.Tensor) -> torch.Tensor:
    """Return strips of rows from all over a large matrix, or the matrix itself."""
    strips = -(-nonzero.shape[0] // _STRIP)
    taken = max(1, _SAMPLE // (_STRIP * nonzero.shape[1]))
    if taken >= strips:
        return nonzero
    parts = [nonzero[i * strips // taken * _STRIP :][:_STRIP] for i in range(taken)]
    return torch.cat(parts)


def _measure(
    nonzero: torch.Tensor, shapes: Iterable[tuple[int, int]]
) -> dict[tuple[int, int], tuple[int, int]]:
    """Return for each shape the stored weights, and the bytes that describe them."""
    m, k = nonzero.shape
    row_bytes, column_bytes = (2 if n <= 65536 else 4 for n in (m, k))
    columns_of: dict[int, torch.Tensor] = {}
    rows_of: dict[int, torch.Tensor] = {}
    measured = {}
    for height, width in shapes:
        if height not in columns_of:
            columns_of[height] = _padded(nonzero, 0, height).any(dim=1)
        if width not in rows_of:
            rows_of[width] = _padded(nonzero, 1, width).any(dim=2)
        columns = _padded(columns_of[height], 1, width).sum(dim=2)
        rows = _padded(rows_of[width], 0, height).sum(dim=1)
        stored = int((rows * columns).sum())
        indices = row_bytes * int(rows.sum()) + column_bytes * int(columns.sum())
        measured[height, width] = stored, 4 * stored + indices
    return measured


def _padded(matrix: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    """Fill a matrix up with zeros to a multiple of `size` and cut that dimension in two."""
    extent = matrix.shape[dim]
    blocks = -(-extent // size)
    missing = blocks * size - extent
    if missing:
        shape = list(matrix.shape)
        shape[dim] = missing
        matrix = torch.cat([matrix, matrix.new_zeros(shape)], dim=dim)
    return matrix.reshape(*matrix.shape[:dim], blocks, size, *matrix.shape[dim + 1 :])


def _is_pattern(kernels: torch.Tensor) -> bool:
    """Whether the 3x3 kernels that are there keep four weights in a few patterns."""
    kernels = kernels[kernels.any(dim=1)]
    counts = kernels.sum(dim=1)
    few = len(torch.unique(kernels, dim=0)) <= 16
    return bool((counts <= 4).all()) and float(counts.double().mean()) > 3.9 and few


def _n_of_m(kernels: torch.Tensor) -> list[str]:
    """The N:M scheme that all whole groups of channels obey and nearly all of them use up."""
    for size in (4, 8, 16):
        whole = kernels.shape[1] // size * size
        if whole == 0:
            continue
        counts = _padded(kernels[:, :whole], 1, size).sum(dim=2)
        most = int(counts.max())
        if 0 < most < size and float(counts.double().mean()) >= 0.99 * most:
            return [f"{most}:{size}"]
    return []


def _punched(kernels: torch.Tensor, count: int) -> list[str]:
    """Block-punched if some block of filters and channels shares its positions."""
    for filters, channels in ((16, 8), (16, 4), (8, 8), (8, 4), (4, 4), (8, 2), (4, 2)):
        inside = _padded(_padded(kernels.permute(2, 0, 1), 1, filters), 3, channels)
        shared = inside.any(dim=4).any(dim=2)  # [positions, rows of blocks, blocks of a row]
        sizes = _padded(_padded(torch.ones_like(kernels[:, :, 0]), 0, filters), 2, channels)
        stored = int((shared * sizes.sum(dim=(1, 3))).sum())
        if stored <= _SLACK * count:
            return [f"block-punched {filters}x{channels}"]
    return []


def _lines(nonzero: torch.Tensor, block: tuple[int, int]) -> str:
    """Say which lines of the blocks are gone: the name of the column-row scheme."""
    blocks = _padded(_padded(nonzero, 0, block[0]), 2, block[1])
    inside = _padded(_padded(torch.ones_like(nonzero), 0, block[0]), 2, block[1])
    live = blocks.any(dim=3).any(dim=1)
    rows, all_rows = (b.any(dim=3).sum(dim=1) for b in (blocks, inside))
    columns, all_columns = (b.any(dim=1).sum(dim=2) for b in (blocks, inside))
    if bool((rows == all_rows)[live].all()):
        return "columns"
    return "rows" if bool((columns == all_columns)[live].all()) else "both"
