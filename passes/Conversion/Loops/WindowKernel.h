//===- WindowKernel.h - Block rows along the vector ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"
#include "passes/Conversion/Loops/WindowGroups.h"

namespace mlir::bcr::loops {

/// What the constants of the kernel take.
struct WindowBytes {
  int64_t values = 0;
  int64_t indices = 0;
};

/// Emits loops that add the products of `groups` to the output of `op`, or, if
/// they fill it, to its bias and residual. Groups that fill it have a segment
/// in every strip.
WindowBytes emitWindowKernel(MatmulOp op, const WindowGroups &groups,
                             bool fills, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H
