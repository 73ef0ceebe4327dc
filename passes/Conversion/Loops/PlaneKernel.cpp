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

/// Inner blocks of rows, or vectors of a row, from which on there is a loop.
static constexpr int64_t kMinTurns = 3;

PlaneKernel::PlaneKernel(Emitter &emitter, Value input, Value output,
                         Window window, int64_t tileRows, int64_t lanes,
                         double outside)
    : emitter(emitter), tileRows(tileRows), outside(outside) {
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

/// Input columns from `firstColumn * stride + column` on of row `row`, counted
/// from `base`, with `outside` there; null if all of them are outside.
Value PlaneKernel::loadColumns(Value base, Value firstColumn, int64_t row,
                               int64_t column) {
  int64_t offset = row * input.pitch + column;
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
    return emitter.load(input.flat, emitter.add(base, offset), width);
  if (masked) {
    auto type = cast<VectorType>(emitter.typeOf(width));
    return vector::MaskedLoadOp::create(
        emitter, type, input.flat, emitter.add(base, offset),
        getMask(begin, end), emitter.constant(outside, width));
  }
  // Vectors are no wider than the image here.
  int64_t inside = std::clamp<int64_t>(from, 0, x.size - width);
  Value loaded = emitter.load(input.flat,
                              emitter.add(base, offset + inside - from), width);
  SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < width; ++i)
    lanes.push_back(i >= begin && i < end ? from + i - inside : width);
  return vector::ShuffleOp::create(emitter, loaded,
                                   emitter.constant(outside, width), lanes);
}

/// What tap `tap` of a kernel row reads of row `row`; null if that is all
/// outside.
Value PlaneKernel::loadTap(Value base, Value firstColumn, int64_t row,
                           int64_t tap) {
  int64_t column = x.getInput(0, tap);
  if (x.stride == 1 || width == 1)
    return loadColumns(base, firstColumn, row, column);
  if (auto found = nextTap.find(tap); found != nextTap.end())
    return found->second;
  // The next tap's columns lie between those of this one.
  bool shared = tapsTogether && x.dilation == 1 && tap + 1 < x.kernel;
  int64_t step = shared ? width : width - 1;
  Value low = loadColumns(base, firstColumn, row, column);
  Value high = loadColumns(base, firstColumn, row, column + step);
  if (!low && !high) {
    if (shared)
      nextTap[tap + 1] = Value();
    return Value();
  }
  if (!low)
    low = emitter.constant(outside, width);
  if (!high)
    high = emitter.constant(outside, width);
  auto pick = [&](int64_t first) {
    SmallVector<int64_t> lanes;
    for (int64_t i = 0; i < width; ++i) {
      int64_t at = 2 * i + first;
      lanes.push_back(at < width ? at : width + at - step);
    }
    return vector::ShuffleOp::create(emitter, low, high, lanes).getResult();
  };
  if (shared)
    nextTap[tap + 1] = pick(1);
  return pick(0);
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

void PlaneKernel::emitTile(Value firstRow, int64_t rows, Value firstColumn) {
  // `base` is where tap (0, 0) would be without padding.
  Value base = emitter.add(emitter.mul(firstRow, y.stride * input.pitch),
                           emitter.mul(firstColumn, x.stride));
  std::optional<int64_t> knownRow = getConstantIntValue(firstRow);
  beginTile();
  SmallVector<Value> sums(rows, start());
  auto addRow = [&](int64_t row, int64_t tapX) {
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
        loaded = loadTap(base, firstColumn, row, tapX);
      if (!loaded)
        return;
      Value &sum = sums[distance / y.stride];
      sum = combine(sum, loaded, tapY, tapX);
    }
  };
  int64_t begin = y.getInput(0, 0), end = y.getInput(rows - 1, y.kernel - 1);
  if (tapsTogether) {
    for (int64_t row = begin; row <= end; ++row) {
      for (int64_t tapX = 0; tapX < x.kernel; ++tapX)
        addRow(row, tapX);
      nextTap.clear();
    }
  } else {
    for (int64_t tapX = 0; tapX < x.kernel; ++tapX)
      for (int64_t row = begin; row <= end; ++row)
        addRow(row, tapX);
  }
  for (int64_t row = 0; row < rows; ++row) {
    Place at{firstRow, firstColumn, row};
    storeOutput(finish(sums[row], at), getPosition(output, at));
  }
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
  cover(
      emitter, x.outputs, width,
      [&](int64_t column) { return x.isInside(column, width); },
      [&](Value column) {
        // The last vector of a row is moved back to end with it.
        std::optional<int64_t> known = getConstantIntValue(column);
        if (known && *known + live > x.outputs)
          column = emitter.index(x.outputs - live);
        emitTile(firstRow, rows, column);
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
  plane.flat = memref::ReinterpretCastOp::create(
      emitter, MemRefType::get({size}, type.getElementType(), layout),
      metadata.getBaseBuffer(), OpFoldResult(offset),
      ArrayRef<OpFoldResult>{emitter.getIndexAttr(size)},
      ArrayRef<OpFoldResult>{emitter.getIndexAttr(1)});
  return plane;
}
