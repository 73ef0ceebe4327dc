"""BSP, block-structured pruning in two steps: columns of every block, then rows of the matrix.

Source: RTMobile (Dong et al., DAC 2020): step 1 prunes columns of the blocks,
step 2 prunes rows over the whole matrix. The rates of the steps multiply. Columns are pruned up to
`column_rate`, by default 16x, and rows make up the rest of the rate.

Counts. With column rate c and row rate q, every row of blocks keeps floor(K / c) columns: each
block of width w keeps floor(w / c), and what the rounding leaves goes to the blocks of that row
with the largest next column, one more each. Then floor(M / q) rows stay. So the matrix keeps just
floor(M / q) * floor(K / c) weights and the rate reached is not below the one asked for. Of both
counts at least 1 stays unless r > M*K. Norms as in `columns`: Euclidean, of equals the lower index,
rows by what the first step left of them.
"""

from __future__ import annotations

import torch

from bcr.pruning.blocks import block_size
from bcr.pruning.form import Form
from bcr.pruning.schemes import columns
from bcr.pruning.schemes.column_row import Columns
from bcr.pruning.schemes.scheme import Scheme, above

_BAND = 1 << 24  # weights worked on at a time, as in `columns`
_MOST_COLUMNS = 16.0


class BSP(Scheme):
    """Columns of every block, then rows of the whole matrix."""

    def mask(self, form: Form, matrix: torch.Tensor, rate: float) -> torch.Tensor:
        """See `Scheme.mask`."""
        m, k = form.matrix
        if columns.budget_of(m * k, rate) == 0:
            return torch.zeros_like(matrix, dtype=torch.bool)
        column_rate, row_rate = _rates(form, rate)
        weight = columns.scaled(matrix)
        height, width = block_size(form.settings.block, form.matrix)
        kept = torch.empty_like(weight, dtype=torch.bool)
        row_energy = []
        step = height * max(1, _BAND // (height * k))
        for first in range(0, m, step):
            energy = weight[first : first + step].to(torch.float64, copy=True).square_()
            strips = torch.stack([part.sum(dim=0) for part in torch.split(energy, height)])
            stay = _columns(strips, width, column_rate).repeat_interleave(height, dim=0)
            kept[first : first + step] = stay[: energy.shape[0]]
            row_energy.append(energy.masked_fill_(~kept[first : first + step], 0).sum(dim=1))
        rows = max(1, columns.budget_of(m, row_rate))
        order = torch.cat(row_energy).argsort(descending=True, stable=True)
        kept[order[rows:]] = False
        return kept

    def group_norms(self, form: Form, matrix: torch.Tensor) -> list[torch.Tensor]:
        """See `Scheme.group_norms`: columns of the blocks, then rows of the matrix [M]."""
        return [*Columns().group_norms(form, matrix), matrix.square().sum(dim=1)]

    def threshold_mask(self, form: Form, matrix: torch.Tensor, threshold: float) -> torch.Tensor:
        """See `Scheme.threshold_mask`."""
        norms = matrix.double().square().sum(dim=1)
        rows = above(norms, matrix.shape[1], threshold)
        return Columns().threshold_mask(form, matrix, threshold) & rows[:, None]


def _rates(form: Form, rate: float) -> tuple[float, float]:
    """Return the rates of the two steps, whose product is `rate`."""
    asked = form.settings
    most = _MOST_COLUMNS if asked.column_rate is None else asked.column_rate
    if asked.column_rate is None and asked.row_rate is not None:
        most = asked.rate / asked.row_rate
    column_rate = min(rate, most)
    return column_rate, rate / column_rate


def _columns(energy: torch.Tensor, width: int, rate: float) -> torch.Tensor:
    """Keep floor(K / rate) columns, at least 1, in each row of `energy` [strips, K]."""
    strips, k = energy.shape
    blocks = -(-k // width)
    padded = torch.full((strips, blocks * width), -1.0, dtype=energy.dtype, device=energy.device)
    padded[:, :k] = energy
    ranked, order = padded.view(strips, blocks, width).sort(dim=2, descending=True, stable=True)

    counts = torch.full((blocks,), columns.budget_of(width, rate), device=energy.device)
    counts[-1] = columns.budget_of(k - (blocks - 1) * width, rate)
    place = torch.arange(width, device=energy.device)
    chosen = (place < counts[:, None]).expand(strips, blocks, width).clone()
    left = max(1, columns.budget_of(k, rate)) - int(counts.sum())
    if left > 0:  # so the rate is above 1 and every block drops a column
        following = counts.expand(strips, blocks).unsqueeze(2)
        energy_next = ranked.gather(2, following).squeeze(2)
        lucky = energy_next.argsort(dim=1, descending=True, stable=True)[:, :left]
        strip = torch.arange(strips, device=energy.device)[:, None]
        chosen[strip, lucky, counts[lucky]] = True
    kept = torch.zeros_like(chosen).scatter_(2, order, chosen)
    return kept.view(strips, -1)[:, :k]
