//===- Plan.cpp - What a layer's loops visit ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Plan.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <map>
#include <tuple>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

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

/// Lays the values of the pieces out one after the other, column by column.
static std::vector<float> cutValues(ArrayRef<Piece> pieces,
                                    ArrayRef<float> values) {
  std::vector<float> result;
  result.reserve(values.size());
  for (const Piece &piece : pieces) {
    const float *column = values.data() + piece.group->valueBegin;
    for (int64_t i = 0; i < piece.group->columnCount; ++i) {
      for (int64_t position : piece.positions)
        result.push_back(column[position]);
      column += piece.group->rowCount;
    }
  }
  return result;
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
  for (auto [index, group] : llvm::enumerate(plan.groups)) {
    int64_t leader = tied.getLeaderValue(index);
    auto [entry, isNew] = weightOf.try_emplace(leader, 0);
    if (isNew)
      leaders.push_back(leader);
    entry->second += group.height * (group.columnEnd - group.columnBegin);
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

KernelPlan loops::makePlan(const PackedStructure &structure,
                           ArrayRef<float> values, const PlanOptions &options) {
  KernelPlan plan;
  std::vector<Piece> pieces = cutGroups(structure, options);
  bool cut = pieces.size() != structure.groups.size();
  for (const Piece &piece : pieces)
    cut |= !llvm::is_sorted(piece.positions);
  if (cut)
    plan.values = cutValues(pieces, values);

  std::vector<int32_t> uses(structure.numRows, 0);
  auto getRow = [&](const Piece &piece, int64_t position) {
    return structure.rows[piece.group->rowBegin + position];
  };
  for (const Piece &piece : pieces)
    for (int64_t position : piece.positions)
      ++uses[getRow(piece, position)];

  // Pieces that share a row have to run on one thread.
  llvm::EquivalenceClasses<int64_t> tied;
  std::vector<int64_t> owner(structure.numRows, -1);
  int64_t valueBegin = 0;
  for (auto [index, piece] : llvm::enumerate(pieces)) {
    KernelGroup group;
    group.height = piece.positions.size();
    group.columnBegin = piece.group->columnBegin;
    group.columnEnd = group.columnBegin + piece.group->columnCount;
    group.valueBegin = valueBegin;
    group.convGroup = piece.convGroup;
    group.rowBegin = plan.rows.size();
    group.contiguous = options.separateContiguous;
    tied.insert(index);
    for (int64_t position : piece.positions) {
      int32_t row = getRow(piece, position);
      plan.rows.push_back(row);
      group.accumulate |= uses[row] > 1;
      group.contiguous &= row == plan.rows[group.rowBegin] +
                                     static_cast<int64_t>(plan.rows.size()) -
                                     1 - group.rowBegin;
      if (owner[row] >= 0)
        tied.unionSets(owner[row], index);
      owner[row] = index;
    }
    group.contiguous &= !group.accumulate;
    valueBegin += group.height * piece.group->columnCount;
    plan.groups.push_back(group);
  }

  assignChunks(plan, pieces, structure, tied, options);

  // Rows that are sums, by chunk; groups refer to them by position.
  std::vector<int64_t> slot(structure.numRows, -1);
  std::vector<std::pair<int64_t, int32_t>> accumulated;
  for (const KernelGroup &group : plan.groups) {
    if (!group.accumulate)
      continue;
    for (int64_t i = 0; i < group.height; ++i) {
      int32_t row = plan.rows[group.rowBegin + i];
      if (slot[row] < 0)
        accumulated.push_back({group.chunk, row});
      slot[row] = 0;
    }
  }
  llvm::sort(accumulated);
  plan.accumulatedBounds = getBounds(
      accumulated, options.chunks, [](const auto &item) { return item.first; });
  for (auto [position, item] : llvm::enumerate(accumulated)) {
    plan.accumulated.push_back(item.second);
    slot[item.second] = position - plan.accumulatedBounds[item.first];
  }
  for (const KernelGroup &group : plan.groups)
    if (group.accumulate)
      for (int64_t i = 0; i < group.height; ++i) {
        int32_t &row = plan.rows[group.rowBegin + i];
        row = slot[row];
      }

  std::vector<int32_t> empty;
  for (int64_t row = 0; row < structure.numRows; ++row)
    if (uses[row] == 0)
      empty.push_back(row);
  std::vector<int64_t> emptyChunks =
      shareOut(std::vector<int64_t>(empty.size(), 1), options.chunks);
  plan.emptyBounds = getBounds(emptyChunks, options.chunks,
                               [](int64_t chunk) { return chunk; });
  plan.empty = std::move(empty);

  // Sums first, tall groups first: their chunks are the ones to start early.
  auto classOf = [](const KernelGroup &group) {
    return std::make_tuple(!group.accumulate, -group.height, !group.contiguous);
  };
  llvm::stable_sort(plan.groups, [&](const auto &a, const auto &b) {
    return std::make_tuple(classOf(a), a.chunk) <
           std::make_tuple(classOf(b), b.chunk);
  });
  for (size_t begin = 0; begin < plan.groups.size();) {
    const KernelGroup &first = plan.groups[begin];
    size_t end = begin;
    while (end < plan.groups.size() &&
           classOf(plan.groups[end]) == classOf(first))
      ++end;
    KernelClass entry{first.height, first.accumulate, first.contiguous, {}};
    entry.bounds = getBounds(ArrayRef(plan.groups).slice(begin, end - begin),
                             options.chunks,
                             [](const auto &group) { return group.chunk; });
    for (int64_t &bound : entry.bounds)
      bound += begin;
    plan.classes.push_back(std::move(entry));
    begin = end;
  }
  return plan;
}
