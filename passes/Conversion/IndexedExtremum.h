//===- IndexedExtremum.h - Where the largest element is --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_INDEXEDEXTREMUM_H
#define BCR_PASSES_CONVERSION_INDEXEDEXTREMUM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::bcr {

/// Replaces an operation on memrefs that reduces to the largest or smallest
/// element and to where it is (argmax, argmin) by two reductions that fill
/// vectors: the extremum, and the least index that has it or a NaN. Where
/// neither is, since the initial value is beyond all elements, the initial
/// index stays. An element that equals the initial value counts here and not in
/// the operation: with an infinity and the index 0, with which a search begins,
/// both give the first element. Returns whether it did.
bool splitIndexedExtremum(RewriterBase &rewriter, linalg::GenericOp op);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_INDEXEDEXTREMUM_H
