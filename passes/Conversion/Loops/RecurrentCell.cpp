//===- RecurrentCell.cpp - Equations of a recurrent layer -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/RecurrentCell.h"
#include "passes/Conversion/Loops/CellActivation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

void RecurrentCell::storeHidden(Emitter &emitter, Value value, Value step,
                                Value sample, Value unit) {
  emitter.store(value, op.getInit(), {step, sample, unit});
  if (!isLast)
    emitter.store(value, hidden, {sample, unit});
}

SmallVector<RecurrentCell::GateRows> RecurrentCell::getGateRows() {
  int64_t units = op.getNumUnits();
  using K = ActivationKind;
  switch (op.getCell()) {
  case CellKind::RNNTanh:
  case CellKind::RNNReLU:
    return {};
  case CellKind::GRU:
    return {{0, 2 * units, K::Sigmoid}};
  case CellKind::LSTM:
    return {{0, 2 * units, K::Sigmoid},
            {2 * units, 3 * units, K::Tanh},
            {3 * units, 4 * units, K::Sigmoid}};
  }
}

Value RecurrentCell::getProduct(Emitter &emitter, Value sample, int64_t first,
                                Value at, int64_t width) {
  Value row = emitter.add(at, first);
  Value sum =
      getSum ? getSum(sample, row) : emitter.load(sums, {sample, row}, width);
  if (!op.getBias())
    return sum;
  // It may be that of the last rows only.
  int64_t firstWithBias =
      op.getNumRows() - cast<ShapedType>(op.getBias().getType()).getDimSize(0);
  if (first < firstWithBias)
    return sum;
  return arith::AddFOp::create(
      emitter, sum,
      emitter.load(op.getBias(), emitter.add(at, first - firstWithBias),
                   width));
}

void RecurrentCell::emitGates(Emitter &emitter, Value step, Value sample,
                              const GateRows &rows, Value at, int64_t width) {
  Value row = emitter.add(at, rows.begin);
  Value sum = arith::AddFOp::create(
      emitter, emitter.load(op.getGates(), {step, sample, row}, width),
      getProduct(emitter, sample, rows.begin, at, width));
  emitter.store(emitCellActivation(emitter, rows.activation, sum, width), sums,
                {sample, row});
}

void RecurrentCell::emitUnits(Emitter &emitter, Value step, Value sample,
                              Value unit, int64_t width) {
  int64_t units = op.getNumUnits();
  auto add = [&](Value a, Value b) -> Value {
    return arith::AddFOp::create(emitter, a, b);
  };
  auto mul = [&](Value a, Value b) -> Value {
    return arith::MulFOp::create(emitter, a, b);
  };
  auto getRow = [&](int64_t gate) { return emitter.add(unit, gate * units); };
  auto getInput = [&](int64_t gate) {
    return emitter.load(op.getGates(), {step, sample, getRow(gate)}, width);
  };
  auto getProductOf = [&](int64_t gate) {
    return getProduct(emitter, sample, gate * units, unit, width);
  };
  auto getGate = [&](int64_t gate, ActivationKind kind) -> Value {
    if (hasGates)
      return emitter.load(sums, {sample, getRow(gate)}, width);
    return emitCellActivation(emitter, kind,
                              add(getInput(gate), getProductOf(gate)), width);
  };
  using K = ActivationKind;
  switch (op.getCell()) {
  case CellKind::RNNTanh:
    return storeHidden(emitter, getGate(0, K::Tanh), step, sample, unit);
  case CellKind::RNNReLU:
    return storeHidden(emitter, getGate(0, K::ReLU), step, sample, unit);
  case CellKind::GRU: {
    Value r = getGate(0, K::Sigmoid);
    Value z = getGate(1, K::Sigmoid);
    Value n = emitCellActivation(
        emitter, K::Tanh, add(getInput(2), mul(r, getProductOf(2))), width);
    Value old = emitter.load(hidden, {sample, unit}, width);
    // As PyTorch computes (1 - z) * n + z * h.
    Value change = arith::SubFOp::create(emitter, old, n);
    return storeHidden(emitter, emitter.multiplyAdd(z, change, n), step, sample,
                       unit);
  }
  case CellKind::LSTM: {
    Value i = getGate(0, K::Sigmoid);
    Value f = getGate(1, K::Sigmoid);
    Value g = getGate(2, K::Tanh);
    Value o = getGate(3, K::Sigmoid);
    Value old = emitter.load(memory, {sample, unit}, width);
    Value c = add(mul(f, old), mul(i, g));
    emitter.store(c, op.getCellInit(), {sample, unit});
    Value h = mul(o, emitCellActivation(emitter, K::Tanh, c, width));
    if (!unprojected)
      return storeHidden(emitter, h, step, sample, unit);
    return emitter.store(h, unprojected, {sample, unit});
  }
  }
}

void loops::moveProjection(RecurrentOp op, OpBuilder &builder) {
  Block &body = op.getProjection().front();
  builder.getInsertionBlock()->getOperations().splice(
      builder.getInsertionPoint(), body.getOperations(), body.begin(),
      body.getTerminator()->getIterator());
}
