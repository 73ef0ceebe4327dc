//===- SampleBuffers.cpp - Activations of linear layers -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A linear layer of many samples reads and writes features x samples, and
// copies what is samples x features (SamplesLaunch.cpp). A buffer that only
// such layers use has the samples of a feature side by side from the start.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/SetVector.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;

/// Features a multiple of this many samples apart would share a few sets of a
/// cache; they are moved apart by a cache line.
static constexpr int64_t kBadPitch = 256;
static constexpr int64_t kCacheLine = 16;

Value gpu_kernels::allocateTransposed(OpBuilder &builder, Location loc,
                                      int64_t samples, int64_t features) {
  int64_t pitch = samples % kBadPitch == 0 ? samples + kCacheLine : samples;
  auto type = MemRefType::get({features, pitch}, builder.getF32Type());
  return memref::AllocOp::create(builder, loc, type,
                                 builder.getI64IntegerAttr(4 * kCacheLine));
}

Value gpu_kernels::viewTransposed(OpBuilder &builder, Location loc,
                                  Value buffer, int64_t samples) {
  auto type = cast<MemRefType>(buffer.getType());
  SmallVector<int64_t> sizes = {samples, type.getDimSize(0)};
  SmallVector<int64_t> strides = {1, type.getDimSize(1)};
  auto view = MemRefType::get(
      sizes, type.getElementType(),
      StridedLayoutAttr::get(builder.getContext(), /*offset=*/0, strides));
  return memref::ReinterpretCastOp::create(builder, loc, view, buffer,
                                           /*offset=*/0, sizes, strides);
}

/// Whether only linear layers of many samples use `buffer`, and one of them
/// reads what another wrote.
static bool isBetweenLayers(memref::AllocOp buffer) {
  MemRefType type = buffer.getType();
  if (type.getRank() != 2 || !type.hasStaticShape() ||
      !type.getElementType().isF32() || !type.getLayout().isIdentity())
    return false;
  bool isWritten = false, isRead = false;
  for (OpOperand &use : buffer->getUses()) {
    if (isa<memref::DeallocOp>(use.getOwner()))
      continue;
    auto matmul = dyn_cast<MatmulOp>(use.getOwner());
    if (!matmul || !hasManySamples(matmul))
      return false;
    isWritten |= &use == &matmul.getInitMutable();
    isRead |= &use == &matmul.getInputMutable();
  }
  return isWritten && isRead;
}

void gpu_kernels::transposeSamples(ModuleOp module) {
  llvm::SetVector<Operation *> buffers;
  module.walk([&](memref::AllocOp buffer) {
    if (isBetweenLayers(buffer))
      buffers.insert(buffer);
  });
  // A result and its residual are written and read in one order.
  auto isTiedToOthers = [&](Operation *buffer) {
    return llvm::any_of(buffer->getUsers(), [&](Operation *user) {
      auto matmul = dyn_cast<MatmulOp>(user);
      if (!matmul || !matmul.getResidual())
        return false;
      Operation *init = matmul.getInit().getDefiningOp();
      Operation *residual = matmul.getResidual().getDefiningOp();
      return (buffer == init || buffer == residual) &&
             buffers.contains(init) != buffers.contains(residual);
    });
  };
  while (buffers.remove_if(isTiedToOthers))
    ;
  for (Operation *op : buffers) {
    auto buffer = cast<memref::AllocOp>(op);
    OpBuilder builder(buffer);
    ArrayRef<int64_t> shape = buffer.getType().getShape();
    Value transposed =
        allocateTransposed(builder, buffer.getLoc(), shape[0], shape[1]);
    Value view = viewTransposed(builder, buffer.getLoc(), transposed, shape[0]);
    for (OpOperand &use : llvm::make_early_inc_range(buffer->getUses()))
      use.set(isa<memref::DeallocOp>(use.getOwner()) ? transposed : view);
    buffer.erase();
  }
}
