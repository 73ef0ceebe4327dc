//===- WindowModel.cpp - Block rows along a vector ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/WindowModel.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <array>
#include <limits>
#include <tuple>

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// What segments take on a core, in cycles.
struct SegmentCosts {
  /// Of a segment: beside its steps, and what loading hides.
  double segment, hiddenSegment;
  /// Of each row of it, of that for each row of a lane that it can be.
  double row, laneRow;
  /// Of a step, of each row of it, of one that takes its inputs from all four
  /// registers of a window, of sixteen inputs that are loaded one by one.
  double step, stepRow, mixed, anywhere;
  /// Bytes of steps that arrive from the second cache in a cycle.
  double bytesPerCycle;
};
} // namespace

/// From loops in C, in the first cache: on a Zen 5 core, and on a Zen 4 core,
/// which loads one vector in a cycle and runs others as two halves.
static constexpr SegmentCosts kWideCosts = {6, 0, 2, 0.5, 0.9, 0.5, 1, 16, 40};
static constexpr SegmentCosts kNarrowCosts = {0, 5, 1, 1, 0.8, 1.0, 2, 17, 25};
static constexpr int64_t kWidePorts = 2;

/// Bytes of the places of a step, about.
static constexpr double kPlaceBytes = 12;

double mlir::bcr::getSegmentCycles(const SegmentShape &segment,
                                   int64_t loadPorts) {
  const SegmentCosts &costs =
      loadPorts < kWidePorts ? kNarrowCosts : kWideCosts;
  auto rows = double(segment.height);
  double inputs = segment.anywhere ? costs.anywhere : costs.step;
  double computing = segment.steps * (inputs + costs.stepRow * rows) +
                     costs.mixed * segment.mixed;
  double loading =
      segment.steps * (64 * rows + kPlaceBytes) / costs.bytesPerCycle;
  double ends =
      segment.full
          ? 0.0
          : rows * (costs.row + costs.laneRow * double(segment.laneRows -
                                                       segment.height + 1));
  return costs.segment + ends +
         std::max(costs.hiddenSegment + computing, loading);
}

double mlir::bcr::estimateMixed(const WindowShape &shape, double steps) {
  // A line through what 16 lanes with random columns need on average: 4 of 5,
  // 3 of 9, 1 of 15 (`choosePaired` finds the exact number).
  if (shape.size <= 2 * kWindowLanes)
    return 0;
  return std::clamp(5.6 - 0.3 * steps, 0.0, steps);
}

WindowMeasure::WindowMeasure(int64_t loadPorts) : loadPorts(loadPorts) {
  for (WindowShape shape : kWindowShapes)
    candidates.push_back({shape, {}, {}});
}

namespace {
/// Segments of one strip and window as they grow, the rows and steps of each.
class Beside {
public:
  /// Puts a part into segment `turn`, which is no more than one behind the
  /// last.
  void add(size_t turn, int64_t height, int64_t count) {
    if (turn == segments.size())
      segments.push_back({height, count});
    segments[turn].first = std::max(segments[turn].first, height);
    segments[turn].second = std::max(segments[turn].second, count);
  }
  /// Returns the cycles of all segments and begins anew.
  double finish(const WindowShape &shape, int64_t loadPorts) {
    double cycles = 0;
    for (auto [height, steps] : segments) {
      SegmentShape segment{shape.laneRows, height, double(steps)};
      segment.mixed = estimateMixed(shape, segment.steps);
      cycles += getSegmentCycles(segment, loadPorts);
    }
    segments.clear();
    return cycles;
  }

private:
  SmallVector<std::pair<int64_t, int64_t>> segments;
};
} // namespace

void WindowMeasure::finishStrip(Candidate &candidate,
                                ArrayRef<Part> parts) const {
  // Segments with parts of one height, and of all.
  std::array<Beside, kMaxWindowRows + 1> apart;
  Beside together;
  int64_t numHeights = 0;
  for (ArrayRef<Part> left = parts; !left.empty(); ++numHeights) {
    int64_t groupHeight = left.front().groupHeight;
    double cyclesApart = 0, cyclesTogether = 0;
    while (!left.empty() && left.front().groupHeight == groupHeight) {
      int64_t window = left.front().window;
      int64_t lane = -1, height = 0;
      size_t turn = 0, turnOfHeight = 0;
      for (; !left.empty() && left.front().groupHeight == groupHeight &&
             left.front().window == window;
           left = left.drop_front()) {
        const Part &part = left.front();
        bool sameLane = part.lane == lane;
        turn = sameLane ? turn + 1 : 0;
        turnOfHeight = sameLane && part.height == height ? turnOfHeight + 1 : 0;
        lane = part.lane;
        height = part.height;
        together.add(turn, height, part.count);
        apart[height].add(turnOfHeight, height, part.count);
      }
      cyclesTogether += together.finish(candidate.shape, loadPorts);
      for (Beside &beside : apart)
        cyclesApart += beside.finish(candidate.shape, loadPorts);
    }
    candidate.cycles[groupHeight] +=
        std::min(cyclesApart, cyclesTogether) + kCodeCycles;
  }
  // Each height has a share of what the strip takes.
  int64_t last = -1;
  for (const Part &part : parts)
    if (part.groupHeight != last) {
      last = part.groupHeight;
      candidate.cycles[last] += kStripCycles / double(numHeights);
    }
}

void WindowMeasure::finishStrips(Candidate &candidate, int64_t endRow) const {
  int64_t stripRows = candidate.shape.laneRows * kWindowLanes;
  std::vector<Part> &parts = candidate.parts;
  // Lanes come in order, but for those of one row of blocks.
  bool any = llvm::any_of(parts, [&](const Part &part) {
    return (part.lane / kWindowLanes + 1) * stripRows <= endRow;
  });
  if (!any)
    return;
  llvm::sort(parts, [](const Part &a, const Part &b) {
    return std::tuple(a.lane / kWindowLanes, a.groupHeight, a.window, a.lane,
                      -a.height, -a.count) <
           std::tuple(b.lane / kWindowLanes, b.groupHeight, b.window, b.lane,
                      -b.height, -b.count);
  });
  ArrayRef<Part> left = parts;
  while (!left.empty()) {
    int64_t strip = left.front().lane / kWindowLanes;
    if ((strip + 1) * stripRows > endRow)
      break;
    ArrayRef<Part> own = left.take_while(
        [&](const Part &part) { return part.lane / kWindowLanes == strip; });
    finishStrip(candidate, own);
    left = left.drop_front(own.size());
  }
  parts.erase(parts.begin(), parts.end() - left.size());
}

void WindowMeasure::addBlockRow(const BlockRowScanner &scanner,
                                int64_t endRow) {
  std::vector<int32_t> rows;
  // By number of inputs; there are two.
  llvm::SmallMapVector<int64_t, SmallVector<std::pair<int64_t, int64_t>>, 2>
      windows;
  for (const BlockRowScanner::Group &group : scanner.getGroups()) {
    if (group.rowCount > kMaxWindowRows)
      continue;
    rows.clear();
    scanner.appendRows(group, rows);
    windows.clear();
    for (Candidate &candidate : candidates) {
      int64_t size = candidate.shape.size;
      auto [counts, isNew] = windows.try_emplace(size);
      if (isNew)
        scanner.countColumns(group, size, counts->second);
      for (ArrayRef<int32_t> left = rows; !left.empty();) {
        int64_t lane = left.front() / candidate.shape.laneRows;
        ArrayRef<int32_t> own = left.take_while([&](int32_t row) {
          return row / candidate.shape.laneRows == lane;
        });
        for (auto [window, count] : counts->second)
          candidate.parts.push_back({group.rowCount, window, lane,
                                     static_cast<int64_t>(own.size()), count});
        left = left.drop_front(own.size());
      }
    }
  }
  for (Candidate &candidate : candidates)
    finishStrips(candidate, endRow);
}

void WindowMeasure::finish(BlockMeasure &measure) {
  const Candidate *best = nullptr;
  double least = std::numeric_limits<double>::infinity();
  for (Candidate &candidate : candidates) {
    finishStrips(candidate, std::numeric_limits<int64_t>::max());
    double all = 0;
    for (auto [height, cycles] : candidate.cycles)
      all += cycles;
    if (all < least) {
      least = all;
      best = &candidate;
    }
  }
  if (best)
    for (auto [height, cycles] : best->cycles)
      measure.heights[height].windowCycles = cycles;
}
