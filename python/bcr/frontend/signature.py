"""How a program's arguments and results meet tensors: specs and structures from its signature."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy
import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, OutputKind, TensorArgument
from torch.fx import Node
from torch.utils import _pytree as pytree
from torch.utils._sympy.numbers import int_oo

from bcr.errors import UnsupportedError
from bcr.frontend.locations import module_of
from bcr.frontend.specs import InputSpec, Linear, OutputSpec, Structure, SymbolRange
from bcr.frontend.structure import constant

DTYPE_NAMES = {
    torch.bool: "bool",
    torch.uint8: "uint8",
    torch.int8: "int8",
    torch.int16: "int16",
    torch.int32: "int32",
    torch.int64: "int64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.float32: "float32",
    torch.float64: "float64",
}


@dataclass(frozen=True)
class Result:
    """One tensor that a program returns: the node that makes it, and its shape and type."""

    node: Node
    spec: OutputSpec


@dataclass(frozen=True)
class Signature:
    """What `ImportedModel` says about arguments and results, before `@main` exists.

    `out_spec` refers to `results` by position as {"output": i}.
    """

    inputs: tuple[InputSpec, ...]
    input_nodes: tuple[Node, ...]
    results: tuple[Result, ...]
    in_spec: Structure
    out_spec: Structure
    symbols: dict[str, SymbolRange]


def read_signature(program: ExportedProgram, dynamic_shapes: Any) -> Signature:
    """Describe a program's arguments and results.

    Raises:
        UnsupportedError: the program changes a buffer or an argument, an element type or a
            container is not supported, or a dimension is not a linear function of one symbol.
    """
    _refuse_mutation(program)
    nodes = {node.name: node for node in program.graph.nodes}
    call = program.module_call_graph[0].signature
    assert call is not None

    arguments = [
        s.arg for s in program.graph_signature.input_specs if s.kind == InputKind.USER_INPUT
    ]
    input_nodes = tuple(nodes[a.name] for a in arguments if isinstance(a, TensorArgument))
    names = _SymbolNames(input_nodes, dynamic_shapes)
    inputs = tuple(_input_spec(node, names) for node in input_nodes)

    leaves = iter(arguments)
    count = iter(range(len(input_nodes)))

    def input_leaf() -> Structure:
        argument = next(leaves)
        if isinstance(argument, TensorArgument):
            return {"input": next(count)}
        return _constant_leaf(argument, "argument")

    positional, named = call.in_spec.children()
    in_spec = {
        "args": [_structure(part, input_leaf, "argument") for part in positional.children()],
        "kwargs": [
            [name, _structure(part, input_leaf, "argument")]
            for name, part in zip(named.context, named.children())
        ],
        "names": list(call.forward_arg_names or [])[: len(positional.children())],
    }

    results: list[Result] = []
    position: dict[Node, int] = {}
    returned = iter(
        s.arg for s in program.graph_signature.output_specs if s.kind == OutputKind.USER_OUTPUT
    )

    def output_leaf() -> Structure:
        argument = next(returned)
        if not isinstance(argument, TensorArgument):
            return _constant_leaf(argument, "result")
        node = nodes[argument.name]
        if node in input_nodes:
            return {"input": input_nodes.index(node)}
        if node not in position:
            position[node] = len(results)
            results.append(Result(node, _output_spec(node, names)))
        return {"output": position[node]}

    out_spec = _structure(call.out_spec, output_leaf, "result")
    symbols = {name: _range(program, symbol) for symbol, name in names.by_symbol.items()}
    return Signature(inputs, input_nodes, tuple(results), in_spec, out_spec, symbols)


def _refuse_mutation(program: ExportedProgram) -> None:
    signature = program.graph_signature
    buffers = sorted(signature.buffers_to_mutate.values())
    if buffers:
        raise UnsupportedError(
            f"the model changes its buffers {', '.join(buffers)} when it runs; a compiled model "
            f"has no state: call model.eval() before exporting, or pass the state as an argument "
            f"and return the new one"
        )
    arguments = sorted(signature.user_inputs_to_mutate.values())
    if arguments:
        raise UnsupportedError(
            f"the model changes its arguments {', '.join(arguments)} in place; return the changed "
            f"tensor instead (x = x + 1 rather than x += 1)"
        )


def _constant_leaf(argument: Any, what: str) -> Structure:
    if isinstance(argument, ConstantArgument):
        try:
            return constant(argument.value)
        except TypeError:
            raise UnsupportedError(
                f"a {type(argument.value).__name__} as an {what} is not supported: fix it inside "
                f"the model"
            ) from None
    raise UnsupportedError(
        f"the {what} {getattr(argument, 'name', argument)} is a number that depends on the "
        f"inputs' sizes or values; only tensors may vary from call to call"
    )


def _structure(spec: pytree.TreeSpec, leaf: Any, what: str) -> Structure:
    if spec.is_leaf():
        return leaf()
    kind, context = spec.type, spec.context
    parts = [_structure(child, leaf, what) for child in spec.children()]
    if kind in (tuple, list):
        return {kind.__name__: parts}
    if kind in (dict, OrderedDict):
        for key in context:
            if not isinstance(key, (str, int, float)):
                raise UnsupportedError(
                    f"a dict among the {what}s has the key {key!r}; use strings or numbers"
                )
        return {"dict": [[key, part] for key, part in zip(context, parts)]}
    made = context if isinstance(context, type) else kind
    # torch.return_types, such as that of torch.sort, are tuples with named fields of C's making.
    fields = getattr(made, "_fields", None) or getattr(made, "__match_args__", None)
    if fields and issubclass(made, tuple):
        return {"namedtuple": [made.__name__, [list(pair) for pair in zip(fields, parts)]]}
    raise UnsupportedError(
        f"a {getattr(kind, '__name__', kind)} among the {what}s is not supported; use tuple, "
        f"list, dict or namedtuple"
    )


def _dtype(value: torch.Tensor, what: str) -> str:
    name = DTYPE_NAMES.get(value.dtype)
    if name is None:
        raise UnsupportedError(
            f"{what} has the element type {str(value.dtype).removeprefix('torch.')}; supported "
            f"are {', '.join(DTYPE_NAMES.values())}"
        )
    if value.layout is not torch.strided:
        raise UnsupportedError(f"{what} is a sparse tensor; pass it dense, with its zeros")
    return name


class _SymbolNames:
    """Names for the sizes that a call may choose: those of `Dim`s, else "s0", "s1", ..."""

    def __init__(self, nodes: Sequence[Node], dynamic_shapes: Any) -> None:
        self.by_symbol: dict[sympy.Symbol, str] = {}
        given = _dim_names(dynamic_shapes, len(nodes))
        for node, names in zip(nodes, given):
            for axis, size in enumerate(node.meta["val"].shape):
                expr = size.node.expr if isinstance(size, torch.SymInt) else None
                if isinstance(expr, sympy.Symbol) and expr not in self.by_symbol:
                    name = names.get(axis, "")
                    if not name or name in self.by_symbol.values():
                        name = f"s{len(self.by_symbol)}"
                    self.by_symbol[expr] = name


def _dim_names(dynamic_shapes: Any, count: int) -> list[dict[int, str]]:
    """Return, for each tensor argument, the names of its `Dim`s by axis, as far as given."""

    def is_shape(value: Any) -> bool:
        if isinstance(value, dict):
            return bool(value) and all(isinstance(key, int) for key in value)
        if isinstance(value, (tuple, list)):
            return all(_is_dim(v) for v in value)
        return value is None

    leaves = pytree.tree_leaves(dynamic_shapes, is_leaf=is_shape) if dynamic_shapes else []
    if len(leaves) != count:
        return [{} for _ in range(count)]
    named = []
    for leaf in leaves:
        items = leaf.items() if isinstance(leaf, dict) else enumerate(leaf or ())
        named.append({axis: getattr(dim, "__name__", "") for axis, dim in items})
    return named


def _is_dim(value: Any) -> bool:
    return value is None or isinstance(value, (int, torch.export.Dim)) or "Dim" in str(type(value))


def _input_spec(node: Node, names: _SymbolNames) -> InputSpec:
    value = node.meta["val"]
    what = f"the input {node.name}"
    shape: list[int | str] = []
    for axis, size in enumerate(value.shape):
        expr = size.node.expr if isinstance(size, torch.SymInt) else sympy.Integer(size)
        if isinstance(expr, sympy.Symbol):
            shape.append(names.by_symbol[expr])
        elif isinstance(expr, sympy.Integer):
            shape.append(int(expr))
        else:
            raise UnsupportedError(
                f"{what}: dimension {axis} is {expr}; a dynamic dimension of an input must be a "
                f"Dim of its own"
            )
    return InputSpec(node.name, _dtype(value, what), tuple(shape))


def _output_spec(node: Node, names: _SymbolNames) -> OutputSpec:
    value = node.meta["val"]
    where = f" (in module {module_of(node)})" if module_of(node) else ""
    what = f"the output {node.name}{where}"
    shape = tuple(
        _linear(size, f"{what}: dimension {i}", names) for i, size in enumerate(value.shape)
    )
    return OutputSpec(node.name, _dtype(value, what), shape)


def _linear(size: int | torch.SymInt, what: str, names: _SymbolNames) -> int | Linear:
    if not isinstance(size, torch.SymInt):
        return int(size)
    expr = sympy.expand(size.node.expr)
    if expr.is_Integer:
        return int(expr)
    unknown = sorted(str(s) for s in expr.free_symbols if s not in names.by_symbol)
    if unknown:
        raise UnsupportedError(
            f"{what} is {expr}, which depends on the values of the inputs; such shapes cannot be "
            f"compiled"
        )
    if len(expr.free_symbols) == 1:
        [symbol] = expr.free_symbols
        scale, offset = expr.coeff(symbol, 1), expr.coeff(symbol, 0)
        if scale.is_Integer and offset.is_Integer and expr == scale * symbol + offset:
            return Linear(names.by_symbol[symbol], int(scale), int(offset))
    raise UnsupportedError(
        f"{what} is {expr}; only a multiple of one dynamic dimension plus a constant is supported: "
        f"keep the other dimensions fixed"
    )


def _range(program: ExportedProgram, symbol: sympy.Symbol) -> SymbolRange:
    limits = program.range_constraints[symbol]
    high = None if limits.upper in (int_oo, sympy.oo) else int(limits.upper)
    return SymbolRange(max(int(limits.lower), 0), high)
