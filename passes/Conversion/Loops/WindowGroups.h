//===- WindowGroups.h - Groups of few rows ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWGROUPS_H

#include "dialect/BCR.h"
#include "dialect/Packed.h"
#include "passes/Analysis/MachineModel.h"
#include "passes/Analysis/WindowModel.h"
#include "passes/Conversion/Loops/WindowSteps.h"

#include "llvm/ADT/bit.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <vector>

namespace mlir::bcr::loops {

/// The window of parts whose columns are anywhere in the input.
constexpr int64_t kAnywhere = -1;

/// What a group has in one lane and one window: a small full matrix.
struct WindowPart {
  int64_t strip = 0, lane = 0, window = 0;
  /// The number of the group.
  int64_t group = 0;
  /// Rows of the group that are the lane's, a bit each.
  uint32_t rows = 0;
  /// Columns [begin, end) of the group; of a part anywhere, those that
  /// `WindowGroups::scattered` has there.
  int64_t begin = 0, end = 0;
  /// In windows: how many of them are in each register.
  RegisterCounts registers = {};

  int64_t getHeight() const { return llvm::popcount(rows); }
  int64_t getNumColumns() const { return end - begin; }
};

/// Parts of one strip and window that run side by side, each in its lane. A
/// step takes one column of each; those that have fewer rows or columns are
/// filled up. What a part has more than there are steps is in a part anywhere.
struct WindowSegment {
  int64_t strip = 0, window = 0;
  /// Most rows of a part.
  int64_t height = 0;
  WindowSteps steps;
  /// Every lane has a part of all its rows.
  bool full = false;
  /// The number of each lane's part, or -1.
  std::array<int64_t, kWindowLanes> parts;

  bool isAnywhere() const { return window == kAnywhere; }
  /// What code depends on. Where the columns are anywhere, it is a loop.
  auto getKey() const {
    return std::tuple(isAnywhere(), height, isAnywhere() ? 0 : steps.count,
                      steps.paired, full);
  }
};

/// Groups that run in the window kernel.
struct WindowGroups {
  WindowShape shape;
  MachineModel machine;
  /// All groups of the layer, and the values.
  PackedStructure structure;
  ArrayRef<float> values;
  /// Which rows of W lane after lane has, in units of those of a lane; empty if
  /// they are in order.
  std::vector<int32_t> order;
  /// Parts in windows, and then those anywhere.
  std::vector<WindowPart> parts;
  int64_t numInWindows = 0;
  /// Columns of parts anywhere, by their numbers in the group.
  std::vector<int32_t> scattered;
  /// By strip, what the code depends on, and window.
  std::vector<WindowSegment> segments;

  bool empty() const { return segments.empty(); }
  /// Whether every strip has a segment.
  bool haveAllStrips() const;
  /// Registers of a window: the only one of a narrow layer may have fewer.
  int64_t getNumRegisters() const {
    return llvm::divideCeil(std::min(shape.size, structure.numColumns),
                            kWindowLanes);
  }
  int64_t getNumLanes() const {
    return llvm::divideCeil(structure.numRows, shape.laneRows);
  }
  /// Rows of W over those of a lane.
  int64_t getRows(int64_t strip, int64_t lane) const {
    int64_t place = strip * kWindowLanes + lane;
    return order.empty() ? place : order[place];
  }
  /// The number in its group of column `i` of a part.
  int64_t getColumn(const WindowPart &part, int64_t i) const {
    return part.window == kAnywhere ? scattered[part.begin + i]
                                    : part.begin + i;
  }
  /// The time that `cycles` of computing take with weights of so many bytes:
  /// what the second cache does not keep comes later.
  double getTime(double cycles, double bytes) const;
  /// Bytes of weights that are kept.
  int64_t keptBytes = 0;
};

/// Groups that the window kernel runs faster than the rows kernel, or all that
/// it can run if the emitter prefers windows, are taken out of `structure`,
/// whose values are `values`, and of `chunkStarts`, the first group of each
/// chunk, if it is not empty. `restValues` become those of the groups that
/// stay. Returns none if the machine or the layer is not for it.
WindowGroups takeWindowGroups(MatmulOp op, int64_t lanes, bool preferred,
                              PackedStructure &structure,
                              ArrayRef<float> values,
                              std::vector<int64_t> &chunkStarts,
                              std::vector<float> &restValues);

/// What segments take for one sample.
struct WindowCost {
  double cycles = 0;
  int64_t bytes = 0;
};

/// Puts the parts of groups of up to `maxHeight` rows into segments.
WindowCost formSegments(WindowGroups &groups, int64_t maxHeight);

/// What a lane of a segment computes.
struct WindowLane {
  /// Increasing, counted from the lane's first row.
  std::vector<int32_t> rows;
  /// Of each step: the place in the registers of the window, or the column.
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
