//===- SamplesLaunch.cpp - Linear layers of many samples ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With as many samples as a work-group has work-items, samples are positions: a
// linear layer is a convolution with 1x1 taps over an image of one row. Its
// input is transposed, so that neighbouring work-items load neighbours; on a
// GPU its output and residual are views of the layer's, since each element of
// these is touched once. A processor would write every element to a cache line
// of its own, which share a few sets of the cache: there the output is
// transposed too.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Samples from which half a group of work-items or more has work.
static constexpr int64_t kMinSamples = 8;

/// Samples that a work-item transposes: a cache line of f32.
static constexpr int64_t kTile = 16;

/// Square tiles that a work-group of a processor transposes one after the
/// other: what starts a group costs as much as a few of them.
static constexpr int64_t kWalk = 16;

bool gpu_kernels::hasManySamples(MatmulOp op) {
  return cast<MemRefType>(op.getInit().getType()).getDimSize(0) >= kMinSamples;
}

/// `memref` of samples x features as an image of one row with a channel for
/// each feature.
static Value viewAsImage(Emitter &emitter, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  SmallVector<int64_t> sizes = {1, type.getDimSize(1), 1, type.getDimSize(0)};
  int64_t all = strides[0] * type.getDimSize(0);
  SmallVector<int64_t> steps = {all, strides[1], all, strides[0]};
  auto image = MemRefType::get(
      sizes, type.getElementType(),
      StridedLayoutAttr::get(emitter.getContext(), offset, steps));
  return memref::ReinterpretCastOp::create(emitter, image, memref, offset,
                                           sizes, steps);
}

using LoadBody =
    llvm::function_ref<Value(Value sample, Value feature, int64_t width)>;
using StoreBody =
    llvm::function_ref<void(Value value, Value sample, Value feature)>;

/// Copies samples x features to features x samples or back. Work-items are
/// neighbouring features and have several samples each, so one side is read or
/// written in neighbours and the other in pieces of cache lines; with samples
/// side by side, features a power of two apart would share a set of a cache.
static void launchTranspose(Emitter &emitter, StringRef name, int64_t samples,
                            int64_t features, LoadBody load, StoreBody store,
                            bool /*isBack*/) {
  int64_t tile = std::min(samples, kTile);
  int64_t tiles = llvm::divideCeil(samples, tile);
  Grid grid{features, tiles, 1, getGroupSize(features)};
  launch(emitter, name, grid, [&](const WorkItem &item) {
    // The last tile is moved back; what it has in common with the one before is
    // written twice.
    Value first = arith::MinUIOp::create(emitter, emitter.mul(item.y, tile),
                                         emitter.index(samples - tile));
    SmallVector<Value> values;
    for (int64_t i = 0; i < tile; ++i)
      values.push_back(load(emitter.add(first, i), item.x, 1));
    for (auto [i, value] : llvm::enumerate(values))
      store(value, emitter.add(first, i), item.x);
  });
}

/// The columns of a square matrix of a power of two of rows: as many times as
/// the power, the upper half of the rows is interleaved with the lower half.
static SmallVector<Value> transpose(Emitter &emitter, SmallVector<Value> rows) {
  int64_t size = rows.size(), half = size / 2;
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < half; ++i) {
    low.append({i, size + i});
    high.append({half + i, size + half + i});
  }
  for (int64_t step = 1; step < size; step *= 2) {
    SmallVector<Value> next;
    for (int64_t i = 0; i < half; ++i)
      for (ArrayRef<int64_t> mask : {ArrayRef(low), ArrayRef(high)})
        next.push_back(
            vector::ShuffleOp::create(emitter, rows[i], rows[half + i], mask));
    rows = std::move(next);
  }
  return rows;
}

/// The same copy for a processor, whose compiler makes gathers or scatters of
/// it: a work-group is one work-item, which transposes square tiles in vectors.
/// It walks along the features, so that it reads or writes a few samples in
/// order, whatever the distance of the features is. `load` gets neighbours of
/// the source from an element on, and `store` of the result.
static void launchTiles(Emitter &emitter, StringRef name, int64_t samples,
                        int64_t features, LoadBody load, StoreBody store,
                        bool isBack) {
  auto tile = static_cast<int64_t>(llvm::bit_floor(
      static_cast<uint64_t>(std::min({samples, features, kTile}))));
  int64_t tiles = llvm::divideCeil(features, tile);
  Grid grid{static_cast<int64_t>(llvm::divideCeil(tiles, kWalk)),
            static_cast<int64_t>(llvm::divideCeil(samples, tile))};
  launch(emitter, name, grid, [&](const WorkItem &item) {
    // The last tiles are moved back, as above.
    auto locate = [&](Value number, int64_t size) -> Value {
      return arith::MinUIOp::create(emitter, emitter.mul(number, tile),
                                    emitter.index(size - tile));
    };
    Value sample = locate(item.y, samples);
    Value begin = emitter.mul(item.x, kWalk);
    Value end = arith::MinUIOp::create(emitter, emitter.add(begin, kWalk),
                                       emitter.index(tiles));
    emitter.loop(begin, end, 1, [&](Value number) {
      Value feature = locate(number, features);
      SmallVector<Value> rows;
      for (int64_t i = 0; i < tile; ++i)
        rows.push_back(isBack ? load(sample, emitter.add(feature, i), tile)
                              : load(emitter.add(sample, i), feature, tile));
      for (auto [i, row] : llvm::enumerate(transpose(emitter, rows)))
        if (isBack)
          store(row, emitter.add(sample, i), feature);
        else
          store(row, sample, emitter.add(feature, i));
    });
  });
}

/// Whether the samples of a feature are neighbours.
static bool isTransposed(Value memref) {
  return getKnownStrides(memref)->front() == 1;
}

SamplesConv gpu_kernels::makeConv(MatmulOp op, const KernelOptions &options,
                                  Emitter &emitter) {
  int64_t samples = cast<MemRefType>(op.getInit().getType()).getDimSize(0);
  int64_t columns = op.getNumColumns();
  SamplesConv made;
  Value input = op.getInput();
  if (!isTransposed(input)) {
    made.input =
        allocateTransposed(emitter, emitter.getLoc(), samples, columns);
    bool isWide = options.processor && hasUnitStride(input);
    auto transpose = isWide ? launchTiles : launchTranspose;
    transpose(
        emitter, (op.getLayer().value_or("matmul") + ".transpose").str(),
        samples, columns,
        [&](Value sample, Value feature, int64_t width) {
          return emitter.load(input, {sample, feature}, width);
        },
        [&](Value value, Value sample, Value feature) {
          emitter.store(value, made.input, {feature, sample});
        },
        /*isBack=*/false);
    input = viewTransposed(emitter, emitter.getLoc(), made.input, samples);
  }
  Value residual, result = op.getInit();
  ActivationAttr activation;
  if (options.processor && !isTransposed(result)) {
    made.result =
        allocateTransposed(emitter, emitter.getLoc(), samples, op.getNumRows());
    made.result.getDefiningOp()->setAttr(kSumsAttrName, emitter.getUnitAttr());
    result = viewTransposed(emitter, emitter.getLoc(), made.result, samples);
  } else {
    activation = op.getActivationAttr();
    if (op.getResidual())
      residual = viewAsImage(emitter, op.getResidual());
  }
  made.conv = Conv2DOp::create(
      emitter, /*result=*/Type(), viewAsImage(emitter, input), op.getWeight(),
      op.getBias(), residual, viewAsImage(emitter, result),
      /*kernel=*/ArrayRef<int64_t>{1, 1}, /*strides=*/ArrayRef<int64_t>{1, 1},
      /*padding=*/ArrayRef<int64_t>{0, 0, 0, 0},
      /*dilations=*/ArrayRef<int64_t>{1, 1}, /*groups=*/1, /*overread=*/0,
      GapsAttr(), activation, op.getLayerAttr(), op.getFormAttr(),
      op.getBlockAttr(), ScheduleAttr(), /*chunks=*/DenseI64ArrayAttr());
  return made;
}

void gpu_kernels::finishConv(MatmulOp op, const SamplesConv &made,
                             Emitter &emitter) {
  if (!made.result)
    return;
  Value init = op.getInit(), residual = op.getResidual();
  bool isWide = hasUnitStride(init) && (!residual || hasUnitStride(residual));
  auto transpose = isWide ? launchTiles : launchTranspose;
  transpose(
      emitter, (op.getLayer().value_or("matmul") + ".transpose_back").str(),
      cast<MemRefType>(init.getType()).getDimSize(0), op.getNumRows(),
      [&](Value sample, Value feature, int64_t width) {
        return emitter.load(made.result, {feature, sample}, width);
      },
      [&](Value value, Value sample, Value feature) {
        if (residual) {
          auto vector = dyn_cast<VectorType>(value.getType());
          Value other = emitter.load(residual, {sample, feature},
                                     vector ? vector.getNumElements() : 1);
          value = arith::AddFOp::create(emitter, value, other);
        }
        emitter.store(emitter.activate(op.getActivationAttr(), value), init,
                      {sample, feature});
      },
      /*isBack=*/true);
}
