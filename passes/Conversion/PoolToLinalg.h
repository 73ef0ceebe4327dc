//===- PoolToLinalg.h - The meaning of poolings in linalg ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_POOLTOLINALG_H
#define BCR_PASSES_CONVERSION_POOLTOLINALG_H

#include "dialect/BCR.h"

namespace mlir::bcr {

/// Builds linalg on tensors with the meaning of `op`, which is on tensors, and
/// returns its result.
Value buildPool(Pool2DOp op, OpBuilder &builder);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_POOLTOLINALG_H
