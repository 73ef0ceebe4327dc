"""Blocks that keep few of their rows: block rows along the vector, inputs out of registers."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import bcr
from bcr import ir

CASES = {
    # Rows and columns of W, of a block, and what a block keeps of them; 0: 1, 2 or 20 rows.
    "one row": ((40, 200), (8, 64), 1, (17, 40)),
    "two rows": ((40, 256), (8, 64), 2, (9, 64)),
    "three rows of blocks that a window does not fit": ((30, 330), (6, 130), 3, (60, 130)),
    "a window that ends with the input": ((24, 70), (8, 35), 1, (16, 35)),
    "one window": ((16, 64), (4, 64), 1, (1, 64)),
    "rows of three strips": ((300, 256), (8, 64), 2, (9, 64)),
    "eight rows that are no neighbours": ((40, 192), (16, 64), 8, (16, 40)),
    "halves of windows": ((40, 256), (8, 32), 4, (9, 24)),
    "fewer columns than a window": ((40, 39), (8, 39), 2, (9, 20)),
    "beside taller groups": ((64, 192), (32, 64), 0, (8, 64)),
    "a vector of block rows": ((128, 256), (8, 64), 2, (25, 26)),
    "blocks of four rows": ((250, 128), (4, 64), 1, (3, 30)),
    "blocks of sixteen rows": ((500, 192), (16, 32), 3, (5, 20)),
    "blocks of 32 rows": ((512, 128), (32, 64), 5, (17, 18)),
    "single weights": ((200, 100), (1, 1), 1, (-4, 1)),
    "whole blocks, some with more columns": ((264, 512), (8, 64), 8, (2, 4)),
    "whole blocks of four rows": ((256, 200), (4, 40), 4, (1, 3)),
    "whole blocks of one strip": ((128, 512), (8, 64), 8, (3, 5)),
}
TALLER = {"beside taller groups", "three rows of blocks that a window does not fit"}
ORDERED = {"whole blocks, some with more columns"}
SCATTERED = WHOLE = {*ORDERED, "whole blocks of one strip"}


@pytest.fixture(autouse=True)
def _windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the kernel wherever it can run, whatever the model of this machine says."""
    parse = ir.PassManager.parse
    monkeypatch.setattr(
        ir.PassManager,
        "parse",
        lambda text, context: parse(text.replace("{sparsity", "{windows=true sparsity"), context),
    )


def pruned(name: str, seed: int = 0) -> tuple[nn.Linear, np.ndarray]:
    """Return a layer, and which of its weights were kept."""
    (height, width), (rows, columns), most, (low, high) = CASES[name]
    rng = np.random.default_rng(seed)
    layer = nn.Linear(width, height).eval()
    weight = layer.weight.detach().numpy()
    weight[:] = rng.uniform(0.5, 1.5, weight.shape) * rng.choice([-1, 1], weight.shape)
    kept = np.zeros(weight.shape, bool)
    for top in range(0, height, rows):
        for left in range(0, width, columns):
            part = kept[top : top + rows, left : left + columns]
            if rng.random() < 0.1:
                continue
            count = most or rng.choice([1, 2, 20])
            chosen = rng.permutation(part.shape[0])[:count]
            share = min(max(rng.integers(low, high + 1), 0), part.shape[1])
            part[np.ix_(chosen, rng.permutation(part.shape[1])[:share])] = True
    weight[~kept] = 0
    return layer, kept


def exact(layer: nn.Linear, kept: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The sums in f64, of kept weights only."""
    weight = layer.weight.detach().numpy().astype(np.float64)
    bias = layer.bias.detach().numpy()
    # Rows may well sum up infinities of both signs.
    with np.errstate(invalid="ignore"):
        return np.stack(
            [
                [np.dot(weight[m, kept[m]], sample[kept[m]]) + bias[m] for m in range(len(weight))]
                for sample in x
            ]
        )


@pytest.mark.parametrize("name", CASES)
def test_layers_take_the_kernel(name: str) -> None:
    layer, _ = pruned(name)
    target = bcr.Target("x86_64-pc-linux-gnu", "znver5")
    exe = bcr.compile(layer, (torch.zeros(1, layer.in_features),), sparsity="force", target=target)
    lists = set(re.findall(r"\bwindow_\w+", exe.mlir("loops")))
    assert "window_values" in lists
    kernel = exe.report().layers[0].kernel
    assert re.fullmatch(r"(rows and )?windows \d+x(32|64)", kernel)
    assert kernel.startswith("rows and ") == (name in TALLER)
    # Columns loaded one by one, and lanes in another order than the rows of W.
    assert ("window_scattered" in lists) == (name in SCATTERED)
    assert ("window_order" in lists) == (name in ORDERED)
    # Sums that need no masks.
    assert ("window_masks" not in lists) == (name in WHOLE)


@pytest.mark.parametrize(("batch", "threads"), [(1, 1), (2, 1), (3, 1), (1, 2)])
@pytest.mark.parametrize("name", CASES)
def test_few_rows_are_the_sums_of_their_columns(name: str, batch: int, threads: int) -> None:
    layer, kept = pruned(name)
    x = np.random.default_rng(1).uniform(-2, 2, (batch, layer.in_features)).astype(np.float32)
    exe = bcr.compile(layer, (torch.from_numpy(x),), sparsity="force", num_threads=threads)
    np.testing.assert_allclose(exe(x), exact(layer, kept, x), rtol=0, atol=2e-4)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    size=st.tuples(st.integers(1, 300), st.integers(32, 400)),
    block=st.tuples(st.sampled_from([1, 2, 4, 8, 16]), st.sampled_from([16, 40, 64])),
    share=st.sampled_from([0.03, 0.1, 0.25]),
    rows_too=st.booleans(),
    batch=st.integers(1, 2),
    threads=st.integers(1, 2),
    seed=st.integers(0, 2**16),
)
def test_any_columns_of_any_blocks(
    size: tuple[int, int],
    block: tuple[int, int],
    share: float,
    rows_too: bool,
    batch: int,
    threads: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    kept = np.zeros(size, bool)
    for top in range(0, size[0], block[0]):
        # Some rows of blocks have three times the columns of others.
        many = share * rng.choice([1, 3])
        for left in range(0, size[1], block[1]):
            part = kept[top : top + block[0], left : left + block[1]]
            rows = rng.permutation(part.shape[0])
            if rows_too:
                rows = rows[: rng.integers(1, part.shape[0] + 1)]
            count = min(rng.poisson(many * part.shape[1]), part.shape[1])
            part[np.ix_(rows, rng.permutation(part.shape[1])[:count])] = True
    layer = layer_of(kept, rng)
    x = rng.uniform(-2, 2, (batch, size[1])).astype(np.float32)
    exe = bcr.compile(layer, (torch.from_numpy(x),), sparsity="force", num_threads=threads)
    np.testing.assert_allclose(exe(x), exact(layer, kept, x), rtol=0, atol=3e-4)


def layer_of(kept: np.ndarray, rng: np.random.Generator) -> nn.Linear:
    """A layer with weights where `kept` is true."""
    layer = nn.Linear(kept.shape[1], kept.shape[0]).eval()
    weight = layer.weight.detach().numpy()
    weight[:] = np.where(kept, rng.uniform(0.5, 1.5, kept.shape), 0)
    return layer


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(1, 24),
    uneven=st.sampled_from([0, 1, 3, 8]),
    # How many of the four registers of a window the columns of a lane are in.
    registers=st.lists(st.integers(1, 4), min_size=1, max_size=3),
    rows=st.integers(1, 2),
    width=st.sampled_from([128, 200]),
    seed=st.integers(0, 2**16),
)
def test_columns_are_anywhere_in_a_window(
    count: int, uneven: int, registers: list[int], rows: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    kept = np.zeros((136, width), bool)
    for top in range(0, len(kept), 8):
        chosen = np.sort(rng.permutation(8)[:rows])
        for left in range(0, width, 64):
            some = rng.permutation(4)[: rng.choice(registers)]
            places = (16 * some[:, None] + np.arange(16)).ravel() + left
            places = rng.permutation(places[places < width])
            places = places[: max(count - rng.integers(0, uneven + 1), 0)]
            kept[np.ix_(top + chosen, places)] = True
    layer = layer_of(kept, rng)
    x = rng.uniform(-2, 2, (1, width)).astype(np.float32)
    # Nothing may come from where nothing is kept.
    x[0, ~kept.any(0)] = np.nan
    exe = bcr.compile(layer, (torch.from_numpy(x),), sparsity="force")
    np.testing.assert_allclose(exe(x), exact(layer, kept, x), rtol=0, atol=2e-4)


@pytest.mark.parametrize("empty", [0, 128])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", ["rows of three strips", "whole blocks, some with more columns"])
def test_sums_begin_with_what_is_added_to_them(name: str, bias: bool, empty: int) -> None:
    class Sum(nn.Module):
        def __init__(self, layer: nn.Linear) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
            return self.layer(x) + r

    layer, kept = pruned(name, seed=7)
    # No strip then: somebody else stores these rows.
    layer.weight.detach()[:empty] = 0
    if not bias:
        layer.bias = None
    x = torch.randn(1, layer.in_features, generator=torch.Generator().manual_seed(4))
    r = torch.randn(1, layer.out_features, generator=torch.Generator().manual_seed(5))
    net = Sum(layer)
    exe = bcr.compile(net, (x, r), sparsity="force")
    assert "window_values" in exe.mlir("loops")
    with torch.no_grad():
        torch.testing.assert_close(exe(x, r), net(x, r), rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    "name",
    [
        "one row",
        "two rows",
        "a window that ends with the input",
        "fewer columns than a window",
        "blocks of four rows",
        "whole blocks, some with more columns",
    ],
)
def test_what_is_pruned_does_not_contribute(name: str) -> None:
    layer, kept = pruned(name, seed=4)
    x = np.random.default_rng(2).uniform(-2, 2, (1, layer.in_features)).astype(np.float32)
    # Inputs that one row does not have.
    row = int(np.argmin(kept.sum(1) + 1000 * ~kept.any(1)))
    x[0, ~kept[row]] = np.where(np.arange((~kept[row]).sum()) % 2, np.nan, np.inf)
    exe = bcr.compile(layer, (torch.from_numpy(x),), sparsity="force")
    y = exe(x)[0]
    want = exact(layer, kept, x)[0]
    assert np.isfinite(y[row])
    np.testing.assert_array_equal(np.isfinite(y), np.isfinite(want))
    np.testing.assert_allclose(y[np.isfinite(want)], want[np.isfinite(want)], rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    "name",
    [
        "blocks of four rows",
        "rows of three strips",
        "whole blocks, some with more columns",
        "whole blocks of one strip",
    ],
)
def test_columns_that_fill_up_a_step_make_no_nan_of_an_infinity(name: str) -> None:
    layer, kept = pruned(name, seed=6)
    x = np.random.default_rng(3).uniform(-2, 2, (1, layer.in_features)).astype(np.float32)
    exe = bcr.compile(layer, (torch.from_numpy(x),), sparsity="force")
    for column in range(0, layer.in_features, 7):
        x[0, column] = np.inf
        want = exact(layer, kept, x)[0]
        np.testing.assert_array_equal(exe(x)[0][~np.isfinite(want)], want[~np.isfinite(want)])
        x[0, column] = 1


@pytest.mark.parametrize(
    "name",
    [
        "beside taller groups",
        "rows of three strips",
        "halves of windows",
        "whole blocks, some with more columns",
    ],
)
def test_threads_do_not_change_a_bit(name: str) -> None:
    layer, _ = pruned(name, seed=5)
    x = torch.randn(1, layer.in_features, generator=torch.Generator().manual_seed(3))
    one, two = (
        bcr.compile(layer, (x,), sparsity="force", num_threads=threads)(x) for threads in (1, 2)
    )
    assert torch.equal(one, two)
