"""Two MLIRs in one process: torch-mlir's and ours, in either order of import."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMON = """
import numpy, torch

def export():
    from torch_mlir import fx
    from torch_mlir.compiler_utils import OutputType
    layer = torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.ReLU()).eval()
    module = fx.export_and_import(
        layer, torch.zeros(2, 5), output_type=OutputType.LINALG_ON_TENSORS)
    assert "linalg" in str(module)
    return module

def compile_ours(text):
    from bcr import ir
    module = ir.Module.parse(text)
    result = ir.PassManager.parse("canonicalize,cse").run(module, snapshots=["cse"])
    assert "linalg" in result.snapshots["cse"]
    try:
        ir.Module.parse("func.func @f() { %0 = nothing }")
    except Exception as error:
        assert type(error).__name__ == "IRError", error
    code = ir.emit(ir.Module.parse("llvm.func @f() { llvm.return }"))
    assert ir.Jit(code).lookup("f")
    return module

def use_theirs(module):
    from torch_mlir import ir
    with module.context:
        again = ir.Module.parse(str(module))
        assert again.operation.verify()
        assert ir.Type.parse("tensor<2xf32>").rank == 1
"""

FIRST_THEIRS = """
theirs = export()
ours = compile_ours(str(theirs))
use_theirs(theirs)
assert "linalg" in str(ours)
"""

FIRST_OURS = """
from bcr import ir
before = ir.Module.parse("func.func @early() { return }")
theirs = export()
use_theirs(theirs)
ours = compile_ours(str(theirs))
use_theirs(export())
assert "early" in str(before)
assert "linalg" in str(ours)
"""


@pytest.mark.parametrize("program", [FIRST_THEIRS, FIRST_OURS], ids=["theirs first", "ours first"])
def test_in_one_process(program: str) -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", COMMON + program],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
