//===- LowerExtrema.cpp - Maxima and minima as LLVM's intrinsics ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Matchers.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRLOWEREXTREMAPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;

/// Whether `value` is one constant number in all lanes.
static bool isNumber(Value value) {
  FloatAttr number;
  SplatElementsAttr numbers;
  if (matchPattern(value, m_Constant(&number)))
    return !number.getValue().isNaN();
  return matchPattern(value, m_Constant(&numbers)) &&
         !numbers.getSplatValue<APFloat>().isNaN();
}

/// Replaces a value outside the bound by the bound. NaN is not outside.
static void select(Operation *op, arith::CmpFPredicate outside) {
  OpBuilder builder(op);
  Value value = op->getOperand(0), bound = op->getOperand(1);
  if (isNumber(value))
    std::swap(value, bound);
  Value isOutside =
      arith::CmpFOp::create(builder, op->getLoc(), outside, value, bound);
  op->replaceAllUsesWith(
      arith::SelectOp::create(builder, op->getLoc(), isOutside, bound, value));
  op->erase();
}

template <typename IntrinsicOp> static void lower(Operation *op) {
  OpBuilder builder(op);
  auto result =
      IntrinsicOp::create(builder, op->getLoc(), op->getResult(0).getType(),
                          op->getOperand(0), op->getOperand(1));
  result.setFastmathFlags(LLVM::FastmathFlags::nsz);
  op->replaceAllUsesWith(result);
  op->erase();
}

namespace {
struct LowerExtrema : bcr::impl::BCRLowerExtremaPassBase<LowerExtrema> {
  using BCRLowerExtremaPassBase::BCRLowerExtremaPassBase;

  void runOnOperation() override {
    getOperation()->walk([this](Operation *op) {
      if (!isa<arith::MaximumFOp, arith::MinimumFOp>(op))
        return;
      // Shapes that LLVM has: numbers and vectors of one dimension.
      Type type = op->getResult(0).getType();
      if (auto vector = dyn_cast<VectorType>(type))
        type = vector.getRank() == 1 ? vector.getElementType() : Type();
      if (!type || !(type.isF32() || type.isF64()))
        return;
      bool isMaximum = isa<arith::MaximumFOp>(op);
      if (selectBounds && llvm::any_of(op->getOperands(), isNumber))
        select(op, isMaximum ? arith::CmpFPredicate::OLT
                             : arith::CmpFPredicate::OGT);
      else if (isMaximum)
        lower<LLVM::MaximumOp>(op);
      else
        lower<LLVM::MinimumOp>(op);
    });
  }
};
} // namespace
