"""Indices that a call may choose out of range, checked before they are looked up.

For `x[i]` and `index_select` torch-mlir reads whatever row is there. For `embedding` and `gather`
it asks of each element of the result, and what it says names no layer. So the indices of all of
them go through `bcr::checked_index` first.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.export import ExportedProgram
from torch.fx import Node
from torch.fx.node import map_arg
from torch.utils import _pytree as pytree

from bcr.frontend.locations import describe

aten = torch.ops.aten

_LIBRARY: Any = torch.library.Library("bcr", "FRAGMENT")  # type: ignore[no-untyped-call]
_LIBRARY.define("checked_index(Tensor index, SymInt size, bool from_end, str message) -> Tensor")
torch.library.register_fake(
    "bcr::checked_index",
    lambda index, size, from_end, message: torch.empty_like(index, dtype=torch.int64),
)

checked_index = torch.ops.bcr.checked_index.default

_MAX_ELEMENTS = 1 << 20
"""Up to here, indices that depend on no input are computed to see whether they are in range."""


_BY_ELEMENT = (
    aten.index_select.default,
    aten.gather.default,
    aten.scatter.src,
    aten.scatter.value,
    aten.scatter_add.default,
    aten.scatter_reduce.two,
)
"""Calls with (tensor, dimension, indices, ...) whose indices do not count from the end."""


def check_indices(program: ExportedProgram) -> None:
    """Let every index that may be out of range be checked."""
    known = _constants(program)
    for node in list(program.graph.nodes):
        arguments: Any = node.args
        if node.target is aten._unsafe_index.Tensor:
            # torch's own rewrites, which keep their indices in range.
            node.target = aten.index.Tensor
        elif node.target in (aten.index.Tensor, aten.index_put.default):
            _check_dimensions(node, known)
        elif node.target in _BY_ELEMENT:
            x, dim, index, *rest = arguments
            node.args = (x, dim, _checked(node, x, dim, index, False, known), *rest)
        elif node.target is checked_index:
            # Made by a rewrite, which does not know where it is: the classes of `one_hot`.
            index, size, from_end, _ = arguments
            allowed = _say_allowed(index.meta["val"].dim(), size, from_end)
            node.args = (index, size, from_end, _make_message(allowed, node))
        elif node.target is aten.embedding.default:
            # What else it is called with concerns gradients.
            table, index, *_ = arguments
            index = _checked(node, table, 0, index, False, known)
            node.args = (table, index)
            _select(node, table, 0, index)


def _check_dimensions(node: Node, known: dict[Node, Any]) -> None:
    """Check the indices of `x[i, j]` and of `x[i, j] = values`, one tensor a dimension or none."""
    arguments: Any = node.args
    x, indices, *rest = arguments
    made = list(indices)
    places = [dim for dim, index in enumerate(indices) if index is not None]
    if any(indices[dim].meta["val"].dtype == torch.bool for dim in places):
        # As numbers they would be rows 0 and 1; torch-mlir refuses them.
        return
    for dim in places:
        made[dim] = _checked(node, x, dim, indices[dim], True, known)
    node.args = (x, made, *rest)
    is_changed = len(places) == 1 and made[places[0]] is not indices[places[0]]
    if is_changed and node.target is aten.index.Tensor:
        _select(node, x, places[0], made[places[0]])


def _select(node: Node, x: Node, dim: int, index: Node) -> None:
    """Let a lookup by one tensor of indices, which are in range, be an `index_select`.

    For others torch-mlir asks of each element of the result again whether its index is in range.
    """
    value = node.meta["val"]
    if index.meta["val"].dim() == 1:
        node.target, node.args = aten.index_select.default, (x, dim, index)
    elif index.meta["val"].dim() > 1 and all(isinstance(size, int) for size in value.shape):
        with node.graph.inserting_before(node):
            flat = _call(node, aten.view.default, index, [-1])
            rows = _call(node, aten.index_select.default, x, dim, flat)
        node.target, node.args = aten.view.default, (rows, list(value.shape))


def _call(user: Node, target: OpOverload, *args: Any) -> Node:
    """Make a call, of which the model knows as of `user`, in front of it."""
    made = user.graph.call_function(target, args)
    place = ("nn_module_stack", "stack_trace")
    made.meta = {key: user.meta[key] for key in place if key in user.meta}
    made.meta["val"] = target(*map_arg(args, lambda node: node.meta["val"]))
    return made


def _checked(
    user: Node, x: Node, dim: int, index: Node, from_end: bool, known: dict[Node, Any]
) -> Node:
    """Return the node of the indices behind their check, `index` itself if it needs none."""
    value = x.meta["val"]
    dim %= max(value.dim(), 1)
    size = value.shape[dim] if value.dim() else 1
    if isinstance(size, int):
        low, high = -size if from_end else 0, size - 1
        allowed = _say_allowed(dim, size, from_end)
        # torch-mlir looks up with 64-bit indices alone, which those behind a check are.
        found = _evaluate(index, known) if index.meta["val"].dtype == torch.int64 else None
        if found is not None and bool(((found >= low) & (found <= high)).all()):
            return index
    else:
        allowed = f" of dimension {dim}"
    message = _make_message(allowed, user)
    with user.graph.inserting_before(user):
        extent = size if isinstance(size, int) else _call(user, aten.sym_size.int, x, dim)
        return _call(user, checked_index, index, extent, from_end, message)


def _say_allowed(dim: int, size: int, from_end: bool) -> str:
    low = -size if from_end else 0
    return f": dimension {dim} has {size} elements, {low} to {size - 1} are allowed"


def _make_message(allowed: str, user: Node) -> str:
    return f"index out of range{allowed} ({describe(user, directory=False)})"


def _constants(program: ExportedProgram) -> dict[Node, Any]:
    """Return the values of all placeholders, None for inputs."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    names |= signature.inputs_to_lifted_tensor_constants
    values: Mapping[str, Any] = {**program.constants, **program.state_dict}
    return {
        node: values.get(names.get(node.name, ""))
        for node in program.graph.nodes
        if node.op == "placeholder"
    }


def _evaluate(node: Node, known: dict[Node, Any]) -> Any:
    """Return the value of a node that depends on no input, or None."""
    if node not in known:
        known[node] = _compute(node, known)
    return known[node]


def _compute(node: Node, known: dict[Node, Any]) -> Any:
    if node.target is not operator.getitem and not isinstance(node.target, OpOverload):
        return None
    for example in pytree.tree_leaves(node.meta.get("val")):
        if not isinstance(example, Tensor) or not _is_small(example):
            return None
    operands = {part: _evaluate(part, known) for part in node.all_input_nodes}
    if any(value is None for value in operands.values()):
        return None
    args: Any = map_arg(node.args, operands.__getitem__)
    kwargs: Any = map_arg(node.kwargs, operands.__getitem__)
    return node.target(*args, **kwargs)


def _is_small(example: Tensor) -> bool:
    return all(isinstance(s, int) for s in example.shape) and example.numel() <= _MAX_ELEMENTS
