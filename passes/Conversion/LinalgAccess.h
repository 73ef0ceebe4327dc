//===- LinalgAccess.h - How loops walk operands ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LINALGACCESS_H
#define BCR_PASSES_CONVERSION_LINALGACCESS_H

#include "mlir/IR/AffineMap.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::bcr {

/// The cost of walking an operand of a linalg operation on memrefs along a
/// loop: 0 stays, 1 unit stride, more for each worse kind.
int64_t getWalkCost(AffineMap map, Type type, unsigned loop);

/// Where an operand is accessed at a turn of the loops.
SmallVector<Value> getAccess(ImplicitLocOpBuilder &builder, AffineMap map,
                             ValueRange counters);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_LINALGACCESS_H
