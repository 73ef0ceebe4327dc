"""The grid of blocks over a weight matrix W[M, K], ragged at its right and lower edge."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bcr.pruning.validate import Block


@dataclass(frozen=True)
class Region:
    """Neighbouring blocks that have one size.

    A grid has at most four regions: the interior, the ragged right column of blocks, the ragged
    lower row of blocks and the corner. Inside a region all blocks are handled by one tensor op.

    Attributes:
        rows, columns: the part of W that the region covers.
        height, width: size of its blocks.
    """

    rows: slice
    columns: slice
    height: int
    width: int

    @property
    def grid(self) -> tuple[int, int]:
        """Number of blocks downwards and sideways."""
        return (
            (self.rows.stop - self.rows.start) // self.height,
            (self.columns.stop - self.columns.start) // self.width,
        )

    def cut(self, matrix: torch.Tensor) -> torch.Tensor:
        """Return the region of `matrix[M, K]` as [grid rows, height, grid columns, width]."""
        down, across = self.grid
        part = matrix[self.rows, self.columns]
        return part.reshape(down, self.height, across, self.width)

    def paste(self, matrix: torch.Tensor, blocks: torch.Tensor) -> None:
        """Write [grid rows, height, grid columns, width] into `matrix`; the inverse of `cut`."""
        down, across = self.grid
        part = blocks.reshape(down * self.height, across * self.width)
        matrix[self.rows, self.columns] = part


def block_size(block: Block, shape: tuple[int, int]) -> tuple[int, int]:
    """Return the size of an interior block of a matrix of this shape."""
    return shape if block == "matrix" else (min(block[0], shape[0]), min(block[1], shape[1]))


def regions(shape: tuple[int, int], block: Block) -> list[Region]:
    """Return the regions of the grid: the interior first, then the right, lower and corner one."""
    rows, columns = (
        _cuts(extent, size) for extent, size in zip(shape, block_size(block, shape), strict=True)
    )
    return [Region(r, c, h, w) for r, h in rows for c, w in columns]


def _cuts(extent: int, size: int) -> list[tuple[slice, int]]:
    whole = extent - extent % size
    cuts = [(slice(0, whole), size)]
    if whole < extent:
        cuts.append((slice(whole, extent), extent - whole))
    return cuts


def block_counts(mask: torch.Tensor, block: Block) -> tuple[torch.Tensor, torch.Tensor]:
    """Count the kept rows and the kept columns of every block.

    Args:
        mask: bool [M, K], True where a weight is kept.
        block: size of a block.

    Returns:
        Two int64 tensors [number of blocks]: |S| and |T|, region after region.
    """
    rows, columns = [], []
    for region in regions((mask.shape[0], mask.shape[1]), block):
        blocks = region.cut(mask)
        rows.append(blocks.any(dim=3).sum(dim=1).flatten())
        columns.append(blocks.any(dim=1).sum(dim=2).flatten())
    return torch.cat(rows), torch.cat(columns)
