//===- CellActivation.h - Sigmoid and tanh of a cell -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_CELLACTIVATION_H
#define BCR_PASSES_CONVERSION_LOOPS_CELLACTIVATION_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Emits an activation of `width` elements. Over all of f32, infinities
/// included, a sigmoid is off by at most 2e-7 and a tanh by 3e-7; NaN stays
/// NaN.
Value emitCellActivation(Emitter &emitter, ActivationKind kind, Value value,
                         int64_t width);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_CELLACTIVATION_H
