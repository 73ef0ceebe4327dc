//===- PixelKernel.cpp - Output positions along the vector ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The image is cut into bands of whole rows. A band's positions are one flat
// range (InputLayout.h), cut into tiles of a few vectors. For each band and
// each group, all tiles of the band run, so the weights of the group stay in
// the first level of the cache and the input of the band in the second.
//
// Where the flat positions of the layout are those of the output, a tile's
// accumulators go there straight. Elsewhere they go through a buffer of one
// group's rows, which is copied out row by row without the positions that lie
// in the padding.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Bands.h"
#include "passes/Conversion/Loops/Epilogue.h"
#include "passes/Conversion/Loops/InputLayout.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Vectors in a tile of few rows: more do not hide latencies any better.
static constexpr int64_t kMaxVectors = 8;

/// Rows of buffers a multiple of this many elements apart would all lie in the
/// same few sets of a cache.
static constexpr int64_t kBadStride = 1024;

/// AArch64 loads a vector from 256 bytes before an address to 255 after it with
/// an instruction that takes one slot of the processor (ldur), and from farther
/// with one that may take two; those at multiples of 16 bytes after it count as
/// far. So the offsets of columns are this many elements too large there.
static constexpr int64_t kNearElements = 64;

namespace {
class PixelKernel {
public:
  PixelKernel(Conv2DOp op, ScheduleAttr schedule, const KernelPlan &plan,
              InputLayout layout, int64_t bandRows, Emitter &emitter);

  void emit(ArrayRef<int32_t> columns, ElementsAttr values);

private:
  /// What one task, a band of one sample and one chunk of rows, works with.
  struct Task {
    Value sample;
    Value firstRow;
    Value input;
    Value chunk;
    Value tile;
    Value sums;
  };

  int64_t getNumVectors(const KernelClass &entry) const;

  void emitTask(Task task);
  void emitClass(size_t index, const Task &task);
  void emitTile(const KernelClass &entry, const GroupValues &group,
                const Task &task, Value base, ArrayRef<int64_t> positions);
  void emitDirectStore(const KernelClass &entry, const GroupValues &group,
                       const Task &task, Value base,
                       ArrayRef<int64_t> positions, ValueRange sums);
  /// Copies the positions of a band that are in the image to row `row` of the
  /// output; `getValue` gives them, by flat position.
  void emitCopyOut(const Task &task, Value row, bool activated,
                   llvm::function_ref<Value(Value, int64_t)> getValue);
  Value getBias(Value row);
  /// Sets the elements of a vector that lie in gaps to zero. `position` is the
  /// one of its first element in the band.
  Value clearGaps(Value value, Value position);

  Conv2DOp op;
  ScheduleAttr schedule;
  const KernelPlan &plan;
  Emitter &emitter;
  InputLayout layout;
  int64_t lanes, height, width;
  /// Accumulators go to the output as they are; there are gaps between its
  /// rows.
  bool direct = false, clearsGaps = false;
  int64_t bandRows;
  /// Flat positions of a band.
  int64_t length;
  /// Elements from a row of a buffer to the next.
  int64_t bufferStride = 0;
  int64_t tileRows = 0;
  Value output, residual, gapMask;
  /// What the offsets of columns are too large by.
  int64_t offsetBias = 0;
  std::optional<PlanConstants> constants;
};
} // namespace

/// A view of images whose last two dimensions are one, with what lies between
/// the rows.
static Value flattenImage(Emitter &emitter, Value memref) {
  if (!memref)
    return Value();
  auto type = cast<MemRefType>(memref.getType());
  int64_t pitch = *getImagePitch(memref);
  if (pitch == type.getDimSize(3)) {
    SmallVector<ReassociationIndices> dimensions = {{0}, {1}, {2, 3}};
    return memref::CollapseShapeOp::create(emitter, memref, dimensions);
  }
  auto metadata = memref::ExtractStridedMetadataOp::create(emitter, memref);
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)type.getStridesAndOffset(strides, offset);
  OpFoldResult samples = metadata.getSizes()[0];
  if (!type.isDynamicDim(0))
    samples = emitter.getIndexAttr(type.getDimSize(0));
  SmallVector<OpFoldResult> sizes = {
      samples, emitter.getIndexAttr(type.getDimSize(1)),
      emitter.getIndexAttr(type.getDimSize(2) * pitch)};
  auto getStride = [&](unsigned i) -> OpFoldResult {
    if (ShapedType::isDynamic(strides[i]))
      return metadata.getStrides()[i];
    return emitter.getIndexAttr(strides[i]);
  };
  SmallVector<OpFoldResult> flatStrides = {getStride(0), getStride(1),
                                           emitter.getIndexAttr(1)};
  OpFoldResult flatOffset = metadata.getOffset();
  if (!ShapedType::isDynamic(offset))
    flatOffset = emitter.getIndexAttr(offset);
  auto flatType = MemRefType::get(
      {type.getDimSize(0), type.getDimSize(1), type.getDimSize(2) * pitch},
      type.getElementType(),
      StridedLayoutAttr::get(emitter.getContext(), offset,
                             {strides[0], strides[1], 1}));
  return memref::ReinterpretCastOp::create(emitter, flatType,
                                           metadata.getBaseBuffer(), flatOffset,
                                           sizes, flatStrides);
}

/// One vector element for each flat position of a band: all bits set where it
/// is in the image, none in the gaps between the rows.
static DenseElementsAttr makeGapMask(Builder &builder, int64_t length,
                                     int64_t width, int64_t pitch) {
  std::vector<int32_t> mask(length);
  for (int64_t i = 0; i < length; ++i)
    mask[i] = i % pitch < width ? -1 : 0;
  return DenseElementsAttr::get(
      RankedTensorType::get({length}, builder.getI32Type()),
      ArrayRef<int32_t>(mask));
}

PixelKernel::PixelKernel(Conv2DOp op, ScheduleAttr schedule,
                         const KernelPlan &plan, InputLayout inputLayout,
                         int64_t bandRows, Emitter &emitter)
    : op(op), schedule(schedule), plan(plan), emitter(emitter),
      layout(std::move(inputLayout)), lanes(schedule.getLanes()),
      bandRows(bandRows) {
  auto type = cast<MemRefType>(op.getInit().getType());
  height = type.getDimSize(2);
  width = type.getDimSize(3);
  length = getBandLength(bandRows, width, layout.getPitch());
  // The last vector of a band is moved back to end with it, which takes at
  // least one vector; sums of groups cannot be computed twice.
  if (layout.canReadInPlace() && layout.hasPitchOfCopy() && length >= lanes &&
      (length % lanes == 0 || !plan.hasAccumulated()))
    layout.readInPlace();
  if (!layout.isInPlace() && bandRows < height && plan.getNumChunks() == 1)
    layout.setWindow(bandRows);
  int64_t pitch = layout.getPitch();
  int64_t gap = pitch - width;
  direct =
      length >= lanes && getImagePitch(op.getInit()) == pitch &&
      (!op.getResidual() || getImagePitch(op.getResidual()) == pitch) &&
      (gap == 0 || (op.getGaps() &&
                    (!layout.isInPlace() ||
                     static_cast<int64_t>(op.getOverread()) >= gap + lanes)));
  clearsGaps = direct && gap > 0 && op.getGaps() == Gaps::Zero;
  if (clearsGaps)
    length += gap;

  if (emitter.multipliesByElement())
    offsetBias = kNearElements;
  bufferStride = llvm::alignTo(length, lanes);
  if (bufferStride % kBadStride == 0)
    bufferStride += lanes;
  for (const KernelClass &entry : plan.classes)
    if (!direct && !entry.accumulate)
      tileRows = std::max(tileRows, entry.height);
}

/// Vectors of a class's tile: a class of few rows has registers left for more.
int64_t PixelKernel::getNumVectors(const KernelClass &entry) const {
  int64_t registers = schedule.getHeight() * schedule.getVectors();
  int64_t most = std::min(kMaxVectors, registers / entry.height);
  return std::max(schedule.getVectors(), most);
}

Value PixelKernel::getBias(Value row) {
  if (!op.getBias())
    return emitter.constant(0, 1);
  return emitter.load(op.getBias(), row);
}

Value PixelKernel::clearGaps(Value value, Value position) {
  if (!clearsGaps)
    return value;
  auto type = cast<VectorType>(value.getType());
  auto bits = VectorType::get(type.getShape(), emitter.getI32Type());
  Value mask = vector::LoadOp::create(emitter, bits, gapMask, position);
  Value kept = arith::AndIOp::create(
      emitter, arith::BitcastOp::create(emitter, bits, value), mask);
  return arith::BitcastOp::create(emitter, type, kept);
}

void PixelKernel::emitCopyOut(
    const Task &task, Value row, bool activated,
    llvm::function_ref<Value(Value, int64_t)> getValue) {
  bool vectors =
      hasUnitStride(output) && (!residual || hasUnitStride(residual));
  int64_t pieceLanes = vectors ? lanes : 1;
  auto copy = [&](ValueRange begin, Value flat, Value position,
                  int64_t pieceWidth) {
    SmallVector<Value> indices(begin);
    indices.back() = emitter.add(indices.back(), position);
    Value value = getValue(emitter.add(flat, position), pieceWidth);
    if (residual)
      value = arith::AddFOp::create(
          emitter, value, emitter.load(residual, indices, pieceWidth));
    if (!activated)
      value = applyActivation(emitter, op.getActivationAttr(), value);
    if (direct)
      value = clearGaps(value, position);
    emitter.store(value, output, indices);
  };
  if (direct) {
    Value first = emitter.mul(task.firstRow, layout.getPitch());
    emitter.coverRange(length, pieceLanes,
                       [&](Value position, int64_t pieceWidth) {
                         copy({task.sample, row, first}, emitter.index(0),
                              position, pieceWidth);
                       });
    return;
  }
  emitter.loop(bandRows, [&](Value y) {
    Value flat = emitter.mul(y, layout.getPitch());
    Value imageRow = emitter.add(task.firstRow, y);
    emitter.coverRange(width, pieceLanes,
                       [&](Value position, int64_t pieceWidth) {
                         copy({task.sample, row, imageRow, emitter.index(0)},
                              flat, position, pieceWidth);
                       });
    if (op.getGaps() == Gaps::Zero)
      emitZeroGap(emitter, op, {task.sample, row, imageRow});
  });
}

void PixelKernel::emitDirectStore(const KernelClass &entry,
                                  const GroupValues &group, const Task &task,
                                  Value base, ArrayRef<int64_t> positions,
                                  ValueRange sums) {
  Value first =
      emitter.add(emitter.mul(task.firstRow, layout.getPitch()), base);
  for (int64_t r = 0; r < entry.height; ++r) {
    Value row = constants->getRow(emitter, emitter.add(group.rowBegin, r));
    for (auto [i, position] : llvm::enumerate(positions)) {
      SmallVector<Value> indices = {task.sample, row,
                                    emitter.add(first, position)};
      Value value = sums[r * positions.size() + i];
      if (residual)
        value = arith::AddFOp::create(emitter, value,
                                      emitter.load(residual, indices, lanes));
      value = applyActivation(emitter, op.getActivationAttr(), value);
      emitter.store(clearGaps(value, emitter.add(base, position)), output,
                    indices);
    }
  }
}

void PixelKernel::emitTile(const KernelClass &entry, const GroupValues &group,
                           const Task &task, Value base,
                           ArrayRef<int64_t> positions) {
  // Start: the bias, or what the groups before have summed up.
  SmallVector<Value> rows, sums;
  for (int64_t r = 0; r < entry.height; ++r) {
    Value start;
    if (entry.accumulate)
      rows.push_back(
          constants->getRow(emitter, emitter.add(group.rowBegin, r)));
    else if (op.getBias())
      start = emitter.broadcast(
          getBias(constants->getRow(emitter, emitter.add(group.rowBegin, r))),
          lanes);
    else
      start = emitter.constant(0, lanes);
    for (int64_t position : positions)
      sums.push_back(entry.accumulate
                         ? emitter.load(task.sums,
                                        {rows[r], emitter.add(base, position)},
                                        lanes)
                         : start);
  }

  Value origin = emitter.add(
      base, emitter.mul(group.convGroup, layout.getConvGroupStride()));
  if (!layout.isWindowed())
    origin = emitter.add(origin, emitter.mul(task.firstRow, layout.getPitch()));
  // The value of row r of column k is at k * height + bias + r.
  Value valueBias = emitter.sub(group.valueBegin,
                                emitter.mul(group.columnBegin, entry.height));
  sums = emitter.reduce(
      group.columnBegin, group.columnEnd, 1, sums,
      [&](Value k, ValueRange carried) {
        Value at =
            emitter.add(origin, emitter.loadIndex(constants->getOffsets(), k));
        SmallVector<Value> inputs;
        for (int64_t position : positions)
          inputs.push_back(emitter.load(
              task.input, emitter.add(at, position - offsetBias), lanes));
        Value first = emitter.add(emitter.mul(k, entry.height), valueBias);
        Factors weights(emitter, constants->getValues(), first, entry.height,
                        lanes);
        SmallVector<Value> next(carried);
        for (int64_t r = 0; r < entry.height; ++r) {
          Value weight = weights.get(r);
          for (auto [i, input] : llvm::enumerate(inputs)) {
            Value &sum = next[r * inputs.size() + i];
            sum = emitter.multiplyAdd(weight, input, sum);
          }
        }
        return next;
      });

  if (direct && !entry.accumulate)
    return emitDirectStore(entry, group, task, base, positions, sums);
  bool activate = !entry.accumulate && !residual;
  for (int64_t r = 0; r < entry.height; ++r)
    for (auto [i, position] : llvm::enumerate(positions)) {
      Value value = sums[r * positions.size() + i];
      if (activate)
        value = applyActivation(emitter, op.getActivationAttr(), value);
      emitter.store(value, entry.accumulate ? task.sums : task.tile,
                    {entry.accumulate ? rows[r] : emitter.index(r),
                     emitter.add(base, position)});
    }
}

void PixelKernel::emitClass(size_t index, const Task &task) {
  const KernelClass &entry = plan.classes[index];
  int64_t total = llvm::divideCeil(length, lanes);
  int64_t vectors = std::min(getNumVectors(entry), total);
  int64_t full = total / vectors;
  bool exact = !entry.accumulate && (direct || layout.isInPlace());
  // Vectors of the last tile end with the band where nothing may be read or
  // written past it; then they do not fit the loop over full tiles.
  if (exact && length % lanes != 0 && total % vectors == 0)
    --full;
  SmallVector<int64_t> inTile, last;
  for (int64_t i = 0; i < vectors; ++i)
    inTile.push_back(i * lanes);
  for (int64_t i = full * vectors; i < total; ++i)
    last.push_back(exact ? std::min(i * lanes, length - lanes) : i * lanes);

  constants->forEachGroup(
      emitter, index, task.chunk, [&](const GroupValues &group) {
        emitter.loop(full, [&](Value tile) {
          emitTile(entry, group, task, emitter.mul(tile, vectors * lanes),
                   inTile);
        });
        if (!last.empty())
          emitTile(entry, group, task, emitter.index(0), last);
        if (direct || entry.accumulate)
          return;
        emitter.loop(entry.height, [&](Value r) {
          Value row =
              constants->getRow(emitter, emitter.add(group.rowBegin, r));
          emitCopyOut(task, row, /*activated=*/!residual,
                      [&](Value position, int64_t pieceWidth) {
                        return emitter.load(task.tile, {r, position},
                                            pieceWidth);
                      });
        });
      });
}

void PixelKernel::emitTask(Task task) {
  constants->forEachAccumulated(
      emitter, task.chunk, [&](Value slot, Value row) {
        Value bias = getBias(row);
        emitter.coverRange(llvm::alignTo(length, lanes), lanes,
                           [&](Value position, int64_t pieceWidth) {
                             emitter.store(emitter.broadcast(bias, pieceWidth),
                                           task.sums, {slot, position});
                           });
      });
  for (size_t i = 0; i < plan.classes.size(); ++i)
    emitClass(i, task);
  constants->forEachAccumulated(
      emitter, task.chunk, [&](Value slot, Value row) {
        emitCopyOut(task, row, /*activated=*/false,
                    [&](Value position, int64_t pieceWidth) {
                      return emitter.load(task.sums, {slot, position},
                                          pieceWidth);
                    });
      });
  constants->forEachEmpty(emitter, task.chunk, [&](Value row) {
    Value bias = getBias(row);
    emitCopyOut(task, row, /*activated=*/false, [&](Value, int64_t pieceWidth) {
      return emitter.broadcast(bias, pieceWidth);
    });
  });
}

void PixelKernel::emit(ArrayRef<int32_t> columns, ElementsAttr values) {
  std::vector<int32_t> offsets;
  offsets.reserve(columns.size());
  for (int32_t column : columns)
    offsets.push_back(
        static_cast<int32_t>(layout.getOffset(column) + offsetBias));
  constants.emplace(emitter, plan, offsets, values);

  int64_t windows = layout.isWindowed() ? height / bandRows : 1;
  recordCopies(op, layout.isInPlace() ? 0 : windows * layout.getNumElements(),
               direct ? 0 : op.getNumRows() * height * width);

  if (clearsGaps)
    gapMask = emitter.global(
        "gaps", makeGapMask(emitter, length, width, layout.getPitch()));
  output = direct ? flattenImage(emitter, op.getInit()) : op.getInit();
  residual =
      direct ? flattenImage(emitter, op.getResidual()) : op.getResidual();
  Value samples = emitter.createOrFold<memref::DimOp>(op.getInit(), 0);
  int64_t chunks = plan.getNumChunks(), bands = height / bandRows;

  Value tile, sums;
  auto allocateBuffers = [&] {
    if (tileRows > 0)
      tile = emitter.allocate({tileRows, bufferStride});
    if (int64_t rows = plan.getMaxAccumulated())
      sums = emitter.allocate({rows, bufferStride});
  };
  auto deallocateBuffers = [&] {
    for (Value buffer : {tile, sums})
      if (buffer)
        emitter.deallocate(buffer);
  };
  // With one thread, buffers are allocated once.
  bool shared = emitter.getThreads() == 1;
  Value window =
      layout.isWindowed() && shared ? layout.allocate(emitter) : Value();
  if (shared)
    allocateBuffers();
  auto runTask = [&](Value sample, Value input, Value task) {
    Value firstRow = emitter.mul(emitter.div(task, chunks), bandRows);
    if (!shared)
      allocateBuffers();
    Value copy = window;
    if (layout.isWindowed() && !shared)
      copy = layout.allocate(emitter);
    if (!input)
      input = layout.fill(emitter, sample, firstRow, copy, lanes,
                          /*parallel=*/false);
    emitTask({sample, firstRow, input, emitter.rem(task, chunks), tile, sums});
    if (!shared) {
      deallocateBuffers();
      if (copy)
        emitter.deallocate(copy);
    }
  };

  if (layout.isInPlace() || layout.isWindowed()) {
    int64_t tasks = bands * chunks;
    emitter.parallelLoop(emitter.mul(samples, tasks), [&](Value task) {
      runTask(emitter.div(task, tasks), Value(), emitter.rem(task, tasks));
    });
  } else {
    Value copy = layout.allocate(emitter);
    emitter.loop(emitter.index(0), samples, 1, [&](Value sample) {
      Value input = layout.fill(emitter, sample, emitter.index(0), copy, lanes,
                                /*parallel=*/true);
      emitter.parallelLoop(emitter.index(bands * chunks),
                           [&](Value task) { runTask(sample, input, task); });
    });
    emitter.deallocate(copy);
  }
  if (shared)
    deallocateBuffers();
  if (window)
    emitter.deallocate(window);
}

LogicalResult loops::emitPixelKernel(Conv2DOp op, ConstantOp weights,
                                     ScheduleAttr schedule, Emitter &emitter) {
  PackedStructure structure = readStructure(weights);
  PlanOptions options;
  options.maxHeight = schedule.getHeight();
  options.convGroups = op.getGroups();
  InputLayout layout(op, /*rounding=*/schedule.getLanes());
  if (layout.canReadInPlace() &&
      static_cast<int64_t>(op.getOverread()) >= schedule.getLanes())
    layout.readInPlace();
  int64_t bandRows = chooseBandRows(op, schedule, layout, structure);
  int64_t height = cast<MemRefType>(op.getInit().getType()).getDimSize(2);
  options.chunks = chooseChunks(height / bandRows, emitter.getThreads());
  if (op.getChunksAttr())
    options.chunkStarts = op.getChunksAttr().asArrayRef();
  ElementsAttr values;
  FailureOr<KernelPlan> plan =
      planLayer(op, weights, structure, options, emitter, values);
  if (failed(plan))
    return failure();
  PixelKernel(op, schedule, *plan, std::move(layout), bandRows, emitter)
      .emit(structure.columns, values);
  return success();
}
