//===- Fuse.cpp - Element-wise fusion without repeated work ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/Transforms/MergeExtrema.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRFUSEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using linalg::GenericOp;

namespace {
struct Fuse : bcr::impl::BCRFusePassBase<Fuse> {
  void runOnOperation() override;
};

/// Drops an op whose results nobody reads, although it asserts: fusion moved
/// the assertions with the rest.
struct DropDeadOp : OpRewritePattern<GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GenericOp op,
                                PatternRewriter &rewriter) const override;
};

/// Drops a result that nobody reads where only its own old value feeds it.
struct DropDeadResult : OpRewritePattern<GenericOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(GenericOp op,
                                PatternRewriter &rewriter) const override;
};
} // namespace

static bool isExpensive(GenericOp op) {
  return llvm::any_of(op.getBody()->without_terminator(), [](Operation &inner) {
    // An assertion is a branch and a store in the loop.
    return isa<arith::DivFOp, arith::RemFOp, arith::DivSIOp, tensor::ExtractOp,
               cf::AssertOp>(inner) ||
           isa<math::MathDialect>(inner.getDialect());
  });
}

/// Whether `consumer` reads an element of `operand` more than once.
static bool isRepeated(OpOperand *operand, GenericOp consumer) {
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  for (auto [loop, size] : llvm::enumerate(consumer.getStaticLoopRanges()))
    if (size != 1 && !map.isFunctionOfDim(loop))
      return true;
  return false;
}

static bool shouldFuse(OpOperand *operand) {
  Operation *producer = operand->get().getDefiningOp();
  Operation *consumer = operand->getOwner();
  if (!producer)
    return false;
  if (!llvm::all_of(producer->getUsers(),
                    [&](Operation *user) { return user == consumer; }))
    return false;
  auto from = dyn_cast<GenericOp>(producer);
  auto to = dyn_cast<GenericOp>(consumer);
  return !from || !to || !isExpensive(from) || !isRepeated(operand, to);
}

LogicalResult DropDeadOp::matchAndRewrite(GenericOp op,
                                          PatternRewriter &rewriter) const {
  if (!op.hasPureTensorSemantics() || !op->use_empty())
    return failure();
  if (!llvm::all_of(op.getBody()->without_terminator(), [](Operation &inner) {
        return isa<cf::AssertOp>(inner) || isPure(&inner);
      }))
    return failure();
  rewriter.eraseOp(op);
  return success();
}

LogicalResult DropDeadResult::matchAndRewrite(GenericOp op,
                                              PatternRewriter &rewriter) const {
  if (!op.hasPureTensorSemantics() || op.getNumResults() < 2)
    return failure();
  Operation *yield = op.getBody()->getTerminator();
  for (unsigned i = 0, e = op.getNumResults(); i < e; ++i) {
    if (!op.getResult(i).use_empty())
      continue;
    BlockArgument old = op.getRegionOutputArgs()[i];
    if (old.use_empty() || yield->getOperand(i) == old)
      continue;
    // The old value may go through one pure op into its own result alone.
    Operation *update = yield->getOperand(i).getDefiningOp();
    if (!update || !old.hasOneUse() || *old.user_begin() != update ||
        !isPure(update) || !update->hasOneUse())
      continue;
    // Keeping the old value leaves what upstream's patterns erase.
    rewriter.modifyOpInPlace(yield, [&] { yield->setOperand(i, old); });
    rewriter.eraseOp(update);
    return success();
  }
  return failure();
}

void Fuse::runOnOperation() {
  MLIRContext *context = &getContext();
  RewritePatternSet patterns(context);
  linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
  linalg::populateFoldReshapeOpsByExpansionPatterns(patterns, shouldFuse);
  linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
  patterns.add<DropDeadOp, DropDeadResult>(context);
  bcr::populateMergeExtremaPatterns(patterns);
  affine::AffineApplyOp::getCanonicalizationPatterns(patterns, context);
  GenericOp::getCanonicalizationPatterns(patterns, context);
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
  context->getLoadedDialect<linalg::LinalgDialect>()
      ->getCanonicalizationPatterns(patterns);
  // Convergence is not needed: every step keeps the meaning.
  GreedyRewriteConfig config;
  config.setUseTopDownTraversal();
  (void)applyPatternsGreedily(getOperation(), std::move(patterns), config);
}
