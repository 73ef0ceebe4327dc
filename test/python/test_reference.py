"""The NumPy oracle against PyTorch, and against its own definition where PyTorch differs."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from bcr import reference

BLOCKS = [(1, 1), (4, 16), (3, 5), (16, 9), "matrix"]


def whole(shape, seed, zeros=0.5):
    """Small whole numbers as float32, a share of them zero: sums of them are exact."""
    rng = np.random.default_rng(seed)
    values = rng.integers(1, 8, shape) * rng.choice([-1, 1], shape)
    return (values * (rng.random(shape) >= zeros)).astype(np.float32)


def bcr_pattern(weight, block, seed):
    """Zero random whole rows and columns of every block, some blocks entirely."""
    rng = np.random.default_rng(seed)
    height, width = weight.shape if block == "matrix" else block
    for r in range(0, weight.shape[0], height):
        for c in range(0, weight.shape[1], width):
            part = weight[r : r + height, c : c + width]
            part[rng.random(part.shape[0]) < 0.4] = 0
            part[:, rng.random(part.shape[1]) < 0.6] = 0
    return weight


def test_pack_by_hand():
    weight = np.array([[0, 1, 0, 0, 7], [0, 0, 0, 0, 0], [0, 2, 3, 0, 0]], np.float32)
    packed = reference.pack(weight, (2, 3))
    assert [(b.rows.tolist(), b.columns.tolist(), b.values.tolist()) for b in packed] == [
        ([0], [1], [[1]]),
        ([0], [4], [[7]]),
        ([2], [1, 2], [[2, 3]]),
        ([], [], []),
    ]
    # The cover of a pattern that is not S x T holds its zeros too.
    (block,) = reference.pack(weight, "matrix")
    assert block.rows.tolist() == [0, 2]
    assert block.values.tolist() == [[1, 0, 7], [2, 3, 0]]


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.just("matrix") | st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from([0, 0.5, 0.95, 1]),
    st.sampled_from([np.float16, np.float32, np.float64, np.int8]),
    st.integers(0, 99),
)
def test_unpack_inverts_pack(m, k, block, zeros, dtype, seed):
    weight = whole((m, k), seed, zeros).astype(dtype)
    packed = reference.pack(weight, block)
    again = reference.unpack(packed, weight.shape, weight.dtype)
    assert again.dtype == weight.dtype
    assert np.array_equal(again, weight)
    for rows, columns, values in packed:
        assert values.shape == (len(rows), len(columns))
        assert (values != 0).any(axis=1).all()
        assert (values != 0).any(axis=0).all()


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matmul_equals_torch_bit_for_bit_on_whole_numbers(block, dtype):
    x, bias = whole((2, 3, 37), 1, 0).astype(dtype), whole(21, 2, 0).astype(dtype)
    weight = bcr_pattern(whole((21, 37), 3, 0).astype(dtype), block, 4)
    y = reference.matmul(x, weight, bias, block=block)
    assert y.dtype == dtype
    expected = F.linear(*map(torch.from_numpy, (x, weight, bias))).numpy()
    assert np.array_equal(y, expected)
    assert np.array_equal(reference.matmul(x[0, 0], weight, block=block), expected[0, 0] - bias)


def test_integers_and_empty_sizes():
    x, weight = np.array([[100, 100]], np.int32), np.array([[300, 0], [0, -5]], np.int32)
    y = reference.matmul(x, weight, block=(1, 2))
    assert y.dtype == np.int32
    assert y.tolist() == [[30000, -500]]
    assert reference.matmul(np.ones((2, 0)), np.ones((3, 0))).tolist() == [[0] * 3] * 2
    assert reference.matmul(np.ones((0, 2)), np.ones((3, 2)), block="matrix").shape == (0, 3)
    assert reference.pack(np.ones((0, 4)), "matrix") == []


def test_pruned_positions_do_not_see_inf_and_nan():
    weight = np.array([[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 0, 5]], np.float32)
    x = np.array([10, np.inf, 20, np.nan], np.float32)
    # 2 x 2 blocks: row 0 keeps columns 0 and 2 only; row 2 keeps columns 0 and 3.
    y = reference.matmul(x, weight, block=(2, 2))
    assert y[0] == 50
    assert y[1] == 0
    assert np.isnan(y[2])
    # One block for all: S = {0, 2}, T = {0, 2, 3}; the zero at (0, 3) is a weight, 0 x NaN is NaN.
    y = reference.matmul(x, weight, block="matrix")
    assert np.isnan(y[[0, 2]]).all()
    assert y[1] == 0
    x[3], x[0] = 1, -np.inf
    assert reference.matmul(x, weight, block="matrix").tolist() == [-np.inf, 0, -np.inf]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize(
    ("stride", "padding", "dilation", "groups", "kernel"),
    [
        (1, 0, 1, 1, (3, 3)),
        (2, 1, 1, 1, (3, 3)),
        ((2, 3), (2, 0), (1, 2), 1, (3, 2)),
        (1, 1, 1, 3, (3, 3)),
        (2, 2, 2, 6, (3, 3)),  # depthwise, two filters to a channel
        (1, 0, 1, 1, (1, 1)),
        (1, (3, 0), 3, 2, (3, 1)),
    ],
)
def test_conv2d_equals_torch_bit_for_bit(stride, padding, dilation, groups, kernel, block):
    x, bias = whole((2, 6, 11, 9), 5, 0), whole(12, 6, 0)
    weight = whole((12, 6 // groups, *kernel), 7, 0)
    weight = bcr_pattern(reference.as_matrix(weight), block, 8).reshape(weight.shape)
    y = reference.conv2d(x, weight, bias, stride, padding, dilation, groups, block=block)
    tensors = map(torch.from_numpy, (x, weight, bias))
    expected = F.conv2d(*tensors, stride, padding, dilation, groups).numpy()
    assert y.dtype == np.float32
    assert np.array_equal(y, expected)


@pytest.mark.parametrize("rank", [1, 3])
def test_conv_of_other_ranks(rank):
    x, weight = whole((2, 4, 7, 6, 5)[: 2 + rank], 1, 0), whole((6, 2, 3, 2, 3)[: 2 + rank], 2)
    y = reference.conv(x, weight, None, 2, 1, 1, 2)
    function = F.conv1d if rank == 1 else F.conv3d
    expected = function(torch.from_numpy(x), torch.from_numpy(weight), None, 2, 1, 1, 2)
    assert np.array_equal(y, expected.numpy())
    with pytest.raises(ValueError, match="conv2d takes 4-D"):
        reference.conv2d(x, weight)


def test_conv2d_inf_under_a_pruned_tap():
    x = np.ones((1, 1, 3, 3), np.float32)
    x[0, 0, 0, 0] = np.inf
    weight = np.zeros((1, 1, 2, 2), np.float32)
    weight[0, 0, 1, 1] = 2
    y = reference.conv2d(x, weight, block="matrix")
    assert y.ravel().tolist() == [2, 2, 2, 2]
    assert torch.isnan(F.conv2d(torch.from_numpy(x), torch.from_numpy(weight))).any()


ACTIVATIONS = [
    (reference.relu, F.relu),
    (reference.relu6, F.relu6),
    (reference.leaky_relu, F.leaky_relu),
    (lambda x: reference.leaky_relu(x, 0.2), lambda x: F.leaky_relu(x, 0.2)),
    (reference.hardswish, F.hardswish),
    (reference.silu, F.silu),
    (reference.gelu, F.gelu),
    (lambda x: reference.gelu(x, "tanh"), lambda x: F.gelu(x, approximate="tanh")),
    (reference.sigmoid, torch.sigmoid),
    (reference.tanh, torch.tanh),
    (lambda x: reference.clamp(x, -1.5, 2), lambda x: torch.clamp(x, -1.5, 2)),
    (lambda x: reference.clamp(x, low=0.5), lambda x: torch.clamp(x, min=0.5)),
    (lambda x: reference.clamp(x, high=0.5), lambda x: torch.clamp(x, max=0.5)),
    (lambda x: reference.clamp(x, 2, 1), lambda x: torch.clamp(x, 2, 1)),
    (lambda x: reference.residual(x, x[::-1]), lambda x: x + x.flip(0)),
]


@pytest.mark.parametrize(("ours", "theirs"), ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_equal_torch(ours, theirs, dtype):
    special = [0.0, -0.0, np.nan, -3, 3, 6, 100, -100, 1e-30]
    x = np.concatenate([np.linspace(-9, 9, 181), special]).astype(dtype)
    y = ours(x)
    assert y.dtype == dtype
    expected = theirs(torch.from_numpy(x)).numpy()
    tolerance = 1e-6 if dtype == np.float32 else 1e-13
    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


def test_activations_of_infinity_are_what_the_formula_says():
    # PyTorch's own answers differ between its vector and its scalar code for some of these.
    ends = np.array([np.inf, -np.inf], np.float32)
    expected = {
        "relu": [np.inf, 0],
        "relu6": [6, 0],
        "clamp": [np.inf, -np.inf],
        "leaky_relu": [np.inf, -np.inf],
        "sigmoid": [1, 0],
        "tanh": [1, -1],
        "silu": [np.inf, np.nan],
        "hardswish": [np.inf, np.nan],
        "gelu": [np.inf, np.nan],
    }
    for name, function in reference.ACTIVATIONS.items():
        np.testing.assert_array_equal(function(ends), expected[name], err_msg=name)


def test_every_activation_is_listed():
    assert set(reference.ACTIVATIONS) == {
        *("relu", "relu6", "clamp", "leaky_relu", "sigmoid", "tanh", "silu", "hardswish", "gelu")
    }
    for function in reference.ACTIVATIONS.values():
        assert function(np.zeros((2, 0, 3), np.float32)).shape == (2, 0, 3)


def test_sums_are_wider_than_the_data():
    x = np.array([2.0**24, *[1] * 99, -(2.0**24)], np.float32)
    y = reference.matmul(x, np.ones((1, 101), np.float32), block="matrix")
    assert y.dtype == np.float32
    assert y.tolist() == [99]
