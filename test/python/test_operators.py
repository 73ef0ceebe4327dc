"""Every operator of the matrix, compiled for this machine and for AArch64, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

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
