"""The pipeline bcr-to-llvm as machine code: what it needs, what it checks, what it refuses."""

from __future__ import annotations

import ctypes
import subprocess

import numpy as np
import pytest

from bcr import _core, ir
from bcr.errors import BCRError
from bcr.workspace import aligned_bytes

LOOKUP = """
func.func @main(%table: tensor<5x3xf32>, %rows: tensor<4xi64>) -> tensor<4x3xf32> {
  %zero = arith.constant 0 : index
  %five = arith.constant 5 : index
  %e = tensor.empty() : tensor<4x3xf32>
  %0 = linalg.generic {
    indexing_maps = [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
    iterator_types = ["parallel", "parallel"]}
    ins(%rows : tensor<4xi64>) outs(%e : tensor<4x3xf32>) {
  ^bb0(%in: i64, %old: f32):
    %row = arith.index_cast %in : i64 to index
    %column = linalg.index 1 : index
    %small = arith.cmpi slt, %row, %five : index
    cf.assert %small, "too large"
    %positive = arith.cmpi sge, %row, %zero : index
    cf.assert %positive, "negative"
    %value = tensor.extract %table[%row, %column] : tensor<5x3xf32>
    linalg.yield %value : f32
  } -> tensor<4x3xf32>
  return %0 : tensor<4x3xf32>
}
"""

SUM = """
func.func @main(%x: tensor<?xf32>, %y: tensor<?xf32>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %n = tensor.dim %x, %zero : tensor<?xf32>
  %m = tensor.dim %y, %zero : tensor<?xf32>
  %equal = arith.cmpi eq, %n, %m : index
  cf.assert %equal, "mismatched size"
  %e = tensor.empty(%n) : tensor<?xf32>
  %0 = linalg.add ins(%x, %y : tensor<?xf32>, tensor<?xf32>)
    outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %0 : tensor<?xf32>
}
"""

FUNCTIONS = """
func.func @main(%x: tensor<9xf32>, %y: tensor<9xf64>, %z: tensor<9xbf16>, %h: tensor<9xf16>,
                %t: tensor<4x6xf32>)
    -> (tensor<9xf32>, tensor<9xf64>, tensor<9xbf16>, tensor<9xf16>, tensor<4x3xf32>) {
  %0 = math.sin %x : tensor<9xf32>
  %1 = math.exp %0 : tensor<9xf32>
  %2 = math.tanh %y : tensor<9xf64>
  %3 = math.erf %z : tensor<9xbf16>
  %4 = math.exp %h : tensor<9xf16>
  %5 = tensor.extract_slice %t[0, 1] [4, 3] [1, 2] : tensor<4x6xf32> to tensor<4x3xf32>
  return %1, %2, %3, %4, %5
    : tensor<9xf32>, tensor<9xf64>, tensor<9xbf16>, tensor<9xf16>, tensor<4x3xf32>
}
"""


def _lower(text: str, options: str = "") -> ir.Module:
    context = ir.Context()
    module = ir.Module.parse(text, context)
    pipeline = f"builtin.module(convert-elementwise-to-linalg,bcr-to-llvm{{{options}}})"
    ir.PassManager.parse(pipeline, context).run(module)
    return module


def _load(text: str):
    module = _lower(text)
    jit = _core.Jit(_core.emit(module))
    arena = module.operation.attributes["bcr.arena"].to_python()
    workspace = aligned_bytes(arena["bytes"])
    function = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 6)(jit.lookup("bcr_run"))

    def run(inputs, outputs, sizes=()):
        pointers = [
            (ctypes.c_void_p * len(arrays))(*[array.ctypes.data for array in arrays])
            for arrays in (inputs, outputs)
        ]
        dims = (ctypes.c_int64 * max(1, len(sizes)))(*sizes)
        # `jit` owns the code that `function` points to.
        assert jit is not None
        return function(pointers[0], pointers[1], None, workspace.ctypes.data, dims, None)

    return run


@pytest.mark.parametrize(
    ("rows", "status"),
    [([4, 0, 2, 1], 0), ([0, 5, 1, 1], 1), ([0, 1, -1, 2], 2), ([2**62, -1, 0, 0], 1)],
)
def test_first_failing_check_is_the_status(rows, status):
    table = np.arange(15, dtype=np.float32).reshape(5, 3)
    result = np.full((4, 3), -1, np.float32)
    assert _load(LOOKUP)([table, np.array(rows)], [result]) == status
    clamped = table[np.clip(rows, 0, 4)]
    np.testing.assert_array_equal(result, clamped)


@pytest.mark.parametrize(
    ("sizes", "status"), [((7, 7, 7), 0), ((7, 3, 7), 1), ((7, 7, 3), 2), ((0, 0, 0), 0)]
)
def test_nothing_runs_when_sizes_disagree(sizes, status):
    x = np.arange(7, dtype=np.float32)
    result = np.full(7, -1, np.float32)
    assert _load(SUM)([x, 10 * x], [result], sizes) == status
    written = sizes[2] if status == 0 else 0
    np.testing.assert_array_equal(result[:written], 11 * x[:written])
    np.testing.assert_array_equal(result[written:], -1)


@pytest.mark.parametrize("cpu", ["x86_64-linux-gnu:x86-64", "aarch64-linux-gnu:cortex-a76"])
def test_code_needs_only_the_c_library(cpu, tmp_path):
    triple, name = cpu.split(":")
    module = _lower(FUNCTIONS, f"triple={triple} cpu={name}")
    path = tmp_path / "code.o"
    path.write_bytes(_core.emit(module, triple, name))
    listing = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    symbols = [line.split()[-2:] for line in listing.splitlines()]
    assert [name for kind, name in symbols if kind == "T"] == ["bcr_run"]
    allowed = {"aligned_alloc", "free", "memcpy", "memset", "sinf", "tanh"}
    if triple.startswith("x86"):
        # What the oldest processor has no instruction for: rounding, and half precision, which is
        # libgcc's and in every program. A call for each multiply-add would be far too slow.
        allowed |= {"floorf", "__extendhfsf2", "__truncsfhf2"}
    assert {name for kind, name in symbols if kind == "U"} <= allowed


def test_an_object_that_is_none():
    with pytest.raises(BCRError, match="cannot load the compiled model"):
        _core.Jit(b"\x7fELF, or so it says")
