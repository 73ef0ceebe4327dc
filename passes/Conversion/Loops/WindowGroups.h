//===- WindowGroups.h - Groups of few rows ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H

#include "dialect/BCR.h"
#include "dialect/Packed.h"

#include <vector>

namespace mlir::bcr::loops {

/// Columns along a vector: lanes of AVX-512.
constexpr int64_t kWindowLanes = 16;

/// Inputs of a window: what four of its registers hold, or two if there are not
/// so many.
inline int64_t getWindowSize(int64_t numColumns) {
  return numColumns < 4 * kWindowLanes ? 2 * kWindowLanes : 4 * kWindowLanes;
}

/// Rows whose sums a loop over groups keeps in the first cache: 8 kB of lanes
/// for a sample. Strips are this many neighbouring rows of W.
constexpr int64_t kStripRows = 128;

/// Few rows of one strip and columns that lie in one window of the input.
struct WindowGroup {
  int64_t chunk = 0;
  /// Where the window begins.
  int64_t origin = 0;
  std::vector<int32_t> rows;
  /// Counted from the origin.
  std::vector<int32_t> columns;
  /// Row by row.
  std::vector<float> values;
  /// The vectors of columns behind the first so many have all theirs in the
  /// first two registers of the window.
  int64_t mixed = 0;

  int64_t getStrip() const { return rows.front() / kStripRows; }
};

/// Groups that the window kernel runs faster than the rows kernel are taken out
/// of `structure`, whose values are `values`, and of `chunkStarts`, the first
/// group of each chunk, if it is not empty. `restValues` become those of the
/// groups that stay. Returns none if the machine or the layer is not for it.
std::vector<WindowGroup> takeWindowGroups(MatmulOp op, int64_t lanes,
                                          int64_t threads,
                                          PackedStructure &structure,
                                          ArrayRef<float> values,
                                          std::vector<int64_t> &chunkStarts,
                                          std::vector<float> &restValues);

/// Sets `mixed` of all groups and reorders their columns, so that vectors take
/// one permutation in place of two and a blend where nearly all groups can.
void chooseMixed(MutableArrayRef<WindowGroup> groups);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H
