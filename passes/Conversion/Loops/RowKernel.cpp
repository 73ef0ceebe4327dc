//===- RowKernel.cpp - Rows of W along the vector -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A column of a group's values is a vector or a few; each is multiplied by one
// activation of a sample. For each group all samples run, so the weights, which
// are what a linear layer reads most, come from memory once. For a convolution
// of a small image each output position is a sample.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/ImageRows.h"
#include "passes/Conversion/Loops/InputLayout.h"
#include "passes/Conversion/Loops/KeptRows.h"
#include "passes/Conversion/Loops/Kernel.h"
#include "passes/Conversion/Loops/WindowKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Sums that are added to scattered outputs straight from registers at most.
static constexpr int64_t kMaxScatter = 64;

/// One row in this many is in no group: all are filled, by vectors.
static constexpr int64_t kFillShare = 8;

/// How a kernel finishes its rows.
enum class Finish {
  /// Each where its last sum is known.
  Each,
  /// As `Each`, after all have been stored as if they were in no group.
  FillFirst,
  /// All are stored as if they were in no group, and what is not stored by
  /// vectors is added there.
  AddToOutput,
};

namespace {
class RowKernel {
public:
  RowKernel(LayerOpInterface op, ScheduleAttr schedule, const KernelPlan &plan,
            Emitter &emitter);

  /// All but `Finish::Each` need neighbouring rows to be neighbours in memory,
  /// and `Finish::AddToOutput` a layer without an activation and a plan whose
  /// sums have no numbers. Returns the bytes of the indices.
  int64_t emit(std::vector<int32_t> offsets, ElementsAttr values, Finish how);

private:
  /// One image of a convolution, or the whole batch of a matmul.
  struct Batch {
    /// The image's number; null for a matmul.
    Value image;
    /// The flat input of a convolution.
    Value input;
    Value chunk;
    /// Sums of one tile and group whose rows are not neighbours.
    Value tile;
    /// Sums of one tile and all groups, for rows that are in several.
    Value sums;
  };

  /// Tiles of `tileSamples` samples, then one of what is left.
  void forEachTile(llvm::function_ref<void(Value, int64_t)> body);
  void emitBatch(const Batch &batch);
  void emitAccumulated(const Batch &batch);
  void emitFill();
  void addToSums(const KernelClass &entry, const GroupValues &group,
                 const Batch &batch, int64_t samples, ValueRange sums);
  SmallVector<Value> emitSums(const KernelClass &entry,
                              const GroupValues &group, const Batch &batch,
                              Value sample, int64_t samples);
  void emitStore(const KernelClass &entry, const GroupValues &group,
                 const Batch &batch, Value sample, int64_t samples,
                 ValueRange sums);
  /// Adds the sums of a tile and group to what the output has.
  void addToOutput(const KernelClass &entry, const GroupValues &group,
                   const Batch &batch, Value sample, int64_t samples,
                   ValueRange sums);
  /// Visits each row and sample of a tile and group with its sum.
  void
  forEachSum(const KernelClass &entry, const GroupValues &group,
             const Batch &batch, int64_t samples, ValueRange sums,
             llvm::function_ref<void(Value sample, Value row, Value sum)> body);
  bool scattersFromRegisters(const KernelClass &entry, int64_t samples) const {
    return entry.height * samples <= kMaxScatter;
  }
  /// Puts the sums of a tile and group into memory.
  void storeTile(const Batch &batch, const KernelClass &entry, int64_t samples,
                 ValueRange sums);
  Value takeFront(Value vector, int64_t count);
  /// Finishes one output whose sum is `value`.
  void finish(const Batch &batch, Value sample, Value row, Value value);

  Value loadInput(const Batch &batch, Value base, Value offset);
  Value getInputBase(const Batch &batch, Value sample, Value convGroup);
  SmallVector<Value> getIndices(const Batch &batch, Value sample, Value row);
  Value getBias(Value row, int64_t width);
  /// Widths of the vectors that hold a column of a group. The last one may hold
  /// the beginning of the next column too: full vectors are fast to load.
  SmallVector<int64_t> getWidths(int64_t height) const;

  LayerOpInterface op;
  ScheduleAttr schedule;
  const KernelPlan &plan;
  Emitter &emitter;
  std::optional<InputLayout> layout;
  int64_t lanes;
  /// Samples, or -1 if that is known at run time only.
  int64_t knownSamples;
  int64_t tileSamples;
  int64_t width = 1;
  Finish how = Finish::Each;
  Value samples;
  std::optional<PlanConstants> constants;
};
} // namespace

RowKernel::RowKernel(LayerOpInterface op, ScheduleAttr schedule,
                     const KernelPlan &plan, Emitter &emitter)
    : op(op), schedule(schedule), plan(plan), emitter(emitter),
      lanes(schedule.getLanes()) {
  auto type = cast<MemRefType>(op.getInit().getType());
  if (auto conv = dyn_cast<Conv2DOp>(op.getOperation())) {
    layout.emplace(conv, /*rounding=*/0);
    if (layout->canReadInPlace())
      layout->readInPlace();
    width = type.getDimSize(3);
    knownSamples = type.getDimSize(2) * width;
  } else {
    knownSamples = type.isDynamicDim(0) ? -1 : type.getDimSize(0);
  }
  tileSamples = schedule.getVectors();
  if (knownSamples >= 0)
    tileSamples = std::min(tileSamples, knownSamples);
}

SmallVector<int64_t> RowKernel::getWidths(int64_t height) const {
  SmallVector<int64_t> widths;
  for (int64_t rest = height; rest > 0; rest -= widths.back())
    widths.push_back(std::min<int64_t>(lanes, llvm::PowerOf2Ceil(rest)));
  return widths;
}

Value RowKernel::loadInput(const Batch &batch, Value base, Value offset) {
  if (layout)
    return emitter.load(batch.input, emitter.add(base, offset));
  return emitter.load(op.getInput(), {base, offset});
}

Value RowKernel::getInputBase(const Batch &batch, Value sample,
                              Value convGroup) {
  if (!layout)
    return sample;
  Value position = emitter.add(
      emitter.mul(emitter.div(sample, width), layout->getRowStep()),
      emitter.mul(emitter.rem(sample, width), layout->getColumnStep()));
  return emitter.add(position,
                     emitter.mul(convGroup, layout->getConvGroupStride()));
}

SmallVector<Value> RowKernel::getIndices(const Batch &batch, Value sample,
                                         Value row) {
  if (!layout)
    return {sample, row};
  return {batch.image, row, emitter.div(sample, width),
          emitter.rem(sample, width)};
}

Value RowKernel::getBias(Value row, int64_t vectorWidth) {
  if (!op.getBias())
    return emitter.constant(0, vectorWidth);
  return emitter.load(op.getBias(), row, vectorWidth);
}

void RowKernel::finish(const Batch &batch, Value sample, Value row,
                       Value value) {
  SmallVector<Value> indices = getIndices(batch, sample, row);
  if (Value residual = op.getResidual()) {
    int64_t vectorWidth = 1;
    if (auto type = dyn_cast<VectorType>(value.getType()))
      vectorWidth = type.getNumElements();
    value = arith::AddFOp::create(emitter, value,
                                  emitter.load(residual, indices, vectorWidth));
  }
  emitter.store(emitter.activate(op.getActivationAttr(), value), op.getInit(),
                indices);
}

void RowKernel::forEachTile(llvm::function_ref<void(Value, int64_t)> body) {
  Value full = emitter.mul(emitter.div(samples, tileSamples), tileSamples);
  if (knownSamples >= 0 && knownSamples == tileSamples)
    return body(emitter.index(0), tileSamples);
  emitter.loop(emitter.index(0), full, tileSamples,
               [&](Value sample) { body(sample, tileSamples); });
  if (tileSamples == 1)
    return;
  if (knownSamples < 0)
    return emitter.loop(full, samples, 1,
                        [&](Value sample) { body(sample, 1); });
  if (int64_t rest = knownSamples % tileSamples)
    body(full, rest);
}

SmallVector<Value> RowKernel::emitSums(const KernelClass &entry,
                                       const GroupValues &group,
                                       const Batch &batch, Value sample,
                                       int64_t count) {
  SmallVector<int64_t> widths = getWidths(entry.height);
  SmallVector<Value> bases, sums;
  Value firstRow;
  if (entry.contiguous)
    firstRow = constants->getRow(emitter, entry, group, 0);
  for (int64_t s = 0; s < count; ++s) {
    bases.push_back(
        getInputBase(batch, emitter.add(sample, s), group.convGroup));
    int64_t begin = 0;
    for (int64_t vectorWidth : widths) {
      // Beside the last rows of a group there may be no bias.
      bool whole = begin + vectorWidth <= entry.height;
      sums.push_back(entry.contiguous && whole
                         ? getBias(emitter.add(firstRow, begin), vectorWidth)
                         : emitter.constant(0, vectorWidth));
      begin += vectorWidth;
    }
  }
  return constants->reduceColumns(
      emitter, entry, group, emitter.index(0), sums, ColumnTurn::SideBySide,
      [&](Value offset, Value first, MutableArrayRef<Value> partial) {
        SmallVector<Value> weights;
        int64_t begin = 0;
        for (int64_t vectorWidth : widths) {
          weights.push_back(emitter.load(
              constants->getValues(), emitter.add(first, begin), vectorWidth));
          begin += vectorWidth;
        }
        for (int64_t s = 0; s < count; ++s) {
          Value input = loadInput(batch, bases[s], offset);
          for (auto [i, weight] : llvm::enumerate(weights)) {
            Value &sum = partial[s * weights.size() + i];
            sum = emitter.multiplyAdd(emitter.broadcast(input, widths[i]),
                                      weight, sum);
          }
        }
      });
}

void RowKernel::emitStore(const KernelClass &entry, const GroupValues &group,
                          const Batch &batch, Value sample, int64_t count,
                          ValueRange sums) {
  if (entry.contiguous) {
    SmallVector<int64_t> widths = getWidths(entry.height);
    Value firstRow = constants->getRow(emitter, entry, group, 0);
    for (int64_t s = 0; s < count; ++s)
      for (size_t i = 0; i < widths.size(); ++i) {
        Value row = emitter.add(firstRow, i * lanes);
        Value sum = sums[s * widths.size() + i];
        int64_t rest = entry.height - static_cast<int64_t>(i) * lanes;
        if (rest < widths[i])
          sum = arith::AddFOp::create(emitter, takeFront(sum, rest),
                                      getBias(row, rest));
        finish(batch, emitter.add(sample, s), row, sum);
      }
    return;
  }
  if (how == Finish::AddToOutput)
    return addToOutput(entry, group, batch, sample, count, sums);
  storeTile(batch, entry, count, sums);
  emitter.loop(count, [&](Value s) {
    emitter.loop(entry.height, [&](Value r) {
      Value row = constants->getRow(emitter, entry, group, r);
      Value sum = emitter.load(batch.tile, {s, r});
      finish(batch, emitter.add(sample, s), row,
             arith::AddFOp::create(emitter, sum, getBias(row, 1)));
    });
  });
}

/// The first `count` elements of a vector.
Value RowKernel::takeFront(Value vector, int64_t count) {
  if (count == 1)
    return vector::ExtractOp::create(emitter, vector, 0);
  return vector::ExtractStridedSliceOp::create(
      emitter, vector, /*offsets=*/ArrayRef<int64_t>{0},
      /*sizes=*/ArrayRef<int64_t>{count}, /*strides=*/ArrayRef<int64_t>{1});
}

void RowKernel::storeTile(const Batch &batch, const KernelClass &entry,
                          int64_t count, ValueRange sums) {
  int64_t perSample = getWidths(entry.height).size();
  for (int64_t s = 0; s < count; ++s)
    for (int64_t i = 0; i < perSample; ++i)
      emitter.store(sums[s * perSample + i], batch.tile,
                    {emitter.index(s), emitter.index(i * lanes)});
}

void RowKernel::forEachSum(
    const KernelClass &entry, const GroupValues &group, const Batch &batch,
    int64_t count, ValueRange sums,
    llvm::function_ref<void(Value sample, Value row, Value sum)> body) {
  if (!scattersFromRegisters(entry, count)) {
    storeTile(batch, entry, count, sums);
    emitter.loop(entry.height, [&](Value r) {
      Value row = constants->getRow(emitter, entry, group, r);
      for (int64_t s = 0; s < count; ++s)
        body(emitter.index(s), row,
             emitter.load(batch.tile, {emitter.index(s), r}));
    });
    return;
  }
  int64_t perSample = getWidths(entry.height).size();
  for (int64_t r = 0; r < entry.height; ++r) {
    Value row = constants->getRow(emitter, entry, group, r);
    for (int64_t s = 0; s < count; ++s) {
      Value sum = sums[s * perSample + r / lanes];
      if (isa<VectorType>(sum.getType()))
        sum = vector::ExtractOp::create(emitter, sum, r % lanes);
      body(emitter.index(s), row, sum);
    }
  }
}

void RowKernel::addToSums(const KernelClass &entry, const GroupValues &group,
                          const Batch &batch, int64_t count, ValueRange sums) {
  forEachSum(entry, group, batch, count, sums,
             [&](Value s, Value slot, Value sum) {
               Value before = emitter.load(batch.sums, {s, slot});
               emitter.store(arith::AddFOp::create(emitter, before, sum),
                             batch.sums, {s, slot});
             });
}

void RowKernel::addToOutput(const KernelClass &entry, const GroupValues &group,
                            const Batch &batch, Value sample, int64_t count,
                            ValueRange sums) {
  forEachSum(entry, group, batch, count, sums,
             [&](Value s, Value row, Value sum) {
               SmallVector<Value> indices =
                   getIndices(batch, emitter.add(sample, s), row);
               Value before = emitter.load(op.getInit(), indices);
               emitter.store(arith::AddFOp::create(emitter, before, sum),
                             op.getInit(), indices);
             });
}

/// Rows that are in several groups: all groups for one tile of samples, so that
/// their sums stay in the cache, and then the next tile.
void RowKernel::emitAccumulated(const Batch &batch) {
  if (!plan.hasAccumulated())
    return;
  bool direct = how == Finish::AddToOutput;
  forEachTile([&](Value sample, int64_t count) {
    if (!direct)
      constants->forEachAccumulated(
          emitter, batch.chunk, [&](Value slot, Value row) {
            Value bias = getBias(row, 1);
            for (int64_t s = 0; s < count; ++s)
              emitter.store(bias, batch.sums, {emitter.index(s), slot});
          });
    constants->forEachSharedGroup(
        emitter, batch.chunk,
        [&](const KernelClass &entry, const GroupValues &group) {
          SmallVector<Value> sums =
              emitSums(entry, group, batch, sample, count);
          if (direct)
            addToOutput(entry, group, batch, sample, count, sums);
          else
            addToSums(entry, group, batch, count, sums);
        });
    if (direct)
      return;
    emitter.loop(count, [&](Value s) {
      constants->forEachAccumulated(
          emitter, batch.chunk, [&](Value slot, Value row) {
            finish(batch, emitter.add(sample, s), row,
                   emitter.load(batch.sums, {s, slot}));
          });
    });
  });
}

void RowKernel::emitBatch(const Batch &batch) {
  emitAccumulated(batch);
  for (size_t i = 0; i < plan.classes.size(); ++i) {
    const KernelClass &entry = plan.classes[i];
    if (!entry.accumulate)
      constants->forEachGroup(
          emitter, i, batch.chunk, [&](const GroupValues &group) {
            forEachTile([&](Value sample, int64_t count) {
              emitStore(entry, group, batch, sample, count,
                        emitSums(entry, group, batch, sample, count));
            });
          });
  }
  constants->forEachEmpty(emitter, batch.chunk, [&](Value row) {
    Value bias = getBias(row, 1);
    emitter.loop(emitter.index(0), samples, 1,
                 [&](Value sample) { finish(batch, sample, row, bias); });
  });
}

void RowKernel::emitFill() {
  emitter.parallelLoop(samples, [&](Value sample) {
    emitter.coverRange(op.getNumRows(), lanes, [&](Value row, int64_t count) {
      finish(Batch(), sample, row, getBias(row, count));
    });
  });
}

int64_t RowKernel::emit(std::vector<int32_t> offsets, ElementsAttr values,
                        Finish finish) {
  how = finish;
  constants.emplace(emitter, op, plan, offsets, values);
  recordCopies(emitter, op,
               layout && !layout->isInPlace() ? layout->getNumElements() : 0,
               /*outputElements=*/0);

  int64_t tileRows = 0;
  for (const KernelClass &entry : plan.classes)
    if (!entry.contiguous && (how != Finish::AddToOutput ||
                              !scattersFromRegisters(entry, tileSamples)))
      tileRows =
          std::max<int64_t>(tileRows, llvm::alignTo(entry.height, lanes));
  Value batchSize = emitter.createOrFold<memref::DimOp>(op.getInit(), 0);
  samples = layout ? emitter.index(knownSamples) : batchSize;
  if (how != Finish::Each)
    emitFill();
  auto runChunks = [&](Value image, Value input) {
    emitter.parallelLoop(emitter.index(plan.getNumChunks()), [&](Value chunk) {
      Value tile, sums;
      if (tileRows > 0)
        tile = emitter.allocate({tileSamples, tileRows});
      // Samples a power of two apart would share sets of the cache.
      int64_t rows = plan.getMaxAccumulated();
      if (rows > 0 && how != Finish::AddToOutput)
        sums = emitter.allocate({tileSamples, rows + lanes});
      emitBatch({image, input, chunk, tile, sums});
      for (Value buffer : {tile, sums})
        if (buffer)
          emitter.deallocate(buffer);
    });
  };
  if (!layout) {
    runChunks(Value(), Value());
    return constants->getBytes();
  }
  Value copy = layout->allocate(emitter);
  auto conv = cast<Conv2DOp>(op.getOperation());
  emitter.loop(emitter.index(0), batchSize, 1, [&](Value image) {
    if (conv.getGaps() == Gaps::Zero)
      emitter.loop(op.getNumRows(), [&](Value row) {
        emitter.loop(knownSamples / width, [&](Value y) {
          emitZeroGap(emitter, conv, {image, row, y});
        });
      });
    runChunks(image, layout->fill(emitter, image, emitter.index(0), copy, lanes,
                                  /*parallel=*/true));
  });
  if (copy)
    emitter.deallocate(copy);
  return constants->getBytes();
}

/// Emits the kernel of `windows` beside groups that have `otherValues`, and
/// returns the bytes of its indices.
static int64_t emitWindows(MatmulOp op, const WindowGroups &windows, bool fills,
                           int64_t otherValues, Emitter &emitter) {
  WindowBytes bytes = emitWindowKernel(op, windows, fills, emitter);
  LayerReport &report = emitter.getReport();
  report.set(op, "value_bytes",
             emitter.getI64IntegerAttr(bytes.values + 4 * otherValues));
  std::string kernel =
      llvm::formatv("{0}windows {1}x{2}", otherValues > 0 ? "rows and " : "",
                    windows.shape.laneRows, windows.shape.size);
  report.set(op, "kernel", emitter.getStringAttr(kernel));
  return bytes.indices;
}

/// Emits the kernel and returns the bytes of its indices.
static FailureOr<int64_t> emitRows(LayerOpInterface op, ConstantOp weights,
                                   ScheduleAttr schedule, Emitter &emitter) {
  PackedStructure structure = readStructure(weights);
  if (auto matmul = dyn_cast<MatmulOp>(op.getOperation()))
    if (std::optional<KeptRows> kept = KeptRows::take(
            matmul, structure, weights, schedule.getLanes(), emitter)) {
      FailureOr<int64_t> bytes =
          emitRows(kept->getProducts(), kept->getWeights(), schedule, emitter);
      if (failed(bytes))
        return failure();
      return *bytes + kept->emitResult(emitter);
    }
  PlanOptions options;
  options.maxHeight = schedule.getHeight();
  options.vectorRows = schedule.getLanes();
  // What bcr-tile cut has the heights that it wants.
  if (!op.getScheduleAttr())
    options.heightMultiple = schedule.getLanes();
  options.sortByColumns = true;
  // Rows of an image's channels are not neighbours in memory.
  options.separateContiguous =
      isa<MatmulOp>(op.getOperation()) && hasUnitStride(op.getInit());
  for (Value operand : {op.getBias(), op.getResidual()})
    if (operand)
      options.separateContiguous &= hasUnitStride(operand);
  // A sum that nothing is done to can grow where the result is.
  bool addsToOutput = options.separateContiguous && !op.getActivationAttr();
  options.numberSums = !addsToOutput;
  std::vector<int32_t> offsets(op.getNumColumns());
  std::iota(offsets.begin(), offsets.end(), 0);
  if (auto conv = dyn_cast<Conv2DOp>(op.getOperation())) {
    options.convGroups = conv.getGroups();
    InputLayout layout(conv, /*rounding=*/0);
    if (layout.canReadInPlace())
      layout.readInPlace();
    offsets = layout.getOffsets();
  }
  options.offsets = offsets;
  options.chunks = emitter.getThreads();
  std::vector<int64_t> chunkStarts;
  if (op.getChunksAttr())
    chunkStarts = op.getChunksAttr().asArrayRef().vec();
  WindowGroups windows;
  FailureOr<FloatElements> all;
  std::optional<std::vector<float>> restValues;
  if (auto matmul = dyn_cast<MatmulOp>(op.getOperation());
      matmul && addsToOutput) {
    all = FloatElements::get(weights.getValues());
    std::vector<float> rest;
    if (succeeded(all))
      windows = takeWindowGroups(matmul, schedule.getLanes(),
                                 emitter.prefersWindows(), structure,
                                 all->get(), chunkStarts, rest);
    if (!windows.empty()) {
      if (structure.groups.empty() && windows.haveAllStrips()) {
        recordCopies(emitter, op, /*inputElements=*/0, /*outputElements=*/0);
        return emitWindows(matmul, windows, /*fills=*/true, /*otherValues=*/0,
                           emitter);
      }
      restValues = std::move(rest);
    }
  }
  options.chunkStarts = chunkStarts;
  ElementsAttr values;
  FailureOr<KernelPlan> plan =
      planLayer(op, weights, structure, options, emitter, values, restValues);
  if (failed(plan))
    return failure();
  Finish how = Finish::Each;
  bool scattered = llvm::any_of(plan->classes, [](const KernelClass &entry) {
    return !entry.contiguous;
  });
  if (addsToOutput && (scattered || !windows.empty()))
    how = Finish::AddToOutput;
  // Where whole rows are pruned, as in two steps (RTMobile, section 3), one by
  // one they would take longer than the products.
  else if (options.separateContiguous &&
           static_cast<int64_t>(plan->empty.size()) * kFillShare >=
               op.getNumRows())
    how = Finish::FillFirst;
  if (how != Finish::Each) {
    plan->empty.clear();
    llvm::fill(plan->emptyBounds, 0);
  }
  int64_t indexBytes = RowKernel(op, schedule, *plan, emitter)
                           .emit(std::move(offsets), values, how);
  if (windows.empty())
    return indexBytes;
  return indexBytes + emitWindows(cast<MatmulOp>(op.getOperation()), windows,
                                  /*fills=*/false,
                                  static_cast<int64_t>(restValues->size()),
                                  emitter);
}

LogicalResult loops::emitRowKernel(LayerOpInterface op, ConstantOp weights,
                                   ScheduleAttr schedule, Emitter &emitter) {
  FailureOr<int64_t> bytes = emitRows(op, weights, schedule, emitter);
  if (failed(bytes))
    return failure();
  emitter.getReport().set(op, "index_bytes", emitter.getI64IntegerAttr(*bytes));
  return success();
}
