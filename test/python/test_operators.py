"""Every operator of the matrix, compiled for this machine and for AArch64, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

import bcr
from bcr.compiler import relative_error
from bcr.emulate import Emulator
from bcr.frontend.structure import bind, unflatten
from conftest import AARCH64, compiled_pair
from operator_matrix import CASES

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2}


def assert_close(actual, expected) -> None:
    actual, expected = pytree.tree_leaves(actual), pytree.tree_leaves(expected)
    assert len(actual) == len(expected)
    for got, want in zip(actual, expected):
        if not isinstance(want, torch.Tensor):
            assert got == want
            continue
        assert got.dtype == want.dtype
        tolerance = TOLERANCE.get(str(want.dtype).removeprefix("torch."), 1e-5)
        got, want = (t.float() if t.dtype == torch.bfloat16 else t for t in (got, want))
        assert relative_error(got.numpy(), want.numpy()) <= tolerance


@pytest.mark.parametrize("name", CASES)
def test_operator(name):
    model, args = CASES[name]()
    with torch.no_grad():
        expected = model(*args)
    host, arm = compiled_pair(model, args)
    # NaN in every float type: nothing may depend on what the buffers held before.
    with host.workspaces.lease() as workspace:
        workspace[:] = 255
    assert_close(host(*args), expected)

    signature = arm.program.signature
    leaves = bind(signature.in_spec, args, {})
    arrays = [t.view(torch.uint16) if t.dtype == torch.bfloat16 else t for t in leaves]
    with Emulator(arm, AARCH64) as run:
        outputs = [torch.from_numpy(np.array(array)) for array in run(*(t.numpy() for t in arrays))]
    typed = [
        t.view(torch.bfloat16) if spec.dtype == "bfloat16" else t
        for spec, t in zip(signature.outputs, outputs)
    ]
    assert_close(unflatten(signature.out_spec, typed, leaves), expected)


@pytest.mark.parametrize("threads", [1, 2])
def test_index_of_an_extremum_with_ties_nan_and_infinities(threads):
    """The first of equals, the first NaN, and index 0 where all are as small as the start."""

    class Places(torch.nn.Module):
        def forward(self, x):
            return x.argmax(-1), x.argmin(-1), x.argmax(0), x.argmax(), x.max(1).indices

    x = torch.randint(-4, 4, (9, 53), generator=torch.Generator().manual_seed(3)).float()
    x[2], x[4], x[5] = float("-inf"), float("inf"), -0.0
    x[3, 20] = x[3, 40] = float("nan")
    x[5, 7] = 0.0
    exe = bcr.compile(Places(), (x,), num_threads=threads)
    for got, want in zip(exe(x), Places()(x)):
        assert torch.equal(torch.as_tensor(got), want)
