//===- WindowGroups.cpp - Groups of few rows ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowGroups.h"
#include "passes/Analysis/KernelModel.h"
#include "passes/Conversion/Loops/Emitter.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// One group in so many may be unlike the others: each of these starts a loop
/// of its own, which ends unforeseen.
static constexpr int64_t kMaxUnlike = 64;

/// Micro-operations of a group, found from cycles on a Zen 5 core: of the
/// window kernel a vector of columns, and the sums of a row; of the rows kernel
/// a column, a row to store, unless all are neighbours, and the loop.
static int64_t countWindowOperations(int64_t rows, int64_t columns) {
  return llvm::divideCeil(columns, kWindowLanes) * (5 + 2 * rows) + 7 * rows;
}
static int64_t countRowOperations(ArrayRef<int32_t> rows, int64_t columns) {
  auto count = static_cast<int64_t>(rows.size());
  bool neighbours = rows.back() - rows.front() == count - 1;
  return 4 * columns + (neighbours && count > 1 ? 4 : 4 * count) + 24;
}

namespace {
/// Columns [begin, end) of a group, which lie in one window.
struct Window {
  int64_t begin, end, origin;
};
} // namespace

/// Cuts the columns of a group into windows that begin with a multiple of
/// `alignment`, and not so late that they would end behind the input.
static SmallVector<Window> cutWindows(ArrayRef<int32_t> columns,
                                      int64_t numColumns, int64_t alignment) {
  int64_t size = getWindowSize(numColumns);
  SmallVector<Window> windows;
  for (auto [position, column] : llvm::enumerate(columns)) {
    auto k = static_cast<int64_t>(position);
    if (windows.empty() || column - windows.back().origin >= size)
      windows.push_back(
          {k, k,
           std::min<int64_t>(column - column % alignment, numColumns - size)});
    windows.back().end = k + 1;
  }
  return windows;
}

/// The same where all groups of the layer find the same windows, unless that
/// makes more of them. Loads across cache lines take twice as long.
static SmallVector<Window> cutWindows(ArrayRef<int32_t> columns,
                                      int64_t numColumns) {
  SmallVector<Window> same =
      cutWindows(columns, numColumns, getWindowSize(numColumns));
  SmallVector<Window> windows = cutWindows(columns, numColumns, kWindowLanes);
  if (windows.size() >= same.size())
    windows = std::move(same);
  // What fits the first two registers takes fewer permutations.
  constexpr int64_t half = 2 * kWindowLanes;
  for (Window &window : windows) {
    int64_t origin = columns[window.begin] - columns[window.begin] % half;
    if (columns[window.end - 1] < origin + half)
      window.origin = std::min(origin, numColumns - getWindowSize(numColumns));
  }
  return windows;
}

static bool isForWindows(ArrayRef<int32_t> rows, int64_t columns,
                         ArrayRef<Window> windows) {
  auto height = static_cast<int64_t>(rows.size());
  if (height > kMaxWindowRows)
    return false;
  int64_t operations = 0;
  for (const Window &window : windows)
    operations += countWindowOperations(height, window.end - window.begin);
  return operations < countRowOperations(rows, columns);
}

/// Which rows of a group are in one strip, strip by strip. They are cut there
/// whatever chunks there are, so that the order of sums depends on no chunk.
static SmallVector<SmallVector<int64_t>> cutStrips(ArrayRef<int32_t> rows) {
  llvm::MapVector<int64_t, SmallVector<int64_t>> strips;
  for (auto [position, row] : llvm::enumerate(rows))
    strips[row / kStripRows].push_back(static_cast<int64_t>(position));
  SmallVector<SmallVector<int64_t>> parts;
  for (auto &strip : strips)
    parts.push_back(std::move(strip.second));
  return parts;
}

std::vector<WindowGroup>
loops::takeWindowGroups(MatmulOp op, int64_t lanes, int64_t threads,
                        PackedStructure &structure, ArrayRef<float> values,
                        std::vector<int64_t> &chunkStarts,
                        std::vector<float> &restValues) {
  std::vector<WindowGroup> taken;
  auto type = cast<MemRefType>(op.getInit().getType());
  bool few = !type.isDynamicDim(0) && type.getDimSize(0) <= kMaxWindowSamples;
  bool dealt = static_cast<int64_t>(chunkStarts.size()) == threads;
  if (lanes != kWindowLanes || structure.numColumns < 2 * kWindowLanes ||
      !few || !hasUnitStride(op.getInput()) || (threads > 1 && !dealt))
    return taken;
  PackedStructure rest = structure;
  rest.groups.clear();
  std::vector<int64_t> restStarts(chunkStarts.size());
  int64_t chunk = 0;
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    while (chunk + 1 < static_cast<int64_t>(chunkStarts.size()) &&
           chunkStarts[chunk + 1] <= static_cast<int64_t>(index))
      restStarts[++chunk] = static_cast<int64_t>(rest.groups.size());
    ArrayRef<int32_t> rows = structure.getRows(group);
    ArrayRef<int32_t> columns = structure.getColumns(group);
    SmallVector<Window> windows = cutWindows(columns, structure.numColumns);
    if (!isForWindows(rows, group.columnCount, windows)) {
      rest.addGroup(group.rowBegin, group.rowCount, group.columnBegin,
                    group.columnCount);
      llvm::append_range(
          restValues,
          values.slice(group.valueBegin, group.rowCount * group.columnCount));
      continue;
    }
    for (ArrayRef<int64_t> strip : cutStrips(rows))
      for (const Window &window : windows) {
        WindowGroup part;
        // Shares that nobody asked for are one thread's.
        part.chunk = dealt ? chunk : 0;
        part.origin = window.origin;
        for (int64_t k = window.begin; k < window.end; ++k)
          part.columns.push_back(
              static_cast<int32_t>(columns[k] - part.origin));
        for (int64_t r : strip) {
          part.rows.push_back(rows[r]);
          for (int64_t k = window.begin; k < window.end; ++k)
            part.values.push_back(
                values[group.valueBegin + k * group.rowCount + r]);
        }
        taken.push_back(std::move(part));
      }
  }
  while (chunk + 1 < static_cast<int64_t>(chunkStarts.size()))
    restStarts[++chunk] = static_cast<int64_t>(rest.groups.size());
  if (taken.empty()) {
    restValues.clear();
    return taken;
  }
  structure = std::move(rest);
  chunkStarts = std::move(restStarts);
  return taken;
}

void loops::chooseMixed(MutableArrayRef<WindowGroup> groups) {
  auto countLow = [](const WindowGroup &group) {
    return llvm::count_if(group.columns, [](int32_t column) {
      return column < 2 * kWindowLanes;
    });
  };
  auto countAll = [](const WindowGroup &group) {
    return static_cast<int64_t>(group.columns.size());
  };
  auto isLow = [&](const WindowGroup &group) {
    return countLow(group) == countAll(group);
  };
  auto hasLowRest = [&](const WindowGroup &group) {
    return countAll(group) % kWindowLanes <= countLow(group);
  };
  auto nearlyAll = [&](auto holds) {
    return (llvm::size(groups) - llvm::count_if(groups, holds)) * kMaxUnlike <=
           static_cast<int64_t>(groups.size());
  };
  bool low = nearlyAll(isLow), lowRest = nearlyAll(hasLowRest);
  for (WindowGroup &group : groups) {
    int64_t count = countAll(group), rest = count % kWindowLanes;
    group.mixed = llvm::divideCeil(count, kWindowLanes);
    if (low && isLow(group)) {
      group.mixed = 0;
    } else if (!low && lowRest && hasLowRest(group)) {
      group.mixed = count / kWindowLanes;
      int64_t last = countLow(group);
      auto move = [&](auto begin, auto end) {
        std::rotate(begin + last - rest, begin + last, end);
      };
      for (size_t r = 0; r < group.rows.size(); ++r) {
        auto row = group.values.begin() + static_cast<int64_t>(r) * count;
        move(row, row + count);
      }
      move(group.columns.begin(), group.columns.end());
    }
  }
}
