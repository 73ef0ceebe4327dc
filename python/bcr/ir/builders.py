"""Building `bcr` operations and what stands around them, one function an operation.

Each function puts its operation at `ip`, or at the current `InsertionPoint`, verifies it and
takes it out again if it breaks a rule. `dialect/README.md` has the meaning of every operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr._core import Attribute, Block, InsertionPoint, Location, Operation, Type, Value
from bcr.errors import IRError


def func(
    name: str,
    inputs: Sequence[Type],
    results: Sequence[Type],
    *,
    ip: InsertionPoint | None = None,
    location: Location | None = None,
) -> Block:
    """Make a function and return its entry block, whose arguments are the inputs.

    The function is legal when the block ends with `return_`.

    Raises:
        IRError: there is no insertion point, or a type lives in another context.
    """
    ip = _insertion_point(ip)
    kind = f"({', '.join(map(str, inputs))}) -> ({', '.join(map(str, results))})"
    op = Operation.create(
        "func.func",
        attributes={"sym_name": name, "function_type": Type.parse(kind, _context(ip))},
        regions=1,
        ip=ip,
        location=location,
    )
    return op.regions[0].append_block(inputs)


def return_(
    values: Sequence[Value] = (),
    *,
    ip: InsertionPoint | None = None,
    location: Location | None = None,
) -> Operation:
    """End a function with its results.

    Raises:
        IRError: the values do not fit the function, or there is no insertion point.
    """
    return _verified(
        Operation.create("func.return", operands=list(values), ip=ip, location=location)
    )


def constant(
    values: npt.ArrayLike,
    block: tuple[int, int],
    *,
    ip: InsertionPoint | None = None,
    location: Location | None = None,
) -> Value:
    """Pack a weight matrix into a `bcr.constant`.

    A block keeps the rows and columns of it that hold anything but zero, and everything where
    they cross; blocks of one block row that keep the same rows become one group.

    Args:
        values: W[M, K], converted to f32.
        block: rows and columns of a block.
        ip: where the operation goes; None: the current insertion point.
        location: the operation's location; None: unknown.

    Raises:
        IRError: `values` is no matrix, or the block is not positive or larger than it.
    """
    matrix = np.asarray(values, dtype=np.float32)
    if matrix.ndim != 2:
        raise IRError(f"bcr.constant packs a matrix W[M, K], not an array of shape {matrix.shape}")
    if min(block) < 1:
        raise IRError(f"the block {block[0]}x{block[1]} is not positive")
    ip = _insertion_point(ip)
    context = _context(ip)
    groups, rows, columns, packed = _pack(matrix, block)
    op = Operation.create(
        "bcr.constant",
        [Type.parse(f"!bcr.packed<{matrix.shape[0]}x{matrix.shape[1]}xf32>", context)],
        attributes={
            "block": Attribute.dense_array(list(block), "i64", context),
            "groups": groups,
            "rows": _narrow(rows, matrix.shape[0]),
            "columns": _narrow(columns, matrix.shape[1]),
            "values": packed,
        },
        ip=ip,
        location=location,
    )
    return _verified(op).result


def matmul(
    input: Value,
    weight: Value,
    bias: Value | None = None,
    residual: Value | None = None,
    *,
    init: Value | None = None,
    activation: Attribute | str | None = None,
    layer: str | None = None,
    ip: InsertionPoint | None = None,
    location: Location | None = None,
) -> Value:
    """Make a `bcr.matmul`: activation(input * W^T + bias + residual).

    Args:
        input: tensor [N, K] of f32.
        weight: W[M, K], a tensor or the result of `constant`.
        bias: tensor [M]; None: no bias.
        residual: tensor [N, M]; None: no residual.
        init: tensor [N, M], the destination; None: a new `tensor.empty`.
        activation: an attribute, or what stands inside `#bcr.activation<...>`, such as "relu" or
            "leaky_relu, 0.1".
        layer: the layer's name in the user's model.
        ip: where the operation goes; None: the current insertion point.
        location: the operation's location; None: unknown.

    Raises:
        IRError: the operands do not fit together.
    """
    ip = _insertion_point(ip)
    made: list[Operation] = []
    if init is None:
        shape = [_shape(input, 2)[0], _num_rows(weight)]
        made = _empty(shape, input, ip, location)
        init = made[-1].result
    operands = [input, weight, bias, residual, init]
    return _layer("bcr.matmul", operands, {}, activation, layer, made, ip, location)


def conv2d(
    input: Value,
    weight: Value,
    bias: Value | None = None,
    residual: Value | None = None,
    *,
    kernel: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilations: tuple[int, int] = (1, 1),
    groups: int = 1,
    init: Value | None = None,
    activation: Attribute | str | None = None,
    layer: str | None = None,
    ip: InsertionPoint | None = None,
    location: Location | None = None,
) -> Value:
    """Make a `bcr.conv2d`: activation(convolution + bias + residual).

    Args:
        input: tensor [N, C, H, W] of f32.
        weight: tensor [F, C / groups, kernel[0], kernel[1]], or the result of `constant` for
            W[F, C / groups * kernel[0] * kernel[1]].
        bias: tensor [F]; None: no bias.
        residual: tensor of the result's shape; None: no residual.
        kernel: height and width.
        strides: down and across.
        padding: zeros at the top, left, bottom and right.
        dilations: down and across.
        groups: groups of channels; as many as input channels is a depthwise convolution.
        init: tensor of the result's shape, the destination; None: a new `tensor.empty`.
        activation: as in `matmul`.
        layer: the layer's name in the user's model.
        ip: where the operation goes; None: the current insertion point.
        location: the operation's location; None: unknown.

    Raises:
        IRError: the operands do not fit together.
    """
    ip = _insertion_point(ip)
    context = _context(ip)
    made: list[Operation] = []
    if init is None:
        samples, _, *image = _shape(input, 4)
        sizes = []
        for i, size in enumerate(image):
            reach = dilations[i] * (kernel[i] - 1) + 1
            padded = size + padding[i] + padding[2 + i]
            sizes.append(max(0, (padded - reach) // max(strides[i], 1) + 1))
        made = _empty([samples, _num_rows(weight), *sizes], input, ip, location)
        init = made[-1].result
    operands = [input, weight, bias, residual, init]
    geometry: dict[str, Any] = {
        "kernel": Attribute.dense_array(list(kernel), "i64", context),
        "strides": Attribute.dense_array(list(strides), "i64", context),
        "padding": Attribute.dense_array(list(padding), "i64", context),
        "dilations": Attribute.dense_array(list(dilations), "i64", context),
        "groups": groups,
    }
    return _layer("bcr.conv2d", operands, geometry, activation, layer, made, ip, location)


def _pack(
    matrix: npt.NDArray[np.float32], block: tuple[int, int]
) -> tuple[npt.NDArray[np.int32], list[int], list[int], npt.NDArray[np.float32]]:
    """Return groups [G, 4], row indices, column indices and values, as `bcr.constant` has them."""
    rows: list[int] = []
    columns: list[int] = []
    groups: list[tuple[int, int, int, int]] = []
    packed: list[npt.NDArray[np.float32]] = []
    height, width = block
    for top in range(0, matrix.shape[0], height):
        columns_of: dict[tuple[int, ...], list[int]] = {}
        for left in range(0, matrix.shape[1], width):
            kept = matrix[top : top + height, left : left + width] != 0
            kept_rows = tuple((top + np.flatnonzero(kept.any(axis=1))).tolist())
            if kept_rows:
                kept_columns = left + np.flatnonzero(kept.any(axis=0))
                columns_of.setdefault(kept_rows, []).extend(kept_columns.tolist())
        for group_rows, group_columns in columns_of.items():
            groups.append((len(rows), len(group_rows), len(columns), len(group_columns)))
            rows.extend(group_rows)
            columns.extend(group_columns)
            packed.append(matrix[list(group_rows)][:, group_columns].T.ravel())
    values = np.concatenate(packed) if packed else np.empty(0, np.float32)
    return np.array(groups, np.int32).reshape(-1, 4), rows, columns, values


def _narrow(indices: list[int], bound: int) -> npt.NDArray[Any]:
    """Store indices below `bound` in 16 bits if they fit (the dialect reads them unsigned)."""
    if bound <= 1 << 16:
        return np.array(indices, np.uint16).view(np.int16)
    return np.array(indices, np.int32)


def _insertion_point(ip: InsertionPoint | None) -> InsertionPoint:
    ip = ip or InsertionPoint.current
    if ip is None:
        raise IRError(
            "nowhere to put the operation: pass ip=InsertionPoint(block) or work inside "
            "'with InsertionPoint(block):'"
        )
    return ip


def _context(ip: InsertionPoint) -> Any:
    return ip.block.owner.context


def _shape(value: Value, rank: int) -> list[int]:
    shape = value.type.shape
    if shape is None or len(shape) != rank:
        raise IRError(f"the input has {rank} dimensions, got {value.type}")
    return shape


def _num_rows(weight: Value) -> int:
    """Return M of a dense or packed weight."""
    shape = weight.type.shape
    if shape:
        return shape[0]
    text = str(weight.type)
    if not text.startswith("!bcr.packed<"):
        raise IRError(f"weights are a tensor or packed, got {text}")
    return int(text.removeprefix("!bcr.packed<").split("x")[0])


def _empty(
    shape: Sequence[int], like: Value, ip: InsertionPoint, location: Location | None
) -> list[Operation]:
    """Make a `tensor.empty`, after what it needs; its dynamic dimensions are those of `like`."""
    context = _context(ip)
    made: list[Operation] = []

    def make(
        name: str, kind: str, operands: Sequence[Value], attributes: dict[str, Any]
    ) -> Operation:
        result = Type.parse(kind, context)
        made.append(
            Operation.create(name, [result], operands, attributes, ip=ip, location=location)
        )
        return made[-1]

    sizes = []
    for dimension, size in enumerate(shape):
        if size < 0:
            value = Attribute.parse(f"{dimension} : index", context)
            index = make("arith.constant", "index", [], {"value": value})
            sizes.append(make("tensor.dim", "index", [like, index.result], {}).result)
    text = "x".join("?" if size < 0 else str(size) for size in shape)
    make("tensor.empty", f"tensor<{text}xf32>", sizes, {})
    return made


def _layer(
    name: str,
    operands: Sequence[Value | None],
    attributes: dict[str, Any],
    activation: Attribute | str | None,
    layer: str | None,
    made: list[Operation],
    ip: InsertionPoint,
    location: Location | None,
) -> Value:
    """Make a layer; `operands` end with the destination, `made` goes with it if it is wrong."""
    context = _context(ip)
    segments = [int(operand is not None) for operand in operands]
    attributes["operandSegmentSizes"] = Attribute.dense_array(segments, "i32", context)
    if layer is not None:
        attributes["layer"] = layer
    given = [operand for operand in operands if operand is not None]
    try:
        if isinstance(activation, str):
            activation = Attribute.parse(f"#bcr.activation<{activation}>", context)
        if activation is not None:
            attributes["activation"] = activation
        op = Operation.create(name, [given[-1].type], given, attributes, ip=ip, location=location)
        return _verified(op).result
    except IRError:
        for op in reversed(made):
            op.erase()
        raise


def _verified(op: Operation) -> Operation:
    try:
        op.verify()
    except IRError:
        op.erase()
        raise
    return op
