//===- Bands.h - How an image is cut into bands of rows --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_BANDS_H
#define BCR_PASSES_CONVERSION_LOOPS_BANDS_H

#include "dialect/Packed.h"
#include "passes/Analysis/MachineModel.h"
#include "passes/Conversion/Loops/InputLayout.h"

namespace mlir::bcr::loops {

/// Flat positions from the first to the last one of `rows` rows.
int64_t getBandLength(int64_t rows, int64_t width, int64_t pitch);

/// How an image is divided.
struct Division {
  /// Rows of a band: a divisor of the image's, so that all bands are alike and
  /// no position belongs to two.
  int64_t bandRows;
  /// Threads share the tiles of the one band, not the rows of W.
  bool sharesTiles;
};

/// The division for `threads` of `machine`, with the band of the schedule if it
/// has one. `canShareTiles`: the kernel is able to.
Division divideImage(Conv2DOp op, ScheduleAttr schedule,
                     const InputLayout &layout,
                     const PackedStructure &structure,
                     const MachineModel &machine, int64_t threads,
                     bool canShareTiles);

/// Whether the input of a band of `rows` rows, which is read in place, is
/// fetched before the groups read it: what the layer before wrote of it has
/// left the second cache again.
bool fetchesBands(Conv2DOp op, const InputLayout &layout, int64_t rows,
                  const MachineModel &machine, int64_t threads);

/// Shares of the rows of W: one where the bands are many or come out even, so
/// that threads get bands of their own; else one for each thread.
int64_t chooseChunks(int64_t bands, int64_t threads);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_BANDS_H
