"""Every operator of the matrix, on every target, against PyTorch.

Vulkan runs one in six of them and those it has code of its own for, and all where BCR_ALL_OPERATORS
is set.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

import bcr
from bcr.compiler import compile_imported, relative_error
from bcr.emulate import Emulator
from bcr.executable import make_executable
from bcr.frontend import ImportedModel, import_model
from bcr.frontend.structure import bind, unflatten
from bcr.launches import check_schedule
from bcr.progress import Stages
from bcr.target import Target
from conftest import AARCH64
from operator_matrix import CASES

TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2}
EVERY = 1 if os.environ.get("BCR_ALL_OPERATORS") else 6
VULKAN = [name for i, name in enumerate(CASES) if i % EVERY == 0 or name in ("arc", "atan2")]
SHADER, KERNEL, FLOAT16 = 1, 6, 9
"""Capabilities of SPIR-V, by their numbers (section 3.31)."""


def check_module(spirv: bytes, capability: int, half: str, other: str) -> None:
    """Ask spirv-val, for the environment `half` where kernels have half floats, else for `other`:
    they are an extension of OpenCL, which no environment of spirv-val stands for."""
    words = memoryview(spirv).cast("I")
    capabilities, at = set(), 5
    while words[at] & 0xFFFF == 17:
        capabilities.add(words[at + 1])
        at += words[at] >> 16
    assert capability in capabilities
    environment = half if FLOAT16 in capabilities else other
    subprocess.run(["spirv-val", "--target-env", environment, "-"], input=spirv, check=True)


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


@dataclass(frozen=True)
class Case:
    """A model of the matrix, imported once, which takes long, and compiled for each target."""

    name: str
    args: tuple[object, ...]
    imported: ImportedModel
    expected: object

    def compile(self, target: bcr.Target | str, **options: object) -> bcr.Executable:
        options = {"sparsity": "force", "num_threads": 1, "stages": Stages(False), **options}
        program = compile_imported(self.imported, Target.of(target), **options)
        if program.schedule is not None:
            inputs, outputs = program.signature.inputs, program.signature.outputs
            memory = program.pool.size, program.arena.bytes
            check_schedule(program.schedule, inputs, outputs, *memory)
        return make_executable(program)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    model, args = CASES[request.param]()
    with torch.no_grad():
        expected = model(*args)
    return Case(request.param, args, import_model(model, args, {}), expected)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """Kernels are built anew: those of an earlier run would hide that they cannot be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def test_host(case):
    exe = case.compile("host")
    # NaN in every float type: nothing may depend on what the buffers held before.
    with exe.workspaces.lease() as workspace:
        workspace[:] = 255
    assert_close(exe(*case.args), case.expected)


def test_aarch64(case):
    arm = case.compile("cortex-a76")
    signature = arm.program.signature
    leaves = bind(signature.in_spec, case.args, {})
    arrays = [t.view(torch.uint16) if t.dtype == torch.bfloat16 else t for t in leaves]
    with Emulator(arm, AARCH64) as run:
        outputs = [torch.from_numpy(np.array(array)) for array in run(*(t.numpy() for t in arrays))]
    typed = [
        t.view(torch.bfloat16) if spec.dtype == "bfloat16" else t
        for spec, t in zip(signature.outputs, outputs)
    ]
    assert_close(unflatten(signature.out_spec, typed, leaves), case.expected)


def test_opencl(case):
    # The device of the tests is a processor, and so are its kernels.
    exe = case.compile("opencl", processor=True)
    assert_close(exe(*case.args), case.expected)
    if exe.program.library:
        check_module(exe.program.library, KERNEL, "spv1.2", "opencl2.1")


@pytest.mark.parametrize("case", VULKAN, indirect=True)
def test_vulkan(case):
    exe = case.compile("vulkan")
    assert_close(exe(*case.args), case.expected)
    if exe.program.library:
        check_module(exe.program.library, SHADER, "vulkan1.1", "vulkan1.1")


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
