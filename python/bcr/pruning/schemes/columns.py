"""Chooses whole columns of blocks, and rows before them, with exact counts.

The core that most schemes share: each says how it cuts the weights of a layer into blocks, and
which lines of a block stay is decided here.

Counts, balanced per block. A matrix W[M, K] pruned at rate r may keep B = floor(M*K / r) weights.
A block of h x w that keeps s rows keeps t = floor(h*w / r / s) columns. The rounding leaves part of
B unused; it is handed out as one more column each to the blocks whose best dropped column has the
largest norm. So |S| * |T| differs between blocks of one size by at most one column, the rate
reached is not below r, and above it by less than one column of one block (for ragged blocks: of one
block of each size). Blocks too small for their share, down to 1 x 1, need no special rule: some
keep one column, the others none.

Counts, ranked over a layer or a network. The columns of all blocks are taken by falling mean
square, each one that still fits into B; so of the columns that are dropped not one would fit.

A layer loses everything only if r > M*K; where B is positive but not one column fits into it, the
best column is kept all the same, and only then is the rate reached below r.

Choice. A block keeps the s rows of largest Euclidean norm, then the columns of largest norm over
those rows; of equals the lower index. Where rows and columns are pruned, s = h, h/2, h/4, ...
(rounded up) down to h / r is tried, one split for the whole layer (ranked over a network: for the
network): the one that loses the least energy (sum of squares) stays, of equals the one with more
rows. Norms are computed in float64.

Projecting twice changes nothing: the kept weights of the first time fit the same counts, and a
split is compared by what it loses, which is exactly 0 for the one taken before.

Source of the shape: GRIM (Niu et al., TPAMI 2021): rows and columns of every block. The split by
loss and the hand-out of the remainder serve rates and edges that do not divide.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

_BAND = 1 << 24  # weights worked on at a time: 128 MB in float64 bound the memory


class Cut(Protocol):
    """Blocks of one size in a matrix; see `bcr.pruning.blocks.Region`."""

    @property
    def height(self) -> int:
        """Rows of a block."""

    @property
    def width(self) -> int:
        """Columns of a block."""

    @property
    def grid(self) -> tuple[int, int]:
        """Number of blocks downwards and sideways."""

    def cut(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return the blocks as [grid rows, height, grid columns, width]."""

    def paste(self, matrix: torch.Tensor, blocks: torch.Tensor) -> None:
        """Write such blocks into `matrix`."""


@dataclass
class Choice:
    """Kept rows [blocks, height] and columns [blocks, width] per region, and what that costs."""

    parts: list[tuple[Cut, torch.Tensor, torch.Tensor]] = field(default_factory=list)
    kept: int = 0
    lost: float = 0.0

    def mask(self, like: torch.Tensor) -> torch.Tensor:
        """Return the bool mask of the shape and on the device of `like`."""
        mask = torch.zeros_like(like, dtype=torch.bool)
        for region, rows_kept, columns_kept in self.parts:
            down, across = region.grid
            kept = rows_kept.view(down, across, region.height, 1) & columns_kept.view(
                down, across, 1, region.width
            )
            region.paste(mask, kept.permute(0, 2, 1, 3))
        return mask


@dataclass
class Units:
    """The columns of the blocks of a layer as things that compete, each kept or dropped whole.

    Attributes:
        regions: where they are.
        rows_kept: bool [blocks, height] of each region.
        energies: float64 [blocks * width] of each region, over the kept rows.
        sizes: weights of a column of each region.
        lost: energy of the rows that are dropped beforehand.
        weights: number of weights of the layer.
    """

    regions: list[Cut]
    rows_kept: list[torch.Tensor]
    energies: list[torch.Tensor]
    sizes: list[int]
    lost: float
    weights: int

    def choice(self, kept: Sequence[torch.Tensor]) -> Choice:
        """Return the choice that keeps these units, bool [blocks * width] of each region."""
        choice = Choice(lost=self.lost)
        for i, region in enumerate(self.regions):
            columns = kept[i].view(-1, region.width)
            choice.parts.append((region, self.rows_kept[i], columns))
            choice.kept += self.sizes[i] * int(columns.sum())
            choice.lost += float(self.energies[i].masked_fill(kept[i], 0).sum())
        return choice


def budget_of(weights: int, rate: float) -> int:
    """Return how many of `weights` weights may stay at `rate`."""
    # A rate such as 1/0.3 is off by half a unit in the last place; 9.999999999999998 means 10.
    return math.floor(weights / rate * (1 + 1e-12))


def scaled(weight: torch.Tensor) -> torch.Tensor:
    """Scale float64 by a power of two (exact) so that squares neither overflow nor vanish."""
    if weight.dtype != torch.float64 or weight.numel() == 0:
        return weight
    return torch.ldexp(weight, -torch.frexp(weight.abs().max())[1])


def row_counts(height: int, rate: float) -> list[int]:
    """Return the numbers of rows that a block of `height` rows may keep at `rate`."""
    counts = [height]
    while counts[-1] > 1 and -(-counts[-1] // 2) >= height / rate:
        counts.append(-(-counts[-1] // 2))
    return counts


def best(choices: Sequence[Choice], budget: int) -> Choice:
    """Return the choice that loses least, one that is within the budget if there is any."""
    return min(choices, key=lambda choice: (choice.kept > budget, choice.lost))


def balanced(weight: torch.Tensor, grid: Sequence[Cut], rate: float, rows: int) -> Choice:
    """Give every block its share, where a block of the first region keeps `rows` rows."""
    choice = _fill(weight, grid, rate, rows, at_least=0)
    if choice.kept == 0 and budget_of(weight.numel(), rate) >= 1:
        choice = _fill(weight, grid, rate, rows, at_least=1)
    return choice


def fixed(weight: torch.Tensor, grid: Sequence[Cut], columns: Sequence[int]) -> Choice:
    """Keep all rows and this many columns of every block, one number for each region."""
    choice = Choice()
    for region, t in zip(grid, columns, strict=True):
        rows_kept, columns_kept, lost = _keep(region, weight, region.height, t, 0)
        choice.parts.append((region, rows_kept, columns_kept))
        choice.kept += math.prod(region.grid) * region.height * t
        choice.lost += lost
    return choice


def units(weight: torch.Tensor, grid: Sequence[Cut], rows: int) -> Units:
    """Return the columns that compete where a block of the first region keeps `rows` rows."""
    found = Units(list(grid), [], [], [], 0.0, weight.numel())
    for region in grid:
        s = _share(region.height, rows, grid[0].height)
        bands = [_columns(band, s) for band in _bands(region.cut(weight))]
        found.rows_kept.append(torch.cat([rows_kept for rows_kept, _, _ in bands]))
        found.energies.append(torch.cat([energy for _, energy, _ in bands]).flatten())
        found.sizes.append(s)
        found.lost += sum(lost for _, _, lost in bands)
    return found


def _share(height: int, rows: int, whole: int) -> int:
    """The share of rows that an interior block keeps, rounded up, in a lower ragged block."""
    return -(-height * rows // whole)


def _fill(
    weight: torch.Tensor, grid: Sequence[Cut], rate: float, rows: int, at_least: int
) -> Choice:
    """Choose region by region; what a region leaves of its share goes to the next one.

    `at_least` is the number of blocks of the interior that get one more column regardless.
    """
    choice = Choice()
    area = 0
    for region in grid:
        s = _share(region.height, rows, grid[0].height)
        t = min(budget_of(region.height * region.width, rate * s), region.width)
        blocks = math.prod(region.grid)
        area += blocks * region.height * region.width
        left = budget_of(area, rate) - choice.kept - blocks * s * t
        more = 0 if t == region.width else min(max(left // s, at_least), blocks)
        at_least = 0

        rows_kept, columns_kept, lost = _keep(region, weight, s, t, more)
        choice.parts.append((region, rows_kept, columns_kept))
        choice.kept += s * (blocks * t + more)
        choice.lost += lost
    return choice


def _keep(
    region: Cut, weight: torch.Tensor, s: int, t: int, more: int
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


def _columns(blocks: torch.Tensor, s: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Keep the s rows of largest norm of every block of [down, height, across, width].

    Returns bool [n, height] of the kept rows, float64 [n, width] of the columns' energy over them,
    and the energy lost.
    """
    down, height, across, width = blocks.shape
    count = down * across
    energy = blocks.to(torch.float64, copy=True).square_()
    rows_kept = torch.ones(count, height, dtype=torch.bool, device=blocks.device)
    lost = 0.0
    if s < height:
        row_energy = energy.sum(dim=3).transpose(1, 2).reshape(count, height)
        ranked, order = row_energy.sort(dim=1, descending=True, stable=True)
        rows_kept.scatter_(1, order[:, s:], False)
        lost = float(ranked[:, s:].sum())
        dropped = ~rows_kept.view(down, across, height).transpose(1, 2)
        energy.masked_fill_(dropped.unsqueeze(3), 0)
    return rows_kept, energy.sum(dim=1).reshape(count, width), lost


def _rank(blocks: torch.Tensor, s: int, t: int) -> _Ranked:
    rows_kept, column_energy, lost = _columns(blocks, s)
    ranked, order = column_energy.sort(dim=1, descending=True, stable=True)
    columns_kept = torch.zeros_like(column_energy, dtype=torch.bool)
    columns_kept.scatter_(1, order[:, :t], True)
    lost += float(ranked[:, t + 1 :].sum())
    following = slice(t, t + 1)
    return _Ranked(
        rows_kept, columns_kept, order[:, following].flatten(), ranked[:, following].flatten(), lost
    )
