"""`bcr.ir`: parsing, printing, reading and changing modules."""

from __future__ import annotations

import numpy as np
import pytest

import bcr
from bcr import ir

TEXT = """
module attributes {bcr.note = "kept"} {
  func.func @main(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
    %w = arith.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
    %y = arith.addf %x, %w : tensor<2x3xf32> loc("layer.one")
    %z = arith.mulf %y, %w : tensor<2x3xf32> loc("net.py":7:3)
    return %z : tensor<2x3xf32>
  }
}
"""


@pytest.fixture
def module() -> ir.Module:
    return ir.Module.parse(TEXT)


def find(module: ir.Module, name: str) -> ir.Operation:
    (op,) = [op for op in module.walk() if op.name == name]
    return op


def test_text_round_trip(module: ir.Module) -> None:
    text = str(module)
    assert str(ir.Module.parse(text)) == text
    assert "arith.mulf" in text


@pytest.mark.parametrize("shift", range(3))
def test_bytecode_round_trip(module: ir.Module, shift: int) -> None:
    # Bytecode wants alignment, and a bytes object starts where it likes.
    data = (b"x" * shift + module.bytecode())[shift:]
    assert str(ir.Module.parse(data)) == str(module)
    assert str(ir.Module.parse(str(module).encode())) == str(module)


def test_print_options(module: ir.Module) -> None:
    assert "elided" in module.get_asm(large_elements_limit=5)
    assert "elided" not in module.get_asm(large_elements_limit=6)
    assert 'loc("net.py":7:3)' in module.get_asm(enable_debug_info=True)
    assert '"arith.mulf"' in module.get_asm(print_generic_op_form=True)
    assert find(module, "arith.mulf").get_asm().startswith("%1 = arith.mulf")


def test_walk_orders(module: ir.Module) -> None:
    post = [op.name for op in module.walk()]
    assert post[-2:] == ["func.func", "builtin.module"]
    pre = [op.name for op in module.walk(order=ir.WalkOrder.PRE_ORDER)]
    assert pre[:2] == ["builtin.module", "func.func"]
    assert sorted(pre) == sorted(post)


def test_walk_callback_interrupts_and_skips(module: ir.Module) -> None:
    seen: list[str] = []

    def stop(op: ir.Operation) -> ir.WalkResult:
        seen.append(op.name)
        return ir.WalkResult.INTERRUPT if op.name == "arith.addf" else ir.WalkResult.ADVANCE

    module.walk(stop)
    assert seen == ["arith.constant", "arith.addf"]

    seen.clear()

    def skip(op: ir.Operation) -> ir.WalkResult | None:
        seen.append(op.name)
        return ir.WalkResult.SKIP if op.name == "func.func" else None

    module.walk(skip, ir.WalkOrder.PRE_ORDER)
    assert seen == ["builtin.module", "func.func"]


def test_walk_callback_error_reaches_the_caller(module: ir.Module) -> None:
    def fail(op: ir.Operation) -> None:
        raise KeyError(op.name)

    with pytest.raises(KeyError, match=r"arith\.constant"):
        module.walk(fail)


def test_navigation(module: ir.Module) -> None:
    multiply = find(module, "arith.mulf")
    add = find(module, "arith.addf")
    left, right = multiply.operands
    assert left == add.result
    assert left.owner == add
    assert not left.is_block_argument
    assert str(left.type) == "tensor<2x3xf32>"
    assert left.type.shape == [2, 3]
    assert str(left.type.element_type) == "f32"
    assert right.get_name().startswith("%cst")
    argument = add.operands[0]
    assert argument.is_block_argument
    assert argument.index == 0
    block = argument.owner
    assert isinstance(block, ir.Block)
    assert block == multiply.block
    assert block.arguments == [argument]
    assert block.terminator is not None
    assert block.terminator.name == "func.return"
    assert [op.name for op in block] == [op.name for op in block.operations]
    assert len(block) == 4
    function = multiply.parent
    assert function is not None
    assert function.name == "func.func"
    (region,) = function.regions
    assert region.parent == function
    assert region.blocks == [block]
    assert block.region == region
    assert module.operation.parent is None
    assert module.operation.block is None
    uses = {(use.owner.name, use.operand_number) for use in right.uses}
    assert uses == {("arith.addf", 1), ("arith.mulf", 1)}


def test_locations(module: ir.Module) -> None:
    assert str(find(module, "arith.mulf").location) == "net.py:7:3"
    assert str(find(module, "arith.addf").location) == '"layer.one"'
    assert str(find(module, "arith.constant").location) == "<string>:4:10"
    add = find(module, "arith.addf")
    add.location = ir.Location.name("new", ir.Location.file("a.py", 3, 4, module.context))
    assert str(add.location) == '"new"("a.py":3:4)'


def test_attributes_to_python() -> None:
    text = """
    module attributes {t.a = 5 : i64, t.b = true, t.c = 0.5 : f32, t.d = "s", t.e = [1, "x"],
      t.f = {k = -3 : i8}, t.g = array<i64: 7, 8>, t.h = array<f32: 0.5>, t.i = unit,
      t.j = @f::@g, t.k = f32, t.l = 255 : ui8, t.m = array<i1: true, false>,
      t.n = dense<[[1, 2, 3]]> : tensor<1x3xi16>, t.o = dense<2.5> : tensor<2x2xf64>,
      t.p = dense<[true, false, true]> : vector<3xi1>, t.q = 123456789012345678901 : i128,
      t.r = array<i8: -1>, t.s = affine_map<(i) -> (i)>, t.t = dense<> : tensor<0x4xi32>} {}
    """
    context = ir.Context(allow_unregistered_dialects=True)
    values = ir.Module.parse(text, context).attributes_to_python()
    arrays = {name: values.pop(name) for name in ("t.n", "t.o", "t.p", "t.t")}
    kind, symbol_map = values.pop("t.k"), values.pop("t.s")
    assert str(kind) == "f32"
    assert isinstance(kind, ir.Type)
    assert isinstance(symbol_map, ir.Attribute)
    assert values == {
        "t.a": 5,
        "t.b": True,
        "t.c": 0.5,
        "t.d": "s",
        "t.e": [1, "x"],
        "t.f": {"k": -3},
        "t.g": [7, 8],
        "t.h": [0.5],
        "t.i": True,
        "t.j": "f::g",
        "t.l": 255,
        "t.m": [True, False],
        "t.q": 123456789012345678901,
        "t.r": [-1],
    }
    assert arrays["t.n"].dtype == np.int16
    np.testing.assert_array_equal(arrays["t.n"], [[1, 2, 3]])
    np.testing.assert_array_equal(arrays["t.o"], [[2.5, 2.5], [2.5, 2.5]])
    np.testing.assert_array_equal(arrays["t.p"], [True, False, True])
    assert arrays["t.t"].shape == (0, 4)


@pytest.mark.parametrize(
    "value",
    [
        True,
        -7,
        2.25,
        "text",
        [1, [2.5, "x"]],
        {"a": 1, "b": {"c": False}},
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.arange(6, dtype=np.int16).reshape(3, 2),
        np.array([1, 2], np.uint8),
        np.array([[True, False, True]]),
        np.array([1 + 2j], np.complex64),
        np.zeros((0, 3), np.int32),
        np.array(3.5),
    ],
    ids=str,
)
def test_python_values_round_trip(value: object) -> None:
    back = ir.Attribute.from_python(value, ir.Context()).to_python()
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype
        np.testing.assert_array_equal(back, value)
    else:
        assert back == value


def test_attributes_are_equal_by_value() -> None:
    with ir.Context() as context:
        assert ir.Context.current == context
        one = ir.Attribute.parse("3 : i64")
        assert one == ir.Attribute.from_python(3)
        assert hash(one) == hash(ir.Attribute.from_python(3))
        assert one != ir.Attribute.parse("3 : i32")
        assert one != 3
        assert str(one.type) == "i64"
        assert one.context == context
        assert ir.Attribute.from_python(None) == ir.Attribute.parse("unit")
        assert ir.Attribute.dense_array([1, 2], "i32") == ir.Attribute.parse("array<i32: 1, 2>")
        assert ir.Attribute.dense_array([True], "i1").to_python() == [True]
    assert ir.Context.current is None


def test_attribute_map(module: ir.Module) -> None:
    attributes = module.operation.attributes
    assert "bcr.note" in attributes
    assert attributes.keys() == ["bcr.note"]
    assert attributes["bcr.note"].to_python() == "kept"
    assert attributes.get("no") is None
    assert attributes.get("no", 4) == 4
    attributes["bcr.more"] = [1, 2]
    assert dict(attributes.items())["bcr.more"].to_python() == [1, 2]
    del attributes["bcr.note"]
    assert attributes.to_python() == {"bcr.more": [1, 2]}
    assert list(attributes) == ["bcr.more"]
    assert len(attributes) == 1
    with pytest.raises(KeyError, match="no"):
        attributes["no"]
    with pytest.raises(KeyError, match="no"):
        del attributes["no"]
    with pytest.raises(bcr.IRError, match="not empty"):
        attributes[""] = 1
    with pytest.raises(bcr.IRError, match="no attribute for a value of type object"):
        attributes["x"] = object()


def test_changing(module: ir.Module) -> None:
    add, multiply = find(module, "arith.addf"), find(module, "arith.mulf")
    constant = find(module, "arith.constant")
    multiply.set_operand(0, constant.result)
    add.erase()
    copy = multiply.clone(ip=ir.InsertionPoint.after(multiply))
    multiply.result.replace_all_uses_with(copy.result)
    copy.move_before(multiply)
    multiply.erase()
    module.verify()
    assert [op.name for op in module.walk()][:3] == ["arith.constant", "arith.mulf", "func.return"]
    copy.move_after(constant)
    assert find(module, "func.return").operands == [copy.result]


def test_verify_reports_the_place(module: ir.Module) -> None:
    add = find(module, "arith.addf")
    add.move_after(find(module, "arith.mulf"))
    with pytest.raises(bcr.IRError, match="does not dominate") as caught:
        module.verify()
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.severity == "error"
    assert diagnostic.location == "net.py:7:3"
    assert "operand #0 does not dominate this use" in diagnostic.message
    assert [message for _, message in diagnostic.notes if "operand defined here" in message]
    assert "net.py:7:3: error: operand #0" in str(caught.value)
    # An illegal module prints, in generic form.
    assert '"arith.addf"' in str(module)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("func.func @f() { %0 = nothing }", "<string>:1:23: error: custom op 'nothing' is unknown"),
        ("module {", "error"),
        ("%0 = \"a.b\"() : () -> ()", "error"),
        ("module { \x01 }", "error"),
        ("\ufeffmodule { ü }", "error"),
        ("func.func @f(%a: tensor<4x!bcr.packed<1x1xf32>>)", "error"),
        ("%0 = bcr.constant {block = array<i64: 0, 1>} : !bcr.packed<1x1xf32>", "requires attr"),
        ("module attributes {a = dense<[1, [2]]> : tensor<2xi8>} {}", "error"),
        ("{-# dialect_resources: { builtin: { a: \"0x01\" } } #-}", "a"),
        ("{-# dialect_resources: { builtin: { a: 5 #-}", "error"),
        ("func.func @f() { cf.br ^no }", "error"),
    ],
)  # fmt: skip
def test_malformed_text(text: str, message: str) -> None:
    with pytest.raises(bcr.IRError) as caught:
        ir.Module.parse(text, source_name="<string>")
    assert message in str(caught.value)
    assert all(d.location and d.message for d in caught.value.diagnostics)


def test_malformed_bytecode(module: ir.Module) -> None:
    data = module.bytecode()
    for length in range(4, len(data), 7):
        with pytest.raises(bcr.IRError):
            ir.Module.parse(data[:length])
    with pytest.raises(TypeError, match=r"Module\.parse takes"):
        ir.Module.parse(5)  # type: ignore[arg-type]


def test_malformed_pieces() -> None:
    with ir.Context():
        with pytest.raises(bcr.IRError, match="cannot parse the type 'tensor<'"):
            ir.Type.parse("tensor<")
        with pytest.raises(bcr.IRError, match="cannot parse the attribute"):
            ir.Attribute.parse("#bcr.activation<nothing>")
        with pytest.raises(bcr.IRError, match="no dense array of 'i3'"):
            ir.Attribute.dense_array([1], "i3")
    with pytest.raises(bcr.IRError, match=r"no bcr\.ir\.Context"):
        ir.Type.parse("f32")


def test_text_that_is_no_utf8(module: ir.Module) -> None:
    with pytest.raises(bcr.IRError, match="�"):
        ir.Module.parse(b'module attributes { "a\xff" = 1 } {}')
    text = ir.Attribute.parse(r'"caf\E9"', module.context).to_python()
    assert text.encode(errors="surrogateescape") == b"caf\xe9"


def test_mutated_text_raises_or_parses() -> None:
    """Cut, repeat and overwrite pieces of a module; nothing but IRError may come of it."""
    random = np.random.default_rng(7)
    context = ir.Context()
    refused = 0
    for _ in range(300):
        characters = list(TEXT)
        for _ in range(random.integers(1, 4)):
            start, length = random.integers(len(characters)), random.integers(1, 12)
            piece = characters[start : start + length]
            other = random.integers(len(characters))
            characters[other : other + random.integers(0, 8)] = piece
        try:
            str(ir.Module.parse("".join(characters), context))
        except bcr.IRError as error:
            refused += 1
            assert error.diagnostics  # noqa: PT017
    assert 100 < refused < 300
