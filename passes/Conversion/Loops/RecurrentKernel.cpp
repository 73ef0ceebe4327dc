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
#include "passes/Conversion/Loops/KeptRows.h"
#include "passes/Conversion/Loops/RecurrentCell.h"

#include "dialect/Packed.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

namespace {
class RecurrentKernel {
public:
  RecurrentKernel(RecurrentOp op, ScheduleAttr schedule, int64_t lanes,
                  Emitter &emitter);

  RecurrentProducts emit();

private:
  /// Finds or makes what the equations work on.
  void prepare();
  /// The products of a step, and where the equations find them.
  RecurrentProducts emitProducts();
  /// A buffer of samples x `size`.
  Value allocate(int64_t size);
  /// Turns `size` elements into vectors and what is left. Unlike
  /// `Emitter::coverRange` no element is visited twice: states are read and
  /// written.
  void cover(int64_t size,
             llvm::function_ref<void(Value begin, int64_t width)> body);
  void emitStep(Value step);
  /// The gates of all units, before the equations that read them: each turn of
  /// a loop is one chain of operations, and more turns are at work at a time.
  void emitGates(Value step, Value sample);
  /// The layer of the projection, which writes the state, and the result.
  void emitProjection(Value step);

  RecurrentOp op;
  Emitter &emitter;
  ScheduleAttr schedule;
  int64_t lanes;
  int64_t units, features;
  int64_t knownSamples;
  Value samples;
  RecurrentCell cell;
  /// If the rows that are kept stay side by side.
  std::optional<KeptRows> kept;
};
} // namespace

RecurrentKernel::RecurrentKernel(RecurrentOp op, ScheduleAttr schedule,
                                 int64_t lanes, Emitter &emitter)
    : op(op), emitter(emitter), schedule(schedule), lanes(lanes),
      units(op.getNumUnits()), features(op.getNumColumns()), cell{op} {
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

void RecurrentKernel::emitGates(Value step, Value sample) {
  // llvm-mca sees no gain on cores of AArch64.
  if (emitter.multipliesByElement())
    return;
  for (const RecurrentCell::GateRows &rows : cell.getGateRows())
    cover(rows.end - rows.begin, [&](Value at, int64_t width) {
      cell.emitGates(emitter, step, sample, rows, at, width);
    });
  cell.hasGates = !cell.getGateRows().empty();
}

void RecurrentKernel::emitProjection(Value step) {
  moveProjection(op, emitter);
  emitter.loop(emitter.index(0), samples, 1, [&](Value sample) {
    cover(features, [&](Value feature, int64_t width) {
      emitter.store(emitter.load(cell.hidden, {sample, feature}, width),
                    op.getInit(), {step, sample, feature});
    });
  });
}

RecurrentProducts RecurrentKernel::emitProducts() {
  auto products = MatmulOp::create(
      emitter, /*result=*/TypeRange(), cell.hidden, op.getWeight(),
      /*bias=*/Value(), /*residual=*/Value(), cell.sums, ActivationAttr(),
      op.getLayerAttr(), op.getFormAttr(), op.getBlockAttr(),
      op.getScheduleAttr(), op.getChunksAttr());
  auto weights = op.getWeight().getDefiningOp<ConstantOp>();
  // Vectors of units are vectors of rows.
  if (!weights || units % lanes != 0 ||
      schedule.getKernel() != KernelKind::Rows || schedule.getLanes() != lanes)
    return {products};
  kept =
      KeptRows::take(products, readStructure(weights), weights, lanes, emitter);
  if (!kept)
    return {products};
  products->erase();
  int64_t bytes = kept->makeLists(emitter);
  cell.getSum = [this](Value sample, Value row) {
    Value number = arith::DivUIOp::create(emitter, row, emitter.index(lanes));
    return kept->spread(emitter, sample, number);
  };
  return {kept->getProducts(), bytes};
}

void RecurrentKernel::emitStep(Value step) {
  emitter.loop(emitter.index(0), samples, 1, [&](Value sample) {
    emitGates(step, sample);
    cover(units, [&](Value unit, int64_t width) {
      cell.emitUnits(emitter, step, sample, unit, width);
    });
  });
  if (kept)
    emitter.deallocate(kept->getBuffer());
  if (op.hasProjection())
    emitProjection(step);
}

void RecurrentKernel::prepare() {
  cell.sums = allocate(op.getNumRows());
  bool hasMemory = op.getCell() == CellKind::LSTM;
  cell.isLast = cast<MemRefType>(op.getGates().getType()).getDimSize(0) == 1 &&
                !op.hasProjection() && hasUnitStride(op.getHidden()) &&
                (!hasMemory || hasUnitStride(op.getCellState()));
  if (cell.isLast) {
    cell.hidden = op.getHidden();
    if (hasMemory)
      cell.memory = op.getCellState();
    return;
  }
  if (op.hasProjection()) {
    cell.unprojected = op.getScratch()[0];
    cell.hidden = op.getScratch()[1];
  } else {
    cell.hidden = allocate(features);
  }
  memref::CopyOp::create(emitter, op.getHidden(), cell.hidden);
  if (hasMemory) {
    cell.memory = op.getCellInit();
    memref::CopyOp::create(emitter, op.getCellState(), cell.memory);
  }
}

RecurrentProducts RecurrentKernel::emit() {
  prepare();
  Value steps = emitter.createOrFold<memref::DimOp>(op.getGates(), 0);
  RecurrentProducts products;
  emitter.loop(emitter.index(0), steps, 1, [&](Value number) {
    Value step = number;
    if (op.getReverse())
      step = emitter.sub(emitter.sub(steps, emitter.index(1)), number);
    products = emitProducts();
    emitStep(step);
  });
  if (!op.hasProjection() && !cell.isLast)
    emitter.deallocate(cell.hidden);
  emitter.deallocate(cell.sums);
  return products;
}

RecurrentProducts loops::emitRecurrentKernel(RecurrentOp op,
                                             ScheduleAttr schedule,
                                             int64_t lanes, Emitter &emitter) {
  return RecurrentKernel(op, schedule, lanes, emitter).emit();
}
