//===- ActivationToArith.h - Activations as arithmetic ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_ACTIVATIONTOARITH_H
#define BCR_PASSES_CONVERSION_ACTIVATIONTOARITH_H

#include "dialect/BCR.h"

#include "mlir/IR/Builders.h"

namespace mlir::bcr {

/// Builds the definition of `activation`, or of none if it is null, at `x`: an
/// f32 or a vector of them. NaN stays NaN.
Value buildActivation(OpBuilder &builder, Location loc,
                      ActivationAttr activation, Value x);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_ACTIVATIONTOARITH_H
