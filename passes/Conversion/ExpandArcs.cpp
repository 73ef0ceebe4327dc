//===- ExpandArcs.cpp - Inverse trigonometric functions -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ExpandArcs.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;

/// The angle of (x, y) by the arc sine of the smaller side of its triangle, at
/// most 45 degrees: there an arc sine has no steep end. Zeros with signs and
/// infinities as in C (C17, F.10.1.4), NaN for NaN.
static Value makeAngle(ImplicitLocOpBuilder &builder, Value y, Value x) {
  Type type = x.getType();
  auto number = [&](double value) -> Value {
    return arith::ConstantOp::create(builder,
                                     builder.getFloatAttr(type, value));
  };
  auto is = [&](Value a, arith::CmpFPredicate how, Value b) -> Value {
    return arith::CmpFOp::create(builder, how, a, b);
  };
  auto choose = [&](Value condition, Value a, Value b) -> Value {
    return arith::SelectOp::create(builder, condition, a, b);
  };
  Value zero = number(0), one = number(1);
  Value width = math::AbsFOp::create(builder, x),
        height = math::AbsFOp::create(builder, y);
  Value small = arith::MinimumFOp::create(builder, width, height),
        large = arith::MaximumFOp::create(builder, width, height);
  // 0 / 0 and infinity / infinity are angles, too.
  Value both = is(small, arith::CmpFPredicate::OEQ, large);
  Value slope = choose(
      both, choose(is(large, arith::CmpFPredicate::OEQ, zero), zero, one),
      arith::DivFOp::create(builder, small, large));
  Value square = arith::MulFOp::create(builder, slope, slope);
  Value hypotenuse = math::SqrtOp::create(
      builder, arith::AddFOp::create(builder, square, one));
  Value angle = math::AsinOp::create(
      builder, arith::DivFOp::create(builder, slope, hypotenuse));
  Value isSteep = is(height, arith::CmpFPredicate::OGT, width);
  angle = choose(
      isSteep,
      arith::SubFOp::create(builder, number(llvm::numbers::pi / 2), angle),
      angle);
  Value side = math::CopySignOp::create(builder, one, x);
  Value isLeft = is(side, arith::CmpFPredicate::OLT, zero);
  angle = choose(
      isLeft, arith::SubFOp::create(builder, number(llvm::numbers::pi), angle),
      angle);
  return math::CopySignOp::create(builder, angle, y);
}

LogicalResult mlir::bcr::expandArcs(Operation *root) {
  root->walk([](Operation *op) {
    if (!isa<math::AtanOp, math::Atan2Op>(op))
      return;
    ImplicitLocOpBuilder builder(op->getLoc(), op);
    Value y = op->getOperand(0);
    Value x = op->getNumOperands() == 2
                  ? op->getOperand(1)
                  : arith::ConstantOp::create(
                        builder, builder.getFloatAttr(y.getType(), 1))
                        .getResult();
    op->replaceAllUsesWith(ValueRange(makeAngle(builder, y, x)));
    op->erase();
  });
  RewritePatternSet patterns(root->getContext());
  populateMathPolynomialApproximationPatterns(patterns, [](StringRef name) {
    return name == math::AsinOp::getOperationName() ||
           name == math::AcosOp::getOperationName();
  });
  return applyPatternsGreedily(root, std::move(patterns));
}
