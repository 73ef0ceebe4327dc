//===- Plan.h - What a layer's loops visit ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// From the groups of a packed matrix to the groups of a kernel: every group has
// a height that the kernel has a body for, groups of one body are neighbours,
// and all are shared out over the threads. Plain data, no IR.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_PLAN_H
#define BCR_PASSES_CONVERSION_LOOPS_PLAN_H

#include "dialect/Packed.h"

#include <optional>

namespace mlir::bcr::loops {

/// What the kernel can run.
struct PlanOptions {
  /// The most rows of a group.
  int64_t maxHeight = 8;
  /// Heights are a multiple of this or less than it.
  int64_t heightMultiple = 1;
  /// Lanes of vectors that run along the rows, and may read over the end of a
  /// column of values; 0 if none do.
  int64_t vectorRows = 0;
  /// Whether kernels read as many values of each column as the tallest group
  /// has.
  bool readsTallest = false;
  /// Whether groups with as many columns are neighbours: a loop that always has
  /// as many turns as the last time is predicted.
  bool sortByColumns = false;
  /// Whether groups of rows m, m + 1, ... are told from the others.
  bool separateContiguous = false;
  /// Whether groups that accumulate name their rows by number of the sum.
  bool numberSums = true;
  /// Groups of the convolution; one kernel group stays inside one of them.
  int64_t convGroups = 1;
  /// For each column of W, where its input lies: a group has its columns in
  /// this order.
  ArrayRef<int32_t> offsets;
  /// Threads to share the rows over.
  int64_t chunks = 1;
  /// First group of each chunk of the packed matrix, if it was cut into as many
  /// chunks before; chunks have no row in common.
  ArrayRef<int64_t> chunkStarts;
  /// Whether groups that have rows in common become a chunk of their own, so
  /// that their sums are few. `chunkUnits` says what a thread's chunks are.
  bool separateSums = false;
};

/// One kernel group.
struct KernelGroup {
  int64_t height = 0;
  int64_t convGroup = 0;
  int64_t chunk = 0;
  /// What groups of a class are sorted by, if they are.
  int64_t sortedColumns = 0;
  /// Some of its rows are in other groups too.
  bool accumulate = false;
  /// Rows m, m + 1, ... that no other group has.
  bool contiguous = false;
};

/// Neighbouring groups that one body runs. Their rows, columns and values stand
/// in the plan's arrays one after the other, so only the columns, whose number
/// differs, need a position for each group.
struct KernelClass {
  int64_t height = 0;
  bool accumulate = false;
  bool contiguous = false;
  /// The list has only the first row of each group; the others follow it.
  bool consecutive = false;
  /// Where its rows, columns and values begin.
  int64_t rowBegin = 0;
  int64_t columnBegin = 0;
  int64_t valueBegin = 0;
  /// The groups of chunk i are [bounds[i], bounds[i + 1]).
  std::vector<int64_t> bounds;

  int64_t getListedRows() const { return consecutive ? 1 : height; }
};

struct KernelPlan {
  std::vector<KernelGroup> groups;
  std::vector<KernelClass> classes;
  /// Columns of group g: [columnBegins[g], columnBegins[g + 1]).
  std::vector<int32_t> columns;
  std::vector<int64_t> columnBegins;
  /// Rows of the groups. Those of groups that accumulate are positions in
  /// `accumulated`, counted from the first one of the chunk, if sums are
  /// numbered.
  std::vector<int32_t> rows;
  /// Rows that are the sum of several groups, those of chunk i in
  /// [accumulatedBounds[i], accumulatedBounds[i + 1]).
  std::vector<int32_t> accumulated;
  std::vector<int64_t> accumulatedBounds;
  /// Rows in no group, by chunk in the same way.
  std::vector<int32_t> empty;
  std::vector<int64_t> emptyBounds;
  /// Set if the values have to be laid out anew.
  std::optional<std::vector<float>> values;
  /// The chunks of thread i are [chunkUnits[i], chunkUnits[i + 1]): one unless
  /// sums are separate.
  std::vector<int64_t> chunkUnits;

  int64_t getNumChunks() const {
    return static_cast<int64_t>(emptyBounds.size()) - 1;
  }
  int64_t getNumThreads() const {
    return static_cast<int64_t>(chunkUnits.size()) - 1;
  }
  int64_t getMaxAccumulated() const;
  bool hasAccumulated() const { return !accumulated.empty(); }
};

/// Elements that the vectors of `options` may read behind the last value.
int64_t getOverread(const KernelPlan &plan, const PlanOptions &options);

KernelPlan makePlan(const PackedStructure &structure, ArrayRef<float> values,
                    const PlanOptions &options);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_PLAN_H
