//===- Decompose.cpp - Tensor ops without loops into ops with -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
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

/// A padding below zero cuts; it becomes a slice before the padding.
struct CutNegativePadding : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override;
};
} // namespace

/// Splits paddings into cuts (returned, positive) and what is left to pad.
static SmallVector<int64_t> splitCuts(Builder &builder,
                                      SmallVectorImpl<OpFoldResult> &paddings,
                                      bool &any) {
  SmallVector<int64_t> cuts;
  for (OpFoldResult &padding : paddings) {
    int64_t value = getConstantIntValue(padding).value_or(0);
    cuts.push_back(value < 0 ? -value : 0);
    if (value < 0) {
      padding = builder.getIndexAttr(0);
      any = true;
    }
  }
  return cuts;
}

LogicalResult
CutNegativePadding::matchAndRewrite(tensor::PadOp op,
                                    PatternRewriter &rewriter) const {
  Value value = op.getConstantPaddingValue();
  SmallVector<OpFoldResult> low = op.getMixedLowPad();
  SmallVector<OpFoldResult> high = op.getMixedHighPad();
  bool any = false;
  SmallVector<int64_t> front = splitCuts(rewriter, low, any);
  SmallVector<int64_t> back = splitCuts(rewriter, high, any);
  // A padding computed from its place would have to be moved along.
  if (!any || !value)
    return failure();
  Location loc = op.getLoc();
  SmallVector<OpFoldResult> offsets, sizes, strides;
  for (auto [i, size] :
       llvm::enumerate(tensor::getMixedSizes(rewriter, loc, op.getSource()))) {
    offsets.push_back(rewriter.getIndexAttr(front[i]));
    strides.push_back(rewriter.getIndexAttr(1));
    AffineExpr all = rewriter.getAffineDimExpr(0);
    sizes.push_back(affine::makeComposedFoldedAffineApply(
        rewriter, loc, all - (front[i] + back[i]), {size}));
  }
  Value slice = tensor::ExtractSliceOp::create(rewriter, loc, op.getSource(),
                                               offsets, sizes, strides);
  rewriter.replaceOpWithNewOp<tensor::PadOp>(op, op.getType(), slice, low, high,
                                             value);
  return success();
}

void Decompose::runOnOperation() {
  RewritePatternSet patterns(&getContext());
  tensor::populateDecomposeTensorConcatPatterns(patterns);
  patterns.add<CutNegativePadding>(&getContext());
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
