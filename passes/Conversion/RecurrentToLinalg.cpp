//===- RecurrentToLinalg.cpp - A recurrent layer as a loop ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The equations of PyTorch's documentation of GRU, LSTM and RNN, term by term.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/RecurrentToLinalg.h"
#include "passes/Conversion/ActivationToArith.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

using namespace mlir;
using namespace mlir::bcr;

namespace {
class Recurrence {
public:
  Recurrence(RecurrentOp op, OpBuilder &builder)
      : op(op), b(op.getLoc(), builder) {}

  SmallVector<Value> build();

private:
  /// What one step makes of the sequence's result and the states.
  SmallVector<Value> buildStep(Value step, ValueRange carried);
  /// A part of the equations, for each unit: its value from a scalar of each of
  /// `inputs`.
  Value forEachUnit(ValueRange inputs,
                    function_ref<Value(OpBuilder &, Location, ValueRange)> f);
  /// The columns of gate `gate`, one for each unit.
  Value getGate(Value all, int64_t gate);
  Value activate(OpBuilder &builder, Location loc, ActivationKind kind,
                 Value value) {
    return buildActivation(builder, loc,
                           ActivationAttr::get(b.getContext(), kind), value);
  }
  /// The layer of the projection, applied to the units' outputs.
  Value project(Value hidden);

  RecurrentOp op;
  ImplicitLocOpBuilder b;
  OpFoldResult samples;
};
} // namespace

Value Recurrence::forEachUnit(
    ValueRange inputs,
    function_ref<Value(OpBuilder &, Location, ValueRange)> f) {
  Value init = tensor::EmptyOp::create(
      b, {samples, b.getIndexAttr(op.getNumUnits())}, b.getF32Type());
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              b.getMultiDimIdentityMap(/*rank=*/2));
  SmallVector<utils::IteratorType> iterators(2, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             b, init.getType(), inputs, init, maps, iterators,
             [&](OpBuilder &builder, Location loc, ValueRange args) {
               linalg::YieldOp::create(builder, loc, f(builder, loc, args));
             })
      ->getResult(0);
}

Value Recurrence::getGate(Value all, int64_t gate) {
  int64_t units = op.getNumUnits();
  return tensor::ExtractSliceOp::create(
      b, all,
      ArrayRef<OpFoldResult>{b.getIndexAttr(0), b.getIndexAttr(gate * units)},
      ArrayRef<OpFoldResult>{samples, b.getIndexAttr(units)},
      ArrayRef<OpFoldResult>{b.getIndexAttr(1), b.getIndexAttr(1)});
}

Value Recurrence::project(Value hidden) {
  Block &body = op.getProjection().front();
  auto type = cast<RankedTensorType>(body.getArgument(1).getType());
  Value init = tensor::EmptyOp::create(
      b, {samples, b.getIndexAttr(op.getNumColumns())}, b.getF32Type());
  IRMapping mapping;
  mapping.map(body.getArgument(0), b.createOrFold<tensor::CastOp>(
                                       body.getArgument(0).getType(), hidden));
  mapping.map(body.getArgument(1), b.createOrFold<tensor::CastOp>(type, init));
  for (Operation &inner : body.without_terminator())
    b.clone(inner, mapping);
  return mapping.lookup(body.getTerminator()->getOperand(0));
}

SmallVector<Value> Recurrence::buildStep(Value step, ValueRange carried) {
  Value sequence = carried[0];
  Value hidden = carried[1];
  int64_t rows = op.getNumRows();
  int64_t features = op.getNumColumns();
  OpFoldResult zero = b.getIndexAttr(0), one = b.getIndexAttr(1);
  auto known = [](Value value) {
    return cast<RankedTensorType>(value.getType()).getDimSize(0);
  };
  Value x = tensor::ExtractSliceOp::create(
      b, RankedTensorType::get({known(hidden), rows}, b.getF32Type()),
      op.getGates(), ArrayRef<OpFoldResult>{step, zero, zero},
      ArrayRef<OpFoldResult>{one, samples, b.getIndexAttr(rows)},
      ArrayRef<OpFoldResult>{one, one, one});
  Value init = tensor::EmptyOp::create(b, {samples, b.getIndexAttr(rows)},
                                       b.getF32Type());
  Value bias = op.getBias();
  if (bias && cast<ShapedType>(bias.getType()).getDimSize(0) != rows) {
    auto type = RankedTensorType::get({rows}, b.getF32Type());
    auto zeros = arith::ConstantOp::create(
        b, DenseElementsAttr::get(type, b.getF32FloatAttr(0)));
    int64_t units = op.getNumUnits();
    bias = tensor::InsertSliceOp::create(
        b, bias, zeros, ArrayRef<OpFoldResult>{b.getIndexAttr(rows - units)},
        ArrayRef<OpFoldResult>{b.getIndexAttr(units)},
        ArrayRef<OpFoldResult>{one});
  }
  Value s = MatmulOp::create(b, init.getType(), hidden, op.getWeight(), bias,
                             /*residual=*/Value(), init, ActivationAttr(),
                             op.getLayerAttr(), FormAttr(), DenseI64ArrayAttr(),
                             ScheduleAttr(),
                             /*chunks=*/DenseI64ArrayAttr())
                ->getResult(0);

  using K = ActivationKind;
  // activation(x_g + s_g)
  auto gate = [&](int64_t index, ActivationKind kind) {
    return forEachUnit({getGate(x, index), getGate(s, index)},
                       [&](OpBuilder &builder, Location loc, ValueRange args) {
                         Value sum = arith::AddFOp::create(builder, loc,
                                                           args[0], args[1]);
                         return activate(builder, loc, kind, sum);
                       });
  };
  SmallVector<Value> states;
  switch (op.getCell()) {
  case CellKind::RNNTanh:
    states = {gate(0, K::Tanh)};
    break;
  case CellKind::RNNReLU:
    states = {gate(0, K::ReLU)};
    break;
  case CellKind::GRU: {
    Value r = gate(0, K::Sigmoid);
    Value z = gate(1, K::Sigmoid);
    Value n = forEachUnit(
        {getGate(x, 2), r, getGate(s, 2)},
        [&](OpBuilder &builder, Location loc, ValueRange args) {
          Value product = arith::MulFOp::create(builder, loc, args[1], args[2]);
          Value sum = arith::AddFOp::create(builder, loc, args[0], product);
          return activate(builder, loc, K::Tanh, sum);
        });
    states = {forEachUnit(
        {z, n, hidden},
        [&](OpBuilder &builder, Location loc, ValueRange args) -> Value {
          Value number = arith::ConstantOp::create(builder, loc,
                                                   builder.getF32FloatAttr(1));
          Value rest = arith::SubFOp::create(builder, loc, number, args[0]);
          Value fresh = arith::MulFOp::create(builder, loc, rest, args[1]);
          Value old = arith::MulFOp::create(builder, loc, args[0], args[2]);
          return arith::AddFOp::create(builder, loc, fresh, old);
        })};
    break;
  }
  case CellKind::LSTM: {
    Value i = gate(0, K::Sigmoid);
    Value f = gate(1, K::Sigmoid);
    Value g = gate(2, K::Tanh);
    Value o = gate(3, K::Sigmoid);
    Value c = forEachUnit(
        {f, carried[2], i, g},
        [&](OpBuilder &builder, Location loc, ValueRange args) -> Value {
          Value old = arith::MulFOp::create(builder, loc, args[0], args[1]);
          Value fresh = arith::MulFOp::create(builder, loc, args[2], args[3]);
          return arith::AddFOp::create(builder, loc, old, fresh);
        });
    Value h = forEachUnit(
        {o, c},
        [&](OpBuilder &builder, Location loc, ValueRange args) -> Value {
          return arith::MulFOp::create(
              builder, loc, args[0], activate(builder, loc, K::Tanh, args[1]));
        });
    states = {op.hasProjection() ? project(h) : h, c};
    break;
  }
  }
  Value updated = tensor::InsertSliceOp::create(
      b, states[0], sequence, ArrayRef<OpFoldResult>{step, zero, zero},
      ArrayRef<OpFoldResult>{one, samples, b.getIndexAttr(features)},
      ArrayRef<OpFoldResult>{one, one, one});
  SmallVector<Value> results = {updated};
  for (auto [state, before] : llvm::zip(states, carried.drop_front()))
    results.push_back(b.createOrFold<tensor::CastOp>(before.getType(), state));
  return results;
}

SmallVector<Value> Recurrence::build() {
  samples = tensor::getMixedSize(b, b.getLoc(), op.getHidden(), 0);
  Value steps = b.createOrFold<tensor::DimOp>(op.getGates(), 0);
  Value zero = arith::ConstantIndexOp::create(b, 0);
  Value one = arith::ConstantIndexOp::create(b, 1);
  SmallVector<Value> start = {op.getInit()};
  llvm::append_range(start, op.getStates());
  auto loop = scf::ForOp::create(b, zero, steps, one, start);
  {
    OpBuilder::InsertionGuard guard(b);
    b.setInsertionPointToStart(loop.getBody());
    Value step = loop.getInductionVar();
    if (op.getReverse()) {
      Value last = arith::SubIOp::create(b, steps, one);
      step = arith::SubIOp::create(b, last, step);
    }
    scf::YieldOp::create(b, buildStep(step, loop.getRegionIterArgs()));
  }
  SmallVector<Value> results = {loop.getResult(0)};
  if (op.getCell() == CellKind::LSTM)
    results.push_back(b.createOrFold<tensor::CastOp>(op.getCellInit().getType(),
                                                     loop.getResult(2)));
  return results;
}

SmallVector<Value> mlir::bcr::buildRecurrence(RecurrentOp op,
                                              OpBuilder &builder) {
  return Recurrence(op, builder).build();
}
