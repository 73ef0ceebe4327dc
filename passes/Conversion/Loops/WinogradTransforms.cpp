//===- WinogradTransforms.cpp - The matrices of F(4x4, 3x3) ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WinogradTransforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <array>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// The square roots of 1/2 and 2.
static constexpr double kNear = 0.70710678118654752440;
static constexpr double kFar = 1.41421356237309504880;

static constexpr int64_t kTaps = 3;

/// G: row i has the powers of point i over its distances to the other points.
static constexpr double kWeightMatrix[kWinogradReach][kTaps] = {
    {1, 0, 0},
    {-2.0 / 3, -2.0 / 3 * kNear, -1.0 / 3},
    {-2.0 / 3, 2.0 / 3 * kNear, -1.0 / 3},
    {1.0 / 6, 1.0 / 6 * kFar, 1.0 / 3},
    {1.0 / 6, -1.0 / 6 * kFar, 1.0 / 3},
    {0, 0, 1}};

std::vector<float> loops::transformWeights(ArrayRef<float> weights,
                                           const WinogradTiles &tiles) {
  int64_t height = tiles.height;
  std::vector<float> result(tiles.getNumWeights());
  // Distance of a tile's positions.
  int64_t step = tiles.blocksPerPass * tiles.channels * height;
  for (int64_t row = 0; row < tiles.rows; ++row) {
    int64_t block = row / height;
    int64_t first = block / tiles.blocksPerPass * kWinogradPositions * step +
                    block % tiles.blocksPerPass * tiles.channels * height +
                    row % height;
    for (int64_t channel = 0; channel < tiles.channels; ++channel) {
      const float *kernel =
          weights.data() + (row * tiles.channels + channel) * kTaps * kTaps;
      std::array<std::array<double, kTaps>, kWinogradReach> half = {};
      for (int64_t i = 0; i < kWinogradReach; ++i)
        for (int64_t j = 0; j < kTaps; ++j)
          for (int64_t k = 0; k < kTaps; ++k)
            half[i][j] += kWeightMatrix[i][k] * kernel[k * kTaps + j];
      float *out = result.data() + first + channel * height;
      for (int64_t i = 0; i < kWinogradReach; ++i)
        for (int64_t j = 0; j < kWinogradReach; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < kTaps; ++k)
            sum += half[i][k] * kWeightMatrix[j][k];
          out[(i * kWinogradReach + j) * step] = static_cast<float>(sum);
        }
    }
  }
  return result;
}

namespace {
/// Arithmetic on values of one type.
struct Arithmetic {
  Emitter &emitter;
  int64_t width;

  Arithmetic(Emitter &emitter, Value like) : emitter(emitter), width(1) {
    if (auto type = dyn_cast<VectorType>(like.getType()))
      width = type.getNumElements();
  }
  Value add(Value a, Value b) { return arith::AddFOp::create(emitter, a, b); }
  Value sub(Value a, Value b) { return arith::SubFOp::create(emitter, a, b); }
  Value scale(Value a, double factor) {
    return arith::MulFOp::create(emitter, a, emitter.constant(factor, width));
  }
  /// sum + factor * a.
  Value add(Value sum, double factor, Value a) {
    return emitter.multiplyAdd(a, emitter.constant(factor, width), sum);
  }
};
} // namespace

SmallVector<Value> loops::transformInput(Emitter &emitter, ArrayRef<Value> in) {
  Arithmetic a(emitter, in[0]);
  // Products of (x^2 - 2) and (x^2 - 1/2), even and odd powers apart.
  Value nearEven = a.add(in[4], -2, in[2]);
  Value nearOdd = a.add(in[3], -2, in[1]);
  Value farEven = a.add(in[4], -0.5, in[2]);
  Value farOdd = a.add(in[3], -0.5, in[1]);
  return {a.add(a.add(in[0], in[4]), -2.5, in[2]),
          a.add(nearEven, kNear, nearOdd),
          a.add(nearEven, -kNear, nearOdd),
          a.add(farEven, kFar, farOdd),
          a.add(farEven, -kFar, farOdd),
          a.add(a.add(in[1], in[5]), -2.5, in[3])};
}

SmallVector<Value> loops::transformOutput(Emitter &emitter,
                                          ArrayRef<Value> in) {
  Arithmetic a(emitter, in[0]);
  Value nearEven = a.add(in[1], in[2]), nearOdd = a.sub(in[1], in[2]);
  Value farEven = a.add(in[3], in[4]), farOdd = a.sub(in[3], in[4]);
  return {a.add(in[0], a.add(nearEven, farEven)),
          a.add(a.scale(farOdd, kFar), kNear, nearOdd),
          a.add(a.scale(farEven, 2), 0.5, nearEven),
          a.add(a.add(in[5], 2 * kFar, farOdd), 0.5 * kNear, nearOdd)};
}

static Value shuffle(Emitter &emitter, Value a, Value b,
                     llvm::function_ref<int64_t(int64_t)> lane) {
  SmallVector<int64_t> lanes;
  for (int64_t i = 0, end = cast<VectorType>(a.getType()).getNumElements();
       i < end; ++i)
    lanes.push_back(lane(i));
  return vector::ShuffleOp::create(emitter, a, b, lanes);
}

Value loops::shiftLanes(Emitter &emitter, Value before, Value after,
                        int64_t count) {
  if (count == 0)
    return after;
  int64_t width = cast<VectorType>(after.getType()).getNumElements();
  return shuffle(emitter, before, after,
                 [&](int64_t lane) { return width - count + lane; });
}

/// Every second element of two vectors, from `first` on.
static Value takeSecond(Emitter &emitter, Value a, Value b, int64_t first) {
  return shuffle(emitter, a, b, [&](int64_t i) { return 2 * i + first; });
}

SmallVector<Value> loops::loadTileColumns(Emitter &emitter, Value row,
                                          Value position, int64_t width) {
  auto load = [&](int64_t offset) {
    return emitter.load(row, emitter.add(position, offset), width);
  };
  SmallVector<Value> columns;
  if (width == 1) {
    for (int64_t i = 0; i < kWinogradReach; ++i)
      columns.push_back(load(i));
    return columns;
  }
  Value loaded[4];
  for (int64_t i = 0; i < 4; ++i)
    loaded[i] = load(i * width);
  Value halves[2][2];
  for (int64_t odd : {0, 1})
    for (int64_t i : {0, 1})
      halves[odd][i] =
          takeSecond(emitter, loaded[2 * i], loaded[2 * i + 1], odd);
  for (int64_t i = 0; i < 4; ++i)
    columns.push_back(
        takeSecond(emitter, halves[i % 2][0], halves[i % 2][1], i / 2));
  // The first two columns of the tiles one further.
  Value next = load(4 * width);
  for (int64_t i : {0, 1})
    columns.push_back(shuffle(emitter, columns[i], next, [&](int64_t lane) {
      return lane + 1 < width ? lane + 1 : width + i;
    }));
  return columns;
}

void loops::storeTileColumns(Emitter &emitter, ArrayRef<Value> columns,
                             Value row, Value position) {
  int64_t width = 1;
  if (auto type = dyn_cast<VectorType>(columns[0].getType()))
    width = type.getNumElements();
  SmallVector<Value> ordered(columns);
  if (width > 1) {
    // Elements of two vectors in turns, from the lower half or the upper one.
    auto mix = [&](Value a, Value b, int64_t half) {
      return shuffle(emitter, a, b, [&](int64_t lane) {
        return half * width / 2 + lane / 2 + lane % 2 * width;
      });
    };
    for (int64_t i = 0; i < 4; ++i)
      ordered[i] = mix(mix(columns[0], columns[2], i / 2),
                       mix(columns[1], columns[3], i / 2), i % 2);
  }
  for (auto [i, value] : llvm::enumerate(ordered))
    emitter.store(value, row,
                  emitter.add(position, static_cast<int64_t>(i) * width));
}
