//===- WindowKernel.cpp - Columns along the vector ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a block keeps one or two of its rows, a loop over columns loads an
// index and an input for one or two weights. Here 16 columns are along the
// vector: the inputs that the block may need stay in four registers, a
// permutation takes those of 16 columns out of them, and each row is one
// multiply-add to 16 sums of its own in the first cache. They are added up when
// all groups of a strip of rows have run. Needs a permutation of two registers
// by variable indices, which AVX-512 has.
//
// Loads bound it, of which a core starts two a cycle, or one across cache
// lines. So the full vectors of weights are stored apart from what is left, and
// never cross one, and the numbers of a group's rows are one load.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowKernel.h"
#include "passes/Conversion/Loops/ColumnCode.h"
#include "passes/Conversion/Loops/IndexList.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <tuple>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

static constexpr int64_t kLanes = kWindowLanes;

/// Weights ahead that are asked for, in each of the two lists: measured best of
/// 0.5, 1, 2 and 8 kB where they come from a third cache.
static constexpr int64_t kPrefetchDistance = 256;

/// Bytes of a word.
static constexpr int64_t kSlotBytes = 8;

namespace {
/// Groups that one piece of code runs: of so many rows, full vectors of
/// columns, and columns that are left or not.
struct WindowClass {
  explicit WindowClass(const WindowGroup &group)
      : height(static_cast<int64_t>(group.rows.size())),
        full(static_cast<int64_t>(group.columns.size()) / kLanes),
        maxRest(static_cast<int64_t>(group.columns.size()) % kLanes),
        mixed(group.mixed) {}

  auto getKey() const { return std::tuple(height, full, maxRest > 0, mixed); }
  bool operator<(const WindowClass &other) const {
    return getKey() < other.getKey();
  }

  int64_t height;
  int64_t full;
  /// Columns that are left of a group at most.
  int64_t maxRest;
  /// Of the vectors, those that are not in the first two registers only.
  int64_t mixed;
};

/// The constants of a layer as they grow, in the order of execution: groups by
/// chunk, strip and class.
struct WindowLists {
  void add(const WindowGroup &group, bool newSegment);
  /// Rows below `all` count as the chunk's.
  void addPieces(int64_t strip, int64_t all);

  std::vector<float> values, rests;
  /// Of a group how many columns are left, unless its class has none, and then
  /// the slots of its rows, which are their places in the strip.
  std::vector<int32_t> columns, slots;
  /// Of segments, neighbours with one window: how many groups, and the origin.
  std::vector<int32_t> counts, origins;
  /// Of classes of strips, and the end: the first segment.
  std::vector<int32_t> bounds;
  /// 16 neighbouring rows of a strip and chunk: their number among such, and
  /// which of them the chunk has.
  std::vector<int32_t> pieces, pieceMasks;
  /// Of strips, and the end: the first piece.
  std::vector<int32_t> pieceBounds;
  /// Of chunks, and the end: the first strip.
  std::vector<int32_t> strips;
  /// Of chunks: the first of values, rests, columns, slots.
  std::array<std::vector<int32_t>, 4> begins;

private:
  /// Which rows of the strip have been seen, 16 an element.
  std::array<int32_t, kStripRows / kLanes> seen = {};
};

class WindowKernel {
public:
  WindowKernel(MatmulOp op, Emitter &emitter)
      : op(op), emitter(emitter),
        samples(cast<MemRefType>(op.getInit().getType()).getDimSize(0)),
        windowSize(getWindowSize(op.getNumColumns())) {}

  int64_t emit(std::vector<WindowGroup> groups, int64_t chunks);

private:
  void layOut(std::vector<WindowGroup> groups, int64_t chunks);
  void makeConstants(WindowLists lists);
  void emitChunk(Value chunk);
  /// The segments [begin, end). A position has where the next group begins in
  /// each of four lists; returns that of the group behind them.
  SmallVector<Value> emitSegments(const WindowClass &entry, Value begin,
                                  Value end, ValueRange position);
  /// `window` has all registers of each sample.
  SmallVector<Value> emitGroup(const WindowClass &entry, ArrayRef<Value> window,
                               ValueRange position);
  /// The inputs of 16 columns, for each sample; `low` if all are in the first
  /// two registers.
  SmallVector<Value> takeInputs(ArrayRef<Value> window, Value column, bool low);
  /// Numbers of neighbours in `slots`, with as few loads as can be.
  SmallVector<Value> loadSlots(Value position, int64_t count);
  /// Asks for the whole cache lines among `count` weights.
  void prefetch(Value list, Value position, int64_t count);
  /// Adds the sums of 16 neighbouring rows to the output and clears them.
  void emitPiece(Value piece);
  /// The sums of the lanes of 16 vectors, one a lane.
  Value addLanes(SmallVector<Value> vectors);
  /// The lanes below a number.
  Value makeMask(Value count);
  /// The lanes whose bits are set in a vector of one integer.
  Value asLanes(Value bits);

  MatmulOp op;
  Emitter &emitter;
  int64_t samples;
  int64_t windowSize;
  std::vector<WindowClass> classes;
  int64_t bytes = 0;
  Value values, rests, columns, slots;
  IndexList counts, origins, bounds, pieces, pieceBounds, strips;
  std::array<IndexList, 4> begins;
  /// Null where every piece is whole.
  Value pieceMasks;
  /// 16 lanes a row of a strip and sample.
  Value sums;
};
} // namespace

void WindowLists::add(const WindowGroup &group, bool newSegment) {
  WindowClass entry(group);
  if (newSegment) {
    counts.push_back(0);
    origins.push_back(static_cast<int32_t>(group.origin));
  }
  ++counts.back();
  llvm::append_range(columns, group.columns);
  if (entry.maxRest > 0)
    slots.push_back(static_cast<int32_t>(entry.maxRest));
  for (int32_t row : group.rows) {
    int64_t slot = row % kStripRows;
    slots.push_back(static_cast<int32_t>(slot));
    seen[slot / kLanes] |= 1 << slot % kLanes;
  }
  auto getRow = [&](int64_t row) {
    return ArrayRef(group.values)
        .slice(row * group.columns.size(), group.columns.size());
  };
  for (int64_t k = 0; k < entry.full; ++k)
    for (int64_t r = 0; r < entry.height; ++r)
      llvm::append_range(values, getRow(r).slice(k * kLanes, kLanes));
  for (int64_t r = 0; r < entry.height; ++r)
    llvm::append_range(rests, getRow(r).take_back(entry.maxRest));
}

void WindowLists::addPieces(int64_t strip, int64_t all) {
  for (auto [number, mask] : llvm::enumerate(seen)) {
    if (mask == 0)
      continue;
    int64_t row = strip * kStripRows + static_cast<int64_t>(number) * kLanes;
    pieces.push_back(static_cast<int32_t>(row / kLanes));
    if (row + kLanes <= all)
      mask = 0xffff;
    pieceMasks.push_back(mask);
    mask = 0;
  }
}

void WindowKernel::layOut(std::vector<WindowGroup> groups, int64_t chunks) {
  // Inside a strip neighbours have the same window, and blocks in one place of
  // it, and so different rows: none waits for the sums of the last.
  auto getKey = [](const WindowGroup &group) {
    return std::tuple(group.chunk, group.getStrip(),
                      WindowClass(group).getKey(), group.origin);
  };
  chooseMixed(groups);
  auto getOrder = [&](const WindowGroup &group) {
    return std::tuple(getKey(group),
                      *llvm::min_element(group.columns) / kLanes);
  };
  llvm::stable_sort(groups, [&](const WindowGroup &a, const WindowGroup &b) {
    return getOrder(a) < getOrder(b);
  });
  for (const WindowGroup &group : groups) {
    WindowClass entry(group);
    auto place = llvm::lower_bound(classes, entry);
    if (place == classes.end() || entry < *place)
      classes.insert(place, entry);
    else
      place->maxRest = std::max(place->maxRest, entry.maxRest);
  }

  WindowLists lists;
  ArrayRef<WindowGroup> left = groups;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    lists.strips.push_back(static_cast<int32_t>(lists.pieceBounds.size()));
    for (auto [list, size] :
         llvm::zip(lists.begins,
                   std::array{lists.values.size(), lists.rests.size(),
                              lists.columns.size(), lists.slots.size()}))
      list.push_back(static_cast<int32_t>(size));
    while (!left.empty() && left.front().chunk == chunk) {
      int64_t strip = left.front().getStrip();
      lists.pieceBounds.push_back(static_cast<int32_t>(lists.pieces.size()));
      for (const WindowClass &entry : classes) {
        lists.bounds.push_back(static_cast<int32_t>(lists.counts.size()));
        auto isOf = [&](const WindowGroup &group) {
          return group.chunk == chunk && group.getStrip() == strip &&
                 WindowClass(group).getKey() == entry.getKey();
        };
        const WindowGroup *last = nullptr;
        for (; !left.empty() && isOf(left.front()); left = left.drop_front()) {
          lists.add(left.front(),
                    !last || getKey(*last) != getKey(left.front()));
          last = &left.front();
        }
      }
      // Where nobody else writes, nothing is added to the other rows.
      lists.addPieces(strip, chunks == 1 ? op.getNumRows() : 0);
    }
  }
  lists.strips.push_back(static_cast<int32_t>(lists.pieceBounds.size()));
  lists.pieceBounds.push_back(static_cast<int32_t>(lists.pieces.size()));
  lists.bounds.push_back(static_cast<int32_t>(lists.counts.size()));
  makeConstants(std::move(lists));
}

void WindowKernel::makeConstants(WindowLists lists) {
  // Vectors and words read over the end.
  lists.columns.resize(lists.columns.size() + kLanes - 1);
  lists.rests.resize(lists.rests.size() + kLanes - 1);
  lists.slots.resize(lists.slots.size() + kSlotBytes - 1);
  auto makeFloats = [&](StringRef name, std::vector<float> list) {
    auto size = static_cast<int64_t>(list.size());
    std::string key = (emitter.getLayerName() + "." + name).str();
    return emitter.global(name, makeFloatElements({size}, key, std::move(list),
                                                  op->getContext()));
  };
  if (!lists.values.empty())
    values = makeFloats("window_values", std::move(lists.values));
  rests = makeFloats("window_rests", std::move(lists.rests));
  auto makeIndices = [&](StringRef name, ArrayRef<int32_t> list) {
    bytes += getListBytes(list);
    return emitter.indexGlobal(name, list);
  };
  columns = makeIndices("window_columns", lists.columns);
  slots = makeIndices("window_slots", lists.slots);
  if (!llvm::all_equal(lists.pieceMasks) || lists.pieceMasks[0] != 0xffff) {
    auto size = static_cast<int64_t>(lists.pieceMasks.size());
    bytes += 2 * size;
    pieceMasks = emitter.global(
        "window_masks",
        makeIndexElements({size},
                          (emitter.getLayerName() + ".window_masks").str(),
                          lists.pieceMasks, /*bits=*/16, op->getContext()));
  }
  auto makeList = [&](IndexList &list, StringRef name,
                      ArrayRef<int32_t> indices) {
    list = IndexList(emitter, name, indices);
    bytes += list.getBytes();
  };
  makeList(counts, "window_counts", lists.counts);
  makeList(origins, "window_origins", lists.origins);
  makeList(bounds, "window_bounds", lists.bounds);
  makeList(pieces, "window_pieces", lists.pieces);
  makeList(pieceBounds, "window_piece_bounds", lists.pieceBounds);
  makeList(strips, "window_strips", lists.strips);
  for (auto [i, list] : llvm::enumerate(lists.begins))
    makeList(begins[i], "window_begins_" + std::to_string(i), list);
}

//===----------------------------------------------------------------------===//
// Groups
//===----------------------------------------------------------------------===//

SmallVector<Value> WindowKernel::takeInputs(ArrayRef<Value> window,
                                            Value column, bool low) {
  auto byteVector = VectorType::get({kLanes}, emitter.getI8Type());
  auto intVector = VectorType::get({kLanes}, emitter.getI32Type());
  Value indices = arith::ExtUIOp::create(
      emitter, intVector,
      vector::LoadOp::create(emitter, byteVector, columns, column));
  auto pick = [&](Value low, Value high) -> Value {
    return LLVM::CallIntrinsicOp::create(
               emitter, low.getType(),
               emitter.getStringAttr("llvm.x86.avx512.vpermi2var.ps.512"),
               ValueRange{low, indices, high})
        .getResults();
  };
  int64_t registers = windowSize / kLanes;
  Value inHigh;
  if (registers > 2 && !low)
    inHigh = arith::CmpIOp::create(
        emitter, arith::CmpIPredicate::uge, indices,
        arith::ConstantOp::create(
            emitter,
            DenseElementsAttr::get(intVector,
                                   emitter.getI32IntegerAttr(
                                       static_cast<int32_t>(windowSize / 2)))));
  SmallVector<Value> inputs;
  for (; !window.empty(); window = window.drop_front(registers)) {
    inputs.push_back(pick(window[0], window[1]));
    if (inHigh)
      inputs.back() = arith::SelectOp::create(
          emitter, inHigh, pick(window[2], window[3]), inputs.back());
  }
  return inputs;
}

SmallVector<Value> WindowKernel::loadSlots(Value position, int64_t count) {
  SmallVector<Value> numbers;
  for (int64_t begin = 0; begin < count; begin += kSlotBytes) {
    int64_t size = std::min(count - begin, kSlotBytes);
    auto width = static_cast<int64_t>(llvm::PowerOf2Ceil(size));
    auto bytes = VectorType::get({width}, emitter.getI8Type());
    auto whole = VectorType::get(
        {1}, emitter.getIntegerType(static_cast<unsigned>(8 * width)));
    Value loaded = vector::LoadOp::create(emitter, bytes, slots,
                                          emitter.add(position, begin));
    Value word = vector::ExtractOp::create(
        emitter, vector::BitCastOp::create(emitter, whole, loaded), 0);
    word = arith::IndexCastUIOp::create(emitter, emitter.getIndexType(), word);
    for (int64_t i = 0; i < size; ++i)
      numbers.push_back(
          emitter.rem(emitter.div(word, int64_t(1) << 8 * i), int64_t(1) << 8));
  }
  return numbers;
}

void WindowKernel::prefetch(Value list, Value position, int64_t count) {
  if (!emitter.prefetches())
    return;
  for (int64_t i = 0; i + kLanes <= count; i += kLanes)
    memref::PrefetchOp::create(emitter, list,
                               emitter.add(position, kPrefetchDistance + i),
                               /*isWrite=*/false, /*localityHint=*/3,
                               /*isDataCache=*/true);
}

SmallVector<Value> WindowKernel::emitGroup(const WindowClass &entry,
                                           ArrayRef<Value> window,
                                           ValueRange position) {
  Value value = position[0], left = position[1], column = position[2];
  int64_t height = entry.height;
  prefetch(values, value, entry.full * height * kLanes);
  prefetch(rests, left, entry.maxRest * height);
  bool hasRest = entry.maxRest > 0;
  SmallVector<Value> numbers =
      loadSlots(position[3], hasRest ? height + 1 : height);
  Value slot = emitter.add(position[3], static_cast<int64_t>(numbers.size()));
  Value rest, valid;
  if (hasRest) {
    rest = numbers.front();
    valid = makeMask(rest);
    numbers.erase(numbers.begin());
  }
  SmallVector<Value> places, found;
  for (int64_t s = 0; s < samples; ++s)
    for (Value number : numbers) {
      places.push_back(
          emitter.mul(emitter.add(number, s * kStripRows), kLanes));
      found.push_back(emitter.load(sums, places.back(), kLanes));
    }
  auto addProducts = [&](ArrayRef<Value> inputs, int64_t row, Value weights,
                         bool all) {
    for (auto [s, input] : llvm::enumerate(inputs)) {
      Value &sum = found[s * height + row];
      Value next = emitter.multiplyAdd(input, weights, sum);
      // What is behind the last column belongs to others, and zero times it
      // need not be zero.
      sum =
          all ? next
              : arith::SelectOp::create(emitter, valid, next, sum).getResult();
    }
  };
  for (int64_t k = 0; k < entry.full; ++k) {
    SmallVector<Value> inputs =
        takeInputs(window, emitter.add(column, k * kLanes), k >= entry.mixed);
    for (int64_t r = 0; r < height; ++r) {
      addProducts(inputs, r, emitter.load(values, value, kLanes), /*all=*/true);
      value = emitter.add(value, kLanes);
    }
  }
  column = emitter.add(column, entry.full * kLanes);
  if (hasRest) {
    SmallVector<Value> inputs =
        takeInputs(window, column, entry.full >= entry.mixed);
    for (int64_t r = 0; r < height; ++r) {
      addProducts(inputs, r, emitter.load(rests, left, kLanes), /*all=*/false);
      left = emitter.add(left, rest);
    }
    column = emitter.add(column, rest);
  }
  for (auto [place, sum] : llvm::zip(places, found))
    emitter.store(sum, sums, place);
  return {value, left, column, slot};
}

Value WindowKernel::makeMask(Value count) {
  Type wide = emitter.getI32Type();
  Value one = arith::ConstantOp::create(emitter, emitter.getI32IntegerAttr(1));
  Value end = arith::ShLIOp::create(
      emitter, one, arith::IndexCastOp::create(emitter, wide, count));
  Value bits = arith::TruncIOp::create(
      emitter, emitter.getI16Type(), arith::SubIOp::create(emitter, end, one));
  return asLanes(vector::BroadcastOp::create(
      emitter, VectorType::get({1}, emitter.getI16Type()), bits));
}

Value WindowKernel::asLanes(Value bits) {
  return vector::BitCastOp::create(
      emitter, VectorType::get({kLanes}, emitter.getI1Type()), bits);
}

SmallVector<Value> WindowKernel::emitSegments(const WindowClass &entry,
                                              Value begin, Value end,
                                              ValueRange position) {
  return emitter.reduce(
      begin, end, 1, position, [&](Value segment, ValueRange first) {
        Value origin = origins.load(emitter, segment);
        SmallVector<Value> window;
        for (int64_t s = 0; s < samples; ++s)
          for (int64_t i = 0; i < windowSize; i += kLanes)
            window.push_back(emitter.load(
                op.getInput(), {emitter.index(s), emitter.add(origin, i)},
                kLanes));
        return emitter.reduce(emitter.index(0), counts.load(emitter, segment),
                              1, first, [&](Value, ValueRange next) {
                                return emitGroup(entry, window, next);
                              });
      });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

Value WindowKernel::addLanes(SmallVector<Value> vectors) {
  for (int64_t half = kLanes / 2; half >= 1; half /= 2) {
    // Of every two halves, the first is to be a sum of the one vector, the
    // second of the other.
    SmallVector<int64_t> own, other;
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      bool second = lane / half % 2 == 1;
      own.push_back(second ? lane + kLanes : lane);
      other.push_back(second ? lane + kLanes - half : lane + half);
    }
    for (int64_t i = 0; i < half; ++i)
      vectors[i] = arith::AddFOp::create(
          emitter,
          vector::ShuffleOp::create(emitter, vectors[i], vectors[i + half],
                                    own),
          vector::ShuffleOp::create(emitter, vectors[i], vectors[i + half],
                                    other));
  }
  return vectors[0];
}

void WindowKernel::emitPiece(Value piece) {
  Value number = pieces.load(emitter, piece);
  Value row = emitter.mul(number, kLanes);
  Value slot = emitter.rem(row, kStripRows);
  Value mask;
  auto vectorType = cast<VectorType>(emitter.typeOf(kLanes));
  if (pieceMasks)
    mask = asLanes(vector::LoadOp::create(
        emitter, VectorType::get({1}, emitter.getI16Type()), pieceMasks,
        piece));
  for (int64_t s = 0; s < samples; ++s) {
    SmallVector<Value> vectors;
    for (int64_t r = 0; r < kLanes; ++r) {
      Value place = emitter.mul(emitter.add(slot, s * kStripRows + r), kLanes);
      vectors.push_back(emitter.load(sums, place, kLanes));
      emitter.store(emitter.constant(0, kLanes), sums, place);
    }
    Value sum = addLanes(vectors);
    Value sample = emitter.index(s);
    if (!mask) {
      Value before = emitter.load(op.getInit(), {sample, row}, kLanes);
      emitter.store(arith::AddFOp::create(emitter, before, sum), op.getInit(),
                    {sample, row});
      continue;
    }
    // Other rows are other threads', or not there.
    Value before = vector::MaskedLoadOp::create(
        emitter, vectorType, op.getInit(), ValueRange{sample, row}, mask, sum);
    vector::MaskedStoreOp::create(emitter, op.getInit(),
                                  ValueRange{sample, row}, mask,
                                  arith::AddFOp::create(emitter, before, sum));
  }
}

void WindowKernel::emitChunk(Value chunk) {
  sums = emitter.allocate({samples * kStripRows * kLanes});
  emitter.loop(emitter.index(0), emitter.index(samples * kStripRows * kLanes),
               kLanes, [&](Value place) {
                 emitter.store(emitter.constant(0, kLanes), sums, place);
               });
  SmallVector<Value> first;
  for (const IndexList &list : begins)
    first.push_back(list.load(emitter, chunk));
  emitter.reduce(
      strips.load(emitter, chunk), strips.load(emitter, emitter.add(chunk, 1)),
      1, first, [&](Value strip, ValueRange before) {
        SmallVector<Value> position(before);
        Value list = emitter.mul(strip, static_cast<int64_t>(classes.size()));
        for (auto [i, entry] : llvm::enumerate(classes)) {
          Value number = emitter.add(list, static_cast<int64_t>(i));
          position = emitSegments(entry, bounds.load(emitter, number),
                                  bounds.load(emitter, emitter.add(number, 1)),
                                  position);
        }
        emitter.loop(pieceBounds.load(emitter, strip),
                     pieceBounds.load(emitter, emitter.add(strip, 1)), 1,
                     [&](Value piece) { emitPiece(piece); });
        return position;
      });
  emitter.deallocate(sums);
}

int64_t WindowKernel::emit(std::vector<WindowGroup> groups, int64_t chunks) {
  layOut(std::move(groups), chunks);
  emitter.parallelLoop(emitter.index(chunks),
                       [&](Value chunk) { emitChunk(chunk); });
  return bytes;
}

int64_t loops::emitWindowKernel(MatmulOp op, std::vector<WindowGroup> groups,
                                int64_t chunks, Emitter &emitter) {
  return WindowKernel(op, emitter).emit(std::move(groups), chunks);
}
