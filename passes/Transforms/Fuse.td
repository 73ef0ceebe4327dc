//===- Fuse.td - bcr-fuse -------------------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_FUSE_TD
#define BCR_TRANSFORMS_FUSE_TD

include "mlir/Pass/PassBase.td"

def BCRFusePass : Pass<"bcr-fuse", "::mlir::func::FuncOp"> {
  let summary = "Fuse element-wise linalg ops where nothing is computed twice";
  let description = [{
    Like `linalg-fuse-elementwise-ops`, with two differences: a producer that
    divides, asserts or calls a function of `math` stays on its own where its
    consumer would repeat it along a dimension that it does not have (the
    reciprocal square root of a normalisation, the check of an index whose row is
    copied), and a producer all of whose uses are in one consumer is fused. Results that nobody reads are dropped: the index that
    torch-mlir computes beside every maximum. A maximum of maxima, as torch-mlir
    writes one over several dimensions, becomes one reduction.

    Requires: linalg on tensors. Ensures: the same values. Fails when: never.
  }];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::tensor::TensorDialect"];
}

#endif // BCR_TRANSFORMS_FUSE_TD
