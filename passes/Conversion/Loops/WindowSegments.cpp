//===- WindowSegments.cpp - Parts of groups side by side ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowGroups.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Each height and number of steps is code of its own, all steps in a row: at
/// most so many of them.
static constexpr size_t kMaxCodes = 8;

/// Puts parts side by side: those of a lane, strip and window by turns, most
/// rows and columns first. If `apart`, parts of different heights are.
static std::vector<WindowSegment> bundle(ArrayRef<WindowPart> parts,
                                         ArrayRef<int64_t> order, bool apart) {
  std::map<std::tuple<int64_t, int64_t, int64_t, int64_t>, WindowSegment> found;
  std::tuple<int64_t, int64_t, int64_t, int64_t> last{-1, -1, -1, -1};
  int64_t turn = 0;
  for (int64_t number : order) {
    const WindowPart &part = parts[number];
    int64_t height = part.getHeight();
    int64_t key = apart ? height : 0;
    std::tuple place(part.strip, part.window, part.lane, key);
    turn = place == last ? turn + 1 : 0;
    last = place;
    auto [entry, isNew] = found.try_emplace(
        std::tuple(part.strip, part.window, key, turn), WindowSegment());
    WindowSegment &segment = entry->second;
    if (isNew) {
      segment.strip = part.strip;
      segment.window = part.window;
      segment.parts.fill(-1);
    }
    segment.height = std::max(segment.height, height);
    segment.steps = std::max(segment.steps, part.getNumColumns());
    segment.parts[part.lane] = number;
  }
  std::vector<WindowSegment> segments;
  for (auto &entry : found)
    segments.push_back(std::move(entry.second));
  return segments;
}

static int64_t countStrips(ArrayRef<WindowSegment> segments) {
  std::set<int64_t> strips;
  for (const WindowSegment &segment : segments)
    strips.insert(segment.strip);
  return static_cast<int64_t>(strips.size());
}

/// Lets segments take as many steps as others of their height where that costs
/// less than code of its own.
static void roundSteps(MutableArrayRef<WindowSegment> segments,
                       int64_t numStrips) {
  std::map<std::pair<int64_t, int64_t>, int64_t> counts;
  for (const WindowSegment &segment : segments)
    ++counts[{segment.height, segment.steps}];
  std::map<std::pair<int64_t, int64_t>, int64_t> rounded;
  while (true) {
    auto cheapest = counts.end();
    double least = 0;
    for (auto code = counts.begin(); code != counts.end(); ++code) {
      auto next = std::next(code);
      if (next == counts.end() || next->first.first != code->first.first)
        continue;
      double cost = double(code->second) *
                    double(next->first.second - code->first.second) *
                    double(code->first.first + 1);
      if (cheapest == counts.end() || cost < least) {
        cheapest = code;
        least = cost;
      }
    }
    if (cheapest == counts.end() ||
        (counts.size() <= kMaxCodes && least > kCodeCycles * double(numStrips)))
      break;
    auto next = std::next(cheapest);
    next->second += cheapest->second;
    rounded[cheapest->first] = next->first.second;
    counts.erase(cheapest);
  }
  for (WindowSegment &segment : segments)
    for (auto code = rounded.find({segment.height, segment.steps});
         code != rounded.end();
         code = rounded.find({segment.height, segment.steps}))
      segment.steps = code->second;
}

/// Of the columns that fill up a part to `steps`, how many are in the first
/// half of the window, at least and at most.
static std::pair<int64_t, int64_t> getLowRange(const WindowPart &part,
                                               int64_t steps) {
  int64_t count = part.getNumColumns(), low = part.numLow;
  return {low == count ? steps : low, low == 0 ? 0 : low + steps - count};
}

/// Sets `low` and `high` of segments of one height and number of steps: the
/// same of all but a few, which take every step from both halves.
static void chooseHalves(ArrayRef<WindowSegment *> segments,
                         ArrayRef<WindowPart> parts, int64_t numStrips) {
  int64_t steps = segments.front()->steps;
  // How many segments allow a `low` of so many at most, a `high` at least.
  std::map<std::pair<int64_t, int64_t>, int64_t> ranges;
  std::vector<std::pair<int64_t, int64_t>> own;
  for (const WindowSegment *segment : segments) {
    int64_t low = steps, high = 0;
    for (int64_t number : segment->parts)
      if (number >= 0) {
        auto [least, most] = getLowRange(parts[number], steps);
        low = std::min(low, most);
        high = std::max(high, least);
      }
    own.push_back({low, high});
    ++ranges[own.back()];
  }
  auto total = static_cast<int64_t>(segments.size());
  std::pair<int64_t, int64_t> best{0, steps};
  double least = double(total * steps);
  for (int64_t low = 0; low <= steps; ++low)
    for (int64_t high = low; high <= steps; ++high) {
      int64_t like = 0;
      for (const auto &[range, count] : ranges)
        if (range.first >= low && range.second <= high)
          like += count;
      double cost = double(like * (high - low) + (total - like) * steps);
      if (like < total)
        cost += kCodeCycles * double(numStrips);
      if (cost < least) {
        least = cost;
        best = {low, high};
      }
    }
  for (auto [segment, range] : llvm::zip(segments, own)) {
    bool like = range.first >= best.first && range.second <= best.second;
    segment->low = like ? best.first : 0;
    segment->high = like ? best.second : steps;
  }
}

/// Completes segments, sorts them and returns their cycles.
static double complete(MutableArrayRef<WindowSegment> segments,
                       const WindowGroups &groups) {
  int64_t numStrips = countStrips(segments);
  roundSteps(segments, numStrips);
  std::map<std::pair<int64_t, int64_t>, std::vector<WindowSegment *>> codes;
  for (WindowSegment &segment : segments)
    codes[{segment.height, segment.steps}].push_back(&segment);
  for (const auto &[key, some] : codes) {
    if (groups.shape.size > 2 * kWindowLanes) {
      chooseHalves(some, groups.parts, numStrips);
      continue;
    }
    for (WindowSegment *segment : some)
      segment->low = segment->high = segment->steps;
  }
  double cycles = 0;
  std::set<std::tuple<int64_t, int64_t, int64_t, int64_t>> keys;
  for (const WindowSegment &segment : segments) {
    keys.insert(segment.getKey());
    cycles += getSegmentCycles(groups.shape.laneRows, segment.height,
                               double(segment.steps),
                               double(segment.high - segment.low));
  }
  llvm::stable_sort(segments,
                    [](const WindowSegment &a, const WindowSegment &b) {
                      return std::tuple(a.strip, a.getKey(), a.window) <
                             std::tuple(b.strip, b.getKey(), b.window);
                    });
  return cycles +
         double(numStrips) * (kStripCycles + kCodeCycles * double(keys.size()));
}

double loops::formSegments(WindowGroups &groups, int64_t maxHeight) {
  std::vector<int64_t> order;
  for (auto [number, part] : llvm::enumerate(groups.parts))
    if (groups.structure.groups[part.group].rowCount <= maxHeight)
      order.push_back(static_cast<int64_t>(number));
  auto getKey = [&](int64_t number) {
    const WindowPart &part = groups.parts[number];
    return std::tuple(part.strip, part.window, part.lane, -part.getHeight(),
                      -part.getNumColumns(), number);
  };
  llvm::sort(order,
             [&](int64_t a, int64_t b) { return getKey(a) < getKey(b); });
  groups.segments = bundle(groups.parts, order, /*apart=*/true);
  double cycles = complete(groups.segments, groups);
  std::vector<WindowSegment> together =
      bundle(groups.parts, order, /*apart=*/false);
  if (double other = complete(together, groups); other < cycles) {
    cycles = other;
    groups.segments = std::move(together);
  }
  return cycles;
}

WindowLane loops::fillUp(const WindowGroups &groups,
                         const WindowSegment &segment, const WindowPart &part) {
  const PackedStructure &structure = groups.structure;
  const PackedGroup &group = structure.groups[part.group];
  int64_t size = groups.shape.size;
  int64_t count = part.getNumColumns();
  auto [least, most] = getLowRange(part, segment.steps);
  int64_t low = std::clamp(segment.low, least, most);
  // Columns of the first half by turns, then those of the second.
  std::vector<int64_t> sources, left(count);
  for (int64_t s = 0; s < low; ++s)
    sources.push_back(s % part.numLow);
  for (int64_t s = low; s < segment.steps; ++s)
    sources.push_back(part.numLow + (s - low) % (count - part.numLow));
  for (int64_t source : sources)
    ++left[source];

  WindowLane result;
  // The rows of the group, by their number in W.
  std::map<int32_t, int64_t> rows;
  int64_t firstRow =
      (part.strip * kWindowLanes + part.lane) * groups.shape.laneRows;
  for (auto [r, row] : llvm::enumerate(structure.getRows(group)))
    if (part.rows >> r & 1)
      rows[row] = static_cast<int64_t>(r);
  for (auto [row, position] : rows)
    result.rows.push_back(static_cast<int32_t>(row - firstRow));
  std::vector<int64_t> turns(count);
  for (int64_t source : sources) {
    // Registers behind the end of the input are moved back to end with it.
    int64_t column = structure.getColumns(group)[part.begin + source];
    int64_t place = column % size / kWindowLanes * kWindowLanes;
    int64_t begin = std::min(part.window * size + place,
                             structure.numColumns - kWindowLanes);
    result.columns.push_back(static_cast<int32_t>(place + column - begin));
    // A half, a quarter, ..., and once more what the one before had.
    int64_t halvings = std::min(++turns[source], left[source] - 1);
    for (auto [row, r] : rows)
      result.values.push_back(
          std::ldexp(groups.values[group.valueBegin +
                                   (part.begin + source) * group.rowCount + r],
                     -static_cast<int>(halvings)));
  }
  return result;
}
