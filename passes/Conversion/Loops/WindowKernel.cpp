//===- WindowKernel.cpp - Groups of few rows ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where a block keeps one or two of its rows, a loop over columns loads an
// index and an input for one or two weights. Here 16 columns are along the
// vector: the inputs that the block may need stay in four registers, a
// permutation takes those of 16 columns out of them, and each row is one
// multiply-add. The sums of a row's lanes are added up at the end. Needs a
// permutation of two registers by variable indices, which AVX-512 has.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowKernel.h"
#include "passes/Conversion/Loops/IndexList.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <numeric>
#include <tuple>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Lanes of AVX-512, and inputs that four of its registers hold.
static constexpr int64_t kLanes = 16;
static constexpr int64_t kWindow = 64;

/// More rows share the loads of a column well enough.
static constexpr int64_t kMaxRows = 8;

/// More samples make better use of a column's weights.
static constexpr int64_t kMaxSamples = 2;

//===----------------------------------------------------------------------===//
// Which groups
//===----------------------------------------------------------------------===//

/// Micro-operations of a group, counted on the code of a Zen 5 core: of the
/// window kernel a vector of columns, and a row to add up and store; of the
/// rows kernel a column, a row to store, and the loop.
static int64_t countWindowOperations(int64_t rows, int64_t columns) {
  return llvm::divideCeil(columns, kLanes) * (9 + 2 * rows) + 10 * rows;
}
static int64_t countRowOperations(int64_t rows, int64_t columns) {
  return 4 * columns + 4 * rows + 24;
}

/// Where the window begins whose first column this is: with a vector, since
/// loads across cache lines take twice as long, and not so late that it would
/// end behind the input.
static int64_t getOrigin(int64_t column, int64_t numColumns) {
  return std::min(column - column % kLanes, numColumns - kWindow);
}

/// Cuts the columns of a group into windows; item i begins with column
/// `begins[i]`.
static SmallVector<int64_t> cutWindows(ArrayRef<int32_t> columns,
                                       int64_t numColumns) {
  SmallVector<int64_t> begins;
  for (auto [position, column] : llvm::enumerate(columns))
    if (begins.empty() ||
        column - getOrigin(columns[begins.back()], numColumns) >= kWindow)
      begins.push_back(static_cast<int64_t>(position));
  return begins;
}

static bool isForWindows(int64_t rows, ArrayRef<int32_t> columns,
                         ArrayRef<int64_t> begins) {
  if (rows > kMaxRows)
    return false;
  int64_t operations = 0;
  for (size_t i = 0; i < begins.size(); ++i) {
    int64_t end = i + 1 < begins.size() ? begins[i + 1]
                                        : static_cast<int64_t>(columns.size());
    operations += countWindowOperations(rows, end - begins[i]);
  }
  return operations < countRowOperations(rows, columns.size());
}

std::vector<WindowGroup>
loops::takeWindowGroups(MatmulOp op, int64_t lanes, int64_t threads,
                        PackedStructure &structure, ArrayRef<float> values,
                        std::vector<int64_t> &chunkStarts,
                        std::vector<float> &restValues) {
  std::vector<WindowGroup> taken;
  auto type = cast<MemRefType>(op.getInit().getType());
  bool few = !type.isDynamicDim(0) && type.getDimSize(0) <= kMaxSamples;
  bool dealt = static_cast<int64_t>(chunkStarts.size()) == threads;
  if (lanes != kLanes || structure.numColumns < kWindow || !few ||
      !hasUnitStride(op.getInput()) || (threads > 1 && !dealt))
    return taken;
  PackedStructure rest = structure;
  rest.groups.clear();
  std::vector<int64_t> restStarts(chunkStarts.size());
  int64_t chunk = 0;
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    while (chunk + 1 < static_cast<int64_t>(chunkStarts.size()) &&
           chunkStarts[chunk + 1] <= static_cast<int64_t>(index))
      restStarts[++chunk] = static_cast<int64_t>(rest.groups.size());
    ArrayRef<int32_t> columns = structure.getColumns(group);
    SmallVector<int64_t> begins = cutWindows(columns, structure.numColumns);
    if (!isForWindows(group.rowCount, columns, begins)) {
      rest.addGroup(group.rowBegin, group.rowCount, group.columnBegin,
                    group.columnCount);
      llvm::append_range(
          restValues,
          values.slice(group.valueBegin, group.rowCount * group.columnCount));
      continue;
    }
    begins.push_back(static_cast<int64_t>(columns.size()));
    for (size_t i = 0; i + 1 < begins.size(); ++i) {
      WindowGroup part;
      // Shares that nobody asked for are one thread's.
      part.chunk = dealt ? chunk : 0;
      part.origin = getOrigin(columns[begins[i]], structure.numColumns);
      part.rows = structure.getRows(group).vec();
      for (int64_t k = begins[i]; k < begins[i + 1]; ++k)
        part.columns.push_back(static_cast<int32_t>(columns[k] - part.origin));
      for (int64_t r = 0; r < group.rowCount; ++r)
        for (int64_t k = begins[i]; k < begins[i + 1]; ++k)
          part.values.push_back(
              values[group.valueBegin + k * group.rowCount + r]);
      taken.push_back(std::move(part));
    }
  }
  while (chunk + 1 < static_cast<int64_t>(chunkStarts.size()))
    restStarts[++chunk] = static_cast<int64_t>(rest.groups.size());
  if (taken.empty()) {
    restValues.clear();
    return taken;
  }
  structure = std::move(rest);
  chunkStarts = std::move(restStarts);
  return taken;
}

//===----------------------------------------------------------------------===//
// Loops
//===----------------------------------------------------------------------===//

namespace {
/// Groups of one height. Neighbours with as many columns are a run, so that a
/// group needs no position of its columns and values.
struct WindowClass {
  int64_t height = 0;
  int64_t rowBegin = 0, columnBegin = 0, valueBegin = 0, groupBegin = 0;
  /// The runs of chunk i are [bounds[i], bounds[i + 1]).
  std::vector<int32_t> bounds;
};

class WindowKernel {
public:
  WindowKernel(MatmulOp op, Emitter &emitter) : op(op), emitter(emitter) {}

  int64_t emit(std::vector<WindowGroup> groups, int64_t chunks);

private:
  void layOut(std::vector<WindowGroup> groups, int64_t chunks);
  void emitRun(const WindowClass &entry, Value run);
  /// Group `group`, whose columns are `count` from position `begin` on.
  void emitGroup(const WindowClass &entry, Value group, Value begin,
                 Value count);
  /// Adds the products of a vector of columns, those that are `valid` if not
  /// all are, to the sums of the rows.
  SmallVector<Value> addProducts(const WindowClass &entry,
                                 ArrayRef<Value> window, Value column,
                                 Value firstValue, Value count, Value valid,
                                 ValueRange sums);
  /// The inputs of the columns at `indices` out of a window.
  Value permute(ArrayRef<Value> window, Value indices);
  SmallVector<Value> addLanes(ValueRange vectors);
  /// The lanes below a number.
  Value makeMask(Value count);

  MatmulOp op;
  Emitter &emitter;
  std::vector<WindowClass> classes;
  int64_t bytes = 0;
  Value values, columns;
  IndexList rows, origins, bounds;
  /// Of runs: first group, first column, and the columns of a group.
  IndexList runGroups, runBegins, runColumns;
};
} // namespace

void WindowKernel::layOut(std::vector<WindowGroup> groups, int64_t chunks) {
  // Loops with as many turns as the last time are predicted, and groups with
  // the same window add to different rows, so that none waits for the last.
  llvm::stable_sort(groups, [](const WindowGroup &a, const WindowGroup &b) {
    return std::tuple(a.rows.size(), a.chunk, a.columns.size(), a.origin) <
           std::tuple(b.rows.size(), b.chunk, b.columns.size(), b.origin);
  });
  std::vector<float> valueList;
  std::vector<int32_t> rowList, columnList, originList, boundList;
  std::vector<int32_t> runGroupList, runBeginList, runColumnList;
  const WindowGroup *last = nullptr;
  for (auto [number, group] : llvm::enumerate(groups)) {
    auto height = static_cast<int64_t>(group.rows.size());
    auto count = static_cast<int32_t>(group.columns.size());
    bool first = classes.empty() || classes.back().height != height;
    if (first) {
      WindowClass entry;
      entry.height = height;
      entry.groupBegin = static_cast<int64_t>(number);
      entry.rowBegin = static_cast<int64_t>(rowList.size());
      entry.columnBegin = static_cast<int64_t>(columnList.size());
      entry.valueBegin = static_cast<int64_t>(valueList.size());
      entry.bounds.assign(chunks + 1,
                          static_cast<int32_t>(runColumnList.size()));
      classes.push_back(entry);
    }
    if (first || last->chunk != group.chunk || runColumnList.back() != count) {
      runGroupList.push_back(static_cast<int32_t>(number));
      runBeginList.push_back(static_cast<int32_t>(columnList.size()));
      runColumnList.push_back(count);
      for (int64_t i = group.chunk; i < chunks; ++i)
        ++classes.back().bounds[i + 1];
    }
    last = &group;
    originList.push_back(static_cast<int32_t>(group.origin));
    llvm::append_range(rowList, group.rows);
    llvm::append_range(columnList, group.columns);
    llvm::append_range(valueList, group.values);
  }
  runGroupList.push_back(static_cast<int32_t>(groups.size()));
  for (const WindowClass &entry : classes)
    llvm::append_range(boundList, entry.bounds);
  // Vectors read over the end.
  columnList.resize(columnList.size() + kLanes - 1);
  valueList.resize(valueList.size() + kLanes - 1);
  auto size = static_cast<int64_t>(valueList.size());
  values = emitter.global(
      "window_values",
      makeFloatElements({size}, (emitter.getLayerName() + ".window").str(),
                        std::move(valueList), op->getContext()));
  columns = emitter.indexGlobal("window_columns", columnList);
  rows = IndexList(emitter, "window_rows", rowList);
  origins = IndexList(emitter, "window_origins", originList);
  runGroups = IndexList(emitter, "window_run_groups", runGroupList);
  runBegins = IndexList(emitter, "window_run_begins", runBeginList);
  runColumns = IndexList(emitter, "window_run_columns", runColumnList);
  bytes = static_cast<int64_t>(columnList.size());
  for (const IndexList *list :
       {&rows, &origins, &runGroups, &runBegins, &runColumns})
    bytes += list->getBytes();
  if (chunks > 1) {
    bounds = IndexList(emitter, "window_chunks", boundList);
    bytes += bounds.getBytes();
  }
}

Value WindowKernel::permute(ArrayRef<Value> window, Value indices) {
  auto pick = [&](Value low, Value high) -> Value {
    return LLVM::CallIntrinsicOp::create(
               emitter, low.getType(),
               emitter.getStringAttr("llvm.x86.avx512.vpermi2var.ps.512"),
               ValueRange{low, indices, high})
        .getResults();
  };
  Value half = arith::ConstantOp::create(
      emitter, DenseElementsAttr::get(cast<VectorType>(indices.getType()),
                                      emitter.getI32IntegerAttr(kWindow / 2)));
  Value inHigh =
      arith::CmpIOp::create(emitter, arith::CmpIPredicate::uge, indices, half);
  return arith::SelectOp::create(emitter, inHigh, pick(window[2], window[3]),
                                 pick(window[0], window[1]));
}

/// The sums of the lanes of each vector. Two of them share the steps after the
/// first.
SmallVector<Value> WindowKernel::addLanes(ValueRange vectors) {
  auto fold = [&](Value a, Value b, int64_t width, int64_t half) -> Value {
    SmallVector<int64_t> low, high;
    for (int64_t begin = 0; begin < 2 * kLanes; begin += width)
      for (int64_t i = 0; i < half; ++i) {
        low.push_back(begin + i);
        high.push_back(begin + half + i);
      }
    return arith::AddFOp::create(
        emitter, vector::ShuffleOp::create(emitter, a, b, low),
        vector::ShuffleOp::create(emitter, a, b, high));
  };
  SmallVector<Value> sums;
  for (size_t i = 0; i < vectors.size(); i += 2) {
    bool pair = i + 1 < vectors.size();
    Value second = pair ? vectors[i + 1] : vectors[i];
    // Lanes 0 to 7 are of the first one, 8 to 15 of the second.
    Value both = fold(vectors[i], second, kLanes, kLanes / 2);
    for (int64_t half = kLanes / 4; half >= 1; half /= 2) {
      SmallVector<int64_t> swapped(kLanes);
      for (int64_t lane = 0; lane < kLanes; ++lane)
        swapped[lane] = lane ^ half;
      both = arith::AddFOp::create(
          emitter, both,
          vector::ShuffleOp::create(emitter, both, both, swapped));
    }
    sums.push_back(vector::ExtractOp::create(emitter, both, 0));
    if (pair)
      sums.push_back(vector::ExtractOp::create(emitter, both, kLanes / 2));
  }
  return sums;
}

Value WindowKernel::makeMask(Value count) {
  SmallVector<int32_t> numbers(kLanes);
  std::iota(numbers.begin(), numbers.end(), 0);
  Value lanes =
      arith::ConstantOp::create(emitter, emitter.getI32VectorAttr(numbers));
  Value limit =
      arith::IndexCastOp::create(emitter, emitter.getI32Type(), count);
  return arith::CmpIOp::create(
      emitter, arith::CmpIPredicate::slt, lanes,
      vector::BroadcastOp::create(emitter, lanes.getType(), limit));
}

SmallVector<Value> WindowKernel::addProducts(const WindowClass &entry,
                                             ArrayRef<Value> window,
                                             Value column, Value firstValue,
                                             Value count, Value valid,
                                             ValueRange sums) {
  auto byteVector = VectorType::get({kLanes}, emitter.getI8Type());
  auto intVector = VectorType::get({kLanes}, emitter.getI32Type());
  Value narrow = vector::LoadOp::create(emitter, byteVector, columns, column);
  Value inputs =
      permute(window, arith::ExtUIOp::create(emitter, intVector, narrow));
  SmallVector<Value> after;
  for (int64_t r = 0; r < entry.height; ++r) {
    Value weights = emitter.load(values, firstValue, kLanes);
    Value sum = emitter.multiplyAdd(inputs, weights, sums[r]);
    // What is behind the last column belongs to others, and zero times it need
    // not be zero.
    if (valid)
      sum = arith::SelectOp::create(emitter, valid, sum, sums[r]);
    after.push_back(sum);
    firstValue = emitter.createOrFold<arith::AddIOp>(firstValue, count);
  }
  return after;
}

void WindowKernel::emitGroup(const WindowClass &entry, Value group, Value begin,
                             Value count) {
  Value origin = origins.load(emitter, group);
  Value firstRow =
      emitter.add(emitter.mul(group, entry.height),
                  entry.rowBegin - entry.groupBegin * entry.height);
  Value firstValue =
      emitter.add(emitter.mul(begin, entry.height),
                  entry.valueBegin - entry.columnBegin * entry.height);
  // Full vectors, and one of 1 to 16 columns.
  Value full = emitter.mul(
      emitter.div(emitter.sub(count, emitter.index(1)), kLanes), kLanes);
  Value valid = makeMask(emitter.sub(count, full));
  int64_t samples = cast<MemRefType>(op.getInit().getType()).getDimSize(0);
  for (int64_t s = 0; s < samples; ++s) {
    Value sample = emitter.index(s);
    SmallVector<Value> window;
    for (int64_t i = 0; i < kWindow; i += kLanes)
      window.push_back(emitter.load(op.getInput(),
                                    {sample, emitter.add(origin, i)}, kLanes));
    SmallVector<Value> zeros(entry.height, emitter.constant(0, kLanes));
    SmallVector<Value> sums = emitter.reduce(
        emitter.index(0), full, kLanes, zeros, [&](Value k, ValueRange before) {
          return addProducts(entry, window, emitter.add(begin, k),
                             emitter.add(firstValue, k), count,
                             /*valid=*/Value(), before);
        });
    sums = addProducts(entry, window, emitter.add(begin, full),
                       emitter.add(firstValue, full), count, valid, sums);
    for (auto [r, sum] : llvm::enumerate(addLanes(sums))) {
      Value row =
          rows.load(emitter, emitter.add(firstRow, static_cast<int64_t>(r)));
      Value old = emitter.load(op.getInit(), {sample, row});
      emitter.store(arith::AddFOp::create(emitter, old, sum), op.getInit(),
                    {sample, row});
    }
  }
}

void WindowKernel::emitRun(const WindowClass &entry, Value run) {
  Value count = runColumns.load(emitter, run);
  emitter.reduce(
      runGroups.load(emitter, run),
      runGroups.load(emitter, emitter.add(run, 1)), 1,
      runBegins.load(emitter, run),
      [&](Value group, ValueRange begin) -> SmallVector<Value> {
        emitGroup(entry, group, begin.front(), count);
        return {emitter.createOrFold<arith::AddIOp>(begin.front(), count)};
      });
}

int64_t WindowKernel::emit(std::vector<WindowGroup> groups, int64_t chunks) {
  layOut(std::move(groups), chunks);
  emitter.parallelLoop(emitter.index(chunks), [&](Value chunk) {
    int64_t list = 0;
    for (const WindowClass &entry : classes) {
      Value begin = emitter.index(entry.bounds[0]);
      Value end = emitter.index(entry.bounds[1]);
      if (chunks > 1) {
        begin = bounds.load(emitter, emitter.add(chunk, list));
        end = bounds.load(emitter, emitter.add(chunk, list + 1));
      }
      list += chunks + 1;
      emitter.loop(begin, end, 1, [&](Value run) { emitRun(entry, run); });
    }
  });
  return bytes;
}

int64_t loops::emitWindowKernel(MatmulOp op, std::vector<WindowGroup> groups,
                                int64_t chunks, Emitter &emitter) {
  return WindowKernel(op, emitter).emit(std::move(groups), chunks);
}
