//===- Contraction.h - Sums of products in registers -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_CONTRACTION_H
#define BCR_PASSES_CONVERSION_CONTRACTION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace mlir::bcr {

/// What the code for a contraction may use.
struct ContractionOptions {
  /// Elements of 32 bits in a vector register, and the number of registers.
  int64_t lanes, registers;
  /// Whether threads share the loops.
  bool parallel;
};

/// Emits the loops of an operation on memrefs that adds up products of two
/// inputs, neither of which is a constant of a layer: attention, a convolution
/// whose weights are computed. A tile of the output is in registers for the
/// whole sum: some vectors along the output's last dimension, by some turns of
/// a loop that shares what they load. Returns whether it did: sizes of the tile
/// are known, and what varies along a vector is contiguous.
bool emitContraction(linalg::GenericOp op, const ContractionOptions &options);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_CONTRACTION_H
