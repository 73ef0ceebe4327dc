//===- RecurrentToLinalg.h - A recurrent layer as a loop -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_RECURRENTTOLINALG_H
#define BCR_PASSES_CONVERSION_RECURRENTTOLINALG_H

#include "dialect/BCR.h"

namespace mlir::bcr {

/// Builds a loop over the steps, on tensors, with the meaning of `op`: a
/// `bcr.matmul` with the layer's weights and element-wise linalg for the
/// equations of the cell. Returns the op's results.
SmallVector<Value> buildRecurrence(RecurrentOp op, OpBuilder &builder);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_RECURRENTTOLINALG_H
