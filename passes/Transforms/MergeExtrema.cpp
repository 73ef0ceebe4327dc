//===- MergeExtrema.cpp - The extremum of extrema -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Transforms/MergeExtrema.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using linalg::GenericOp;

/// The body's operation where that is out = extremum(in, out), else null.
static Operation *getExtremum(GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 1 ||
      !op.hasPureTensorSemantics())
    return nullptr;
  Block *body = op.getBody();
  Operation *extremum = body->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp, arith::MaxSIOp,
                       arith::MinSIOp, arith::MaxUIOp, arith::MinUIOp>(
          extremum) ||
      extremum->getBlock() != body)
    return nullptr;
  for (Value argument : body->getArguments())
    if (!llvm::is_contained(extremum->getOperands(), argument))
      return nullptr;
  return extremum;
}

/// The number that the op starts with everywhere, or null.
static Attribute getStart(GenericOp op) {
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  Attribute value;
  if (!fill || !matchPattern(fill.getInputs()[0], m_Constant(&value)))
    return nullptr;
  return value;
}

namespace {
struct MergeExtrema : OpRewritePattern<GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(GenericOp outer,
                                PatternRewriter &rewriter) const override {
    Operation *extremum = getExtremum(outer);
    if (!extremum)
      return failure();
    auto inner = outer.getDpsInputs()[0].getDefiningOp<GenericOp>();
    if (!inner || !inner->hasOneUse())
      return failure();
    Operation *other = getExtremum(inner);
    // An element that takes part twice changes nothing.
    if (!other || other->getName() != extremum->getName() || !getStart(outer) ||
        getStart(outer) != getStart(inner))
      return failure();
    AffineMap between =
        inner.getMatchingIndexingMap(inner.getDpsInitOperand(0));
    AffineMap read = outer.getMatchingIndexingMap(outer.getDpsInputOperand(0));
    if (!between.isProjectedPermutation() || !read.isPermutation() ||
        between.getNumResults() != inner.getNumParallelLoops())
      return failure();

    // The loops are those of the inner op; each of the outer op's is one of
    // them.
    SmallVector<AffineExpr> loops(outer.getNumLoops());
    auto iterators = inner.getIteratorTypesArray();
    for (auto [dimension, loop] :
         llvm::zip_equal(between.getResults(), read.getResults())) {
      unsigned position = cast<AffineDimExpr>(loop).getPosition();
      loops[position] = dimension;
      iterators[cast<AffineDimExpr>(dimension).getPosition()] =
          outer.getIteratorTypesArray()[position];
    }
    AffineMap write =
        outer.getMatchingIndexingMap(outer.getDpsInitOperand(0))
            .replaceDimsAndSymbols(loops, {}, inner.getNumLoops(), 0);
    auto merged = GenericOp::create(
        rewriter, outer.getLoc(), outer.getResultTypes(), inner.getDpsInputs(),
        outer.getDpsInits(),
        ArrayRef(
            {inner.getMatchingIndexingMap(inner.getDpsInputOperand(0)), write}),
        iterators);
    rewriter.inlineRegionBefore(outer.getRegion(), merged.getRegion(),
                                merged.getRegion().begin());
    rewriter.replaceOp(outer, merged);
    return success();
  }
};
} // namespace

void mlir::bcr::populateMergeExtremaPatterns(RewritePatternSet &patterns) {
  patterns.add<MergeExtrema>(patterns.getContext());
}
