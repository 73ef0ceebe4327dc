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
#include "passes/Conversion/Loops/RecurrentCell.h"

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
  void emitProjection(Value step, Value sample);

  RecurrentOp op;
  Emitter &emitter;
  int64_t lanes;
  int64_t units, features;
  int64_t knownSamples;
  Value samples;
  RecurrentCell cell;
};
} // namespace

RecurrentKernel::RecurrentKernel(RecurrentOp op, int64_t lanes,
                                 Emitter &emitter)
    : op(op), emitter(emitter), lanes(lanes), units(op.getNumUnits()),
      features(op.getNumColumns()), cell{op, Value(), Value(), Value()} {
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

/// h[p] = sum over u of projection[p, u] * unprojected[u], in vectors along u.
void RecurrentKernel::emitProjection(Value step, Value sample) {
  int64_t full = units - units % lanes;
  emitter.loop(features, [&](Value feature) {
    Value sum = emitter.constant(0, 1);
    if (full > 0) {
      Value partial =
          emitter
              .reduce(
                  emitter.index(0), emitter.index(full), lanes,
                  emitter.constant(0, lanes),
                  [&](Value unit, ValueRange sums) -> SmallVector<Value> {
                    return {emitter.multiplyAdd(
                        emitter.load(op.getProjection(), {feature, unit},
                                     lanes),
                        emitter.load(cell.unprojected, {sample, unit}, lanes),
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
          emitter.load(cell.unprojected, {sample, emitter.index(unit)}), sum);
    cell.storeHidden(emitter, sum, step, sample, feature);
  });
}

MatmulOp RecurrentKernel::emit() {
  cell.hidden = allocate(features);
  cell.sums = allocate(op.getNumRows());
  if (op.getProjection())
    cell.unprojected = allocate(units);
  memref::CopyOp::create(emitter, op.getHidden(), cell.hidden);
  if (op.getCell() == CellKind::LSTM)
    memref::CopyOp::create(emitter, op.getCellState(), op.getCellInit());
  Value steps = emitter.createOrFold<memref::DimOp>(op.getGates(), 0);
  MatmulOp products;
  emitter.loop(emitter.index(0), steps, 1, [&](Value number) {
    Value step = number;
    if (op.getReverse())
      step = emitter.sub(emitter.sub(steps, emitter.index(1)), number);
    products =
        MatmulOp::create(emitter, /*result=*/TypeRange(), cell.hidden,
                         op.getWeight(), op.getBias(),
                         /*residual=*/Value(), cell.sums, ActivationAttr(),
                         op.getLayerAttr(), op.getFormAttr(), op.getBlockAttr(),
                         op.getScheduleAttr(), op.getChunksAttr());
    emitter.loop(emitter.index(0), samples, 1, [&](Value sample) {
      cover(units, [&](Value unit, int64_t width) {
        cell.emitUnits(emitter, step, sample, unit, width);
      });
      if (cell.unprojected)
        emitProjection(step, sample);
    });
  });
  for (Value buffer : {cell.hidden, cell.sums, cell.unprojected})
    if (buffer)
      emitter.deallocate(buffer);
  return products;
}

MatmulOp loops::emitRecurrentKernel(RecurrentOp op, int64_t lanes,
                                    Emitter &emitter) {
  return RecurrentKernel(op, lanes, emitter).emit();
}
