//===- WindowGroups.h - Groups of few rows ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H

#include "dialect/BCR.h"
#include "dialect/Packed.h"
#include "passes/Analysis/WindowModel.h"

#include "llvm/ADT/bit.h"

#include <array>
#include <tuple>
#include <vector>

namespace mlir::bcr::loops {

/// What a group has in one lane and one window: a small full matrix.
struct WindowPart {
  int64_t strip = 0, lane = 0, window = 0;
  /// The number of the group.
  int64_t group = 0;
  /// Rows of the group that are the lane's, a bit each.
  uint32_t rows = 0;
  /// Columns [begin, end) of the group.
  int64_t begin = 0, end = 0;
  /// How many of them are in the first half of the window.
  int64_t numLow = 0;

  int64_t getHeight() const { return llvm::popcount(rows); }
  int64_t getNumColumns() const { return end - begin; }
};

/// Parts of one strip and window that run side by side, each in its lane. Step
/// s takes the column number s of each; those that have fewer rows or columns
/// are filled up.
struct WindowSegment {
  int64_t strip = 0, window = 0;
  /// Most rows of a part.
  int64_t height = 0;
  int64_t steps = 0;
  /// Steps below `low` take all their columns from the first half of the
  /// window, steps from `high` on from the second.
  int64_t low = 0, high = 0;
  /// The number of each lane's part, or -1.
  std::array<int64_t, kWindowLanes> parts;

  /// What code depends on.
  auto getKey() const { return std::tuple(height, steps, low, high); }
};

/// Groups that run in the window kernel.
struct WindowGroups {
  WindowShape shape;
  /// All groups of the layer, and the values.
  PackedStructure structure;
  ArrayRef<float> values;
  std::vector<WindowPart> parts;
  /// By strip, what the code depends on, and window.
  std::vector<WindowSegment> segments;

  bool empty() const { return segments.empty(); }
};

/// Groups that the window kernel runs faster than the rows kernel are taken out
/// of `structure`, whose values are `values`, and of `chunkStarts`, the first
/// group of each chunk, if it is not empty. `restValues` become those of the
/// groups that stay. Returns none if the machine or the layer is not for it.
WindowGroups takeWindowGroups(MatmulOp op, int64_t lanes,
                              PackedStructure &structure,
                              ArrayRef<float> values,
                              std::vector<int64_t> &chunkStarts,
                              std::vector<float> &restValues);

/// Puts the parts of groups of up to `maxHeight` rows into segments. Returns
/// the estimated cycles of these for one sample.
double formSegments(WindowGroups &groups, int64_t maxHeight);

/// What a lane of a segment computes.
struct WindowLane {
  /// Increasing, counted from the lane's first row.
  std::vector<int32_t> rows;
  /// Of each step: the place in the registers of the window.
  std::vector<int32_t> columns;
  /// Of each step the weights of all rows.
  std::vector<float> values;
};

/// A part as `segment` runs it. A column that fills up a step has half of its
/// weight in this and in another one: what is summed up is what the part has,
/// infinities included.
WindowLane fillUp(const WindowGroups &groups, const WindowSegment &segment,
                  const WindowPart &part);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H
