//===- RecurrentKernel.cpp - Steps of a recurrent layer -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The weights of all gates are one matrix, so a step reads the state once and
// each weight once. The sums of a step are a few kilobytes and stay in the
// first cache until the equations of the cell read them; the state is updated
// in place.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/RecurrentKernel.h"
#include "passes/Conversion/ActivationToArith.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

namespace {
class RecurrentKernel {
public:
  RecurrentKernel(RecurrentOp op, int64_t lanes, Emitter &emitter);

  MatmulOp emit();

private:
  /// A buffer of samples x `size`.
  Value allocate(int64_t size);
  /// Turns `size` elements into vectors and what is left. Unlike
  /// `Emitter::coverRange` no element is visited twice: states are read and
  /// written.
  void cover(int64_t size,
             llvm::function_ref<void(Value begin, int64_t width)> body);
  /// The equations for `width` units of a sample from `unit` on.
  void emitCell(Value step, Value sample, Value unit, int64_t width);
  void emitProjection(Value step, Value sample);
  /// Stores the new h.
  void storeHidden(Value value, Value step, Value sample, Value unit);

  Value add(Value a, Value b) { return arith::AddFOp::create(emitter, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(emitter, a, b); }
  Value apply(ActivationKind kind, Value value) {
    return buildActivation(emitter, emitter.getLoc(),
                           ActivationAttr::get(emitter.getContext(), kind),
                           value);
  }

  RecurrentOp op;
  Emitter &emitter;
  int64_t lanes;
  int64_t units, features;
  int64_t knownSamples;
  Value samples;
  /// h of the last step, the products of h with the weights, and o * tanh(c)
  /// where that is projected.
  Value hidden, sums, unprojected;
};
} // namespace

RecurrentKernel::RecurrentKernel(RecurrentOp op, int64_t lanes,
                                 Emitter &emitter)
    : op(op), emitter(emitter), lanes(lanes), units(op.getNumUnits()),
      features(op.getNumColumns()) {
  auto type = cast<MemRefType>(op.getGates().getType());
  knownSamples = type.getDimSize(1);
  if (ShapedType::isDynamic(knownSamples))
    knownSamples = cast<MemRefType>(op.getHidden().getType()).getDimSize(0);
  samples = emitter.createOrFold<memref::DimOp>(op.getGates(), 1);
}

Value RecurrentKernel::allocate(int64_t size) {
  if (!ShapedType::isDynamic(knownSamples))
    return emitter.allocate({knownSamples, size});
  auto type =
      MemRefType::get({ShapedType::kDynamic, size}, emitter.getF32Type());
  return memref::AllocOp::create(emitter, type, samples);
}

void RecurrentKernel::cover(
    int64_t size, llvm::function_ref<void(Value begin, int64_t width)> body) {
  int64_t full = size - size % lanes;
  if (full > 0)
    emitter.loop(emitter.index(0), emitter.index(full), lanes,
                 [&](Value begin) { body(begin, lanes); });
  for (int64_t width = lanes / 2, begin = full; begin < size; width /= 2)
    if (width <= size - begin) {
      body(emitter.index(begin), width);
      begin += width;
    }
}

void RecurrentKernel::storeHidden(Value value, Value step, Value sample,
                                  Value unit) {
  emitter.store(value, op.getInit(), {step, sample, unit});
  emitter.store(value, hidden, {sample, unit});
}

void RecurrentKernel::emitCell(Value step, Value sample, Value unit,
                               int64_t width) {
  auto getInput = [&](int64_t gate) {
    return emitter.load(op.getGates(),
                        {step, sample, emitter.add(unit, gate * units)}, width);
  };
  auto getSum = [&](int64_t gate) {
    return emitter.load(sums, {sample, emitter.add(unit, gate * units)}, width);
  };
  auto getGate = [&](int64_t gate, ActivationKind kind) {
    return apply(kind, add(getInput(gate), getSum(gate)));
  };
  using K = ActivationKind;
  switch (op.getCell()) {
  case CellKind::RNNTanh:
    return storeHidden(getGate(0, K::Tanh), step, sample, unit);
  case CellKind::RNNReLU:
    return storeHidden(getGate(0, K::ReLU), step, sample, unit);
  case CellKind::GRU: {
    Value r = getGate(0, K::Sigmoid);
    Value z = getGate(1, K::Sigmoid);
    Value n = apply(K::Tanh, add(getInput(2), mul(r, getSum(2))));
    Value old = emitter.load(hidden, {sample, unit}, width);
    Value rest = arith::SubFOp::create(emitter, emitter.constant(1, width), z);
    return storeHidden(add(mul(rest, n), mul(z, old)), step, sample, unit);
  }
  case CellKind::LSTM: {
    Value i = getGate(0, K::Sigmoid);
    Value f = getGate(1, K::Sigmoid);
    Value g = getGate(2, K::Tanh);
    Value o = getGate(3, K::Sigmoid);
    Value old = emitter.load(op.getCellInit(), {sample, unit}, width);
    Value c = add(mul(f, old), mul(i, g));
    emitter.store(c, op.getCellInit(), {sample, unit});
    Value h = mul(o, apply(K::Tanh, c));
    if (!unprojected)
      return storeHidden(h, step, sample, unit);
    return emitter.store(h, unprojected, {sample, unit});
  }
  }
}

/// h[p] = sum over u of projection[p, u] * unprojected[u], in vectors along u.
void RecurrentKernel::emitProjection(Value step, Value sample) {
  int64_t full = units - units % lanes;
  emitter.loop(features, [&](Value feature) {
    Value sum = emitter.constant(0, 1);
    if (full > 0) {
      Value partial =
          emitter
              .reduce(emitter.index(0), emitter.index(full), lanes,
                      emitter.constant(0, lanes),
                      [&](Value unit, ValueRange sums) -> SmallVector<Value> {
                        return {emitter.multiplyAdd(
                            emitter.load(op.getProjection(), {feature, unit},
                                         lanes),
                            emitter.load(unprojected, {sample, unit}, lanes),
                            sums[0])};
                      })
              .front();
      sum = lanes == 1 ? partial
                       : vector::ReductionOp::create(
                             emitter, vector::CombiningKind::ADD, partial)
                             .getResult();
    }
    for (int64_t unit = full; unit < units; ++unit)
      sum = emitter.multiplyAdd(
          emitter.load(op.getProjection(), {feature, emitter.index(unit)}),
          emitter.load(unprojected, {sample, emitter.index(unit)}), sum);
    storeHidden(sum, step, sample, feature);
  });
}

MatmulOp RecurrentKernel::emit() {
  hidden = allocate(features);
  sums = allocate(op.getNumRows());
  if (op.getProjection())
    unprojected = allocate(units);
  memref::CopyOp::create(emitter, op.getHidden(), hidden);
  if (op.getCell() == CellKind::LSTM)
    memref::CopyOp::create(emitter, op.getCellState(), op.getCellInit());
  Value steps = emitter.createOrFold<memref::DimOp>(op.getGates(), 0);
  MatmulOp products;
  emitter.loop(emitter.index(0), steps, 1, [&](Value number) {
    Value step = number;
    if (op.getReverse())
      step = emitter.sub(emitter.sub(steps, emitter.index(1)), number);
    products = MatmulOp::create(
        emitter, /*result=*/TypeRange(), hidden, op.getWeight(), op.getBias(),
        /*residual=*/Value(), sums, ActivationAttr(), op.getLayerAttr(),
        op.getFormAttr(), op.getBlockAttr(), op.getScheduleAttr(),
        op.getChunksAttr());
    emitter.loop(emitter.index(0), samples, 1, [&](Value sample) {
      cover(units, [&](Value unit, int64_t width) {
        emitCell(step, sample, unit, width);
      });
      if (unprojected)
        emitProjection(step, sample);
    });
  });
  for (Value buffer : {hidden, sums, unprojected})
    if (buffer)
      emitter.deallocate(buffer);
  return products;
}

MatmulOp loops::emitRecurrentKernel(RecurrentOp op, int64_t lanes,
                                    Emitter &emitter) {
  return RecurrentKernel(op, lanes, emitter).emit();
}
