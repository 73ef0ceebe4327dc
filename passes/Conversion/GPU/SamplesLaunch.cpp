//===- SamplesLaunch.cpp - Linear layers of many samples ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With as many samples as a work-group has work-items, samples are positions: a
// linear layer is a convolution with 1x1 taps over an image of one row. Its
// input is transposed, so that neighbouring work-items load neighbours; its
// output and residual are views of the layer's, since each element of these is
// touched once.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;

/// Samples from which half a group of work-items or more has work.
static constexpr int64_t kMinSamples = 8;

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

std::pair<Conv2DOp, Value> gpu_kernels::makeConv(MatmulOp op,
                                                 Emitter &emitter) {
  int64_t samples = cast<MemRefType>(op.getInit().getType()).getDimSize(0);
  int64_t columns = op.getNumColumns();
  Value transposed = emitter.allocate({1, columns, 1, samples});
  std::string name = (op.getLayer().value_or("matmul") + ".transpose").str();
  launch(emitter, name, {samples, columns, 1, getGroupSize(samples)},
         [&](const WorkItem &item) {
           Value zero = emitter.index(0);
           emitter.store(emitter.load(op.getInput(), {item.x, item.y}),
                         transposed, {zero, item.y, zero, item.x});
         });
  Value residual = op.getResidual();
  if (residual)
    residual = viewAsImage(emitter, residual);
  auto conv = Conv2DOp::create(
      emitter, /*result=*/Type(), transposed, op.getWeight(), op.getBias(),
      residual, viewAsImage(emitter, op.getInit()),
      /*kernel=*/ArrayRef<int64_t>{1, 1}, /*strides=*/ArrayRef<int64_t>{1, 1},
      /*padding=*/ArrayRef<int64_t>{0, 0, 0, 0},
      /*dilations=*/ArrayRef<int64_t>{1, 1}, /*groups=*/1, /*overread=*/0,
      GapsAttr(), op.getActivationAttr(), op.getLayerAttr(), op.getFormAttr(),
      op.getBlockAttr(), ScheduleAttr(), /*chunks=*/DenseI64ArrayAttr());
  return {conv, transposed};
}
