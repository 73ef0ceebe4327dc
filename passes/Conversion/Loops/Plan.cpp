//===- Plan.cpp - What a layer's loops visit ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Plan.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <tuple>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Rows that `readsTallest` rounds up to: lanes of the widest vectors.
static constexpr int64_t kTallestMultiple = 16;

namespace {
/// A part of a packed group: the rows at these positions of the group.
struct Piece {
  const PackedGroup *group;
  SmallVector<int64_t> positions;
  int64_t convGroup;
};
} // namespace

int64_t KernelPlan::getMaxAccumulated() const {
  int64_t most = 0;
  for (size_t i = 0; i + 1 < accumulatedBounds.size(); ++i)
    most = std::max(most, accumulatedBounds[i + 1] - accumulatedBounds[i]);
  return most;
}

/// Height of the next piece of a group with `rest` rows left.
static int64_t getPieceHeight(int64_t rest, const PlanOptions &options) {
  if (rest >= options.maxHeight)
    return options.maxHeight;
  if (rest > options.heightMultiple)
    return rest - rest % options.heightMultiple;
  return rest;
}

/// Cuts groups into pieces that the kernel has a body for.
static std::vector<Piece> cutGroups(const PackedStructure &structure,
                                    const PlanOptions &options) {
  int64_t rowsPerConvGroup = structure.numRows / options.convGroups;
  std::vector<Piece> pieces;
  for (const PackedGroup &group : structure.groups) {
    ArrayRef<int32_t> rows = structure.getRows(group);
    std::map<int64_t, SmallVector<int64_t>> byConvGroup;
    for (auto [position, row] : llvm::enumerate(rows))
      byConvGroup[row / rowsPerConvGroup].push_back(position);
    for (auto &[convGroup, positions] : byConvGroup) {
      ArrayRef<int64_t> rest = positions;
      while (!rest.empty()) {
        int64_t height = getPieceHeight(rest.size(), options);
        pieces.push_back(
            {&group, SmallVector<int64_t>(rest.take_front(height)), convGroup});
        rest = rest.drop_front(height);
      }
    }
  }
  return pieces;
}

/// Positions of a piece's columns in its group, in the order of the kernel.
static SmallVector<int64_t> getColumnOrder(const PackedStructure &structure,
                                           const Piece &piece,
                                           ArrayRef<int32_t> offsets) {
  ArrayRef<int32_t> columns = structure.getColumns(*piece.group);
  SmallVector<int64_t> order(columns.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(order, [&](int64_t a, int64_t b) {
    return offsets[columns[a]] < offsets[columns[b]];
  });
  return order;
}

/// Appends the values of a piece, column by column.
static void appendValues(const Piece &piece, ArrayRef<int64_t> order,
                         ArrayRef<float> values, std::vector<float> &result) {
  for (int64_t i : order) {
    const float *column =
        values.data() + piece.group->valueBegin + i * piece.group->rowCount;
    for (int64_t position : piece.positions)
      result.push_back(column[position]);
  }
}

/// Whether the values of a piece are those of its group in their order.
static bool keepsValues(const Piece &piece, ArrayRef<int64_t> order) {
  return static_cast<int64_t>(piece.positions.size()) ==
             piece.group->rowCount &&
         llvm::is_sorted(piece.positions) && llvm::is_sorted(order);
}

/// Shares `weights` out: item i goes to the chunk that the middle of its weight
/// lies in, so neighbours stay together and sums differ by one item at most.
static std::vector<int64_t> shareOut(ArrayRef<int64_t> weights,
                                     int64_t chunks) {
  int64_t total = 0;
  for (int64_t weight : weights)
    total += weight;
  std::vector<int64_t> result;
  int64_t before = 0;
  for (int64_t weight : weights) {
    int64_t middle = 2 * before + weight;
    result.push_back(std::min(chunks - 1, middle * chunks /
                                              std::max<int64_t>(2 * total, 1)));
    before += weight;
  }
  return result;
}

/// Where each chunk begins in a list whose items are sorted by chunk.
template <typename Range, typename GetChunk>
static std::vector<int64_t> getBounds(const Range &sorted, int64_t chunks,
                                      GetChunk getChunk) {
  std::vector<int64_t> bounds(chunks + 1, 0);
  for (const auto &item : sorted)
    ++bounds[getChunk(item) + 1];
  for (int64_t i = 0; i < chunks; ++i)
    bounds[i + 1] += bounds[i];
  return bounds;
}

/// Gives each group its chunk: as the matrix was cut, or else by stored
/// weights. Groups that are `tied` to each other have a row in common.
static void assignChunks(KernelPlan &plan, ArrayRef<Piece> pieces,
                         const PackedStructure &structure,
                         const llvm::EquivalenceClasses<int64_t> &tied,
                         const PlanOptions &options) {
  if (static_cast<int64_t>(options.chunkStarts.size()) == options.chunks) {
    for (auto [group, piece] : llvm::zip_equal(plan.groups, pieces)) {
      int64_t index = piece.group - structure.groups.data();
      group.chunk = llvm::upper_bound(options.chunkStarts, index) -
                    options.chunkStarts.begin() - 1;
    }
    return;
  }
  std::map<int64_t, int64_t> weightOf;
  std::vector<int64_t> leaders;
  for (auto [index, piece] : llvm::enumerate(pieces)) {
    int64_t leader = tied.getLeaderValue(index);
    auto [entry, isNew] = weightOf.try_emplace(leader, 0);
    if (isNew)
      leaders.push_back(leader);
    entry->second += plan.groups[index].height * piece.group->columnCount;
  }
  std::vector<int64_t> weights;
  for (int64_t leader : leaders)
    weights.push_back(weightOf[leader]);
  std::map<int64_t, int64_t> chunkOf;
  for (auto [leader, chunk] :
       llvm::zip_equal(leaders, shareOut(weights, options.chunks)))
    chunkOf[leader] = chunk;
  for (auto [index, group] : llvm::enumerate(plan.groups))
    group.chunk = chunkOf[tied.getLeaderValue(index)];
}

/// Numbers chunks anew: for each old one the sets of groups that are `tied`,
/// and then the groups that share no rows.
static void separateSums(KernelPlan &plan,
                         const llvm::EquivalenceClasses<int64_t> &tied,
                         int64_t chunks) {
  constexpr int64_t kNoSums = std::numeric_limits<int64_t>::max();
  std::map<std::pair<int64_t, int64_t>, int64_t> unitOf;
  auto getKey = [&](size_t index) {
    const KernelGroup &group = plan.groups[index];
    return std::pair(group.chunk,
                     group.accumulate ? tied.getLeaderValue(index) : kNoSums);
  };
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    unitOf[{chunk, kNoSums}] = 0;
  for (size_t index = 0; index < plan.groups.size(); ++index)
    unitOf[getKey(index)] = 0;
  plan.chunkUnits = {0};
  int64_t numUnits = 0;
  for (auto &[key, unit] : unitOf) {
    unit = numUnits++;
    if (key.second == kNoSums)
      plan.chunkUnits.push_back(numUnits);
  }
  for (size_t index = 0; index < plan.groups.size(); ++index)
    plan.groups[index].chunk = unitOf[getKey(index)];
}

/// Puts the groups of a class side by side, sums first, tall groups first:
/// their chunks are the ones to start early. Returns the order of the pieces.
static SmallVector<size_t> sortGroups(KernelPlan &plan, int64_t chunks) {
  auto classOf = [](const KernelGroup &group) {
    return std::make_tuple(!group.accumulate, -group.height, !group.contiguous);
  };
  SmallVector<size_t> order(plan.groups.size());
  std::iota(order.begin(), order.end(), 0);
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    const KernelGroup &x = plan.groups[a], &y = plan.groups[b];
    return std::make_tuple(classOf(x), x.chunk, x.sortedColumns) <
           std::make_tuple(classOf(y), y.chunk, y.sortedColumns);
  });
  std::vector<KernelGroup> sorted;
  for (size_t index : order)
    sorted.push_back(plan.groups[index]);
  plan.groups = std::move(sorted);
  for (size_t begin = 0; begin < plan.groups.size();) {
    const KernelGroup &first = plan.groups[begin];
    size_t end = begin;
    while (end < plan.groups.size() &&
           classOf(plan.groups[end]) == classOf(first))
      ++end;
    KernelClass entry;
    entry.height = first.height;
    entry.accumulate = first.accumulate;
    entry.contiguous = first.contiguous;
    entry.bounds =
        getBounds(ArrayRef(plan.groups).slice(begin, end - begin), chunks,
                  [](const auto &group) { return group.chunk; });
    for (int64_t &bound : entry.bounds)
      bound += begin;
    plan.classes.push_back(std::move(entry));
    begin = end;
  }
  return order;
}

/// Lays out the rows, columns and values of the sorted groups. `getRow` gives
/// what the list of rows has for a row of a group.
static void
layOut(KernelPlan &plan, const PackedStructure &structure,
       ArrayRef<Piece> pieces, ArrayRef<size_t> order, ArrayRef<float> values,
       const PlanOptions &options,
       llvm::function_ref<int32_t(const KernelGroup &, int32_t)> getRow) {
  std::vector<float> newValues;
  newValues.reserve(values.size());
  bool moved = false;
  for (KernelClass &entry : plan.classes) {
    entry.columnBegin = plan.columns.size();
    entry.valueBegin = newValues.size();
    entry.consecutive = true;
    std::vector<int32_t> rows;
    for (int64_t g = entry.bounds.front(); g < entry.bounds.back(); ++g) {
      const Piece &piece = pieces[order[g]];
      for (int64_t position : piece.positions)
        rows.push_back(getRow(
            plan.groups[g], structure.rows[piece.group->rowBegin + position]));
      for (int64_t i = 1; i < entry.height; ++i)
        entry.consecutive &=
            rows[rows.size() - i] == rows[rows.size() - i - 1] + 1;
      plan.columnBegins.push_back(plan.columns.size());
      SmallVector<int64_t> columns =
          getColumnOrder(structure, piece, options.offsets);
      for (int64_t i : columns)
        plan.columns.push_back(structure.getColumns(*piece.group)[i]);
      moved |=
          piece.group->valueBegin != static_cast<int64_t>(newValues.size()) ||
          !keepsValues(piece, columns);
      appendValues(piece, columns, values, newValues);
    }
    entry.rowBegin = plan.rows.size();
    for (size_t i = 0; i < rows.size(); ++i)
      if (!entry.consecutive || i % entry.height == 0)
        plan.rows.push_back(rows[i]);
  }
  plan.columnBegins.push_back(plan.columns.size());
  if (moved)
    plan.values = std::move(newValues);
}

int64_t loops::getOverread(const KernelPlan &plan, const PlanOptions &options) {
  int64_t most = 0;
  for (const KernelClass &entry : plan.classes)
    if (options.vectorRows > 0) {
      auto rest = static_cast<uint64_t>(entry.height % options.vectorRows);
      most =
          std::max(most, static_cast<int64_t>(llvm::PowerOf2Ceil(rest) - rest));
    }
  if (options.readsTallest)
    for (const KernelClass &entry : plan.classes)
      most = std::max<int64_t>(
          most, llvm::alignTo(plan.classes.front().height, kTallestMultiple) -
                    entry.height);
  return most;
}

KernelPlan loops::makePlan(const PackedStructure &structure,
                           ArrayRef<float> values, const PlanOptions &options) {
  KernelPlan plan;
  std::vector<Piece> pieces = cutGroups(structure, options);
  std::vector<int32_t> uses(structure.numRows, 0);
  auto getRow = [&](const Piece &piece, size_t i) {
    return structure.rows[piece.group->rowBegin + piece.positions[i]];
  };
  for (const Piece &piece : pieces)
    for (size_t i = 0; i < piece.positions.size(); ++i)
      ++uses[getRow(piece, i)];

  // Pieces that share a row have to run on one thread.
  llvm::EquivalenceClasses<int64_t> tied;
  std::vector<int64_t> owner(structure.numRows, -1);
  for (auto [index, piece] : llvm::enumerate(pieces)) {
    KernelGroup group;
    group.height = piece.positions.size();
    group.convGroup = piece.convGroup;
    if (options.sortByColumns)
      group.sortedColumns = piece.group->columnCount;
    group.contiguous = options.separateContiguous;
    tied.insert(index);
    for (size_t i = 0; i < piece.positions.size(); ++i) {
      int32_t row = getRow(piece, i);
      group.accumulate |= uses[row] > 1;
      group.contiguous &= row == getRow(piece, 0) + static_cast<int32_t>(i);
      if (owner[row] >= 0)
        tied.unionSets(owner[row], index);
      owner[row] = index;
    }
    group.contiguous &= !group.accumulate;
    plan.groups.push_back(group);
  }
  assignChunks(plan, pieces, structure, tied, options);
  int64_t numChunks = options.chunks;
  plan.chunkUnits.resize(numChunks + 1);
  std::iota(plan.chunkUnits.begin(), plan.chunkUnits.end(), 0);
  if (options.separateSums) {
    separateSums(plan, tied, numChunks);
    numChunks = plan.chunkUnits.back();
  }

  // Rows that are sums, by chunk; groups refer to them by position.
  std::vector<int32_t> slot(structure.numRows, -1);
  std::vector<std::pair<int64_t, int32_t>> accumulated;
  for (auto [group, piece] : llvm::zip_equal(plan.groups, pieces)) {
    if (!group.accumulate)
      continue;
    for (size_t i = 0; i < piece.positions.size(); ++i) {
      int32_t row = getRow(piece, i);
      if (slot[row] < 0)
        accumulated.push_back({group.chunk, row});
      slot[row] = 0;
    }
  }
  llvm::sort(accumulated);
  plan.accumulatedBounds = getBounds(
      accumulated, numChunks, [](const auto &item) { return item.first; });
  for (auto [position, item] : llvm::enumerate(accumulated)) {
    plan.accumulated.push_back(item.second);
    slot[item.second] =
        static_cast<int32_t>(position - plan.accumulatedBounds[item.first]);
  }

  std::vector<int32_t> empty;
  for (int64_t row = 0; row < structure.numRows; ++row)
    if (uses[row] == 0)
      empty.push_back(row);
  std::vector<int64_t> emptyChunks =
      shareOut(std::vector<int64_t>(empty.size(), 1), options.chunks);
  plan.emptyBounds = getBounds(emptyChunks, numChunks, [&](int64_t chunk) {
    return plan.chunkUnits[chunk + 1] - 1;
  });
  plan.empty = std::move(empty);

  SmallVector<size_t> order = sortGroups(plan, numChunks);
  layOut(plan, structure, pieces, order, values, options,
         [&](const KernelGroup &group, int32_t row) {
           return group.accumulate && options.numberSums ? slot[row] : row;
         });
  return plan;
}
