//===- KernelModel.h - Cycles of the kernels -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A simple model of the kernels of passes/README.md. It ranks: dense
// against sparse in bcr-select, one register tile against another in bcr-tile.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_KERNELMODEL_H
#define BCR_PASSES_ANALYSIS_KERNELMODEL_H

#include "dialect/BCR.h"
#include "passes/Analysis/MachineModel.h"

#include <map>
#include <optional>

namespace mlir::bcr {

/// The work of a layer without its weights.
struct LayerWork {
  KernelKind kernel = KernelKind::Rows;
  /// Independent pieces of work: images of a convolution, 1 for a matmul.
  int64_t numImages = 1;
  /// Output positions of an image along the vector, with the columns of the
  /// halo between its rows; samples of a matmul. 1 if dynamic.
  int64_t numPositions = 1;
  /// Rows of input images that an output position reads, over all channels:
  /// what a tile of positions has to find in the cache.
  int64_t numInputRows = 1;
  /// Loads of vectors of the input for one of positions, those that cross two
  /// cache lines counted twice, and a shuffle as half a load.
  double inputLoads = 1;
  /// Output channels.
  int64_t numRows = 1;
  /// Elements of a sample of a matmul, input and output, if its samples can run
  /// along the vector: these have to be transposed. Else 0.
  int64_t numTransposed = 0;
  /// Whether the weights are read for step after step of a sequence, with
  /// little else in between.
  bool repeats = false;
  /// Whether groups of few rows may run with block rows along the vector.
  bool hasWindows = false;
  /// Output channels that read the same input channels: the rows of a group of
  /// a grouped convolution.
  int64_t rowsPerConvGroup = 1;
  /// Input channels of a convolution of one group; else 0.
  int64_t numChannels = 0;
  /// Rows and columns of an output image; 1 for a matmul.
  int64_t imageHeight = 1;
  int64_t imageWidth = 1;
};

/// Chooses the kernel, unless `kernel` says which: output positions along the
/// vector for images, those of one channel for depthwise convolutions with
/// dense weights, weight rows for linear layers and for images of fewer
/// positions than a quarter vector. Winograd's is never chosen here, and taken
/// for dense weights only: see chooseDenseTile.
LayerWork getLayerWork(LayerOpInterface layer, const MachineModel &machine,
                       std::optional<KernelKind> kernel = std::nullopt);

/// Whether a convolution with strides does better to read its input in place.
/// It loads whole cache lines for every group. Where the kernel leaves elements
/// of them out, one copy without those costs less unless all lines stay in the
/// second cache; and so it does where rows are so short that they would leave
/// lanes empty.
bool gainsInPlace(Conv2DOp conv, const MachineModel &machine);

/// Groups with `rowCount` rows, the key of the map below, taken together.
struct GroupWork {
  int64_t numGroups = 0;
  int64_t numColumns = 0;
  /// Cycles in the window kernel, for one sample, or 0 if they are not known.
  double windowCycles = 0;
};
using GroupWorkByHeight = std::map<int64_t, GroupWork>;

/// A register tile and the heights that its groups are split into.
struct TileChoice {
  ScheduleAttr schedule;
  /// For r rows that are left of a group after full tiles, 0 < r < height: the
  /// height of the next piece.
  std::vector<int64_t> nextPiece;
  /// Estimated time of the layer.
  double cycles = 0;
};

/// Chooses the register tile for a layer whose groups are `groups`, and the
/// kernel for a matmul of several samples.
/// `numRevisits` is how often a row is accumulated again because it is in more
/// than one group. Tiles have heights that are powers of two; a remainder has a
/// kernel of its own height only if it has a tenth of the columns, since each
/// height is a loop body more to compile.
TileChoice chooseTile(MLIRContext *context, const LayerWork &work,
                      const MachineModel &machine,
                      const GroupWorkByHeight &groups, int64_t numRevisits);

/// Chooses for a layer with dense weights: as `chooseTile`, or the kernel
/// `winograd` where it can compute the layer and is faster. `work` becomes that
/// of the choice.
TileChoice chooseDenseTile(LayerOpInterface layer, const MachineModel &machine,
                           LayerWork &work);

/// All tiles that `chooseTile` compares, the best first.
std::vector<TileChoice> rankTiles(MLIRContext *context, const LayerWork &work,
                                  const MachineModel &machine,
                                  const GroupWorkByHeight &groups,
                                  int64_t numRevisits);

/// A given tile with the heights of its pieces and its estimated time.
TileChoice makeTile(MLIRContext *context, const LayerWork &work,
                    const MachineModel &machine,
                    const GroupWorkByHeight &groups, int64_t numRevisits,
                    int64_t height, int64_t vectors);

/// Why the kernel cannot run a tile, or an empty string if it can.
std::string checkTile(const LayerWork &work, const MachineModel &machine,
                      int64_t height, int64_t vectors);

/// The groups of dense weights of this size.
GroupWorkByHeight getDenseGroups(int64_t numRows, int64_t numColumns,
                                 int64_t rowsPerConvGroup);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_KERNELMODEL_H
