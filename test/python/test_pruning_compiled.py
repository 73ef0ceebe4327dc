"""Every pruning scheme through the compiler: right results, and a report that says what ran."""

import pytest
import torch
from torch import nn

import bcr
from bcr.pruning.scheme_names import SCHEMES

SCHEMES_ = [*SCHEMES, "2:4", "1:5"]
CONV = {scheme: f"convs.{i}" for i, scheme in enumerate(SCHEMES_)}
LINEAR = {s: f"linears.{i}" for i, s in enumerate(["both", "bsp", "block-punched", "2:4"])}


class Branches(nn.Module):
    """One convolution for each scheme and some linear layers, ragged against 8 x 32 blocks."""

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(10, 36, 3, padding=1) for _ in SCHEMES_)
        self.linears = nn.ModuleList(nn.Linear(36, 44) for _ in LINEAR)

    def forward(self, x):
        features = [conv(x).mean(dim=(2, 3)) for conv in self.convs]
        outputs = [linear(f) for linear, f in zip(self.linears, features)]
        return torch.cat([*features, *outputs], dim=1)


@pytest.fixture(scope="module")
def pruned():
    torch.manual_seed(0)
    model = Branches().eval()
    entries = {
        name: {"scheme": scheme, **({} if ":" in scheme else {"rate": 8})}
        for names in (CONV, LINEAR)
        for scheme, name in names.items()
    }
    config = bcr.PruneConfig(8, (8, 32), fallback="columns", modules=entries)
    bcr.Pruner(model, config).finalize()
    x = torch.randn(2, 10, 9, 7)
    with torch.no_grad():
        return model, x, model(x)


@pytest.mark.parametrize("sparsity", ["auto", "force"])
def test_every_scheme_runs_and_is_reported(pruned, sparsity):
    model, x, expected = pruned
    executable = bcr.compile(model, (x,), sparsity=sparsity)
    assert torch.allclose(executable(x), expected, atol=1e-5)

    rows = {row.name: row for row in executable.report().layers}
    for scheme, name in [*CONV.items(), *LINEAR.items()]:
        row = rows[name]
        assert row.sparsity >= {"2:4": 0.5, "1:5": 0.77}.get(scheme, 0.87)
        assert row.verdict in ("picked",) if sparsity == "force" else ("picked", "missed")
        assert "% of them" in row.reason
        if row.verdict == "missed":
            assert "as fast as dense" in row.reason
        else:  # nothing but the kept weights is stored
            assert row.rate == pytest.approx(1 / (1 - row.sparsity), rel=1e-6)

    # What the compiler reads from the zeros: the grid, or larger blocks that hold no zeros either.
    if sparsity == "force":
        blocks = {scheme: rows[name].block for scheme, name in CONV.items()}
        assert blocks["both"] == (8, 32)
        assert blocks["columns"][0] == blocks["block-punched"][0] == 8
        assert blocks["channel"][0] == 36
        assert blocks["unstructured"] == blocks["pattern"] == blocks["2:4"] == (1, 1)
    else:
        assert rows[CONV["2:4"]].verdict == "missed"
        fast = ["both", "columns", "rows", "bsp", "block-punched", "filter", "channel"]
        assert all(rows[CONV[scheme]].verdict == "picked" for scheme in fast)


def test_few_rows_that_are_left_are_one_group():
    """Whole blocks of 16 rows are empty: what has no weights says nothing of the blocks."""
    model = nn.Linear(1152, 128).eval()
    kept = [4, 8, 16, 23, 33, 43, 62, 92, 96, 98, 100, 101, 106, 108, 122]
    with torch.no_grad():
        rows = model.weight[kept].clone()
        model.weight.zero_()
        model.weight[kept] = rows
    (row,) = bcr.compile(model, (torch.ones(1, 1152),), verify=True).report().layers
    assert row.verdict == "picked"
    assert row.block == (128, 1152)
