"""Calls whose arguments need no conversion, which run next to no Python around the code."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import nn

import bcr


class Pair(nn.Module):
    """Two inputs whose results tell which is which."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(7, 5)
        self.second = nn.Linear(4, 3)

    def forward(self, x, y):
        return {"a": self.first(x), "b": (self.second(y), self.first(x).sum())}


class Unexpected(Exception):
    """Raised in place of the way that looks at each argument."""


@pytest.fixture(scope="module")
def exe():
    torch.manual_seed(1)
    return bcr.compile(Pair().eval(), (torch.randn(2, 7), torch.randn(6, 4)), verify=True)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(2)
    return (
        rng.standard_normal((2, 7), np.float32),
        rng.standard_normal((6, 4), np.float32),
    )


@pytest.fixture
def only_direct(exe, arrays, monkeypatch):
    """The executable, ready, with any other way closed."""
    exe(*arrays)

    def refuse(*_):
        raise Unexpected

    monkeypatch.setattr(exe, "_run", refuse)
    return exe


def test_results_are_those_of_the_other_way(exe, arrays):
    exe.prepare()
    direct = exe(*arrays)
    other = exe._run(arrays, {}, None)
    assert direct.keys() == other.keys()
    np.testing.assert_array_equal(direct["a"], other["a"])
    assert type(direct["b"]) is tuple
    for one, two in zip(direct["b"], other["b"], strict=True):
        assert one.shape == two.shape
        np.testing.assert_array_equal(one, two)


def test_results_are_new_arrays(only_direct, arrays):
    first = only_direct(*arrays)
    kept = first["a"].copy()
    second = only_direct(arrays[0] + 1, arrays[1])
    np.testing.assert_array_equal(first["a"], kept)
    assert (second["a"] != kept).any()


def test_tensors_are_viewed_and_returned(only_direct, arrays):
    expected = only_direct(*arrays)
    result = only_direct(*map(torch.from_numpy, arrays))
    for one, two in zip((result["a"], *result["b"]), (expected["a"], *expected["b"]), strict=True):
        assert type(one) is torch.Tensor
        assert one.shape == two.shape
        np.testing.assert_array_equal(one.numpy(), two)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.requires_grad_(),
        lambda x: nn.Parameter(x, requires_grad=False),
        lambda x: x.t().contiguous().t(),
        lambda x: x.numpy(),
    ],
    ids=["gradient", "parameter", "transposed", "mixture"],
)
def test_other_tensors_take_the_other_way(exe, arrays, change, monkeypatch):
    x, y = map(torch.from_numpy, arrays)
    expected = exe(x, y)["a"]
    changed = change(x.clone())
    np.testing.assert_array_equal(exe(changed, y)["a"].numpy(), expected.numpy())
    monkeypatch.setattr(exe, "_run", lambda args, *_: args)
    assert exe(changed, y)[0] is changed


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    view = raw[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


@pytest.mark.parametrize(
    "change",
    [
        lambda x: np.asfortranarray(x),
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x.view(np.matrix),
        lambda x: torch.from_numpy(x),
        misaligned,
    ],
    ids=["fortran", "strided", "subclass", "torch", "misaligned"],
)
def test_other_arguments_take_the_other_way(exe, arrays, change, monkeypatch):
    expected = exe(*arrays)
    changed = change(arrays[0])
    result = exe(changed, arrays[1])
    np.testing.assert_array_equal(np.asarray(result["a"]), expected["a"])
    monkeypatch.setattr(exe, "_run", lambda args, *_: args)
    assert exe(changed, arrays[1])[0] is changed


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((np.zeros((2, 7)), np.zeros((6, 4), np.float32)), "dtype float64"),
        ((np.zeros((2, 7), ">f4"), np.zeros((6, 4), np.float32)), "bytes in the order"),
        ((np.zeros((3, 7), np.float32), np.zeros((6, 4), np.float32)), r"shape \(3, 7\)"),
        ((np.zeros((2, 7), np.float32),), "2 positional"),
        ((np.zeros((2, 7), np.float32), [1.0]), "expected a tensor"),
        ((torch.zeros(2, 7, dtype=torch.bfloat16), torch.zeros(6, 4)), "dtype bfloat16"),
        ((torch.zeros(2, 7).to_sparse(), torch.zeros(6, 4)), "sparse"),
        ((torch.zeros(2, 7, device="meta"), torch.zeros(6, 4)), "meta"),
    ],
)
def test_what_does_not_fit_is_an_error_as_ever(exe, args, message):
    exe.prepare()
    with pytest.raises(bcr.InputError, match=message):
        exe(*args)


def test_names_take_the_other_way(exe, arrays):
    expected = exe(*arrays)["a"]
    np.testing.assert_array_equal(exe(arrays[0], y=arrays[1])["a"], expected)


def test_without_a_free_workspace_one_is_made(exe, arrays):
    expected = exe(*arrays)["a"]
    exe.workspaces.free.clear()
    np.testing.assert_array_equal(exe(*arrays)["a"], expected)
    assert len(exe.workspaces) == 1


def test_a_failed_check_is_an_error_and_leaves_the_workspace():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2)).eval()
    exe = bcr.compile(model, (torch.tensor([1, 4]),))
    fine = np.array([1, 4])
    expected = exe(fine)
    free = len(exe.workspaces)
    with pytest.raises(bcr.InputError, match="index out of range: dimension 0 has 5 elements"):
        exe(np.array([1, 5]))
    assert len(exe.workspaces) == free
    np.testing.assert_array_equal(exe(fine), expected)


def test_models_that_need_more_are_left_alone():
    class Passed(nn.Module):
        def forward(self, x):
            return x, x + 1

    class Half(nn.Module):
        def forward(self, x):
            return (x + 1).to(torch.bfloat16)

    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    passed = bcr.compile(Passed(), (torch.from_numpy(x),))
    for _ in range(2):
        same, more = passed(x)
        assert same is not x
        np.testing.assert_array_equal(same, x)
        np.testing.assert_array_equal(more, x + 1)
    half = bcr.compile(Half(), (torch.from_numpy(x),))
    for _ in range(2):
        with pytest.raises(bcr.InputError, match="bfloat16"):
            half(x)
    batch = torch.export.Dim("batch", min=1, max=9)
    dynamic = bcr.compile(
        nn.Linear(3, 2).eval(), (torch.from_numpy(x),), dynamic_shapes=({0: batch},)
    )
    for size in (2, 5):
        assert dynamic(np.ones((size, 3), np.float32)).shape == (size, 2)


def test_calls_of_many_threads_at_once(only_direct, arrays):
    x, y = arrays
    inputs = [x + np.float32(i) for i in range(6)]
    expected = [only_direct(value, y)["a"] for value in inputs]
    wrong = []

    def work(i):
        for _ in range(200):
            # A workspace may be missing when another thread has the last one.
            try:
                result = only_direct(inputs[i], y)["a"]
            except Unexpected:
                continue
            if (result != expected[i]).any():
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(inputs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
