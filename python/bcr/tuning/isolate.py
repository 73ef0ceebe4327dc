"""A layer of a network as a module of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bcr.tuning.records import Schedule

if TYPE_CHECKING:
    from bcr.ir import Module, Operation, Type, Value

_LAYERS = ("bcr.conv2d", "bcr.matmul")
_CONSTANTS = ("arith.constant", "bcr.constant")


@dataclass(frozen=True)
class Variant:
    """A form that a layer can have: dense, or sparse in blocks of so many rows."""

    form: str
    block: tuple[int, int] | None

    def to_schedule(self) -> Schedule:
        """Return what a record says of it."""
        if self.block is None:
            return {"form": self.form}
        return {"form": self.form, "block_rows": self.block[0]}


@dataclass(frozen=True)
class IsolatedLayer:
    """One layer alone, as `bcr-select` left it.

    Attributes:
        name: its name in the model.
        key: what it has in common with equal layers, as records know it.
        text: MLIR with a function `@main` that takes what the layer takes and returns its result;
            weights appear as resources.
        weights: the resources; float32.
        inputs: shapes of the arguments.
        output: shape of the result.
        chosen: the form that the model chose.
        variants: the forms it can have, `chosen` first.
    """

    name: str
    key: str
    text: str
    weights: dict[str, npt.NDArray[np.generic]]
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]
    chosen: Variant
    variants: tuple[Variant, ...]


def find_layers(module: Module) -> dict[str, tuple[Operation, dict[str, Any]]]:
    """Return the layers of a module after `bcr-select` by key: the first of equal ones, and what
    the passes recorded of it. Layers of unknown batch are left out: their time is unknown too.
    """
    facts = module.attributes_to_python().get("bcr.layers", {})
    found: dict[str, tuple[Operation, dict[str, Any]]] = {}
    for op in module.walk():
        if op.name not in _LAYERS or "layer" not in op.attributes:
            continue
        info = facts.get(op.attributes["layer"].to_python(), {})
        if "tuning_key" in info and "?" not in info["tuning_key"]:
            found.setdefault(info["tuning_key"], (op, info))
    return found


def isolate(op: Operation, info: dict[str, Any], *, may_choose: bool) -> IsolatedLayer:
    """Copy a layer of a module after `bcr-select` into a module of its own.

    Args:
        op: the layer.
        info: what `bcr.layers` has of it.
        may_choose: whether its form is free (`sparsity="auto"`).
    """
    from bcr import ir

    # The destination is the last operand.
    operands = op.operands[:-1]
    arguments = [value for value in operands if _is_computed(value)]
    module = ir.Module.parse(_frame(arguments, op.result.type), op.context)
    source = _module_of(op)
    if "bcr.machine" in source.attributes:
        module.operation.attributes["bcr.machine"] = source.attributes["bcr.machine"]
    inner = list(module.body.operations[0].regions[0].blocks[0])
    inputs = iter(inner[1 : 2 * len(arguments) : 2])
    empty, _, consumer, _ = inner[2 * len(arguments) :]
    with ir.InsertionPoint(consumer):
        values = [
            next(inputs).result if _is_computed(value) else _copy(value.owner, []).result  # type: ignore[arg-type]
            for value in operands
        ]
        consumer.set_operand(0, _copy(op, [*values, empty.result]).result)
    weights = {
        str(name): array
        for inner in module.walk()
        if inner.name == "arith.constant" and str(inner.attributes["value"]).find("resource") >= 0
        for name, array in [_resource(inner.attributes["value"])]
    }
    chosen, variants = _variants(op, info, may_choose)
    return IsolatedLayer(
        name=str(op.attributes["layer"].to_python()),
        key=str(info["tuning_key"]),
        text=module.get_asm(large_resource_limit=0),
        weights=weights,
        inputs=tuple(tuple(value.type.shape or ()) for value in arguments),
        output=tuple(op.result.type.shape or ()),
        chosen=chosen,
        variants=variants,
    )


def _is_computed(value: Value) -> bool:
    """Whether an operand of a layer changes from call to call."""
    return value.is_block_argument or value.owner.name not in _CONSTANTS  # type: ignore[union-attr]


def _frame(arguments: list[Value], result: Type) -> str:
    """The function around a layer. What it takes comes out of another operation and goes into one,
    as in a network: so its buffers have the layout of the network and are in the cache.
    """
    lines = []
    for index, value in enumerate(arguments):
        kind = value.type
        lines += [
            f"%e{index} = tensor.empty() : {kind}",
            f"%p{index} = linalg.abs ins(%a{index} : {kind}) outs(%e{index} : {kind}) -> {kind}",
        ]
    lines += [
        f"%e = tensor.empty() : {result}",
        f"%f = tensor.empty() : {result}",
        f"%r = linalg.abs ins(%e : {result}) outs(%f : {result}) -> {result}",
        f"return %r : {result}",
    ]
    parameters = ", ".join(f"%a{index}: {value.type}" for index, value in enumerate(arguments))
    body = "\n".join(lines)
    return f"func.func @main({parameters}) -> {result} {{\n{body}\n}}"


def _copy(op: Operation, operands: list[Value]) -> Operation:
    """Make an operation like one of another module."""
    from bcr import ir

    types = [value.type for value in op.results]
    return ir.Operation.create(op.name, types, operands, dict(op.attributes.items()))


def _module_of(op: Operation) -> Operation:
    parent = op
    while parent.parent is not None:
        parent = parent.parent
    return parent


def _resource(attribute: Any) -> tuple[str, npt.NDArray[np.generic]]:
    text = str(attribute)
    return text[text.index("<") + 1 : text.index(">")].strip('"'), attribute.to_python()


def _variants(
    op: Operation, info: dict[str, Any], may_choose: bool
) -> tuple[Variant, tuple[Variant, ...]]:
    form = "sparse" if "sparse" in str(op.attributes["form"]) else "dense"
    block = op.attributes["block"].to_python() if form == "sparse" else None
    chosen = Variant(form, None if block is None else (int(block[0]), int(block[1])))
    variants = [chosen]
    grid = info.get("tuning_block")
    if grid is not None and (may_choose or form == "sparse"):
        rows, columns = (int(size) for size in grid)
        heights = [rows, *(height for height in (8, 4, 2) if height < rows and rows % height == 0)]
        variants += [Variant("sparse", (height, columns)) for height in heights]
    if may_choose:
        variants.append(Variant("dense", None))
    return chosen, tuple(dict.fromkeys(variants))
