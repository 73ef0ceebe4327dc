"""Columns of blocks that lose rows too are bits of windows; what runs is what PyTorch computes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.emulate import Emulator


def prune_unevenly(layer: nn.Module, height: int, width: int) -> nn.Module:
    """Keep one row or two of each block and a third to two thirds of its columns, or nothing."""
    rng = np.random.default_rng(5)
    weight = layer.weight.data
    matrix = weight.view(weight.shape[0], -1).numpy()
    matrix[matrix == 0] = 0.125
    for top in range(0, matrix.shape[0], height):
        for left in range(0, matrix.shape[1], width):
            part = matrix[top : top + height, left : left + width]
            rows = rng.permutation(part.shape[0])[: rng.integers(1, 3)]
            count = rng.integers(part.shape[1] // 3, 2 * part.shape[1] // 3 + 2)
            kept = np.zeros(part.shape, bool)
            if rng.random() > 0.1:
                kept[np.ix_(rows, rng.permutation(part.shape[1])[:count])] = True
            part[~kept] = 0
    return layer.eval()


LAYERS = {
    "3x3": (nn.Conv2d(37, 43, 3, padding=1), (2, 37, 13, 17)),
    "3x3 in bands": (nn.Conv2d(40, 24, 3, padding=1), (1, 40, 96, 96)),
    "3x3 /2": (nn.Conv2d(32, 40, 3, stride=2, padding=1), (1, 32, 30, 34)),
    "3x3, dilated, grouped": (
        nn.Conv2d(64, 48, 3, padding=2, dilation=2, groups=2),
        (1, 64, 11, 11),
    ),
    "1x1": (nn.Conv2d(150, 72, 1), (1, 150, 9, 12)),
    "5x5": (nn.Conv2d(16, 40, 5, padding=2), (1, 16, 20, 20)),
    "linear": (nn.Linear(300, 200), (16, 300)),
    "linear, rows": (nn.Linear(500, 120), (3, 500)),
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", LAYERS)
def test_uneven_blocks(name: str, threads: int) -> None:
    layer, shape = LAYERS[name]
    prune_unevenly(layer, 8, 16)
    torch.manual_seed(1)
    x = torch.randn(shape)
    exe = bcr.compile(layer, (x,), sparsity="force", num_threads=threads)
    # The columns of a copy in phases follow each other in another order than those of W.
    assert (".masks" in exe.mlir("loops")) == (name != "3x3 /2")
    torch.testing.assert_close(exe(x), layer(x).detach(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["3x3", "1x1"])
def test_uneven_blocks_on_aarch64(name: str) -> None:
    layer, shape = LAYERS[name]
    prune_unevenly(layer, 8, 16)
    torch.manual_seed(2)
    x = torch.randn(shape)
    exe = bcr.compile(layer, (x,), sparsity="force", target="cortex-a76")
    assert ".masks" in exe.mlir("loops")
    with Emulator(exe) as run:
        (y,) = run(x.numpy())
    np.testing.assert_allclose(y, layer(x).detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pruned", [float("inf"), float("nan")])
def test_columns_that_are_not_kept_are_not_read(pruned: float) -> None:
    layer, shape = LAYERS["1x1"]
    weight = prune_unevenly(layer, 8, 16).weight.data
    weight[:, 50:70] = 0
    x = torch.randn(shape)
    expected = layer(x).detach()
    x[:, 50:70] = pruned
    exe = bcr.compile(layer, (x,), sparsity="force")
    torch.testing.assert_close(exe(x), expected, rtol=1e-4, atol=1e-4)


def test_windows_far_apart() -> None:
    """The step from one window to the next does not fit into eight bits."""
    torch.manual_seed(0)
    layer = nn.Linear(40_000, 8, bias=False).eval()
    weight = layer.weight.data
    keep = torch.zeros(8, 40_000, dtype=torch.bool)
    for row in range(8):
        for first in (64 * row, 20_032 + 64 * row, 39_936):
            keep[row, first + torch.randperm(64)[: 20 + row]] = True
    weight[~keep] = 0
    x = torch.randn(16, 40_000)
    exe = bcr.compile(layer, (x,), sparsity="force")
    assert "weight.mask_steps" in exe.mlir("loops")
    torch.testing.assert_close(exe(x), layer(x).detach(), rtol=1e-4, atol=1e-4)
