"""Linear layers of several samples, and the bytes that packed layers take."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import bcr


def prune_blocks(layer: nn.Module, block: tuple[int, int], rows_too: bool) -> nn.Module:
    """Keep an eighth of each block: of its columns, or half of its rows and a quarter of those."""
    rng = np.random.default_rng(3)
    weight = layer.weight.data
    matrix = weight.view(weight.shape[0], -1).numpy()
    for top in range(0, matrix.shape[0], block[0]):
        for left in range(0, matrix.shape[1], block[1]):
            part = matrix[top : top + block[0], left : left + block[1]]
            height, width = part.shape
            rows = rng.permutation(height)[: height // 2 if rows_too else height]
            columns = rng.permutation(width)[: max(width // (4 if rows_too else 8), 1)]
            kept = np.zeros(part.shape, bool)
            kept[np.ix_(rows, columns)] = True
            part[~kept] = 0
    return layer


@pytest.mark.parametrize("rows_too", [False, True])
@pytest.mark.parametrize(("batch", "kernel"), [(1, "rows"), (2, "rows"), (16, "pixels")])
def test_samples_choose_the_kernel(rows_too: bool, batch: int, kernel: str) -> None:
    layer = prune_blocks(nn.Linear(250, 264), (8, 64), rows_too).eval()
    x = torch.randn(batch, 250)
    exe = bcr.compile(layer, (x,))
    torch.testing.assert_close(exe(x), layer(x).detach(), rtol=1e-4, atol=1e-4)
    (report,) = exe.report().layers
    assert report.verdict == "picked"
    assert report.kernel.startswith(kernel)
