//===- DepthwiseLaunch.cpp - Depthwise convolutions as kernels ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each output channel reads one input channel through the few weights of its
// own, so the taps of a work-item are unrolled and their offsets are constants.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/ImageTiles.h"
#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Taps that are unrolled at most.
static constexpr int64_t kMaxTaps = 49;

bool gpu_kernels::isDenseDepthwise(Conv2DOp op, ConstantOp weights) {
  return op.getNumColumns() == op.getKernel()[0] * op.getKernel()[1] &&
         op.getNumColumns() <= kMaxTaps &&
         readStructure(weights).getNumValues() ==
             op.getNumRows() * op.getNumColumns();
}

LogicalResult gpu_kernels::emitDepthwise(Conv2DOp op, ConstantOp weights,
                                         const KernelOptions &options,
                                         Emitter &emitter) {
  FailureOr<std::vector<float>> dense = readDense(weights);
  if (failed(dense))
    return op.emitOpError(
        "the values of its weights are a resource without data");
  Value table = emitter.global(
      "values", makeFloatElements({static_cast<int64_t>(dense->size())},
                                  (emitter.getLayerName() + ".values").str(),
                                  std::move(*dense), op.getContext()));
  InputLayout layout(op, /*rounding=*/0);
  layout.readInPlace();
  std::vector<int32_t> offsets = layout.getOffsets();
  int64_t taps = op.getNumColumns();
  int64_t rowsPerGroup = op.getNumRows() / op.getGroups();
  ImageTiles tiles(op, layout, options, emitter);
  tiles.launchOver(
      op.getLayer().value_or("conv"), op.getNumRows(), /*rows=*/1,
      4 * op.getNumRows() * taps, [&](const ImageTile &tile, Value row) {
        Value bias = op.getBias() ? emitter.load(op.getBias(), row)
                                  : emitter.constant(0, 1);
        Value origin = emitter.add(emitter.mul(emitter.div(row, rowsPerGroup),
                                               layout.getConvGroupStride()),
                                   tiles.getOrigin(tile));
        SmallVector<Value> sums(tile.positions.size(), bias);
        for (int64_t tap = 0; tap < taps; ++tap) {
          Value weight =
              emitter.load(table, emitter.add(emitter.mul(row, taps), tap));
          for (auto [sum, position] : llvm::zip_equal(sums, tile.positions)) {
            Value at =
                emitter.add(emitter.add(origin, position.input), offsets[tap]);
            sum = fuseMultiplyAdd(emitter, weight,
                                  emitter.load(tiles.getInput(), at), sum);
          }
        }
        for (auto [sum, position] : llvm::zip_equal(sums, tile.positions))
          tiles.finish(sum, tile, row, position);
      });
  tiles.launchGaps();
  return success();
}
