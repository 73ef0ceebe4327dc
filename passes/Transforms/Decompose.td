//===- Decompose.td - bcr-decompose ---------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_DECOMPOSE_TD
#define BCR_TRANSFORMS_DECOMPOSE_TD

include "mlir/Pass/PassBase.td"

def BCRDecomposePass : Pass<"bcr-decompose", "::mlir::func::FuncOp"> {
  let summary = "Break up tensor ops that have no loops of their own";
  let description = [{
    `tensor.concat` becomes insertions into one tensor, a `tensor.pad` by less than
    nothing a slice and a padding, and linalg's aggregates
    (`linalg.softmax`) become the element-wise ops and reductions they stand for.

    Requires: tensors. Ensures: every op that is left bufferizes. Fails when: an
    aggregate cannot be broken up.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect", "::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::math::MathDialect",
    "::mlir::tensor::TensorDialect"];
}

#endif // BCR_TRANSFORMS_DECOMPOSE_TD
