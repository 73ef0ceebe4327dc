"""Block-punched: a block of filters and channels keeps the same positions of its kernels.

Source: YOLObile (Cai et al., AAAI 2021), block-punched pruning. A block is 8 filters x
4 channels unless `kernel_block` says otherwise. A position of a block is pruned in all its kernels
at once, so the weights that stay are whole columns of W within its row of blocks. A linear layer
and a 1x1 convolution have one position: there whole blocks go.

Counts are those of `columns`, the block as a matrix of filters * channels rows and one column for
each position. Blocks at the edge of the layer are as large as what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from bcr.pruning.blocks import Region, regions
from bcr.pruning.form import Form
from bcr.pruning.schemes.column_scheme import ColumnScheme
from bcr.pruning.schemes.columns import Cut


@dataclass(frozen=True)
class _Kernels:
    """The blocks of one size in W[M, channels, positions]."""

    region: Region  # of the plane of filters and channels
    positions: int

    @property
    def height(self) -> int:
        return self.region.height * self.region.width

    @property
    def width(self) -> int:
        return self.positions

    @property
    def grid(self) -> tuple[int, int]:
        down, across = self.region.grid
        return down * across, 1

    def cut(self, matrix: torch.Tensor) -> torch.Tensor:
        down, across = self.region.grid
        part = matrix[self.region.rows, self.region.columns]
        part = part.reshape(down, self.region.height, across, self.region.width, self.positions)
        return part.transpose(1, 2).reshape(down * across, self.height, 1, self.positions)

    def paste(self, matrix: torch.Tensor, blocks: torch.Tensor) -> None:
        down, across = self.region.grid
        height, width = self.region.height, self.region.width
        part = blocks.reshape(down, across, height, width, self.positions).transpose(1, 2)
        matrix[self.region.rows, self.region.columns] = part.reshape(
            down * height, across * width, self.positions
        )


class BlockPunched(ColumnScheme):
    """Positions of the kernels of every block of filters and channels."""

    def view(self, form: Form, matrix: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.view`."""
        return matrix.reshape(form.kernel)

    def restore(self, form: Form, mask: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.restore`."""
        return mask.view(form.matrix)

    def regions(self, form: Form) -> Sequence[Cut]:
        """See `ColumnScheme.regions`."""
        m, channels, positions = form.kernel
        plane = regions((m, channels), form.settings.kernel_block)
        return [_Kernels(region, positions) for region in plane]
