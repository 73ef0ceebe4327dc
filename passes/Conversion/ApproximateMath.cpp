//===- ApproximateMath.cpp - Functions of f32 as polynomials --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRAPPROXIMATEMATHPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;

namespace {
struct ApproximateMath
    : bcr::impl::BCRApproximateMathPassBase<ApproximateMath> {
  void runOnOperation() override;
};
} // namespace

void ApproximateMath::runOnOperation() {
  RewritePatternSet patterns(&getContext());
  // Sine and cosine are not among them: their polynomials lose all accuracy on
  // large arguments, which positional encodings have.
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return llvm::is_contained(
        {math::ExpOp::getOperationName(), math::ExpM1Op::getOperationName(),
         math::LogOp::getOperationName(), math::Log1pOp::getOperationName(),
         math::TanhOp::getOperationName(), math::ErfOp::getOperationName()},
        name);
  });
  if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
    signalPassFailure();
}
