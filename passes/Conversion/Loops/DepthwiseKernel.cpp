//===- DepthwiseKernel.cpp - Convolution of one channel each --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution whose outputs read one input channel each. There is no column
// to share between rows of W; the weights of the channel stay in registers.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/DepthwiseKernel.h"
#include "passes/Conversion/Loops/ImageRows.h"
#include "passes/Conversion/Loops/Kernel.h"
#include "passes/Conversion/Loops/PlaneKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Taps whose weights stay in registers, on machines with 16 and 32 of them;
/// four of them share one on machines that multiply by an element.
static constexpr int64_t kTapsInRegisters = 9;
static constexpr int64_t kTapsInManyRegisters = 25;

namespace {
class DepthwiseKernel : public PlaneKernel {
public:
  DepthwiseKernel(Conv2DOp op, ScheduleAttr schedule, Emitter &emitter)
      : PlaneKernel(emitter, op.getInput(), op.getInit(), getWindow(op),
                    schedule.getHeight(), schedule.getVectors(),
                    schedule.getLanes(), /*outside=*/0),
        op(op) {
    // Without registers for all weights, those of one window column are alive
    // at a time.
    tapsTogether = y.kernel * x.kernel <=
                   (schedule.getLanes() >= 16 || emitter.multipliesByElement()
                        ? kTapsInManyRegisters
                        : kTapsInRegisters);
  }

  void emit(ElementsAttr values);

private:
  void beginTile() override {
    if (!tapsTogether)
      weights.assign(y.kernel * x.kernel, Value());
  }
  Value start() override { return bias; }
  Value combine(Value sum, Value loaded, int64_t tapY, int64_t tapX) override {
    Value &weight = weights[tapY * x.kernel + tapX];
    if (!weight)
      weight = loadWeight(tapY * x.kernel + tapX);
    return emitter.multiplyAdd(weight, loaded, sum);
  }
  Value finish(Value sum, const Place &at) override {
    if (residual.flat)
      sum = arith::AddFOp::create(
          emitter, sum, loadOutput(residual, getPosition(residual, at)));
    return emitter.activate(op.getActivationAttr(), sum);
  }
  void endRows(Value firstRow, int64_t rows) override {
    if (op.getGaps() == Gaps::Zero)
      for (int64_t row = 0; row < rows; ++row)
        emitZeroGap(emitter, op, {sample, channel, emitter.add(firstRow, row)});
  }
  Value loadWeight(int64_t tap) {
    return emitter.broadcast(
        emitter.load(weightTable, emitter.add(weightBase, tap)), width);
  }

  Conv2DOp op;
  Value weightTable;
  // Of the plane that is being emitted.
  Plane residual;
  Value sample, channel, weightBase, bias;
  SmallVector<Value> weights;
};
} // namespace

void DepthwiseKernel::emit(ElementsAttr values) {
  recordCopies(emitter, op, /*inputElements=*/0, /*outputElements=*/0);
  weightTable = emitter.global("values", values);
  int64_t channels = op.getNumRows(), taps = y.kernel * x.kernel;
  forEachPlane([&](Value planeSample, Value planeChannel) {
    sample = planeSample;
    channel = planeChannel;
    if (op.getResidual())
      residual = getPlane(op.getResidual(), sample, channel);
    bias = op.getBias()
               ? emitter.broadcast(emitter.load(op.getBias(), channel), width)
               : emitter.constant(0, width);
    weightBase = emitter.mul(channel, taps);
    if (tapsTogether) {
      Factors factors(emitter, weightTable, weightBase, taps, width);
      for (int64_t tap = 0; tap < taps; ++tap)
        weights.push_back(factors.get(tap));
    }
    Value source = emitter.div(channel, channels / op.getGroups());
    emitPlane(getPlane(op.getInput(), sample, source),
              getPlane(op.getInit(), sample, channel));
  });
}

bool loops::canRunDepthwise(Conv2DOp op, ConstantOp weights) {
  SmallVector<Value> images = {op.getInput(), op.getInit()};
  if (op.getResidual())
    images.push_back(op.getResidual());
  return op.getNumColumns() == op.getKernel()[0] * op.getKernel()[1] &&
         readStructure(weights).getNumValues() ==
             op.getNumRows() * op.getNumColumns() &&
         PlaneKernel::canWalk(images, getWindow(op));
}

LogicalResult loops::emitDepthwiseKernel(Conv2DOp op, ConstantOp weights,
                                         ScheduleAttr schedule,
                                         Emitter &emitter) {
  FailureOr<std::vector<float>> dense = readDense(weights);
  if (failed(dense))
    return op.emitOpError(
        "the values of its weights are a resource without data");
  ElementsAttr values =
      makeFloatElements({static_cast<int64_t>(dense->size())},
                        (emitter.getLayerName() + ".values").str(),
                        std::move(*dense), op.getContext());
  DepthwiseKernel(op, schedule, emitter).emit(values);
  return success();
}
