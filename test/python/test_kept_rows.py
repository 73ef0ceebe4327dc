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


# The equations spread the sums where vectors of units are vectors of rows: not of 40 units.
@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize(("units", "height", "kept"), [(32, 24, 0.5), (48, 48, 0.2), (40, 20, 0.5)])
@pytest.mark.parametrize(("steps", "batch", "threads"), [(1, 1, 1), (5, 1, 2), (3, 2, 1)])
def test_recurrent_layers_lose_whole_rows(kind, units, height, kept, steps, batch, threads):
    torch.manual_seed(units)
    model = kind(9, units, num_layers=2, bidirectional=True).eval()
    for seed, value in enumerate(model.parameters()):
        if value.dim() == 2:
            prune(value, height, kept, seed)
        else:
            nn.init.uniform_(value, -1, 1)
    x = torch.randn(steps, batch, 9)
    exe = bcr.compile(model, (x,), sparsity="force", num_threads=threads)
    with torch.no_grad():
        torch.testing.assert_close(exe(x), model(x), rtol=0, atol=1e-5)


def test_infinite_states_stay_where_rows_are_kept():
    model = nn.GRU(4, 32).eval()
    with torch.no_grad():
        model.weight_hh_l0[1::2] = 0
    x, h = torch.randn(1, 1, 4), torch.randn(1, 1, 32)
    h[0, 0, 3] = torch.inf
    with torch.no_grad():
        # torch multiplies the zeros as well, and gets NaN in every unit.
        finite = model(x, h.nan_to_num(posinf=0.0))[0]
    y = bcr.compile(model, (x, h), sparsity="force")(x, h)[0]
    odd = torch.arange(32) % 2 == 1
    odd[3] = False
    torch.testing.assert_close(y[0, 0, odd], finite[0, 0, odd], rtol=0, atol=1e-6)
    assert not torch.allclose(y[0, 0, ::2], finite[0, 0, ::2], atol=1e-3)
    # z of unit 3 is in an empty row.
    assert y[0, 0, 3] == torch.inf


def test_indices_of_recurrent_layers_count_what_spreads_the_sums():
    model = nn.GRU(8, 1024).eval()
    prune(model.weight_hh_l0, 64, 0.5, seed=2)
    linear = nn.Linear(1024, 3 * 1024).eval()
    linear.weight = model.weight_hh_l0

    def report(model, args):
        layers = bcr.compile(model, args, sparsity="force").report().layers
        return max(layers, key=lambda layer: layer.value_bytes)

    recurrent = report(model, (torch.zeros(1, 1, 8), torch.zeros(1, 1, 1024)))
    alone = report(linear, (torch.zeros(1, 1024),))
    assert recurrent.value_bytes == alone.value_bytes
    assert recurrent.index_bytes == alone.index_bytes
