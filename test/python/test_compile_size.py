"""Machine code grows with the kinds of layers, not with their number; packed weights are small."""

from __future__ import annotations

import pytest
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


@pytest.mark.parametrize("rate", [4, 8, 16])
@pytest.mark.parametrize("block", [(8, 16), (4, 16), (16, 16), (8, 64)])
def test_packed_weights_take_a_tenth_more_than_dense_ones_over_the_rate(block, rate):
    torch.manual_seed(0)
    conv = nn.Conv2d(128, 128, 3, padding=1, bias=False).eval()
    config = bcr.PruneConfig(rate=rate, block=block, scheme="columns")
    bcr.Pruner(nn.Sequential(conv), config).finalize()
    exe = bcr.compile(conv, (torch.zeros(1, 128, 14, 14),), sparsity="force")
    (report,) = exe.report().layers
    assert 4 * conv.weight.numel() / rate == report.value_bytes
    assert report.value_bytes < report.value_bytes + report.index_bytes <= 1.1 * report.value_bytes


def packed_by_goal(block, rate, scheme="both", channels=256):
    """Return the bytes of packed weights by those of the dense ones over the rate."""
    torch.manual_seed(0)
    conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False).eval()
    config = bcr.PruneConfig(rate=rate, block=block, scheme=scheme)
    bcr.Pruner(nn.Sequential(conv), config).finalize()
    exe = bcr.compile(conv, (torch.zeros(1, channels, 14, 14),), sparsity="force")
    (report,) = exe.report().layers
    return (report.value_bytes + report.index_bytes) * rate / (4 * conv.weight.numel())


@pytest.mark.parametrize(
    ("block", "rate"),
    [((16, 16), 4), ((8, 64), 4), ((8, 64), 8), ((8, 64), 16), ((8, 16), 8), ((8, 16), 16),
     ((4, 16), 8), ((16, 16), 8), ((16, 64), 16)],
)  # fmt: skip
def test_rows_that_are_pruned_too_need_no_more(block, rate):
    assert packed_by_goal(block, rate) <= 1.1


@pytest.mark.parametrize(("block", "rate", "bound"), [((8, 16), 32, 1.22), ((4, 16), 16, 1.21)])
def test_few_weights_cannot_carry_their_positions_in_a_tenth(block, rate, bound):
    """Such a block keeps four columns of 16 in one row: 11 bits of columns in 16 bytes of values,
    and two or three bits of the row."""
    assert 1.1 < packed_by_goal(block, rate) <= bound
