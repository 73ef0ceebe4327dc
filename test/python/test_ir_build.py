"""Building modules from Python: `Operation.create` and one function an operation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import bcr
from bcr import ir


@pytest.fixture
def module() -> Iterator[ir.Module]:
    with ir.Context():
        yield ir.Module.create()


def tensor(*shape: int) -> ir.Type:
    return ir.Type.parse(f"tensor<{'x'.join('?' if n < 0 else str(n) for n in shape)}xf32>")


def unpack(op: ir.Operation) -> np.ndarray:
    """The dense matrix of a `bcr.constant`, by the definition in dialect/README.md."""
    facts = op.attributes.to_python()
    rows = facts["rows"].view(np.uint16) if facts["rows"].itemsize == 2 else facts["rows"]
    columns = facts["columns"]
    columns = columns.view(np.uint16) if columns.itemsize == 2 else columns
    shape = str(op.result.type).removeprefix("!bcr.packed<").split("x")
    dense = np.zeros((int(shape[0]), int(shape[1])), np.float32)
    position = 0
    for first_row, num_rows, first_column, num_columns in facts["groups"].tolist():
        for column in columns[first_column : first_column + num_columns]:
            for row in rows[first_row : first_row + num_rows]:
                dense[row, column] = facts["values"][position]
                position += 1
    assert position == facts["values"].size
    return dense


def blocked(shape: tuple[int, int], block: tuple[int, int], seed: int) -> np.ndarray:
    """Distinct values; whole rows and columns of blocks dropped, some blocks empty."""
    random = np.random.default_rng(seed)
    values = (1 + random.permutation(shape[0] * shape[1])).reshape(shape).astype(np.float32)
    for top in range(0, shape[0], block[0]):
        for left in range(0, shape[1], block[1]):
            part = values[top : top + block[0], left : left + block[1]]
            part *= np.outer(random.random(part.shape[0]) < 0.6, random.random(part.shape[1]) < 0.6)
    return values


@pytest.mark.parametrize(
    ("shape", "block"),
    [((7, 10), (3, 4)), ((8, 8), (1, 1)), ((5, 9), (5, 9)), ((16, 70), (16, 9)), ((1, 1), (1, 1))],
)
def test_constant_packs(module: ir.Module, shape: tuple[int, int], block: tuple[int, int]) -> None:
    for seed in range(3):
        values = blocked(shape, block, seed)
        with ir.InsertionPoint(module.body):
            op = ir.constant(values, block).owner
        assert isinstance(op, ir.Operation)
        np.testing.assert_array_equal(unpack(op), values)
        assert op.attributes["block"].to_python() == list(block)
    module.verify()


def test_constant_of_zeros_and_of_special_values(module: ir.Module) -> None:
    special = np.array([[np.nan, -0.0, np.inf], [0.0, 0.0, -np.inf]], np.float32)
    with ir.InsertionPoint(module.body):
        empty = ir.constant(np.zeros((4, 6)), (2, 3)).owner
        kept = ir.constant(special, (1, 3)).owner
    assert isinstance(empty, ir.Operation)
    assert isinstance(kept, ir.Operation)
    assert empty.attributes["values"].to_python().size == 0
    np.testing.assert_array_equal(unpack(kept), special)


def test_indices_above_16_bits(module: ir.Module) -> None:
    values = np.zeros((1, 65_537), np.float32)
    values[0, [3, 65_536]] = [2.0, 5.0]
    with ir.InsertionPoint(module.body):
        wide = ir.constant(values, (1, 65_537)).owner
        narrow = ir.constant(values[:, 1:], (1, 65_536)).owner
    assert isinstance(wide, ir.Operation)
    assert isinstance(narrow, ir.Operation)
    assert wide.attributes["columns"].to_python().dtype == np.int32
    assert narrow.attributes["columns"].to_python().dtype == np.int16
    np.testing.assert_array_equal(unpack(wide), values)
    np.testing.assert_array_equal(unpack(narrow), values[:, 1:])


@pytest.mark.parametrize(
    ("values", "block", "message"),
    [
        (np.ones((4, 6)), (5, 2), "BCR-2: block 5x2 is larger"),
        (np.ones((4, 6)), (0, 2), "block 0x2 is not positive"),
        (np.ones(4), (1, 1), "not an array of shape"),
    ],
)
def test_bad_constant(
    module: ir.Module, values: np.ndarray, block: tuple[int, int], message: str
) -> None:
    with ir.InsertionPoint(module.body), pytest.raises(bcr.IRError, match=message):
        ir.constant(values, block)
    assert len(module.body) == 0


def test_layers(module: ir.Module) -> None:
    with ir.InsertionPoint(module.body):
        block = ir.func(
            "main",
            [tensor(-1, 2, 5, 6), tensor(4), tensor(-1, 4, 3, 3), tensor(-1, 10)],
            [tensor(-1, 4, 3, 3), tensor(-1, 7)],
        )
    image, bias, residual, rows = block.arguments
    with ir.InsertionPoint(block):
        filters = ir.constant(blocked((4, 18), (2, 9), 1), (2, 9))
        convolved = ir.conv2d(
            image,
            filters,
            bias,
            residual,
            kernel=(3, 3),
            strides=(2, 2),
            padding=(1, 1, 1, 1),
            activation="relu6",
            layer="stem",
        )
        weights = ir.constant(blocked((7, 10), (3, 4), 2), (3, 4))
        multiplied = ir.matmul(rows, weights, activation="leaky_relu, 0.25")
        ir.return_([convolved, multiplied])
    module.verify()
    convolution = convolved.owner
    assert isinstance(convolution, ir.Operation)
    assert convolution.operands[:4] == [image, filters, bias, residual]
    assert convolution.attributes["layer"].to_python() == "stem"
    assert convolution.attributes["strides"].to_python() == [2, 2]
    assert str(multiplied.type) == "tensor<?x7xf32>"
    matmul = multiplied.owner
    assert isinstance(matmul, ir.Operation)
    assert str(matmul.attributes["activation"]) == "#bcr.activation<leaky_relu, 2.500000e-01>"
    assert str(ir.Module.parse(str(module))) == str(module)
    ir.PassManager.parse("convert-bcr-to-linalg").run(module)
    assert "bcr." not in str(module)


def test_dense_weights_and_given_destination(module: ir.Module) -> None:
    with ir.InsertionPoint(module.body):
        block = ir.func(
            "main",
            [tensor(1, 4, 6, 6), tensor(4, 1, 3, 2), tensor(1, 4, 4, 5)],
            [tensor(1, 4, 4, 5)],
        )
    image, weight, init = block.arguments
    with ir.InsertionPoint(block):
        ir.return_([ir.conv2d(image, weight, kernel=(3, 2), groups=4, init=init)])
    module.verify()
    assert "tensor.empty" not in str(module)


def test_bad_layer_leaves_nothing_behind(module: ir.Module) -> None:
    with ir.InsertionPoint(module.body):
        block = ir.func("main", [tensor(2, 9)], [])
    (rows,) = block.arguments
    with ir.InsertionPoint(block):
        weight = ir.constant(np.ones((7, 10)), (1, 1))
        with pytest.raises(bcr.IRError, match="BCR-13: the weights have 10 columns"):
            ir.matmul(rows, weight)
        with pytest.raises(bcr.IRError, match="4 dimensions"):
            ir.conv2d(rows, weight, kernel=(1, 1))
        with pytest.raises(bcr.IRError, match="cannot parse the attribute"):
            ir.matmul(rows, weight, activation="wobble")
    assert [op.name for op in block] == ["bcr.constant"]


def test_control_flow(module: ir.Module) -> None:
    boolean = ir.Type.parse("i1")
    with ir.InsertionPoint(module.body):
        entry = ir.func("main", [boolean], [])
    one, two = entry.region.append_block([boolean]), entry.region.append_block()
    two.add_argument(boolean, ir.Location.file("x.py", 1, 2))
    branch = ir.Operation.create(
        "cf.cond_br",
        operands=[entry.arguments[0]] * 3,
        attributes={"operandSegmentSizes": ir.Attribute.dense_array([1, 1, 1], "i32")},
        successors=[one, two],
        ip=ir.InsertionPoint(entry),
    )
    for block in (one, two):
        ir.return_(ip=ir.InsertionPoint(block))
    module.verify()
    assert branch.successors == [one, two]
    assert len(entry.region) == 3
    assert list(entry.region) == [entry, one, two]


def test_insertion_points(module: ir.Module) -> None:
    def mark(number: int, ip: ir.InsertionPoint | None = None) -> ir.Operation:
        return ir.Operation.create(
            "arith.constant", [ir.Type.parse("i64")], attributes={"value": number}, ip=ip
        )

    with ir.InsertionPoint(module.body):
        block = ir.func("main", [], [])
    with ir.InsertionPoint(block) as point:
        assert ir.InsertionPoint.current is not None
        assert ir.InsertionPoint.current.block == point.block == block
        three = mark(3)
        ir.return_()
    mark(1, ir.InsertionPoint.at_block_begin(block))
    mark(2, ir.InsertionPoint(three))
    mark(4, ir.InsertionPoint.after(three))
    mark(5, ir.InsertionPoint.at_block_terminator(block))
    values = [op.attributes["value"].to_python() for op in list(block)[:-1]]
    assert values == [1, 2, 3, 4, 5]
    assert ir.InsertionPoint.current is None
    with pytest.raises(bcr.IRError, match="nowhere to put the operation"):
        mark(6)
    with pytest.raises(bcr.IRError, match="no terminator"):
        ir.InsertionPoint.at_block_terminator(module.body)
    with pytest.raises(bcr.IRError, match="top-level"):
        ir.InsertionPoint(module.operation)


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("bcr.nothing", {}, "unknown operation 'bcr.nothing'"),
        ("nothing", {}, "unknown operation 'nothing'"),
        ("", {}, "'dialect.operation', not ''"),
        (".x", {}, "'dialect.operation', not '.x'"),
        ("bcr.conv2d", {"kernel": 5}, "'kernel' of 'bcr.conv2d' is of another kind"),
        ("bcr.conv2d", {"x": object()}, "no attribute for a value of type object"),
    ],
)
def test_bad_operation(
    module: ir.Module, name: str, attributes: dict[str, object], message: str
) -> None:
    with pytest.raises(bcr.IRError, match=message):
        ir.Operation.create(name, attributes=attributes, ip=ir.InsertionPoint(module.body))
    assert len(module.body) == 0


def test_illegal_operation_does_not_reach_the_passes(module: ir.Module) -> None:
    with ir.InsertionPoint(module.body):
        block = ir.func("main", [], [])
    with ir.InsertionPoint(block):
        op = ir.Operation.create("bcr.conv2d")
        ir.return_()
    with pytest.raises(bcr.IRError, match="expected 3 or more operands"):
        op.verify()
    with pytest.raises(bcr.IRError, match="expected 3 or more operands"):
        ir.PassManager.parse("canonicalize").run(module)
    with pytest.raises(bcr.IRError, match="expected 3 or more operands"):
        ir.emit(module)
    assert '"bcr.conv2d"' in str(module)


def test_unregistered_operations_when_asked_for() -> None:
    context = ir.Context(allow_unregistered_dialects=True)
    module = ir.Module.create(context=context)
    op = ir.Operation.create("my.op", attributes={"a": 1}, ip=ir.InsertionPoint(module.body))
    assert op.attributes.to_python() == {"a": 1}
    module.verify()
    assert context.allow_unregistered_dialects


def test_contexts_do_not_mix(module: ir.Module) -> None:
    other = ir.Context()
    with pytest.raises(bcr.IRError, match=r"another bcr\.ir\.Context"):
        module.operation.attributes["x"] = ir.Attribute.parse("1 : i8", other)
    with pytest.raises(bcr.IRError, match=r"another bcr\.ir\.Context"):
        module.body.add_argument(ir.Type.parse("f32", other))
    with pytest.raises(bcr.IRError, match=r"another bcr\.ir\.Context"):
        module.operation.location = ir.Location.unknown(other)
    # A pipeline belongs to no context.
    ir.PassManager.parse("cse", other).run(module)


def test_modules_do_not_mix(module: ir.Module) -> None:
    second = ir.Module.create()
    with ir.InsertionPoint(module.body):
        ir.func("one", [], [])
    with ir.InsertionPoint(second.body):
        block = ir.func("two", [tensor(1)], [])
    (one,), (two,) = module.body, second.body
    with pytest.raises(bcr.IRError, match="another module"):
        one.move_before(two)
    with pytest.raises(bcr.IRError, match="another module"):
        one.clone(ir.InsertionPoint(second.body))
    inside = one.regions[0].blocks[0]
    with pytest.raises(bcr.IRError, match="another module"):
        ir.return_(block.arguments, ip=ir.InsertionPoint(inside))
