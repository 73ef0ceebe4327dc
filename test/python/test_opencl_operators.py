"""Every operator of the matrix as OpenCL kernels, valid SPIR-V and right on a device."""

from __future__ import annotations

import subprocess

import pytest
import torch

import bcr
from operator_matrix import CASES
from test_operators import assert_close

# Half floats are an extension of OpenCL, which no environment of spirv-val stands for.
ENVIRONMENTS = {True: "spv1.2", False: "opencl2.1"}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BCR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


def validate(spirv: bytes) -> None:
    """Ask spirv-val; capability 9 is Float16."""
    words = memoryview(spirv).cast("I")
    capabilities, at = set(), 5
    while words[at] & 0xFFFF == 17:
        capabilities.add(words[at + 1])
        at += words[at] >> 16
    assert 6 in capabilities, "kernels have the capability Kernel"
    command = ["spirv-val", "--target-env", ENVIRONMENTS[9 in capabilities], "-"]
    subprocess.run(command, input=spirv, check=True)


@pytest.mark.parametrize("name", CASES)
def test_operator(name):
    model, args = CASES[name]()
    with torch.no_grad():
        expected = model(*args)
    exe = bcr.compile(model, args, target="opencl", sparsity="force")
    assert_close(exe(*args), expected)
    if exe.program.library:
        validate(exe.program.library)
