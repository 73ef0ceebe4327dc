//===- WindowKernel.h - Columns along the vector ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"
#include "passes/Conversion/Loops/WindowGroups.h"

namespace mlir::bcr::loops {

/// Emits loops that add the products of `groups` to the output of `op`. Returns
/// the bytes of their indices.
int64_t emitWindowKernel(MatmulOp op, std::vector<WindowGroup> groups,
                         int64_t chunks, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H
