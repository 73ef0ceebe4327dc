//===- PhasesLaunch.cpp - Inputs of strided convolutions ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With strides, neighbouring positions read what is not neighbours, which a
// processor loads element by element, for each group of the weights again. A
// copy with a part for each remainder of the coordinates by the strides makes
// neighbours of them, and has the zeros of the padding too.
//
// With strides of up to two a vector of a row of the copy is chosen from two
// vectors of a row of the image. A work-group is one work-item, which copies a
// channel; its vectors may run over the end of a row, since the next one is
// written after it.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// The widest vectors of OpenCL.
static constexpr int64_t kLanes = 16;

/// Columns of an image from which vectors are worth it.
static constexpr int64_t kMinWidth = 4;

namespace {
/// Writes the copy row by row in vectors.
class PhaseRows {
public:
  PhaseRows(Conv2DOp op, const InputLayout &layout, Value input, Value copy,
            Emitter &emitter);
  /// Copies a channel of a sample to element `at` of each part.
  void copyChannel(Value sample, Value channel, Value at);

private:
  using Parts = ArrayRef<InputLayout::Part>;
  /// A row of the copy: its number, and where that of the image is.
  struct Row {
    Value sample, channel, y;
    /// Its first element in each part.
    Value at;
    bool isInImage;
    /// No row of the channel comes after it.
    bool isLast;
  };
  void copyRows(Parts parts, Row row, int64_t begin, int64_t end);
  void copyRow(Parts parts, const Row &row);
  Value choose(const Row &row, int64_t first, int64_t origin);
  void store(Value value, const Row &row, Value at, int64_t count);

  Conv2DOp op;
  const InputLayout &layout;
  /// The image, flat, and its copy.
  Value input, copy;
  Emitter &emitter;
  int64_t height, width, numRows, pitch;
  /// Elements of a vector of the image, and of the copy.
  int64_t loaded, lanes;
};
} // namespace

PhaseRows::PhaseRows(Conv2DOp op, const InputLayout &layout, Value input,
                     Value copy, Emitter &emitter)
    : op(op), layout(layout), input(input), copy(copy), emitter(emitter),
      numRows(layout.getNumRows()), pitch(layout.getPitch()) {
  auto type = cast<MemRefType>(op.getInput().getType());
  height = type.getDimSize(2);
  width = type.getDimSize(3);
  loaded = llvm::bit_floor<uint64_t>(std::min(width, kLanes));
  lanes = llvm::bit_ceil<uint64_t>(std::min(pitch, kLanes));
}

/// Where an element of `memref` is in `flatten(memref)`.
static Value locate(Emitter &emitter, Value memref, ArrayRef<Value> indices) {
  Value at = emitter.index(0);
  for (auto [index, stride] :
       llvm::zip_equal(indices, *getKnownStrides(memref)))
    at = emitter.add(at, emitter.mul(index, stride));
  return at;
}

/// The elements of a row of the copy from position `first` on, of which
/// position p is column p * stride + origin of the image, or a zero. What is
/// behind the end of the row may be anything.
Value PhaseRows::choose(const Row &row, int64_t first, int64_t origin) {
  Value zeros = emitter.constant(0, lanes);
  if (!row.isInImage)
    return zeros;
  int64_t stride = op.getStrides()[1];
  SmallVector<std::pair<int64_t, int64_t>> found;
  for (int64_t i = 0; i < std::min(lanes, pitch - first); ++i)
    if (int64_t x = (first + i) * stride + origin; x >= 0 && x < width)
      found.push_back({i, x});
  if (found.empty())
    return zeros;
  int64_t low = std::min(found.front().second, width - loaded);
  int64_t high = std::max<int64_t>(found.back().second - loaded + 1, 0);
  // Lane i of `zeros` where the copy has one.
  SmallVector<int64_t> chosen(lanes, 0), merged(lanes);
  std::iota(merged.begin(), merged.end(), lanes);
  for (auto [i, x] : found) {
    chosen[i] = x < low + loaded ? x - low : loaded + x - high;
    merged[i] = i;
  }
  auto load = [&](int64_t x) {
    Value at = locate(emitter, op.getInput(),
                      {row.sample, row.channel, row.y, emitter.index(x)});
    return emitter.load(input, at, loaded);
  };
  Value values =
      vector::ShuffleOp::create(emitter, load(low), load(high), chosen);
  return vector::ShuffleOp::create(emitter, values, zeros, merged);
}

/// Stores the first `count` elements of `value`, and more only where a row
/// follows.
void PhaseRows::store(Value value, const Row &row, Value at, int64_t count) {
  if (!row.isLast || count >= lanes)
    return emitter.store(value, copy, {row.sample, at});
  int64_t part = llvm::bit_floor<uint64_t>(count);
  SmallVector<int64_t> begins = {0};
  if (count > part)
    begins.push_back(count - part);
  for (int64_t begin : begins) {
    Value piece;
    if (part == 1) {
      piece = vector::ExtractOp::create(emitter, value, begin);
    } else {
      SmallVector<int64_t> mask(part);
      std::iota(mask.begin(), mask.end(), begin);
      piece = vector::ShuffleOp::create(emitter, value, value, mask);
    }
    emitter.store(piece, copy, {row.sample, emitter.add(at, begin)});
  }
}

void PhaseRows::copyRow(Parts parts, const Row &row) {
  for (const InputLayout::Part &part : parts)
    for (int64_t first = 0; first < pitch; first += lanes) {
      Value at = emitter.add(row.at, part.begin + first);
      store(choose(row, first, part.x), row, at, pitch - first);
    }
}

/// Copies rows [begin, end) of parts that begin with the same row of the image.
void PhaseRows::copyRows(Parts parts, Row row, int64_t begin, int64_t end) {
  Value origin = row.at;
  auto copyNumber = [&](Value number, bool isLast) {
    row.y = emitter.sub(emitter.mul(number, op.getStrides()[0]),
                        emitter.index(-parts.front().y));
    row.at = emitter.add(origin, emitter.mul(number, pitch));
    row.isLast = isLast;
    copyRow(parts, row);
  };
  int64_t stop = std::min(end, numRows - 1);
  if (begin < stop)
    emitter.loop(emitter.index(begin), emitter.index(stop), 1,
                 [&](Value number) { copyNumber(number, false); });
  if (begin < end && end == numRows)
    copyNumber(emitter.index(end - 1), true);
}

void PhaseRows::copyChannel(Value sample, Value channel, Value at) {
  SmallVector<InputLayout::Part> parts = layout.getParts();
  int64_t stride = op.getStrides()[0];
  for (Parts rest = parts; !rest.empty();) {
    int64_t y = rest.front().y;
    Parts tied = rest.take_while(
        [&](const InputLayout::Part &part) { return part.y == y; });
    rest = rest.drop_front(tied.size());
    // Rows that lie in the image.
    auto clamp = [&](int64_t row) {
      return std::clamp<int64_t>(llvm::divideCeilSigned(row - y, stride), 0,
                                 numRows);
    };
    int64_t begin = clamp(0), end = clamp(height);
    Row row{sample, channel, Value(), at, /*isInImage=*/false, false};
    copyRows(tied, row, 0, begin);
    row.isInImage = true;
    copyRows(tied, row, begin, end);
    row.isInImage = false;
    copyRows(tied, row, end, numRows);
  }
}

/// Whether `PhaseRows` can copy the input of `op`.
static bool hasVectors(Conv2DOp op, const InputLayout &layout) {
  return op.getStrides()[1] <= 2 && hasUnitStride(op.getInput()) &&
         std::min(cast<MemRefType>(op.getInput().getType()).getDimSize(3),
                  layout.getPitch()) >= kMinWidth;
}

Value gpu_kernels::emitPhases(Conv2DOp op, const InputLayout &layout,
                              Emitter &emitter) {
  auto type = cast<MemRefType>(op.getInput().getType());
  Value input = flatten(emitter, op.getInput());
  int64_t samples = type.getDimSize(0), channels = layout.getNumChannels();
  Value copy = emitter.allocate({samples, layout.getNumElements()});
  int64_t pitch = layout.getPitch(), size = layout.getNumRows() * pitch;
  std::string name = (op.getLayer().value_or("conv") + ".phases").str();
  if (hasVectors(op, layout)) {
    PhaseRows rows(op, layout, input, copy, emitter);
    launch(emitter, name, {channels, samples}, [&](const WorkItem &item) {
      rows.copyChannel(item.y, item.x,
                       emitter.mul(item.x, layout.getChannelStride()));
    });
    op.getInputMutable().assign(copy);
    return copy;
  }
  Grid grid{size, samples * channels, 1, getGroupSize(size)};
  launch(emitter, name, grid, [&](const WorkItem &item) {
    Value channel = emitter.rem(item.y, channels);
    Value sample = emitter.div(item.y, channels);
    Value row = emitter.div(item.x, pitch), column = emitter.rem(item.x, pitch);
    Value at =
        emitter.add(emitter.mul(channel, layout.getChannelStride()), item.x);
    auto getCoordinate = [&](Value number, unsigned axis, int64_t origin) {
      // Coordinates before the image are large as unsigned numbers.
      return emitter.sub(emitter.mul(number, op.getStrides()[axis]),
                         emitter.index(-origin));
    };
    for (const InputLayout::Part &part : layout.getParts()) {
      Value y = getCoordinate(row, 0, part.y);
      Value x = getCoordinate(column, 1, part.x);
      Value inside = arith::AndIOp::create(
          emitter, isLess(emitter, y, emitter.index(type.getDimSize(2))),
          isLess(emitter, x, emitter.index(type.getDimSize(3))));
      SmallVector<Value> to = {sample, emitter.add(at, part.begin)};
      emitter.store(emitter.constant(0, 1), copy, to);
      emitIf(emitter, inside, [&] {
        Value from = locate(emitter, op.getInput(), {sample, channel, y, x});
        emitter.store(emitter.load(input, from), copy, to);
      });
    }
  });
  op.getInputMutable().assign(copy);
  return copy;
}
