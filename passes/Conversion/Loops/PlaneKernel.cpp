//===- PlaneKernel.cpp - A window that slides over one channel ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/PlaneKernel.h"
#include "passes/Conversion/Loops/ImageRows.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Vectors of this many lanes come with masked loads and stores.
static constexpr int64_t kMaskedLanes = 8;

/// AArch64 loads a vector from 256 bytes before an address to 255 after it with
/// an instruction that takes one slot of the processor (ldur), and from
/// multiples of 16 bytes after it with one that may take two. So the addresses
/// of rows are this many elements too large there: an odd number, since loads
/// with a stride of two lie multiples of 16 bytes apart.
static constexpr int64_t kNearElements = 17;

/// Elements from such an address on that are within its reach.
static constexpr int64_t kReach = 64;

/// Inner blocks of rows, or vectors of a row, from which on there is a loop.
static constexpr int64_t kMinTurns = 3;

PlaneKernel::PlaneKernel(Emitter &emitter, Value input, Value output,
                         Window window, int64_t tileRows, int64_t tileVectors,
                         int64_t lanes, double outside)
    : emitter(emitter), images(output), tileRows(tileRows),
      tileVectors(tileVectors), outside(outside) {
  auto inputType = cast<MemRefType>(input.getType());
  auto outputType = cast<MemRefType>(output.getType());
  auto makeAxis = [&](unsigned i) {
    return Axis{inputType.getDimSize(2 + i),
                outputType.getDimSize(2 + i),
                window.kernel[i],
                window.strides[i],
                window.dilations[i],
                window.padding[i]};
  };
  y = makeAxis(0);
  x = makeAxis(1);
  lanes = int64_t(1) << llvm::Log2_64(lanes);
  masked = lanes >= kMaskedLanes;
  if (masked)
    width = std::clamp<int64_t>(llvm::PowerOf2Ceil(x.outputs), 4, lanes);
  else
    width = std::min<int64_t>(
        lanes, int64_t(1) << llvm::Log2_64(std::min(x.outputs, x.size)));
  live = std::min(width, x.outputs);
}

bool PlaneKernel::canWalk(ArrayRef<Value> images, Window window) {
  return window.strides[1] <= 2 && llvm::all_of(images, [](Value memref) {
           return getImagePitch(memref).has_value();
         });
}

//===----------------------------------------------------------------------===//
// Loads and stores
//===----------------------------------------------------------------------===//

/// Lanes [begin, end).
Value PlaneKernel::getMask(int64_t begin, int64_t end) {
  SmallVector<bool> lanes(width, false);
  std::fill(lanes.begin() + begin, lanes.begin() + end, true);
  auto type = VectorType::get({width}, emitter.getI1Type());
  return arith::ConstantOp::create(emitter,
                                   DenseElementsAttr::get(type, lanes));
}

/// Whether a loop may run the tile of outputs from `column` on: it reads the
/// image only.
bool PlaneKernel::canLoop(int64_t column) const {
  int64_t before = sharesLoads() && x.kernel > 2 ? width - 1 : 0;
  return x.isInside(column, width * tileVectors) &&
         x.getInput(column, 0) >= before;
}

/// Whether loads serve several taps, with a stride of two.
bool PlaneKernel::sharesLoads() const {
  return x.stride == 2 && width > 1 && tapsTogether && x.dilation == 1 &&
         x.kernel > 1;
}

/// Gives each row that `rows` output rows read an address from input column
/// `column` on that the optimiser knows nothing of. It would address them all
/// from one register, and AArch64 has few offsets that cost nothing: see
/// kNearElements.
PlaneKernel::RowViews PlaneKernel::viewRows(Value firstRow, int64_t rows,
                                            Value column) {
  RowViews views;
  if (!emitter.multipliesByElement() || masked || width == 1)
    return views;
  std::optional<int64_t> known = getConstantIntValue(firstRow);
  int64_t begin = y.getInput(0, 0), end = y.getInput(rows - 1, y.kernel - 1);
  if (known) {
    begin = std::max(begin, -*known * y.stride);
    end = std::min(end, y.size - 1 - *known * y.stride);
  }
  Value first = emitter.add(
      emitter.add(input.offset, emitter.mul(firstRow, y.stride * input.pitch)),
      column);
  auto type = MemRefType::get(
      {input.pitch}, emitter.getF32Type(),
      StridedLayoutAttr::get(emitter.getContext(), ShapedType::kDynamic, {1}));
  // Rows of small images are in reach of one address.
  bool near = (end - begin) * input.pitch + x.kernel + width < kReach;
  Value base;
  for (int64_t row = begin; row <= end; ++row) {
    if (!base || !near)
      base =
          emitter.hide(emitter.add(first, row * input.pitch + kNearElements));
    Value offset = near ? emitter.add(base, (row - begin) * input.pitch) : base;
    views[row] = memref::ReinterpretCastOp::create(
        emitter, type, input.buffer, OpFoldResult(offset),
        ArrayRef<OpFoldResult>{emitter.getIndexAttr(input.pitch)},
        ArrayRef<OpFoldResult>{emitter.getIndexAttr(1)});
  }
  return views;
}

/// `length` neighbours of row `row`, `column` elements after the first that the
/// tile would read there without padding.
Value PlaneKernel::loadInput(int64_t row, int64_t column, int64_t length) {
  if (auto view = rowViews.find(row); view != rowViews.end()) {
    int64_t known = getConstantIntValue(firstColumn).value_or(0);
    return emitter.load(
        view->second, emitter.index(known * x.stride + column - kNearElements),
        length);
  }
  return emitter.load(input.flat, emitter.add(base, row * input.pitch + column),
                      length);
}

/// Input columns from `firstColumn * stride + column` on of row `row`, with
/// `outside` there; null if all of them are outside.
Value PlaneKernel::loadColumns(int64_t row, int64_t column) {
  std::optional<int64_t> known = getConstantIntValue(firstColumn);
  int64_t begin = 0, end = width, from = 0;
  if (known) {
    from = *known * x.stride + column;
    begin = std::clamp<int64_t>(-from, 0, width);
    end = std::clamp<int64_t>(x.size - from, begin, width);
  }
  if (begin == end)
    return Value();
  if (end - begin == width)
    return loadInput(row, column, width);
  if (masked) {
    auto type = cast<VectorType>(emitter.typeOf(width));
    return vector::MaskedLoadOp::create(
        emitter, type, input.flat,
        emitter.add(base, row * input.pitch + column), getMask(begin, end),
        emitter.constant(outside, width));
  }
  // Vectors are no wider than the image here.
  int64_t inside = std::clamp<int64_t>(from, 0, x.size - width);
  Value loaded = loadInput(row, column + inside - from, width);
  SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < width; ++i)
    lanes.push_back(i >= begin && i < end ? from + i - inside : width);
  return vector::ShuffleOp::create(emitter, loaded,
                                   emitter.constant(outside, width), lanes);
}

/// Every other column from `column` on, and those between them as `odd` if that
/// is asked for; else no column after the last one is read. Null if all of them
/// are outside.
Value PlaneKernel::loadPair(int64_t row, int64_t column, Value *odd) {
  int64_t step = odd ? width : width - 1;
  auto pick = [&](Value low, Value high, int64_t first) -> Value {
    SmallVector<int64_t> lanes;
    for (int64_t i = 0; i < width; ++i) {
      int64_t at = 2 * i + first;
      lanes.push_back(at < width ? at : width + at - step);
    }
    return vector::ShuffleOp::create(emitter, low, high, lanes);
  };
  Value low = loadColumns(row, column);
  Value high = loadColumns(row, column + step);
  if (!low && !high)
    return Value();
  if (!low)
    low = emitter.constant(outside, width);
  if (!high)
    high = emitter.constant(outside, width);
  // LLVM would make the loads and shuffles one instruction of AArch64 (ld2),
  // which takes as long, and an address of its own.
  if (!rowViews.empty())
    low = emitter.hide(low);
  if (odd)
    *odd = pick(low, high, 1);
  return pick(low, high, 0);
}

/// What tap `tap` of a kernel row reads of row `row` for vector `vector`; null
/// if that is all outside.
Value PlaneKernel::loadTap(int64_t row, int64_t vector, int64_t tap) {
  auto getColumn = [&](int64_t at) { return x.getInput(columns[vector], at); };
  if (x.stride == 1 || width == 1)
    return loadColumns(row, getColumn(tap));
  if (!sharesLoads())
    return loadPair(row, getColumn(tap), /*odd=*/nullptr);
  auto [entry, isNew] = loadedTaps.try_emplace({vector, tap});
  if (!isNew)
    return entry->second;
  if (tap + 2 >= x.kernel) {
    int64_t first = x.kernel - 2;
    Value odd;
    loadedTaps[{vector, first}] = loadPair(row, getColumn(first), &odd);
    loadedTaps[{vector, first + 1}] = odd;
    return entry->second;
  }
  Value after = loadTap(row, vector, tap + 2);
  bool continues = vector > 0 && columns[vector] == columns[vector - 1] + width;
  Value before = continues ? loadTap(row, vector - 1, tap + 2)
                           : loadColumns(row, getColumn(tap) - (width - 1));
  if (!after && !before)
    return Value();
  if (!after)
    after = emitter.constant(outside, width);
  if (!before)
    before = emitter.constant(outside, width);
  SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < width; ++i)
    lanes.push_back(width - 1 + i);
  entry->second = vector::ShuffleOp::create(emitter, before, after, lanes);
  return entry->second;
}

Value PlaneKernel::loadOutput(const Plane &plane, Value position) {
  if (live == width)
    return emitter.load(plane.flat, position, width);
  auto type = cast<VectorType>(emitter.typeOf(width));
  return vector::MaskedLoadOp::create(emitter, type, plane.flat, position,
                                      getMask(0, live),
                                      emitter.constant(outside, width));
}

void PlaneKernel::storeOutput(Value value, Value position) {
  if (live == width)
    return emitter.store(value, output.flat, position);
  vector::MaskedStoreOp::create(emitter, output.flat, position,
                                getMask(0, live), value);
}

Value PlaneKernel::getPosition(const Plane &plane, const Place &at) {
  Value first =
      emitter.add(emitter.mul(at.firstRow, plane.pitch), at.firstColumn);
  return emitter.add(first, at.row * plane.pitch);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

void PlaneKernel::emitTile(Value firstRow, int64_t rows, Value column,
                           ArrayRef<int64_t> tileColumns) {
  firstColumn = column;
  columns = tileColumns;
  base = emitter.add(emitter.mul(firstRow, y.stride * input.pitch),
                     emitter.mul(firstColumn, x.stride));
  auto vectors = static_cast<int64_t>(columns.size());
  std::optional<int64_t> knownRow = getConstantIntValue(firstRow);
  beginTile();
  SmallVector<Value> sums(rows * vectors, start());
  auto addRow = [&](int64_t row, int64_t vector, int64_t tapX) {
    // Row of the image, if that is known; unknown ones are inside.
    if (knownRow) {
      int64_t at = *knownRow * y.stride + row;
      if (at < 0 || at >= y.size)
        return;
    }
    Value loaded;
    for (int64_t tapY = 0; tapY < y.kernel; ++tapY) {
      int64_t distance = row - y.getInput(0, tapY);
      if (distance < 0 || distance % y.stride != 0 ||
          distance / y.stride >= rows)
        continue;
      if (!loaded)
        loaded = loadTap(row, vector, tapX);
      if (!loaded)
        return;
      Value &sum = sums[distance / y.stride * vectors + vector];
      sum = combine(sum, loaded, tapY, tapX);
    }
  };
  auto storeRow = [&](int64_t row) {
    for (int64_t vector = 0; vector < vectors; ++vector) {
      Place at{firstRow, emitter.add(firstColumn, columns[vector]), row};
      storeOutput(finish(sums[row * vectors + vector], at),
                  getPosition(output, at));
    }
  };
  int64_t begin = y.getInput(0, 0), end = y.getInput(rows - 1, y.kernel - 1);
  if (tapsTogether) {
    // A row is stored when it is complete: what is left to do after the last
    // multiply-adds is not done while nothing else is.
    int64_t done = 0;
    for (int64_t row = begin; row <= end; ++row) {
      for (int64_t vector = 0; vector < vectors; ++vector)
        for (int64_t tapX = 0; tapX < x.kernel; ++tapX)
          addRow(row, vector, tapX);
      loadedTaps.clear();
      if (row == y.getInput(done, y.kernel - 1))
        storeRow(done++);
    }
    return;
  }
  for (int64_t tapX = 0; tapX < x.kernel; ++tapX)
    for (int64_t row = begin; row <= end; ++row)
      for (int64_t vector = 0; vector < vectors; ++vector)
        addRow(row, vector, tapX);
  for (int64_t row = 0; row < rows; ++row)
    storeRow(row);
}

/// Covers [0, count) with `length` a piece; the first pieces, the last ones and
/// a shorter one at the end get a known number. `isInside`: a loop may run it.
static void cover(Emitter &emitter, int64_t count, int64_t length,
                  llvm::function_ref<bool(int64_t)> isInside,
                  llvm::function_ref<void(Value)> body) {
  for (int64_t begin = 0; begin < count;) {
    int64_t end = begin;
    while (end < count && end + length <= count && isInside(end))
      end += length;
    if (end - begin >= kMinTurns * length) {
      emitter.loop(emitter.index(begin), emitter.index(end), length, body);
      begin = end;
      continue;
    }
    body(emitter.index(begin));
    begin += length;
  }
}

void PlaneKernel::emitRows(Value firstRow, int64_t rows) {
  // Tiles whose columns are known share the addresses of their rows.
  RowViews shared = viewRows(firstRow, rows, emitter.index(0));
  cover(
      emitter, x.outputs, width * tileVectors,
      [&](int64_t column) { return canLoop(column); },
      [&](Value column) {
        std::optional<int64_t> known = getConstantIntValue(column);
        SmallVector<int64_t> vectors;
        for (int64_t i = 0; i < tileVectors; ++i) {
          int64_t begin = i * width;
          if (known && *known + begin >= x.outputs)
            break;
          // The last vector of a row is moved back to end with it.
          if (known)
            begin = std::min(begin, x.outputs - live - *known);
          vectors.push_back(begin);
        }
        rowViews =
            known ? shared
                  : viewRows(firstRow, rows, emitter.mul(column, x.stride));
        emitTile(firstRow, rows, column, vectors);
      });
  endRows(firstRow, rows);
}

void PlaneKernel::emitPlane(const Plane &inputPlane, const Plane &outputPlane) {
  input = inputPlane;
  output = outputPlane;
  cover(
      emitter, y.outputs, tileRows,
      [&](int64_t row) { return y.isInside(row, tileRows); },
      [&](Value row) {
        std::optional<int64_t> known = getConstantIntValue(row);
        int64_t rows = tileRows;
        if (known)
          rows = std::min(rows, y.outputs - *known);
        emitRows(row, rows);
      });
}

void PlaneKernel::forEachPlane(
    llvm::function_ref<void(Value sample, Value channel)> body) {
  int64_t channels = cast<MemRefType>(images.getType()).getDimSize(1);
  Value samples = emitter.createOrFold<memref::DimOp>(images, 0);
  emitter.parallelLoop(emitter.mul(samples, channels), [&](Value task) {
    body(emitter.div(task, channels), emitter.rem(task, channels));
  });
}

PlaneKernel::Plane PlaneKernel::getPlane(Value memref, Value sample,
                                         Value channel) {
  auto type = cast<MemRefType>(memref.getType());
  Plane plane;
  plane.pitch = *getImagePitch(memref);
  auto metadata = memref::ExtractStridedMetadataOp::create(emitter, memref);
  Value offset = metadata.getOffset();
  auto skip = [&](Value count, Value stride) {
    offset =
        emitter.add(offset, emitter.createOrFold<arith::MulIOp>(count, stride));
  };
  skip(sample, metadata.getStrides()[0]);
  skip(channel, metadata.getStrides()[1]);
  int64_t size = (type.getDimSize(2) - 1) * plane.pitch + type.getDimSize(3);
  auto layout =
      StridedLayoutAttr::get(emitter.getContext(), ShapedType::kDynamic, {1});
  plane.buffer = metadata.getBaseBuffer();
  plane.offset = offset;
  plane.flat = memref::ReinterpretCastOp::create(
      emitter, MemRefType::get({size}, type.getElementType(), layout),
      plane.buffer, OpFoldResult(offset),
      ArrayRef<OpFoldResult>{emitter.getIndexAttr(size)},
      ArrayRef<OpFoldResult>{emitter.getIndexAttr(1)});
  return plane;
}
