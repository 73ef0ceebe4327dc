//===- Kernel.cpp - What the two kernels share ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Kernel.h"
#include "dialect/Packed.h"
#include "passes/Conversion/Loops/ColumnCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Bytes of indices per byte of values that are aimed at. What follows the
/// steps, positions of groups mostly, takes about the rest to a tenth.
static constexpr double kMaxIndexShare = 0.085;

/// Independent multiply-adds that hide the latency of one.
static constexpr int64_t kChains = 8;

/// Multiply-adds of a column up to which two columns make a turn: a core that
/// starts three micro-operations a cycle has no room for counters beside them.
static constexpr int64_t kMaxShortTurn = 16;

/// Sums side by side for each row at most.
static constexpr int64_t kMaxChains = 4;

/// Columns that a turn takes where a column is few multiply-adds: half as many
/// turns, and steps loaded together, leave room for more of the weights to be
/// on their way.
static constexpr int64_t kLongTurn = 8;

/// f32 of a cache line of the processors we know.
static constexpr int64_t kCacheLine = 16;

/// Weights of more bytes than this come from beyond the caches of a core, and
/// processors do not ask for them as early as they could be had.
static constexpr int64_t kStreamBytes = 1 << 20;

/// Weights of more bytes than this come from memory.
static constexpr int64_t kMemoryBytes = 1 << 22;

/// The same where each column takes long and loads much else, which hides from
/// a processor that its weights are a stream. Narrow machines have no slot to
/// spare for it.
static constexpr int64_t kColumnStreamBytes = 1 << 16;

/// Weights ahead that are asked for: measured best of 1, 4, 8 and 16 kB where
/// they come from memory, of 2, 4, 8 and 16 kB where from a third cache.
static constexpr int64_t kPrefetchDistance = 2048;
static constexpr int64_t kNearPrefetchDistance = 512;

/// The masks of the widest windows that have no more than `budget` bytes, or
/// else of the fewest bytes; none if `bytes` are fewer.
static std::optional<ColumnMasks> chooseMasks(const KernelPlan &plan,
                                              ArrayRef<int32_t> offsets,
                                              int64_t budget, int64_t bytes) {
  std::optional<ColumnMasks> best;
  for (int64_t window : {64, 32, 16, 8}) {
    std::optional<ColumnMasks> code =
        encodeMasks(plan.columns, plan.columnBegins, offsets, window);
    if (!code || code->getBytes() >= bytes)
      continue;
    bytes = code->getBytes();
    best = std::move(code);
    if (bytes <= budget)
      break;
  }
  return best;
}

/// Index arrays have up to 32 bits an element: masks of 64 are two, the lower
/// half first.
static Value makeMaskGlobal(Emitter &emitter, const ColumnMasks &masks) {
  std::vector<int32_t> words;
  for (uint64_t mask : masks.masks)
    for (int64_t bit = 0; bit < masks.window; bit += 32)
      words.push_back(static_cast<int32_t>(mask >> bit));
  return emitter.global(
      "masks", makeIndexElements({static_cast<int64_t>(words.size())},
                                 (emitter.getLayerName() + ".masks").str(),
                                 words, std::min<int64_t>(masks.window, 32),
                                 emitter.getContext()));
}

/// Mask `run` as 64 bits. Targets are little-endian.
static Value loadMask(Emitter &emitter, Value masks, int64_t window,
                      Value run) {
  Type bits = emitter.getI64Type();
  if (window < 64)
    return arith::ExtUIOp::create(emitter, bits,
                                  memref::LoadOp::create(emitter, masks, run));
  Value words = vector::LoadOp::create(
      emitter, VectorType::get({2}, emitter.getI32Type()), masks,
      emitter.mul(run, 2));
  Value mask =
      vector::BitCastOp::create(emitter, VectorType::get({1}, bits), words);
  return vector::ExtractOp::create(emitter, mask, int64_t(0));
}

PlanConstants::PlanConstants(Emitter &emitter, LayerOpInterface layer,
                             const KernelPlan &plan, ArrayRef<int32_t> offsets,
                             ElementsAttr valueList)
    : plan(plan) {
  auto makeList = [&](StringRef name, ArrayRef<int32_t> list) {
    IndexList result(emitter, name, list);
    bytes += result.getBytes();
    return result;
  };
  auto makeGlobal = [&](StringRef name, ArrayRef<int32_t> list) {
    bytes += getListBytes(list);
    return list.empty() ? Value() : emitter.indexGlobal(name, list);
  };
  auto narrow = [](ArrayRef<int64_t> list) {
    return std::vector<int32_t>(list.begin(), list.end());
  };
  if (!plan.groups.empty()) {
    values = emitter.global("values", valueList);
    rows = makeList("rows", plan.rows);
    std::vector<int32_t> columnOffsets;
    columnOffsets.reserve(plan.columns.size());
    for (int32_t column : plan.columns)
      columnOffsets.push_back(offsets[column]);
    int64_t valueBytes =
        4 * cast<MemRefType>(values.getType()).getNumElements();
    int64_t budget = static_cast<int64_t>(kMaxIndexShare * valueBytes) - bytes;
    ColumnCode code = encodeColumns(columnOffsets, plan.columnBegins, budget);
    if (code.getBytes() > budget && emitter.findsBits())
      masks = chooseMasks(plan, offsets, budget, code.getBytes());
    if (masks) {
      maskBits = makeMaskGlobal(emitter, *masks);
      bytes += static_cast<int64_t>(masks->masks.size()) * masks->window / 8;
      maskSteps = makeList("mask_steps", masks->steps);
      maskTable = makeGlobal("mask_table", masks->table);
      groupRuns = makeList("group_runs", masks->groupRuns);
      if (masks->columnsPerRun == 0)
        groupColumns = makeList("group_columns", narrow(plan.columnBegins));
    } else {
      // The kernels look one step ahead.
      if (!code.entries.empty())
        code.entries.push_back(0);
      steps = makeGlobal("steps", code.entries);
      stepTable = makeGlobal("step_table", code.table);
      origins = makeList("origins", code.origins);
      stepScale = code.scale;
      origin = code.origin;
      if (code.runBegins.empty()) {
        groupColumns = makeList("group_columns", narrow(plan.columnBegins));
      } else {
        runColumns = makeList("run_columns", narrow(code.runBegins));
        groupRuns = makeList("group_runs", code.groupRuns);
      }
    }
    if (llvm::any_of(plan.groups, [](const KernelGroup &group) {
          return group.convGroup != 0;
        })) {
      std::vector<int32_t> list;
      for (const KernelGroup &group : plan.groups)
        list.push_back(static_cast<int32_t>(group.convGroup));
      convGroups = makeList("group_channels", list);
    }
  }
  accumulated = makeList("accumulated_rows", plan.accumulated);
  empty = makeList("empty_rows", plan.empty);
  if (plan.getNumChunks() > 1) {
    std::vector<int32_t> list;
    auto append = [&](ArrayRef<int64_t> items) {
      list.insert(list.end(), items.begin(), items.end());
    };
    for (const KernelClass &entry : plan.classes)
      append(entry.bounds);
    append(plan.accumulatedBounds);
    append(plan.emptyBounds);
    bounds = makeList("chunks", list);
  }
  if (plan.getNumChunks() != plan.getNumThreads() && plan.getNumThreads() > 1)
    units = makeList("threads", narrow(plan.chunkUnits));
  emitter.getReport().set(layer, "index_bytes",
                          emitter.getI64IntegerAttr(bytes));
}

Value PlanConstants::getRow(Emitter &emitter, const KernelClass &entry,
                            const GroupValues &group, Value r) const {
  if (entry.consecutive)
    return emitter.add(rows.load(emitter, group.rowBegin), r);
  return rows.load(emitter, emitter.add(group.rowBegin, r));
}

Value PlanConstants::addStep(Emitter &emitter, Value offset, Value k) const {
  if (!steps)
    return emitter.add(offset, stepScale);
  Value step = emitter.loadIndex(steps, k);
  if (stepTable)
    return emitter.add(offset, emitter.loadIndex(stepTable, step));
  return emitter.add(offset, emitter.mul(step, stepScale));
}

Value PlanConstants::getOrigin(Emitter &emitter, Value number) const {
  Value constant = emitter.index(origin * stepScale);
  if (!origins)
    return constant;
  return emitter.add(emitter.mul(origins.load(emitter, number), stepScale),
                     constant);
}

void PlanConstants::prefetchLines(Emitter &emitter, Value weights,
                                  int64_t position, int64_t height) const {
  int64_t bytes = 4 * cast<MemRefType>(values.getType()).getNumElements();
  int64_t distance =
      bytes >= kMemoryBytes ? kPrefetchDistance : kNearPrefetchDistance;
  for (int64_t i = 0; i < height; ++i)
    if ((position + i) % kCacheLine == 0)
      memref::PrefetchOp::create(emitter, values,
                                 emitter.add(weights, i + distance),
                                 /*isWrite=*/false, /*localityHint=*/3,
                                 /*isDataCache=*/true);
}

void PlanConstants::walkColumns(Emitter &emitter, const GroupValues &group,
                                Value base, MutableArrayRef<Value> sums,
                                CursorWalk walk) const {
  if (masks)
    return walkMasks(emitter, group, base, sums, walk);
  if (runColumns)
    return walkRuns(emitter, group, base, sums, walk);
  auto getInput = [](Value offset) { return offset; };
  auto next = [&](Value offset, Value column) {
    return addStep(emitter, offset, column);
  };
  walk(group.columnBegin, group.columnEnd,
       {emitter.add(base, group.firstOffset), getInput, next}, sums);
}

void PlanConstants::walkRuns(Emitter &emitter, const GroupValues &group,
                             Value base, MutableArrayRef<Value> sums,
                             CursorWalk walk) const {
  auto getInput = [](Value offset) { return offset; };
  auto addNext = [&](Value offset, Value column) {
    return addStep(emitter, offset, column);
  };
  // A run begins where the one before ends.
  SmallVector<Value> carried = {runColumns.load(emitter, group.runBegin)};
  llvm::append_range(carried, sums);
  carried = emitter.reduce(
      group.runBegin, group.runEnd, 1, carried,
      [&](Value run, ValueRange before) {
        SmallVector<Value> next(before);
        next[0] = runColumns.load(emitter, emitter.add(run, 1));
        walk(before[0], next[0],
             {emitter.add(base, getOrigin(emitter, run)), getInput, addNext},
             MutableArrayRef(next).drop_front());
        return next;
      });
  llvm::copy(ArrayRef(carried).drop_front(), sums.begin());
}

void PlanConstants::walkMasks(Emitter &emitter, const GroupValues &group,
                              Value base, MutableArrayRef<Value> sums,
                              CursorWalk walk) const {
  // Carried: the first column of the run, and the window of the one before.
  SmallVector<Value> carried = {group.columnBegin, emitter.index(0)};
  llvm::append_range(carried, sums);
  carried = emitter.reduce(
      group.runBegin, group.runEnd, 1, carried,
      [&](Value run, ValueRange before) {
        SmallVector<Value> next(before);
        next[1] = emitter.add(before[1], maskSteps.load(emitter, run));
        Value bits = loadMask(emitter, maskBits, masks->window, run);
        Value count = masks->columnsPerRun > 0
                          ? emitter.index(masks->columnsPerRun)
                          : emitter.countBits(bits);
        next[0] = emitter.add(before[0], count);
        Value period = emitter.div(next[1], masks->periodWindows);
        Value origin = emitter.add(
            base,
            emitter.add(emitter.mul(period, masks->periodStep), masks->origin));
        Value window = emitter.mul(emitter.rem(next[1], masks->periodWindows),
                                   masks->window);
        auto getInput = [&](Value rest) {
          Value bit = emitter.lowestBit(rest);
          if (!maskTable)
            return emitter.add(origin, emitter.mul(bit, masks->columnStep));
          return emitter.add(
              origin, emitter.loadIndex(maskTable, emitter.add(window, bit)));
        };
        auto dropFirst = [&](Value rest, Value) {
          return emitter.clearLowestBit(rest);
        };
        walk(before[0], next[0], {bits, getInput, dropFirst},
             MutableArrayRef(next).drop_front(2));
        return next;
      });
  llvm::copy(ArrayRef(carried).drop_front(2), sums.begin());
}

/// `count` neighbours out of an array of unsigned integers, by words of 64 bits
/// whose lowest bits are the first of them. Whole words are read.
static SmallVector<Value> loadIndices(Emitter &emitter, Value memref,
                                      Value position, int64_t count) {
  Type type = cast<MemRefType>(memref.getType()).getElementType();
  int64_t bits = type.getIntOrFloatBitWidth();
  int64_t perWord = 64 / bits;
  SmallVector<Value> indices;
  Value word;
  for (int64_t i = 0; i < count; ++i) {
    int64_t place = i % perWord;
    if (place == 0) {
      Value loaded =
          vector::LoadOp::create(emitter, VectorType::get({perWord}, type),
                                 memref, emitter.add(position, i));
      word = vector::ExtractOp::create(
          emitter,
          vector::BitCastOp::create(
              emitter, VectorType::get({1}, emitter.getI64Type()), loaded),
          0);
    }
    Value shifted = emitter.createOrFold<arith::ShRUIOp>(
        word,
        arith::ConstantIntOp::create(emitter, bits * place, /*width=*/64));
    if (place + 1 < perWord)
      shifted = emitter.createOrFold<arith::AndIOp>(
          shifted, arith::ConstantIntOp::create(
                       emitter, (int64_t(1) << bits) - 1, /*width=*/64));
    indices.push_back(
        arith::IndexCastUIOp::create(emitter, emitter.getIndexType(), shifted));
  }
  return indices;
}

/// Columns of the class's longest group.
static int64_t getMostColumns(const KernelPlan &plan,
                              const KernelClass &entry) {
  int64_t most = 0;
  for (int64_t g = entry.bounds.front(); g < entry.bounds.back(); ++g)
    most = std::max(most, plan.columnBegins[g + 1] - plan.columnBegins[g]);
  return most;
}

SmallVector<Value> PlanConstants::reduceColumns(
    Emitter &emitter, const KernelClass &entry, const GroupValues &group,
    Value base, ValueRange sums, ColumnTurn turn, ColumnBody body) const {
  auto count = static_cast<int64_t>(sums.size());
  int64_t unroll = 1, chains = 1;
  if (turn == ColumnTurn::SideBySide)
    unroll = chains = std::clamp<int64_t>(kChains / count, 1, kMaxChains);
  else if (turn == ColumnTurn::Pair && count <= kMaxShortTurn)
    unroll = 2;
  int64_t most = getMostColumns(plan, entry);
  // No group would take a turn, and each would add up empty sums.
  if (most < unroll)
    unroll = chains = 1;
  SmallVector<int64_t> turns;
  // What cannot be asked for memory ahead is no processor, and may have no
  // words of 64 bits.
  if (chains == kMaxChains && most >= kLongTurn && steps && !stepTable &&
      emitter.prefetches())
    turns.push_back(kLongTurn);
  if (unroll > 1)
    turns.push_back(unroll);
  int64_t bytes = 4 * cast<MemRefType>(values.getType()).getNumElements();
  // Where a column is no whole vector, what else is loaded hides the stream.
  bool followed = emitter.followsStreams() &&
                  (entry.height >= kCacheLine || bytes < kMemoryBytes);
  bool prefetch =
      turn == ColumnTurn::SideBySide
          ? chains > 1 && bytes >= kStreamBytes && !followed
          : !emitter.multipliesByElement() && bytes >= kColumnStreamBytes;
  prefetch &= emitter.prefetches();
  // The value of row r of column k is at k * height + bias + r.
  int64_t bias = entry.valueBegin - entry.columnBegin * entry.height;
  auto walk = [&](Value begin, Value end, int64_t columns, const Cursor &cursor,
                  Value carriedIn, MutableArrayRef<Value> walked) {
    SmallVector<Value> carried = {carriedIn};
    llvm::append_range(carried, walked);
    carried = emitter.reduce(
        begin, end, columns, carried, [&](Value k, ValueRange before) {
          SmallVector<Value> next(before);
          SmallVector<Value> ahead;
          if (columns == kLongTurn)
            ahead = loadIndices(emitter, steps, emitter.add(k, 1), columns);
          for (int64_t u = 0; u < columns; ++u) {
            Value column = emitter.add(k, u);
            Value weights =
                emitter.add(emitter.mul(column, entry.height), bias);
            if (prefetch)
              prefetchLines(emitter, weights, u * entry.height, entry.height);
            int64_t chain = u * count % static_cast<int64_t>(walked.size());
            body(cursor.getInput(next[0]), weights,
                 MutableArrayRef(next).slice(1 + chain, count));
            next[0] =
                ahead.empty()
                    ? cursor.next(next[0], emitter.add(column, 1))
                    : emitter.add(next[0], emitter.mul(ahead[u], stepScale));
          }
          return next;
        });
    llvm::copy(ArrayRef(carried).drop_front(), walked.begin());
    return carried[0];
  };
  SmallVector<Value> partial(sums);
  for (int64_t u = 1; u < chains; ++u)
    for (Value sum : sums)
      partial.push_back(emitter.zero(sum.getType()));
  walkColumns(emitter, group, base, partial,
              [&](Value begin, Value end, const Cursor &cursor,
                  MutableArrayRef<Value> walked) {
                Value carried = cursor.first;
                for (int64_t columns : turns) {
                  Value whole = emitter.mul(
                      emitter.div(emitter.sub(end, begin), columns), columns);
                  Value middle = emitter.add(begin, whole);
                  carried =
                      walk(begin, middle, columns, cursor, carried, walked);
                  begin = middle;
                }
                walk(begin, end, 1, cursor, carried, walked.take_front(count));
              });
  for (int64_t i = 0; i < count; ++i)
    for (int64_t u = 1; u < chains; ++u)
      partial[i] =
          arith::AddFOp::create(emitter, partial[i], partial[u * count + i]);
  partial.truncate(count);
  return partial;
}

std::pair<Value, Value> PlanConstants::getBounds(Emitter &emitter,
                                                 ArrayRef<int64_t> known,
                                                 size_t list,
                                                 Value chunk) const {
  if (!bounds)
    return {emitter.index(known[0]), emitter.index(known[1])};
  int64_t base = list * (plan.getNumChunks() + 1);
  return {bounds.load(emitter, emitter.add(chunk, base)),
          bounds.load(emitter, emitter.add(chunk, base + 1))};
}

GroupValues PlanConstants::getGroup(Emitter &emitter, const KernelClass &entry,
                                    Value number) const {
  GroupValues fields;
  int64_t listed = entry.getListedRows();
  fields.rowBegin = emitter.add(emitter.mul(number, listed),
                                entry.rowBegin - entry.bounds.front() * listed);
  if (groupRuns) {
    fields.runBegin = groupRuns.load(emitter, number);
    fields.runEnd = groupRuns.load(emitter, emitter.add(number, 1));
  }
  if (masks) {
    fields.columnBegin =
        masks->columnsPerRun > 0
            ? emitter.mul(fields.runBegin, masks->columnsPerRun)
            : groupColumns.load(emitter, number);
  } else if (!runColumns) {
    fields.columnBegin = groupColumns.load(emitter, number);
    fields.columnEnd = groupColumns.load(emitter, emitter.add(number, 1));
    fields.firstOffset =
        addStep(emitter, getOrigin(emitter, number), fields.columnBegin);
  }
  fields.convGroup =
      convGroups ? convGroups.load(emitter, number) : emitter.index(0);
  return fields;
}

void PlanConstants::forEachGroup(
    Emitter &emitter, size_t classIndex, Value chunk,
    llvm::function_ref<void(const GroupValues &)> body) const {
  const KernelClass &entry = plan.classes[classIndex];
  auto [begin, end] = getBounds(emitter, entry.bounds, classIndex, chunk);
  emitter.loop(begin, end, 1,
               [&](Value group) { body(getGroup(emitter, entry, group)); });
}

void PlanConstants::forEachSharedGroup(
    Emitter &emitter, Value chunk,
    llvm::function_ref<void(const KernelClass &, const GroupValues &)> body)
    const {
  for (size_t index = 0; index < plan.classes.size(); ++index) {
    const KernelClass &entry = plan.classes[index];
    if (entry.accumulate)
      forEachGroup(emitter, index, chunk,
                   [&](const GroupValues &group) { body(entry, group); });
  }
}

void PlanConstants::forEachChunk(
    Emitter &emitter, Value thread,
    llvm::function_ref<void(Value chunk)> body) const {
  if (plan.getNumChunks() == plan.getNumThreads())
    return body(thread);
  if (!units)
    return emitter.loop(emitter.index(0), emitter.index(plan.getNumChunks()), 1,
                        body);
  emitter.loop(units.load(emitter, thread),
               units.load(emitter, emitter.add(thread, 1)), 1, body);
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
    body(emitter.sub(position, first), accumulated.load(emitter, position));
  });
}

void PlanConstants::forEachEmpty(
    Emitter &emitter, Value chunk,
    llvm::function_ref<void(Value row)> body) const {
  if (!empty)
    return;
  auto [begin, end] =
      getBounds(emitter, plan.emptyBounds, plan.classes.size() + 1, chunk);
  emitter.loop(begin, end, 1,
               [&](Value position) { body(empty.load(emitter, position)); });
}

FailureOr<KernelPlan>
loops::planLayer(LayerOpInterface layer, ConstantOp weights,
                 const PackedStructure &structure, const PlanOptions &options,
                 const Emitter &emitter, ElementsAttr &values,
                 std::optional<std::vector<float>> restValues) {
  FailureOr<FloatElements> elements = FloatElements::get(weights.getValues());
  if (failed(elements)) {
    layer->emitOpError("the values of its weights are a resource without data");
    return failure();
  }
  ArrayRef<float> all = restValues ? ArrayRef(*restValues) : elements->get();
  KernelPlan plan = makePlan(structure, all, options);
  if (restValues && plan.groups.empty())
    return plan;
  if (restValues && !plan.values)
    plan.values = std::move(restValues);
  values = weights.getValues();
  int64_t overread = getOverread(plan, options);
  if (overread > 0 && !plan.values)
    plan.values = all.vec();
  if (plan.values) {
    plan.values->resize(plan.values->size() + overread);
    values = makeFloatElements({structure.getNumValues() + overread},
                               (emitter.getLayerName() + ".values").str(),
                               std::move(*plan.values), layer->getContext());
  }
  return plan;
}
