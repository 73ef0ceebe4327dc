//===- MergeExtrema.h - The extremum of extrema ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_MERGEEXTREMA_H
#define BCR_PASSES_TRANSFORMS_MERGEEXTREMA_H

#include "mlir/IR/PatternMatch.h"

namespace mlir::bcr {

/// Makes one reduction of a maximum, or minimum, over maxima that nothing else
/// reads. torch-mlir writes `amax` dimension by dimension, whose rows are too
/// short for vectors.
void populateMergeExtremaPatterns(RewritePatternSet &patterns);

} // namespace mlir::bcr

#endif // BCR_PASSES_TRANSFORMS_MERGEEXTREMA_H
