"""Pruning schemes: projections of weights onto patterns of zeros, with exact counts.

`choose_masks`, `group_norms` and `threshold_masks` are all that a pruning method needs.
"""

from bcr.pruning.blocks import block_counts
from bcr.pruning.schemes.choose import choose_masks, group_norms, threshold_masks
from bcr.pruning.schemes.column_row import bcr_mask, project
from bcr.pruning.schemes.registry import scheme_of
from bcr.pruning.schemes.scheme import Scheme

__all__ = [
    "Scheme",
    "bcr_mask",
    "block_counts",
    "choose_masks",
    "group_norms",
    "project",
    "scheme_of",
    "threshold_masks",
]
