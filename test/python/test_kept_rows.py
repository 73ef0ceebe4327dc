"""Linear layers that lose whole rows: the sums of those left are spread over the outputs."""

import pytest
import torch
from torch import nn

import bcr


class Block(nn.Module):
    """A linear layer with everything that can follow it."""

    def __init__(self, rows, bias):
        super().__init__()
        self.linear = nn.Linear(40, rows, bias=bias)

    def forward(self, x, residual):
        return torch.relu(self.linear(x) + residual)


def prune(weight, height, kept, seed):
    """Drop rows of each block of `height` rows but a share, and half of the columns of each."""
    generator = torch.Generator().manual_seed(seed)
    for block in weight.detach().split(height):
        block[torch.rand(len(block), generator=generator) > kept] = 0
        block[:, torch.rand(block.shape[1], generator=generator) > 0.5] = 0


# The last vector of outputs is moved back; blocks of many heights, some without a row.
@pytest.mark.parametrize(
    ("rows", "height", "kept"),
    [(64, 32, 0.5), (77, 20, 0.6), (16, 16, 0.4), (130, 9, 0.2), (90, 90, 0.5), (48, 16, 0.05)],
)
@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (1, 2), (3, 1), (3, 2)])
def test_rows_go_where_they_belong(rows, height, kept, batch, threads):
    torch.manual_seed(rows)
    model = Block(rows, bias=rows % 4 == 0).eval()
    prune(model.linear.weight, height, kept, seed=rows)
    args = torch.randn(batch, 40), torch.randn(batch, rows)
    exe = bcr.compile(model, args, sparsity="force", num_threads=threads)
    with torch.no_grad():
        torch.testing.assert_close(exe(*args), model(*args), rtol=0, atol=1e-5)


def test_pruned_rows_do_not_see_infinities_and_kept_ones_do():
    model = nn.Linear(20, 64).eval()
    with torch.no_grad():
        model.weight[::2] = 0
    x = torch.randn(1, 20)
    x[0, 3] = torch.inf
    y = bcr.compile(model, (x,), sparsity="force")(x)[0]
    assert torch.equal(y[::2], model.bias[::2])
    assert y[1::2].isinf().all()


def test_indices_of_whole_rows_take_little():
    model = nn.Linear(1024, 512).eval()
    prune(model.weight, 64, 0.5, seed=1)
    report = bcr.compile(model, (torch.zeros(1, 1024),), sparsity="force").report()
    layer = report.layers[0]
    assert layer.verdict == "picked"
    assert layer.value_bytes == 4 * model.weight.count_nonzero().item()
    assert layer.index_bytes < 0.03 * layer.value_bytes
