//===- WindowModel.cpp - Block rows along a vector ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/WindowModel.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <limits>

using namespace mlir;
using namespace mlir::bcr;

/// Cycles of a segment, of each row that it has, of that for each row of a
/// lane that it can be; of a step, of each row of it, of one that takes its
/// inputs from both halves of a window. From loops in C on a Zen 5 core, in the
/// first cache; and the bytes of a step that arrive from the second in a cycle.
static constexpr double kSegmentCycles = 6;
static constexpr double kSegmentRowCycles = 2;
static constexpr double kLaneRowCycles = 0.5;
static constexpr double kStepCycles = 0.9;
static constexpr double kStepRowCycles = 0.5;
static constexpr double kMixedCycles = 1.0;
static constexpr double kStepBytesPerCycle = 40;

double mlir::bcr::getSegmentCycles(int64_t laneRows, int64_t height,
                                   double steps, double mixed) {
  auto rows = double(height);
  double computing =
      steps * (kStepCycles + kStepRowCycles * rows) + kMixedCycles * mixed;
  double loading = steps * (64 * rows + 16) / kStepBytesPerCycle;
  return kSegmentCycles +
         rows * (kSegmentRowCycles +
                 kLaneRowCycles * double(laneRows - height + 1)) +
         std::max(computing, loading);
}

WindowMeasure::WindowMeasure() {
  for (WindowShape shape : kWindowShapes)
    candidates.push_back({shape, {}, {}});
}

/// Puts the parts of a lane beside those of the lanes before, most rows first.
static void putBeside(SmallVectorImpl<std::pair<int64_t, int64_t>> &segments,
                      ArrayRef<std::pair<int64_t, int64_t>> parts) {
  if (segments.size() < parts.size())
    segments.resize(parts.size());
  for (auto [segment, part] : llvm::zip(segments, parts))
    segment = {std::max(segment.first, part.first),
               std::max(segment.second, part.second)};
}

void WindowMeasure::finishStrips(Candidate &candidate, int64_t endRow) {
  const WindowShape &shape = candidate.shape;
  int64_t stripRows = shape.laneRows * kWindowLanes;
  auto getCycles = [&](ArrayRef<Part> segments) {
    double cycles = 0;
    for (auto [height, steps] : segments)
      cycles += getSegmentCycles(
          shape.laneRows, height, double(steps),
          shape.size > 2 * kWindowLanes ? double(steps) / 2 : 0.0);
    return cycles;
  };
  while (!candidate.lanes.empty()) {
    int64_t strip = candidate.lanes.begin()->first / kWindowLanes;
    if ((strip + 1) * stripRows > endRow)
      return;
    // Segments with parts of one height, and of all.
    std::map<std::tuple<int64_t, int64_t, int64_t>, SmallVector<Part>> apart;
    std::map<std::pair<int64_t, int64_t>, SmallVector<Part>> together;
    while (!candidate.lanes.empty() &&
           candidate.lanes.begin()->first / kWindowLanes == strip) {
      for (auto &[key, parts] : candidate.lanes.begin()->second) {
        llvm::sort(parts, std::greater<>());
        putBeside(together[key], parts);
        for (ArrayRef<Part> left = parts; !left.empty();) {
          int64_t height = left.front().first;
          ArrayRef<Part> like = left.take_while(
              [&](const Part &part) { return part.first == height; });
          putBeside(apart[{key.first, key.second, height}], like);
          left = left.drop_front(like.size());
        }
      }
      candidate.lanes.erase(candidate.lanes.begin());
    }
    std::map<int64_t, std::pair<double, double>> cycles;
    for (const auto &[key, segments] : apart)
      cycles[std::get<0>(key)].first += getCycles(segments);
    for (const auto &[key, segments] : together)
      cycles[key.first].second += getCycles(segments);
    double share = kStripCycles / double(cycles.size()) + kCodeCycles;
    for (const auto &[height, own] : cycles)
      candidate.cycles[height] += std::min(own.first, own.second) + share;
  }
}

void WindowMeasure::addBlockRow(const BlockRowScanner &scanner,
                                int64_t endRow) {
  for (const BlockRowScanner::Group &group : scanner.getGroups()) {
    if (group.rowCount > kMaxWindowRows)
      continue;
    std::vector<int32_t> rows;
    scanner.appendRows(group, rows);
    // By number of inputs.
    std::map<int64_t, std::map<int64_t, int64_t>> windows;
    for (Candidate &candidate : candidates) {
      int64_t size = candidate.shape.size;
      auto [counts, isNew] = windows.try_emplace(size);
      if (isNew)
        counts->second = scanner.countColumns(group, size);
      std::map<int64_t, int64_t> heights;
      for (int32_t row : rows)
        ++heights[row / candidate.shape.laneRows];
      for (auto [lane, height] : heights)
        for (auto [window, count] : counts->second)
          candidate.lanes[lane][{group.rowCount, window}].push_back(
              {height, count});
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
