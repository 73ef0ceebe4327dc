//===- SeparateDestinations.cpp - bcr-separate-destinations ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Transforms/SeparateDestinations.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;

namespace {
struct SeparateDestinations
    : PassWrapper<SeparateDestinations, OperationPass<>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(SeparateDestinations)

  StringRef getArgument() const final { return "bcr-separate-destinations"; }
  StringRef getDescription() const final {
    return "Give each use of an empty tensor one of its own";
  }

  void runOnOperation() override {
    SmallVector<tensor::EmptyOp> shared;
    getOperation()->walk([&](tensor::EmptyOp op) {
      if (!op->use_empty() && !op->hasOneUse())
        shared.push_back(op);
    });
    for (tensor::EmptyOp op : shared)
      for (OpOperand &use :
           llvm::make_early_inc_range(llvm::drop_begin(op->getUses()))) {
        OpBuilder builder(use.getOwner());
        use.set(builder.clone(*op)->getResult(0));
      }
  }
};
} // namespace

std::unique_ptr<Pass> mlir::bcr::createSeparateDestinationsPass() {
  return std::make_unique<SeparateDestinations>();
}
