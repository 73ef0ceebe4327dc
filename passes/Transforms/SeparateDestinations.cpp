//===- SeparateDestinations.cpp - bcr-separate-destinations ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRSEPARATEDESTINATIONSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;

namespace {
struct SeparateDestinations
    : bcr::impl::BCRSeparateDestinationsPassBase<SeparateDestinations> {
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
