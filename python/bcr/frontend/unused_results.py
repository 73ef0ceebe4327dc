"""Drops results of `linalg.generic` that nobody reads.

torch-mlir computes the largest element of a row together with its position. The position stops
the loop from being vectorised, and softmax does not need it.
"""

from __future__ import annotations

from torch_mlir import ir


def drop_unused_results(module: ir.Module) -> None:
    """Rebuild each `linalg.generic` that has used and unused results, without the unused ones."""
    found: list[ir.Operation] = []

    def collect(op: ir.Operation) -> ir.WalkResult:
        if op.name == "linalg.generic":
            used = [any(True for _ in result.uses) for result in op.results]
            if any(used) and not all(used):
                found.append(op.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    for op in found:
        _drop(op)


def _drop(op: ir.Operation) -> None:
    block = op.regions[0].blocks[0]
    *body, end = list(block.operations)
    inputs = ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"])[0]
    kept = [i for i, result in enumerate(op.results) if any(True for _ in result.uses)]
    dropped = set(range(len(op.results))) - set(kept)
    wanted = {end.operation.operands[i] for i in kept}
    live = []
    for inner in reversed(body):
        if any(True for _ in inner.operation.regions):
            return
        if any(result in wanted for result in inner.operation.results):
            wanted.update(inner.operation.operands)
            live.append(inner.operation)
    if any(block.arguments[inputs + i] in wanted for i in dropped):
        return
    places = [*range(inputs), *(inputs + i for i in kept)]
    maps = list(ir.ArrayAttr(op.attributes["indexing_maps"]))
    iterators = ir.ArrayAttr(op.attributes["iterator_types"])
    if not _covered([ir.AffineMapAttr(maps[i]).value for i in places], len(iterators)):
        return
    with op.context, ir.InsertionPoint(op), op.location:
        sizes = ir.DenseI32ArrayAttr.get([inputs, len(kept)])
        made = ir.Operation.create(
            "linalg.generic",
            results=[op.results[i].type for i in kept],
            operands=[op.operands[i] for i in places],
            attributes={
                "indexing_maps": ir.ArrayAttr.get([maps[i] for i in places]),
                "iterator_types": iterators,
                "operandSegmentSizes": sizes,
            },
            regions=1,
        )
    arguments = [block.arguments[i] for i in places]
    target = made.regions[0].blocks.append(
        *(argument.type for argument in arguments),
        arg_locs=[argument.location for argument in arguments],
    )
    mapped = dict(zip(arguments, target.arguments))
    with op.context, ir.InsertionPoint(target):
        for inner in reversed(live):
            copy = inner.clone().operation
            for i, operand in enumerate(inner.operands):
                copy.operands[i] = mapped.get(operand, operand)
            mapped.update(zip(inner.results, copy.results))
        values = [end.operation.operands[i] for i in kept]
        ir.Operation.create(
            "linalg.yield", operands=[mapped.get(v, v) for v in values], loc=end.location
        )
    for i, result in zip(kept, made.results):
        op.results[i].replace_all_uses_with(result)
    op.erase()


def _covered(maps: list[ir.AffineMap], count: int) -> bool:
    """Whether the operands still tell the extent of every loop."""
    found = {
        expr.position
        for affine in maps
        for expr in affine.results
        if isinstance(expr, ir.AffineDimExpr)
    }
    return len(found) == count
