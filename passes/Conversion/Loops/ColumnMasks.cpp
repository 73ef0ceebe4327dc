//===- ColumnMasks.cpp - Columns as bits of windows -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/ColumnMasks.h"
#include "passes/Conversion/Loops/ColumnCode.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/bit.h"

using namespace mlir::bcr::loops;

/// Steps take 8 bits; a longer one is several, of runs without columns.
static constexpr int64_t kMaxStep = 255;

int64_t ColumnMasks::getBytes() const {
  return static_cast<int64_t>(masks.size()) * window / 8 + getListBytes(steps) +
         getListBytes(groupRuns) + getListBytes(table);
}

/// Finds the shortest period of the offsets that is whole windows: all columns
/// if there is no other.
static void findPeriod(ColumnMasks &code, llvm::ArrayRef<int32_t> offsets) {
  auto count = static_cast<int64_t>(offsets.size());
  int64_t period = 0;
  auto repeats = [&] {
    for (int64_t c = period; c < count; ++c)
      if (offsets[c] - offsets[c - period] != offsets[period] - offsets[0])
        return false;
    return true;
  };
  do
    period += code.window;
  while (period < count && !repeats());
  code.periodWindows = period / code.window;
  code.periodStep = period < count ? offsets[period] - offsets[0] : 0;
  code.origin = offsets[0];
  code.columnStep = count > 1 ? offsets[1] - offsets[0] : 0;
  bool even = true;
  for (int64_t c = 0, end = std::min(period, count); c < end; ++c) {
    code.table.push_back(offsets[c] - offsets[0]);
    even &= code.table.back() == c * code.columnStep;
  }
  if (even)
    code.table.clear();
}

std::optional<ColumnMasks>
mlir::bcr::loops::encodeMasks(llvm::ArrayRef<int32_t> columns,
                              llvm::ArrayRef<int64_t> begins,
                              llvm::ArrayRef<int32_t> offsets, int64_t window) {
  ColumnMasks code;
  code.window = window;
  // Offsets may wind back from one channel to the next, but tables do not hold
  // negative ones.
  for (int32_t offset : offsets)
    if (offset < offsets[0])
      return std::nullopt;
  for (size_t g = 0; g + 1 < begins.size(); ++g) {
    code.groupRuns.push_back(static_cast<int32_t>(code.masks.size()));
    // The first run of a group has no run before it to belong to.
    bool open = false;
    int64_t at = 0;
    for (int64_t k = begins[g]; k < begins[g + 1]; ++k) {
      if (k > begins[g] && columns[k] <= columns[k - 1])
        return std::nullopt;
      int64_t next = columns[k] / window;
      if (!open || next != at) {
        for (; next - at > kMaxStep; at += kMaxStep) {
          code.masks.push_back(0);
          code.steps.push_back(kMaxStep);
        }
        code.masks.push_back(0);
        code.steps.push_back(static_cast<int32_t>(next - at));
        at = next;
        open = true;
      }
      code.masks.back() |= uint64_t(1) << columns[k] % window;
    }
  }
  code.groupRuns.push_back(static_cast<int32_t>(code.masks.size()));
  int64_t first = llvm::popcount(code.masks.front());
  if (llvm::all_of(code.masks, [&](uint64_t mask) {
        return llvm::popcount(mask) == first;
      }))
    code.columnsPerRun = first;
  findPeriod(code, offsets);
  return code;
}
