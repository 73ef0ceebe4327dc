//===- RecurrentLaunch.cpp - Steps of a recurrent layer -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step needs the whole state of the step before, and work-groups meet at the
// end of a kernel only: a step is a launch of the products of the state with
// the weights of all gates, and one of the equations, a work-item a unit, which
// adds up what several groups of weights have of a row.
// The host repeats them; kernels get the number of the step as an argument, so
// the code does not depend on the number of steps. A projection is a layer,
// whose kernels are there already, and a copy of its result.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/RecurrentCell.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

LogicalResult gpu_kernels::emitRecurrent(
    RecurrentOp op, Emitter &emitter,
    llvm::function_ref<FailureOr<RowParts>(MatmulOp)> emitProducts) {
  auto type = cast<MemRefType>(op.getGates().getType());
  int64_t steps = type.getDimSize(0), samples = type.getDimSize(1);
  int64_t units = op.getNumUnits(), features = op.getNumColumns();
  RecurrentCell cell{op};
  cell.sums = emitter.allocate({samples, op.getNumRows()});
  if (op.hasProjection()) {
    cell.unprojected = op.getScratch()[0];
    cell.hidden = op.getScratch()[1];
  } else {
    cell.hidden = emitter.allocate({samples, features});
  }
  memref::CopyOp::create(emitter, op.getHidden(), cell.hidden);
  if (op.getCell() == CellKind::LSTM) {
    cell.memory = op.getCellInit();
    memref::CopyOp::create(emitter, op.getCellState(), cell.memory);
  }

  StringRef name = op.getLayer().value_or("recurrent");
  LogicalResult emitted = success();
  emitter.loop(emitter.index(0), emitter.index(steps), 1, [&](Value number) {
    auto products = MatmulOp::create(
        emitter, /*result=*/TypeRange(), cell.hidden, op.getWeight(),
        /*bias=*/Value(), /*residual=*/Value(), cell.sums, ActivationAttr(),
        op.getLayerAttr(), op.getFormAttr(), op.getBlockAttr(),
        op.getScheduleAttr(), op.getChunksAttr());
    FailureOr<RowParts> parts = emitProducts(products);
    if (failed(parts)) {
      emitted = failure();
      return;
    }
    if (*parts)
      cell.getSum = [&](Value sample, Value row) {
        return parts->getSum(emitter, sample, row);
      };
    auto launchStep =
        [&](int64_t items,
            llvm::function_ref<void(Value step, Value sample, Value at)> body) {
          launch(emitter, name, {items, samples, 1, getGroupSize(items)},
                 [&](const WorkItem &item) {
                   Value step =
                       op.getReverse()
                           ? emitter.sub(emitter.index(steps - 1), number)
                           : number;
                   body(step, item.y, item.x);
                 });
        };
    launchStep(units, [&](Value step, Value sample, Value unit) {
      cell.emitUnits(emitter, step, sample, unit, /*width=*/1);
    });
    if (*parts)
      emitter.deallocate(parts->getBuffer());
    if (op.hasProjection()) {
      moveProjection(op, emitter);
      launchStep(features, [&](Value step, Value sample, Value feature) {
        emitter.store(emitter.load(cell.hidden, {sample, feature}),
                      op.getInit(), {step, sample, feature});
      });
    }
  });
  if (!op.hasProjection())
    emitter.deallocate(cell.hidden);
  emitter.deallocate(cell.sums);
  return emitted;
}
