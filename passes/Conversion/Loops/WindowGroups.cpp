//===- WindowGroups.cpp - Groups of few rows ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowGroups.h"
#include "passes/Conversion/Loops/Emitter.h"

#include "llvm/ADT/MapVector.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Weights of segments take at most so many times the bytes of those that are
/// kept, and so many more.
static constexpr int64_t kMaxFilled = 2;
static constexpr int64_t kFreeBytes = 32 << 10;

/// A few times what the second cache keeps comes from the third at more than
/// what a core reads there otherwise.
static constexpr double kNearGain = 1.4;

/// Lanes in another order are tried if the time without is not so many times
/// that of the best.
static constexpr double kMaxOrderGain = 1.3;

/// A shape is tried on strips of about so many weights, four at least.
static constexpr int64_t kTriedWeights = 1 << 18;
static constexpr int64_t kMinTriedStrips = 4;

/// Of the shorter of two things done at once, computing and waiting for
/// memory, what is not hidden behind the longer.
static constexpr double kNotHidden = 0.2;

/// Cycles of a vector of bias that is stored before windows and other groups
/// add to it.
static constexpr double kFillCycles = 3;

/// Cycles of a group in the rows kernel, from cycles on a Zen 5 and a Zen 4
/// core: a column, a row to store, unless all are neighbours, and the loop.
static double getRowCycles(ArrayRef<int32_t> rows, int64_t columns,
                           const MachineModel &machine) {
  auto count = static_cast<int64_t>(rows.size());
  bool neighbours = rows.back() - rows.front() == count - 1;
  double stored = 1.25 * double(neighbours && count > 1 ? 1 : count);
  // A core with one port for whole vectors loads half of one as it would all.
  return machine.loadPorts > 1 ? 1.25 * double(columns) + stored + 7.5
                               : 1.45 * double(columns) + stored + 16;
}

/// Orders lanes by their weights, so that those side by side have as many.
static void orderLanes(WindowGroups &groups) {
  const PackedStructure &structure = groups.structure;
  int64_t laneRows = groups.shape.laneRows;
  int64_t numLanes = groups.getNumLanes();
  // A lane that the output does not fill has its place at the end.
  if (numLanes <= kWindowLanes || structure.numRows % laneRows != 0)
    return;
  std::vector<int64_t> weights(numLanes);
  for (const PackedGroup &group : structure.groups)
    if (group.rowCount <= kMaxWindowRows)
      for (int32_t row : structure.getRows(group))
        weights[row / laneRows] += group.columnCount;
  groups.order.resize(numLanes);
  std::iota(groups.order.begin(), groups.order.end(), 0);
  llvm::stable_sort(groups.order, [&](int32_t a, int32_t b) {
    return weights[a] > weights[b];
  });
  if (llvm::is_sorted(groups.order))
    groups.order.clear();
}

/// Cuts the groups of few rows into parts: by rows and columns alone, whatever
/// chunks there are, so that the order of sums depends on no chunk. Only those
/// of one strip in `every` are cut.
static void cutParts(WindowGroups &groups, bool ordered, int64_t every) {
  const PackedStructure &structure = groups.structure;
  const WindowShape &shape = groups.shape;
  groups.order.clear();
  if (ordered)
    orderLanes(groups);
  std::vector<int64_t> places(groups.getNumLanes());
  for (int64_t place = 0; place < groups.getNumLanes(); ++place)
    places[groups.getRows(0, place)] = place;
  groups.parts.clear();
  for (auto [number, group] : llvm::enumerate(structure.groups)) {
    if (group.rowCount > kMaxWindowRows)
      continue;
    llvm::SmallMapVector<int64_t, uint32_t, kMaxWindowRows> lanes;
    for (auto [r, row] : llvm::enumerate(structure.getRows(group)))
      if (int64_t lane = places[row / shape.laneRows];
          lane / kWindowLanes % every == every / 2)
        lanes[lane] |= 1U << r;
    if (lanes.empty())
      continue;
    ArrayRef<int32_t> columns = structure.getColumns(group);
    for (int64_t begin = 0; begin < group.columnCount;) {
      WindowPart part;
      part.group = static_cast<int64_t>(number);
      part.window = columns[begin] / shape.size;
      part.begin = part.end = begin;
      for (; part.end < group.columnCount &&
             columns[part.end] / shape.size == part.window;
           ++part.end)
        ++part.registers[columns[part.end] % shape.size / kWindowLanes];
      for (auto [lane, rows] : lanes) {
        part.strip = lane / kWindowLanes;
        part.lane = lane % kWindowLanes;
        part.rows = rows;
        groups.parts.push_back(part);
      }
      begin = part.end;
    }
  }
  groups.numInWindows = static_cast<int64_t>(groups.parts.size());
}

bool WindowGroups::haveAllStrips() const {
  int64_t numStrips = 0, last = -1;
  for (const WindowSegment &segment : segments)
    if (std::exchange(last, segment.strip) != segment.strip)
      ++numStrips;
  int64_t numLanes = getNumLanes();
  return numStrips == (numLanes + kWindowLanes - 1) / kWindowLanes;
}

double WindowGroups::getTime(double cycles, double bytes) const {
  if (keptBytes < machine.l2Bytes)
    return cycles;
  double waiting = bytes / (kNearGain * double(machine.l3BytesPerCycle));
  return std::max(cycles, waiting) + kNotHidden * std::min(cycles, waiting);
}

/// Forms the segments of groups of so few rows, and windows of such a shape,
/// that all of the layer takes the least time. Returns that height, or 0 if no
/// window is faster than the rows kernel and none is preferred.
static int64_t chooseSegments(WindowGroups &groups, bool preferred) {
  std::map<int64_t, double> byRows;
  std::map<int64_t, int64_t> bytes;
  double all = 0;
  int64_t allBytes = groups.structure.getValueBytes();
  for (const PackedGroup &group : groups.structure.groups) {
    double cycles = getRowCycles(groups.structure.getRows(group),
                                 group.columnCount, groups.machine);
    byRows[group.rowCount] += cycles;
    bytes[group.rowCount] += 4 * group.rowCount * group.columnCount;
    all += cycles;
  }
  groups.keptBytes = allBytes;
  int64_t tallest = byRows.empty() ? 0 : byRows.rbegin()->first;
  double fill = kFillCycles * double(groups.structure.numRows) / kWindowLanes;
  int64_t best = 0;
  WindowShape bestShape;
  double least = preferred ? std::numeric_limits<double>::infinity()
                           : groups.getTime(all, double(allBytes));
  bool bestOrdered = false;
  auto tryShape = [&](WindowShape shape, bool ordered) {
    groups.shape = shape;
    int64_t numStrips = llvm::divideCeil(groups.getNumLanes(), kWindowLanes);
    int64_t every =
        std::clamp<int64_t>(allBytes / 4 / kTriedWeights, 1,
                            std::max<int64_t>(numStrips / kMinTriedStrips, 1));
    double scale = double(numStrips) /
                   double(llvm::divideCeil(numStrips - every / 2, every));
    cutParts(groups, ordered, every);
    double left = all, leastOfShape = std::numeric_limits<double>::infinity();
    // Nothing was cut, or the order is the one that was tried before.
    if (groups.parts.empty() || (ordered && groups.order.empty()))
      return leastOfShape;
    int64_t kept = 0;
    for (auto [height, cycles] : byRows) {
      if (height > kMaxWindowRows)
        break;
      left -= cycles;
      kept += bytes[height];
      WindowCost cost = formSegments(groups, height);
      auto filled = static_cast<int64_t>(scale * double(cost.bytes));
      double taken = groups.getTime(scale * cost.cycles + left +
                                        (height < tallest ? fill : 0),
                                    double(allBytes - kept + filled));
      leastOfShape = std::min(leastOfShape, taken);
      if (taken < least && filled <= kMaxFilled * kept + kFreeBytes) {
        least = taken;
        best = height;
        bestShape = shape;
        bestOrdered = ordered;
      }
    }
    return leastOfShape;
  };
  for (WindowShape shape : kWindowShapes)
    if (tryShape(shape, /*ordered=*/false) < kMaxOrderGain * least)
      tryShape(shape, /*ordered=*/true);
  groups.shape = bestShape;
  if (best > 0) {
    cutParts(groups, bestOrdered, /*every=*/1);
    formSegments(groups, best);
  }
  return best;
}

WindowGroups loops::takeWindowGroups(MatmulOp op, int64_t lanes, bool preferred,
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
  groups.machine =
      getMachine(op->getParentOfType<ModuleOp>(), lanes, /*registers=*/1);
  groups.structure = structure;
  groups.values = values;
  int64_t most = chooseSegments(groups, preferred);
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
