//===- Outline.cpp - bcr-outline ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCROUTLINEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// Whether a function makes the value again instead of being handed it. Globals
/// are handed over: by name, equal functions would differ.
static bool isCopied(Value value) { return matchPattern(value, m_Constant()); }

/// Moves `loops` into a new function before `main` and calls that.
static void outline(Operation *loops, func::FuncOp main, SymbolTable &symbols) {
  llvm::SetVector<Value> used(loops->operand_begin(), loops->operand_end());
  getUsedValuesDefinedAbove(loops->getRegions(), used);
  SmallVector<Value> arguments;
  for (Value value : used)
    if (!isCopied(value))
      arguments.push_back(value);

  OpBuilder builder(main);
  Location loc = loops->getLoc();
  auto function = func::FuncOp::create(
      loc, "loops",
      builder.getFunctionType(ValueRange(arguments).getTypes(),
                              loops->getResultTypes()));
  function.setPrivate();
  function->setAttr("passthrough",
                    builder.getArrayAttr(builder.getStringAttr("noinline")));
  symbols.insert(function, Block::iterator(main));

  Block *body = function.addEntryBlock();
  IRMapping mapping;
  mapping.map(arguments, body->getArguments());
  builder.setInsertionPoint(loops);
  auto call = func::CallOp::create(builder, loc, function, arguments);
  loops->replaceAllUsesWith(call.getResults());
  builder.setInsertionPointToStart(body);
  for (Value value : used)
    if (isCopied(value))
      builder.clone(*value.getDefiningOp(), mapping);
  loops->moveBefore(body, body->end());
  // Not Value::replaceUsesWithIf: it visits the uses in all other loops too.
  loops->walk([&](Operation *op) {
    for (OpOperand &operand : op->getOpOperands())
      if (Value inside = mapping.lookupOrNull(operand.get()))
        operand.set(inside);
  });
  builder.setInsertionPointToEnd(body);
  func::ReturnOp::create(builder, loc, loops->getResults());
}

namespace {
struct Outline : public mlir::bcr::impl::BCROutlinePassBase<Outline> {
  using BCROutlinePassBase::BCROutlinePassBase;

  void runOnOperation() override {
    FailureOr<func::FuncOp> main = getEntryFunction(getOperation());
    if (failed(main))
      return signalPassFailure();
    SmallVector<Operation *> nests;
    for (Block &block : main->getBody())
      for (Operation &op : block)
        if (isa<scf::ForOp, scf::ParallelOp>(op))
          nests.push_back(&op);
    SymbolTable symbols(getOperation());
    for (Operation *nest : nests)
      outline(nest, *main, symbols);
    numOutlined += nests.size();
  }
};
} // namespace
