"""Arithmetic of 8-bit integers with Python numbers, done in 32 bits.

torch-mlir does not survive an 8-bit operation with a scalar operand: it reports "conversion to
byte or char type" and then crashes the process.
"""

from __future__ import annotations

import torch
from torch.fx import Graph, Node
from torch.fx.node import Argument

_NARROW = (torch.int8, torch.uint8)


def widen(graph: Graph) -> None:
    """Rewrite `op(x, number)` on 8-bit tensors to a cast, the operation in int32 and a cast back.

    The cast back wraps around as 8-bit arithmetic does.
    """
    for node in list(graph.nodes):
        if _is_narrow_with_scalar(node):
            _widen_node(graph, node)


def _is_narrow_with_scalar(node: Node) -> bool:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if torch.Tag.pointwise not in node.target.tags or _dtype(node) not in _NARROW:
        return False
    return any(isinstance(arg, int) and not isinstance(arg, bool) for arg in node.args)


def _widen_node(graph: Graph, node: Node) -> None:
    cast = torch.ops.prims.convert_element_type.default
    result = node.meta["val"]
    operator = node.target
    assert callable(operator)

    def wide(arg: Argument) -> Argument:
        if not isinstance(arg, Node) or _dtype(arg) not in _NARROW:
            return arg
        made = graph.call_function(cast, (arg, torch.int32))
        made.meta = {**node.meta, "val": arg.meta["val"].to(torch.int32)}
        return made

    with graph.inserting_before(node):
        copy = graph.call_function(operator, tuple(wide(arg) for arg in node.args), node.kwargs)
    copy.meta = {**node.meta, "val": result.to(torch.int32)}
    for meta in (copy.meta, node.meta):
        meta.pop("tensor_meta", None)
    # The node itself stays what the signature and its users refer to.
    node.target, node.args, node.kwargs = cast, (copy, result.dtype), {}


def _dtype(node: Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, torch.Tensor) else None
