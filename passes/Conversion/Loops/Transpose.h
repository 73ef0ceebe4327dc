//===- Transpose.h - Samples into vectors and back -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_TRANSPOSE_H
#define BCR_PASSES_CONVERSION_LOOPS_TRANSPOSE_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Transposes a square of n vectors of n elements, n a power of two, in
/// registers: log2(n) rounds that exchange halves of pairs (Eklundh, 1972).
SmallVector<Value> transposeSquare(Emitter &emitter, ArrayRef<Value> vectors);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_TRANSPOSE_H
