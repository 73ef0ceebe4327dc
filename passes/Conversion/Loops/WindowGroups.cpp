//===- WindowGroups.cpp - Groups of few rows ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowGroups.h"
#include "passes/Conversion/Loops/Emitter.h"

#include "llvm/ADT/MapVector.h"

#include <algorithm>
#include <map>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Weights of segments take at most so many times the bytes of those that are
/// kept, and so many more.
static constexpr int64_t kMaxFilled = 2;
static constexpr int64_t kFreeBytes = 32 << 10;

/// Of a layer that the second cache does not keep, what arrives in a cycle.
static constexpr int64_t kCacheBytes = 1 << 20;
static constexpr double kBytesPerCycle = 24;

/// Cycles of a group in the rows kernel, from cycles on a Zen 5 core: a column,
/// a row to store, unless all are neighbours, and the loop.
static double getRowCycles(ArrayRef<int32_t> rows, int64_t columns) {
  auto count = static_cast<int64_t>(rows.size());
  bool neighbours = rows.back() - rows.front() == count - 1;
  return 1.25 * double(columns) +
         1.25 * double(neighbours && count > 1 ? 1 : count) + 7.5;
}

/// Cuts the groups of few rows into parts: by rows and columns alone, whatever
/// chunks there are, so that the order of sums depends on no chunk.
static void cutParts(WindowGroups &groups) {
  const PackedStructure &structure = groups.structure;
  const WindowShape &shape = groups.shape;
  groups.parts.clear();
  for (auto [number, group] : llvm::enumerate(structure.groups)) {
    if (group.rowCount > kMaxWindowRows)
      continue;
    llvm::SmallMapVector<int64_t, uint32_t, kMaxWindowRows> lanes;
    for (auto [r, row] : llvm::enumerate(structure.getRows(group)))
      lanes[row / shape.laneRows] |= 1U << r;
    ArrayRef<int32_t> columns = structure.getColumns(group);
    for (int64_t begin = 0; begin < group.columnCount;) {
      WindowPart part;
      part.group = static_cast<int64_t>(number);
      part.window = columns[begin] / shape.size;
      part.begin = part.end = begin;
      for (; part.end < group.columnCount &&
             columns[part.end] / shape.size == part.window;
           ++part.end)
        part.numLow += columns[part.end] % shape.size < shape.size / 2;
      for (auto [lane, rows] : lanes) {
        part.strip = lane / kWindowLanes;
        part.lane = lane % kWindowLanes;
        part.rows = rows;
        groups.parts.push_back(part);
      }
      begin = part.end;
    }
  }
}

/// The time that weights take at least: more of them than the second cache
/// keeps come from the third.
static double boundByBytes(double cycles, int64_t bytes) {
  if (bytes < kCacheBytes)
    return cycles;
  return std::max(cycles, double(bytes) / kBytesPerCycle);
}

/// Bytes of the weights as segments have them.
static int64_t countBytes(const WindowGroups &groups) {
  int64_t bytes = 0;
  for (const WindowSegment &segment : groups.segments)
    bytes += 4 * kWindowLanes * segment.height * segment.steps;
  return bytes;
}

/// Forms the segments of groups of so few rows, and windows of such a shape,
/// that all of the layer takes the least time. Returns that height, or 0 if no
/// window is faster than the rows kernel.
static int64_t chooseSegments(WindowGroups &groups) {
  std::map<int64_t, double> byRows;
  std::map<int64_t, int64_t> bytes;
  double all = 0;
  int64_t allBytes = groups.structure.getValueBytes();
  for (const PackedGroup &group : groups.structure.groups) {
    double cycles =
        getRowCycles(groups.structure.getRows(group), group.columnCount);
    byRows[group.rowCount] += cycles;
    bytes[group.rowCount] += 4 * group.rowCount * group.columnCount;
    all += cycles;
  }
  int64_t best = 0;
  WindowShape bestShape;
  double least = boundByBytes(all, allBytes);
  // The rows kernel waits for nothing but memory.
  if (least > all)
    return 0;
  for (WindowShape shape : kWindowShapes) {
    groups.shape = shape;
    cutParts(groups);
    double left = all;
    int64_t kept = 0;
    for (auto [height, cycles] : byRows) {
      if (height > kMaxWindowRows)
        break;
      left -= cycles;
      kept += bytes[height];
      double taken = formSegments(groups, height) + left;
      int64_t filled = countBytes(groups);
      taken = boundByBytes(taken, allBytes - kept + filled);
      if (taken < least && filled <= kMaxFilled * kept + kFreeBytes) {
        least = taken;
        best = height;
        bestShape = shape;
      }
    }
  }
  groups.shape = bestShape;
  if (best > 0) {
    cutParts(groups);
    formSegments(groups, best);
  }
  return best;
}

WindowGroups loops::takeWindowGroups(MatmulOp op, int64_t lanes,
                                     PackedStructure &structure,
                                     ArrayRef<float> values,
                                     std::vector<int64_t> &chunkStarts,
                                     std::vector<float> &restValues) {
  auto type = cast<MemRefType>(op.getInit().getType());
  bool few = !type.isDynamicDim(0) && type.getDimSize(0) <= kMaxWindowSamples;
  if (lanes != kWindowLanes || structure.numColumns < kMinWindowColumns ||
      !few || !hasUnitStride(op.getInput()))
    return {};
  WindowGroups groups;
  groups.structure = structure;
  groups.values = values;
  int64_t most = chooseSegments(groups);
  if (most == 0)
    return {};
  PackedStructure rest = structure;
  rest.groups.clear();
  std::vector<int64_t> restStarts;
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    while (restStarts.size() < chunkStarts.size() &&
           chunkStarts[restStarts.size()] <= static_cast<int64_t>(index))
      restStarts.push_back(static_cast<int64_t>(rest.groups.size()));
    if (group.rowCount <= most)
      continue;
    rest.addGroup(group.rowBegin, group.rowCount, group.columnBegin,
                  group.columnCount);
    llvm::append_range(
        restValues,
        values.slice(group.valueBegin, group.rowCount * group.columnCount));
  }
  restStarts.resize(chunkStarts.size(),
                    static_cast<int64_t>(rest.groups.size()));
  structure = std::move(rest);
  chunkStarts = std::move(restStarts);
  return groups;
}
