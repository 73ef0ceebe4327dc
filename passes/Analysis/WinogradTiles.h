//===- WinogradTiles.h - How Winograd's kernel cuts a layer ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Sizes of the kernel `winograd`, for the model that chooses it and the code
// that is emitted: the image is tiles of 4x4 outputs, some rows of tiles are a
// band, and for each band, some blocks of output channels are a pass. Plain
// data, no IR.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_WINOGRADTILES_H
#define BCR_PASSES_ANALYSIS_WINOGRADTILES_H

#include "dialect/BCR.h"

namespace mlir::bcr {

/// Outputs of a tile in each dimension, inputs that they read, and positions of
/// a transformed tile.
inline constexpr int64_t kWinogradTile = 4;
inline constexpr int64_t kWinogradReach = 6;
inline constexpr int64_t kWinogradPositions = 36;

struct WinogradTiles {
  /// Input and output channels.
  int64_t channels = 0, rows = 0;
  /// Tiles of an image in each dimension, and rows of them in a band.
  int64_t tileRows = 0, tileColumns = 0, bandRows = 0;
  /// Register tile of the products: `height` output channels by `vectors`
  /// vectors of `lanes` tiles.
  int64_t height = 1, vectors = 1, lanes = 1;
  /// Blocks of `height` output channels whose products are computed before they
  /// are transformed; a divisor of their number.
  int64_t blocksPerPass = 1;

  /// The kernel's view of a convolution with results of `height` x `width`.
  struct Shape {
    int64_t channels, rows, height, width;
  };
  static Shape getShape(Conv2DOp conv);

  /// Cuts a layer as `schedule` says; where it has no band, what the kernel
  /// keeps between its steps is to fit a cache of the second level.
  WinogradTiles(const Shape &shape, ScheduleAttr schedule);

  /// Makes passes smaller until they come out even for `threads`, or are many.
  void sharePasses(int64_t threads);

  int64_t getNumBands() const;
  int64_t getNumBlocks() const;
  int64_t getNumPasses() const { return getNumBlocks() / blocksPerPass; }
  /// Tiles of a band, and the vectors of them that are multiplied; a few tiles
  /// more than vectors hold are left out.
  int64_t getBandTiles() const { return bandRows * tileColumns; }
  int64_t getBandVectors() const;
  /// Tiles that are not in these vectors. They go with the last register tile,
  /// each as a vector of output channels, one product a channel instead of
  /// `height`.
  int64_t getRestTiles() const;
  /// Neighbouring tiles of a row that are transformed together, and how often
  /// that takes to cover a row.
  int64_t getTransformWidth() const;
  int64_t getTransforms() const;
  /// Elements from a channel of transformed tiles to the next.
  int64_t getTileStride() const;
  /// Elements from a position of transformed inputs, or of the products of a
  /// pass, to the next.
  int64_t getInputStride() const;
  int64_t getProductStride() const;
  /// Elements of rows of pixels of a row of tiles.
  int64_t getInputPitch() const;
  int64_t getOutputPitch() const;
  /// Transformed weights.
  int64_t getNumWeights() const;
  /// Bytes of transformed inputs of a band and of the products of a pass.
  int64_t getInputBytes() const {
    return 4 * kWinogradPositions * getInputStride();
  }
  int64_t getProductBytes() const {
    return 4 * kWinogradPositions * getProductStride();
  }
};

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_WINOGRADTILES_H
