"""Checks of indices as loops over them."""

from __future__ import annotations

from torch_mlir import ir
from torch_mlir.dialects import arith, linalg, tensor
from torch_mlir.dialects.cf import assert_ as emit_assert

from bcr.frontend.declared_calls import CHECKED_INDEX
from bcr.frontend.ordered_loops import mixed_sizes

_INT_SLT, _INT_ULT = 2, 6


def lower_index_checks(module: ir.Module) -> None:
    """Replace the calls of declared checks.

    What a loop yields counts from the first element and is in range, whatever the index is.
    """
    declared = {
        ir.StringAttr(op.attributes["sym_name"]).value: op.operation
        for op in module.body.operations
        if CHECKED_INDEX in op.attributes
    }
    found: list[tuple[ir.Operation, ir.Operation]] = []

    def collect(op: ir.Operation) -> ir.WalkResult:
        if op.name == "func.call":
            callee = declared.get(ir.FlatSymbolRefAttr(op.attributes["callee"]).value)
            if callee is not None:
                found.append((op.operation, callee))
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    for call, callee in found:
        with ir.InsertionPoint(call), call.location:
            call.results[0].replace_all_uses_with(_loop(call, callee))
        call.erase()
    for callee in declared.values():
        callee.erase()


def _loop(call: ir.Operation, callee: ir.Operation) -> ir.Value:
    indices, size = call.operands
    facts = ir.DictAttr(callee.attributes[CHECKED_INDEX])
    kind = ir.RankedTensorType(call.results[0].type)
    given = ir.RankedTensorType(indices.type).element_type
    target = tensor.empty(mixed_sizes(indices), kind.element_type)
    same = ir.AffineMapAttr.get(ir.AffineMap.get_identity(kind.rank))
    parallel = ir.Attribute.parse("#linalg.iterator_type<parallel>")
    loop = linalg.GenericOp(
        [kind],
        [indices],
        [target],
        ir.ArrayAttr.get([same, same]),
        ir.ArrayAttr.get([parallel] * kind.rank),
    )
    block = loop.regions[0].blocks.append(given, kind.element_type)
    with ir.InsertionPoint(block):
        place = block.arguments[0]
        if given != kind.element_type:
            place = arith.extsi(kind.element_type, place)
        zero = arith.constant(kind.element_type, 0)
        if ir.BoolAttr(facts["from_end"]).value:
            negative = arith.cmpi(_INT_SLT, place, zero)
            place = arith.select(negative, arith.addi(place, size), place)
        # As an unsigned number an index that is still negative is too large.
        inside = arith.cmpi(_INT_ULT, place, size)
        emit_assert(inside, ir.StringAttr(facts["message"]).value)
        # The loop goes on after a failure.
        linalg.YieldOp([arith.select(inside, place, zero)])
    return loop.result
