"""Pruning of PyTorch models to the block-based column-row (BCR) shape.

This package knows no compiler: it hands over weights that contain zeros. Reading or writing a
`PruneConfig` needs no torch either, so the names below are loaded the first time they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bcr.lazy import lazy_names

if TYPE_CHECKING:
    from bcr.pruning.config import LayerConfig, PruneConfig
    from bcr.pruning.inspect import FitReport, LayerFit, inspect
    from bcr.pruning.picture import mask_picture
    from bcr.pruning.pruner import Pruner
    from bcr.pruning.report import LayerRow, PruneReport
    from bcr.pruning.schemes import bcr_mask, block_counts, project

_LAZY = {
    "FitReport": "inspect",
    "LayerFit": "inspect",
    "inspect": "inspect",
    "mask_picture": "picture",
    "LayerConfig": "config",
    "LayerRow": "report",
    "PruneConfig": "config",
    "PruneReport": "report",
    "Pruner": "pruner",
    "bcr_mask": "schemes",
    "block_counts": "schemes",
    "project": "schemes",
}

__all__ = [
    "FitReport",
    "LayerConfig",
    "LayerFit",
    "LayerRow",
    "PruneConfig",
    "PruneReport",
    "Pruner",
    "bcr_mask",
    "block_counts",
    "inspect",
    "mask_picture",
    "project",
]

__getattr__, __dir__ = lazy_names(globals(), _LAZY)
