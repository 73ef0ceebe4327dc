//===- ColumnMasks.h - Columns as bits of windows --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Blocks that lose rows too leave one or two rows to share a column, and a byte
// for its step is a tenth of their values and more. Such a block keeps many of
// its columns, so a bit for each of them takes less: half a byte a column that
// is kept where every fourth is. A kernel finds them from the lowest bit on.
// Plain data, no IR.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_COLUMNMASKS_H
#define BCR_PASSES_CONVERSION_LOOPS_COLUMNMASKS_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace mlir::bcr::loops {

/// The columns of all groups. W is cut into windows of `window` columns; a run
/// is what one group has of one window.
///
/// Offsets repeat: that of column c of W is that of column c % period, which
/// lies (c / period) * periodStep before it, and a period is some windows.
struct ColumnMasks {
  /// 8, 16, 32 or 64.
  int64_t window = 0;
  /// For each run, bit i is column i of its window.
  std::vector<uint64_t> masks;
  /// Windows from the run before to this one; of the first run of a group, from
  /// the first window.
  std::vector<int32_t> steps;
  /// Runs of group g: [groupRuns[g], groupRuns[g + 1]).
  std::vector<int32_t> groupRuns;
  /// Columns of a run; 0 if they differ.
  int64_t columnsPerRun = 0;
  int64_t periodWindows = 0;
  int64_t periodStep = 0;
  /// Offset of the first column of W.
  int64_t origin = 0;
  /// Offsets of the columns of a period after the first one's; none if each is
  /// `columnStep` after the one before.
  std::vector<int32_t> table;
  int64_t columnStep = 0;

  int64_t getBytes() const;
};

/// Encodes `columns`, in which group g is [begins[g], begins[g + 1]), or
/// returns nothing if the order of a group is not that of W. `offsets` has one
/// for each column of W.
std::optional<ColumnMasks> encodeMasks(llvm::ArrayRef<int32_t> columns,
                                       llvm::ArrayRef<int64_t> begins,
                                       llvm::ArrayRef<int32_t> offsets,
                                       int64_t window);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_COLUMNMASKS_H
