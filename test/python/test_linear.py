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
    # A kept weight may be zero by chance; then it is no kept one.
    matrix[matrix == 0] = 0.125
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
@pytest.mark.parametrize(
    # Windows are what rows run as on some machines.
    ("batch", "kernels"),
    [(1, ("rows", "windows")), (2, ("rows", "windows")), (16, ("pixels",))],
)
def test_samples_choose_the_kernel(rows_too: bool, batch: int, kernels: tuple[str, ...]) -> None:
    layer = prune_blocks(nn.Linear(250, 264), (8, 64), rows_too).eval()
    x = torch.randn(batch, 250)
    exe = bcr.compile(layer, (x,))
    torch.testing.assert_close(exe(x), layer(x).detach(), rtol=1e-4, atol=1e-4)
    (report,) = exe.report().layers
    assert report.verdict == "picked"
    assert report.kernel.startswith(kernels)


LAYERS = {
    "3x3 128-128 56 /2": (nn.Conv2d, (128, 128, 3, 2, 1), (1, 128, 56, 56)),
    "3x3 512-512 28": (nn.Conv2d, (512, 512, 3, 1, 1), (1, 512, 28, 28)),
    "1x1 64-256 56": (nn.Conv2d, (64, 256, 1), (1, 64, 56, 56)),
    "1x1 512-2048 7": (nn.Conv2d, (512, 2048, 1), (1, 512, 7, 7)),
    "2048-1000": (nn.Linear, (2048, 1000), (1, 2048)),
}


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(
    ("block", "rows_too"), [((8, 64), False), ((8, 64), True), ((16, 64), True)]
)
def test_packed_bytes(name: str, block: tuple[int, int], rows_too: bool) -> None:
    """Values and indices, as the program holds them, take a tenth more than the kept weights.

    Where block rows are along the vector, the last of 1000 rows leave three lanes of 128 empty.
    """
    make, sizes, shape = LAYERS[name]
    layer = prune_blocks(make(*sizes, bias=False), block, rows_too).eval()
    exe = bcr.compile(layer, (torch.zeros(shape),), sparsity="force")
    kept = 4 * int((layer.weight != 0).sum())
    (report,) = exe.report().layers
    lanes = isinstance(layer, nn.Linear)
    assert kept <= report.value_bytes <= kept * (1.024 if lanes else 1)
    # A table of steps and the lists of a small layer are a constant.
    assert kept < report.value_bytes + report.index_bytes <= 1.1 * kept + 1024
    # What is too small for the pool is in the code. Any bits may be set in a mask, or a place.
    pooled = sum(
        c.size
        for c in exe._program.constants
        if c.bound is not None or c.name.endswith(("masks", "places"))
    )
    assert pooled <= report.index_bytes <= pooled + 256
