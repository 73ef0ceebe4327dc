//===- MatmulKernel.cpp - Linear layers as kernels ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work-group computes one group of the packed weights, a work-item one of its
// rows for a few samples: the weights of a column are neighbours, and are
// loaded once for all of these samples. One launch runs the groups of all
// heights, and rows without weights: launches cost a small layer more than its
// weights. A work-group has as many work-items as the tallest group has rows;
// those beyond a group's rows compute with what follows its weights, which
// keeps the code free of branches, and store nothing.
//
// Rows that are sums of several groups have a place for the part of each group
// in a buffer. Whoever needs the row adds them up: a second kernel, or the
// equations of a recurrent layer.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Samples that a work-item takes at most.
static constexpr int64_t kMaxSamples = 8;

/// Work-items of a group that a device runs as one.
static constexpr int64_t kLanes = 16;

/// Columns that take as long as a work-group does without any.
static constexpr int64_t kColumnsOfGroup = 16;

/// Vectors of weights from which starting a work-group on a processor, which
/// takes as long as some tens of them, is of no account.
static constexpr int64_t kVectorsOfGroup = 1024;

namespace {
/// Where the rows, columns and values of a group are.
struct GroupPlace {
  Value height;
  /// The list of rows has the group's from here on, or the first one only.
  Value rowBegin, isListed;
  /// What the values of column k begin behind, k * height.
  Value valueBias;
};

class MatmulKernel {
public:
  /// Where `parts` is set, row r of the plan is a place in it.
  MatmulKernel(MatmulOp op, const KernelPlan &plan, Value parts,
               const KernelOptions &options, Emitter &emitter)
      : op(op), plan(plan), parts(parts), options(options), emitter(emitter),
        samples(cast<MemRefType>(op.getInit().getType()).getDimSize(0)) {}
  void emit(ElementsAttr values);

private:
  /// Launches a kernel for `units` of `items` work-items, and for all samples;
  /// `body` gets the samples of a work-item.
  void launchOver(int64_t units, int64_t items,
                  llvm::function_ref<void(const WorkItem &, ValueRange)> body);
  /// Work-items of a work-group: the tallest group's rows, or more.
  int64_t getWidth() const;
  void emitGroups();
  /// Emits row `r` of a group or, behind the last group, an empty row.
  void emitUnit(Value unit, Value r, ValueRange batch);
  void emitEmptyRows();
  GroupPlace locate(Value number);
  Value getRow(const GroupPlace &place, Value r);
  SmallVector<Value> multiply(const GroupPlace &place, const GroupValues &group,
                              Value r, ValueRange batch);
  void finish(Value sample, Value row, Value sum);

  MatmulOp op;
  const KernelPlan &plan;
  Value parts;
  KernelOptions options;
  Emitter &emitter;
  int64_t samples;
  std::optional<PlanConstants> constants;
  /// All groups as if they had one row: positions in the lists are columns.
  KernelClass all;
};
} // namespace

/// Bias, residual, activation and store of a sum.
static void storeResult(MatmulOp op, Emitter &emitter, Value sample, Value row,
                        Value sum) {
  auto add = [&](Value other) {
    sum = arith::AddFOp::create(emitter, sum, other);
  };
  SmallVector<Value> at = {sample, row};
  if (op.getBias())
    add(emitter.load(op.getBias(), row));
  if (op.getResidual())
    add(emitter.load(op.getResidual(), at));
  emitter.store(emitter.activate(op.getActivationAttr(), sum), op.getInit(),
                at);
}

void MatmulKernel::launchOver(
    int64_t units, int64_t items,
    llvm::function_ref<void(const WorkItem &, ValueRange)> body) {
  auto launchSamples = [&](int64_t begin, int64_t tiles, int64_t count) {
    if (tiles == 0)
      return;
    // A branch around the whole body hides from a processor's compiler that
    // loads of a group are the same.
    bool exact = options.processor && items <= kMaxGroup;
    Grid grid{items, units, tiles, exact ? items : getGroupSize(items)};
    launch(emitter, op.getLayer().value_or("matmul"), grid,
           [&](const WorkItem &item) {
             Value first = emitter.add(emitter.mul(item.z, count), begin);
             SmallVector<Value> batch;
             for (int64_t i = 0; i < count; ++i)
               batch.push_back(emitter.add(first, i));
             body(item, batch);
           });
  };
  int64_t whole = samples / kMaxSamples;
  launchSamples(0, whole, kMaxSamples);
  if (int64_t rest = samples % kMaxSamples)
    launchSamples(whole * kMaxSamples, 1, rest);
}

void MatmulKernel::finish(Value sample, Value row, Value sum) {
  if (parts)
    return emitter.store(sum, parts, {sample, row});
  storeResult(op, emitter, sample, row, sum);
}

GroupPlace MatmulKernel::locate(Value number) {
  auto mul = [&](Value a, Value b) {
    return emitter.createOrFold<arith::MulIOp>(a, b);
  };
  GroupPlace place;
  Value listed, rowBias;
  for (const KernelClass &entry : llvm::reverse(plan.classes)) {
    Value isEarlier;
    if (place.height)
      isEarlier = isLess(emitter, number, emitter.index(entry.bounds.back()));
    auto choose = [&](Value &field, int64_t value) {
      Value own = emitter.index(value);
      field = !isEarlier ? own
                         : emitter.createOrFold<arith::SelectOp>(isEarlier, own,
                                                                 field);
    };
    int64_t rows = entry.getListedRows();
    choose(place.height, entry.height);
    choose(place.isListed, entry.consecutive ? 0 : 1);
    choose(place.valueBias,
           entry.valueBegin - entry.columnBegin * entry.height);
    choose(listed, rows);
    choose(rowBias, entry.rowBegin - entry.bounds.front() * rows);
  }
  place.rowBegin = emitter.add(mul(number, listed), rowBias);
  return place;
}

Value MatmulKernel::getRow(const GroupPlace &place, Value r) {
  GroupValues group;
  group.rowBegin = place.rowBegin;
  Value position = emitter.createOrFold<arith::MulIOp>(r, place.isListed);
  return emitter.add(constants->getRow(emitter, all, group, position),
                     emitter.sub(r, position));
}

SmallVector<Value> MatmulKernel::multiply(const GroupPlace &place,
                                          const GroupValues &group, Value r,
                                          ValueRange batch) {
  Value origin = emitter.add(place.valueBias, r);
  SmallVector<Value> zeros(batch.size(), emitter.constant(0, 1));
  return constants->reduceColumns(
      emitter, all, group, emitter.index(0), zeros,
      options.processor ? ColumnTurn::SideBySide : ColumnTurn::Single,
      [&](Value at, Value column, MutableArrayRef<Value> next) {
        Value begin = emitter.createOrFold<arith::MulIOp>(column, place.height);
        Value weight =
            emitter.load(constants->getValues(), emitter.add(begin, origin));
        for (auto [sum, sample] : llvm::zip_equal(next, batch))
          sum = fuseMultiplyAdd(emitter, weight,
                                emitter.load(op.getInput(), {sample, at}), sum);
      });
}

int64_t MatmulKernel::getWidth() const {
  int64_t tallest = plan.classes.front().height;
  // A processor runs work-groups that do not fill its vectors item by item.
  return options.processor
             ? static_cast<int64_t>(llvm::alignTo(tallest, kLanes))
             : tallest;
}

void MatmulKernel::emitGroups() {
  int64_t tallest = getWidth();
  int64_t units =
      plan.groups.size() + llvm::divideCeil(plan.empty.size(), tallest);
  // Groups that a work-group of a processor takes one after the other.
  int64_t turns = 1;
  if (options.processor) {
    int64_t vectors = std::max<int64_t>(plan.columns.size(), 1) *
                      llvm::divideCeil(tallest, kLanes);
    turns = std::min<int64_t>(
        llvm::divideCeil(units * kVectorsOfGroup, vectors), units);
  }
  launchOver(llvm::divideCeil(units, turns), tallest,
             [&](const WorkItem &item, ValueRange batch) {
               if (turns == 1)
                 return emitUnit(item.y, item.x, batch);
               Value begin = emitter.mul(item.y, turns);
               Value end = arith::MinUIOp::create(
                   emitter, emitter.add(begin, turns), emitter.index(units));
               emitter.loop(begin, end, 1,
                            [&](Value unit) { emitUnit(unit, item.x, batch); });
             });
}

void MatmulKernel::emitUnit(Value unit, Value r, ValueRange batch) {
  int64_t tallest = getWidth();
  int64_t numGroups = plan.groups.size(), numEmpty = plan.empty.size();
  Value number = unit, isEmpty, emptyBegin;
  if (numEmpty > 0) {
    Value last = emitter.index(numGroups - 1);
    isEmpty = isLess(emitter, last, unit);
    number = arith::MinUIOp::create(emitter, unit, last);
    emptyBegin =
        emitter.mul(emitter.sub(unit, emitter.index(numGroups)), tallest);
  }
  auto unlessEmpty = [&](Value value, Value other) -> Value {
    if (!isEmpty || !value)
      return value;
    return arith::SelectOp::create(emitter, isEmpty, other, value);
  };
  GroupPlace place = locate(number);
  GroupValues group = constants->getGroup(emitter, all, number);
  group.columnEnd = unlessEmpty(group.columnEnd, group.columnBegin);
  group.runEnd = unlessEmpty(group.runEnd, group.runBegin);
  SmallVector<Value> sums = multiply(place, group, r, batch);
  auto finishRow = [&](Value row) {
    for (auto [sample, sum] : llvm::zip_equal(batch, sums))
      finish(sample, row, sum);
  };
  if (plan.classes.back().height == tallest && numEmpty == 0)
    return finishRow(getRow(place, r));
  // Two branches: the rows of a group, or as many rows without weights.
  Value height = unlessEmpty(place.height, emitter.index(0));
  emitIf(emitter, isLess(emitter, r, height),
         [&] { finishRow(getRow(place, r)); });
  if (!isEmpty)
    return;
  Value rest = emitter.sub(emitter.index(numEmpty), emptyBegin);
  Value isRow =
      arith::AndIOp::create(emitter, isEmpty, isLess(emitter, r, rest));
  emitIf(emitter, isRow, [&] {
    finishRow(constants->getEmptyRow(emitter, emitter.add(emptyBegin, r)));
  });
}

void MatmulKernel::emitEmptyRows() {
  int64_t count = plan.empty.size();
  Grid grid{count, samples, 1, getGroupSize(count)};
  launch(emitter, op.getLayer().value_or("matmul"), grid,
         [&](const WorkItem &item) {
           finish(item.y, constants->getEmptyRow(emitter, item.x),
                  emitter.constant(0, 1));
         });
}

void MatmulKernel::emit(ElementsAttr values) {
  std::vector<int32_t> offsets(op.getNumColumns());
  std::iota(offsets.begin(), offsets.end(), 0);
  constants.emplace(emitter, op, plan, offsets, values);
  all.height = 1;
  all.bounds = {0, static_cast<int64_t>(plan.groups.size())};
  if (!plan.groups.empty())
    emitGroups();
  else if (!plan.empty.empty())
    emitEmptyRows();
}

static bool hasSharedRows(const PackedStructure &structure) {
  std::vector<bool> seen(structure.numRows, false);
  for (const PackedGroup &group : structure.groups)
    for (int32_t row : structure.getRows(group)) {
      if (seen[row])
        return true;
      seen[row] = true;
    }
  return false;
}

/// Gives each row of each group a number of its own, and adds to `owners` which
/// row of the matrix it belongs to.
static void separateRows(PackedStructure &structure,
                         std::vector<int32_t> &owners) {
  for (PackedGroup &group : structure.groups) {
    llvm::append_range(owners, structure.getRows(group));
    group.rowBegin = owners.size() - group.rowCount;
  }
  structure.numRows = owners.size();
  structure.rows.resize(owners.size());
  std::iota(structure.rows.begin(), structure.rows.end(), 0);
}

/// The height to cut groups to: the tallest is as long as all work-groups, and
/// a column of each is one load of the input and a vector or a few of weights.
static int64_t chooseHeight(const PackedStructure &structure) {
  int64_t best = kMaxGroup, least = 0;
  for (int64_t limit = kMaxGroup; limit >= kLanes; limit /= 2) {
    int64_t tallest = 0, turns = 0;
    for (const PackedGroup &group : structure.groups) {
      tallest = std::max(tallest, std::min(group.rowCount, limit));
      turns += static_cast<int64_t>(llvm::divideCeil(group.rowCount, limit)) *
               (group.columnCount + kColumnsOfGroup);
    }
    int64_t vectors = llvm::divideCeil(tallest, kLanes);
    int64_t cost = turns * (1 + vectors);
    if (least == 0 || cost < least) {
      least = cost;
      best = limit;
    }
  }
  return best;
}

RowParts::RowParts(Emitter &emitter, MatmulOp op, int64_t samples,
                   ArrayRef<int32_t> owners)
    : numRows(op.getNumRows()) {
  std::vector<std::vector<int32_t>> places(numRows);
  for (auto [place, row] : llvm::enumerate(owners)) {
    places[row].push_back(static_cast<int32_t>(place));
    most = std::max<int64_t>(most, places[row].size());
  }
  // Neighbouring rows are neighbours; 0 where a row has fewer parts.
  std::vector<int32_t> table;
  for (int64_t i = 0; i < most; ++i)
    for (const std::vector<int32_t> &list : places)
      table.push_back(i < static_cast<int64_t>(list.size()) ? list[i] + 1 : 0);
  list = emitter.indexGlobal("parts", table);
  buffer = emitter.allocate({samples, static_cast<int64_t>(owners.size())});
  buffer.getDefiningOp()->setAttr(kSumsAttrName, emitter.getUnitAttr());
}

Value RowParts::getSum(Emitter &emitter, Value sample, Value row) const {
  Value zero = emitter.constant(0, 1);
  auto addPart = [&](Value number, ValueRange sums) -> SmallVector<Value> {
    Value entry =
        emitter.loadIndex(list, emitter.add(emitter.mul(number, numRows), row));
    Value exists = isLess(emitter, emitter.index(0), entry);
    // Rows without a part load one all the same: no branch.
    Value place =
        emitter.sub(arith::MaxUIOp::create(emitter, entry, emitter.index(1)),
                    emitter.index(1));
    Value part = emitter.load(buffer, {sample, place});
    part = arith::SelectOp::create(emitter, exists, part, zero);
    return {arith::AddFOp::create(emitter, sums.front(), part)};
  };
  return emitter.reduce(emitter.index(0), emitter.index(most), 1, zero, addPart)
      .front();
}

FailureOr<RowParts> gpu_kernels::emitParts(MatmulOp op, ConstantOp weights,
                                           const KernelOptions &options,
                                           Emitter &emitter) {
  std::vector<int32_t> offsets(op.getNumColumns());
  std::iota(offsets.begin(), offsets.end(), 0);
  PackedStructure structure = readStructure(weights);
  RowParts parts;
  if (hasSharedRows(structure)) {
    std::vector<int32_t> owners;
    separateRows(structure, owners);
    parts = RowParts(emitter, op,
                     cast<MemRefType>(op.getInit().getType()).getDimSize(0),
                     owners);
  }
  PlanOptions planOptions;
  planOptions.maxHeight = chooseHeight(structure);
  planOptions.readsTallest = true;
  planOptions.offsets = offsets;
  ElementsAttr values;
  FailureOr<KernelPlan> plan =
      planLayer(op, weights, structure, planOptions, emitter, values);
  if (failed(plan))
    return failure();
  MatmulKernel(op, *plan, parts.getBuffer(), options, emitter).emit(values);
  return parts;
}

void gpu_kernels::emitSums(MatmulOp op, const RowParts &parts,
                           Emitter &emitter) {
  int64_t rows = op.getNumRows();
  int64_t samples = cast<MemRefType>(op.getInit().getType()).getDimSize(0);
  launch(emitter, op.getLayer().value_or("matmul"),
         {rows, samples, 1, getGroupSize(rows)}, [&](const WorkItem &item) {
           storeResult(op, emitter, item.y, item.x,
                       parts.getSum(emitter, item.y, item.x));
         });
}
