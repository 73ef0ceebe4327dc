//===- Reorder.cpp - bcr-reorder ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Passes.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "llvm/ADT/IntEqClasses.h"
#include "llvm/ADT/bit.h"

#include <map>
#include <numeric>

namespace mlir::bcr {
#define GEN_PASS_DEF_REORDER
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// Rows that a loaded column serves in the tile that the statistics assume.
static constexpr int64_t kTileRows = 8;
/// The multiples at which groups are cut: of the heights that kernels have. A
/// linear layer, and a convolution of a tiny image, whose rows run along the
/// vector as well, has four vectors of up to 16 rows in a tile.
static constexpr int64_t kPixelCutRows = 8;
static constexpr int64_t kRowCutRows = 64;
static constexpr int64_t kFewPositions = 4;
/// Sets of groups are made no heavier than such a part of the matrix, and
/// groups that are heavier are cut, so that there is something to deal out. The
/// number of threads has no part in this: each row is the same sum for all of
/// them.
static constexpr int64_t kParts = 32;
/// Sets may have this many rows of each column list, enough for a tile.
static constexpr int64_t kMergedRows = 16;
/// A sample or two run with rows along the vector. Rows that are neighbours are
/// stored as vectors there, others one by one, which takes longer than a few
/// columns once more.
static constexpr int64_t kFewSamples = 2;
static constexpr int64_t kFewColumns = 3;
static constexpr int64_t kVectorRows = 8;
/// What the fullest share may exceed that of the best deal known by.
static constexpr double kBalanced = 1.02;
/// Sets are chained by common columns up to this many; the search is quadratic.
static constexpr size_t kMaxChained = 512;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

namespace {
/// A row of a new group: where its values are.
struct RowSource {
  int32_t group;
  int32_t position;
};

/// A new group.
struct NewGroup {
  /// Position and number of its columns in the old column array.
  int64_t columnBegin = 0;
  int64_t columnCount = 0;
  std::vector<RowSource> rows;

  int64_t getWeight() const {
    return columnCount * static_cast<int64_t>(rows.size());
  }
};

/// Groups that share rows, so that one thread must run them.
struct GroupSet {
  std::vector<NewGroup> groups;
  int64_t weight = 0;

  void add(NewGroup group) {
    weight += group.getWeight();
    groups.push_back(std::move(group));
  }
};

/// The new order of a matrix.
struct Order {
  std::vector<NewGroup> groups;
  SmallVector<int64_t> chunks;
};

/// What reordering a matrix did.
struct Effect {
  int64_t numMerged = 0;
  int64_t loadsBefore = 0;
  int64_t loadsAfter = 0;
  /// Excess of the fullest share over the mean, in percent.
  int64_t imbalanceBefore = 0;
  int64_t imbalanceAfter = 0;
};

class ReorderPass : public bcr::impl::ReorderBase<ReorderPass> {
public:
  using ReorderBase::ReorderBase;

  void runOnOperation() override;

private:
  /// A matrix reordered once for all layers that use it alike.
  struct Result {
    ConstantOp constant;
    SmallVector<int64_t> chunks;
    Effect effect;
  };

  FailureOr<Result> reorder(LayerOpInterface layer, ConstantOp constant,
                            int64_t rowsPerConvGroup);
};
} // namespace

static int64_t countLoads(int64_t rowCount, int64_t columnCount) {
  return columnCount * ceilDiv(rowCount, kTileRows);
}

/// Excess of the fullest share over the mean of `numShares`, in percent.
static int64_t getImbalance(ArrayRef<int64_t> shares, int64_t numShares) {
  int64_t total = std::accumulate(shares.begin(), shares.end(), int64_t(0));
  if (total == 0)
    return 0;
  return *llvm::max_element(shares) * numShares * 100 / total - 100;
}

//===----------------------------------------------------------------------===//
// Merging
//===----------------------------------------------------------------------===//

/// The sets of groups that share rows, as a class number for each group.
static llvm::IntEqClasses getSets(const PackedStructure &structure) {
  llvm::IntEqClasses sets(structure.groups.size());
  std::vector<int32_t> groupOfRow(structure.numRows, -1);
  for (auto [index, group] : llvm::enumerate(structure.groups))
    for (int32_t row : structure.getRows(group)) {
      if (groupOfRow[row] >= 0)
        sets.join(index, groupOfRow[row]);
      groupOfRow[row] = static_cast<int32_t>(index);
    }
  return sets;
}

/// Merges groups with equal columns and returns the sets of groups that still
/// share rows. No merge makes a set heavier than `maxWeight`, except of groups
/// whose rows are in no other group: those can be cut again. With `fewSamples`
/// vectors of neighbouring rows that have few columns stay what they are.
static std::vector<GroupSet> merge(const PackedStructure &structure,
                                   int64_t rowsPerConvGroup, bool fewSamples,
                                   int64_t maxWeight) {
  llvm::IntEqClasses sets = getSets(structure);
  size_t numGroups = structure.groups.size();
  std::vector<int64_t> weightOfSet(numGroups);
  std::vector<int64_t> sizeOfSet(numGroups);
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    unsigned leader = sets.findLeader(index);
    weightOfSet[leader] += group.rowCount * group.columnCount;
    ++sizeOfSet[leader];
  }

  // Groups with the same columns, in the same group of a grouped convolution.
  std::vector<int32_t> columns;
  IndexListPool lists(columns);
  std::map<std::tuple<int64_t, int64_t, int64_t>, std::vector<size_t>> alike;
  std::vector<int32_t> mergedInto(numGroups);
  std::iota(mergedInto.begin(), mergedInto.end(), 0);
  // Behind the last row of groups whose rows are neighbours.
  std::vector<int64_t> ends(numGroups, -1);
  for (size_t index = 0; index < numGroups; ++index) {
    const PackedGroup &group = structure.groups[index];
    ArrayRef<int32_t> rows = structure.getRows(group);
    auto [low, high] = std::minmax_element(rows.begin(), rows.end());
    int64_t convGroup = *low / rowsPerConvGroup;
    if (convGroup != *high / rowsPerConvGroup)
      continue;
    bool neighbours = *high - *low == group.rowCount - 1;
    bool keepsRows = fewSamples && neighbours &&
                     group.rowCount >= kVectorRows &&
                     group.columnCount <= kFewColumns;
    if (neighbours)
      ends[index] = *high + 1;
    int64_t list = lists.add(structure.getColumns(group));
    std::vector<size_t> &others = alike[{list, group.columnCount, convGroup}];
    auto partner = llvm::find_if(others, [&, low = *low](size_t other) {
      if (keepsRows && ends[other] != low)
        return false;
      unsigned a = sets.findLeader(index);
      unsigned b = sets.findLeader(other);
      bool free = sizeOfSet[a] == 1 && sizeOfSet[b] == 1;
      return a == b || free || weightOfSet[a] + weightOfSet[b] <= maxWeight;
    });
    if (partner == others.end()) {
      others.push_back(index);
      continue;
    }
    mergedInto[index] = static_cast<int32_t>(*partner);
    ends[*partner] = ends[*partner] == *low ? ends[index] : -1;
    unsigned a = sets.findLeader(index);
    unsigned b = sets.findLeader(*partner);
    if (a != b) {
      unsigned leader = sets.join(a, b);
      int64_t weight = weightOfSet[a] + weightOfSet[b];
      // The two groups are one now.
      int64_t size = sizeOfSet[a] + sizeOfSet[b] - 1;
      weightOfSet[leader] = weight;
      sizeOfSet[leader] = size;
    } else {
      --sizeOfSet[a];
    }
  }

  std::vector<NewGroup> groups(numGroups);
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    NewGroup &merged = groups[mergedInto[index]];
    merged.columnBegin = group.columnBegin;
    merged.columnCount = group.columnCount;
    for (int64_t i = 0; i < group.rowCount; ++i)
      merged.rows.push_back(
          {static_cast<int32_t>(index), static_cast<int32_t>(i)});
  }
  std::vector<GroupSet> result;
  std::vector<int64_t> resultOfSet(numGroups, -1);
  for (size_t index = 0; index < numGroups; ++index) {
    if (groups[index].rows.empty())
      continue;
    int64_t &position = resultOfSet[sets.findLeader(index)];
    if (position < 0) {
      position = static_cast<int64_t>(result.size());
      result.emplace_back();
    }
    result[position].add(std::move(groups[index]));
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Ordering
//===----------------------------------------------------------------------===//

/// Orders sets so that neighbours read common columns: equal lists side by
/// side, then greedily the one with the most columns of the last.
static void chain(const PackedStructure &structure,
                  std::vector<GroupSet> &sets) {
  auto getColumns = [&](const GroupSet &set) {
    const NewGroup &group = set.groups.front();
    return ArrayRef(structure.columns)
        .slice(group.columnBegin, group.columnCount);
  };
  llvm::stable_sort(sets, [&](const GroupSet &a, const GroupSet &b) {
    ArrayRef<int32_t> x = getColumns(a);
    ArrayRef<int32_t> y = getColumns(b);
    return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
  });
  if (sets.size() > kMaxChained || sets.size() < 3)
    return;

  int64_t numWords = ceilDiv(structure.numColumns, 64);
  std::vector<uint64_t> bits(sets.size() * numWords);
  for (auto [index, set] : llvm::enumerate(sets))
    for (const NewGroup &group : set.groups)
      for (int32_t column : ArrayRef(structure.columns)
                                .slice(group.columnBegin, group.columnCount))
        bits[index * numWords + column / 64] |= uint64_t(1) << (column % 64);
  std::vector<size_t> order = {0};
  std::vector<bool> used(sets.size());
  used[0] = true;
  while (order.size() < sets.size()) {
    const uint64_t *last = &bits[order.back() * numWords];
    size_t best = sets.size();
    int64_t bestCommon = -1;
    for (size_t i = 0; i < sets.size(); ++i) {
      if (used[i])
        continue;
      int64_t common = 0;
      for (int64_t word = 0; word < numWords; ++word)
        common += llvm::popcount(last[word] & bits[i * numWords + word]);
      if (common > bestCommon) {
        best = i;
        bestCommon = common;
      }
    }
    used[best] = true;
    order.push_back(best);
  }
  std::vector<GroupSet> chained;
  chained.reserve(sets.size());
  for (size_t index : order)
    chained.push_back(std::move(sets[index]));
  sets = std::move(chained);
}

/// Cuts sets of one group, whose rows are in no other, into sets of at most
/// about `maxWeight`, at multiples of `multiple` rows.
static std::vector<GroupSet> cut(std::vector<GroupSet> sets, int64_t maxWeight,
                                 int64_t multiple) {
  std::vector<GroupSet> result;
  for (GroupSet &set : sets) {
    if (set.groups.size() > 1 || set.weight <= maxWeight) {
      result.push_back(std::move(set));
      continue;
    }
    const NewGroup &group = set.groups.front();
    int64_t numRows = static_cast<int64_t>(group.rows.size());
    int64_t numParts = ceilDiv(set.weight, maxWeight);
    int64_t size = ceilDiv(ceilDiv(numRows, numParts), multiple) * multiple;
    for (int64_t begin = 0; begin < numRows; begin += size) {
      NewGroup part;
      part.columnBegin = group.columnBegin;
      part.columnCount = group.columnCount;
      part.rows.assign(group.rows.begin() + begin,
                       group.rows.begin() + std::min(begin + size, numRows));
      result.emplace_back();
      result.back().add(std::move(part));
    }
  }
  return result;
}

using Share = std::vector<GroupSet>;

static std::vector<int64_t> getWeights(ArrayRef<Share> shares) {
  std::vector<int64_t> weights;
  for (const Share &share : shares) {
    weights.push_back(0);
    for (const GroupSet &set : share)
      weights.back() += set.weight;
  }
  return weights;
}

/// Deals the sets to `numShares` shares: the heaviest first, each to the share
/// that has the least so far (Graham's LPT rule, 1969).
static std::vector<Share> dealByWeight(std::vector<GroupSet> sets,
                                       int64_t numShares) {
  llvm::stable_sort(sets, [](const GroupSet &a, const GroupSet &b) {
    return a.weight > b.weight;
  });
  std::vector<Share> shares(numShares);
  std::vector<int64_t> weights(numShares);
  for (GroupSet &set : sets) {
    size_t least = llvm::min_element(weights) - weights.begin();
    weights[least] += set.weight;
    shares[least].push_back(std::move(set));
  }
  return shares;
}

/// Deals the sets in order: one goes where the middle of its weight lies.
static std::vector<Share> dealInOrder(std::vector<GroupSet> sets,
                                      int64_t numShares) {
  int64_t total = 0, before = 0;
  for (const GroupSet &set : sets)
    total += set.weight;
  std::vector<Share> shares(numShares);
  for (GroupSet &set : sets) {
    int64_t middle = 2 * before + set.weight;
    before += set.weight;
    int64_t share = middle * numShares / std::max<int64_t>(2 * total, 1);
    shares[std::min(share, numShares - 1)].push_back(std::move(set));
  }
  return shares;
}

/// Deals the sets in order where that is balanced: a thread's rows are
/// neighbours then, so threads write few cache lines together, and a layer that
/// goes channel by channel finds in its own cache what it reads. Shares without
/// work vanish.
static std::vector<Share> deal(const std::vector<GroupSet> &sets,
                               int64_t numShares) {
  std::vector<Share> shares = dealInOrder(sets, numShares);
  std::vector<Share> balanced = dealByWeight(sets, numShares);
  auto getMost = [](ArrayRef<Share> dealt) {
    return double(*llvm::max_element(getWeights(dealt)));
  };
  if (getMost(shares) > kBalanced * getMost(balanced))
    shares = std::move(balanced);
  llvm::erase_if(shares, [](const Share &share) { return share.empty(); });
  return shares;
}

/// The imbalance if equal numbers of rows went to each share in order.
static int64_t getImbalanceInOrder(const PackedStructure &structure,
                                   int64_t numShares) {
  std::vector<int64_t> shares(numShares);
  for (const PackedGroup &group : structure.groups)
    for (int32_t row : structure.getRows(group))
      shares[row * numShares / structure.numRows] += group.columnCount;
  return getImbalance(shares, numShares);
}

/// Columns of all lists that differ.
static int64_t countListedColumns(const PackedStructure &structure) {
  std::vector<int32_t> columns;
  IndexListPool lists(columns);
  std::map<std::pair<int64_t, int64_t>, bool> seen;
  int64_t count = 0;
  for (const PackedGroup &group : structure.groups) {
    int64_t list = lists.add(structure.getColumns(group));
    if (seen.try_emplace({list, group.columnCount}, true).second)
      count += group.columnCount;
  }
  return count;
}

static Order getOrder(const PackedStructure &structure,
                      int64_t rowsPerConvGroup, int64_t cutRows,
                      bool fewSamples, int64_t threads, Effect &effect) {
  int64_t maxWeight = std::max<int64_t>(structure.getNumValues() / kParts, 1);
  std::vector<GroupSet> sets =
      merge(structure, rowsPerConvGroup, fewSamples,
            std::max(maxWeight, kMergedRows * countListedColumns(structure)));
  effect.numMerged = static_cast<int64_t>(structure.groups.size());
  for (const GroupSet &set : sets)
    effect.numMerged -= static_cast<int64_t>(set.groups.size());
  std::vector<Share> shares;
  sets = cut(std::move(sets), maxWeight, cutRows);
  if (threads > 1)
    shares = deal(sets, threads);
  else if (!sets.empty())
    shares.push_back(std::move(sets));

  Order order;
  std::vector<int64_t> weights;
  for (Share &share : shares) {
    chain(structure, share);
    order.chunks.push_back(static_cast<int64_t>(order.groups.size()));
    weights.push_back(0);
    for (GroupSet &set : share) {
      weights.back() += set.weight;
      for (NewGroup &group : set.groups)
        order.groups.push_back(std::move(group));
    }
  }
  for (const PackedGroup &group : structure.groups)
    effect.loadsBefore += countLoads(group.rowCount, group.columnCount);
  for (const NewGroup &group : order.groups)
    effect.loadsAfter +=
        countLoads(static_cast<int64_t>(group.rows.size()), group.columnCount);
  if (threads > 1 && !weights.empty()) {
    effect.imbalanceBefore = getImbalanceInOrder(structure, threads);
    effect.imbalanceAfter = getImbalance(weights, threads);
  }
  return order;
}

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Whether the order is the one that the matrix has already.
static bool isUnchanged(const PackedStructure &structure, const Order &order) {
  if (structure.groups.size() != order.groups.size())
    return false;
  for (auto [index, group] : llvm::enumerate(order.groups))
    if (group.rows.front().group != static_cast<int32_t>(index) ||
        static_cast<int64_t>(group.rows.size()) !=
            structure.groups[index].rowCount)
      return false;
  return true;
}

/// The multiple at which the groups of a layer are cut.
static int64_t getCutRows(LayerOpInterface layer) {
  if (!isa<Conv2DOp>(layer.getOperation()))
    return kRowCutRows;
  auto type = cast<ShapedType>(layer.getInit().getType());
  return type.getDimSize(2) * type.getDimSize(3) <= kFewPositions
             ? kRowCutRows
             : kPixelCutRows;
}

/// Whether a layer is one of a few samples.
static bool hasFewSamples(LayerOpInterface layer) {
  auto type = cast<ShapedType>(layer.getInit().getType());
  return isa<MatmulOp>(layer.getOperation()) && !type.isDynamicDim(0) &&
         type.getDimSize(0) <= kFewSamples;
}

/// Makes the reordered constant before `old`.
static ConstantOp rewrite(ConstantOp old, const PackedStructure &structure,
                          ArrayRef<float> values, const Order &order,
                          StringRef name) {
  PackedStructure result;
  result.numRows = structure.numRows;
  result.numColumns = structure.numColumns;
  result.block = structure.block;
  IndexListPool rowLists(result.rows);
  IndexListPool columnLists(result.columns);
  std::vector<int32_t> rows;
  std::vector<const float *> sources;
  std::vector<int64_t> strides;
  std::vector<float> newValues(values.size());
  float *out = newValues.data();
  for (const NewGroup &group : order.groups) {
    rows.clear();
    sources.clear();
    strides.clear();
    for (RowSource row : group.rows) {
      const PackedGroup &source = structure.groups[row.group];
      rows.push_back(structure.getRows(source)[row.position]);
      sources.push_back(values.data() + source.valueBegin + row.position);
      strides.push_back(source.rowCount);
    }
    for (int64_t column = 0; column < group.columnCount; ++column)
      for (size_t i = 0; i < rows.size(); ++i)
        *out++ = sources[i][column * strides[i]];
    result.addGroup(
        rowLists.add(rows), static_cast<int64_t>(rows.size()),
        columnLists.add(ArrayRef(structure.columns)
                            .slice(group.columnBegin, group.columnCount)),
        group.columnCount);
  }
  OpBuilder builder(old);
  return makeConstant(builder, old.getLoc(), name, result,
                      std::move(newValues));
}

FailureOr<ReorderPass::Result> ReorderPass::reorder(LayerOpInterface layer,
                                                    ConstantOp constant,
                                                    int64_t rowsPerConvGroup) {
  FailureOr<FloatElements> values = FloatElements::get(constant.getValues());
  PackedStructure structure = readStructure(constant);
  if (failed(values) ||
      static_cast<int64_t>(values->get().size()) != structure.getNumValues())
    return layer->emitOpError("has packed weights without data");
  Result result;
  Order order = getOrder(structure, rowsPerConvGroup, getCutRows(layer),
                         hasFewSamples(layer), threads, result.effect);
  result.constant = isUnchanged(structure, order)
                        ? constant
                        : rewrite(constant, structure, values->get(), order,
                                  getLayerName(layer));
  result.chunks = order.chunks;
  return result;
}

void ReorderPass::runOnOperation() {
  if (threads < 1) {
    getOperation().emitError("bcr-reorder: option 'threads' is positive");
    return signalPassFailure();
  }
  SmallVector<LayerOpInterface> layers;
  getOperation().walk([&](LayerOpInterface layer) {
    if (layer.getWeight().getDefiningOp<ConstantOp>() &&
        !layer.getScheduleAttr())
      layers.push_back(layer);
  });
  // One new constant for all layers that share an old one, its cut into groups
  // of a convolution, that of groups, and whether samples are few.
  llvm::DenseMap<std::tuple<Value, int64_t, int64_t, int64_t>, Result> results;
  Builder builder(&getContext());
  LayerReport report(getOperation());
  UnusedData unused(getOperation());
  for (LayerOpInterface layer : layers) {
    int64_t rowsPerConvGroup = layer.getNumRows();
    if (auto conv = dyn_cast<Conv2DOp>(layer.getOperation()))
      rowsPerConvGroup /= static_cast<int64_t>(conv.getGroups());
    auto [entry, isNew] = results.try_emplace(
        std::tuple(layer.getWeight(), rowsPerConvGroup, getCutRows(layer),
                   int64_t(hasFewSamples(layer))));
    if (isNew) {
      FailureOr<Result> result =
          reorder(layer, layer.getWeight().getDefiningOp<ConstantOp>(),
                  rowsPerConvGroup);
      if (failed(result))
        return signalPassFailure();
      entry->second = *result;
    }
    Result &result = entry->second;
    if (result.constant.getResult() != layer.getWeight())
      replaceWeight(layer, result.constant, unused);
    if (threads > 1 && !result.chunks.empty())
      layer.setChunksAttr(builder.getDenseI64ArrayAttr(result.chunks));

    const Effect &effect = result.effect;
    numMerged += effect.numMerged;
    numLoadsBefore += effect.loadsBefore;
    numLoadsAfter += effect.loadsAfter;
    imbalanceBefore.updateMax(effect.imbalanceBefore);
    imbalanceAfter.updateMax(effect.imbalanceAfter);
    report.set(
        layer, "loads",
        builder.getDenseI64ArrayAttr({effect.loadsBefore, effect.loadsAfter}));
    if (threads > 1)
      report.set(layer, "imbalance",
                 builder.getDenseI64ArrayAttr(
                     {effect.imbalanceBefore, effect.imbalanceAfter}));
    remark::passed(layer->getLoc(), remark::RemarkOpts::name("Reordered")
                                        .category("bcr-reorder")
                                        .function(getLayerName(layer)))
        << remark::add("layer '{0}': {1} groups merged, column loads {2} to "
                       "{3}, imbalance {4} % to {5} %",
                       getLayerName(layer).str(), effect.numMerged,
                       effect.loadsBefore, effect.loadsAfter,
                       effect.imbalanceBefore, effect.imbalanceAfter);
  }
  report.write();
}
