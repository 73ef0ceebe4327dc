//===- MatmulKernel.cpp - Linear layers as kernels ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work-group computes one group of the packed weights, a work-item one of its
// rows for a few samples: the weights of a column are neighbours, and are
// loaded once for all of these samples.
//
// Rows that are sums of several groups are added up in the output: a work-item
// runs all groups that share rows, one after the other, for one sample.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

#include <numeric>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Samples that a work-item takes at most.
static constexpr int64_t kMaxSamples = 8;

/// Rows of groups that share some with others: a work-item has a sum of each.
static constexpr int64_t kMaxShared = 8;

namespace {
class MatmulKernel {
public:
  MatmulKernel(MatmulOp op, const KernelPlan &plan,
               const KernelOptions &options, Emitter &emitter)
      : op(op), plan(plan), options(options), emitter(emitter),
        samples(cast<MemRefType>(op.getInit().getType()).getDimSize(0)) {}
  void emit(ElementsAttr values);

private:
  /// Launches a kernel for `units` of `items` work-items, and for all samples;
  /// `body` gets the samples of a work-item.
  void launchOver(int64_t units, int64_t items,
                  llvm::function_ref<void(const WorkItem &, ValueRange)> body);
  void emitGroups(const KernelClass &entry);
  void emitSharedRows();
  void emitEmptyRows();
  SmallVector<Value> multiply(const KernelClass &entry,
                              const GroupValues &group, Value r,
                              ValueRange batch, ValueRange sums);
  Value getBias(Value row);
  void finish(Value sample, Value row, Value sum);

  MatmulOp op;
  const KernelPlan &plan;
  KernelOptions options;
  Emitter &emitter;
  int64_t samples;
  std::optional<PlanConstants> constants;
};
} // namespace

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

Value MatmulKernel::getBias(Value row) {
  if (!op.getBias())
    return emitter.constant(0, 1);
  return emitter.load(op.getBias(), row);
}

void MatmulKernel::finish(Value sample, Value row, Value sum) {
  SmallVector<Value> at = {sample, row};
  if (op.getResidual())
    sum =
        arith::AddFOp::create(emitter, sum, emitter.load(op.getResidual(), at));
  emitter.store(
      buildActivation(emitter, emitter.getLoc(), op.getActivationAttr(), sum),
      op.getInit(), at);
}

SmallVector<Value> MatmulKernel::multiply(const KernelClass &entry,
                                          const GroupValues &group, Value r,
                                          ValueRange batch, ValueRange sums) {
  return constants->reduceColumns(
      emitter, entry, group, emitter.index(0), sums,
      options.processor ? ColumnTurn::SideBySide : ColumnTurn::Single,
      [&](Value at, Value first, MutableArrayRef<Value> next) {
        Value weight =
            emitter.load(constants->getValues(), emitter.add(first, r));
        for (auto [sum, sample] : llvm::zip_equal(next, batch))
          sum = fuseMultiplyAdd(emitter, weight,
                                emitter.load(op.getInput(), {sample, at}), sum);
      });
}

void MatmulKernel::emitGroups(const KernelClass &entry) {
  launchOver(entry.bounds.back() - entry.bounds.front(), entry.height,
             [&](const WorkItem &item, ValueRange batch) {
               GroupValues group = constants->getGroup(
                   emitter, entry, emitter.add(item.y, entry.bounds.front()));
               Value row = constants->getRow(emitter, entry, group, item.x);
               SmallVector<Value> sums(batch.size(), getBias(row));
               sums = multiply(entry, group, item.x, batch, sums);
               for (auto [sample, sum] : llvm::zip_equal(batch, sums))
                 finish(sample, row, sum);
             });
}

void MatmulKernel::emitSharedRows() {
  Grid grid{plan.getNumChunks(), samples, 1, getGroupSize(plan.getNumChunks())};
  launch(emitter, op.getLayer().value_or("matmul"), grid,
         [&](const WorkItem &item) {
           Value sample = item.y, chunk = item.x;
           constants->forEachAccumulated(emitter, chunk, [&](Value, Value row) {
             emitter.store(getBias(row), op.getInit(), {sample, row});
           });
           constants->forEachSharedGroup(
               emitter, chunk,
               [&](const KernelClass &entry, const GroupValues &group) {
                 SmallVector<Value> rows, sums;
                 for (int64_t r = 0; r < entry.height; ++r) {
                   rows.push_back(constants->getRow(emitter, entry, group, r));
                   sums.push_back(
                       emitter.load(op.getInit(), {sample, rows.back()}));
                 }
                 sums = constants->reduceColumns(
                     emitter, entry, group, emitter.index(0), sums,
                     loops::ColumnTurn::Single,
                     [&](Value at, Value first, MutableArrayRef<Value> next) {
                       Value input = emitter.load(op.getInput(), {sample, at});
                       for (auto [r, sum] : llvm::enumerate(next))
                         sum = fuseMultiplyAdd(
                             emitter,
                             emitter.load(constants->getValues(),
                                          emitter.add(first, r)),
                             input, sum);
                     });
                 for (auto [row, sum] : llvm::zip_equal(rows, sums))
                   emitter.store(sum, op.getInit(), {sample, row});
               });
           constants->forEachAccumulated(emitter, chunk, [&](Value, Value row) {
             finish(sample, row, emitter.load(op.getInit(), {sample, row}));
           });
         });
}

void MatmulKernel::emitEmptyRows() {
  int64_t count = plan.empty.size();
  Grid grid{count, samples, 1, getGroupSize(count)};
  launch(emitter, op.getLayer().value_or("matmul"), grid,
         [&](const WorkItem &item) {
           Value row = constants->getEmptyRow(emitter, item.x);
           finish(item.y, row, getBias(row));
         });
}

void MatmulKernel::emit(ElementsAttr values) {
  std::vector<int32_t> offsets(op.getNumColumns());
  std::iota(offsets.begin(), offsets.end(), 0);
  constants.emplace(emitter, op, plan, offsets, values);
  for (const KernelClass &entry : plan.classes)
    if (!entry.accumulate)
      emitGroups(entry);
  if (plan.hasAccumulated())
    emitSharedRows();
  if (!plan.empty.empty())
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

LogicalResult gpu_kernels::emitMatmul(MatmulOp op, ConstantOp weights,
                                      const KernelOptions &options,
                                      Emitter &emitter) {
  std::vector<int32_t> offsets(op.getNumColumns());
  std::iota(offsets.begin(), offsets.end(), 0);
  PackedStructure structure = readStructure(weights);
  PlanOptions planOptions;
  planOptions.maxHeight = hasSharedRows(structure) ? kMaxShared : kMaxGroup;
  planOptions.numberSums = false;
  planOptions.separateSums = true;
  planOptions.offsets = offsets;
  ElementsAttr values;
  FailureOr<KernelPlan> plan =
      planLayer(op, weights, structure, planOptions, emitter, values);
  if (failed(plan))
    return failure();
  MatmulKernel(op, *plan, options, emitter).emit(values);
  return success();
}
