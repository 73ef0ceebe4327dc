//===- PixelKernel.cpp - Output positions along the vector ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The image is cut into bands of whole rows, a band's positions into tiles of a
// few vectors (PixelTiles.h). For each band and each group, all tiles of the
// band run, so the weights of the group stay in the first level of the cache
// and the input of the band in the second. Groups that share rows run one after
// the other, so that their sums, which are in memory between two groups, stay
// in a cache.
//
// Where a position of the input's layout is one of the output, a tile's
// accumulators go there straight. Elsewhere they go through a buffer of a few
// rows, which is copied out row by row without the positions that lie in the
// padding.
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/KernelModel.h"
#include "passes/Conversion/Loops/Bands.h"
#include "passes/Conversion/Loops/ImageRows.h"
#include "passes/Conversion/Loops/InputLayout.h"
#include "passes/Conversion/Loops/Kernel.h"
#include "passes/Conversion/Loops/PixelTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
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

/// Elements of a cache line.
static constexpr int64_t kCacheLine = 16;

/// AArch64 loads a vector from 256 bytes before an address to 255 after it with
/// an instruction that takes one slot of the processor (ldur), and from farther
/// with one that may take two; those at multiples of 16 bytes after it count as
/// far. So the offsets of columns are this many elements too large there.
static constexpr int64_t kNearElements = 64;

namespace {
class PixelKernel {
public:
  PixelKernel(Conv2DOp op, ScheduleAttr schedule, const KernelPlan &plan,
              InputLayout layout, Division division,
              const MachineModel &machine, Emitter &emitter);

  void emit(ElementsAttr values);

private:
  /// What one task works with: a band of one sample, and of it the rows or the
  /// tiles of one thread.
  struct Task {
    Value sample;
    Value firstRow;
    Value input;
    Value thread;
    /// The part of the band's tiles that is its own, if threads share these.
    Value share;
    /// First element of the band in `input` and first position in the output.
    Value inputBegin;
    Value outputBegin;
    /// Sums of the rows of one chunk.
    Value sums;
    /// Results that are to be copied out, for the band.
    Value rows;
  };

  int64_t getNumVectors(const KernelClass &entry) const;

  void emitTask(Task task);
  void emitClass(size_t index, const Task &task, Value chunk);
  /// Groups that share rows.
  void emitSums(const Task &task, Value chunk);
  /// Adds the products of a group to `sums`.
  /// `most`: the vectors of a full tile.
  SmallVector<Value> emitProducts(const KernelClass &entry,
                                  const GroupValues &group, const Task &task,
                                  const PixelTile &tile, int64_t most,
                                  ValueRange sums);
  /// Finishes the sums of one output row. `slot` is its place in `task.rows`.
  void emitStore(const Task &task, const PixelTile &tile, Value row, Value slot,
                 ValueRange sums, ValueRange gapMasks);
  void storeVectors(const Task &task, const PixelTile &tile, Value row,
                    ValueRange sums, ValueRange gapMasks);
  void storePieces(const Task &task, const PixelTile &tile, Value row,
                   ValueRange sums);
  void zeroGaps(const Task &task, const PixelTile &tile, Value row);
  /// Copies the positions of a band that are in the image to row `row` of the
  /// output; `getValue` gives them, by flat position.
  void emitCopyOut(const Task &task, Value row,
                   llvm::function_ref<Value(Value, int64_t)> getValue);
  void emitEmptyRow(const Task &task, Value row);
  /// Reads one element of each cache line of [begin, end) of the input.
  void fetchLines(const Task &task, Value begin, Value end);
  /// Reads the input of a band.
  void fetchBand(const Task &task);
  /// Reads what other threads have written of an input that all threads need.
  void fetchInput(const Task &task);
  /// Residual and activation of elements of the output.
  Value finish(Value value, ValueRange indices);
  Value getBias(Value row);
  /// For each vector of a tile, the bits that are left of elements outside
  /// gaps; none if gaps need no zeros. Loaded once for all rows: a processor
  /// would load them again behind each store, which could have changed them.
  SmallVector<Value> loadGapMasks(const PixelTile &tile);

  Conv2DOp op;
  ScheduleAttr schedule;
  const KernelPlan &plan;
  Emitter &emitter;
  InputLayout layout;
  PixelTiles tiles;
  int64_t lanes, height, width;
  /// Accumulators go to the output as they are; flat vectors set the gaps
  /// between its rows to zero.
  bool direct = false, clearsGaps = false;
  int64_t bandRows;
  /// Shares of the tiles of a band.
  int64_t tileShares;
  const MachineModel &machine;
  /// Elements between rows of the output, if they go there straight.
  int64_t outputPitch = 0;
  /// Flat positions of a band.
  int64_t length = 0;
  /// Vectors of the tiles of sums, elements from a row of them to the next;
  /// rows of `Task::rows`, elements from one to the next.
  int64_t sumVectors = 0, sumStride = 0, bufferRows = 0, bufferStride = 0;
  Value output, residual, gapMask;
  /// What the offsets of columns are too large by.
  int64_t offsetBias = 0;
  std::optional<PlanConstants> constants;
};
} // namespace

/// Elements behind the last position that the kernel may read.
static int64_t getReadable(Conv2DOp op, const InputLayout &layout,
                           int64_t lanes) {
  return layout.isInPlace() ? static_cast<int64_t>(op.getOverread()) : lanes;
}

/// Whether accumulators over `length` flat positions go to the output as they
/// are.
static bool storesDirectly(Conv2DOp op, const InputLayout &layout,
                           int64_t length, int64_t lanes) {
  std::optional<int64_t> pitch = getImagePitch(op.getInit());
  if (length < lanes || pitch != layout.getPitch() ||
      (op.getResidual() && getImagePitch(op.getResidual()) != pitch))
    return false;
  int64_t gap = *pitch - cast<MemRefType>(op.getInit().getType()).getDimSize(3);
  return gap == 0 || (op.getGaps() && getReadable(op, layout, lanes) >= gap);
}

/// Whether accumulators go to the output as they are where a row of it is whole
/// vectors, which lie farther apart in the input. Each vector has an address of
/// its own then, for which multiplying by element leaves no room.
static bool storesRows(Conv2DOp op, int64_t lanes, const Emitter &emitter) {
  int64_t width = cast<MemRefType>(op.getInit().getType()).getDimSize(3);
  auto hasNoGaps = [&](Value image) {
    return !image || getImagePitch(image) == width;
  };
  return !emitter.multipliesByElement() && width % lanes == 0 &&
         hasNoGaps(op.getInit()) && hasNoGaps(op.getResidual());
}

PixelKernel::PixelKernel(Conv2DOp op, ScheduleAttr schedule,
                         const KernelPlan &plan, InputLayout inputLayout,
                         Division division, const MachineModel &machine,
                         Emitter &emitter)
    : op(op), schedule(schedule), plan(plan), emitter(emitter),
      layout(std::move(inputLayout)), lanes(schedule.getLanes()),
      bandRows(division.bandRows),
      tileShares(division.sharesTiles ? emitter.getThreads() : 1),
      machine(machine) {
  auto type = cast<MemRefType>(op.getInit().getType());
  height = type.getDimSize(2);
  width = type.getDimSize(3);
  if (layout.getColumnStep() > 1) {
    direct = true;
    outputPitch = *getImagePitch(op.getInit());
    tiles =
        PixelTiles::makeStrided(layout, bandRows, width, outputPitch, lanes);
  } else {
    length = getBandLength(bandRows, width, layout.getPitch());
    if (!layout.isInPlace() && bandRows < height && plan.getNumThreads() == 1)
      layout.setWindow(bandRows);
    outputPitch = layout.getPitch();
    int64_t gap = outputPitch - width;
    direct = storesDirectly(op, layout, length, lanes);
    clearsGaps = direct && gap > 0 && op.getGaps() == Gaps::Zero;
    if (clearsGaps)
      length += gap;
    tiles = PixelTiles::makeFlat(
        length, lanes, direct || getReadable(op, layout, lanes) < lanes);
    if (!direct && storesRows(op, lanes, emitter)) {
      direct = true;
      length = bandRows * width;
      tiles = PixelTiles::makeRows(bandRows, width, outputPitch, lanes);
      outputPitch = width;
    }
    tiles.setShares(tileShares);
  }
  auto getBufferStride = [&](int64_t elements) {
    return elements % kBadStride == 0 ? elements + lanes : elements;
  };
  bufferStride = getBufferStride(llvm::alignTo(length, lanes));
  sumVectors = kMaxVectors;
  for (const KernelClass &entry : plan.classes) {
    if (entry.accumulate)
      sumVectors = std::min(sumVectors, getNumVectors(entry));
    if (!direct)
      bufferRows =
          std::max(bufferRows,
                   entry.accumulate ? plan.getMaxAccumulated() : entry.height);
  }
  if (emitter.multipliesByElement())
    offsetBias = kNearElements;
  sumStride = getBufferStride(tiles.getTotalVectors(sumVectors) * lanes);
}

/// Vectors of a class's tile: a class of few rows has registers left for more.
int64_t PixelKernel::getNumVectors(const KernelClass &entry) const {
  int64_t registers = schedule.getHeight() * schedule.getVectors();
  int64_t most = std::min(kMaxVectors, registers / entry.height);
  return tiles.getNumVectors(std::max(schedule.getVectors(), most));
}

Value PixelKernel::getBias(Value row) {
  if (!op.getBias())
    return emitter.constant(0, 1);
  return emitter.load(op.getBias(), row);
}

Value PixelKernel::finish(Value value, ValueRange indices) {
  if (residual) {
    int64_t count = 1;
    if (auto type = dyn_cast<VectorType>(value.getType()))
      count = type.getNumElements();
    value = arith::AddFOp::create(emitter, value,
                                  emitter.load(residual, indices, count));
  }
  return emitter.activate(op.getActivationAttr(), value);
}

SmallVector<Value> PixelKernel::loadGapMasks(const PixelTile &tile) {
  SmallVector<Value> masks;
  if (!clearsGaps)
    return masks;
  auto bits = VectorType::get({lanes}, emitter.getI32Type());
  for (const TilePiece &piece : tile.pieces)
    masks.push_back(vector::LoadOp::create(
        emitter, bits, gapMask, emitter.add(tile.output, piece.output)));
  return masks;
}

/// The elements of a vector whose bits in `mask` are set, zeros elsewhere.
static Value keepMasked(Emitter &emitter, Value value, Value mask) {
  Value bits = arith::BitcastOp::create(emitter, mask.getType(), value);
  return arith::BitcastOp::create(emitter, value.getType(),
                                  arith::AndIOp::create(emitter, bits, mask));
}

void PixelKernel::emitCopyOut(
    const Task &task, Value row,
    llvm::function_ref<Value(Value, int64_t)> getValue) {
  bool vectors =
      hasUnitStride(output) && (!residual || hasUnitStride(residual));
  emitter.loop(bandRows, [&](Value y) {
    Value flat = emitter.mul(y, layout.getPitch());
    Value imageRow = emitter.add(task.firstRow, y);
    emitter.coverRange(
        width, vectors ? lanes : 1, [&](Value x, int64_t pieceWidth) {
          SmallVector<Value> indices = {task.sample, row, imageRow, x};
          Value value = getValue(emitter.add(flat, x), pieceWidth);
          emitter.store(finish(value, indices), output, indices);
        });
    if (op.getGaps() == Gaps::Zero)
      emitZeroGap(emitter, op, {task.sample, row, imageRow});
  });
}

void PixelKernel::storeVectors(const Task &task, const PixelTile &tile,
                               Value row, ValueRange sums,
                               ValueRange gapMasks) {
  for (auto [i, sum] : llvm::enumerate(sums)) {
    Value position = emitter.add(tile.output, tile.pieces[i].output);
    SmallVector<Value> indices = {task.sample, row,
                                  emitter.add(task.outputBegin, position)};
    Value value = finish(sum, indices);
    if (clearsGaps)
      value = keepMasked(emitter, value, gapMasks[i]);
    emitter.store(value, output, indices);
  }
}

void PixelKernel::storePieces(const Task &task, const PixelTile &tile,
                              Value row, ValueRange sums) {
  int64_t pieceWidth = tiles.getPieceWidth(), half = lanes / 2;
  int64_t store = int64_t(1) << llvm::Log2_64(pieceWidth);
  Value first = emitter.add(task.outputBegin, tile.output);
  for (int64_t i = 0; i < tile.numPieces; ++i) {
    Value begin = emitter.add(first, tile.pieces[i].output);
    for (int64_t x = 0;; x = pieceWidth - store) {
      SmallVector<Value> indices = {task.sample, row, emitter.add(begin, x)};
      int64_t lane = i % 2 * half + x;
      Value part =
          store == 1
              ? Value(vector::ExtractOp::create(emitter, sums[i / 2], lane))
              : Value(vector::ExtractStridedSliceOp::create(
                    emitter, sums[i / 2], lane, store, 1));
      emitter.store(finish(part, indices), output, indices);
      if (x + store >= pieceWidth)
        break;
    }
  }
}

void PixelKernel::zeroGaps(const Task &task, const PixelTile &tile, Value row) {
  Value firstRow = emitter.add(task.outputBegin, tile.firstRow);
  for (int64_t tileRow : tile.rows)
    for (int64_t x = width; x < outputPitch; ++x)
      emitter.store(emitter.constant(0, 1), output,
                    {task.sample, row, emitter.add(firstRow, tileRow + x)});
}

void PixelKernel::emitStore(const Task &task, const PixelTile &tile, Value row,
                            Value slot, ValueRange sums, ValueRange gapMasks) {
  if (direct && tiles.getPiecesPerVector() == 1)
    storeVectors(task, tile, row, sums, gapMasks);
  else if (direct)
    storePieces(task, tile, row, sums);
  if (tiles.isStrided() && op.getGaps() == Gaps::Zero)
    zeroGaps(task, tile, row);
  if (direct)
    return;
  for (auto [sum, piece] : llvm::zip_equal(sums, tile.pieces))
    emitter.store(sum, task.rows,
                  {slot, emitter.add(tile.output, piece.output)});
}

SmallVector<Value> PixelKernel::emitProducts(const KernelClass &entry,
                                             const GroupValues &group,
                                             const Task &task,
                                             const PixelTile &tile,
                                             int64_t most, ValueRange sums) {
  int64_t vectors = sums.size() / entry.height;
  // The last tile is rarely worth the code.
  bool pair =
      emitter.multipliesByElement() && vectors == tiles.getNumVectors(most);
  Value origin =
      emitter.add(emitter.add(task.inputBegin, tile.input),
                  emitter.mul(group.convGroup, layout.getConvGroupStride()));
  return constants->reduceColumns(
      emitter, entry, group, origin, sums,
      pair ? ColumnTurn::Pair : ColumnTurn::Single,
      [&](Value at, Value first, MutableArrayRef<Value> next) {
        SmallVector<Value> inputs;
        for (int64_t i = 0; i < vectors; ++i)
          inputs.push_back(
              tiles.load(emitter, tile, task.input, at, i, offsetBias));
        Factors weights(emitter, constants->getValues(), first, entry.height,
                        lanes);
        for (int64_t r = 0; r < entry.height; ++r) {
          Value weight = weights.get(r);
          for (auto [i, input] : llvm::enumerate(inputs)) {
            Value &sum = next[r * vectors + i];
            sum = emitter.multiplyAdd(weight, input, sum);
          }
        }
      });
}

void PixelKernel::emitClass(size_t index, const Task &task, Value chunk) {
  const KernelClass &entry = plan.classes[index];
  constants->forEachGroup(emitter, index, chunk, [&](const GroupValues &group) {
    auto getRow = [&](Value r) {
      return constants->getRow(emitter, entry, group, r);
    };
    tiles.forEachTile(
        emitter, getNumVectors(entry), task.share, [&](const PixelTile &tile) {
          int64_t vectors = tiles.getNumVectors(tile);
          SmallVector<Value> sums;
          for (int64_t r = 0; r < entry.height; ++r) {
            Value start = op.getBias()
                              ? emitter.broadcast(
                                    getBias(getRow(emitter.index(r))), lanes)
                              : emitter.constant(0, lanes);
            sums.append(vectors, start);
          }
          sums = emitProducts(entry, group, task, tile, getNumVectors(entry),
                              sums);
          SmallVector<Value> gapMasks = loadGapMasks(tile);
          for (int64_t r = 0; r < entry.height; ++r)
            emitStore(task, tile, getRow(emitter.index(r)), emitter.index(r),
                      ArrayRef(sums).slice(r * vectors, vectors), gapMasks);
        });
    if (direct)
      return;
    emitter.loop(entry.height, [&](Value r) {
      emitCopyOut(task, getRow(r), [&](Value position, int64_t pieceWidth) {
        return emitter.load(task.rows, {r, position}, pieceWidth);
      });
    });
  });
}

void PixelKernel::emitSums(const Task &task, Value chunk) {
  auto load = [&](const PixelTile &tile, Value slot,
                  SmallVectorImpl<Value> &sums) {
    for (int64_t i = 0; i < tiles.getNumVectors(tile); ++i)
      sums.push_back(emitter.load(
          task.sums,
          {slot, emitter.mul(emitter.add(tile.vectorsBefore, i), lanes)},
          lanes));
  };
  auto store = [&](const PixelTile &tile, Value slot, ValueRange sums) {
    for (auto [i, sum] : llvm::enumerate(sums))
      emitter.store(
          sum, task.sums,
          {slot, emitter.mul(emitter.add(tile.vectorsBefore, i), lanes)});
  };
  constants->forEachAccumulated(emitter, chunk, [&](Value slot, Value row) {
    Value bias = emitter.broadcast(getBias(row), lanes);
    tiles.forEachTile(
        emitter, sumVectors, task.share, [&](const PixelTile &tile) {
          SmallVector<Value> sums(tiles.getNumVectors(tile), bias);
          store(tile, slot, sums);
        });
  });
  constants->forEachSharedGroup(
      emitter, chunk, [&](const KernelClass &entry, const GroupValues &group) {
        SmallVector<Value> slots;
        for (int64_t r = 0; r < entry.height; ++r)
          slots.push_back(constants->getRow(emitter, entry, group, r));
        tiles.forEachTile(
            emitter, sumVectors, task.share, [&](const PixelTile &tile) {
              SmallVector<Value> sums;
              for (Value slot : slots)
                load(tile, slot, sums);
              int64_t vectors = tiles.getNumVectors(tile);
              sums = emitProducts(entry, group, task, tile, sumVectors, sums);
              for (auto [r, slot] : llvm::enumerate(slots))
                store(tile, slot, ArrayRef(sums).slice(r * vectors, vectors));
            });
      });
  constants->forEachAccumulated(emitter, chunk, [&](Value slot, Value row) {
    tiles.forEachTile(
        emitter, sumVectors, task.share, [&](const PixelTile &tile) {
          SmallVector<Value> sums;
          load(tile, slot, sums);
          emitStore(task, tile, row, slot, sums, loadGapMasks(tile));
        });
    if (!direct)
      emitCopyOut(task, row, [&](Value position, int64_t pieceWidth) {
        return emitter.load(task.rows, {slot, position}, pieceWidth);
      });
  });
}

void PixelKernel::emitEmptyRow(const Task &task, Value row) {
  Value bias = getBias(row);
  auto getValue = [&](Value, int64_t count) {
    return emitter.broadcast(bias, count);
  };
  if (!direct)
    return emitCopyOut(task, row, getValue);
  tiles.forEachTile(
      emitter, /*vectors=*/1, task.share, [&](const PixelTile &tile) {
        emitStore(task, tile, row, Value(), emitter.broadcast(bias, lanes),
                  loadGapMasks(tile));
      });
}

void PixelKernel::fetchLines(const Task &task, Value begin, Value end) {
  emitter.loop(begin, end, kCacheLine, [&](Value position) {
    Value loaded = emitter.load(task.input, position);
    Value bits =
        arith::BitcastOp::create(emitter, emitter.getI32Type(), loaded);
    // Nothing uses the value: this keeps the load.
    LLVM::InlineAsmOp::create(
        emitter, TypeRange(), bits, /*asm_string=*/"", /*constraints=*/"r",
        /*has_side_effects=*/true, /*is_align_stack=*/false,
        LLVM::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  });
}

/// Groups read an input column by column, here and there, which a processor
/// does not foresee: what is not in its cache then costs the time of the third
/// level at each column. In order it fetches ahead by itself.
void PixelKernel::fetchBand(const Task &task) {
  emitter.loop(layout.getNumChannels(), [&](Value channel) {
    Value begin = emitter.add(task.inputBegin,
                              emitter.mul(channel, layout.getChannelStride()));
    fetchLines(task, begin, emitter.add(begin, layout.getSpan(bandRows)));
  });
}

/// Layers deal their rows in order, so a thread has its share of the channels
/// in its own cache and the others in another's. Column by column a processor
/// asks for a few lines at a time, each of which takes as long as a column; in
/// order it fetches ahead by itself.
void PixelKernel::fetchInput(const Task &task) {
  int64_t threads = plan.getNumThreads();
  int64_t size = cast<MemRefType>(task.input.getType()).getDimSize(0);
  fetchLines(task, emitter.index(0),
             emitter.div(emitter.mul(task.thread, size), threads));
  fetchLines(
      task,
      emitter.div(emitter.mul(emitter.add(task.thread, 1), size), threads),
      emitter.index(size));
}

void PixelKernel::emitTask(Task task) {
  task.inputBegin = emitter.index(0);
  if (!layout.isWindowed())
    task.inputBegin = emitter.mul(task.firstRow, layout.getRowStep());
  task.outputBegin = emitter.mul(task.firstRow, outputPitch);
  if (layout.isInPlace() &&
      fetchesBands(op, layout, bandRows, machine, emitter.getThreads()))
    fetchBand(task);
  constants->forEachChunk(emitter, task.thread, [&](Value chunk) {
    if (plan.hasAccumulated())
      emitSums(task, chunk);
    for (size_t i = 0; i < plan.classes.size(); ++i)
      if (!plan.classes[i].accumulate)
        emitClass(i, task, chunk);
    constants->forEachEmpty(emitter, chunk,
                            [&](Value row) { emitEmptyRow(task, row); });
  });
}

void PixelKernel::emit(ElementsAttr values) {
  std::vector<int32_t> offsets = layout.getOffsets();
  for (int32_t &offset : offsets)
    offset += static_cast<int32_t>(offsetBias);
  constants.emplace(emitter, op, plan, offsets, values);

  int64_t windows = layout.isWindowed() ? height / bandRows : 1;
  recordCopies(emitter, op,
               layout.isInPlace() ? 0 : windows * layout.getNumElements(),
               direct ? 0 : op.getNumRows() * height * width);

  if (clearsGaps)
    gapMask = emitter.global("gaps",
                             makeGapMask(emitter, length, width, outputPitch));
  output = direct ? flattenImage(emitter, op.getInit()) : op.getInit();
  residual =
      direct ? flattenImage(emitter, op.getResidual()) : op.getResidual();
  Value samples = emitter.createOrFold<memref::DimOp>(op.getInit(), 0);
  // Threads share the rows of W of a band, or its tiles.
  int64_t threads = std::max(plan.getNumThreads(), tileShares);
  int64_t bands = height / bandRows;

  Value rows, sums;
  auto allocateBuffers = [&] {
    if (bufferRows > 0)
      rows = emitter.allocate({bufferRows, bufferStride});
    if (int64_t count = plan.getMaxAccumulated())
      sums = emitter.allocate({count, sumStride});
  };
  auto deallocateBuffers = [&] {
    for (Value buffer : {rows, sums})
      if (buffer)
        emitter.deallocate(buffer);
  };
  // More would not stay in the cache.
  bool fetches = plan.getNumThreads() > 1 && bands == 1 &&
                 4 * layout.getElementsRead(height) <= machine.l2Bytes / 2;
  // With one thread, buffers are allocated once.
  bool shared = emitter.getThreads() == 1;
  Value window =
      layout.isWindowed() && shared ? layout.allocate(emitter) : Value();
  if (shared)
    allocateBuffers();
  auto runTask = [&](Value sample, Value input, Value index) {
    Value firstRow = emitter.mul(emitter.div(index, threads), bandRows);
    if (!shared)
      allocateBuffers();
    Value copy = window;
    if (layout.isWindowed() && !shared)
      copy = layout.allocate(emitter);
    if (!input)
      input = layout.fill(emitter, sample, firstRow, copy, lanes,
                          /*parallel=*/false);
    Task task;
    task.sample = sample;
    task.firstRow = firstRow;
    task.input = input;
    task.thread = task.share = emitter.rem(index, threads);
    if (tileShares > 1)
      task.thread = emitter.index(0);
    task.sums = sums;
    task.rows = rows;
    if (fetches)
      fetchInput(task);
    emitTask(task);
    if (!shared) {
      deallocateBuffers();
      if (copy)
        emitter.deallocate(copy);
    }
  };

  if (layout.isInPlace() || layout.isWindowed()) {
    int64_t tasks = bands * threads;
    emitter.parallelLoop(emitter.mul(samples, tasks), [&](Value task) {
      runTask(emitter.div(task, tasks), Value(), emitter.rem(task, tasks));
    });
  } else {
    Value copy = layout.allocate(emitter);
    emitter.loop(emitter.index(0), samples, 1, [&](Value sample) {
      Value input = layout.fill(emitter, sample, emitter.index(0), copy, lanes,
                                /*parallel=*/true);
      emitter.parallelLoop(emitter.index(bands * threads),
                           [&](Value task) { runTask(sample, input, task); });
    });
    emitter.deallocate(copy);
  }
  if (shared)
    deallocateBuffers();
  if (window)
    emitter.deallocate(window);
}

/// Decides to read an input in place that needs no copy. The last vector of
/// `length` positions is moved back to end with them, which takes at least one
/// vector.
static void readUncopied(InputLayout &layout, int64_t length, int64_t lanes) {
  if (layout.canReadInPlace() && layout.hasPitchOfCopy() && length >= lanes)
    layout.readInPlace();
}

/// Whether threads can share the tiles of an image: those lie where they are.
static bool canShareTiles(Conv2DOp op, InputLayout layout, int64_t threads,
                          int64_t lanes) {
  auto type = cast<MemRefType>(op.getInit().getType());
  int64_t length =
      getBandLength(type.getDimSize(2), type.getDimSize(3), layout.getPitch());
  readUncopied(layout, length, lanes);
  return threads > 1 && layout.isInPlace() && layout.hasStrideOne() &&
         length >= threads * lanes && storesDirectly(op, layout, length, lanes);
}

/// Decides to read the input in place if that takes no knowledge of the bands.
static void chooseLayout(Conv2DOp op, int64_t lanes,
                         const MachineModel &machine, InputLayout &layout) {
  auto overread = static_cast<int64_t>(op.getOverread());
  if (!layout.canReadInPlace())
    return;
  if (layout.hasStrideOne()) {
    if (overread >= lanes)
      layout.readInPlace();
    return;
  }
  std::optional<int64_t> pitch = getImagePitch(op.getInit());
  if (gainsInPlace(op, machine) && overread >= 2 * lanes && pitch &&
      (!op.getResidual() || getImagePitch(op.getResidual()) == pitch))
    layout.readInPlace();
}

LogicalResult loops::emitPixelKernel(Conv2DOp op, ConstantOp weights,
                                     ScheduleAttr schedule, Emitter &emitter) {
  PackedStructure structure = readStructure(weights);
  PlanOptions options;
  options.maxHeight = schedule.getHeight();
  options.convGroups = op.getGroups();
  InputLayout layout(op, /*rounding=*/schedule.getLanes());
  MachineModel machine =
      getMachine(op->getParentOfType<ModuleOp>(), schedule.getLanes(),
                 MachineModel().registers);
  chooseLayout(op, schedule.getLanes(), machine, layout);
  options.separateSums = true;
  // A window, or reading in place what has no zeros around it, moves the
  // offsets but keeps their order.
  std::vector<int32_t> offsets = layout.getOffsets();
  options.offsets = offsets;
  int64_t threads = emitter.getThreads(), lanes = schedule.getLanes();
  Division division =
      divideImage(op, schedule, layout, structure, machine, threads,
                  canShareTiles(op, layout, threads, lanes));
  auto type = cast<MemRefType>(op.getInit().getType());
  options.chunks =
      division.sharesTiles
          ? 1
          : chooseChunks(type.getDimSize(2) / division.bandRows, threads);
  readUncopied(
      layout,
      getBandLength(division.bandRows, type.getDimSize(3), layout.getPitch()),
      lanes);
  if (op.getChunksAttr())
    options.chunkStarts = op.getChunksAttr().asArrayRef();
  ElementsAttr values;
  FailureOr<KernelPlan> plan =
      planLayer(op, weights, structure, options, emitter, values);
  if (failed(plan))
    return failure();
  PixelKernel(op, schedule, *plan, std::move(layout), division, machine,
              emitter)
      .emit(values);
  return success();
}
