//===- WindowKernel.cpp - Block rows along the vector ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a block keeps one or two of its rows, a loop over columns loads an
// index and an input for one or two weights. Here 16 block rows are along the
// vector: the inputs that the block of each may need stay in four registers, a
// permutation takes out of two of them one column of each, and each kept row is
// one multiply-add. What a block sums up belongs to another row in every lane:
// it is added, under a mask for each row of a block, to sums of all rows that
// stay in registers for all windows. Needs a permutation of two registers by
// variable indices, which AVX-512 has. Columns that some of the blocks have
// more than the others of a window are loaded one by one instead.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowKernel.h"
#include "passes/Conversion/Loops/ColumnCode.h"
#include "passes/Conversion/Loops/IndexList.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <array>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

static constexpr int64_t kLanes = kWindowLanes;

/// From so many bytes of weights on they are asked for ahead of their use, by
/// so many elements: a processor follows a longer stream from the third cache
/// with too few requests by itself, and a short one best by itself.
static constexpr int64_t kPrefetchBytes = 1 << 20;
static constexpr int64_t kPrefetchDistance = 512;

/// A cache line.
static constexpr int64_t kLineBytes = 64;

/// Sums of a row side by side, unless there are many rows: one multiply-add
/// waits for another.
static constexpr int64_t kMaxDoubleHeight = 3;

/// Sums of so many rows keep multiply-adds apart, so that those of full
/// segments go on with those of the strip.
static constexpr int64_t kMinDirectHeight = 4;

namespace {
/// Segments that one piece of code runs.
struct WindowCode {
  bool anywhere;
  int64_t height;
  WindowSteps steps;
  bool full;
};

/// Lists that code walks along, by their places in what loops carry.
enum Cursor { kValues, kPlaces, kMasks, kScattered, kNumCursors };

/// The constants of a layer as they grow, in the order of execution.
struct WindowLists {
  void add(const WindowSegment &segment, const WindowGroups &groups);

  /// Of each step and row the weights of all lanes.
  std::vector<float> values;
  /// Of segments in windows the places of all steps, by byte.
  std::vector<int32_t> places;
  /// Of steps that take columns anywhere: those of all lanes.
  std::vector<int32_t> scattered;
  /// Of each row of a segment and each row of a lane that it can be: the lanes
  /// of which it is that row.
  std::vector<int32_t> masks;
  /// Of segments: the window, or how many steps take columns anywhere.
  std::vector<int32_t> windows;
  /// Of codes of strips, and the end: the first segment.
  std::vector<int32_t> bounds;
  /// Which strips there are, and, of chunks and the end, the first.
  std::vector<int32_t> numbers, strips;
  /// Of chunks: where each cursor begins.
  std::array<std::vector<int32_t>, kNumCursors> begins;

  std::array<size_t, kNumCursors> getEnds() const {
    return {values.size(), places.size(), masks.size(), scattered.size()};
  }
};

class WindowKernel {
public:
  WindowKernel(MatmulOp op, const WindowGroups &groups, bool fills,
               Emitter &emitter)
      : op(op), groups(groups), fills(fills), emitter(emitter),
        samples(cast<MemRefType>(op.getInit().getType()).getDimSize(0)) {}

  WindowBytes emit();

private:
  void layOut();
  void makeConstants(WindowLists lists);
  void emitChunk(Value chunk);
  /// `state` has the cursors, and the sums of all rows of a lane for each
  /// sample; returns that of the next segment.
  SmallVector<Value> emitSegment(const WindowCode &code, Value segment,
                                 ValueRange state);
  /// The registers of a window.
  SmallVector<Value> loadWindow(Value segment, Value sample);
  /// Loads the places of some steps, from byte `position` on.
  Value loadPlaces(const PlaceVector &places, Value position);
  /// The inputs of a step whose places are the lowest bits of `places`.
  Value takeInputs(const WindowCode &code, int64_t step,
                   ArrayRef<Value> registers, Value places);
  /// The inputs of a step that takes them anywhere.
  Value gatherInputs(Value sample, Value column);
  /// Adds the products of step `step` from `value` on to `partial`.
  void multiply(const WindowCode &code, Value inputs, Value value, int64_t step,
                MutableArrayRef<Value> partial);
  void sumUpWindow(const WindowCode &code, Value segment, Value sample,
                   ValueRange state, MutableArrayRef<Value> partial);
  void sumUpAnywhere(const WindowCode &code, Value steps, Value sample,
                     ValueRange state, MutableArrayRef<Value> partial);
  /// Adds the sums of a segment to those of the strip.
  void addToStrip(const WindowCode &code, Value mask, ArrayRef<Value> partial,
                  MutableArrayRef<Value> sums);
  int64_t countChains(const WindowCode &code) const {
    return addsDirectly(code) || code.height > kMaxDoubleHeight ? 1 : 2;
  }
  bool addsDirectly(const WindowCode &code) const {
    return code.full && code.height >= kMinDirectHeight;
  }
  void prefetch(const WindowCode &code, Value value, Value place);
  /// What a sum is added to: the output as it is, or what it begins with. Null
  /// if that is nothing. Under `mask`, if it is given.
  Value loadStart(Value sample, Value row, int64_t width, Value mask = {});
  /// A sum of rows from `row` on with what it begins with.
  Value addStart(Value sum, Value sample, Value row, int64_t width,
                 Value mask = {});
  /// Adds the sums of a strip to the output.
  void emitStrip(Value number, Value sample, ArrayRef<Value> sums);
  /// The same where lanes are in another order than the rows of W.
  void emitOrderedStrip(Value number, Value sample, ArrayRef<Value> sums);
  /// The lanes whose bits are set in element `position` of `masks`.
  Value loadMask(Value position);

  MatmulOp op;
  const WindowGroups &groups;
  /// Nobody has stored bias and residual in the output.
  bool fills;
  Emitter &emitter;
  int64_t samples;
  std::vector<WindowCode> codes;
  WindowBytes bytes;
  bool prefetches = false;
  Value values, places, masks, scattered;
  IndexList windows, bounds, numbers, strips, order;
  std::array<IndexList, kNumCursors> begins;
};
} // namespace

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

/// Rows of a lane that each row of a segment can be, from its own number on:
/// rows of a segment are in order.
static int64_t countChoices(int64_t height, const WindowGroups &groups) {
  return groups.shape.laneRows - height + 1;
}

void WindowLists::add(const WindowSegment &segment,
                      const WindowGroups &groups) {
  int64_t height = segment.height, steps = segment.steps.count;
  windows.push_back(
      static_cast<int32_t>(segment.isAnywhere() ? steps : segment.window));
  size_t value = values.size(), mask = masks.size();
  values.resize(value + steps * height * kLanes);
  std::vector<std::array<int32_t, kLanes>> columns(steps);
  int64_t choices = countChoices(height, groups);
  if (!segment.full)
    masks.resize(mask + height * choices);
  for (auto [lane, number] : llvm::enumerate(segment.parts)) {
    if (number < 0)
      continue;
    WindowLane part = fillUp(groups, segment, groups.parts[number]);
    auto rows = static_cast<int64_t>(part.rows.size());
    for (int64_t s = 0; s < steps; ++s)
      columns[s][lane] = part.columns[s];
    int64_t slot = -1;
    for (int64_t r = 0; r < rows; ++r) {
      // The first row of the segment that can be this one.
      slot = std::max(slot + 1, part.rows[r] - choices + 1);
      if (!segment.full)
        masks[mask + slot * choices + part.rows[r] - slot] |= 1 << lane;
      for (int64_t s = 0; s < steps; ++s)
        values[value + (s * height + slot) * kLanes + lane] =
            part.values[s * rows + r];
    }
  }
  if (!segment.isAnywhere())
    return appendPlaces(segment.steps, columns, groups.getNumRegisters(),
                        places);
  for (const std::array<int32_t, kLanes> &step : columns)
    llvm::append_range(scattered, step);
}

/// Deals strips, the ends of whose segments are given with the weights up to
/// there, to `chunks`: the first strip of each, and the end.
static std::vector<int32_t> dealStrips(ArrayRef<int64_t> weights,
                                       int64_t chunks) {
  std::vector<int32_t> first;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    int64_t before = weights.back() * chunk / chunks;
    first.push_back(static_cast<int32_t>(llvm::lower_bound(weights, before) -
                                         weights.begin()));
  }
  first.push_back(static_cast<int32_t>(weights.size()) - 1);
  return first;
}

void WindowKernel::layOut() {
  using Key = decltype(WindowSegment().getKey());
  std::vector<Key> keys;
  // Up to each strip, the first included.
  std::vector<int64_t> weights = {0};
  ArrayRef<WindowSegment> left = groups.segments;
  for (const WindowSegment &segment : left)
    keys.push_back(segment.getKey());
  llvm::sort(keys);
  keys.erase(llvm::unique(keys), keys.end());
  for (auto [anywhere, height, steps, paired, full] : keys)
    codes.push_back({anywhere, height, {steps, paired}, full});

  WindowLists lists;
  std::vector<std::array<size_t, kNumCursors>> starts;
  while (!left.empty()) {
    int64_t strip = left.front().strip;
    lists.numbers.push_back(static_cast<int32_t>(strip));
    starts.push_back(lists.getEnds());
    for (const Key &key : keys) {
      lists.bounds.push_back(static_cast<int32_t>(lists.windows.size()));
      for (; !left.empty() && left.front().strip == strip &&
             left.front().getKey() == key;
           left = left.drop_front())
        lists.add(left.front(), groups);
    }
    weights.push_back(static_cast<int64_t>(lists.values.size()));
  }
  lists.bounds.push_back(static_cast<int32_t>(lists.windows.size()));
  lists.strips = dealStrips(weights, emitter.getThreads());
  starts.push_back({});
  for (int32_t strip : ArrayRef(lists.strips).drop_back())
    for (auto [list, begin] : llvm::zip(lists.begins, starts[strip]))
      list.push_back(static_cast<int32_t>(begin));
  makeConstants(std::move(lists));
}

void WindowKernel::makeConstants(WindowLists lists) {
  auto getKey = [&](StringRef name) {
    return (emitter.getLayerName() + "." + name).str();
  };
  auto getSize = [](const auto &list) {
    return static_cast<int64_t>(list.size());
  };
  MLIRContext *context = op->getContext();
  bytes.values = 4 * getSize(lists.values);
  prefetches = emitter.prefetches() && !emitter.followsStreams() &&
               bytes.values >= kPrefetchBytes;
  auto makeBits = [&](StringRef name, ArrayRef<int32_t> list,
                      unsigned bits) -> Value {
    if (list.empty())
      return {};
    bytes.indices += getSize(list) * bits / 8;
    return emitter.global(name, makeIndexElements({getSize(list)}, getKey(name),
                                                  list, bits, context));
  };
  places = makeBits("window_places", lists.places, 8);
  masks = makeBits("window_masks", lists.masks, 16);
  bytes.indices += getListBytes(lists.scattered);
  if (!lists.scattered.empty())
    scattered = emitter.indexGlobal("window_scattered", lists.scattered);
  int64_t numValues = getSize(lists.values);
  values = emitter.global(
      "window_values", makeFloatElements({numValues}, getKey("window_values"),
                                         std::move(lists.values), context));
  auto makeList = [&](IndexList &list, StringRef name,
                      ArrayRef<int32_t> indices) {
    list = IndexList(emitter, name, indices);
    bytes.indices += list.getBytes();
  };
  makeList(windows, "window_numbers", lists.windows);
  makeList(bounds, "window_bounds", lists.bounds);
  makeList(numbers, "window_strip_numbers", lists.numbers);
  makeList(strips, "window_strips", lists.strips);
  makeList(order, "window_order", groups.order);
  for (auto [i, list] : llvm::enumerate(lists.begins))
    makeList(begins[i], "window_begins_" + std::to_string(i), list);
}

//===----------------------------------------------------------------------===//
// Segments
//===----------------------------------------------------------------------===//

SmallVector<Value> WindowKernel::loadWindow(Value segment, Value sample) {
  int64_t numColumns = op.getNumColumns();
  Value origin = emitter.mul(windows.load(emitter, segment), groups.shape.size);
  SmallVector<Value> registers;
  for (int64_t i = 0; i < groups.shape.size; i += kLanes) {
    Value begin = emitter.add(origin, i);
    if (numColumns % groups.shape.size != 0)
      begin = arith::MinUIOp::create(emitter, begin,
                                     emitter.index(numColumns - kLanes));
    registers.push_back(emitter.load(op.getInput(), {sample, begin}, kLanes));
  }
  return registers;
}

Value WindowKernel::loadPlaces(const PlaceVector &vector, Value position) {
  auto byteVector = VectorType::get({vector.getBytes()}, emitter.getI8Type());
  auto elements = static_cast<unsigned>(vector.bits);
  Value result = vector::BitCastOp::create(
      emitter, VectorType::get({kLanes}, emitter.getIntegerType(elements)),
      vector::LoadOp::create(emitter, byteVector, places, position));
  auto intVector = VectorType::get({kLanes}, emitter.getI32Type());
  return result.getType() == intVector
             ? result
             : arith::ExtUIOp::create(emitter, intVector, result);
}

Value WindowKernel::takeInputs(const WindowCode &code, int64_t step,
                               ArrayRef<Value> registers, Value indices) {
  // Only the bits of a place in two registers count.
  auto pick = [&](int64_t first, int64_t second) -> Value {
    return LLVM::CallIntrinsicOp::create(
               emitter, registers[first].getType(),
               emitter.getStringAttr("llvm.x86.avx512.vpermi2var.ps.512"),
               ValueRange{registers[first], indices, registers[second]})
        .getResults();
  };
  if (step < code.steps.paired) {
    auto [first, second] = WindowSteps::getPair(step, groups.getNumRegisters());
    return pick(first, second);
  }
  auto splat = [&](int64_t value) -> Value {
    auto type = cast<VectorType>(indices.getType());
    return arith::ConstantOp::create(
        emitter,
        DenseElementsAttr::get(
            type, emitter.getI32IntegerAttr(static_cast<int32_t>(value))));
  };
  Value half = arith::AndIOp::create(emitter, indices, splat(2 * kLanes));
  Value inHigh =
      arith::CmpIOp::create(emitter, arith::CmpIPredicate::ne, half, splat(0));
  return arith::SelectOp::create(emitter, inHigh, pick(2, 3), pick(0, 1));
}

void WindowKernel::prefetch(const WindowCode &code, Value value, Value place) {
  auto ask = [&](Value list, Value position, int64_t count, int64_t step) {
    for (int64_t i = 0; i < count; i += step)
      memref::PrefetchOp::create(emitter, list,
                                 emitter.add(position, kPrefetchDistance + i),
                                 /*isWrite=*/false, /*localityHint=*/3,
                                 /*isDataCache=*/true);
  };
  if (!prefetches)
    return;
  ask(values, value, code.steps.count * code.height * kLanes, kLanes);
  ask(places, place, getPlaceBytes(code.steps), kLineBytes);
}

Value WindowKernel::loadMask(Value position) {
  Value bits = vector::LoadOp::create(
      emitter, VectorType::get({1}, emitter.getI16Type()), masks, position);
  return vector::BitCastOp::create(
      emitter, VectorType::get({kLanes}, emitter.getI1Type()), bits);
}

Value WindowKernel::gatherInputs(Value sample, Value column) {
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < kLanes; ++lane)
    elements.push_back(emitter.load(
        op.getInput(),
        {sample, emitter.loadIndex(scattered, emitter.add(column, lane))}));
  return vector::FromElementsOp::create(
      emitter, cast<VectorType>(emitter.typeOf(kLanes)), elements);
}

void WindowKernel::multiply(const WindowCode &code, Value inputs, Value value,
                            int64_t step, MutableArrayRef<Value> partial) {
  int64_t chains = countChains(code);
  for (int64_t row = 0; row < code.height; ++row) {
    Value weights = emitter.load(
        values, emitter.add(value, (step * code.height + row) * kLanes),
        kLanes);
    Value &sum = partial[row * chains + step % chains];
    sum = emitter.multiplyAdd(inputs, weights, sum);
  }
}

void WindowKernel::sumUpWindow(const WindowCode &code, Value segment,
                               Value sample, ValueRange state,
                               MutableArrayRef<Value> partial) {
  SmallVector<Value> registers = loadWindow(segment, sample);
  Value position = state[kPlaces];
  for (const PlaceVector &vector : layOutPlaces(code.steps)) {
    // Or LLVM begins with the places of all steps, more than registers hold, or
    // reads the weights of every other step first, which no processor foresees.
    if (vector.firstStep > 0)
      for (int64_t chain = 0; chain < countChains(code); ++chain)
        position = emitter.waitFor(partial[chain], position);
    Value elements = loadPlaces(vector, position);
    for (int64_t i = 0; i < vector.numSteps; ++i) {
      Value indices = elements;
      if (i > 0)
        indices = arith::ShRUIOp::create(
            emitter, elements,
            arith::ConstantOp::create(
                emitter, DenseElementsAttr::get(
                             cast<VectorType>(elements.getType()),
                             emitter.getI32IntegerAttr(
                                 static_cast<int32_t>(i * vector.placeBits)))));
      int64_t step = vector.firstStep + i;
      multiply(code, takeInputs(code, step, registers, indices), state[kValues],
               step, partial);
    }
    position = emitter.add(position, vector.getBytes());
  }
}

void WindowKernel::sumUpAnywhere(const WindowCode &code, Value steps,
                                 Value sample, ValueRange state,
                                 MutableArrayRef<Value> partial) {
  SmallVector<Value> carried(partial);
  carried = emitter.reduce(
      emitter.index(0), steps, 1, carried, [&](Value step, ValueRange before) {
        SmallVector<Value> next(before);
        Value column =
            emitter.add(state[kScattered], emitter.mul(step, kLanes));
        Value value = emitter.add(state[kValues],
                                  emitter.mul(step, code.height * kLanes));
        multiply(code, gatherInputs(sample, column), value, /*step=*/0, next);
        return next;
      });
  llvm::copy(carried, partial.begin());
}

void WindowKernel::addToStrip(const WindowCode &code, Value mask,
                              ArrayRef<Value> partial,
                              MutableArrayRef<Value> sums) {
  int64_t chains = countChains(code);
  int64_t choices = countChoices(code.height, groups);
  for (int64_t row = 0; row < code.height; ++row) {
    Value sum = partial[row * chains];
    if (chains > 1)
      sum = arith::AddFOp::create(emitter, sum, partial[row * chains + 1]);
    if (code.full) {
      sums[row] = arith::AddFOp::create(emitter, sums[row], sum);
      continue;
    }
    for (int64_t i = 0; i < choices; ++i) {
      Value &before = sums[row + i];
      before = arith::SelectOp::create(
          emitter, loadMask(emitter.add(mask, row * choices + i)),
          arith::AddFOp::create(emitter, before, sum), before);
    }
  }
}

SmallVector<Value> WindowKernel::emitSegment(const WindowCode &code,
                                             Value segment, ValueRange state) {
  SmallVector<Value> next(state);
  Value steps = code.anywhere ? windows.load(emitter, segment)
                              : emitter.index(code.steps.count);
  if (!code.anywhere)
    prefetch(code, state[kValues], state[kPlaces]);
  for (int64_t s = 0; s < samples; ++s) {
    Value sample = emitter.index(s);
    MutableArrayRef<Value> sums = MutableArrayRef(next).slice(
        kNumCursors + s * groups.shape.laneRows, groups.shape.laneRows);
    SmallVector<Value> partial(countChains(code) * code.height,
                               emitter.constant(0, kLanes));
    if (addsDirectly(code))
      partial.assign(sums.begin(), sums.end());
    if (code.anywhere)
      sumUpAnywhere(code, steps, sample, state, partial);
    else
      sumUpWindow(code, segment, sample, state, partial);
    if (addsDirectly(code))
      llvm::copy(partial, sums.begin());
    else
      addToStrip(code, state[kMasks], partial, sums);
  }
  Value columns = emitter.mul(steps, kLanes);
  auto advance = [&](Cursor cursor, Value by) {
    next[cursor] = emitter.add(state[cursor], by);
  };
  advance(kValues, emitter.mul(columns, code.height));
  if (code.anywhere)
    advance(kScattered, columns);
  else
    advance(kPlaces, emitter.index(getPlaceBytes(code.steps)));
  if (!code.full)
    advance(kMasks,
            emitter.index(code.height * countChoices(code.height, groups)));
  return next;
}

//===----------------------------------------------------------------------===//
// Strips
//===----------------------------------------------------------------------===//

/// Of vectors with one row of all lanes each, the rows of lane after lane.
static SmallVector<Value> orderByLane(Emitter &emitter,
                                      SmallVector<Value> vectors) {
  auto count = static_cast<int64_t>(vectors.size());
  // Each round puts the vectors of both halves into one, element by element.
  for (int64_t round = count; round > 1; round /= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < count / 2; ++i)
      for (int64_t begin : {int64_t(0), kLanes / 2}) {
        SmallVector<int64_t> lanes;
        for (int64_t j = begin; j < begin + kLanes / 2; ++j) {
          lanes.push_back(j);
          lanes.push_back(j + kLanes);
        }
        next.push_back(vector::ShuffleOp::create(
            emitter, vectors[i], vectors[i + count / 2], lanes));
      }
    vectors = std::move(next);
  }
  return vectors;
}

Value WindowKernel::loadStart(Value sample, Value row, int64_t width,
                              Value mask) {
  SmallVector<std::pair<Value, SmallVector<Value>>> terms;
  if (!fills)
    terms.push_back({op.getInit(), {sample, row}});
  if (fills && op.getBias())
    terms.push_back({op.getBias(), {row}});
  if (fills && op.getResidual())
    terms.push_back({op.getResidual(), {sample, row}});
  Value start;
  for (auto &[memref, indices] : terms) {
    Value term;
    if (mask)
      term = vector::MaskedLoadOp::create(
          emitter, cast<VectorType>(emitter.typeOf(width)), memref, indices,
          mask, emitter.constant(0, width));
    else
      term = emitter.load(memref, indices, width);
    start = start ? arith::AddFOp::create(emitter, start, term) : term;
  }
  return start;
}

Value WindowKernel::addStart(Value sum, Value sample, Value row, int64_t width,
                             Value mask) {
  Value start = loadStart(sample, row, width, mask);
  return start ? arith::AddFOp::create(emitter, start, sum) : sum;
}

void WindowKernel::emitStrip(Value number, Value sample, ArrayRef<Value> sums) {
  int64_t numRows = op.getNumRows();
  int64_t stripRows = groups.shape.laneRows * kLanes;
  Value first = emitter.mul(number, stripRows);
  for (auto [i, sum] :
       llvm::enumerate(orderByLane(emitter, SmallVector<Value>(sums)))) {
    Value row = emitter.add(first, static_cast<int64_t>(i) * kLanes);
    if (numRows % stripRows == 0) {
      emitter.store(addStart(sum, sample, row, kLanes), op.getInit(),
                    {sample, row});
      continue;
    }
    // The last strip ends behind the output.
    Value mask = vector::CreateMaskOp::create(
        emitter, VectorType::get({kLanes}, emitter.getI1Type()),
        ValueRange{emitter.sub(emitter.index(numRows), row)});
    vector::MaskedStoreOp::create(emitter, op.getInit(),
                                  ValueRange{sample, row}, mask,
                                  addStart(sum, sample, row, kLanes, mask));
  }
}

void WindowKernel::emitOrderedStrip(Value number, Value sample,
                                    ArrayRef<Value> sums) {
  int64_t laneRows = groups.shape.laneRows;
  int64_t numLanes = groups.getNumLanes();
  SmallVector<Value> ordered = orderByLane(emitter, SmallVector<Value>(sums));
  Value first = emitter.mul(number, kLanes);
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    Value place = emitter.add(first, lane);
    auto addLane = [&] {
      Value sum = ordered[lane * laneRows / kLanes];
      if (laneRows < kLanes)
        sum = vector::ExtractStridedSliceOp::create(
            emitter, sum,
            /*offsets=*/ArrayRef<int64_t>{lane * laneRows % kLanes},
            /*sizes=*/ArrayRef<int64_t>{laneRows},
            /*strides=*/ArrayRef<int64_t>{1});
      Value row = emitter.mul(order.load(emitter, place), laneRows);
      emitter.store(addStart(sum, sample, row, laneRows), op.getInit(),
                    {sample, row});
    };
    if (numLanes % kLanes == 0) {
      addLane();
      continue;
    }
    // The last strip has fewer lanes.
    auto exists = scf::IfOp::create(
        emitter,
        arith::CmpIOp::create(emitter, arith::CmpIPredicate::ult, place,
                              emitter.index(numLanes)),
        /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(emitter);
    emitter.setInsertionPointToStart(exists.thenBlock());
    addLane();
  }
}

void WindowKernel::emitChunk(Value chunk) {
  SmallVector<Value> first;
  for (const IndexList &list : begins)
    first.push_back(list.load(emitter, chunk));
  emitter.reduce(
      strips.load(emitter, chunk), strips.load(emitter, emitter.add(chunk, 1)),
      1, first, [&](Value strip, ValueRange before) {
        SmallVector<Value> state(before);
        state.append(samples * groups.shape.laneRows,
                     emitter.constant(0, kLanes));
        Value list = emitter.mul(strip, static_cast<int64_t>(codes.size()));
        for (auto [i, entryCode] : llvm::enumerate(codes)) {
          const WindowCode &code = entryCode;
          Value entry = emitter.add(list, static_cast<int64_t>(i));
          state = emitter.reduce(bounds.load(emitter, entry),
                                 bounds.load(emitter, emitter.add(entry, 1)), 1,
                                 state, [&](Value segment, ValueRange now) {
                                   return emitSegment(code, segment, now);
                                 });
        }
        Value number = numbers.load(emitter, strip);
        ArrayRef<Value> sums = ArrayRef(state).drop_front(kNumCursors);
        for (int64_t s = 0; s < samples; ++s) {
          Value sample = emitter.index(s);
          ArrayRef<Value> own =
              sums.slice(s * groups.shape.laneRows, groups.shape.laneRows);
          if (order)
            emitOrderedStrip(number, sample, own);
          else
            emitStrip(number, sample, own);
        }
        return SmallVector<Value>(ArrayRef(state).take_front(kNumCursors));
      });
}

WindowBytes WindowKernel::emit() {
  layOut();
  emitter.parallelLoop(emitter.index(emitter.getThreads()),
                       [&](Value chunk) { emitChunk(chunk); });
  return bytes;
}

WindowBytes loops::emitWindowKernel(MatmulOp op, const WindowGroups &groups,
                                    bool fills, Emitter &emitter) {
  return WindowKernel(op, groups, fills, emitter).emit();
}
