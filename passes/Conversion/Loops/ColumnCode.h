//===- ColumnCode.h - Column offsets in few bytes --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The columns of a group stand where their inputs follow each other in memory,
// so a kernel walks them by steps: the offset of a column is that of the column
// before it plus a step, and steps are small or few. Plain data, no IR.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_COLUMNCODE_H
#define BCR_PASSES_CONVERSION_LOOPS_COLUMNCODE_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>
#include <vector>

namespace mlir::bcr::loops {

/// Bytes of the narrowest of 8, 16 and 32 bits that hold `value` unsigned.
int64_t getIndexWidth(int64_t value);

/// Bytes of a list in the narrowest of these integers that hold all of it.
int64_t getListBytes(llvm::ArrayRef<int32_t> list);

/// The offsets of the columns of all groups. The step to column k is
/// entries[k] * scale, or table[entries[k]] where there is a table. A group
/// begins one step before its first column, at (origin + origins[g]) * scale.
///
/// Where few steps are too long for short entries, groups are cut there into
/// runs. Runs begin like groups then: with their own origins, at a column whose
/// entry stands for no step.
struct ColumnCode {
  /// One for each column; none if every step is `scale`.
  std::vector<int32_t> entries;
  /// Different steps, where that takes fewer bytes than the steps themselves.
  std::vector<int32_t> table;
  int64_t scale = 1;
  /// One for each group or run; none if they are all zero.
  std::vector<int32_t> origins;
  int64_t origin = 0;
  /// Columns of run i: [runBegins[i], runBegins[i + 1]); none without runs.
  std::vector<int64_t> runBegins;
  /// Runs of group g: [groupRuns[g], groupRuns[g + 1]).
  std::vector<int32_t> groupRuns;

  int64_t getBytes() const;
};

/// Encodes `offsets`, in which group g is [begins[g], begins[g + 1]) and
/// increases. The code that is fastest to walk is taken if it has no more than
/// `budget` bytes, else the shortest.
ColumnCode encodeColumns(llvm::ArrayRef<int32_t> offsets,
                         llvm::ArrayRef<int64_t> begins, int64_t budget);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_COLUMNCODE_H
