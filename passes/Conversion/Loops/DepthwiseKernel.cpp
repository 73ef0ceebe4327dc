//===- DepthwiseKernel.cpp - Positions along the vector, one channel ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A convolution whose outputs read one input channel each. There is no column
// to share between rows of W, so the tile is a part of one image: a few output
// rows by one vector of positions. An input vector is loaded once and used for
// all kernel rows that meet it; the weights of the channel stay in registers.
//
// Nothing is copied. Rows of the padding are not computed. Vectors that reach
// over the left or right edge have code of their own, with zeros in the lanes
// outside the image: masked loads where the machine is thought to have them,
// else a load inside the image and a shuffle. Every lane outside is a constant,
// so the inner part of the image has plain loads only.
//
// With a stride of two, columns that are two apart come from two loads and a
// shuffle, and the odd ones of the same two loads serve the next tap.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/DepthwiseKernel.h"
#include "passes/Conversion/Loops/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <map>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Vectors of this many lanes come with masked loads and stores.
static constexpr int64_t kMaskedLanes = 8;

/// Taps whose weights stay in registers, on machines with 16 and 32 of them.
static constexpr int64_t kTapsInRegisters = 9;
static constexpr int64_t kTapsInManyRegisters = 25;

/// Inner blocks of rows, or vectors of a row, from which on there is a loop.
static constexpr int64_t kMinTurns = 3;

namespace {
/// One dimension of the image.
struct Axis {
  int64_t size, outputs, kernel, stride, dilation, before;

  /// Input coordinate that tap `tap` of output `output` reads.
  int64_t getInput(int64_t output, int64_t tap) const {
    return output * stride - before + tap * dilation;
  }
  /// Whether outputs [begin, begin + count) read the image only.
  bool isInside(int64_t begin, int64_t count) const {
    return getInput(begin, 0) >= 0 &&
           getInput(begin + count - 1, kernel - 1) < size;
  }
};

/// One channel of one sample of an image tensor, as a flat array.
struct Plane {
  Value flat;
  int64_t pitch = 0;
};

class DepthwiseKernel {
public:
  DepthwiseKernel(Conv2DOp op, ScheduleAttr schedule, Emitter &emitter);

  void emit(ElementsAttr weights);

private:
  Plane getPlane(Value memref, Value sample, Value channel);
  void emitPlane();
  void emitRows(Value firstRow, int64_t rows);
  void emitTile(Value firstRow, int64_t rows, Value firstColumn);
  Value loadColumns(Value base, Value firstColumn, int64_t row, int64_t column);
  Value loadTap(Value base, Value firstColumn, int64_t row, int64_t tap);
  Value getWeight(int64_t tapY, int64_t tapX);
  Value loadOutput(const Plane &plane, Value position);
  void storeOutput(Value value, Value position);
  Value getMask(int64_t begin, int64_t end);

  Conv2DOp op;
  Emitter &emitter;
  Axis y, x;
  /// Output rows of a tile.
  int64_t tileRows;
  /// Lanes of its vectors, and how many of them are output positions.
  int64_t width, live;
  bool masked, weightsInRegisters;

  // The plane that is being emitted.
  Plane input, output, residual;
  Value weightTable, weightBase, bias;
  SmallVector<Value> weights;
  /// What two loads of the current row have for the next tap.
  std::map<int64_t, Value> nextTap;
};
} // namespace

/// Elements from an image row to the next, if it is known and the elements of a
/// row are neighbours.
static std::optional<int64_t> getPitch(Value memref) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(cast<MemRefType>(memref.getType())
                 .getStridesAndOffset(strides, offset)) ||
      strides[3] != 1 || ShapedType::isDynamic(strides[2]))
    return std::nullopt;
  return strides[2];
}

DepthwiseKernel::DepthwiseKernel(Conv2DOp op, ScheduleAttr schedule,
                                 Emitter &emitter)
    : op(op), emitter(emitter), tileRows(schedule.getHeight()) {
  auto inputType = cast<MemRefType>(op.getInput().getType());
  auto outputType = cast<MemRefType>(op.getInit().getType());
  auto makeAxis = [&](unsigned i) {
    return Axis{inputType.getDimSize(2 + i), outputType.getDimSize(2 + i),
                op.getKernel()[i],           op.getStrides()[i],
                op.getDilations()[i],        op.getPadding()[i]};
  };
  y = makeAxis(0);
  x = makeAxis(1);
  int64_t lanes = int64_t(1) << llvm::Log2_64(schedule.getLanes());
  masked = lanes >= kMaskedLanes;
  if (masked)
    width = std::clamp<int64_t>(llvm::PowerOf2Ceil(x.outputs), 4, lanes);
  else
    width = std::min<int64_t>(
        lanes, int64_t(1) << llvm::Log2_64(std::min(x.outputs, x.size)));
  live = std::min(width, x.outputs);
  weightsInRegisters = y.kernel * x.kernel <=
                       (lanes >= 16 ? kTapsInManyRegisters : kTapsInRegisters);
}

//===----------------------------------------------------------------------===//
// Loads and stores
//===----------------------------------------------------------------------===//

/// Lanes [begin, end).
Value DepthwiseKernel::getMask(int64_t begin, int64_t end) {
  SmallVector<bool> lanes(width, false);
  std::fill(lanes.begin() + begin, lanes.begin() + end, true);
  auto type = VectorType::get({width}, emitter.getI1Type());
  return arith::ConstantOp::create(emitter,
                                   DenseElementsAttr::get(type, lanes));
}

/// Input columns from `firstColumn * stride + column` on of row `row`, counted
/// from `base`, with zeros outside the image; null if all of them are outside.
Value DepthwiseKernel::loadColumns(Value base, Value firstColumn, int64_t row,
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
        getMask(begin, end), emitter.constant(0, width));
  }
  // Vectors are no wider than the image here.
  int64_t inside = std::clamp<int64_t>(from, 0, x.size - width);
  Value loaded = emitter.load(input.flat,
                              emitter.add(base, offset + inside - from), width);
  SmallVector<int64_t> lanes;
  for (int64_t i = 0; i < width; ++i)
    lanes.push_back(i >= begin && i < end ? from + i - inside : width);
  return vector::ShuffleOp::create(emitter, loaded, emitter.constant(0, width),
                                   lanes);
}

/// What tap `tap` of a kernel row reads of row `row`; null if that is zero.
Value DepthwiseKernel::loadTap(Value base, Value firstColumn, int64_t row,
                               int64_t tap) {
  int64_t column = x.getInput(0, tap);
  if (x.stride == 1 || width == 1)
    return loadColumns(base, firstColumn, row, column);
  if (auto found = nextTap.find(tap); found != nextTap.end())
    return found->second;
  // The next tap's columns lie between those of this one.
  bool shared = weightsInRegisters && x.dilation == 1 && tap + 1 < x.kernel;
  int64_t step = shared ? width : width - 1;
  Value low = loadColumns(base, firstColumn, row, column);
  Value high = loadColumns(base, firstColumn, row, column + step);
  if (!low && !high) {
    if (shared)
      nextTap[tap + 1] = Value();
    return Value();
  }
  if (!low)
    low = emitter.constant(0, width);
  if (!high)
    high = emitter.constant(0, width);
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

Value DepthwiseKernel::loadOutput(const Plane &plane, Value position) {
  if (live == width)
    return emitter.load(plane.flat, position, width);
  auto type = cast<VectorType>(emitter.typeOf(width));
  return vector::MaskedLoadOp::create(emitter, type, plane.flat, position,
                                      getMask(0, live),
                                      emitter.constant(0, width));
}

void DepthwiseKernel::storeOutput(Value value, Value position) {
  if (live == width)
    return emitter.store(value, output.flat, position);
  vector::MaskedStoreOp::create(emitter, output.flat, position,
                                getMask(0, live), value);
}

Value DepthwiseKernel::getWeight(int64_t tapY, int64_t tapX) {
  int64_t tap = tapY * x.kernel + tapX;
  if (weightsInRegisters)
    return weights[tap];
  return emitter.broadcast(
      emitter.load(weightTable, emitter.add(weightBase, tap)), width);
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

void DepthwiseKernel::emitTile(Value firstRow, int64_t rows,
                               Value firstColumn) {
  // `base` is where tap (0, 0) would be without padding.
  Value base = emitter.add(emitter.mul(firstRow, y.stride * input.pitch),
                           emitter.mul(firstColumn, x.stride));
  std::optional<int64_t> knownRow = getConstantIntValue(firstRow);
  SmallVector<Value> sums(rows, bias);
  std::map<int64_t, Value> tapWeights;
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
      Value &weight = tapWeights[tapY * x.kernel + tapX];
      if (!weight)
        weight = getWeight(tapY, tapX);
      Value &sum = sums[distance / y.stride];
      sum = emitter.multiplyAdd(weight, loaded, sum);
    }
  };
  int64_t begin = y.getInput(0, 0), end = y.getInput(rows - 1, y.kernel - 1);
  // Weights in registers leave the taps of a row together, so that they can
  // share loads; else the weights of one kernel column are alive at a time.
  if (weightsInRegisters) {
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
  auto getPosition = [&](const Plane &plane, int64_t row) {
    Value first = emitter.add(emitter.mul(firstRow, plane.pitch), firstColumn);
    return emitter.add(first, row * plane.pitch);
  };
  for (auto [row, sum] : llvm::enumerate(sums)) {
    Value value = sum;
    if (residual.flat)
      value = arith::AddFOp::create(
          emitter, value, loadOutput(residual, getPosition(residual, row)));
    value = applyActivation(emitter, op.getActivationAttr(), value);
    storeOutput(value, getPosition(output, row));
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

void DepthwiseKernel::emitRows(Value firstRow, int64_t rows) {
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
}

void DepthwiseKernel::emitPlane() {
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

Plane DepthwiseKernel::getPlane(Value memref, Value sample, Value channel) {
  auto type = cast<MemRefType>(memref.getType());
  Plane plane;
  plane.pitch = *getPitch(memref);
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

void DepthwiseKernel::emit(ElementsAttr values) {
  weightTable = emitter.global("values", values);
  int64_t channels = op.getNumRows(), taps = y.kernel * x.kernel;
  Value samples = emitter.createOrFold<memref::DimOp>(op.getInit(), 0);
  emitter.parallelLoop(emitter.mul(samples, channels), [&](Value task) {
    Value sample = emitter.div(task, channels);
    Value channel = emitter.rem(task, channels);
    input = getPlane(op.getInput(), sample,
                     emitter.div(channel, channels / op.getGroups()));
    output = getPlane(op.getInit(), sample, channel);
    if (op.getResidual())
      residual = getPlane(op.getResidual(), sample, channel);
    bias = op.getBias()
               ? emitter.broadcast(emitter.load(op.getBias(), channel), width)
               : emitter.constant(0, width);
    weightBase = emitter.mul(channel, taps);
    if (weightsInRegisters)
      for (int64_t tap = 0; tap < taps; ++tap)
        weights.push_back(emitter.broadcast(
            emitter.load(weightTable, emitter.add(weightBase, tap)), width));
    emitPlane();
  });
}

bool loops::canRunDepthwise(Conv2DOp op, ConstantOp weights) {
  PackedStructure structure = readStructure(weights);
  return op.getNumColumns() == op.getKernel()[0] * op.getKernel()[1] &&
         op.getStrides()[1] <= 2 &&
         structure.getNumValues() == op.getNumRows() * op.getNumColumns() &&
         getPitch(op.getInput()) && getPitch(op.getInit()) &&
         (!op.getResidual() || getPitch(op.getResidual()));
}

LogicalResult loops::emitDepthwiseKernel(Conv2DOp op, ConstantOp weights,
                                         ScheduleAttr schedule,
                                         Emitter &emitter) {
  FailureOr<FloatElements> elements = FloatElements::get(weights.getValues());
  if (failed(elements))
    return op.emitOpError(
        "the values of its weights are a resource without data");
  PackedStructure structure = readStructure(weights);
  std::vector<float> dense(structure.getNumValues());
  for (const PackedGroup &group : structure.groups) {
    const float *value = elements->get().data() + group.valueBegin;
    for (int64_t column : structure.getColumns(group))
      for (int64_t row : structure.getRows(group))
        dense[row * structure.numColumns + column] = *value++;
  }
  ElementsAttr values = makeFloatElements(
      {structure.getNumValues()}, (emitter.getLayerName() + ".values").str(),
      std::move(dense), op.getContext());
  DepthwiseKernel(op, schedule, emitter).emit(values);
  return success();
}
