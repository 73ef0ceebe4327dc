//===- LowerParallel.cpp - bcr-lower-parallel -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Team.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRLOWERPARALLELPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// What the threads of a team do with an operation.
enum class Role {
  /// Each runs it: it computes values from values.
  Replicated,
  /// They share its iterations.
  Shared,
  /// Each runs it, and what it holds has roles of its own.
  Nested,
  /// The first thread runs it.
  Single,
  /// The first thread runs it, and no other one reads what it writes.
  Unobserved,
  /// No team runs it: it ends the parallel region.
  Outside,
};

struct LowerParallel : bcr::impl::BCRLowerParallelPassBase<LowerParallel> {
  using BCRLowerParallelPassBase::BCRLowerParallelPassBase;
  void runOnOperation() override;

private:
  void findTeamFunctions();
  bool isShared(Operation *op);
  bool holdsShared(Operation *op);
  Role getRole(Operation *op);
  void makeTeamFunction(func::FuncOp function);
  void formRegions(Region &region);
  void formRegion(Operation *first, Operation *last);
  void emit(ArrayRef<Operation *> ops, const Team &team, bool repeats);

  /// Functions that the threads of a team call together.
  DenseSet<StringAttr> teamFunctions;
  /// The counter of the barriers of the function that is being lowered.
  Value counter;
};
} // namespace

/// Whether threads may share the iterations of `op`.
static bool isParallelLoop(Operation *op) {
  auto loop = dyn_cast<scf::ParallelOp>(op);
  return loop && loop.getInitVals().empty();
}

/// Whether `op` writes the caller's time stamps only, which nobody reads before
/// the call is over.
static bool isStamp(Operation *op) {
  auto condition = dyn_cast<scf::IfOp>(op);
  if (!condition)
    return false;
  WalkResult walk = condition.walk([](Operation *inner) {
    bool harmless =
        isa<scf::IfOp, scf::YieldOp>(inner) || isMemoryEffectFree(inner);
    if (auto intrinsic = dyn_cast<LLVM::CallIntrinsicOp>(inner))
      harmless = intrinsic.getArgs().empty();
    if (auto store = dyn_cast<memref::StoreOp>(inner)) {
      auto argument = dyn_cast<BlockArgument>(store.getMemRef());
      auto function =
          argument ? dyn_cast<func::FuncOp>(argument.getOwner()->getParentOp())
                   : func::FuncOp();
      harmless = function &&
                 function.getArgAttr(argument.getArgNumber(), "bcr.profile");
    }
    return harmless ? WalkResult::advance() : WalkResult::interrupt();
  });
  return !walk.wasInterrupted();
}

//===----------------------------------------------------------------------===//
// Roles
//===----------------------------------------------------------------------===//

bool LowerParallel::isShared(Operation *op) {
  if (auto call = dyn_cast<func::CallOp>(op))
    return teamFunctions.contains(call.getCalleeAttr().getAttr());
  return isParallelLoop(op);
}

bool LowerParallel::holdsShared(Operation *op) {
  return op
      ->walk([&](Operation *inner) {
        return isShared(inner) ? WalkResult::interrupt()
                               : WalkResult::advance();
      })
      .wasInterrupted();
}

Role LowerParallel::getRole(Operation *op) {
  if (isShared(op))
    return Role::Shared;
  if (op->getNumRegions() != 0 && holdsShared(op)) {
    // Control flow that is the same for all threads, as its operands are.
    if (!isa<scf::ForOp, scf::IfOp>(op) || op->getNumResults() != 0)
      return Role::Outside;
    for (Region &region : op->getRegions())
      for (Operation &inner : region.getOps())
        if (getRole(&inner) == Role::Outside)
          return Role::Outside;
    return Role::Nested;
  }
  if (isMemoryEffectFree(op) || op->hasTrait<OpTrait::IsTerminator>())
    return Role::Replicated;
  // A value that one thread has read or allocated would have to be handed to
  // the others.
  if (op->getNumResults() != 0)
    return Role::Outside;
  return isStamp(op) ? Role::Unobserved : Role::Single;
}

/// Finds the functions whose bodies a team can run as a whole.
void LowerParallel::findTeamFunctions() {
  DenseSet<StringAttr> excluded;
  if (auto uses = SymbolTable::getSymbolUses(&getOperation().getBodyRegion()))
    for (SymbolTable::SymbolUse use : *uses)
      if (!isa<func::CallOp>(use.getUser()) ||
          use.getUser()->getParentOfType<scf::ParallelOp>())
        excluded.insert(use.getSymbolRef().getLeafReference());
  for (auto function : getOperation().getOps<func::FuncOp>()) {
    if (!function.isPrivate() || !function.getBody().hasOneBlock() ||
        function.getNumResults() != 0 ||
        excluded.contains(function.getSymNameAttr()))
      continue;
    bool calls =
        function.walk([](func::CallOp) { return WalkResult::interrupt(); })
            .wasInterrupted();
    if (calls || !holdsShared(function))
      continue;
    if (llvm::all_of(function.front(), [&](Operation &op) {
          return getRole(&op) != Role::Outside;
        }))
      teamFunctions.insert(function.getSymNameAttr());
  }
}

//===----------------------------------------------------------------------===//
// What the threads run
//===----------------------------------------------------------------------===//

/// Turns the operations of a block into those of a team. Barriers stand after
/// what writes memory and before what comes next, in the same block or, if the
/// block `repeats`, in its next turn.
void LowerParallel::emit(ArrayRef<Operation *> ops, const Team &team,
                         bool repeats) {
  std::optional<Role> next;
  for (Operation *op : llvm::reverse(ops)) {
    ImplicitLocOpBuilder builder(op->getLoc(), op);
    Role role = getRole(op);
    if (role == Role::Replicated)
      continue;
    bool waits = next ? *next != Role::Single || role != Role::Single : repeats;
    // A loop ends with a barrier.
    waits &= role != Role::Unobserved &&
             !(role == Role::Nested && isa<scf::ForOp>(op));
    if (waits) {
      builder.setInsertionPointAfter(op);
      emitBarrier(builder, team);
      ++numBarriers;
    }
    if (role != Role::Unobserved)
      next = role;
    builder.setInsertionPoint(op);
    if (role == Role::Nested) {
      for (Region &region : op->getRegions())
        for (Block &block : region)
          emit(llvm::to_vector(llvm::make_pointer_range(block)), team,
               isa<scf::ForOp>(op));
    } else if (auto loop = dyn_cast<scf::ParallelOp>(op)) {
      shareLoop(loop, team);
      ++numLowered;
    } else if (role == Role::Shared) {
      op->insertOperands(op->getNumOperands(), team.getArguments());
    } else {
      auto first = scf::IfOp::create(builder, team.isFirst);
      op->moveBefore(first.thenBlock()->getTerminator());
    }
  }
}

void LowerParallel::makeTeamFunction(func::FuncOp function) {
  SmallVector<Operation *> ops =
      llvm::to_vector(llvm::make_pointer_range(function.front()));
  emit(ops, Team::addArguments(function), /*repeats=*/false);
}

//===----------------------------------------------------------------------===//
// Where a team starts and ends
//===----------------------------------------------------------------------===//

/// Moves operations before `region` into it where nothing else uses them, so
/// that threads compute them instead of being handed them.
static void sinkInto(omp::ParallelOp region) {
  Operation *op = region->getPrevNode();
  while (op) {
    Operation *previous = op->getPrevNode();
    if (isMemoryEffectFree(op) && !op->use_empty() &&
        llvm::all_of(op->getUsers(), [&](Operation *user) {
          return region->isProperAncestor(user);
        }))
      op->moveBefore(&region.getRegion().front(),
                     region.getRegion().front().begin());
    op = previous;
  }
}

/// Lets a team run what stands from `first` to `last`.
void LowerParallel::formRegion(Operation *first, Operation *last) {
  SmallVector<Operation *> ops;
  DenseSet<Operation *> inside;
  for (Operation *op = first;; op = op->getNextNode()) {
    ops.push_back(op);
    inside.insert(op);
    if (op == last)
      break;
  }
  // Values that are used after the region stay before it. All that have users
  // depend on nothing but values.
  Block *block = first->getBlock();
  for (Operation *op : llvm::reverse(ops))
    if (llvm::any_of(op->getUsers(), [&](Operation *user) {
          return !inside.contains(block->findAncestorOpInBlock(*user));
        }))
      inside.erase(op);
  llvm::erase_if(ops, [&](Operation *op) { return !inside.contains(op); });

  ImplicitLocOpBuilder builder(first->getLoc(), last->getNextNode());
  if (!counter)
    counter = allocateCounter(first->getParentOfType<func::FuncOp>());
  resetCounter(builder, counter);
  omp::ParallelOperands clauses;
  clauses.numThreads = arith::ConstantOp::create(
      builder,
      builder.getI32IntegerAttr(static_cast<int32_t>(threads.getValue())));
  auto parallel = omp::ParallelOp::create(builder, clauses);
  Block *body = builder.createBlock(&parallel.getRegion());
  Team team = getTeam(builder, counter);
  for (Operation *op : ops)
    op->moveBefore(body, body->end());
  emit(ops, team, /*repeats=*/false);
  builder.setInsertionPointToEnd(body);
  omp::TerminatorOp::create(builder);
  sinkInto(parallel);
  ++numRegions;
}

/// Forms parallel regions, each as long as it can be.
void LowerParallel::formRegions(Region &region) {
  for (Block &block : region) {
    // What one thread runs is left out at both ends of a region.
    SmallVector<std::pair<Operation *, Operation *>> runs;
    Operation *first = nullptr, *last = nullptr;
    auto finish = [&] {
      if (first)
        runs.push_back({first, last});
      first = last = nullptr;
    };
    for (Operation &op : block) {
      Role role = getRole(&op);
      if (role == Role::Outside) {
        finish();
        for (Region &inner : op.getRegions())
          formRegions(inner);
      } else if (role == Role::Shared || role == Role::Nested) {
        first = first ? first : &op;
        last = &op;
      }
    }
    finish();
    for (auto [begin, end] : runs)
      formRegion(begin, end);
  }
}

void LowerParallel::runOnOperation() {
  ModuleOp module = getOperation();
  if (threads < 1) {
    module.emitError("bcr-lower-parallel: 'threads' is positive");
    return signalPassFailure();
  }
  if (threads == 1 || !holdsShared(module))
    return;
  findTeamFunctions();
  for (auto function : module.getOps<func::FuncOp>())
    if (!teamFunctions.contains(function.getSymNameAttr())) {
      counter = Value();
      formRegions(function.getBody());
    }
  for (auto function : module.getOps<func::FuncOp>())
    if (teamFunctions.contains(function.getSymNameAttr()))
      makeTeamFunction(function);
  declareTeamFunctions(module, hint, futex);
}
