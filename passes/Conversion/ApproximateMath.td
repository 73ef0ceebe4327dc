//===- ApproximateMath.td - bcr-approximate-math --------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_CONVERSION_APPROXIMATEMATH_TD
#define BCR_CONVERSION_APPROXIMATEMATH_TD

include "mlir/Pass/PassBase.td"

def BCRApproximateMathPass : Pass<"bcr-approximate-math"> {
  let summary = "Compute f32 functions in arithmetic that vectorises";
  let description = [{
    `exp`, `expm1`, `log`, `log1p`, `tanh` and `erf` on f32 become polynomials,
    accurate to a few units in the last place, in place of one library call an
    element. Every other function and type is left to the C library.

    Requires: nothing. Ensures: none of these functions is left on f32.
    Fails when: never.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::math::MathDialect", "::mlir::vector::VectorDialect"];
}

#endif // BCR_CONVERSION_APPROXIMATEMATH_TD
