//===- LowerExtrema.cpp - Maxima and minima as LLVM's intrinsics ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRLOWEREXTREMAPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;

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
  void runOnOperation() override {
    getOperation()->walk([](Operation *op) {
      if (!isa<arith::MaximumFOp, arith::MinimumFOp>(op))
        return;
      // Shapes that LLVM has: numbers and vectors of one dimension.
      Type type = op->getResult(0).getType();
      if (auto vector = dyn_cast<VectorType>(type))
        type = vector.getRank() == 1 ? vector.getElementType() : Type();
      if (!type || !(type.isF32() || type.isF64()))
        return;
      if (isa<arith::MaximumFOp>(op))
        lower<LLVM::MaximumOp>(op);
      else
        lower<LLVM::MinimumOp>(op);
    });
  }
};
} // namespace
