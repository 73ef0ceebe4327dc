//===- LaunchLoops.cpp - bcr-launch-loops ---------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Launch.h"
#include "passes/Passes.h"
#include "passes/Transforms/FlattenBranches.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SCF/Transforms/Transforms.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/LoopLikeInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRLAUNCHLOOPSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;

/// Whether `op` is a loop that enqueues launches, which only the host can.
static bool isHostLoop(Operation *op) {
  return isa<scf::ForOp>(op) && op->walk([](gpu::LaunchOp) {
                                    return WalkResult::interrupt();
                                  }).wasInterrupted();
}

static bool isHostOp(Operation *op);

/// Whether the host knows `value` without what kernels compute.
static bool isHostValue(Value value) {
  Operation *op = value.getDefiningOp();
  return !op || isHostOp(op);
}

/// What gives the host an address or a constant, whenever that is.
static bool isPlace(Operation *op) {
  if (matchPattern(op, m_Constant()) || isa<memref::GetGlobalOp>(op))
    return true;
  return isa<memref::AllocOp, memref::AssumeAlignmentOp, ViewLikeOpInterface>(
             op) &&
         llvm::all_of(op->getOperands(), isHostValue);
}

/// What the host does itself: memory, constants and repetitions.
static bool isHostOp(Operation *op) {
  return isPlace(op) || isHostLoop(op) ||
         isa<gpu::LaunchOp, memref::DeallocOp>(op) ||
         op->hasTrait<OpTrait::IsTerminator>();
}

/// What a kernel that is no layer is called in reports.
static constexpr StringRef kLabel = "loops";

/// Loops over shares mean the same on one work-item.
static LogicalResult runInOrder(gpu::LaunchOp op) {
  SmallVector<scf::ParallelOp> loops;
  op.walk([&](scf::ParallelOp loop) { loops.push_back(loop); });
  IRRewriter rewriter(op.getContext());
  for (scf::ParallelOp loop : loops) {
    if (loop->getNumResults() > 0)
      return loop.emitOpError("reduces in parallel; kernels for a GPU need "
                              "reductions that are loops in order");
    if (failed(scf::parallelForToNestedFors(rewriter, loop)))
      return failure();
  }
  return success();
}

/// Whether one work-item has more to do than to move a number.
static bool isSlow(gpu::LaunchOp op) {
  return op->walk([](LoopLikeOpInterface) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

namespace {
struct LaunchLoops : bcr::impl::BCRLaunchLoopsPassBase<LaunchLoops> {
  void runOnOperation() override;

private:
  LogicalResult launchParallel(scf::ParallelOp loop);
  LogicalResult launchCopy(memref::CopyOp copy);
  LogicalResult launchSingle(SmallVector<Operation *> ops);
  LogicalResult launchAllOf(Block &block);
};
} // namespace

LogicalResult LaunchLoops::launchParallel(scf::ParallelOp loop) {
  SmallVector<int64_t> counts, begins, steps;
  for (auto [begin, end, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    std::optional<int64_t> first = getConstantIntValue(begin),
                           last = getConstantIntValue(end),
                           by = getConstantIntValue(step);
    if (!first || !last || !by)
      return loop.emitOpError("has a bound that is not a constant; kernels for "
                              "a GPU need shapes that are known when the model "
                              "is compiled");
    begins.push_back(*first);
    steps.push_back(*by);
    counts.push_back(*last > *first ? llvm::divideCeil(*last - *first, *by)
                                    : 0);
  }
  if (llvm::is_contained(counts, 0)) {
    loop.erase();
    return success();
  }
  // Dimensions by their place in the grid, from the innermost one outwards.
  SmallVector<unsigned> inner;
  for (unsigned i = counts.size(); i-- > 0;)
    if (counts[i] > 1)
      inner.push_back(i);
  Grid grid;
  if (!inner.empty())
    grid.x = counts[inner[0]];
  if (inner.size() > 1)
    grid.y = counts[inner[1]];
  for (unsigned i :
       ArrayRef(inner).drop_front(std::min<size_t>(inner.size(), 2)))
    grid.z *= counts[i];
  grid.local = getGroupSize(grid.x);

  ImplicitLocOpBuilder builder(loop.getLoc(), loop);
  gpu::LaunchOp op = launch(builder, kLabel, grid, [&](const WorkItem &item) {
    auto index = [&](int64_t value) -> Value {
      return arith::ConstantIndexOp::create(builder, value);
    };
    SmallVector<Value> turns(counts.size(), index(0));
    Value rest = item.z;
    for (auto [place, i] : llvm::enumerate(inner)) {
      if (place == 0) {
        turns[i] = item.x;
      } else if (place == 1) {
        turns[i] = item.y;
      } else if (place + 1 == inner.size()) {
        turns[i] = rest;
      } else {
        turns[i] = builder.createOrFold<arith::RemUIOp>(rest, index(counts[i]));
        rest = builder.createOrFold<arith::DivUIOp>(rest, index(counts[i]));
      }
    }
    IRMapping mapping;
    for (auto [i, variable] : llvm::enumerate(loop.getInductionVars())) {
      Value scaled =
          builder.createOrFold<arith::MulIOp>(turns[i], index(steps[i]));
      mapping.map(variable, builder.createOrFold<arith::AddIOp>(
                                scaled, index(begins[i])));
    }
    for (Operation &inner : loop.getBody()->without_terminator())
      builder.clone(inner, mapping);
  });
  if (failed(runInOrder(op)))
    return failure();
  loop.erase();
  ++numParallel;
  return success();
}

LogicalResult LaunchLoops::launchCopy(memref::CopyOp copy) {
  auto type = dyn_cast<MemRefType>(copy.getTarget().getType());
  if (!type || !type.hasStaticShape())
    return copy.emitOpError("has a shape that is not known; kernels for a GPU "
                            "need shapes that are known when the model is "
                            "compiled");
  ImplicitLocOpBuilder builder(copy.getLoc(), copy);
  if (type.getRank() == 0) {
    Value value = memref::LoadOp::create(builder, copy.getSource());
    memref::StoreOp::create(builder, value, copy.getTarget());
    copy.erase();
    return success();
  }
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  SmallVector<Value> ends;
  for (int64_t size : type.getShape())
    ends.push_back(arith::ConstantIndexOp::create(builder, size));
  SmallVector<Value> begins(ends.size(), zero), steps(ends.size(), one);
  scf::ParallelOp::create(
      builder, begins, ends, steps,
      [&](OpBuilder &nested, Location loc, ValueRange at) {
        Value value = memref::LoadOp::create(nested, loc, copy.getSource(), at);
        memref::StoreOp::create(nested, loc, value, copy.getTarget(), at);
      });
  copy.erase();
  return success();
}

/// What becomes a kernel around `user`, or null if it is the host's.
static Operation *findKernel(Operation *user) {
  Operation *kernel = user;
  for (Operation *parent = user->getParentOp();
       !isa<func::FuncOp>(parent) && !isHostLoop(parent);
       parent = parent->getParentOp())
    kernel = parent;
  bool isBody = kernel != user;
  return isBody || !isHostOp(kernel) ? kernel : nullptr;
}

/// Passes `number` to `uses` in other kernels: through memory, which is all
/// that kernels share. Returns what stores it.
static FailureOr<Operation *> pass(Value number, ArrayRef<OpOperand *> uses) {
  Operation *op = number.getDefiningOp();
  Type type = number.getType();
  if (!type.isIntOrIndexOrFloat())
    return op->emitOpError("computes a value of type ")
           << type << " that another kernel uses; kernels pass on numbers only";
  Block &front = op->getParentOfType<func::FuncOp>().getBody().front();
  auto outer = ImplicitLocOpBuilder::atBlockBegin(op->getLoc(), &front);
  Value buffer = memref::AllocOp::create(outer, MemRefType::get({}, type));
  outer.setInsertionPoint(front.getTerminator());
  memref::DeallocOp::create(outer, buffer);
  llvm::SmallDenseMap<Operation *, Value> loads;
  for (OpOperand *use : uses) {
    Operation *kernel = findKernel(use->getOwner());
    if (!kernel)
      return use->getOwner()->emitOpError("uses a number of type ")
             << type
             << " that a kernel computes; the host knows only what was "
                "known when the model was compiled";
    Value &load = loads[kernel];
    if (!load) {
      OpBuilder builder(kernel);
      // What starts many work-items lets each of them load the number.
      if (isa<gpu::LaunchOp, scf::ParallelOp>(kernel))
        builder.setInsertionPointToStart(&kernel->getRegion(0).front());
      load = memref::LoadOp::create(builder, op->getLoc(), buffer);
    }
    use->set(load);
  }
  OpBuilder builder(op->getContext());
  builder.setInsertionPointAfter(op);
  return memref::StoreOp::create(builder, op->getLoc(), number, buffer)
      .getOperation();
}

LogicalResult LaunchLoops::launchSingle(SmallVector<Operation *> ops) {
  if (ops.empty())
    return success();
  Block *block = ops.front()->getBlock();
  llvm::SmallPtrSet<Operation *, 8> own(ops.begin(), ops.end());
  SmallVector<Operation *> stores;
  for (Operation *op : ops)
    for (Value result : op->getResults()) {
      SmallVector<OpOperand *> uses;
      for (OpOperand &use : result.getUses())
        if (!own.contains(block->findAncestorOpInBlock(*use.getOwner())))
          uses.push_back(&use);
      if (uses.empty())
        continue;
      FailureOr<Operation *> store = pass(result, uses);
      if (failed(store))
        return failure();
      stores.push_back(*store);
    }
  ImplicitLocOpBuilder builder(ops.front()->getLoc(), ops.front());
  auto op = launchAll(builder, kLabel, Grid(), [](const WorkItem &) {});
  Operation *end = op.getBody().front().getTerminator();
  for (Operation *moved : llvm::concat<Operation *>(ops, stores))
    moved->moveBefore(end);
  if (failed(runInOrder(op)))
    return failure();
  if (isSlow(op))
    remark::missed(
        op.getLoc(),
        remark::RemarkOpts::name("SingleWorkItem").category("bcr-launch-loops"))
        << remark::add("runs on a single work-item: its steps depend on one "
                       "another");
  ++numSingle;
  return success();
}

/// Moves views whose place kernels compute to what uses them.
static void sinkViews(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (!isa<ViewLikeOpInterface>(op) || isPlace(&op))
      continue;
    for (OpOperand &use : llvm::make_early_inc_range(op.getUses())) {
      OpBuilder builder(use.getOwner());
      unsigned number = cast<OpResult>(use.get()).getResultNumber();
      use.set(builder.clone(op)->getResult(number));
    }
    op.erase();
  }
}

/// Whether the memory of one may be memory of the other.
static bool mayAlias(Value a, Value b) {
  auto x = a.getDefiningOp<memref::SubViewOp>();
  auto y = b.getDefiningOp<memref::SubViewOp>();
  if (x && y && x.getSource() == y.getSource()) {
    FailureOr<bool> overlap = ValueBoundsConstraintSet::areOverlappingSlices(
        x.getContext(), HyperrectangularSlice(x), HyperrectangularSlice(y));
    return failed(overlap) || *overlap;
  }
  auto getBase = [](Value value) {
    while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
      value = view.getViewSource();
    return value;
  };
  // A base of another kind, such as a choice between two, may be either.
  auto isAllocated = [](Value value) {
    return value.getDefiningOp<memref::AllocOp>() != nullptr;
  };
  auto isKnown = [&](Value value) {
    auto argument = dyn_cast<BlockArgument>(value);
    return isAllocated(value) || value.getDefiningOp<memref::GetGlobalOp>() ||
           (argument && isa<func::FuncOp>(argument.getOwner()->getParentOp()));
  };
  Value first = getBase(a), second = getBase(b);
  return first == second || !isKnown(first) || !isKnown(second) ||
         !(isAllocated(first) || isAllocated(second));
}

/// Whether all that `loop` does to memory is to load and store elements.
static bool isPlain(scf::ParallelOp loop) {
  return !loop->walk([](Operation *op) {
                bool isKnown =
                    isa<memref::LoadOp, memref::StoreOp>(op) ||
                    op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() ||
                    isMemoryEffectFree(op);
                return isKnown ? WalkResult::advance()
                               : WalkResult::interrupt();
              })
              .wasInterrupted();
}

/// Whether a turn of `second` may write what another turn of `first` writes.
static bool writesAgain(scf::ParallelOp first, scf::ParallelOp second) {
  auto isSame = [&](Value a, Value b) {
    for (auto [x, y] :
         llvm::zip(first.getInductionVars(), second.getInductionVars()))
      if (a == x && b == y)
        return true;
    std::optional<int64_t> number = getConstantIntValue(a);
    return number && number == getConstantIntValue(b);
  };
  WalkResult walk = second->walk([&](memref::StoreOp b) {
    return first->walk([&](memref::StoreOp a) {
      bool isOwn =
          a.getMemRef() == b.getMemRef() &&
          llvm::all_of(llvm::zip_equal(a.getIndices(), b.getIndices()),
                       [&](auto pair) { return std::apply(isSame, pair); });
      return isOwn || !mayAlias(a.getMemRef(), b.getMemRef())
                 ? WalkResult::advance()
                 : WalkResult::interrupt();
    });
  });
  return walk.wasInterrupted();
}

/// Puts barriers between neighbouring loops that upstream would fuse although
/// their writes have to stay in order: it compares writes with reads only.
static SmallVector<Operation *> separateWriters(Block &block) {
  SmallVector<Operation *> barriers;
  SmallVector<scf::ParallelOp> before;
  for (Operation &op : block) {
    auto loop = dyn_cast<scf::ParallelOp>(op);
    if (!loop) {
      if (!isMemoryEffectFree(&op))
        before.clear();
      continue;
    }
    auto isInOrder = [&](scf::ParallelOp other) {
      return !isPlain(other) || writesAgain(other, loop);
    };
    if (!before.empty() &&
        (!isPlain(loop) || llvm::any_of(before, isInOrder))) {
      OpBuilder builder(loop);
      barriers.push_back(gpu::BarrierOp::create(builder, loop.getLoc()));
      before.clear();
    }
    before.push_back(loop);
  }
  return barriers;
}

/// Makes one loop of neighbouring ones of one shape where each turn of the
/// second reads and writes only what the same turn of the first wrote, of what
/// any turn of it wrote: what was a result
/// of one and an operand of the other needs no second kernel and, with luck, no
/// memory.
static void fuseNeighbours(Block &block) {
  // Memory between two loops would keep them apart.
  SmallVector<memref::DeallocOp> frees(block.getOps<memref::DeallocOp>());
  for (memref::DeallocOp free : frees)
    free->moveBefore(block.getTerminator());
  SmallVector<memref::AllocOp> buffers(block.getOps<memref::AllocOp>());
  for (memref::AllocOp buffer : llvm::reverse(buffers))
    if (buffer->getNumOperands() == 0)
      buffer->moveBefore(&block.front());
  SmallVector<Operation *> barriers = separateWriters(block);
  scf::naivelyFuseParallelOps(*block.getParent(), mayAlias);
  for (Operation *barrier : barriers)
    barrier->erase();
}

LogicalResult LaunchLoops::launchAllOf(Block &block) {
  sinkViews(block);
  fuseNeighbours(block);
  // Code between two kernels runs in order on one work-item.
  SmallVector<Operation *> ops;
  for (Operation *op = &block.front(), *next; op; op = next) {
    auto loop = dyn_cast<scf::ParallelOp>(op);
    bool isParallel = loop && loop->use_empty();
    if (isPlace(op) || (!isParallel && !isHostOp(op))) {
      next = op->getNextNode();
      if (!isPlace(op))
        ops.push_back(op);
      else if (!ops.empty())
        op->moveBefore(ops.front());
      continue;
    }
    if (failed(launchSingle(std::exchange(ops, {}))))
      return failure();
    // Now: what ran before may have put loads behind `op`.
    next = op->getNextNode();
    LogicalResult launched = success();
    if (isParallel) // which erases it
      launched = launchParallel(loop);
    else if (isHostLoop(op))
      launched = launchAllOf(op->getRegion(0).front());
    if (failed(launched))
      return failure();
  }
  return success();
}

void LaunchLoops::runOnOperation() {
  SmallVector<memref::CopyOp> copies;
  getOperation().walk([&](memref::CopyOp copy) {
    if (!copy->getParentOfType<gpu::LaunchOp>())
      copies.push_back(copy);
  });
  for (memref::CopyOp copy : copies)
    if (failed(launchCopy(copy)))
      return signalPassFailure();
  Block &block = getOperation().getBody().front();
  if (failed(flattenBranches(block)) || failed(launchAllOf(block)))
    signalPassFailure();
}
