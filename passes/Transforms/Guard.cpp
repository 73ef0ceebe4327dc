//===- Guard.cpp - Assertions into a status, accesses into bounds ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Passes.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "llvm/ADT/MapVector.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRGUARDPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
struct Guard : bcr::impl::BCRGuardPassBase<Guard> {
  void runOnOperation() override;

private:
  int64_t getNumber(StringRef message);
  void lowerNested(cf::AssertOp check, Value status);
  void lowerTopLevel(cf::AssertOp check, Value status);
  void clampIndices(tensor::ExtractOp extract);

  /// From a message to its number.
  llvm::MapVector<StringRef, int64_t> messages;
};
} // namespace

int64_t Guard::getNumber(StringRef message) {
  return messages.try_emplace(message, messages.size() + 1).first->second;
}

/// Stores `number` unless an earlier check has failed.
static void recordFailure(OpBuilder &builder, Location loc, int64_t number,
                          Value status) {
  Value zero = arith::ConstantIntOp::create(builder, loc, 0, 32);
  Value own = arith::ConstantIntOp::create(builder, loc, number, 32);
  Value old = memref::LoadOp::create(builder, loc, status, ValueRange());
  Value first =
      arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, old, zero);
  Value next = arith::SelectOp::create(builder, loc, first, own, old);
  memref::StoreOp::create(builder, loc, next, status, ValueRange());
}

void Guard::lowerNested(cf::AssertOp check, Value status) {
  OpBuilder builder(check);
  Location loc = check.getLoc();
  Value yes = arith::ConstantIntOp::create(builder, loc, 1, 1);
  Value failed = arith::XOrIOp::create(builder, loc, check.getArg(), yes);
  int64_t number = getNumber(check.getMsg());
  scf::IfOp::create(builder, loc, failed,
                    [&](OpBuilder &nested, Location nestedLoc) {
                      recordFailure(nested, nestedLoc, number, status);
                      scf::YieldOp::create(nested, nestedLoc);
                    });
  check.erase();
}

void Guard::lowerTopLevel(cf::AssertOp check, Value status) {
  OpBuilder builder(check);
  Location loc = check.getLoc();
  Block *block = check->getBlock();
  auto branch = scf::IfOp::create(builder, loc, check.getArg(),
                                  /*withElseRegion=*/true);
  Block *body = branch.thenBlock();
  body->getOperations().splice(body->begin(), block->getOperations(),
                               std::next(check->getIterator()),
                               std::prev(block->end()));
  OpBuilder otherwise = branch.getElseBodyBuilder();
  recordFailure(otherwise, loc, getNumber(check.getMsg()), status);
  check.erase();
}

/// Whether `op` computes a number from numbers and sizes.
static bool isScalarOp(Operation *op) {
  if (isa<tensor::DimOp, memref::DimOp>(op))
    return true;
  return op->getNumRegions() == 0 && isPure(op) &&
         llvm::all_of(op->getOperandTypes(),
                      [](Type type) { return type.isIntOrIndexOrFloat(); }) &&
         llvm::all_of(op->getResultTypes(),
                      [](Type type) { return type.isIntOrIndexOrFloat(); });
}

/// Moves a check and what it needs to the front, if it needs only the
/// function's arguments. Returns whether it did.
static bool hoistCheck(cf::AssertOp check, Operation *&front) {
  Block *block = check->getBlock();
  llvm::SetVector<Operation *> slice;
  BackwardSliceOptions options;
  options.inclusive = false;
  if (failed(getBackwardSlice(check.getOperation(), &slice, options)))
    return false;
  for (Operation *op : slice)
    if (op->getBlock() != block || !isScalarOp(op))
      return false;
  auto move = [&](Operation *op) {
    // What is already in front stays there.
    if (front && (op == front || op->isBeforeInBlock(front)))
      return;
    if (front)
      op->moveAfter(front);
    else
      op->moveBefore(&block->front());
    front = op;
  };
  SmallVector<Operation *> ops(slice.begin(), slice.end());
  llvm::sort(ops,
             [](Operation *a, Operation *b) { return a->isBeforeInBlock(b); });
  for (Operation *op : ops)
    move(op);
  move(check);
  return true;
}

/// Whether `index` is made of loop indices, sizes and constants alone.
static bool isIndependentOfData(Value index) {
  SmallVector<Value> worklist = {index};
  DenseSet<Value> seen;
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (!seen.insert(value).second)
      continue;
    Operation *op = value.getDefiningOp();
    if (!op)
      return false;
    if (isa<linalg::IndexOp, tensor::DimOp>(op) ||
        matchPattern(op, m_Constant()))
      continue;
    if (!isa<arith::AddIOp, arith::SubIOp, arith::MulIOp, arith::IndexCastOp,
             arith::DivSIOp, arith::RemSIOp, arith::FloorDivSIOp>(op))
      return false;
    llvm::append_range(worklist, op->getOperands());
  }
  return true;
}

void Guard::clampIndices(tensor::ExtractOp extract) {
  OpBuilder builder(extract);
  Location loc = extract.getLoc();
  for (auto [i, operand] : llvm::enumerate(extract.getIndicesMutable())) {
    Value index = operand.get();
    if (isIndependentOfData(index))
      continue;
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value one = arith::ConstantIndexOp::create(builder, loc, 1);
    Value size =
        tensor::DimOp::create(builder, loc, extract.getTensor(), int64_t(i));
    Value last = arith::SubIOp::create(builder, loc, size, one);
    Value below = arith::MinSIOp::create(builder, loc, index, last);
    operand.set(arith::MaxSIOp::create(builder, loc, below, zero));
    ++numClamped;
  }
}

void Guard::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> entry = getEntryFunction(module);
  if (failed(entry))
    return signalPassFailure();
  func::FuncOp function = *entry;
  messages.clear();

  SmallVector<cf::AssertOp> topLevel, nested;
  WalkResult walk = module.walk([&](cf::AssertOp check) {
    if (check->getParentOfType<func::FuncOp>() != function) {
      check.emitOpError("is only supported in @main");
      return WalkResult::interrupt();
    }
    if (matchPattern(check.getArg(), m_One()))
      check.erase();
    else if (check->getParentOp() == function)
      topLevel.push_back(check);
    else
      nested.push_back(check);
    return WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return signalPassFailure();
  if (!topLevel.empty() &&
      (function.getNumResults() || !function.getBody().hasOneBlock())) {
    topLevel.front().emitOpError(
        "is at the top level of a function with results or several blocks: "
        "bcr-destinations goes before bcr-guard");
    return signalPassFailure();
  }
  function.walk([&](tensor::ExtractOp extract) { clampIndices(extract); });
  if (topLevel.empty() && nested.empty())
    return;

  OpBuilder builder(module.getContext());
  auto mark = builder.getDictionaryAttr(
      builder.getNamedAttr("bcr.status", builder.getUnitAttr()));
  unsigned position = function.getNumArguments();
  if (failed(function.insertArgument(position,
                                     MemRefType::get({}, builder.getI32Type()),
                                     mark, function.getLoc())))
    return signalPassFailure();
  Value status = function.getArgument(position);
  numChecks += topLevel.size() + nested.size();
  Operation *front = nullptr;
  for (cf::AssertOp check : topLevel)
    hoistCheck(check, front);
  // Hoisting may change which check comes first; each takes the rest of the
  // block into its branch, so the last one goes first.
  llvm::sort(topLevel, [](cf::AssertOp a, cf::AssertOp b) {
    return a->isBeforeInBlock(b);
  });
  for (cf::AssertOp check : topLevel)
    getNumber(check.getMsg());
  for (cf::AssertOp check : llvm::reverse(topLevel))
    lowerTopLevel(check, status);
  for (cf::AssertOp check : nested)
    lowerNested(check, status);
  SmallVector<Attribute> list;
  for (auto &entry : messages)
    list.push_back(builder.getStringAttr(entry.first));
  module->setAttr("bcr.checks", builder.getArrayAttr(list));
}
