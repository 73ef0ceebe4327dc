//===- FlattenBranches.cpp - Branches around kernels ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Transforms/FlattenBranches.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

template <typename... Ops> static bool hasAny(Operation *op) {
  return op
      ->walk([](Operation *inner) {
        return isa<Ops...>(inner) ? WalkResult::interrupt()
                                  : WalkResult::advance();
      })
      .wasInterrupted();
}

/// Whether `op` enqueues kernels again and again.
static bool isHostLoop(Operation *op) {
  return isa<scf::ForOp>(op) && op->getNumResults() == 0 &&
         hasAny<gpu::LaunchOp>(op);
}

static bool isBranchOfKernels(Operation *op) {
  return isa<scf::IfOp>(op) && hasAny<gpu::LaunchOp, scf::ParallelOp>(op);
}

/// Whether `op` may run where its side of the branch is not taken: it does
/// nothing but to compute, or to say where memory is.
static bool isHarmless(Operation *op) {
  return isa<memref::AllocOp, memref::DeallocOp>(op) || isPure(op);
}

/// Lets all of `body` but its terminator ask for `condition`.
static void guard(Block &body, Value condition) {
  auto builder = ImplicitLocOpBuilder::atBlockBegin(condition.getLoc(), &body);
  auto branch = scf::IfOp::create(builder, condition, /*withElseRegion=*/false);
  Block *then = branch.thenBlock();
  then->getOperations().splice(then->begin(), body.getOperations(),
                               std::next(branch->getIterator()),
                               std::prev(body.end()));
}

/// Lets `ops`, neighbours, ask for `condition`. Where it does not hold, what
/// they compute for others is zero: nobody uses it.
static LogicalResult guard(ArrayRef<Operation *> ops, Value condition) {
  llvm::SmallPtrSet<Operation *, 8> own(ops.begin(), ops.end());
  SmallVector<Value> passed;
  for (Operation *op : ops)
    for (Value result : op->getResults())
      if (llvm::any_of(result.getUsers(), [&](Operation *user) {
            Operation *inBlock = op->getBlock()->findAncestorOpInBlock(*user);
            return !inBlock || !own.contains(inBlock);
          })) {
        if (!result.getType().isIntOrIndexOrFloat())
          return op->emitOpError("computes a value of type ")
                 << result.getType()
                 << " inside of a branch; kernels pass on numbers only";
        passed.push_back(result);
      }
  ImplicitLocOpBuilder builder(ops.front()->getLoc(), ops.front());
  SmallVector<Type> types(ValueRange(passed).getTypes());
  auto branch = scf::IfOp::create(builder, types, condition,
                                  /*addThenBlock=*/true,
                                  /*addElseBlock=*/!types.empty());
  for (auto [value, result] : llvm::zip_equal(passed, branch.getResults()))
    value.replaceUsesWithIf(result, [&](OpOperand &use) {
      Operation *user = use.getOwner();
      Operation *inBlock = branch->getBlock()->findAncestorOpInBlock(*user);
      return !inBlock || !own.contains(inBlock);
    });
  Block *then = branch.thenBlock();
  for (Operation *op : ops)
    op->moveBefore(then, then->end());
  builder.setInsertionPointToEnd(then);
  scf::YieldOp::create(builder, passed);
  if (types.empty())
    return success();
  builder.setInsertionPointToEnd(branch.elseBlock());
  SmallVector<Value> zeros;
  for (Type type : types)
    zeros.push_back(
        arith::ConstantOp::create(builder, builder.getZeroAttr(type)));
  scf::YieldOp::create(builder, zeros);
  return success();
}

static LogicalResult flatten(scf::IfOp branch, Value condition);

/// Lets all that `block` does ask for `condition`. Its terminator stays.
static LogicalResult guardAllOf(Block &block, Value condition) {
  SmallVector<Operation *> run;
  auto flush = [&] {
    return run.empty() ? success() : guard(std::exchange(run, {}), condition);
  };
  for (Operation &op : llvm::make_early_inc_range(block.without_terminator())) {
    auto loop = dyn_cast<scf::ParallelOp>(op);
    bool isKernel = isa<gpu::LaunchOp>(op) || (loop && loop->use_empty());
    bool isNested = isHostLoop(&op) || isBranchOfKernels(&op);
    if (!isKernel && !isNested && !isHarmless(&op)) {
      run.push_back(&op);
      continue;
    }
    if (failed(flush()))
      return failure();
    if (isKernel) {
      guard(op.getRegion(0).front(), condition);
    } else if (isHostLoop(&op)) {
      if (failed(guardAllOf(op.getRegion(0).front(), condition)))
        return failure();
    } else if (isNested && failed(flatten(cast<scf::IfOp>(op), condition))) {
      return failure();
    }
  }
  return flush();
}

/// Flattens `branch`, which runs where `outer` holds, if that is not null.
static LogicalResult flatten(scf::IfOp branch, Value outer) {
  for (Type type : branch.getResultTypes())
    if (!type.isIntOrIndexOrFloat())
      return branch.emitOpError("chooses a value of type ")
             << type << "; branches around kernels choose numbers only";
  ImplicitLocOpBuilder builder(branch.getLoc(), branch);
  auto both = [&](Value condition) -> Value {
    return outer ? arith::AndIOp::create(builder, outer, condition) : condition;
  };
  Value condition = branch.getCondition();
  SmallVector<SmallVector<Value>> yielded;
  for (Region *side : {&branch.getThenRegion(), &branch.getElseRegion()}) {
    if (side->empty())
      continue;
    Value taken = condition;
    if (side == &branch.getElseRegion()) {
      Value yes = arith::ConstantIntOp::create(builder, 1, 1);
      taken = arith::XOrIOp::create(builder, condition, yes);
    }
    Block &block = side->front();
    if (failed(guardAllOf(block, both(taken))))
      return failure();
    yielded.emplace_back(block.getTerminator()->getOperands());
    branch->getBlock()->getOperations().splice(
        branch->getIterator(), block.getOperations(), block.begin(),
        std::prev(block.end()));
  }
  for (auto [i, result] : llvm::enumerate(branch.getResults()))
    result.replaceAllUsesWith(arith::SelectOp::create(
        builder, condition, yielded[0][i], yielded[1][i]));
  remark::analysis(
      branch.getLoc(),
      remark::RemarkOpts::name("FlattenedBranch").category("bcr-launch-loops"))
      << remark::add("enqueues the kernels of both sides; those of the side "
                     "that is not taken end at once, since a host that waited "
                     "to know which one it is would stop the device");
  branch.erase();
  return success();
}

LogicalResult mlir::bcr::flattenBranches(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    LogicalResult flattened = success();
    if (isBranchOfKernels(&op)) // which erases it
      flattened = flatten(cast<scf::IfOp>(op), Value());
    else if (isHostLoop(&op))
      flattened = flattenBranches(op.getRegion(0).front());
    if (failed(flattened))
      return failure();
  }
  return success();
}
