//===- WindowGroups.cpp - Groups of few rows ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowGroups.h"
#include "passes/Conversion/Loops/Emitter.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// More rows share the loads of a column well enough, and the numbers of so
/// many rows are one load.
static constexpr int64_t kMaxRows = 8;

/// More samples make better use of a column's weights.
static constexpr int64_t kMaxSamples = 2;

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

/// Where the window begins whose first column this is: with a vector, since
/// loads across cache lines take twice as long, and not so late that it would
/// end behind the input.
static int64_t getOrigin(int64_t column, int64_t numColumns) {
  return std::min(column - column % kWindowLanes, numColumns - kWindow);
}

/// Cuts the columns of a group into windows; item i begins with column
/// `begins[i]`, and the last one is their number.
static SmallVector<int64_t> cutWindows(ArrayRef<int32_t> columns,
                                       int64_t numColumns) {
  SmallVector<int64_t> begins;
  for (auto [position, column] : llvm::enumerate(columns))
    if (begins.empty() ||
        column - getOrigin(columns[begins.back()], numColumns) >= kWindow)
      begins.push_back(static_cast<int64_t>(position));
  begins.push_back(static_cast<int64_t>(columns.size()));
  return begins;
}

static bool isForWindows(ArrayRef<int32_t> rows, int64_t columns,
                         ArrayRef<int64_t> begins) {
  auto height = static_cast<int64_t>(rows.size());
  if (height > kMaxRows)
    return false;
  int64_t operations = 0;
  for (auto [begin, end] : llvm::zip(begins, begins.drop_front()))
    operations += countWindowOperations(height, end - begin);
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
  bool few = !type.isDynamicDim(0) && type.getDimSize(0) <= kMaxSamples;
  bool dealt = static_cast<int64_t>(chunkStarts.size()) == threads;
  if (lanes != kWindowLanes || structure.numColumns < kWindow || !few ||
      !hasUnitStride(op.getInput()) || (threads > 1 && !dealt))
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
    SmallVector<int64_t> begins = cutWindows(columns, structure.numColumns);
    if (!isForWindows(rows, group.columnCount, begins)) {
      rest.addGroup(group.rowBegin, group.rowCount, group.columnBegin,
                    group.columnCount);
      llvm::append_range(
          restValues,
          values.slice(group.valueBegin, group.rowCount * group.columnCount));
      continue;
    }
    for (ArrayRef<int64_t> strip : cutStrips(rows))
      for (auto [begin, end] :
           llvm::zip(begins, ArrayRef<int64_t>(begins).drop_front())) {
        WindowGroup part;
        // Shares that nobody asked for are one thread's.
        part.chunk = dealt ? chunk : 0;
        part.origin = getOrigin(columns[begin], structure.numColumns);
        for (int64_t k = begin; k < end; ++k)
          part.columns.push_back(
              static_cast<int32_t>(columns[k] - part.origin));
        for (int64_t r : strip) {
          part.rows.push_back(rows[r]);
          for (int64_t k = begin; k < end; ++k)
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
