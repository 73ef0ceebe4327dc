//===- Kernel.cpp - What the two kernels share ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Kernel.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

PlanConstants::PlanConstants(Emitter &emitter, const KernelPlan &plan,
                             ArrayRef<int32_t> offsetList,
                             ElementsAttr valueList)
    : plan(plan) {
  auto makeGlobal = [&](StringRef name, ArrayRef<int32_t> list) {
    return list.empty() ? Value() : emitter.indexGlobal(name, list);
  };
  auto makeField = [&](StringRef name, int64_t KernelGroup::*field) {
    std::vector<int32_t> list;
    for (const KernelGroup &group : plan.groups)
      list.push_back(static_cast<int32_t>(group.*field));
    return makeGlobal(name, list);
  };
  if (!plan.groups.empty()) {
    values = emitter.global("values", valueList);
    offsets = makeGlobal("offsets", offsetList);
    rows = makeGlobal("rows", plan.rows);
    groupRows = makeField("group_rows", &KernelGroup::rowBegin);
    groupColumns = makeField("group_columns", &KernelGroup::columnBegin);
    groupColumnEnds = makeField("group_column_ends", &KernelGroup::columnEnd);
    groupValues = makeField("group_values", &KernelGroup::valueBegin);
    if (llvm::any_of(plan.groups, [](const KernelGroup &group) {
          return group.convGroup != 0;
        }))
      convGroups = makeField("group_channels", &KernelGroup::convGroup);
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
  auto [begin, end] =
      getBounds(emitter, plan.classes[classIndex].bounds, classIndex, chunk);
  emitter.loop(begin, end, 1, [&](Value group) {
    GroupValues fields;
    fields.rowBegin = emitter.loadIndex(groupRows, group);
    fields.columnBegin = emitter.loadIndex(groupColumns, group);
    fields.columnEnd = emitter.loadIndex(groupColumnEnds, group);
    fields.valueBegin = emitter.loadIndex(groupValues, group);
    fields.convGroup =
        convGroups ? emitter.loadIndex(convGroups, group) : emitter.index(0);
    body(fields);
  });
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
