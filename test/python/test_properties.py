"""compile after prune equals PyTorch, for random layers, blocks and zeros."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import bcr
from bcr.compiler import relative_error

SETTINGS = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def zero_blocks(weight: torch.Tensor, block: tuple[int, int], seed: int) -> None:
    """Zero random rows and columns of every block of the weight matrix; some keep all or none."""
    rng = np.random.default_rng(seed)
    matrix = weight.detach().reshape(weight.shape[0], -1)
    rows, columns = matrix.shape
    for r in range(0, rows, block[0]):
        for c in range(0, columns, block[1]):
            part = matrix[r : r + block[0], c : c + block[1]]
            keep_rows, keep_columns = rng.choice([0.0, 0.3, 0.6, 1.0], 2)
            part[torch.tensor(rng.random(part.shape[0]) >= keep_rows)] = 0
            part[:, torch.tensor(rng.random(part.shape[1]) >= keep_columns)] = 0


blocks = st.tuples(st.sampled_from([1, 2, 3, 4, 8, 16, 999]), st.sampled_from([1, 5, 9, 16, 999]))
activations = st.sampled_from([nn.Identity, nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.GELU])


@SETTINGS
@given(
    block=blocks,
    groups=st.sampled_from([1, 1, 1, 2, 6]),
    factors=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    kernel=st.tuples(st.sampled_from([1, 2, 3, 5]), st.sampled_from([1, 3, 4])),
    stride=st.tuples(st.integers(1, 3), st.integers(1, 2)),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 3)),
    image=st.tuples(st.integers(9, 20), st.integers(10, 37)),
    batch=st.integers(1, 3),
    bias=st.booleans(),
    activation=activations,
    seed=st.integers(0, 999),
)
def test_convolution(
    block, groups, factors, kernel, stride, padding, dilation, image, batch, bias, activation, seed
):
    torch.manual_seed(seed)
    inputs, outputs = groups * factors[0], groups * factors[1]
    layer = nn.Conv2d(
        inputs, outputs, kernel, stride, padding, dilation, groups, bias=bias
    )  # fmt: skip
    zero_blocks(layer.weight, block, seed)
    model = nn.Sequential(layer, activation()).eval()
    x = torch.randn(batch, inputs, *image)
    with torch.no_grad():
        expected = model(x).numpy()
    if expected.size == 0:
        return
    for sparsity in ("force", "off"):
        actual = bcr.compile(model, (x,), sparsity=sparsity)(x).numpy()
        assert relative_error(actual, expected) < 1e-5, sparsity


@SETTINGS
@given(
    block=blocks,
    sizes=st.tuples(st.integers(1, 70), st.integers(1, 130)),
    batch=st.integers(1, 21),
    bias=st.booleans(),
    activation=activations,
    seed=st.integers(0, 999),
)
def test_linear(block, sizes, batch, bias, activation, seed):
    torch.manual_seed(seed)
    layer = nn.Linear(sizes[1], sizes[0], bias=bias)
    zero_blocks(layer.weight, block, seed)
    model = nn.Sequential(layer, activation()).eval()
    x = torch.randn(batch, sizes[1])
    with torch.no_grad():
        expected = model(x).numpy()
    for sparsity in ("force", "off"):
        actual = bcr.compile(model, (x,), sparsity=sparsity)(x).numpy()
        assert relative_error(actual, expected) < 1e-5, sparsity


@SETTINGS
@given(
    block=blocks, batch=st.integers(1, 9), threads=st.sampled_from([1, 2]), seed=st.integers(0, 999)
)
def test_small_integers_are_exact(block, batch, threads, seed):
    """Sums of small integers are exact in f32 in any order, so every bit must agree."""
    rng = np.random.default_rng(seed)
    conv, linear = nn.Conv2d(5, 24, 3, padding=1), nn.Linear(24 * 6 * 7, 19)
    with torch.no_grad():
        for parameter in (*conv.parameters(), *linear.parameters()):
            parameter.copy_(torch.tensor(rng.integers(-4, 5, parameter.shape)))
    zero_blocks(conv.weight, block, seed)
    zero_blocks(linear.weight, block, seed + 1)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear).eval()
    x = torch.tensor(rng.integers(-4, 5, (batch, 5, 6, 7)), dtype=torch.float32)
    with torch.no_grad():
        expected = model.double()(x.double()).float()
        model.float()
    actual = bcr.compile(model, (x,), sparsity="force", num_threads=threads)(x)
    assert torch.equal(actual, expected)
