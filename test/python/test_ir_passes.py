"""`bcr.ir`: pipelines, what they report, and machine code from Python."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

import bcr
from bcr import ir

ADD_TWICE = """
func.func @main(%x: tensor<20xf32>) -> tensor<20xf32> {
  %w = arith.constant dense_resource<weight> : tensor<20xf32>
  %y = arith.addf %x, %w : tensor<20xf32>
  %unused = arith.mulf %x, %w : tensor<20xf32>
  %z = arith.addf %x, %w : tensor<20xf32>
  %r = arith.subf %y, %z : tensor<20xf32>
  return %r : tensor<20xf32>
}
"""


def test_snapshots_timings_and_order() -> None:
    module = ir.Module.parse(ADD_TWICE)
    module.set_resource("weight", np.arange(20, dtype=np.float32))
    manager = ir.PassManager.parse("builtin.module(func.func(cse),canonicalize)")
    assert str(manager) == "builtin.module(func.func(cse),canonicalize)"
    result = manager.run(module, snapshots=["cse"])
    assert list(result.snapshots) == ["cse"]
    assert result.snapshots["cse"].count("arith.addf") == 1
    assert "func.func @main" in result.snapshots["cse"]
    assert "dialect_resources" not in result.snapshots["cse"]
    assert list(result.timings) == ["cse", "canonicalize"]
    assert all(0 <= seconds < 60 for seconds in result.timings.values())
    assert result.diagnostics == []


def test_all_snapshots_parse_again() -> None:
    module = ir.Module.parse(ADD_TWICE)
    result = ir.PassManager.parse("cse,canonicalize").run(
        module, snapshots="all", enable_debug_info=True
    )
    assert list(result.snapshots) == ["cse", "canonicalize"]
    for text in result.snapshots.values():
        assert "loc(" in text
        ir.Module.parse(text).verify()


def test_manager_runs_many_modules() -> None:
    with ir.Context():
        manager = ir.PassManager.parse("cse")
        for _ in range(3):
            module = ir.Module.parse(ADD_TWICE)
            result = manager.run(module, snapshots=["cse"])
            assert str(module) == result.snapshots["cse"]


def test_remarks_say_why() -> None:
    matrix = np.ones((8, 8), np.float32)
    with ir.Context():
        module = ir.Module.parse("""
        func.func @main(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
          %w = arith.constant dense_resource<fc.weight> : tensor<8x8xf32>
          %o = tensor.empty() : tensor<2x8xf32>
          %y = bcr.matmul ins(%x : tensor<2x8xf32>) weights(%w : tensor<8x8xf32>)
               outs(%o : tensor<2x8xf32>) {layer = "fc"} -> tensor<2x8xf32>
          return %y : tensor<2x8xf32>
        }""")
        module.set_resource("fc.weight", matrix)
        result = ir.PassManager.parse("bcr-select").run(module)
    (remark,) = [remark for remark in result.remarks if remark.category == "bcr-select"]
    assert remark.kind == "missed"
    assert remark.function == "fc"
    assert "layer 'fc' runs dense" in remark.message
    assert str(remark).endswith(f"missed: bcr-select: {remark.message}")
    assert all(isinstance(value, str) for value in remark.arguments.values())


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ("nothing", "'nothing' does not refer to a registered pass"),
        ("func.func(cse", "unbalanced parentheses"),
        ("canonicalize{max-iterations=x}", "max-iterations"),
        ("builtin.module(cse))", "cannot parse the pipeline"),
    ],
)
def test_bad_pipeline(pipeline: str, message: str) -> None:
    with pytest.raises(bcr.IRError, match=message):
        ir.PassManager.parse(pipeline)


def test_bad_arguments() -> None:
    module = ir.Module.parse(ADD_TWICE)
    manager = ir.PassManager.parse("cse", module.context)
    with pytest.raises(bcr.IRError, match="sequence of pass names"):
        manager.run(module, snapshots="cse")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        manager.run(str(module))  # type: ignore[arg-type]


FAILS = """
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  return %x : tensor<?xf32>
}
"""


def test_failing_pass_raises_and_leaves_a_reproducer(tmp_path: Path) -> None:
    module = ir.Module.parse(FAILS)
    manager = ir.PassManager.parse("cse,spirv-attach-target{ver=v9.9}")
    reproducer = tmp_path / "fails.mlir"
    with pytest.raises(bcr.IRError, match="failed") as caught:
        manager.run(module, reproducer=str(reproducer))
    assert caught.value.diagnostics
    assert "spirv-attach-target" in reproducer.read_text()


LLVM = """
llvm.func @scale(%array: !llvm.ptr, %factor: f32, %n: i64) -> i64 {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  llvm.br ^head(%zero : i64)
^head(%i: i64):
  %more = llvm.icmp "slt" %i, %n : i64
  llvm.cond_br %more, ^body, ^done
^body:
  %place = llvm.getelementptr %array[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
  %value = llvm.load %place : !llvm.ptr -> f32
  %scaled = llvm.fmul %value, %factor : f32
  llvm.store %scaled, %place : f32, !llvm.ptr
  %next = llvm.add %i, %one : i64
  llvm.br ^head(%next : i64)
^done:
  llvm.return %n : i64
}
"""


def test_emit_and_run() -> None:
    module = ir.Module.parse(LLVM)
    jit = ir.Jit(ir.emit(module))
    address = jit.lookup("scale")
    assert address != 0
    assert jit.lookup("nothing") == 0
    pointer, real, integer = ctypes.c_void_p, ctypes.c_float, ctypes.c_int64
    function = ctypes.CFUNCTYPE(integer, pointer, real, integer)(address)
    array = np.arange(37, dtype=np.float32)
    assert function(array.ctypes.data, 2.5, 37) == 37
    np.testing.assert_array_equal(array, np.arange(37, dtype=np.float32) * 2.5)


def test_emit_is_repeatable_and_knows_targets() -> None:
    module = ir.Module.parse(LLVM)
    assert ir.emit(module) == ir.emit(module)
    text = ir.emit(module, "aarch64-linux-gnu", "cortex-a76", kind="assembly").decode()
    assert "fmul" in text
    assert "define i64 @scale" in ir.emit(module, kind="llvm").decode()
    assert "aarch64" in ir.emit(module, "aarch64-linux-gnu", kind="llvm").decode()


def test_emitted_object_is_for_the_target(tmp_path: Path) -> None:
    code = ir.emit(ir.Module.parse(LLVM), "aarch64-linux-gnu", "cortex-a76")
    path = tmp_path / "scale.o"
    path.write_bytes(code)
    readelf = subprocess.run(["readelf", "-h", path], capture_output=True, text=True, check=True)
    assert "AArch64" in readelf.stdout
    with pytest.raises(bcr.IRError, match="cannot load the object file"):
        ir.Jit(b"no object file")


@pytest.mark.parametrize(
    ("triple", "cpu", "features"),
    [("nonsense", "", ""), ("aarch64-linux-gnu", "no-such-cpu", ""), ("", "", "+no-such-feature")],
)
def test_unknown_machine(triple: str, cpu: str, features: str) -> None:
    wrong = features.lstrip("+") or cpu or triple
    with pytest.raises(bcr.ConfigError, match=wrong):
        ir.describe_target(triple, cpu, features)
    with pytest.raises(bcr.ConfigError, match=wrong):
        ir.emit(ir.Module.parse(LLVM), triple, cpu, features)


def test_describe_target() -> None:
    arm = ir.describe_target("aarch64-linux-gnu", "cortex-a76")
    assert (arm.lanes, arm.registers, arm.cpu) == (4, 32, "cortex-a76")
    assert "aarch64" in arm.triple
    host = ir.describe_target()
    assert host.lanes >= 4
    assert host.triple
    assert host.cpu in repr(host)


def test_emit_refuses_other_dialects() -> None:
    with pytest.raises(bcr.IRError, match="cannot emit machine code"):
        ir.emit(ir.Module.parse(ADD_TWICE))
    with pytest.raises(bcr.ConfigError, match="kind='elf'"):
        ir.emit(ir.Module.parse(LLVM), kind="elf")  # type: ignore[arg-type]


def test_pool() -> None:
    module = ir.Module.parse("func.func @main() { return }")
    assert ir.pool_size(module) == 0
    ir.write_pool(module, np.empty(0, np.uint8))
    with pytest.raises(bcr.IRError, match="writable"):
        ir.write_pool(module, b"")
