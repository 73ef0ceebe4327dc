"""Takes out of `@main`'s results what is an argument already or is returned twice."""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import func


def entry(module: ir.Module) -> func.FuncOp:
    """Return the function `@main`; others are declarations."""
    [main] = [op for op in module.body.operations if not op.is_external]
    return main


def simplify_results(module: ir.Module, same_type: list[set[int]]) -> list[tuple[str, int]]:
    """Drop results that need no computation.

    Args:
        module: a module with one function.
        same_type: for each result, the arguments of its own shape and element type; MLIR's types
            do not tell signed from unsigned integers.

    Returns:
        For each old result ("input", argument) or ("output", new result).
    """
    main = entry(module)
    block = main.entry_block
    end = list(block.operations)[-1]
    arguments = {argument: i for i, argument in enumerate(block.arguments)}
    kept: list[ir.Value] = []
    places: list[tuple[str, int]] = []
    for value, alike in zip(end.operands, same_type, strict=True):
        if value in arguments and arguments[value] in alike:
            places.append(("input", arguments[value]))
            continue
        if value not in kept:
            kept.append(value)
        places.append(("output", kept.index(value)))
    with module.context, ir.InsertionPoint(end), end.location:
        func.ReturnOp(kept)
        end.operation.erase()
        kind = ir.FunctionType.get([a.type for a in block.arguments], [v.type for v in kept])
        main.attributes["function_type"] = ir.TypeAttr.get(kind)
        if "res_attrs" in main.attributes:
            del main.attributes["res_attrs"]
    return places
