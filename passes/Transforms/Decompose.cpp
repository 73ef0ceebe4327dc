//===- Decompose.cpp - Tensor ops without loops into ops with -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRDECOMPOSEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;

namespace {
struct Decompose : bcr::impl::BCRDecomposePassBase<Decompose> {
  void runOnOperation() override;
};
} // namespace

void Decompose::runOnOperation() {
  RewritePatternSet patterns(&getContext());
  tensor::populateDecomposeTensorConcatPatterns(patterns);
  if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
    return signalPassFailure();

  SmallVector<linalg::AggregatedOpInterface> aggregates;
  getOperation().walk(
      [&](linalg::AggregatedOpInterface op) { aggregates.push_back(op); });
  IRRewriter rewriter(&getContext());
  for (linalg::AggregatedOpInterface op : aggregates) {
    rewriter.setInsertionPoint(op);
    FailureOr<SmallVector<Value>> results = op.decomposeOperation(rewriter);
    if (failed(results)) {
      op.emitOpError("cannot be broken up into simpler linalg ops");
      return signalPassFailure();
    }
    rewriter.replaceOp(op, *results);
  }
}
