"""Schemes that rank one kind of thing over the whole layer: filters, channels or single weights.

Each is the column scheme of a matrix that is one block (per group of a convolution for channels),
so the counts of `columns` hold: at rate r a layer keeps floor(M / r) of M filters, floor(C / r) of
C channels, floor(M*K / r) single weights, of equals those with the lower index.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bcr.pruning.blocks import regions
from bcr.pruning.form import Form
from bcr.pruning.schemes.column_scheme import ColumnScheme
from bcr.pruning.schemes.columns import Cut


class Filters(ColumnScheme):
    """Whole rows of W, which are the filters of a convolution (Li et al., ICLR 2017)."""

    def view(self, form: Form, matrix: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.view`."""
        return matrix.T

    def restore(self, form: Form, mask: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.restore`."""
        return mask.T

    def regions(self, form: Form) -> Sequence[Cut]:
        """See `ColumnScheme.regions`."""
        return regions(form.matrix[::-1], "matrix")


class Channels(ColumnScheme):
    """Whole input channels: all kernels that read a channel (He et al., ICCV 2017).

    A convolution with groups has one block for each group, because each reads channels of its own.
    """

    def view(self, form: Form, matrix: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.view`."""
        m, channels, positions = form.kernel
        return matrix.view(m, channels, positions).transpose(1, 2).reshape(-1, channels)

    def restore(self, form: Form, mask: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.restore`."""
        m, channels, positions = form.kernel
        return mask.view(m, positions, channels).transpose(1, 2).reshape(form.matrix)

    def regions(self, form: Form) -> Sequence[Cut]:
        """See `ColumnScheme.regions`."""
        m, channels, positions = form.kernel
        height = m // form.groups * positions
        return regions((m * positions, channels), (height, channels))


class Unstructured(ColumnScheme):
    """Single weights by magnitude (Han et al., NeurIPS 2015)."""

    def view(self, form: Form, matrix: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.view`."""
        return matrix.reshape(1, -1)

    def restore(self, form: Form, mask: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.restore`."""
        return mask.view(form.matrix)

    def regions(self, form: Form) -> Sequence[Cut]:
        """See `ColumnScheme.regions`."""
        m, k = form.matrix
        return regions((1, m * k), "matrix")

    def balanced(self, form: Form) -> bool:
        """Nothing to balance, and choosing by rank needs no sorted copy of the layer."""
        return False
