//===- BufferLifetimes.cpp - When a buffer holds data ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values that may be the same memory are one class: views, and what control
// flow merges. Merging is coarse (all that enters a loop or leaves a branch is
// one class), which costs memory where it is wrong and never correctness. A
// class is known if each member that is no alias of another is an allocation
// here, and nothing takes the address away.
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/BufferLifetimes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// Positions of an operation and what it holds.
struct Range {
  int64_t begin;
  int64_t end;
};

class Solver {
public:
  Solver(func::FuncOp function, uint64_t alignment, int64_t maxSlices)
      : function(function), alignment(alignment), maxSlices(maxSlices) {}
  void solve(SmallVectorImpl<BufferLifetime> &buffers,
             SmallVectorImpl<memref::DeallocOp> &deallocs);

private:
  int64_t number(Operation *op, int64_t next);
  void join(Operation *op);
  void joinAll(ValueRange a, ValueRange b);
  void joinRegions(Operation *op);
  void collectUses(Operation *op);
  void exclude(Value memref) { unknown.insert(leader(memref)); }
  Value leader(Value memref) { return classes.getOrInsertLeaderValue(memref); }
  bool isCandidate(memref::AllocOp alloc);
  BufferLifetime getLifetime(memref::AllocOp alloc);

  func::FuncOp function;
  uint64_t alignment;
  int64_t maxSlices;
  DenseMap<Operation *, Range> ranges;
  llvm::EquivalenceClasses<Value> classes;
  DenseSet<Value> unknown;
  DenseMap<Value, SmallVector<Operation *>> uses;
  DenseMap<Value, SmallVector<memref::DeallocOp>> frees;
};
} // namespace

static bool isMemRef(Value value) {
  return isa<BaseMemRefType>(value.getType());
}

/// Whether the results that are memrefs are the operands that are.
static bool isAlias(Operation *op) {
  return isa<ViewLikeOpInterface, arith::SelectOp, memref::AssumeAlignmentOp,
             memref::ExtractStridedMetadataOp>(op);
}

/// Whether the regions of `op` run once at most, one after the other.
static bool runsOnce(Operation *op) {
  return isa<scf::IfOp, scf::IndexSwitchOp, scf::ExecuteRegionOp,
             memref::AllocaScopeOp>(op);
}

int64_t Solver::number(Operation *op, int64_t next) {
  int64_t begin = next++;
  for (Region &region : op->getRegions())
    for (Block &block : region)
      for (Operation &inner : block)
        next = number(&inner, next);
  ranges[op] = {begin, next - 1};
  return next;
}

void Solver::joinAll(ValueRange a, ValueRange b) {
  for (Value first : a)
    for (Value second : b)
      if (isMemRef(first) && isMemRef(second))
        classes.unionSets(first, second);
}

/// Makes one class of the memrefs that enter, leave or are passed on in `op`.
void Solver::joinRegions(Operation *op) {
  SmallVector<Value> carried(op->getOperands());
  llvm::append_range(carried, op->getResults());
  for (Region &region : op->getRegions())
    for (Block &block : region) {
      llvm::append_range(carried, block.getArguments());
      if (!block.empty())
        llvm::append_range(carried, block.back().getOperands());
    }
  joinAll(carried, carried);
}

void Solver::join(Operation *op) {
  if (isAlias(op))
    return joinAll(op->getOperands(), op->getResults());
  if (isa<RegionBranchOpInterface>(op))
    joinRegions(op);
}

void Solver::collectUses(Operation *op) {
  if (auto dealloc = dyn_cast<memref::DeallocOp>(op)) {
    frees[leader(dealloc.getMemref())].push_back(dealloc);
    return;
  }
  if (isAlias(op))
    return;
  bool passesOn = op->hasTrait<OpTrait::IsTerminator>();
  bool makesMemRef = llvm::any_of(op->getResults(), [](Value result) {
    return !result.getType().isIntOrIndexOrFloat() &&
           !isa<VectorType, ComplexType>(result.getType());
  });
  for (Value operand : op->getOperands()) {
    if (!isMemRef(operand))
      continue;
    uses[leader(operand)].push_back(op);
    // The address goes where it cannot be followed.
    if (isa<memref::ExtractAlignedPointerAsIndexOp>(op) ||
        (makesMemRef && !isa<RegionBranchOpInterface>(op)))
      exclude(operand);
    Operation *parent = op->getParentOp();
    if (passesOn && !isa<RegionBranchOpInterface>(parent))
      exclude(operand);
  }
  if (auto store = dyn_cast<memref::StoreOp>(op))
    if (isMemRef(store.getValueToStore()))
      exclude(store.getValueToStore());
  if (isa<memref::AllocOp>(op) || isa<RegionBranchOpInterface>(op))
    return;
  for (Value result : op->getResults())
    if (isMemRef(result))
      exclude(result);
  for (Region &region : op->getRegions())
    for (BlockArgument argument : region.getArguments())
      if (isMemRef(argument))
        exclude(argument);
}

/// The iterations of a loop, or nothing if its bounds are no constants.
static std::optional<int64_t> countIterations(scf::ParallelOp loop) {
  int64_t count = 1;
  for (auto [begin, end, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    std::optional<int64_t> first = getConstantIntValue(begin),
                           last = getConstantIntValue(end),
                           stride = getConstantIntValue(step);
    if (!first || !last || !stride)
      return std::nullopt;
    count *= llvm::divideCeil(std::max<int64_t>(*last - *first, 0), *stride);
  }
  return count;
}

bool Solver::isCandidate(memref::AllocOp alloc) {
  MemRefType type = alloc.getType();
  Type element = type.getElementType();
  if (!type.hasStaticShape() || !type.getLayout().isIdentity() ||
      type.getMemorySpace() ||
      !(element.isIntOrIndexOrFloat() || isa<ComplexType>(element)))
    return false;
  Value name = leader(alloc);
  if (unknown.contains(name) || alloc.getAlignment().value_or(1) > alignment)
    return false;
  int64_t slices = 1;
  for (Operation *op = alloc->getParentOp(); op != function;
       op = op->getParentOp()) {
    if (runsOnce(op))
      continue;
    if (auto parallel = dyn_cast<scf::ParallelOp>(op)) {
      std::optional<int64_t> iterations = countIterations(parallel);
      if (!iterations || *iterations > maxSlices / slices)
        return false;
      slices *= std::max<int64_t>(*iterations, 1);
    } else if (!isa<scf::ForOp, scf::WhileOp>(op)) {
      return false;
    }
    // An iteration that hands its buffer on needs another for the next.
    for (Operation *use : uses.lookup(name))
      if (use->hasTrait<OpTrait::IsTerminator>() && use->getParentOp() == op)
        return false;
  }
  return true;
}

BufferLifetime Solver::getLifetime(memref::AllocOp alloc) {
  BufferLifetime result;
  result.alloc = alloc;
  Operation *scope = alloc;
  for (Operation *op = alloc->getParentOp(); op != function;
       op = op->getParentOp())
    if (auto parallel = dyn_cast<scf::ParallelOp>(op)) {
      result.parallelLoops.insert(result.parallelLoops.begin(), parallel);
      result.slices *= *countIterations(parallel);
      scope = parallel;
    }
  bool any = false;
  auto include = [&](Operation *op) {
    // Memory that a loop uses is used until its last iteration.
    for (Operation *outer = op->getParentOp(); outer != function;
         outer = outer->getParentOp())
      if (!runsOnce(outer) && !outer->isAncestor(scope))
        op = outer;
    Range range = ranges.lookup(op);
    result.begin = any ? std::min(result.begin, range.begin) : range.begin;
    result.end = any ? std::max(result.end, range.end) : range.end;
    any = true;
  };
  if (scope != alloc)
    include(scope);
  for (Operation *use : uses.lookup(leader(alloc)))
    include(use);
  if (!any)
    include(alloc);
  return result;
}

void Solver::solve(SmallVectorImpl<BufferLifetime> &buffers,
                   SmallVectorImpl<memref::DeallocOp> &deallocs) {
  // Positions are an order of execution where there are no branches.
  WalkResult walk = function.walk([](Operation *op) {
    bool branches = llvm::any_of(op->getRegions(), [](Region &region) {
      return !region.empty() && !region.hasOneBlock();
    });
    return branches ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return;
  number(function, 0);
  function.walk([&](Operation *op) {
    for (Value result : op->getResults())
      if (isMemRef(result))
        classes.insert(result);
    join(op);
  });
  for (BlockArgument argument : function.getArguments())
    if (isMemRef(argument))
      exclude(argument);
  SmallVector<memref::AllocOp> allocs;
  function->walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == function)
      return;
    collectUses(op);
    if (auto alloc = dyn_cast<memref::AllocOp>(op))
      allocs.push_back(alloc);
  });
  // What frees a class frees any of it: all of its buffers are planned or none.
  DenseSet<Value> left;
  for (memref::AllocOp alloc : allocs)
    if (!isCandidate(alloc))
      left.insert(leader(alloc));
  DenseSet<Value> freed;
  for (memref::AllocOp alloc : allocs) {
    Value name = leader(alloc);
    if (left.contains(name))
      continue;
    buffers.push_back(getLifetime(alloc));
    if (freed.insert(name).second)
      llvm::append_range(deallocs, frees.lookup(name));
  }
}

BufferLifetimes::BufferLifetimes(func::FuncOp function, uint64_t alignment,
                                 int64_t maxSlices) {
  Solver(function, alignment, maxSlices).solve(buffers, deallocs);
}
