"""Recurrences in MLIR: calls of declared functions.

Neither torch's dialect nor linalg has an operation for a loop over a sequence, and torch-mlir
carries a call of a function without a body to the end. The declaration says what the function
computes; `bcr-raise` makes it a layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch.fx import Node
from torch_mlir import ir
from torch_mlir.dialects import func

_ATTRIBUTE = "bcr.recurrence"


@dataclass(frozen=True)
class Recurrence:
    """One direction of a recurrent layer.

    Attributes:
        cell: "gru", "lstm", "rnn_tanh" or "rnn_relu".
        reverse: whether it runs from the last step to the first.
        operands: "gates", "hidden", "cell", "weight", "bias" and "projection", as far as it has
            them.
    """

    cell: str
    reverse: bool
    operands: dict[str, Node]


def describe(node: Node) -> Recurrence | None:
    """Return what a node computes, or None for one that is no recurrence."""
    if node.target not in (torch.ops.bcr.recurrence.default, torch.ops.bcr.lstm.default):
        return None
    names = [argument.name for argument in node.target._schema.arguments]
    given = dict(zip(names, node.args)) | node.kwargs
    operands = {name: value for name, value in given.items() if isinstance(value, Node)}
    cell = given["cell"]
    return Recurrence(cell if isinstance(cell, str) else "lstm", bool(given["reverse"]), operands)


def declare(
    module: ir.Module,
    recurrence: Recurrence,
    operands: Sequence[ir.Value],
    results: Sequence[ir.Type],
) -> ir.FlatSymbolRefAttr:
    """Add a declaration to a module, and return its symbol."""
    with module.context, ir.Location.unknown(), ir.InsertionPoint(module.body):
        kind = ir.FunctionType.get([value.type for value in operands], list(results))
        name = f"recurrence_{sum(1 for _ in module.body.operations)}"
        declaration = func.FuncOp(name, kind, visibility="private")
        declaration.attributes[_ATTRIBUTE] = ir.DictAttr.get(
            {
                "cell": ir.StringAttr.get(recurrence.cell),
                "reverse": ir.BoolAttr.get(recurrence.reverse),
                "operands": ir.ArrayAttr.get(
                    [ir.StringAttr.get(name) for name in recurrence.operands]
                ),
            }
        )
        return ir.FlatSymbolRefAttr.get(name)
