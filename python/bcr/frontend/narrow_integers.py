"""Arithmetic of 8-bit integers, done in 32 bits.

torch-mlir reads unsigned bytes as signed ones in comparisons, shifts, divisions and sums, and an
8-bit operation with a scalar operand crashes the process. Its conversions are right, so everything
that computes with bytes is wrapped in them; what only moves bytes stays as it is.
"""

from __future__ import annotations

import operator

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx import Graph, Node
from torch.fx.node import Argument, map_arg
from torch.utils import _pytree as pytree

_NARROW = (torch.int8, torch.uint8)
_CAST = torch.ops.prims.convert_element_type.default
_MOVES = {
    getattr(torch.ops.aten, name)
    for name in [
        "_assert_tensor_metadata",
        "_to_copy",
        "_unsafe_view",
        "alias",
        "as_strided",
        "cat",
        "clone",
        "copy",
        "detach",
        "diagonal",
        "embedding",
        "expand",
        "flip",
        "gather",
        "index",
        "index_select",
        "lift_fresh_copy",
        "permute",
        "repeat",
        "reshape",
        "roll",
        "select",
        "select_scatter",
        "slice",
        "slice_scatter",
        "split",
        "split_with_sizes",
        "squeeze",
        "t",
        "transpose",
        "unbind",
        "unfold",
        "unsqueeze",
        "view",
    ]
} | {torch.ops.prims.convert_element_type, torch.ops.prims.squeeze}


def widen(graph: Graph) -> None:
    """Cast 8-bit operands of arithmetic to int32, and its results back to what they were.

    A cast back wraps around as 8-bit arithmetic does.
    """
    for node in list(graph.nodes):
        if _computes_with_bytes(node):
            _widen(graph, node)
    graph.eliminate_dead_code()


def _computes_with_bytes(node: Node) -> bool:
    if node.op != "call_function" or not isinstance(node.target, torch._ops.OpOverload):
        return False
    if node.target.overloadpacket in _MOVES:
        return False
    return any(_dtype(part) in _NARROW for part in (node, *node.all_input_nodes))


def _widen(graph: Graph, node: Node) -> None:
    target = node.target
    assert callable(target)
    kwargs = {k: torch.int32 if v in _NARROW else v for k, v in node.kwargs.items()}
    with graph.inserting_before(node):
        args = map_arg(node.args, lambda operand: _cast(graph, operand, torch.int32))
        wide = graph.call_function(target, args, kwargs)
        with _fake_mode(node):
            value = target(*map_arg(args, _value), **map_arg(kwargs, _value))
    wide.meta = _meta(node, value)
    if isinstance(value, (tuple, list)):
        for user in list(node.users):
            index = user.args[1]
            assert user.target is operator.getitem
            assert isinstance(index, int)
            with graph.inserting_before(user):
                part = graph.call_function(operator.getitem, (wide, index))
            part.meta = _meta(node, value[index])
            _become_cast(user, part)
        graph.erase_node(node)
    else:
        _become_cast(node, wide)


def _cast(graph: Graph, operand: Node, dtype: torch.dtype) -> Argument:
    if _dtype(operand) not in _NARROW:
        return operand
    if operand.target is _CAST:
        source = operand.args[0]
        if isinstance(source, Node) and not source.all_input_nodes and _dtype(source) == dtype:
            # A constant: its value fits, and torch-mlir cannot fold its way through ui8.
            return source
    made = graph.call_function(_CAST, (operand, dtype))
    made.meta = _meta(operand, operand.meta["val"].to(dtype))
    return made


def _become_cast(node: Node, wide: Node) -> None:
    # The node itself stays what the signature and its users refer to.
    node.target, node.args, node.kwargs = _CAST, (wide, node.meta["val"].dtype), {}
    node.meta.pop("tensor_meta", None)


def _meta(node: Node, value: object) -> dict[str, object]:
    meta: dict[str, object] = {"val": value}
    for key in ("nn_module_stack", "stack_trace"):
        if key in node.meta:
            meta[key] = node.meta[key]
    return meta


def _fake_mode(node: Node) -> FakeTensorMode:
    """Return the mode in which the graph's example values live, to make one more without memory."""
    for part in (node, *node.all_input_nodes):
        for value in pytree.tree_leaves(part.meta.get("val")):
            if isinstance(value, FakeTensor):
                return value.fake_mode
    raise AssertionError(f"{node} has no example value")


def _value(node: Node) -> Argument:
    value: Argument = node.meta["val"]
    return value


def _dtype(node: Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, torch.Tensor) else None
