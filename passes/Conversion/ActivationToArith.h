//===- ActivationToArith.h - Activations as scalar arithmetic --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_ACTIVATIONTOARITH_H
#define BCR_PASSES_CONVERSION_ACTIVATIONTOARITH_H

#include "dialect/BCR.h"

#include "mlir/IR/Builders.h"

namespace mlir::bcr {

/// Builds the definition of `activation` at `x`, an f32. NaN stays NaN.
Value buildActivation(OpBuilder &builder, Location loc,
                      ActivationAttr activation, Value x);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_ACTIVATIONTOARITH_H
