//===- Launch.h - Kernels in place -----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A kernel is a `gpu.launch` in @main. Work-items of a group are neighbours in
// x, so addresses that grow with x by one are what a device loads at once.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_GPU_LAUNCH_H
#define BCR_PASSES_CONVERSION_GPU_LAUNCH_H

#include "passes/Conversion/Loops/Emitter.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::bcr::gpu_kernels {

using loops::Emitter;

/// Attribute of a launch: the layer it belongs to, or what it does.
inline constexpr StringRef kKernelAttrName = "bcr.kernel";

/// Attribute of a buffer: it has sums, to which more is added before they are
/// what a layer stores.
inline constexpr StringRef kSumsAttrName = "bcr.sums";

/// Work-items of a kernel: as many as there are, also where a device takes
/// fewer groups in y or z.
struct Grid {
  int64_t x = 1, y = 1, z = 1;
  /// Work-items of a group; x is rounded up to a multiple.
  int64_t local = 1;
};

/// The most work-items of a group that every device in use takes.
inline constexpr int64_t kMaxGroup = 64;

/// A group size for `count` work-items in x: all of them where they are few.
int64_t getGroupSize(int64_t count);

/// Where a work-item is.
struct WorkItem {
  /// Its group and its place in it.
  Value group, local;
  Value x, y, z;
};

/// Builds a launch of kernel `name` and its body. The body runs for every
/// work-item, also for those that rounding up adds.
gpu::LaunchOp launchAll(ImplicitLocOpBuilder &builder, StringRef name,
                        const Grid &grid,
                        llvm::function_ref<void(const WorkItem &)> body);

/// The same; the body runs for work-items inside the grid only.
gpu::LaunchOp launch(ImplicitLocOpBuilder &builder, StringRef name,
                     const Grid &grid,
                     llvm::function_ref<void(const WorkItem &)> body);

/// Emits `body` where `condition` holds.
void emitIf(ImplicitLocOpBuilder &builder, Value condition,
            llvm::function_ref<void()> body);
/// a < b, unsigned.
Value isLess(ImplicitLocOpBuilder &builder, Value a, Value b);

/// Elements of a memref of known layout as one dimension, from its first one.
/// `slack` more may be read after the last.
Value flatten(ImplicitLocOpBuilder &builder, Value memref, int64_t slack = 0);

/// The strides of a memref, or failure where they are not all known.
FailureOr<SmallVector<int64_t>> getKnownStrides(Value memref);

} // namespace mlir::bcr::gpu_kernels

#endif // BCR_PASSES_CONVERSION_GPU_LAUNCH_H
