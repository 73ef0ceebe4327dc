"""`bcr.ir`: nothing a Python program does with stale objects or threads crashes."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
from collections.abc import Callable

import numpy as np
import pytest

import bcr
from bcr import ir

TEXT = """
func.func @main(%x: i32, %c: i1) -> i32 {
  %a = arith.addi %x, %x : i32
  %b = scf.if %c -> i32 {
    %d = arith.muli %a, %x : i32
    scf.yield %d : i32
  } else {
    scf.yield %a : i32
  }
  %unused = arith.subi %a, %x : i32
  return %b : i32
}
"""


def find(module: ir.Module, name: str) -> ir.Operation:
    return next(op for op in module.walk() if op.name == name)


def test_pieces_keep_the_whole_alive() -> None:
    op = find(ir.Module.parse(TEXT), "arith.muli")
    value, block, attribute = op.operands[0], op.block, ir.Module.parse(TEXT).operation.attributes
    kind, location = value.type, op.location
    del op
    gc.collect()
    assert value.get_name() == "%0"
    assert block is not None
    assert block.owner.name == "scf.if"
    assert (str(kind), str(location)) == ("i32", "<string>:5:10")
    assert len(attribute) == 0


USES: list[Callable[[ir.Operation], object]] = [
    lambda op: op.name,
    lambda op: op.operands,
    lambda op: op.results,
    lambda op: op.attributes,
    lambda op: op.regions,
    lambda op: op.parent,
    lambda op: op.block,
    lambda op: op.location,
    lambda op: op.successors,
    str,
    lambda op: op.get_asm(),
    lambda op: op.verify(),
    lambda op: op.walk(),
    lambda op: op.erase(),
    lambda op: op.clone(),
    lambda op: op.move_before(op),
    lambda op: ir.InsertionPoint(op),
    lambda op: ir.InsertionPoint.after(op),
]


def test_erased_operation() -> None:
    module = ir.Module.parse(TEXT)
    op = find(module, "arith.subi")
    same, result, attributes = find(module, "arith.subi"), op.result, op.attributes
    other = find(module, "arith.muli")
    op.erase()
    for use in USES:
        for stale in (op, same):
            with pytest.raises(bcr.IRError, match=r"erased|nowhere to put"):
                use(stale)
    for stale_use in (
        lambda: result.type,
        lambda: result.uses,
        lambda: result.owner,
        lambda: attributes.keys(),
        lambda: other.set_operand(0, result),
        lambda: result.replace_all_uses_with(other.result),
        lambda: other.result.replace_all_uses_with(result),
    ):
        with pytest.raises(bcr.IRError, match="erased"):
            stale_use()
    assert op == same
    assert hash(op) == hash(same)
    module.verify()


def test_erased_with_what_is_inside() -> None:
    module = ir.Module.parse(TEXT)
    branch, inner = find(module, "scf.if"), find(module, "arith.muli")
    inside, region = inner.block, branch.regions[0]
    assert inside is not None
    find(module, "func.return").set_operand(0, find(module, "arith.addi").result)
    branch.erase()
    for stale_use in (
        lambda: inner.name,
        lambda: inside.operations,
        lambda: region.blocks,
        lambda: region.append_block(),
        lambda: ir.InsertionPoint(inside),
    ):
        with pytest.raises(bcr.IRError, match="erased"):
            stale_use()
    module.verify()
    assert "scf.if" not in str(module)


def test_erase_during_walk() -> None:
    module = ir.Module.parse(TEXT)
    find(module, "func.return").set_operand(0, find(module, "arith.addi").result)
    seen = []

    def visit(op: ir.Operation) -> None:
        seen.append(op.name)
        if op.name in ("scf.if", "arith.subi"):
            op.erase()

    module.walk(visit, ir.WalkOrder.PRE_ORDER)
    assert "arith.muli" not in seen
    assert seen[-1] == "func.return"
    module.verify()


def test_erase_refuses_what_would_break_memory() -> None:
    module = ir.Module.parse(TEXT)
    with pytest.raises(bcr.IRError, match=r"'arith\.addi' cannot be erased while"):
        find(module, "arith.addi").erase()
    with pytest.raises(bcr.IRError, match="top-level"):
        module.operation.erase()
    branch = find(module, "scf.if")
    with pytest.raises(bcr.IRError, match="into or beside itself"):
        branch.move_before(find(module, "arith.muli"))
    with pytest.raises(bcr.IRError, match="top-level"):
        branch.move_after(module.operation)
    with pytest.raises(IndexError):
        branch.set_operand(1, branch.result)
    with pytest.raises(bcr.IRError, match="cannot be replaced by one of type i1"):
        branch.result.replace_all_uses_with(branch.operands[0])
    module.verify()


def test_after_a_pass_run_everything_is_read_anew() -> None:
    module = ir.Module.parse(TEXT)
    op = find(module, "arith.addi")
    value, block, top = op.result, op.block, module.operation
    point = ir.InsertionPoint(op)
    ir.PassManager.parse("canonicalize", module.context).run(module)
    for stale_use in (
        lambda: op.name,
        lambda: value.type,
        lambda: block.operations,  # type: ignore[union-attr]
        lambda: top.name,
        lambda: ir.return_(ip=point),
    ):
        with pytest.raises(bcr.IRError, match="before a pass ran"):
            stale_use()
    assert module.operation.name == "builtin.module"
    assert find(module, "arith.addi").name == "arith.addi"
    assert op != find(module, "arith.addi")


def test_walk_survives_a_pass_run() -> None:
    module = ir.Module.parse(TEXT)
    manager = ir.PassManager.parse("cse", module.context)
    seen = []
    for op in module.walk():
        with pytest.raises(bcr.IRError, match="before a pass ran"):
            manager.run(module) and op.name
        seen.append(op)
    assert len(seen) == 9

    calls = []
    module.walk(lambda op: (calls.append(op.name), manager.run(module), None)[2])
    assert len(calls) == 1


def test_two_threads_with_their_own_contexts() -> None:
    results: dict[int, str] = {}
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with ir.Context():
                for _ in range(20):
                    module = ir.Module.parse(TEXT.replace("main", f"main{number}"))
                    ir.PassManager.parse("cse,canonicalize").run(module)
                    assert ir.Context.current == module.context
                results[number] = str(module)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert [f"@main{number}" in results[number] for number in range(2)] == [True, True]


def test_context_is_refused_to_a_second_thread_while_passes_run() -> None:
    lines = "\n".join(f"%{i + 1} = arith.addi %{i}, %x : i32" for i in range(40_000))
    module = ir.Module.parse(f"""
    func.func @main(%x: i32) -> i32 {{
      %0 = arith.addi %x, %x : i32
      {lines}
      return %40000 : i32
    }}""")
    uses = [lambda: module.operation, lambda: ir.Type.parse("i7", module.context)]
    manager = ir.PassManager.parse("canonicalize,cse,canonicalize,cse", module.context)
    refused: list[str] = []
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for use in uses:
                try:
                    use()
                except bcr.IRError as error:
                    refused.append(str(error))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            manager.run(module)
            if any("another thread" in message for message in refused):
                break
    finally:
        done.set()
        thread.join()
    assert any("another thread" in message for message in refused)
    module.verify()


@pytest.mark.parametrize(
    "text",
    [
        "module attributes {a = " + "[" * 100_000 + "]" * 100_000 + "} {}",
        '"a.b"() ({' * 50_000 + "}) : () -> ()" * 50_000,
        "module {} loc(" + "fused[" * 100_000,
        "func.func @f(%x: " + "tuple<" * 100_000,
        "#map = affine_map<(d0) -> (" + "(" * 100_000,
    ],
    ids=["arrays", "regions", "locations", "types", "maps"],
)
def test_deep_text_is_refused(text: str) -> None:
    with pytest.raises(bcr.IRError, match="more than 1000 brackets deep"):
        ir.Module.parse(text)


def test_deep_but_not_too_deep() -> None:
    context = ir.Context(allow_unregistered_dialects=True)
    module = ir.Module.parse('"a.b"() ({' * 490 + "}) : () -> ()" * 490, context)
    ir.PassManager.parse("cse").run(module)
    assert str(ir.Module.parse(module.bytecode(), context)) == str(module)
    # Brackets in strings and comments are text.
    ir.Module.parse('module attributes {t.a = "' + "[" * 2000 + '"} {} // ' + "{" * 2000, context)


def test_deep_pieces_are_refused() -> None:
    with ir.Context():
        for parse in (ir.Type.parse, ir.Attribute.parse):
            with pytest.raises(bcr.IRError, match="more than 1000 brackets deep"):
                parse("tuple<" * 100_000)
        endless: list[object] = []
        endless.append(endless)
        with pytest.raises(RecursionError):
            ir.Attribute.from_python(endless)


def test_exit_order_does_not_matter() -> None:
    """At interpreter exit objects go in any order, also while arrays are attached."""
    program = f"""
import numpy, sys
from bcr import ir
context = ir.Context().__enter__()
module = ir.Module.parse('''
func.func @main() -> tensor<2xf32> {{
  %w = arith.constant dense_resource<w> : tensor<2xf32>
  return %w : tensor<2xf32>
}}''')
module.set_resource("w", numpy.ones(2, numpy.float32))
operations = list(module.walk())
sys.modules["kept"] = [module, operations, context, {np.__name__!r}]
"""
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
