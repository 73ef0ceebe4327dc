//===- SamplesLaunch.cpp - Linear layers of many samples ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With as many samples as a work-group has work-items, samples are positions: a
// linear layer is a convolution with 1x1 taps over an image of one row. Its
// input is transposed, so that neighbouring work-items load neighbours; on a
// GPU its output and residual are views of the layer's, since each element of
// these is touched once. A processor would write every element to a cache line
// of its own, which share a few sets of the cache: there the output is
// transposed too.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/GPU/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;

/// Samples from which half a group of work-items or more has work.
static constexpr int64_t kMinSamples = 8;

/// Samples that a work-item transposes: a cache line of f32.
static constexpr int64_t kTile = 16;

bool gpu_kernels::hasManySamples(MatmulOp op) {
  return cast<MemRefType>(op.getInit().getType()).getDimSize(0) >= kMinSamples;
}

/// `memref` of samples x features as an image of one row with a channel for
/// each feature.
static Value viewAsImage(Emitter &emitter, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  [[maybe_unused]] LogicalResult known =
      type.getStridesAndOffset(strides, offset);
  assert(succeeded(known) && "the caller checks the layout");
  SmallVector<int64_t> sizes = {1, type.getDimSize(1), 1, type.getDimSize(0)};
  int64_t all = strides[0] * type.getDimSize(0);
  SmallVector<int64_t> steps = {all, strides[1], all, strides[0]};
  auto image = MemRefType::get(
      sizes, type.getElementType(),
      StridedLayoutAttr::get(emitter.getContext(), offset, steps));
  return memref::ReinterpretCastOp::create(emitter, image, memref, offset,
                                           sizes, steps);
}

/// Copies samples x features to features x samples or back. Work-items are
/// neighbouring features and have several samples each, so one side is read or
/// written in neighbours and the other in pieces of cache lines; with samples
/// side by side, features a power of two apart would share a set of a cache.
static void launchTranspose(
    Emitter &emitter, StringRef name, int64_t samples, int64_t features,
    llvm::function_ref<Value(Value sample, Value feature)> load,
    llvm::function_ref<void(Value value, Value sample, Value feature)> store) {
  int64_t tile = std::min(samples, kTile);
  int64_t tiles = llvm::divideCeil(samples, tile);
  Grid grid{features, tiles, 1, getGroupSize(features)};
  launch(emitter, name, grid, [&](const WorkItem &item) {
    // The last tile is moved back; what it has in common with the one before is
    // written twice.
    Value first = arith::MinUIOp::create(emitter, emitter.mul(item.y, tile),
                                         emitter.index(samples - tile));
    SmallVector<Value> values;
    for (int64_t i = 0; i < tile; ++i)
      values.push_back(load(emitter.add(first, i), item.x));
    for (auto [i, value] : llvm::enumerate(values))
      store(value, emitter.add(first, i), item.x);
  });
}

SamplesConv gpu_kernels::makeConv(MatmulOp op, const KernelOptions &options,
                                  Emitter &emitter) {
  int64_t samples = cast<MemRefType>(op.getInit().getType()).getDimSize(0);
  int64_t columns = op.getNumColumns();
  SamplesConv made;
  made.input = emitter.allocate({1, columns, 1, samples});
  std::string name = (op.getLayer().value_or("matmul") + ".transpose").str();
  Value zero = emitter.index(0);
  launchTranspose(
      emitter, name, samples, columns,
      [&](Value sample, Value feature) {
        return emitter.load(op.getInput(), {sample, feature});
      },
      [&](Value value, Value sample, Value feature) {
        emitter.store(value, made.input, {zero, feature, zero, sample});
      });
  Value residual, result;
  ActivationAttr activation;
  if (options.processor) {
    made.result = emitter.allocate({1, op.getNumRows(), 1, samples});
    made.result.getDefiningOp()->setAttr(kSumsAttrName, emitter.getUnitAttr());
    result = made.result;
  } else {
    result = viewAsImage(emitter, op.getInit());
    activation = op.getActivationAttr();
    if (op.getResidual())
      residual = viewAsImage(emitter, op.getResidual());
  }
  made.conv = Conv2DOp::create(
      emitter, /*result=*/Type(), made.input, op.getWeight(), op.getBias(),
      residual, result,
      /*kernel=*/ArrayRef<int64_t>{1, 1}, /*strides=*/ArrayRef<int64_t>{1, 1},
      /*padding=*/ArrayRef<int64_t>{0, 0, 0, 0},
      /*dilations=*/ArrayRef<int64_t>{1, 1}, /*groups=*/1, /*overread=*/0,
      GapsAttr(), activation, op.getLayerAttr(), op.getFormAttr(),
      op.getBlockAttr(), ScheduleAttr(), /*chunks=*/DenseI64ArrayAttr());
  return made;
}

void gpu_kernels::finishConv(MatmulOp op, const SamplesConv &made,
                             Emitter &emitter) {
  if (!made.result)
    return;
  std::string name =
      (op.getLayer().value_or("matmul") + ".transpose_back").str();
  Value zero = emitter.index(0);
  launchTranspose(
      emitter, name, cast<MemRefType>(op.getInit().getType()).getDimSize(0),
      op.getNumRows(),
      [&](Value sample, Value feature) {
        return emitter.load(made.result, {zero, feature, zero, sample});
      },
      [&](Value value, Value sample, Value feature) {
        if (op.getResidual())
          value = arith::AddFOp::create(
              emitter, value,
              emitter.load(op.getResidual(), {sample, feature}));
        emitter.store(buildActivation(emitter, emitter.getLoc(),
                                      op.getActivationAttr(), value),
                      op.getInit(), {sample, feature});
      });
}
