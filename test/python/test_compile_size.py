"""Machine code grows with the kinds of layers, not with their number."""

from __future__ import annotations

import torch
from torch import nn

import bcr


def chain(layers: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()) for _ in range(layers))
    ).eval()


def test_equal_layers_share_their_code():
    x = torch.randn(1, 16, 14, 14)
    short, long = (bcr.compile(chain(n), (x,), sparsity="off", verify=True) for n in (4, 12))
    # Calls are left of a layer whose loops another one has too.
    assert len(long.program.code) < 1.5 * len(short.program.code)
