"""Scans, scatters and sorts as `scf` loops.

torch-mlir lowers cumulative sums, indexed writes and sorting to a dialect of its own, `tm_tensor`,
that upstream MLIR does not know. Their steps depend on one another, so plain loops over tensors
that are updated element by element are the honest form; bufferization does them in place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch_mlir import ir
from torch_mlir.dialects import arith, scf, tensor
from torch_mlir.dialects.cf import assert_ as emit_assert

from bcr.frontend.lowering_error import LoweringError

Body = Callable[[Sequence[ir.Value], Sequence[ir.Value]], Sequence[ir.Value]]

# Predicates of arith.cmpf and arith.cmpi, by number as the attributes hold them.
_FLOAT_OGE, _FLOAT_OLE, _FLOAT_UNO = 3, 5, 14
_FLOAT_DESCENDING = (2, 3, 9, 10)
_INT_EQ, _INT_SLT, _INT_SLE, _INT_SGE, _INT_ULT, _INT_ULE, _INT_UGE = 0, 2, 3, 5, 6, 7, 9
_INT_DESCENDING, _INT_UNSIGNED = (4, 5, 8, 9), (6, 7, 8, 9)


def lower_tm_tensor(module: ir.Module) -> list[str]:
    """Replace the `tm_tensor` operations of a module.

    Returns:
        The names of those that have no replacement, each once.

    Raises:
        LoweringError: an operation of a known name has a form that has no replacement.
    """
    found: list[ir.Operation] = []

    def collect(op: ir.Operation) -> ir.WalkResult:
        if op.name.startswith("tm_tensor.") and op.name != "tm_tensor.yield":
            found.append(op.operation)
        return ir.WalkResult.ADVANCE

    module.operation.walk(collect)
    unknown = []
    for op in found:
        lower = _LOWERINGS.get(op.name)
        if lower is None:
            unknown.append(op.name)
            continue
        with ir.InsertionPoint(op), op.location:
            results = lower(op)
        for old, new in zip(op.results, results):
            old.replace_all_uses_with(new)
        op.erase()
    return sorted(set(unknown))


def _scan(op: ir.Operation) -> Sequence[ir.Value]:
    """out[0] = in[0]; out[i] = f(out[i - 1], in[i]) along one dimension."""
    source, out, last = op.operands
    dim = ir.IntegerAttr(op.attributes["dimension"]).value
    if not ir.BoolAttr(op.attributes["inclusive"]).value:
        raise LoweringError("exclusive scan")
    sizes = _sizes(source)
    zero, one = _index(0), _index(1)
    if _static(source, dim) and ir.RankedTensorType(source.type).get_dim_size(dim) == 0:
        return out, last
    others = sizes[:dim] + sizes[dim + 1 :]

    def first(at: Sequence[ir.Value], carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
        at = [*at[:dim], zero, *at[dim:]]
        return [tensor.insert(tensor.extract(source, at), carried[0], at)]

    def step(at: Sequence[ir.Value], carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
        before = [*at[:dim], arith.subi(at[dim], one), *at[dim + 1 :]]
        value = _inline(op, [tensor.extract(carried[0], before), tensor.extract(source, at)])
        return [tensor.insert(value[0], carried[0], at)]

    [out] = _nest(others, [out], first)
    starts = [one if i == dim else zero for i in range(len(sizes))]
    [out] = _nest(sizes, [out], step, starts)
    end = arith.subi(sizes[dim], one)

    def copy_last(at: Sequence[ir.Value], carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
        value = tensor.extract(out, [*at[:dim], end, *at[dim:]])
        return [tensor.insert(value, carried[0], at)]

    if any(True for _ in op.results[1].uses):
        [last] = _nest(others, [last], copy_last)
    return out, last


def _scatter(op: ir.Operation) -> Sequence[ir.Value]:
    """out[index[n] + window] = f(update[n, window], out[...]) for every n, in order."""
    updates, indices, original = op.operands
    dims = list(ir.DenseI64ArrayAttr(op.attributes["dimension_map"]))
    sizes = _sizes(original)

    def step(at: Sequence[ir.Value], carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
        window = list(at[1:])
        where: list[ir.Value | None] = [None] * (len(sizes) - len(window)) + window
        for position, dim in enumerate(dims):
            raw = tensor.extract(indices, [at[0], _index(position)])
            start = arith.index_cast(ir.IndexType.get(), raw)
            # A negative index counts from the end.
            negative = arith.cmpi(_INT_SLT, start, _index(0))
            start = arith.select(negative, arith.addi(start, sizes[dim]), start)
            # As an unsigned number an index that is still negative is too large.
            inside = arith.cmpi(_INT_ULT, start, sizes[dim])
            emit_assert(inside, "index out of range")
            # The loop goes on after a failure, and must not write outside.
            start = arith.select(inside, start, _index(0))
            offset = where[dim]
            where[dim] = start if offset is None else arith.addi(start, offset)
        old = tensor.extract(carried[0], where)
        value = _inline(op, [tensor.extract(updates, at), old])
        return [tensor.insert(value[0], carried[0], where)]

    return _nest(_sizes(updates), [original], step)


def _sort(op: ir.Operation) -> Sequence[ir.Value]:
    """Stable merge sort along one dimension: runs of 1, 2, 4, ... are merged in pairs.

    NaN counts as larger than every number, as in PyTorch.
    """
    dim = ir.IntegerAttr(op.attributes["dimension"]).value
    source = list(op.operands)
    if not _static(source[0], dim):
        raise LoweringError("sort along a dimension of unknown size")
    size = ir.RankedTensorType(source[0].type).get_dim_size(dim)
    sizes = _sizes(source[0])
    others = sizes[:dim] + sizes[dim + 1 :]
    run = 1
    while run < size:
        target = [tensor.empty(mixed_sizes(s), ir.RankedTensorType(s.type).element_type)
                  for s in source]  # fmt: skip
        source = list(_nest(others, target, _merge_lane(op, source, dim, size, run)))
        run *= 2
    return source


def _merge_lane(op: ir.Operation, source: list[ir.Value], dim: int, size: int, run: int) -> Body:
    count, one, length, pair = _index(size), _index(1), _index(run), _index(2 * run)
    last = _index(size - 1)

    def lane(others: Sequence[ir.Value], target: Sequence[ir.Value]) -> Sequence[ir.Value]:
        def at(position: ir.Value) -> list[ir.Value]:
            return [*others[:dim], position, *others[dim:]]

        def step(ivs: Sequence[ir.Value], carried: Sequence[ir.Value]) -> Sequence[ir.Value]:
            [k], (left, right, *target) = ivs, carried
            begin = arith.subi(k, arith.remui(k, pair))
            middle = arith.minui(arith.addi(begin, length), count)
            end = arith.minui(arith.addi(begin, pair), count)
            fresh = arith.cmpi(_INT_EQ, k, begin)
            left, right = arith.select(fresh, k, left), arith.select(fresh, middle, right)
            has_left = arith.cmpi(_INT_ULT, left, middle)
            has_right = arith.cmpi(_INT_ULT, right, end)
            from_left, from_right = at(arith.minui(left, last)), at(arith.minui(right, last))
            a = [tensor.extract(s, from_left) for s in source]
            b = [tensor.extract(s, from_right) for s in source]
            true = arith.constant(ir.IntegerType.get_signless(1), 1)
            no_right = arith.xori(has_right, true)
            take = arith.andi(has_left, arith.ori(no_right, _in_order(op, a[0], b[0])))
            target = [
                tensor.insert(arith.select(take, x, y), t, at(k)) for x, y, t in zip(a, b, target)
            ]
            left_next = arith.select(take, arith.addi(left, one), left)
            right_next = arith.select(take, right, arith.addi(right, one))
            return [left_next, right_next, *target]

        zero = _index(0)
        return _nest([count], [zero, zero, *target], step)[2:]

    return lane


def _in_order(op: ir.Operation, a: ir.Value, b: ir.Value) -> ir.Value:
    """Whether `a` may stay before `b`; true for equal values, which keeps the sort stable."""
    *_, compare, _ = op.regions[0].blocks[0].operations
    if compare.operation.name not in ("arith.cmpf", "arith.cmpi"):
        raise LoweringError("sort by a comparison of another kind")
    predicate = ir.IntegerAttr(compare.attributes["predicate"]).value
    if compare.operation.name == "arith.cmpi":
        descending, unsigned = predicate in _INT_DESCENDING, predicate in _INT_UNSIGNED
        choice = (_INT_SLE, _INT_SGE, _INT_ULE, _INT_UGE)[2 * unsigned + descending]
        return arith.cmpi(choice, a, b)
    descending = predicate in _FLOAT_DESCENDING
    largest = a if descending else b
    ordered = arith.cmpf(_FLOAT_OGE if descending else _FLOAT_OLE, a, b)
    return arith.ori(ordered, arith.cmpf(_FLOAT_UNO, largest, largest))


def _nest(
    bounds: Sequence[ir.Value],
    carried: Sequence[ir.Value],
    body: Body,
    starts: Sequence[ir.Value] | None = None,
    ivs: tuple[ir.Value, ...] = (),
) -> Sequence[ir.Value]:
    """Build nested loops that carry tensors; return their final values."""
    depth = len(ivs)
    if depth == len(bounds):
        return body(ivs, carried)
    loop = scf.ForOp(starts[depth] if starts else _index(0), bounds[depth], _index(1), carried)
    with ir.InsertionPoint(loop.body):
        inner = (*ivs, loop.induction_variable)
        scf.YieldOp(list(_nest(bounds, list(loop.inner_iter_args), body, starts, inner)))
    return list(loop.results)


def _inline(op: ir.Operation, arguments: Sequence[ir.Value]) -> list[ir.Value]:
    """Copy the operation's region here; return what it yields."""
    block = op.regions[0].blocks[0]
    mapped = dict(zip(block.arguments, arguments))
    for inner in block.operations:
        operands = [mapped.get(value, value) for value in inner.operation.operands]
        if inner.operation.name == "tm_tensor.yield":
            return operands
        copy = inner.operation.clone()
        for position, operand in enumerate(operands):
            copy.operation.operands[position] = operand
        mapped.update(zip(inner.operation.results, copy.operation.results))
    raise LoweringError(f"{op.name} without a yield")


def _index(value: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), value)


def _static(value: ir.Value, dim: int) -> bool:
    return not ir.RankedTensorType(value.type).is_dynamic_dim(dim)


def _sizes(value: ir.Value) -> list[ir.Value]:
    kind = ir.RankedTensorType(value.type)
    return [
        tensor.dim(value, _index(i)) if kind.is_dynamic_dim(i) else _index(kind.get_dim_size(i))
        for i in range(kind.rank)
    ]


def mixed_sizes(value: ir.Value) -> list[Any]:
    """Return the sizes of a tensor as `tensor.empty` takes them: numbers, and values if dynamic."""
    kind = ir.RankedTensorType(value.type)
    return [
        tensor.dim(value, _index(i)) if kind.is_dynamic_dim(i) else kind.get_dim_size(i)
        for i in range(kind.rank)
    ]


_LOWERINGS: dict[str, Callable[[ir.Operation], Sequence[ir.Value]]] = {
    "tm_tensor.scan": _scan,
    "tm_tensor.scatter": _scatter,
    "tm_tensor.sort": _sort,
}
