"""Indices that a call may choose out of range, checked before they are looked up.

torch-mlir checks the indices of `embedding` and `gather`. For `x[i]` and `index_select` it reads
whatever row is there, so their indices go through `bcr::checked_index` first.
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

_MAX_ELEMENTS = 1 << 20
"""Up to here, indices that depend on no input are computed to see whether they are in range."""


def check_indices(program: ExportedProgram) -> None:
    """Let every index of `x[i]` and `index_select` that may be out of range be checked."""
    known = _constants(program)
    for node in list(program.graph.nodes):
        if node.target is aten._unsafe_index.Tensor:
            # torch's own rewrites, which keep their indices in range.
            node.target = aten.index.Tensor
        elif node.target is aten.index.Tensor:
            x, indices = node.args
            made = list(indices)
            places = [dim for dim, index in enumerate(indices) if index is not None]
            if any(indices[dim].meta["val"].dtype == torch.bool for dim in places):
                # As numbers they would be rows 0 and 1; torch-mlir refuses them.
                continue
            for dim in places:
                made[dim] = _checked(node, x, dim, indices[dim], True, known)
            node.args = (x, made)
            if len(places) == 1 and made[places[0]] is not indices[places[0]]:
                _select(node, places[0])
        elif node.target is aten.index_select.default:
            x, dim, index = node.args
            node.args = (x, dim, _checked(node, x, dim, index, False, known))


def _select(node: Node, dim: int) -> None:
    """Let a lookup by one tensor of indices, which are in range now, be an `index_select`.

    For `index` torch-mlir asks of each element of the result again whether its index is negative.
    """
    x, indices = node.args
    assert isinstance(indices, list)
    index, value = indices[dim], node.meta["val"]
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
        allowed = f": dimension {dim} has {size} elements, {low} to {high} are allowed"
        # torch-mlir looks up with 64-bit indices alone, which those behind a check are.
        found = _evaluate(index, known) if index.meta["val"].dtype == torch.int64 else None
        if found is not None and bool(((found >= low) & (found <= high)).all()):
            return index
    else:
        allowed = f" of dimension {dim}"
    message = f"index out of range{allowed} ({describe(user, directory=False)})"
    with user.graph.inserting_before(user):
        extent = size if isinstance(size, int) else _call(user, aten.sym_size.int, x, dim)
        return _call(user, torch.ops.bcr.checked_index.default, index, extent, from_end, message)


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
