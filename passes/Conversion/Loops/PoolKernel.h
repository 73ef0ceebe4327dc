//===- PoolKernel.h - Maximum and sum of a window --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_POOLKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_POOLKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Emits one position of the result of a pooling.
void emitPoolPosition(Pool2DOp op, Emitter &emitter, Value sample,
                      Value channel, Value y, Value x);

/// Emits the loops of a pooling with vectors of up to `lanes` positions.
void emitPoolKernel(Pool2DOp op, int64_t lanes, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_POOLKERNEL_H
