//===- SeparateDestinations.h - A tensor of its own for each op -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_SEPARATEDESTINATIONS_H
#define BCR_PASSES_TRANSFORMS_SEPARATEDESTINATIONS_H

#include "mlir/Pass/Pass.h"

namespace mlir::bcr {

/// `bcr-separate-destinations`: gives each use of a `tensor.empty` one of its
/// own. Common subexpression elimination leaves one for all layers of a shape,
/// and one-shot bufferization compares all pairs of what is written to it with
/// all reads: 1.2 s for 400 layers, 20 ms where they are apart.
///
/// Requires: nothing. Ensures: each `tensor.empty` has one use at most. Fails
/// when: never.
std::unique_ptr<Pass> createSeparateDestinationsPass();

} // namespace mlir::bcr

#endif // BCR_PASSES_TRANSFORMS_SEPARATEDESTINATIONS_H
