//===- FlattenBranches.h - Branches around kernels -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A part of bcr-launch-loops; no interface to others.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_FLATTENBRANCHES_H
#define BCR_PASSES_TRANSFORMS_FLATTENBRANCHES_H

#include "mlir/IR/Block.h"

namespace mlir::bcr {

/// Replaces each branch of `block`, and of loops in it, that has kernels or
/// loops that become some: both sides go in front of it, one after the other,
/// and what they do asks for the condition. Fails where a branch yields what a
/// kernel cannot pass on.
LogicalResult flattenBranches(Block &block);

} // namespace mlir::bcr

#endif // BCR_PASSES_TRANSFORMS_FLATTENBRANCHES_H
