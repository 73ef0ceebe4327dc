"""BCR: whole columns, whole rows or both of every block of W (GRIM, Niu et al., TPAMI 2021)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bcr.errors import ConfigError
from bcr.pruning.blocks import regions
from bcr.pruning.config import LayerConfig
from bcr.pruning.form import Form
from bcr.pruning.scheme_names import COLUMN_ROW
from bcr.pruning.schemes.column_scheme import ColumnScheme
from bcr.pruning.schemes.columns import Cut
from bcr.pruning.validate import Block, check_block, check_choice, check_rate


class Columns(ColumnScheme):
    """Whole columns of every block."""

    def regions(self, form: Form) -> Sequence[Cut]:
        """See `ColumnScheme.regions`."""
        return regions(form.matrix, form.settings.block)


class Both(Columns):
    """Rows and columns of every block, in the split that loses least."""

    rows_too = True


class Rows(ColumnScheme):
    """Whole rows of every block: columns of the transpose."""

    def view(self, form: Form, matrix: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.view`."""
        return matrix.T

    def restore(self, form: Form, mask: torch.Tensor) -> torch.Tensor:
        """See `ColumnScheme.restore`."""
        return mask.T

    def regions(self, form: Form) -> Sequence[Cut]:
        """See `ColumnScheme.regions`."""
        (m, k), block = form.matrix, form.settings.block
        return regions((k, m), block if block == "matrix" else (block[1], block[0]))


_SCHEMES: dict[str, ColumnScheme] = {"both": Both(), "columns": Columns(), "rows": Rows()}


def bcr_mask(
    weight: torch.Tensor, *, rate: float, block: Block, scheme: str = "both"
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
    check_choice(scheme, "scheme", COLUMN_ROW)
    if weight.dim() != 2 or weight.numel() == 0 or not weight.is_floating_point():
        raise ConfigError(
            f"weight is {weight.dtype} {list(weight.shape)}: "
            "pass a floating-point matrix [M, K] that is not empty"
        )
    weight = weight.detach()
    if not bool(weight.isfinite().all()):
        raise ConfigError("weight holds NaN or Inf: there is no norm to rank it by")
    form = Form((weight.shape[0], weight.shape[1]), 1, LayerConfig(rate, block, scheme))
    return _SCHEMES[scheme].mask(form, weight, rate)


def project(
    weight: torch.Tensor, *, rate: float, block: Block, scheme: str = "both"
) -> torch.Tensor:
    """Return a copy of `weight` [M, K] with every weight that `bcr_mask` drops set to zero."""
    mask = bcr_mask(weight, rate=rate, block=block, scheme=scheme)
    return weight.detach().masked_fill(~mask, 0)
