//===- ExpandArcs.h - Inverse trigonometric functions ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_EXPANDARCS_H
#define BCR_PASSES_CONVERSION_EXPANDARCS_H

#include "mlir/IR/Operation.h"

namespace mlir::bcr {

/// Replaces asin, acos, atan and atan2 in `root` by arithmetic, for machines
/// whose own are not accurate or not those of C.
LogicalResult expandArcs(Operation *root);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_EXPANDARCS_H
