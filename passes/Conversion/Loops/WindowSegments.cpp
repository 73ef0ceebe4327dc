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
    segment.steps.count = std::max(segment.steps.count, part.getNumColumns());
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
    ++counts[{segment.height, segment.steps.count}];
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
    for (auto code = rounded.find({segment.height, segment.steps.count});
         code != rounded.end();
         code = rounded.find({segment.height, segment.steps.count}))
      segment.steps.count = code->second;
}

namespace {
/// Segments in windows, and what they leave to parts anywhere.
struct Formation {
  std::vector<WindowSegment> segments;
  std::vector<WindowPart> parts;
  std::vector<int32_t> scattered;
  WindowCost cost;
};
} // namespace

/// Whether every lane that the output has runs all of its rows.
static bool isFull(const WindowSegment &segment, const WindowGroups &groups) {
  int64_t numLanes = groups.getNumLanes() - segment.strip * kWindowLanes;
  for (auto [lane, number] : llvm::enumerate(segment.parts))
    if (static_cast<int64_t>(lane) < numLanes &&
        (number < 0 ||
         groups.parts[number].getHeight() < groups.shape.laneRows))
      return false;
  return true;
}

/// The cost of a segment whose steps are set.
static void addCost(WindowCost &cost, const WindowGroups &groups,
                    const WindowSegment &segment) {
  const WindowSteps &steps = segment.steps;
  SegmentShape shape{groups.shape.laneRows, segment.height,
                     double(steps.count)};
  if (!segment.isAnywhere())
    shape.mixed = double(steps.count - steps.paired);
  shape.full = segment.full;
  shape.anywhere = segment.isAnywhere();
  cost.cycles += getSegmentCycles(shape, groups.machine.loadPorts);
  cost.bytes += 4 * kWindowLanes * segment.height * steps.count;
}

/// The time of segments of one strip if all but `most` lanes of each run whole.
/// Their steps are set to that.
static double limitSteps(MutableArrayRef<WindowSegment> segments,
                         const WindowGroups &groups, size_t most) {
  WindowCost cost;
  std::map<std::tuple<int64_t, int64_t, int64_t>, int64_t> left;
  SmallVector<int64_t, kWindowLanes> counts;
  for (WindowSegment &segment : segments) {
    counts.clear();
    for (int64_t number : segment.parts)
      if (number >= 0)
        counts.push_back(groups.parts[number].getNumColumns());
    llvm::sort(counts, std::greater<>());
    segment.steps.count = most < counts.size() ? counts[most] : 0;
    if (segment.steps.count > 0) {
      segment.steps.paired =
          segment.steps.count -
          std::lround(estimateMixed(groups.shape, double(segment.steps.count)));
      addCost(cost, groups, segment);
    }
    for (int64_t number : segment.parts) {
      if (number < 0)
        continue;
      const WindowPart &part = groups.parts[number];
      if (part.getNumColumns() > segment.steps.count)
        left[{part.lane, part.group, part.getHeight()}] +=
            part.getNumColumns() - segment.steps.count;
    }
  }
  // By turns of each lane, as they will be bundled.
  std::map<int64_t, std::vector<std::pair<int64_t, int64_t>>> lanes;
  for (auto [key, count] : left)
    lanes[std::get<0>(key)].push_back({std::get<2>(key), count});
  std::vector<WindowSegment> turns;
  for (auto &[lane, list] : lanes) {
    llvm::sort(list, std::greater<>());
    turns.resize(std::max(turns.size(), list.size()));
    for (auto [turn, item] : llvm::zip(turns, list)) {
      turn.window = kAnywhere;
      turn.height = std::max(turn.height, item.first);
      turn.steps.count = std::max(turn.steps.count, item.second);
    }
  }
  for (const WindowSegment &segment : turns)
    addCost(cost, groups, segment);
  return groups.getTime(cost.cycles, double(cost.bytes));
}

/// Sets the steps of segments strip by strip: where few lanes have more columns
/// than the others, these are left to parts anywhere.
static void chooseSteps(MutableArrayRef<WindowSegment> segments,
                        const WindowGroups &groups) {
  while (!segments.empty()) {
    int64_t strip = segments.front().strip;
    MutableArrayRef<WindowSegment> own = segments.take_while(
        [&](const WindowSegment &s) { return s.strip == strip; });
    segments = segments.drop_front(own.size());
    for (WindowSegment &segment : own)
      segment.full = isFull(segment, groups);
    size_t best = 0;
    double least = limitSteps(own, groups, 0);
    for (size_t most : {1, 2, 3, 4, 5, 6, 8, 10, 12, 16})
      if (double taken = limitSteps(own, groups, most); taken < least) {
        least = taken;
        best = most;
      }
    limitSteps(own, groups, best);
  }
}

/// Makes parts anywhere of what the segments leave, each of one lane and group.
static void collectLeftOver(Formation &formation, const WindowGroups &groups) {
  // By strip, lane and group: all parts of these have the same rows.
  std::map<std::tuple<int64_t, int64_t, int64_t>,
           std::pair<uint32_t, std::vector<int32_t>>>
      left;
  for (const WindowSegment &segment : formation.segments)
    for (int64_t number : segment.parts) {
      if (number < 0)
        continue;
      const WindowPart &part = groups.parts[number];
      if (part.getNumColumns() <= segment.steps.count)
        continue;
      auto &[rows, columns] = left[{part.strip, part.lane, part.group}];
      rows = part.rows;
      SmallVector<int64_t> taken = assignColumns(part.registers, segment.steps,
                                                 groups.getNumRegisters());
      for (int64_t i = 0; i < part.getNumColumns(); ++i)
        if (!llvm::is_contained(taken, i))
          columns.push_back(static_cast<int32_t>(part.begin + i));
    }
  for (auto &[key, entry] : left) {
    auto &[rows, columns] = entry;
    WindowPart part;
    std::tie(part.strip, part.lane, part.group) = key;
    part.window = kAnywhere;
    part.rows = rows;
    part.begin = static_cast<int64_t>(formation.scattered.size());
    part.end = part.begin + static_cast<int64_t>(columns.size());
    llvm::append_range(formation.scattered, columns);
    formation.parts.push_back(part);
  }
}

/// Sets how many steps are paired in segments of one height and number of
/// steps: as many in all but a few.
static void choosePaired(ArrayRef<WindowSegment *> segments,
                         const WindowGroups &groups, int64_t numStrips) {
  int64_t steps = segments.front()->steps.count;
  std::vector<int64_t> own;
  for (const WindowSegment *segment : segments) {
    int64_t paired = steps;
    for (int64_t number : segment->parts)
      if (number >= 0)
        paired = std::min(paired, countPaired(groups.parts[number].registers,
                                              steps, groups.getNumRegisters()));
    own.push_back(paired);
  }
  auto total = static_cast<int64_t>(segments.size());
  int64_t fewest = *llvm::min_element(own), best = fewest;
  auto least = double(total * (steps - fewest));
  for (int64_t paired = fewest + 1; paired <= steps; ++paired) {
    int64_t like = llvm::count_if(own, [&](int64_t n) { return n >= paired; });
    double cost = double(like * (steps - paired)) +
                  double((total - like) * (steps - fewest)) +
                  (like < total ? kCodeCycles * double(numStrips) : 0);
    if (cost < least) {
      least = cost;
      best = paired;
    }
  }
  for (auto [segment, paired] : llvm::zip(segments, own))
    segment->steps.paired = paired >= best ? best : fewest;
}

/// Sets what the code of segments in windows depends on.
static void chooseCodes(MutableArrayRef<WindowSegment> segments,
                        const WindowGroups &groups) {
  int64_t numStrips = countStrips(segments);
  std::map<std::pair<int64_t, int64_t>, std::vector<WindowSegment *>> codes;
  for (WindowSegment &segment : segments)
    codes[{segment.height, segment.steps.count}].push_back(&segment);
  for (const auto &[key, some] : codes) {
    choosePaired(some, groups, numStrips);
    // What few would gain is not worth code of its own.
    int64_t numFull = llvm::count_if(
        some, [](const WindowSegment *segment) { return segment->full; });
    if (2 * numFull < static_cast<int64_t>(some.size()))
      for (WindowSegment *segment : some)
        segment->full = false;
  }
}

static std::vector<int64_t> sortParts(ArrayRef<WindowPart> parts,
                                      std::vector<int64_t> numbers) {
  auto getKey = [&](int64_t number) {
    const WindowPart &part = parts[number];
    return std::tuple(part.strip, part.window, part.lane, -part.getHeight(),
                      -part.getNumColumns(), number);
  };
  llvm::sort(numbers,
             [&](int64_t a, int64_t b) { return getKey(a) < getKey(b); });
  return numbers;
}

/// The cost of segments and of the loops around them.
static WindowCost getCost(ArrayRef<WindowSegment> segments,
                          const WindowGroups &groups) {
  WindowCost cost;
  std::set<decltype(WindowSegment().getKey())> keys;
  for (const WindowSegment &segment : segments) {
    keys.insert(segment.getKey());
    addCost(cost, groups, segment);
  }
  double strip = kStripCycles + kCodeCycles * double(keys.size()) +
                 (groups.order.empty() ? 0 : kOrderCycles);
  cost.cycles += double(countStrips(segments)) * strip;
  return cost;
}

/// Forms the segments of parts in windows, sorted by `sortParts`, and of what
/// these leave. The latter's parts have numbers behind those in windows.
static Formation form(WindowGroups &groups, ArrayRef<int64_t> numbers,
                      bool apart) {
  Formation formation;
  std::vector<WindowSegment> &segments = formation.segments;
  segments = bundle(groups.parts, numbers, apart);
  chooseSteps(segments, groups);
  auto empty = std::stable_partition(
      segments.begin(), segments.end(),
      [](const WindowSegment &segment) { return segment.steps.count > 0; });
  MutableArrayRef<WindowSegment> run(segments.data(), empty - segments.begin());
  roundSteps(run, countStrips(run));
  chooseCodes(run, groups);
  collectLeftOver(formation, groups);
  segments.erase(empty, segments.end());

  groups.parts.resize(groups.numInWindows);
  llvm::append_range(groups.parts, formation.parts);
  std::vector<int64_t> anywhere(formation.parts.size());
  std::iota(anywhere.begin(), anywhere.end(), groups.numInWindows);
  for (WindowSegment &segment :
       bundle(groups.parts, sortParts(groups.parts, anywhere), apart)) {
    segment.full = isFull(segment, groups);
    segments.push_back(std::move(segment));
  }
  formation.cost = getCost(segments, groups);
  return formation;
}

WindowCost loops::formSegments(WindowGroups &groups, int64_t maxHeight) {
  groups.parts.resize(groups.numInWindows);
  std::vector<int64_t> numbers;
  for (auto [number, part] : llvm::enumerate(groups.parts))
    if (groups.structure.groups[part.group].rowCount <= maxHeight)
      numbers.push_back(static_cast<int64_t>(number));
  numbers = sortParts(groups.parts, std::move(numbers));
  Formation best = form(groups, numbers, /*apart=*/true);
  Formation together = form(groups, numbers, /*apart=*/false);
  auto getTime = [&](const Formation &formation) {
    return groups.getTime(formation.cost.cycles, double(formation.cost.bytes));
  };
  if (getTime(together) < getTime(best))
    best = std::move(together);
  groups.parts.resize(groups.numInWindows);
  llvm::append_range(groups.parts, best.parts);
  groups.scattered = std::move(best.scattered);
  groups.segments = std::move(best.segments);
  llvm::stable_sort(groups.segments,
                    [](const WindowSegment &a, const WindowSegment &b) {
                      return std::tuple(a.strip, a.getKey(), a.window) <
                             std::tuple(b.strip, b.getKey(), b.window);
                    });
  return best.cost;
}

WindowLane loops::fillUp(const WindowGroups &groups,
                         const WindowSegment &segment, const WindowPart &part) {
  const PackedStructure &structure = groups.structure;
  const PackedGroup &group = structure.groups[part.group];
  int64_t size = groups.shape.size;
  int64_t steps = segment.steps.count;
  SmallVector<int64_t> sources, shares(part.getNumColumns());
  if (segment.isAnywhere())
    for (int64_t s = 0; s < steps; ++s)
      sources.push_back(s % part.getNumColumns());
  else
    sources =
        assignColumns(part.registers, segment.steps, groups.getNumRegisters());
  for (int64_t source : sources)
    ++shares[source];

  WindowLane result;
  // The rows of the group, by their number in W.
  std::map<int32_t, int64_t> rows;
  int64_t firstRow =
      groups.getRows(part.strip, part.lane) * groups.shape.laneRows;
  for (auto [r, row] : llvm::enumerate(structure.getRows(group)))
    if (part.rows >> r & 1)
      rows[row] = static_cast<int64_t>(r);
  for (auto [row, position] : rows)
    result.rows.push_back(static_cast<int32_t>(row - firstRow));
  SmallVector<int64_t> turns(part.getNumColumns());
  for (int64_t source : sources) {
    int64_t position = groups.getColumn(part, source);
    int64_t column = structure.getColumns(group)[position];
    if (!segment.isAnywhere()) {
      // Registers behind the end of the input are moved back to end with it.
      int64_t place = column % size / kWindowLanes * kWindowLanes;
      int64_t begin = std::min(part.window * size + place,
                               structure.numColumns - kWindowLanes);
      column = place + column - begin;
    }
    result.columns.push_back(static_cast<int32_t>(column));
    // A half, a quarter, ..., and once more what the one before had.
    int64_t halvings = std::min(++turns[source], shares[source] - 1);
    for (auto [row, r] : rows)
      result.values.push_back(std::ldexp(
          groups.values[group.valueBegin + position * group.rowCount + r],
          -static_cast<int>(halvings)));
  }
  return result;
}
