"""Finds every operator of a program that cannot be compiled, not only the first."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node

from bcr.errors import UnsupportedError
from bcr.frontend.locations import describe
from bcr.frontend.torch_mlir_import import import_graph, lower

_MAX_REASON = 160


@dataclass(frozen=True)
class Offence:
    """An operator that cannot be compiled, and why."""

    node: Node
    reason: str


def report_random(program: ExportedProgram) -> None:
    """Refuse operators that draw random numbers: a compiled model is deterministic.

    Raises:
        UnsupportedError: there are some; the message lists all of them.
    """
    offences = [
        Offence(node, "draws random numbers")
        for node in _calls(program.graph)
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ())
    ]
    if offences:
        raise UnsupportedError(
            f"{_list(offences)}\nIf this is dropout, call model.eval() before exporting; "
            f"otherwise pass the random tensor as an argument."
        )


def unsupported(program: ExportedProgram, error: Exception) -> UnsupportedError:
    """Return an error that lists all operators that torch-mlir cannot lower.

    Each kind of call is tried alone, which takes about 20 ms a kind; so this runs only after the
    import of the whole program has failed with `error`.
    """
    reasons: dict[str, str | None] = {}
    offences = []
    for node in _calls(program.graph):
        key = _kind(node)
        if key not in reasons:
            reasons[key] = _why_not(node)
        reason = reasons[key]
        if reason is not None:
            offences.append(Offence(node, reason))
    if not offences:
        return UnsupportedError(
            f"torch-mlir cannot lower this model, although it lowers each of its operators "
            f"alone: {_short(str(error))}"
        )
    return UnsupportedError(
        f"{_list(offences)}\nReplace them by operators that torch-mlir lowers to linalg, or run "
        f"them outside the compiled model."
    )


def _calls(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        if node.op == "call_function" and node.target is not operator.getitem:
            yield node


def _list(offences: list[Offence]) -> str:
    lines: dict[str, None] = {}
    for offence in offences:
        where = describe(offence.node)
        lines[f"  {_name(offence.node)} {where}: {offence.reason}"] = None
    count = "one operator" if len(lines) == 1 else f"{len(lines)} operators"
    return f"the model uses {count} that cannot be compiled:\n" + "\n".join(lines)


def _name(node: Node) -> str:
    return str(node.target) if not isinstance(node.target, str) else node.target


def _kind(node: Node) -> str:
    """Return a text that is equal for two calls that torch-mlir treats alike."""

    def show(arg: Any) -> str:
        if isinstance(arg, Node):
            value = arg.meta.get("val")
            if isinstance(value, torch.Tensor):
                return f"{value.dtype}{list(value.shape)}"
            return str(value)
        if isinstance(arg, (list, tuple)):
            return f"[{', '.join(show(a) for a in arg)}]"
        return repr(arg)

    named = [f"{name}={show(arg)}" for name, arg in node.kwargs.items()]
    return f"{node.target}({', '.join([*(show(arg) for arg in node.args), *named])})"


def _why_not(node: Node) -> str | None:
    """Return why a call alone cannot be lowered, None if it can."""
    if isinstance(node.target, torch._ops.HigherOrderOperator):
        return "is control flow, not an operator of torch.ops.aten"
    if not isinstance(node.target, torch._ops.OpOverload):
        # Arithmetic with sizes.
        return None
    if node.meta.get("val") is None:
        # An assertion of the exporter.
        return None
    if node.target is torch.ops.aten.convolution.default and isinstance(node.args[-1], Node):
        return (
            "the number of groups is a size that calls choose; fix that size, or let each channel "
            "have a filter of its own, of a weight of shape (groups, 1, height, width)"
        )
    if any(isinstance(arg.meta.get("val"), torch.SymInt) for arg in node.all_input_nodes):
        # Sizes come from the operators around it; alone it means nothing.
        return None
    try:
        lower(import_graph(_alone(node)))
    except Exception as error:
        return _short(str(error))
    return None


def _alone(node: Node) -> Graph:
    """Return a graph with one call whose operands are the arguments."""
    graph = Graph()
    arguments: dict[Node, Node] = {}
    for operand in node.all_input_nodes:
        arguments[operand] = graph.placeholder(operand.name)
        arguments[operand].meta = dict(operand.meta)
    call = graph.node_copy(node, lambda operand: arguments[operand])
    results = []
    value = node.meta.get("val")
    if isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            if isinstance(part, torch.Tensor):
                item = graph.call_function(operator.getitem, (call, index))
                item.meta["val"] = part
                results.append(item)
    else:
        results.append(call)
    graph.output(tuple(results))
    return graph


def _short(reason: str) -> str:
    """Return what torch-mlir's first diagnostic says, without the operation it prints after it."""
    line = next((line.strip() for line in reason.splitlines() if line.strip()), "no reason given")
    if "torch.operator" in line:
        return "torch-mlir does not know it"
    return line.partition(": %")[0].partition(': "')[0][:_MAX_REASON]
