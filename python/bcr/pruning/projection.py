"""Projection of a weight matrix onto the BCR shape: which rows and columns each block keeps.

Counts. A matrix W[M, K] pruned at rate r may keep B = floor(M*K / r) weights. A block of h x w
that keeps s rows keeps t = floor(h*w / r / s) columns. The rounding leaves part of B unused; it is
handed out as one more column each to the blocks whose best dropped column has the largest norm.
So |S| * |T| differs between blocks of one size by at most one column, the rate reached is not
below r, and above it by less than one column of one block (for ragged blocks: of one block of each
size). Blocks too small for their share, down to 1 x 1, need no special rule: some keep one column,
the others none. A layer loses everything only if r > M*K; where B is positive but not one column
fits into it, the best column is kept all the same, and only then is the rate reached below r.

Choice. A block keeps the s rows of largest Euclidean norm, then the t columns of largest norm over
those rows; of equals the lower index. Scheme "columns" has s = h, scheme "rows" is its transpose.
Scheme "both" takes s = h, h/2, h/4, ... (rounded up) down to h / r, one split for the whole layer:
the one that loses the least energy (sum of squares), of equals the one with more rows. Norms are
computed in float64.

Projecting twice changes nothing: the kept weights of the first time fit the same counts, and a
split is compared by what it loses, which is exactly 0 for the one taken before.

Source of the shape: GRIM (Niu et al., TPAMI 2021), which takes the same counts for all blocks. The
split by loss and the hand-out of the remainder serve rates and edges that do not divide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from bcr.errors import ConfigError
from bcr.pruning.blocks import Region, block_counts, block_size, regions
from bcr.pruning.config import SCHEMES, Scheme
from bcr.pruning.validate import Block, check_block, check_choice, check_rate

__all__ = ["bcr_mask", "block_counts", "project"]

_BAND = 1 << 24  # weights worked on at a time: 128 MB in float64 bound the memory


@dataclass
class _Choice:
    """Kept rows [blocks, height] and columns [blocks, width] per region, and what that costs."""

    parts: list[tuple[Region, torch.Tensor, torch.Tensor]] = field(default_factory=list)
    kept: int = 0
    lost: float = 0.0


def bcr_mask(
    weight: torch.Tensor, *, rate: float, block: Block, scheme: Scheme = "both"
) -> torch.Tensor:
    """Choose the weights to keep.

    Args:
        weight: [M, K], floating point, finite.
        rate: at least 1.
        block: (rows, columns) or "matrix"; clipped to the matrix where it is larger.
        scheme: "both", "columns" or "rows".

    Returns:
        bool [M, K] on the device of `weight`: in every block a full S x T pattern.

    Raises:
        ConfigError: an argument is impossible, or a weight is NaN or infinite.
    """
    rate, block = check_rate(rate, "rate"), check_block(block, "block")
    check_choice(scheme, "scheme", SCHEMES)
    if weight.dim() != 2 or weight.numel() == 0 or not weight.is_floating_point():
        raise ConfigError(
            f"weight is {weight.dtype} {list(weight.shape)}: "
            "pass a floating-point matrix [M, K] that is not empty"
        )
    weight = weight.detach()
    if not bool(weight.isfinite().all()):
        raise ConfigError("weight holds NaN or Inf: there is no norm to rank it by")
    if scheme == "rows":
        turned = block if block == "matrix" else (block[1], block[0])
        return bcr_mask(weight.T, rate=rate, block=turned, scheme="columns").T
    if weight.dtype == torch.float64:
        weight = _scaled(weight)

    shape = (weight.shape[0], weight.shape[1])
    budget = _floor(weight.numel() / rate)
    choices = [
        _choose(weight, block, rate, rows)
        for rows in _row_counts(block_size(block, shape)[0], rate, scheme)
    ]
    best = min(choices, key=lambda choice: (choice.kept > budget, choice.lost))

    mask = torch.zeros_like(weight, dtype=torch.bool)
    for region, rows_kept, columns_kept in best.parts:
        down, across = region.grid
        kept = rows_kept.view(down, across, region.height, 1) & columns_kept.view(
            down, across, 1, region.width
        )
        mask[region.rows, region.columns] = kept.permute(0, 2, 1, 3).reshape(
            down * region.height, across * region.width
        )
    return mask


def project(
    weight: torch.Tensor, *, rate: float, block: Block, scheme: Scheme = "both"
) -> torch.Tensor:
    """Return a copy of `weight` [M, K] with every weight that `bcr_mask` drops set to zero."""
    mask = bcr_mask(weight, rate=rate, block=block, scheme=scheme)
    return weight.detach().masked_fill(~mask, 0)


def _floor(value: float) -> int:
    # A rate such as 1/0.3 is off by half a unit in the last place; 9.999999999999998 means 10.
    return math.floor(value * (1 + 1e-12))


def _scaled(weight: torch.Tensor) -> torch.Tensor:
    """Scale float64 by a power of two (exact) so that squares neither overflow nor vanish."""
    exponent = torch.frexp(weight.abs().max())[1]
    return torch.ldexp(weight, -exponent)


def _row_counts(height: int, rate: float, scheme: Scheme) -> list[int]:
    counts = [height]
    while scheme == "both" and counts[-1] > 1 and -(-counts[-1] // 2) >= height / rate:
        counts.append(-(-counts[-1] // 2))
    return counts


def _choose(weight: torch.Tensor, block: Block, rate: float, rows: int) -> _Choice:
    """Choose rows and columns where an interior block keeps `rows` rows."""
    grid = regions((weight.shape[0], weight.shape[1]), block)
    choice = _fill(weight, grid, rate, rows, at_least=0)
    if choice.kept == 0 and _floor(weight.numel() / rate) >= 1:
        choice = _fill(weight, grid, rate, rows, at_least=1)
    return choice


def _fill(
    weight: torch.Tensor, grid: list[Region], rate: float, rows: int, at_least: int
) -> _Choice:
    """Choose region by region; what a region leaves of its share goes to the next one.

    `at_least` is the number of blocks of the interior that get one more column regardless.
    """
    choice = _Choice()
    area = 0
    for region in grid:
        # The share of rows that an interior block keeps, rounded up, in a lower ragged block.
        s = -(-region.height * rows // grid[0].height)
        t = min(_floor(region.height * region.width / rate / s), region.width)
        blocks = math.prod(region.grid)
        area += blocks * region.height * region.width
        left = _floor(area / rate) - choice.kept - blocks * s * t
        more = 0 if t == region.width else min(max(left // s, at_least), blocks)
        at_least = 0

        rows_kept, columns_kept, lost = _keep(region, weight, s, t, more)
        choice.parts.append((region, rows_kept, columns_kept))
        choice.kept += s * (blocks * t + more)
        choice.lost += lost
    return choice


def _keep(
    region: Region, weight: torch.Tensor, s: int, t: int, more: int
) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Keep s rows and t columns of every block, and one more column in `more` of the blocks.

    Returns the kept rows [blocks, height] and columns [blocks, width], and the energy lost.
    """
    ranked = [_rank(band, s, t) for band in _bands(region.cut(weight))]
    rows_kept = torch.cat([r.rows_kept for r in ranked])
    columns_kept = torch.cat([r.columns_kept for r in ranked])
    lost = sum(r.lost for r in ranked)
    if t < region.width:
        energy = torch.cat([r.next_energy for r in ranked])
        order = energy.argsort(descending=True, stable=True)
        lucky = order[:more]
        columns_kept[lucky, torch.cat([r.next_column for r in ranked])[lucky]] = True
        lost += float(energy[order[more:]].sum())
    return rows_kept, columns_kept, lost


@dataclass
class _Ranked:
    """The choice inside n blocks, before the remainder is handed out."""

    rows_kept: torch.Tensor  # bool [n, height]
    columns_kept: torch.Tensor  # bool [n, width]
    next_column: torch.Tensor  # int64 [n], the best dropped column; empty if none is dropped
    next_energy: torch.Tensor  # float64 [n], its energy
    lost: float  # the energy of all that is dropped but the next columns


def _bands(blocks: torch.Tensor) -> Sequence[torch.Tensor]:
    """Split [down, height, across, width] by rows of blocks into parts of bounded size."""
    down = blocks.shape[0]
    return torch.split(blocks, max(1, _BAND * down // blocks.numel()))


def _rank(blocks: torch.Tensor, s: int, t: int) -> _Ranked:
    down, height, across, width = blocks.shape
    count = down * across
    energy = blocks.to(torch.float64, copy=True).square_()
    rows_kept = torch.ones(count, height, dtype=torch.bool, device=blocks.device)
    lost = 0.0
    if s < height:
        row_energy = energy.sum(dim=3).transpose(1, 2).reshape(count, height)
        ranked, order = row_energy.sort(dim=1, descending=True, stable=True)
        rows_kept.scatter_(1, order[:, s:], False)
        lost += float(ranked[:, s:].sum())
        dropped = ~rows_kept.view(down, across, height).transpose(1, 2)
        energy.masked_fill_(dropped.unsqueeze(3), 0)

    column_energy = energy.sum(dim=1).reshape(count, width)
    ranked, order = column_energy.sort(dim=1, descending=True, stable=True)
    columns_kept = torch.zeros_like(column_energy, dtype=torch.bool)
    columns_kept.scatter_(1, order[:, :t], True)
    lost += float(ranked[:, t + 1 :].sum())
    following = slice(t, t + 1)
    return _Ranked(
        rows_kept, columns_kept, order[:, following].flatten(), ranked[:, following].flatten(), lost
    )
