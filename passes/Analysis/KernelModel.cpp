//===- KernelModel.cpp - Cycles of the kernels ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/KernelModel.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using llvm::divideCeil;

/// A column of the pixels kernel cannot take less time than its accumulators
/// need to be ready again; the rows kernel runs several columns side by side.
static constexpr double kLatency = 4.0;
/// Offset arithmetic and the loop, in a column.
static constexpr double kPixelOverhead = 0.5;
static constexpr double kRowOverhead = 0.25;
/// Setting up and draining the accumulators of a piece.
static constexpr double kPieceOverhead = 10.0;
/// Inputs of a tile that exceed the first cache come from the second.
static constexpr double kFirstCacheBytes = 1 << 15;
static constexpr double kSecondCacheBytesPerCycle = 48.0;
/// Weights of a matmul that exceed the second cache come from the third or from
/// memory, once for all samples.
static constexpr double kSecondCacheBytes = 1 << 18;
static constexpr double kThirdCacheBytes = 1 << 24;
static constexpr double kThirdCacheBytesPerCycle = 20.0;
static constexpr double kMemoryBytesPerCycle = 10.0;

/// More taps than this are a loop over them in the pixels kernel; the depthwise
/// kernel has an instruction for each.
static constexpr int64_t kMaxDepthwiseTaps = 49;
/// With more outputs to an input channel, the pixels kernel shares its loads.
static constexpr int64_t kMaxDepthwiseRows = 2;

/// Whether a convolution is one for the depthwise kernel.
static bool isDepthwise(Conv2DOp conv, int64_t rowsPerConvGroup) {
  int64_t taps = conv.getKernel()[0] * conv.getKernel()[1];
  return conv.getGroups() > 1 && conv.getNumColumns() == taps &&
         taps <= kMaxDepthwiseTaps && rowsPerConvGroup <= kMaxDepthwiseRows &&
         conv.getStrides()[1] <= 2 &&
         !isa<PackedType>(conv.getWeight().getType());
}

LayerWork mlir::bcr::getLayerWork(LayerOpInterface layer, VectorUnit unit) {
  LayerWork work;
  auto init = cast<ShapedType>(layer.getInit().getType());
  int64_t batch = init.isDynamicDim(0) ? 1 : init.getDimSize(0);
  work.numRows = layer.getNumRows();
  work.rowsPerConvGroup = work.numRows;
  auto conv = dyn_cast<Conv2DOp>(layer.getOperation());
  if (!conv) {
    work.numPositions = batch;
    return work;
  }
  work.numImages = batch;
  work.rowsPerConvGroup /= conv.getGroups();
  int64_t height = init.getDimSize(2);
  int64_t width = init.getDimSize(3);
  work.imageHeight = height;
  work.imageWidth = width;
  if (isDepthwise(conv, work.rowsPerConvGroup)) {
    work.kernel = KernelKind::Depthwise;
    work.numPositions = height * width;
    return work;
  }
  if (height * width * 4 <= unit.lanes) {
    work.numPositions = height * width;
    return work;
  }
  work.kernel = KernelKind::Pixels;
  int64_t halo = (conv.getKernel()[1] - 1) * conv.getDilations()[1];
  int64_t pitch = width + divideCeil(halo, conv.getStrides()[1]);
  work.numPositions = std::max<int64_t>((height - 1) * pitch + width, 1);
  work.numInputRows = layer.getNumColumns() / conv.getKernel()[1];
  return work;
}

GroupWorkByHeight mlir::bcr::getDenseGroups(int64_t numRows, int64_t numColumns,
                                            int64_t rowsPerConvGroup) {
  int64_t numGroups = numRows / rowsPerConvGroup;
  return {{rowsPerConvGroup, {numGroups, numGroups * numColumns}}};
}

/// Cycles of one column of a piece of `height` rows, for one tile.
static double getColumnCycles(const LayerWork &work, int64_t height,
                              int64_t vectors, int64_t lanes) {
  if (work.kernel == KernelKind::Pixels) {
    double vectorBytes = double(lanes * 4);
    double tileBytes = double(work.numInputRows * vectors) * vectorBytes;
    double loadCycles = tileBytes > kFirstCacheBytes
                            ? vectorBytes / kSecondCacheBytesPerCycle
                            : 0.0;
    double multiplyAdds = double(height * vectors);
    double loads =
        double(1 + height) / 2 + double(vectors) * std::max(loadCycles, 0.5);
    return std::max({multiplyAdds / 2, loads, kLatency}) + kPixelOverhead;
  }
  auto rowVectors = double(divideCeil(height, lanes));
  double multiplyAdds = rowVectors * double(vectors);
  double loads =
      double(1 + vectors) / 2 +
      std::max(rowVectors / 2, double(height * 4) / kSecondCacheBytesPerCycle);
  // Among tiles that multiply alike, the one that loads less is first.
  return std::max(multiplyAdds / 2, loads) + loads * 0.02 + kRowOverhead;
}

/// Heights of pieces for remainders 1 to height - 1.
static std::vector<int64_t> getNextPieces(KernelKind kernel, int64_t height,
                                          const GroupWorkByHeight &groups) {
  std::vector<int64_t> columns(height);
  int64_t total = 0;
  for (auto [rowCount, work] : groups) {
    columns[rowCount % height] += work.numColumns;
    total += divideCeil(rowCount, height) * work.numColumns;
  }
  std::vector<int64_t> next(height);
  for (int64_t rows = 1; rows < height; ++rows) {
    // Vectors along the rows want a power of two.
    bool own = kernel == KernelKind::Pixels && columns[rows] * 10 >= total;
    next[rows] = own ? rows : int64_t(1) << llvm::Log2_64(rows);
  }
  return next;
}

/// Cycles of a layer under a choice whose pieces and schedule are set.
static double estimateCycles(const LayerWork &work, const TileChoice &choice,
                             const GroupWorkByHeight &groups,
                             int64_t numRevisits) {
  ScheduleAttr schedule = choice.schedule;
  int64_t height = schedule.getHeight();
  int64_t vectors = schedule.getVectors();
  int64_t lanes = schedule.getLanes();
  double cycles = 0;
  auto addPieces = [&](int64_t pieceHeight, double count,
                       const GroupWork &group) {
    cycles += count * (double(group.numColumns) *
                           getColumnCycles(work, pieceHeight, vectors, lanes) +
                       double(group.numGroups) * kPieceOverhead);
  };
  for (auto [rowCount, group] : groups) {
    addPieces(height, double(rowCount / height), group);
    for (int64_t rows = rowCount % height; rows > 0;) {
      addPieces(choice.nextPiece[rows], 1, group);
      rows -= choice.nextPiece[rows];
    }
  }
  // A row that is accumulated again is loaded and stored once more; each row is
  // stored once in any case.
  cycles +=
      double(numRevisits) * vectors * 1.5 + double(work.numRows * vectors);
  bool pixels = work.kernel == KernelKind::Pixels;
  int64_t positionsPerTile = pixels ? vectors * lanes : vectors;
  cycles *= double(work.numImages) *
            double(divideCeil(work.numPositions, positionsPerTile));
  if (pixels)
    return cycles;
  double weightBytes = 0;
  for (auto [rowCount, group] : groups)
    weightBytes += double(group.numColumns) * double(rowCount * 4 + 2);
  if (weightBytes <= kSecondCacheBytes)
    return cycles;
  // Among tiles that wait for memory alike, the one that computes less is
  // first.
  double bytesPerCycle = weightBytes > kThirdCacheBytes
                             ? kMemoryBytesPerCycle
                             : kThirdCacheBytesPerCycle;
  return std::max(cycles, weightBytes / bytesPerCycle) + cycles * 0.01;
}

/// The tile of the depthwise kernel: as many output rows as there are registers
/// for, beside the weights of the channel where these fit too, and the image
/// cut evenly.
static TileChoice chooseDepthwiseTile(MLIRContext *context,
                                      const LayerWork &work, VectorUnit unit,
                                      const GroupWorkByHeight &groups) {
  int64_t numColumns = 0;
  for (auto [rowCount, group] : groups)
    numColumns += rowCount * group.numColumns;
  int64_t taps = divideCeil(numColumns, std::max<int64_t>(work.numRows, 1));
  // Two registers are for inputs; many taps make long code of many rows.
  int64_t free = unit.registers - 2 - taps;
  int64_t most = free >= 4 ? std::min<int64_t>(free, 8) : taps > 25 ? 4 : 8;
  int64_t imageHeight = std::max<int64_t>(work.imageHeight, 1);
  int64_t height = divideCeil(imageHeight, divideCeil(imageHeight, most));
  TileChoice choice;
  choice.schedule = ScheduleAttr::get(context, KernelKind::Depthwise, height,
                                      /*vectors=*/1, unit.lanes);
  choice.nextPiece.assign(height, 1);
  // One multiply-add a tap and vector, half a load each, and the stores.
  double vectors = double(work.imageHeight) *
                   double(divideCeil(work.imageWidth, unit.lanes));
  choice.cycles = double(work.numImages) * vectors *
                  (double(numColumns) * 0.75 + double(work.numRows));
  return choice;
}

TileChoice mlir::bcr::chooseTile(MLIRContext *context, const LayerWork &work,
                                 VectorUnit unit,
                                 const GroupWorkByHeight &groups,
                                 int64_t numRevisits) {
  if (work.kernel == KernelKind::Depthwise)
    return chooseDepthwiseTile(context, work, unit, groups);
  bool pixels = work.kernel == KernelKind::Pixels;
  int64_t tallest = 1;
  for (auto [rowCount, group] : groups)
    tallest = std::max(tallest, rowCount);
  int64_t maxVectors =
      pixels ? divideCeil(work.numPositions, unit.lanes) : work.numPositions;
  // Code grows with height times vectors, and more than eight samples or
  // vectors gain nothing.
  maxVectors = std::clamp<int64_t>(maxVectors, 1, 8);
  int64_t maxHeight = pixels ? 8 : 4 * unit.lanes;

  TileChoice best;
  for (int64_t height = maxHeight; height >= 1; height /= 2) {
    // A tile higher than every group is a tile of the next power of two.
    if (height > 1 && height / 2 >= tallest)
      continue;
    for (int64_t vectors = 1; vectors <= maxVectors; ++vectors) {
      int64_t rowVectors = divideCeil(height, unit.lanes);
      int64_t needed = pixels ? height * vectors + vectors + 1
                              : rowVectors * vectors + rowVectors + 1;
      if (needed > unit.registers)
        break;
      TileChoice choice;
      choice.schedule =
          ScheduleAttr::get(context, work.kernel, height, vectors, unit.lanes);
      choice.nextPiece = getNextPieces(work.kernel, height, groups);
      choice.cycles = estimateCycles(work, choice, groups, numRevisits);
      if (!best.schedule || choice.cycles < best.cycles)
        best = std::move(choice);
    }
  }
  return best;
}
