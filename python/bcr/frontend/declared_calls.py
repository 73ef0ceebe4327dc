"""What no operation stands for, in MLIR: calls of declared functions.

Neither torch's dialect nor linalg has an operation for a loop over a sequence or for a check of
indices, and torch-mlir carries a call of a function without a body to the end. The declaration says
what the function computes: `bcr-raise` makes a recurrence a layer, `lower_index_checks` a check a
loop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.fx import Node
from torch.fx.node import Argument
from torch_mlir import ir
from torch_mlir.dialects import func

RECURRENCE = "bcr.recurrence"
"""Attribute of declarations: a dictionary.

`cell` is "gru", "lstm", "rnn_tanh" or "rnn_relu", `reverse` whether it runs from the last step to
the first, `operands` which of "gates", "hidden", "cell", "weight", "bias" and "projection" it has.
"""

CHECKED_INDEX = "bcr.checked_index"
"""Attribute of declarations: a dictionary.

`message` is for an index out of range, `from_end` whether negative ones count from the end.
"""


@dataclass(frozen=True)
class Declared:
    """What a call computes.

    Attributes:
        attribute: `RECURRENCE` or `CHECKED_INDEX`.
        facts: the attribute's entries.
        operands: what it is called with.
    """

    attribute: str
    facts: dict[str, str | bool | list[str]]
    operands: list[Argument]


def describe(node: Node) -> Declared | None:
    """Return what a node computes, or None for one that torch-mlir has an operation for."""
    if node.target is torch.ops.bcr.checked_index.default:
        index, size, from_end, message = node.args
        return Declared(
            CHECKED_INDEX, {"message": str(message), "from_end": bool(from_end)}, [index, size]
        )
    if node.target not in (torch.ops.bcr.recurrence.default, torch.ops.bcr.lstm.default):
        return None
    names = [argument.name for argument in node.target._schema.arguments]
    given = dict(zip(names, node.args)) | node.kwargs
    operands = {name: value for name, value in given.items() if isinstance(value, Node)}
    cell = given["cell"]
    facts: dict[str, str | bool | list[str]] = {
        "cell": cell if isinstance(cell, str) else "lstm",
        "reverse": bool(given["reverse"]),
        "operands": list(operands),
    }
    return Declared(RECURRENCE, facts, list(operands.values()))


def declare(
    module: ir.Module, declared: Declared, operands: Sequence[ir.Value], results: Sequence[ir.Type]
) -> ir.FlatSymbolRefAttr:
    """Add a declaration to a module, and return its symbol."""
    with module.context, ir.Location.unknown(), ir.InsertionPoint(module.body):
        kind = ir.FunctionType.get([value.type for value in operands], list(results))
        number = sum(1 for _ in module.body.operations)
        name = f"{declared.attribute.rpartition('.')[2]}_{number}"
        declaration = func.FuncOp(name, kind, visibility="private")
        declaration.attributes[declared.attribute] = ir.DictAttr.get(
            {key: _attribute(value) for key, value in declared.facts.items()}
        )
        return ir.FlatSymbolRefAttr.get(name)


def _attribute(value: str | bool | list[str]) -> ir.Attribute:
    if isinstance(value, bool):
        return ir.BoolAttr.get(value)
    if isinstance(value, str):
        return ir.StringAttr.get(value)
    return ir.ArrayAttr.get([ir.StringAttr.get(part) for part in value])
