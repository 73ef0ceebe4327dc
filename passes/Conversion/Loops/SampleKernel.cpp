//===- SampleKernel.cpp - Samples of a linear layer along the vector ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pixels kernel for a matmul: its positions are the samples. Rows along the
// vector would waste lanes on groups of few rows and read an activation for
// each sample and column.
//
// Inputs and sums have one row for each column or row of W and one lane for
// each sample, so the input is transposed before and the sums after, a square
// of vectors at a time; that is little against the products of a column. The
// lanes behind the last sample repeat it and are not stored.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Kernel.h"
#include "passes/Conversion/Loops/Transpose.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Transposed inputs of a block of samples that are thought to stay in a cache,
/// if the block has kMinBlock samples: fewer would read the weights too often.
static constexpr int64_t kBlockBytes = 1 << 20;
static constexpr int64_t kMinBlock = 64;

/// Vectors in a tile of few rows: more do not hide latencies any better.
static constexpr int64_t kMaxVectors = 8;

/// Rows of buffers a multiple of this many elements apart would all lie in the
/// same few sets of a cache.
static constexpr int64_t kBadStride = 256;

namespace {
class SampleKernel {
public:
  SampleKernel(MatmulOp op, ScheduleAttr schedule, const KernelPlan &plan,
               Emitter &emitter);

  /// Elements from a column of W to the next in the transposed input.
  int64_t getPitch() const { return pitch; }
  void emit(ArrayRef<int32_t> offsets, ElementsAttr values);

private:
  /// `count` samples from `first` on, which run together.
  struct Block {
    Value first;
    int64_t count;
  };

  void emitBlock(const Block &block);
  /// Covers the samples of a block by the sides of squares; the last one may
  /// have fewer than `lanes`.
  void forEachSide(const Block &block,
                   llvm::function_ref<void(Value sample, int64_t count)> body);
  /// Covers the samples of a block and `length` columns or rows by squares of
  /// vectors, or else one by one.
  void forEachSquare(
      const Block &block, int64_t length, bool vectors,
      llvm::function_ref<void(Value first, Value sample, int64_t count)> body);
  void transposeInput(const Block &block);
  void emitSums(const Block &block, Value chunk);
  void emitTile(const KernelClass &entry, const GroupValues &group, Value base,
                ArrayRef<int64_t> positions);
  void finish(const Block &block);
  /// Finishes the samples from `sample` of the block on, whose sums from `row`
  /// on are `values`.
  void finishRows(const Block &block, Value sample, Value row,
                  ArrayRef<Value> values);
  int64_t getPadded(const Block &block) const {
    return llvm::alignTo(block.count, lanes);
  }

  MatmulOp op;
  ScheduleAttr schedule;
  const KernelPlan &plan;
  Emitter &emitter;
  int64_t lanes, numSamples, numRows, numColumns, blockSamples, pitch;
  Value input, sums;
  std::optional<PlanConstants> constants;
};
} // namespace

SampleKernel::SampleKernel(MatmulOp op, ScheduleAttr schedule,
                           const KernelPlan &plan, Emitter &emitter)
    : op(op), schedule(schedule), plan(plan), emitter(emitter),
      lanes(schedule.getLanes()),
      numSamples(cast<MemRefType>(op.getInit().getType()).getDimSize(0)),
      numRows(op.getNumRows()), numColumns(op.getNumColumns()) {
  int64_t tile = lanes * schedule.getVectors();
  int64_t fitting = std::max(kBlockBytes / (4 * numColumns), kMinBlock);
  blockSamples =
      std::min(numSamples, std::max<int64_t>(fitting / tile, 1) * tile);
  pitch = llvm::alignTo(blockSamples, lanes);
  if (pitch % kBadStride == 0)
    pitch += lanes;
}

void SampleKernel::forEachSide(
    const Block &block,
    llvm::function_ref<void(Value sample, int64_t count)> body) {
  int64_t full = block.count / lanes;
  emitter.loop(full,
               [&](Value side) { body(emitter.mul(side, lanes), lanes); });
  if (int64_t rest = block.count % lanes)
    body(emitter.index(full * lanes), rest);
}

void SampleKernel::forEachSquare(
    const Block &block, int64_t length, bool vectors,
    llvm::function_ref<void(Value first, Value sample, int64_t count)> body) {
  int64_t squares = vectors ? llvm::divideCeil(length, lanes) : length;
  emitter.parallelLoop(emitter.index(squares), [&](Value square) {
    Value first = square;
    // The last square ends with the row.
    if (vectors)
      first = arith::MinUIOp::create(emitter, emitter.mul(square, lanes),
                                     emitter.index(length - lanes));
    forEachSide(block, [&](Value sample, int64_t count) {
      body(first, sample, count);
    });
  });
}

void SampleKernel::transposeInput(const Block &block) {
  Value source = op.getInput();
  auto put = [&](Value value, Value column, Value sample) {
    emitter.store(value, input,
                  emitter.add(emitter.mul(column, pitch), sample));
  };
  bool vectors = hasUnitStride(source) && numColumns >= lanes;
  auto transpose = [&](Value column, Value sample, int64_t count) {
    SmallVector<Value> rows;
    for (int64_t i = 0; i < lanes; ++i) {
      // The last sample again where there are no more.
      Value number = emitter.add(sample, std::min(i, count - 1));
      rows.push_back(emitter.load(source,
                                  {emitter.add(block.first, number), column},
                                  vectors ? lanes : 1));
    }
    if (vectors)
      rows = transposeSquare(emitter, rows);
    for (int64_t i = 0; i < lanes; ++i)
      if (vectors)
        put(rows[i], emitter.add(column, i), sample);
      else
        put(rows[i], column, emitter.add(sample, i));
  };
  forEachSquare(block, numColumns, vectors, transpose);
}

void SampleKernel::emitTile(const KernelClass &entry, const GroupValues &group,
                            Value base, ArrayRef<int64_t> positions) {
  SmallVector<Value> rows, tile;
  for (int64_t r = 0; r < entry.height; ++r) {
    rows.push_back(
        emitter.mul(constants->getRow(emitter, entry, group, r), pitch));
    for (int64_t position : positions)
      tile.push_back(
          entry.accumulate
              ? emitter.load(sums,
                             emitter.add(emitter.add(rows[r], base), position),
                             lanes)
              : emitter.constant(0, lanes));
  }
  tile = constants->reduceColumns(
      emitter, entry, group, base, tile, ColumnTurn::SideBySide,
      [&](Value at, Value first, MutableArrayRef<Value> next) {
        SmallVector<Value> inputs;
        for (int64_t position : positions)
          inputs.push_back(
              emitter.load(input, emitter.add(at, position), lanes));
        for (int64_t r = 0; r < entry.height; ++r) {
          Value weight = emitter.broadcast(
              emitter.load(constants->getValues(), emitter.add(first, r)),
              lanes);
          for (auto [i, value] : llvm::enumerate(inputs)) {
            Value &sum = next[r * inputs.size() + i];
            sum = emitter.multiplyAdd(weight, value, sum);
          }
        }
      });
  for (int64_t r = 0; r < entry.height; ++r)
    for (auto [i, position] : llvm::enumerate(positions))
      emitter.store(tile[r * positions.size() + i], sums,
                    emitter.add(emitter.add(rows[r], base), position));
}

void SampleKernel::emitSums(const Block &block, Value chunk) {
  int64_t total = getPadded(block) / lanes;
  auto clear = [&](Value row) {
    Value first = emitter.mul(row, pitch);
    emitter.coverRange(total * lanes, lanes,
                       [&](Value position, int64_t width) {
                         emitter.store(emitter.constant(0, width), sums,
                                       emitter.add(first, position));
                       });
  };
  constants->forEachAccumulated(emitter, chunk,
                                [&](Value, Value row) { clear(row); });
  constants->forEachEmpty(emitter, chunk, clear);
  for (size_t i = 0; i < plan.classes.size(); ++i) {
    const KernelClass &entry = plan.classes[i];
    // A class of few rows has registers left for more vectors; all tiles are
    // about as wide.
    int64_t most = schedule.getHeight() * schedule.getVectors() / entry.height;
    most = std::clamp<int64_t>(most, schedule.getVectors(), kMaxVectors);
    int64_t vectors = llvm::divideCeil(total, llvm::divideCeil(total, most));
    int64_t full = total / vectors;
    SmallVector<int64_t> inTile, last;
    for (int64_t v = 0; v < vectors; ++v)
      inTile.push_back(v * lanes);
    for (int64_t v = full * vectors; v < total; ++v)
      last.push_back(v * lanes);
    constants->forEachGroup(emitter, i, chunk, [&](const GroupValues &group) {
      emitter.loop(full, [&](Value tile) {
        emitTile(entry, group, emitter.mul(tile, vectors * lanes), inTile);
      });
      if (!last.empty())
        emitTile(entry, group, emitter.index(0), last);
    });
  }
}

void SampleKernel::finishRows(const Block &block, Value sample, Value row,
                              ArrayRef<Value> values) {
  int64_t width = 1;
  if (auto type = dyn_cast<VectorType>(values[0].getType()))
    width = type.getNumElements();
  Value bias;
  if (op.getBias())
    bias = emitter.load(op.getBias(), row, width);
  for (auto [i, value] : llvm::enumerate(values)) {
    SmallVector<Value> indices = {
        emitter.add(emitter.add(block.first, sample), i), row};
    Value result = value;
    if (bias)
      result = arith::AddFOp::create(emitter, result, bias);
    if (op.getResidual())
      result = arith::AddFOp::create(
          emitter, result, emitter.load(op.getResidual(), indices, width));
    emitter.store(emitter.activate(op.getActivationAttr(), result),
                  op.getInit(), indices);
  }
}

void SampleKernel::finish(const Block &block) {
  bool vectors = numRows >= lanes && hasUnitStride(op.getInit());
  for (Value operand : {op.getBias(), op.getResidual()})
    if (operand)
      vectors &= hasUnitStride(operand);
  auto finishSquare = [&](Value row, Value sample, int64_t count) {
    SmallVector<Value> values;
    for (int64_t i = 0; i < (vectors ? lanes : count); ++i) {
      Value from = vectors ? emitter.add(row, i) : row;
      Value lane = vectors ? sample : emitter.add(sample, i);
      values.push_back(emitter.load(sums,
                                    emitter.add(emitter.mul(from, pitch), lane),
                                    vectors ? lanes : 1));
    }
    if (vectors)
      values = transposeSquare(emitter, values);
    finishRows(block, sample, row, ArrayRef(values).take_front(count));
  };
  forEachSquare(block, numRows, vectors, finishSquare);
}

void SampleKernel::emitBlock(const Block &block) {
  transposeInput(block);
  emitter.parallelLoop(emitter.index(plan.getNumChunks()),
                       [&](Value chunk) { emitSums(block, chunk); });
  finish(block);
}

void SampleKernel::emit(ArrayRef<int32_t> offsets, ElementsAttr values) {
  constants.emplace(emitter, op, plan, offsets, values);
  input = emitter.allocate({numColumns * pitch});
  sums = emitter.allocate({numRows * pitch});
  int64_t full = numSamples / blockSamples;
  emitter.loop(full, [&](Value block) {
    emitBlock({emitter.mul(block, blockSamples), blockSamples});
  });
  if (int64_t rest = numSamples % blockSamples)
    emitBlock({emitter.index(full * blockSamples), rest});
  emitter.deallocate(input);
  emitter.deallocate(sums);
}

LogicalResult loops::emitSampleKernel(MatmulOp op, ConstantOp weights,
                                      ScheduleAttr schedule, Emitter &emitter) {
  PackedStructure structure = readStructure(weights);
  PlanOptions options;
  options.maxHeight = schedule.getHeight();
  options.numberSums = false;
  options.chunks = emitter.getThreads();
  if (op.getChunksAttr())
    options.chunkStarts = op.getChunksAttr().asArrayRef();
  std::vector<int32_t> columns(op.getNumColumns());
  std::iota(columns.begin(), columns.end(), 0);
  options.offsets = columns;
  ElementsAttr values;
  FailureOr<KernelPlan> plan =
      planLayer(op, weights, structure, options, emitter, values);
  if (failed(plan))
    return failure();
  SampleKernel kernel(op, schedule, *plan, emitter);
  std::vector<int32_t> offsets(columns);
  for (int32_t &offset : offsets)
    offset = static_cast<int32_t>(offset * kernel.getPitch());
  kernel.emit(offsets, values);
  return success();
}
