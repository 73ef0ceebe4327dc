//===- Kernel.cpp - What the two kernels share ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Kernel.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Conversion/Loops/ColumnCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// f32 of a cache line of the processors we know.
static constexpr int64_t kCacheLine = 16;

/// Weights of more bytes than this come from beyond the caches of a core, and
/// processors do not ask for them as early as they could be had.
static constexpr int64_t kStreamBytes = 1 << 22;

/// Weights ahead that are asked for: measured best of 1, 4, 8 and 16 kB.
static constexpr int64_t kPrefetchDistance = 2048;

PlanConstants::PlanConstants(Emitter &emitter, LayerOpInterface layer,
                             const KernelPlan &plan, ArrayRef<int32_t> offsets,
                             ElementsAttr valueList)
    : plan(plan) {
  int64_t bytes = 0;
  auto makeGlobal = [&](StringRef name, ArrayRef<int32_t> list) {
    if (list.empty())
      return Value();
    bytes += static_cast<int64_t>(list.size()) *
             getIndexWidth(*llvm::max_element(list));
    return emitter.indexGlobal(name, list);
  };
  if (!plan.groups.empty()) {
    values = emitter.global("values", valueList);
    rows = makeGlobal("rows", plan.rows);
    groupColumns = makeGlobal("group_columns",
                              std::vector<int32_t>(plan.columnBegins.begin(),
                                                   plan.columnBegins.end()));
    std::vector<int32_t> columnOffsets;
    columnOffsets.reserve(plan.columns.size());
    for (int32_t column : plan.columns)
      columnOffsets.push_back(offsets[column]);
    ColumnCode code = encodeColumns(columnOffsets, plan.columnBegins);
    // The kernels look one step ahead.
    if (!code.entries.empty())
      code.entries.push_back(0);
    steps = makeGlobal("steps", code.entries);
    stepTable = makeGlobal("step_table", code.table);
    origins = makeGlobal("origins", code.origins);
    stepScale = code.scale;
    origin = code.origin;
    if (llvm::any_of(plan.groups, [](const KernelGroup &group) {
          return group.convGroup != 0;
        })) {
      std::vector<int32_t> list;
      for (const KernelGroup &group : plan.groups)
        list.push_back(static_cast<int32_t>(group.convGroup));
      convGroups = makeGlobal("group_channels", list);
    }
  }
  accumulated = makeGlobal("accumulated_rows", plan.accumulated);
  empty = makeGlobal("empty_rows", plan.empty);
  if (plan.getNumChunks() > 1) {
    std::vector<int32_t> list;
    auto append = [&](ArrayRef<int64_t> items) {
      list.insert(list.end(), items.begin(), items.end());
    };
    for (const KernelClass &entry : plan.classes)
      append(entry.bounds);
    append(plan.accumulatedBounds);
    append(plan.emptyBounds);
    bounds = makeGlobal("chunks", list);
  }
  if (plan.getNumChunks() != plan.getNumThreads() && plan.getNumThreads() > 1)
    units = makeGlobal("threads", std::vector<int32_t>(plan.chunkUnits.begin(),
                                                       plan.chunkUnits.end()));
  setLayerInfo(layer, "index_bytes", emitter.getI64IntegerAttr(bytes));
}

Value PlanConstants::getRow(Emitter &emitter, const KernelClass &entry,
                            const GroupValues &group, Value r) const {
  if (entry.consecutive)
    return emitter.add(emitter.loadIndex(rows, group.rowBegin), r);
  return emitter.loadIndex(rows, emitter.add(group.rowBegin, r));
}

Value PlanConstants::addStep(Emitter &emitter, Value offset, Value k) const {
  if (!steps)
    return emitter.add(offset, stepScale);
  Value step = emitter.loadIndex(steps, k);
  if (stepTable)
    return emitter.add(offset, emitter.loadIndex(stepTable, step));
  return emitter.add(offset, emitter.mul(step, stepScale));
}

void PlanConstants::prefetchLines(Emitter &emitter, Value weights,
                                  int64_t position, int64_t height) const {
  for (int64_t i = 0; i < height; ++i)
    if ((position + i) % kCacheLine == 0)
      memref::PrefetchOp::create(emitter, values,
                                 emitter.add(weights, i + kPrefetchDistance),
                                 /*isWrite=*/false, /*localityHint=*/3,
                                 /*isDataCache=*/true);
}

SmallVector<Value> PlanConstants::reduceColumns(
    Emitter &emitter, const KernelClass &entry, const GroupValues &group,
    Value base, ValueRange sums, int64_t unroll, ColumnBody body) const {
  bool prefetch =
      unroll > 1 &&
      4 * cast<MemRefType>(values.getType()).getNumElements() >= kStreamBytes;
  // The value of row r of column k is at k * height + bias + r.
  int64_t bias = entry.valueBegin - entry.columnBegin * entry.height;
  auto run = [&](Value begin, Value end, int64_t columns,
                 SmallVector<Value> carried) {
    int64_t perColumn = (carried.size() - 1) / columns;
    return emitter.reduce(
        begin, end, columns, carried, [&](Value k, ValueRange before) {
          SmallVector<Value> next(before);
          for (int64_t u = 0; u < columns; ++u) {
            Value column = emitter.add(k, u);
            Value weights =
                emitter.add(emitter.mul(column, entry.height), bias);
            if (prefetch)
              prefetchLines(emitter, weights, u * entry.height, entry.height);
            body(next[0], weights,
                 MutableArrayRef(next).slice(1 + u * perColumn, perColumn));
            next[0] = addStep(emitter, next[0], emitter.add(column, 1));
          }
          return next;
        });
  };
  SmallVector<Value> carried = {emitter.add(base, group.firstOffset)};
  llvm::append_range(carried, sums);
  Value begin = group.columnBegin;
  if (unroll > 1) {
    for (int64_t u = 1; u < unroll; ++u)
      for (Value sum : sums)
        carried.push_back(emitter.zero(sum.getType()));
    Value whole = emitter.mul(
        emitter.div(emitter.sub(group.columnEnd, begin), unroll), unroll);
    Value end = emitter.add(begin, whole);
    carried = run(begin, end, unroll, carried);
    size_t count = sums.size();
    for (size_t i = 0; i < count; ++i)
      for (int64_t u = 1; u < unroll; ++u)
        carried[1 + i] = arith::AddFOp::create(emitter, carried[1 + i],
                                               carried[1 + u * count + i]);
    carried.truncate(1 + count);
    begin = end;
  }
  SmallVector<Value> result = run(begin, group.columnEnd, 1, carried);
  result.erase(result.begin());
  return result;
}

std::pair<Value, Value> PlanConstants::getBounds(Emitter &emitter,
                                                 ArrayRef<int64_t> known,
                                                 size_t list,
                                                 Value chunk) const {
  if (!bounds)
    return {emitter.index(known[0]), emitter.index(known[1])};
  int64_t base = list * (plan.getNumChunks() + 1);
  return {emitter.loadIndex(bounds, emitter.add(chunk, base)),
          emitter.loadIndex(bounds, emitter.add(chunk, base + 1))};
}

void PlanConstants::forEachGroup(
    Emitter &emitter, size_t classIndex, Value chunk,
    llvm::function_ref<void(const GroupValues &)> body) const {
  const KernelClass &entry = plan.classes[classIndex];
  auto [begin, end] = getBounds(emitter, entry.bounds, classIndex, chunk);
  emitter.loop(begin, end, 1, [&](Value group) {
    GroupValues fields;
    fields.rowBegin = emitter.add(emitter.mul(group, entry.getListedRows()),
                                  entry.rowBegin - entry.bounds.front() *
                                                       entry.getListedRows());
    fields.columnBegin = emitter.loadIndex(groupColumns, group);
    fields.columnEnd = emitter.loadIndex(groupColumns, emitter.add(group, 1));
    Value begin = emitter.index(origin * stepScale);
    if (origins)
      begin = emitter.add(
          emitter.mul(emitter.loadIndex(origins, group), stepScale), begin);
    fields.firstOffset = addStep(emitter, begin, fields.columnBegin);
    fields.convGroup =
        convGroups ? emitter.loadIndex(convGroups, group) : emitter.index(0);
    body(fields);
  });
}

void PlanConstants::forEachChunk(
    Emitter &emitter, Value thread,
    llvm::function_ref<void(Value chunk)> body) const {
  if (plan.getNumChunks() == plan.getNumThreads())
    return body(thread);
  if (!units)
    return emitter.loop(emitter.index(0), emitter.index(plan.getNumChunks()), 1,
                        body);
  emitter.loop(emitter.loadIndex(units, thread),
               emitter.loadIndex(units, emitter.add(thread, 1)), 1, body);
}

void PlanConstants::forEachAccumulated(
    Emitter &emitter, Value chunk,
    llvm::function_ref<void(Value slot, Value row)> body) const {
  if (!accumulated)
    return;
  auto [begin, end] =
      getBounds(emitter, plan.accumulatedBounds, plan.classes.size(), chunk);
  Value first = begin;
  emitter.loop(begin, end, 1, [&](Value position) {
    body(emitter.sub(position, first),
         emitter.loadIndex(accumulated, position));
  });
}

void PlanConstants::forEachEmpty(
    Emitter &emitter, Value chunk,
    llvm::function_ref<void(Value row)> body) const {
  if (!empty)
    return;
  auto [begin, end] =
      getBounds(emitter, plan.emptyBounds, plan.classes.size() + 1, chunk);
  emitter.loop(begin, end, 1, [&](Value position) {
    body(emitter.loadIndex(empty, position));
  });
}

FailureOr<KernelPlan>
loops::planLayer(LayerOpInterface layer, ConstantOp weights,
                 const PackedStructure &structure, const PlanOptions &options,
                 const Emitter &emitter, ElementsAttr &values) {
  FailureOr<FloatElements> elements = FloatElements::get(weights.getValues());
  if (failed(elements)) {
    layer->emitOpError("the values of its weights are a resource without data");
    return failure();
  }
  KernelPlan plan = makePlan(structure, elements->get(), options);
  values = weights.getValues();
  if (plan.values)
    values = makeFloatElements({structure.getNumValues()},
                               (emitter.getLayerName() + ".values").str(),
                               std::move(*plan.values), layer->getContext());
  return plan;
}
