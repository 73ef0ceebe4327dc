"""An index that a call chooses out of range is an error, and none that is in range."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.emulate import Emulator
from bcr.frontend import import_model
from operator_matrix import Apply


class Indexed(nn.Module):
    """Looks something up in a table whose elements all differ.

    Args:
        look_up: (table of 3x5x2, indices) -> result.
    """

    def __init__(self, look_up) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.arange(30.0).reshape(3, 5, 2), requires_grad=False)
        self.look_up = look_up

    def forward(self, *indices):
        return self.look_up(self.table, *indices)


LOOK_UPS = {
    "rows": (lambda t, i: t[i] * 2, [2, -3, 0], 3, -4),
    "a row": (lambda t, i: t[i] * 2, 1, 3, -4),
    "a column": (lambda t, i: t[:, i], -5, 5, -6),
    "columns": (lambda t, i: t[:, i], [[4, -5], [0, 1]], 5, -6),
    "elements": (lambda t, i: t[i, 1, i], [1, -2], 2, -3),
    "computed": (lambda t, i: t[i.abs() - 3], [0, -5], 6, 1 << 40),
    "a slice": (lambda t, i: t[1:][i], [1, -2], 2, -3),
    "index_select": (lambda t, i: torch.index_select(t, 1, i), [4, 0], 5, -1),
    "index_select of the last": (lambda t, i: torch.index_select(t, -1, i), [1, 0, 1], 2, -1),
    "take": (lambda t, i: torch.take(t, i), [29, -30], 30, -31),
    "gather": (lambda t, i: torch.gather(t, 1, i), [[[4, 0]]], 5, -1),
    "embedding": (lambda t, i: nn.functional.embedding(i, t[:, 0]), [[2, 0, 1]], 3, -1),
    "embedding of a row": (lambda t, i: nn.functional.embedding(i, t[:, 1]) + 1, 2, 3, -1),
    "scatter": (lambda t, i: torch.scatter(t, 1, i, t[:, :1] + 9), [[[4, 0]]], 5, -1),
    "scatter_add": (lambda t, i: torch.scatter_add(t, 1, i, t[:, :1] + 9), [[[4, 0]]], 5, -1),
    "index_add": (lambda t, i: t.index_add(1, i, t[:, :2] + 9), [4, 0], 5, -6),
    "index_put": (lambda t, i: t.index_put((i,), t[0] + 9), [2, -3], 3, -4),
    "one_hot": (lambda t, i: nn.functional.one_hot(i, 6) * t[0, 0, 0], [0, 5], 6, -1),
    "32 bits": (lambda t, i: t[i.int()], [2, -3], 3, -4),
}


def with_last(indices, number):
    """Return the indices with another last one."""
    changed = torch.as_tensor(indices).clone()
    changed.view(-1)[-1] = number
    return changed


@pytest.mark.parametrize("name", LOOK_UPS)
def test_out_of_range_is_an_error(name):
    look_up, indices, high, low = LOOK_UPS[name]
    model, example = Indexed(look_up).eval(), torch.tensor(indices)
    exe = bcr.compile(model, (example,))
    assert torch.equal(exe(example), model(example))
    for bad in (high, low, 1 << 40, -(1 << 40), (1 << 32) + 1):
        if name == "32 bits" and abs(bad) > 1 << 31:
            continue
        with pytest.raises((IndexError, RuntimeError)):
            model(with_last(indices, bad))
        with pytest.raises(bcr.InputError, match=r"dimension \d has \d+ elements.* at test_index"):
            exe(with_last(indices, bad))
    assert torch.equal(exe(example), model(example))


def test_message_names_the_place():
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = Indexed(lambda t, i: t[:, i])

        def forward(self, i):
            return self.words(i) + 1

    exe = bcr.compile(Net().eval(), (torch.tensor([1, 2]),))
    expected = (
        r"index out of range: dimension 1 has 5 elements, -5 to 4 are allowed "
        r"\(in module words at test_index_checks.py:\d+\)"
    )
    with pytest.raises(bcr.InputError, match=expected):
        exe(torch.tensor([1, 5]))


def test_size_that_a_call_chooses():
    rows = {0: torch.export.Dim("n", min=2, max=50)}
    model = Apply(lambda x, i: (x[i], x[i, [1, 0]])).eval()
    example = torch.arange(12.0).reshape(4, 3), torch.tensor([3, -4])
    exe = bcr.compile(model, example, dynamic_shapes={"args": (rows, None)})
    for n in (2, 7):
        x = torch.arange(3.0 * n).reshape(n, 3)
        for i in ([n - 1, 0], [-n, 1]):
            for got, want in zip(exe(x, torch.tensor(i)), model(x, torch.tensor(i)), strict=True):
                assert torch.equal(got, want)
        for bad in (n, -n - 1):
            with pytest.raises(bcr.InputError, match="index out of range of dimension 0"):
                exe(x, torch.tensor([0, bad]))


ORDER = torch.tensor([2, 0, 1, 4, 3])


@pytest.mark.parametrize(
    "look_up",
    [
        lambda x: x[:, [3, 0, -5]],
        lambda x: x[:, torch.arange(4, -1, -2)],
        lambda x: x[:, torch.argsort(ORDER)],
        lambda x: torch.index_select(x, 1, ORDER + 0),
        lambda x: nn.functional.interpolate(x[None], size=(7, 3), mode="bicubic"),
    ],
    ids=["list", "arange", "argsort", "sum", "bicubic"],
)
def test_known_indices_are_not_checked(look_up):
    text = import_model(Apply(look_up).eval(), (torch.randn(2, 5, 4),)).text
    assert "cf.assert" not in text


def test_index_out_of_range_in_the_model_itself():
    """As in PyTorch, an error of the call."""
    x = torch.randn(2, 5)
    exe = bcr.compile(Apply(lambda x: x[:, ORDER + 1]).eval(), (x,))
    with pytest.raises(bcr.InputError, match="dimension 1 has 5 elements, -5 to 4"):
        exe(x)


def test_in_an_aarch64_program():
    model = Indexed(lambda t, i: t[1:, i]).eval()
    exe = bcr.compile(model, (torch.tensor([1, -5, 0]),), target="cortex-a76")
    with Emulator(exe) as run:
        for values in ([4, -5, 0], [-1, 2, 3]):
            expected = model(torch.tensor(values))
            assert np.array_equal(run(np.array(values))[0], expected)
        with pytest.raises(bcr.InputError, match="check 1 failed: index out of range: dimension 1"):
            run(np.array([0, 5, 1]))


@pytest.mark.parametrize("target", ["opencl", "vulkan"])
def test_on_a_gpu(target):
    model = Indexed(lambda t, i, j: (t[:, i] * 2, torch.index_select(t, 1, j))).eval()
    good = torch.tensor([4, -5, 1]), torch.tensor([4, 0])
    exe = bcr.compile(model, good, target=target)
    for got, want in zip(exe(*good), model(*good), strict=True):
        assert torch.equal(got, want)
    for bad in (5, -6, (1 << 32) + 1):
        with pytest.raises(bcr.InputError, match="-5 to 4 are allowed"):
            exe(with_last(good[0], bad), good[1])
    for bad in (5, -1):
        with pytest.raises(bcr.InputError, match=r"\b0 to 4 are allowed"):
            exe(good[0], with_last(good[1], bad))
    for got, want in zip(exe(*good), model(*good), strict=True):
        assert torch.equal(got, want)
