//===- WindowModel.h - Block rows along a vector ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the window kernel and those who choose it share. A lane of a vector has
// a few neighbouring rows of W, a block row where blocks are no higher; a strip
// is a vector of these. A window is what a few registers hold of the input. A
// segment is what a strip has of a window, one group for each lane: each step
// takes one column of each group and all kept rows of it.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_WINDOWMODEL_H
#define BCR_PASSES_ANALYSIS_WINDOWMODEL_H

#include "passes/Analysis/BlockStructure.h"

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace mlir::bcr {

/// Lanes of AVX-512, which has the permutation that the kernel needs.
constexpr int64_t kWindowLanes = 16;

/// Fewer inputs are hardly a window.
constexpr int64_t kMinWindowColumns = 2 * kWindowLanes;

/// Most rows of a group that runs in one lane: more share the loads of a column
/// well enough.
constexpr int64_t kMaxWindowRows = 8;

/// Most samples of a layer with such groups: more make better use of a column's
/// weights.
constexpr int64_t kMaxWindowSamples = 2;

/// How a layer is cut.
struct WindowShape {
  /// Rows of a lane. Each is a register of sums.
  int64_t laneRows = 0;
  /// Inputs of a window: two registers, which take one permutation, or four.
  int64_t size = 0;
};

/// The shapes to choose from.
constexpr WindowShape kWindowShapes[] = {{2, 32}, {4, 32}, {8, 32}, {16, 32},
                                         {2, 64}, {4, 64}, {8, 64}, {16, 64}};

/// What the cycles of a segment depend on.
struct SegmentShape {
  int64_t laneRows, height;
  double steps;
  /// Steps that take their inputs from all four registers of a window.
  double mixed = 0;
  /// Every lane has a part of all its rows.
  bool full = false;
  /// The inputs are loaded one by one.
  bool anywhere = false;
};

/// Cycles of one segment for one sample, on a machine that loads so many
/// vectors in a cycle.
double getSegmentCycles(const SegmentShape &segment, int64_t loadPorts);

/// Steps of a segment that take their inputs from all four registers, because
/// its columns fit no pairs of these, before the columns are known.
double estimateMixed(const WindowShape &shape, double steps);

/// A strip begins and ends: a transpose of its sums, to add to the output. And
/// more where lanes are in another order than the rows of W.
constexpr double kStripCycles = 60;
constexpr double kOrderCycles = 40;

/// A loop over segments of one height and number of steps in a strip, which
/// ends unforeseen.
constexpr double kCodeCycles = 20;

/// Finds the cycles of groups in the window kernel, one row of blocks after
/// another, in each shape.
class WindowMeasure {
public:
  explicit WindowMeasure(int64_t loadPorts);

  /// Adds what `scanner` scanned last, whose last row is before `endRow`.
  void addBlockRow(const BlockRowScanner &scanner, int64_t endRow);
  /// Writes the cycles in the best shape to the heights of `measure`.
  void finish(BlockMeasure &measure);

private:
  /// What a group has in a lane and a window.
  struct Part {
    /// Of the group.
    int64_t groupHeight;
    int64_t window, lane;
    /// Of the part: rows, columns.
    int64_t height, count;
  };
  struct Candidate {
    WindowShape shape;
    /// Of strips that are not finished.
    std::vector<Part> parts;
    /// By height of a group.
    std::map<int64_t, double> cycles;
  };
  /// Finishes the strips that end with `endRow` or before.
  void finishStrips(Candidate &candidate, int64_t endRow) const;
  /// Finishes the strip that has these parts, sorted.
  void finishStrip(Candidate &candidate, ArrayRef<Part> parts) const;

  int64_t loadPorts;
  std::vector<Candidate> candidates;
};

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_WINDOWMODEL_H
