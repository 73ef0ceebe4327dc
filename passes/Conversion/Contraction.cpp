//===- Contraction.cpp - Sums of products in registers --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Contraction.h"
#include "passes/Conversion/LinalgAccess.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <map>
#include <optional>

using namespace mlir;
using namespace mlir::bcr;
using linalg::GenericOp;

/// Below this many elements a row of the output fills no vector.
static constexpr int64_t kMinWidth = 4;
/// Vectors of a tile, with and without a second loop in it, and its turns.
static constexpr int64_t kMaxVectors = 3, kMaxVectorsAlone = 8, kMaxTurns = 8;

namespace {
/// `count` tiles in a row: number i begins at `first` + i * `step` and has
/// elements (or vectors that begin) at these offsets.
struct Run {
  int64_t first, step, count;
  SmallVector<int64_t> offsets;
};

class ContractionEmitter {
public:
  ContractionEmitter(GenericOp op, const ContractionOptions &options)
      : op(op), options(options), builder(op.getLoc(), op) {}
  bool match();
  void emit();

private:
  using Vectors = SmallVector<SmallVector<Value>>;

  AffineMap getMap(unsigned operand) {
    return op.getIndexingMapsArray()[operand];
  }
  bool matchBody();
  void chooseTurns();
  void planTiles();
  void emitOutside(ArrayRef<unsigned> loops, function_ref<void()> body);
  void emitRun(const Run &run, unsigned loop, function_ref<void()> body);
  void emitShared(const Run &turnRun, function_ref<void()> body);
  void emitTile(const Run &vectorRun, const Run &turnRun);
  SmallVector<Value> emitSum(ArrayRef<unsigned> loops, ValueRange sums,
                             const Run &vectorRun, const Run &turnRun);
  SmallVector<Value> getPlace(unsigned operand, int64_t turn, int64_t offset);
  Value loadInput(unsigned operand, int64_t turn, int64_t offset);

  GenericOp op;
  const ContractionOptions &options;
  ImplicitLocOpBuilder builder;
  FloatType element;
  VectorType vectorType;
  /// The loop along the vectors, and the other one of a tile, if any.
  unsigned vectorLoop;
  std::optional<unsigned> turnLoop;
  SmallVector<unsigned> outside, reductions;
  SmallVector<Run> vectorRuns, turnRuns;
  SmallVector<Value> sizes, counters;
};
} // namespace

//===----------------------------------------------------------------------===//
// What is emitted so
//===----------------------------------------------------------------------===//

/// Whether the body is output + input * input.
bool ContractionEmitter::matchBody() {
  Block *body = op.getBody();
  auto yield = cast<linalg::YieldOp>(body->getTerminator());
  if (std::distance(body->begin(), body->end()) != 3)
    return false;
  auto sum = yield.getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum)
    return false;
  BlockArgument output = op.getRegionOutputArgs()[0];
  Value other = sum.getLhs() == output ? sum.getRhs() : sum.getLhs();
  auto product = other.getDefiningOp<arith::MulFOp>();
  if (!product || !llvm::is_contained(sum.getOperands(), output))
    return false;
  ArrayRef<BlockArgument> inputs = op.getRegionInputArgs();
  return (product.getLhs() == inputs[0] && product.getRhs() == inputs[1]) ||
         (product.getLhs() == inputs[1] && product.getRhs() == inputs[0]);
}

bool ContractionEmitter::match() {
  if (op.getNumDpsInputs() != 2 || op.getNumDpsInits() != 1 || !matchBody())
    return false;
  for (Type type : op->getOperandTypes())
    if (!isa<MemRefType>(type))
      return false;
  element = dyn_cast<FloatType>(getElementTypeOrSelf(op->getOperand(2)));
  if (!element || element.getWidth() < 32)
    return false;
  AffineMap output = getMap(2);
  if (!output.isProjectedPermutation() || output.getNumResults() == 0)
    return false;
  vectorLoop = cast<AffineDimExpr>(output.getResults().back()).getPosition();
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  if (ShapedType::isDynamic(ranges[vectorLoop]) ||
      ranges[vectorLoop] < kMinWidth ||
      options.lanes * 32 / element.getWidth() < kMinWidth)
    return false;
  bool any = false;
  for (unsigned operand = 0; operand < 3; ++operand) {
    int64_t cost = getWalkCost(getMap(operand),
                               op->getOperand(operand).getType(), vectorLoop);
    if (cost > 1)
      return false;
    any |= operand < 2 && cost == 1;
  }
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray()))
    if (kind == utils::IteratorType::reduction)
      reductions.push_back(loop);
  return any && !reductions.empty();
}

//===----------------------------------------------------------------------===//
// The tiles
//===----------------------------------------------------------------------===//

/// The loop whose turns load most in common, vectors before single elements.
void ContractionEmitter::chooseTurns() {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  int64_t best = -1;
  for (auto [loop, kind] : llvm::enumerate(op.getIteratorTypesArray())) {
    if (kind == utils::IteratorType::reduction || loop == vectorLoop)
      continue;
    outside.push_back(loop);
    if (ShapedType::isDynamic(ranges[loop]) || ranges[loop] < 2)
      continue;
    int64_t common = 0;
    for (unsigned operand = 0; operand < 2; ++operand)
      if (!getMap(operand).isFunctionOfDim(loop))
        common += getMap(operand).isFunctionOfDim(vectorLoop) ? 2 : 1;
    if (common >= best) {
      best = common;
      turnLoop = loop;
    }
  }
  if (turnLoop)
    llvm::erase(outside, *turnLoop);
}

/// Deals `count` pieces of `size` elements to tiles of at most `most`, as
/// evenly as possible.
static SmallVector<Run> deal(int64_t count, int64_t size, int64_t most) {
  int64_t tiles = llvm::divideCeil(count, most);
  SmallVector<Run> runs;
  int64_t begin = 0;
  for (auto [pieces, number] :
       {std::pair(count / tiles + 1, count % tiles),
        std::pair(count / tiles, tiles - count % tiles)}) {
    if (number == 0)
      continue;
    Run run{begin, pieces * size, number, {}};
    for (int64_t i = 0; i < pieces; ++i)
      run.offsets.push_back(i * size);
    begin += number * run.step;
    runs.push_back(std::move(run));
  }
  return runs;
}

void ContractionEmitter::planTiles() {
  SmallVector<int64_t> ranges = op.getStaticLoopRanges();
  int64_t size = ranges[vectorLoop];
  int64_t width = std::min<int64_t>(options.lanes * 32 / element.getWidth(),
                                    llvm::bit_floor(uint64_t(size)));
  vectorType = VectorType::get({width}, element);
  vectorRuns = deal(llvm::divideCeil(size, width), width,
                    turnLoop ? kMaxVectors : kMaxVectorsAlone);
  // The last vector is moved back to end with the row. The vector that it
  // overlaps is in the same tile, whose sums are loaded before any is stored.
  if (int64_t beyond = llvm::divideCeil(size, width) * width - size) {
    Run last = vectorRuns.back();
    if (--vectorRuns.back().count == 0)
      vectorRuns.pop_back();
    last.first += (last.count - 1) * last.step;
    last.count = 1;
    last.offsets.back() -= beyond;
    vectorRuns.push_back(std::move(last));
  }
  if (!turnLoop) {
    turnRuns = {{0, 1, 1, {0}}};
    return;
  }
  // A vector of each kind of input is in a register beside the sums.
  size_t vectors = 1;
  for (const Run &run : vectorRuns)
    vectors = std::max(vectors, run.offsets.size());
  int64_t most = std::max<int64_t>(1, (options.registers * 3 / 4) /
                                          static_cast<int64_t>(vectors));
  turnRuns = deal(ranges[*turnLoop], 1, std::min(kMaxTurns, most));
}

//===----------------------------------------------------------------------===//
// The loops
//===----------------------------------------------------------------------===//

SmallVector<Value> ContractionEmitter::getPlace(unsigned operand, int64_t turn,
                                                int64_t offset) {
  SmallVector<Value> place = counters;
  auto shift = [&](unsigned loop, int64_t by) {
    if (by != 0)
      place[loop] = arith::AddIOp::create(
          builder, place[loop], arith::ConstantIndexOp::create(builder, by));
  };
  shift(vectorLoop, offset);
  if (turnLoop)
    shift(*turnLoop, turn);
  return getAccess(builder, getMap(operand), place);
}

/// Loads a vector, or an element for all lanes.
Value ContractionEmitter::loadInput(unsigned operand, int64_t turn,
                                    int64_t offset) {
  Value memref = op->getOperand(operand);
  SmallVector<Value> place = getPlace(operand, turn, offset);
  if (getMap(operand).isFunctionOfDim(vectorLoop))
    return vector::LoadOp::create(builder, vectorType, memref, place);
  return vector::BroadcastOp::create(
      builder, vectorType, memref::LoadOp::create(builder, memref, place));
}

SmallVector<Value> ContractionEmitter::emitSum(ArrayRef<unsigned> loops,
                                               ValueRange sums,
                                               const Run &vectorRun,
                                               const Run &turnRun) {
  if (!loops.empty()) {
    Value zero = arith::ConstantIndexOp::create(builder, 0);
    Value one = arith::ConstantIndexOp::create(builder, 1);
    auto loop =
        scf::ForOp::create(builder, zero, sizes[loops.front()], one, sums);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    counters[loops.front()] = loop.getInductionVar();
    scf::YieldOp::create(builder,
                         emitSum(loops.drop_front(), loop.getRegionIterArgs(),
                                 vectorRun, turnRun));
    return SmallVector<Value>(loop.getResults());
  }
  // What several products have in common is loaded once.
  std::map<std::tuple<unsigned, int64_t, int64_t>, Value> loaded;
  auto get = [&](unsigned operand, int64_t turn, int64_t offset) {
    AffineMap map = getMap(operand);
    bool varies = turnLoop && map.isFunctionOfDim(*turnLoop);
    Value &value = loaded[{operand, varies ? turn : 0,
                           map.isFunctionOfDim(vectorLoop) ? offset : 0}];
    if (!value)
      value = loadInput(operand, turn, offset);
    return value;
  };
  auto flags = arith::FastMathFlagsAttr::get(
      builder.getContext(),
      arith::FastMathFlags::reassoc | arith::FastMathFlags::contract);
  SmallVector<Value> results;
  for (int64_t turn : turnRun.offsets)
    for (int64_t offset : vectorRun.offsets) {
      Value product = arith::MulFOp::create(builder, get(0, turn, offset),
                                            get(1, turn, offset), flags);
      results.push_back(
          arith::AddFOp::create(builder, sums[results.size()], product, flags));
    }
  return results;
}

void ContractionEmitter::emitTile(const Run &vectorRun, const Run &turnRun) {
  Value output = op->getOperand(2);
  SmallVector<SmallVector<Value>> places;
  SmallVector<Value> sums;
  for (int64_t turn : turnRun.offsets)
    for (int64_t offset : vectorRun.offsets) {
      places.push_back(getPlace(2, turn, offset));
      sums.push_back(
          vector::LoadOp::create(builder, vectorType, output, places.back()));
    }
  sums = emitSum(reductions, sums, vectorRun, turnRun);
  for (auto [sum, place] : llvm::zip_equal(sums, places))
    vector::StoreOp::create(builder, sum, output, place);
}

void ContractionEmitter::emitRun(const Run &run, unsigned loop,
                                 function_ref<void()> body) {
  Value first = arith::ConstantIndexOp::create(builder, run.first);
  if (run.count == 1) {
    counters[loop] = first;
    return body();
  }
  Value end =
      arith::ConstantIndexOp::create(builder, run.first + run.count * run.step);
  Value step = arith::ConstantIndexOp::create(builder, run.step);
  auto nest = scf::ForOp::create(builder, first, end, step);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  counters[loop] = nest.getInductionVar();
  body();
}

void ContractionEmitter::emitOutside(ArrayRef<unsigned> loops,
                                     function_ref<void()> body) {
  if (loops.empty())
    return body();
  Value zero = arith::ConstantIndexOp::create(builder, 0);
  Value one = arith::ConstantIndexOp::create(builder, 1);
  auto nest = scf::ForOp::create(builder, zero, sizes[loops.front()], one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  counters[loops.front()] = nest.getInductionVar();
  emitOutside(loops.drop_front(), body);
}

/// One loop over what is outside of the tiles and over a run of them, shared
/// by the threads.
void ContractionEmitter::emitShared(const Run &turnRun,
                                    function_ref<void()> body) {
  SmallVector<unsigned> loops = outside;
  SmallVector<Value> begins(outside.size(),
                            arith::ConstantIndexOp::create(builder, 0));
  SmallVector<Value> ends,
      steps(outside.size(), arith::ConstantIndexOp::create(builder, 1));
  for (unsigned loop : outside)
    ends.push_back(sizes[loop]);
  if (turnLoop) {
    loops.push_back(*turnLoop);
    begins.push_back(arith::ConstantIndexOp::create(builder, turnRun.first));
    ends.push_back(arith::ConstantIndexOp::create(
        builder, turnRun.first + turnRun.count * turnRun.step));
    steps.push_back(arith::ConstantIndexOp::create(builder, turnRun.step));
  }
  auto nest = scf::ParallelOp::create(builder, begins, ends, steps);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(nest.getBody());
  for (auto [loop, counter] : llvm::zip_equal(loops, nest.getInductionVars()))
    counters[loop] = counter;
  body();
}

void ContractionEmitter::emit() {
  chooseTurns();
  planTiles();
  auto linalgOp = cast<linalg::LinalgOp>(op.getOperation());
  for (Range range : linalgOp.createLoopRanges(builder, op.getLoc()))
    sizes.push_back(
        getValueOrCreateConstantIndexOp(builder, op.getLoc(), range.size));
  counters.resize(sizes.size());
  // Vectors outermost: columns of an input that all turns load stay in the
  // cache.
  auto emitTurns = [&](const Run &vectorRun) {
    for (const Run &turnRun : turnRuns) {
      auto tile = [&] { emitTile(vectorRun, turnRun); };
      if (options.parallel && (turnLoop || !outside.empty()))
        emitShared(turnRun, tile);
      else if (turnLoop)
        emitRun(turnRun, *turnLoop, tile);
      else
        tile();
    }
  };
  auto emitTiles = [&] {
    for (const Run &vectorRun : vectorRuns)
      emitRun(vectorRun, vectorLoop, [&] { emitTurns(vectorRun); });
  };
  if (options.parallel)
    emitTiles();
  else
    emitOutside(outside, emitTiles);
}

bool bcr::emitContraction(GenericOp op, const ContractionOptions &options) {
  ContractionEmitter emitter(op, options);
  if (!emitter.match())
    return false;
  emitter.emit();
  return true;
}
