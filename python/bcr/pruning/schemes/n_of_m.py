"""N:M: of every M neighbouring input channels a kernel position keeps N (Zhou et al., ICLR 2021).

Counts. Exactly N of each M; a last group of q < M channels keeps q * N / M, rounded up, which is
what a group filled up with zeros may keep. At rates other than M / N, as a gradual schedule asks
for, a group keeps max(N, floor(M / r)). Of equals the lower channel stays.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bcr.pruning.blocks import regions
from bcr.pruning.form import Form
from bcr.pruning.schemes import columns
from bcr.pruning.schemes.columns import Cut
from bcr.pruning.schemes.scheme import Scheme
from bcr.pruning.schemes.whole import Channels, Unstructured


class NOfM(Scheme):
    """Keeps `n` weights of `m`."""

    def __init__(self, n: int, m: int) -> None:
        self._n, self._m = n, m

    def mask(self, form: Form, matrix: torch.Tensor, rate: float) -> torch.Tensor:
        """See `Scheme.mask`."""
        layout = Channels()
        weight = layout.view(form, columns.scaled(matrix))
        grid: Sequence[Cut] = regions((weight.shape[0], weight.shape[1]), (1, self._m))
        n = max(self._n, columns.budget_of(self._m, rate))
        counts = [-(-region.width * n // self._m) for region in grid]
        return layout.restore(form, columns.fixed(weight, grid, counts).mask(weight))

    def group_norms(self, form: Form, matrix: torch.Tensor) -> list[torch.Tensor]:
        """See `Scheme.group_norms`; every weight is a group of its own."""
        return Unstructured().group_norms(form, matrix)

    def threshold_mask(self, form: Form, matrix: torch.Tensor, threshold: float) -> torch.Tensor:
        """See `Scheme.threshold_mask`; at most N of M stay, whatever the threshold."""
        small = Unstructured().threshold_mask(form, matrix, threshold)
        return small & self.mask(form, matrix, self._m / self._n)
