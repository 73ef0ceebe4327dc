"""Sparse is faster than dense, on layers where it must be."""

from __future__ import annotations

import statistics
import time

import pytest
import torch
from torch import nn

import bcr


def ratio(dense, sparse, x) -> float:
    """Median of the ratios of neighbouring calls: a drift of the machine hits both alike."""
    ratios = []
    for _ in range(25):
        begin = time.perf_counter()
        dense(x)
        middle = time.perf_counter()
        sparse(x)
        ratios.append((middle - begin) / (time.perf_counter() - middle))
    return statistics.median(ratios)


@pytest.mark.parametrize(
    ("channels", "kernel", "size", "dense_kernel", "at_least"),
    [
        # Dense code multiplies a quarter of what a direct convolution does: a rate of 8 is worth
        # about 2.2.
        pytest.param(256, 3, 28, "winograd", 1.6, id="3x3"),
        # No such algorithm here: a rate of 8 is worth about 6.
        pytest.param(128, 5, 28, "direct", 4.0, id="5x5"),
    ],
)
def test_convolution_pruned_8x_is_faster_than_dense(channels, kernel, size, dense_kernel, at_least):
    """Square layers; `tools/bench/run layers` prints more."""
    torch.manual_seed(0)
    layer = nn.Conv2d(channels, channels, kernel, padding=kernel // 2).eval()
    bcr.Pruner(layer, bcr.PruneConfig(rate=8, block=(8, 64), scheme="columns")).finalize()
    x = torch.randn(1, channels, size, size)
    sparse = bcr.compile(layer, (x,), verify=True)
    dense = bcr.compile(layer, (x,), sparsity="off", verify=True)
    assert sparse.report().layers[0].verdict == "picked"
    assert dense.report().layers[0].kernel.startswith("winograd") == (dense_kernel == "winograd")
    # The machine is shared: a slow moment of one run is no evidence, three are.
    ratios = [ratio(dense, sparse, x) for _ in range(3)]
    assert max(ratios) > at_least, ratios
