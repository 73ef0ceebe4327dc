//===- LowerLinalg.cpp - Linalg on memrefs to loops that vectorise --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Contraction.h"
#include "passes/Conversion/IndexedExtremum.h"
#include "passes/Conversion/LinalgAccess.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRLOWERLINALGPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;
using linalg::GenericOp;

namespace {
struct LowerLinalg : bcr::impl::BCRLowerLinalgPassBase<LowerLinalg> {
  using BCRLowerLinalgPassBase::BCRLowerLinalgPassBase;
  void runOnOperation() override;
};

/// Emits the loops of one generic op.
class LoopEmitter {
public:
  LoopEmitter(GenericOp op, int64_t threads, int64_t minParallelWork)
      : op(op), builder(op.getLoc(), op), threads(threads),
        minParallelWork(minParallelWork) {}
  void emit();

private:
  bool isReduction(unsigned loop) {
    return op.getIteratorTypesArray()[loop] == utils::IteratorType::reduction;
  }
  unsigned getNumParallelLoops();
  void emitParallel(unsigned count);
  void emitChunks();
  void emitLoops(unsigned loop);
  int64_t chooseUnroll();
  SmallVector<Value> emitReduction(unsigned loop, ValueRange carried);
  SmallVector<Value> emitBody(ValueRange outputs);
  SmallVector<Value> loadOutputs();
  void storeOutputs(ValueRange values);
  void loadAround(unsigned loop);
  Value load(OpOperand &operand);
  SmallVector<Value> getIndices(OpOperand &operand);

  GenericOp op;
  ImplicitLocOpBuilder builder;
  int64_t threads;
  int64_t minParallelWork;
  SmallVector<Value> sizes;
  SmallVector<Value> counters;
  /// Inputs that are loaded in front of the innermost loop.
  DenseMap<OpOperand *, Value> loaded;
  /// The innermost loops from here on are reductions.
  unsigned firstReduction = 0;
  /// Steps of the loop before the innermost that one iteration makes.
  int64_t unroll = 1;
};
} // namespace

//===----------------------------------------------------------------------===//
// The order of the loops
//===----------------------------------------------------------------------===//

/// Whether the payload asks for its place in the iteration space.
static bool hasIndex(GenericOp op) { return op.hasIndexSemantics(); }

static bool isRowMajor(Type type) {
  auto memref = dyn_cast<MemRefType>(type);
  return memref && memref.getLayout().isIdentity();
}

/// Drops the dimensions of size one that an operand's map fixes at zero, which
/// is how torch-mlir broadcasts.
static void dropFixedDimensions(RewriterBase &rewriter, GenericOp op) {
  SmallVector<Attribute> maps;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    maps.push_back(AffineMapAttr::get(map));
    SmallVector<AffineExpr> results;
    SmallVector<ReassociationIndices> groups;
    ReassociationIndices leading;
    for (auto [i, result] : llvm::enumerate(map.getResults())) {
      auto constant = dyn_cast<AffineConstantExpr>(result);
      bool fixed = constant && constant.getValue() == 0;
      if (!fixed) {
        results.push_back(result);
        groups.emplace_back();
        std::swap(groups.back(), leading);
      }
      (groups.empty() ? leading : groups.back()).push_back(i);
    }
    if (results.size() == map.getNumResults() ||
        !isRowMajor(operand.get().getType()))
      continue;
    auto type = cast<MemRefType>(operand.get().getType());
    bool single = true;
    for (auto [i, result] : llvm::enumerate(map.getResults()))
      if (isa<AffineConstantExpr>(result))
        single &= type.getDimSize(i) == 1;
    if (!single)
      continue;
    rewriter.setInsertionPoint(op);
    operand.set(memref::CollapseShapeOp::create(rewriter, op.getLoc(),
                                                operand.get(), groups));
    maps.back() = AffineMapAttr::get(AffineMap::get(
        map.getNumDims(), map.getNumSymbols(), results, op.getContext()));
  }
  op.setIndexingMapsAttr(rewriter.getArrayAttr(maps));
}

/// Makes one loop of adjacent loops that all operands walk in one stride.
static GenericOp collapseLoops(RewriterBase &rewriter, GenericOp op) {
  if (hasIndex(op))
    return op;
  for (Type type : op->getOperandTypes())
    if (isa<BaseMemRefType>(type) && !isRowMajor(type))
      return op;
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps,
                    [](AffineMap map) { return map.isProjectedPermutation(); }))
    return op;
  auto iterators = op.getIteratorTypesArray();
  SmallVector<ReassociationIndices> groups;
  bool any = false;
  for (int64_t loop = 0, e = op.getNumLoops(); loop < e; ++loop) {
    if (!groups.empty()) {
      ReassociationIndices longer = groups.back();
      longer.push_back(loop);
      if (iterators[loop] == iterators[loop - 1] &&
          linalg::areDimSequencesPreserved(maps, longer)) {
        groups.back() = longer;
        any = true;
        continue;
      }
    }
    groups.push_back({loop});
  }
  if (!any)
    return op;
  rewriter.setInsertionPoint(op);
  FailureOr<linalg::CollapseResult> result =
      linalg::collapseOpIterationDims(op, groups, rewriter);
  if (failed(result))
    return op;
  rewriter.eraseOp(op);
  return cast<GenericOp>(result->collapsedOp.getOperation());
}

static SmallVector<unsigned> chooseOrder(GenericOp op) {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  auto iterators = op.getIteratorTypesArray();
  unsigned numLoops = op.getNumLoops();
  unsigned innermost = 0;
  int64_t best = std::numeric_limits<int64_t>::max();
  for (unsigned loop = 0; loop < numLoops; ++loop) {
    bool reduction = iterators[loop] == utils::IteratorType::reduction;
    int64_t cost = reduction ? 1 : 0;
    for (OpOperand &operand : op->getOpOperands())
      cost += getWalkCost(op.getMatchingIndexingMap(&operand),
                          operand.get().getType(), loop) *
              (op.isDpsInit(&operand) ? 2 : 1);
    // A loop of a few iterations fills no vector.
    if (!ShapedType::isDynamic(ranges[loop]) && ranges[loop] < 6)
      cost += 6;
    // Of equals the last: its neighbours in memory are nearest.
    if (cost <= best) {
      best = cost;
      innermost = loop;
    }
  }
  SmallVector<unsigned> order;
  for (bool reductions : {false, true})
    for (unsigned loop = 0; loop < numLoops; ++loop)
      if (loop != innermost &&
          (iterators[loop] == utils::IteratorType::reduction) == reductions)
        order.push_back(loop);
  order.push_back(innermost);
  return order;
}

//===----------------------------------------------------------------------===//
// The loops
//===----------------------------------------------------------------------===//

/// Lets LLVM reorder and contract the additions of a sum.
static void relaxReductions(GenericOp op) {
  auto flags = arith::FastMathFlags::reassoc | arith::FastMathFlags::contract;
  for (BlockArgument output : op.getRegionOutputArgs()) {
    if (!output.hasOneUse())
      continue;
    Operation *combiner = *output.user_begin();
    if (!isa<arith::AddFOp, arith::MulFOp>(combiner))
      continue;
    auto relax = [&](Operation *target) {
      target->setAttr("fastmath",
                      arith::FastMathFlagsAttr::get(op.getContext(), flags));
    };
    relax(combiner);
    for (Value operand : combiner->getOperands())
      if (auto product = operand.getDefiningOp<arith::MulFOp>())
        if (product->hasOneUse())
          relax(product);
  }
}

SmallVector<Value> LoopEmitter::getIndices(OpOperand &operand) {
  return getAccess(builder, op.getMatchingIndexingMap(&operand), counters);
}

Value LoopEmitter::load(OpOperand &operand) {
  if (!isa<MemRefType>(operand.get().getType()))
    return operand.get();
  if (Value before = loaded.lookup(&operand))
    return before;
  return memref::LoadOp::create(builder, operand.get(), getIndices(operand));
}

/// Loads the inputs that stay the same in the innermost loop in front of it.
/// LLVM does not know that no store of the loop changes an index, and a lookup
/// whose index may change is no copy of neighbours.
void LoopEmitter::loadAround(unsigned loop) {
  loaded.clear();
  if (loop + 1 != op.getNumLoops())
    return;
  for (OpOperand *input : op.getDpsInputOperands())
    if (op.payloadUsesValueFromOperand(input) &&
        !op.getMatchingIndexingMap(input).isFunctionOfDim(loop))
      loaded[input] = load(*input);
}

SmallVector<Value> LoopEmitter::loadOutputs() {
  SmallVector<Value> values;
  for (OpOperand &output : op.getDpsInitsMutable())
    values.push_back(op.payloadUsesValueFromOperand(&output) ? load(output)
                                                             : Value());
  return values;
}

void LoopEmitter::storeOutputs(ValueRange values) {
  for (auto [value, output] : llvm::zip_equal(values, op.getDpsInitsMutable()))
    memref::StoreOp::create(builder, value, output.get(), getIndices(output));
}

/// One iteration: from the outputs' old values to their new ones.
SmallVector<Value> LoopEmitter::emitBody(ValueRange outputs) {
  IRMapping mapping;
  Block *body = op.getBody();
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(input);
    if (!argument.use_empty())
      mapping.map(argument, load(*input));
  }
  for (auto [argument, value] :
       llvm::zip_equal(op.getRegionOutputArgs(), outputs))
    if (value)
      mapping.map(argument, value);
  for (Operation &inner : body->without_terminator()) {
    if (auto index = dyn_cast<linalg::IndexOp>(inner))
      mapping.map(index.getResult(), counters[index.getDim()]);
    else
      builder.clone(inner, mapping);
  }
  SmallVector<Value> results;
  for (Value value : body->getTerminator()->getOperands())
    results.push_back(mapping.lookupOrDefault(value));
  return results;
}

SmallVector<Value> LoopEmitter::emitReduction(unsigned loop,
                                              ValueRange carried) {
  if (loop == op.getNumLoops())
    return emitBody(carried);
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  loadAround(loop);
  auto nest = scf::ForOp::create(builder, zero, sizes[loop], one, carried);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  counters[loop] = nest.getInductionVar();
  SmallVector<Value> results =
      emitReduction(loop + 1, nest.getRegionIterArgs());
  scf::YieldOp::create(builder, results);
  return SmallVector<Value>(nest.getResults());
}

void LoopEmitter::emitLoops(unsigned loop) {
  if (loop == firstReduction) {
    // Without a use of its old value an output has nothing to carry.
    SmallVector<Value> outputs = loadOutputs();
    bool carried = llvm::all_of(outputs, [](Value value) { return !!value; });
    if (unroll > 1) {
      Value first = counters[loop - 2];
      for (int64_t i = 0; i < unroll; ++i) {
        Value step = arith::ConstantIndexOp::create(builder, i);
        counters[loop - 2] = arith::AddIOp::create(builder, first, step);
        outputs = emitBody(outputs);
      }
      storeOutputs(outputs);
      return;
    }
    if (loop == op.getNumLoops() || carried) {
      storeOutputs(emitReduction(loop, outputs));
      return;
    }
    firstReduction = op.getNumLoops();
  }
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(
      builder, loop + 2 == op.getNumLoops() ? unroll : 1);
  if (unroll == 1)
    loadAround(loop);
  auto nest = scf::ForOp::create(builder, zero, sizes[loop], one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  counters[loop] = nest.getInductionVar();
  emitLoops(loop + 1);
}

/// Steps of a reduction around a parallel innermost loop that share one load
/// and store of the outputs: a divisor of the loop's size.
int64_t LoopEmitter::chooseUnroll() {
  unsigned numLoops = op.getNumLoops();
  if (numLoops < 2 || isReduction(numLoops - 1) || !isReduction(numLoops - 2))
    return 1;
  // Longer bodies gain nothing: they have loads and stores of their own.
  if (op.getBody()->getOperations().size() > 4)
    return 1;
  for (OpOperand &output : op.getDpsInitsMutable())
    if (!op.payloadUsesValueFromOperand(&output))
      return 1;
  int64_t size = op.getStaticLoopRanges()[numLoops - 2];
  if (ShapedType::isDynamic(size))
    return 1;
  for (int64_t steps = 8; steps > 1; --steps)
    if (size % steps == 0)
      return steps;
  return 1;
}

/// Whether threads save time, by the number of iterations.
static bool isLarge(GenericOp op, int64_t minParallelWork) {
  int64_t work = 1;
  for (int64_t size : op.getStaticLoopRanges()) {
    // A size that is not known is taken for a large one.
    if (ShapedType::isDynamic(size))
      size = minParallelWork;
    if (size > 0 && work < minParallelWork)
      work *= size;
  }
  return work >= minParallelWork;
}

/// The outer parallel loops that are worth sharing among threads.
unsigned LoopEmitter::getNumParallelLoops() {
  if (threads <= 1 || !isLarge(op, minParallelWork))
    return 0;
  unsigned count = 0;
  while (count < op.getNumLoops() && !isReduction(count))
    ++count;
  return count;
}

void LoopEmitter::emitParallel(unsigned count) {
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  auto nest = scf::ParallelOp::create(builder, SmallVector<Value>(count, zero),
                                      ArrayRef(sizes).take_front(count),
                                      SmallVector<Value>(count, one));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  for (unsigned i = 0; i < count; ++i)
    counters[i] = nest.getInductionVars()[i];
  emitLoops(count);
}

/// Shares the only loop: one chunk a thread, so that chunks stay vectors.
void LoopEmitter::emitChunks() {
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  AffineExpr size = builder.getAffineDimExpr(0);
  Value chunk = affine::AffineApplyOp::create(
      builder, AffineMap::get(1, 0, size.ceilDiv(threads).ceilDiv(64) * 64),
      ValueRange(sizes[0]));
  Value step = arith::MaxSIOp::create(
      builder, chunk, arith::ConstantIndexOp::create(builder, 64));
  auto nest = scf::ParallelOp::create(builder, ValueRange(zero),
                                      ValueRange(sizes[0]), ValueRange(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  Value begin = nest.getInductionVars()[0];
  Value end = arith::MinSIOp::create(
      builder, arith::AddIOp::create(builder, begin, step), sizes[0]);
  auto loop = scf::ForOp::create(builder, begin, end, one);
  builder.setInsertionPointToStart(loop.getBody());
  counters[0] = loop.getInductionVar();
  emitLoops(1);
}

void LoopEmitter::emit() {
  unsigned numLoops = op.getNumLoops();
  auto linalgOp = cast<linalg::LinalgOp>(op.getOperation());
  for (Range range : linalgOp.createLoopRanges(builder, op.getLoc()))
    sizes.push_back(
        getValueOrCreateConstantIndexOp(builder, op.getLoc(), range.size));
  counters.resize(numLoops);
  firstReduction = numLoops;
  while (firstReduction > 0 && isReduction(firstReduction - 1))
    --firstReduction;
  unroll = chooseUnroll();

  unsigned parallel = getNumParallelLoops();
  if (numLoops == 1 && parallel == 1)
    emitChunks();
  else if (unsigned outer = std::min(parallel, numLoops - 1); outer && parallel)
    emitParallel(outer);
  else
    emitLoops(0);
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

void LowerLinalg::runOnOperation() {
  IRRewriter rewriter(&getContext());
  SmallVector<memref::CopyOp> copies;
  getOperation().walk([&](memref::CopyOp copy) {
    if (!isRowMajor(copy.getSource().getType()) ||
        !isRowMajor(copy.getTarget().getType()))
      copies.push_back(copy);
  });
  for (memref::CopyOp copy : copies) {
    if (!isa<MemRefType>(copy.getSource().getType()) ||
        !isa<MemRefType>(copy.getTarget().getType()))
      continue;
    rewriter.setInsertionPoint(copy);
    linalg::CopyOp::create(rewriter, copy.getLoc(), copy.getSource(),
                           copy.getTarget());
    rewriter.eraseOp(copy);
  }

  SmallVector<GenericOp> generics;
  getOperation().walk([&](GenericOp op) { generics.push_back(op); });
  for (GenericOp op : generics)
    splitIndexedExtremum(rewriter, op);

  SmallVector<linalg::LinalgOp> ops;
  getOperation().walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  for (linalg::LinalgOp op : ops) {
    if (!op.hasPureBufferSemantics()) {
      op.emitOpError("is on tensors: bufferization goes before "
                     "bcr-lower-linalg");
      return signalPassFailure();
    }
    auto generic = dyn_cast<GenericOp>(op.getOperation());
    if (!generic) {
      rewriter.setInsertionPoint(op);
      FailureOr<GenericOp> general = linalg::generalizeNamedOp(rewriter, op);
      if (failed(general)) {
        op.emitOpError("has no scalar form");
        return signalPassFailure();
      }
      generic = *general;
    }
    dropFixedDimensions(rewriter, generic);
    generic = collapseLoops(rewriter, generic);
    ++numLowered;
    bool parallel = threads > 1 && isLarge(generic, minParallelWork);
    if (emitContraction(generic, {lanes, registers, parallel})) {
      rewriter.eraseOp(generic);
      continue;
    }
    SmallVector<unsigned> order = chooseOrder(generic);
    if (!llvm::is_sorted(order)) {
      rewriter.setInsertionPoint(generic);
      FailureOr<GenericOp> ordered =
          linalg::interchangeGenericOp(rewriter, generic, order);
      if (succeeded(ordered))
        generic = *ordered;
      ++numReordered;
    }
    relaxReductions(generic);
    LoopEmitter(generic, threads, minParallelWork).emit();
    rewriter.eraseOp(generic);
  }
}
