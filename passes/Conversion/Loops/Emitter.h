//===- Emitter.h - Building blocks of the kernels --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Loops, index arithmetic and loads and stores of `width` neighbouring
// elements, where a width of one means a scalar.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_EMITTER_H
#define BCR_PASSES_CONVERSION_LOOPS_EMITTER_H

#include "dialect/BCR.h"
#include "passes/Analysis/LayerReport.h"

#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/SymbolTable.h"

namespace mlir::bcr::loops {

/// Whether neighbours in the last dimension are neighbours in memory.
bool hasUnitStride(Value memref);

/// What the loops are made for.
struct LoopOptions {
  int64_t threads = 1;
  /// The machine multiplies by one element of a vector, so that scalars are
  /// best loaded as vectors.
  bool byElement = false;
  /// The machine can be asked for memory ahead of its use.
  bool prefetches = true;
  /// As in MachineModel.
  bool followsStreams = false;
  /// Groups of few rows run in windows even if another kernel is faster.
  bool windows = false;
  /// The machine finds the lowest bit of an integer.
  bool findsBits = true;
};

class Emitter : public ImplicitLocOpBuilder {
public:
  /// Builds before `layer`. Constants are put into the module of `symbols`,
  /// under the layer's name; what the kernel knows of it goes to `report`.
  Emitter(LayerOpInterface layer, SymbolTable &symbols, LayerReport &report,
          LoopOptions options);
  /// The same for an operation that is no layer; `name` is its constants'.
  Emitter(Operation *op, StringRef name, SymbolTable &symbols,
          LayerReport &report, LoopOptions options);

  int64_t getThreads() const { return options.threads; }
  LayerReport &getReport() const { return report; }
  bool multipliesByElement() const { return options.byElement; }
  bool prefetches() const { return options.prefetches; }
  bool followsStreams() const { return options.followsStreams; }
  bool prefersWindows() const { return options.windows; }
  bool findsBits() const { return options.findsBits; }

  // Index arithmetic; operands that are constants are folded.
  Value index(int64_t value);
  Value add(Value a, Value b);
  Value add(Value a, int64_t b) { return add(a, index(b)); }
  Value sub(Value a, Value b);
  Value mul(Value a, int64_t b);
  Value div(Value a, int64_t b);
  Value rem(Value a, int64_t b);
  /// The same index or vector, of which LLVM knows nothing: its optimisations
  /// sometimes cost more than they save. Vectors of AArch64 and AVX-512 only.
  Value hide(Value value);
  /// Makes LLVM compute `vector` before what depends on the index that is
  /// returned, which is `index`: it likes to begin long straight code with all
  /// of its loads, and then has no registers for them. No instruction.
  Value waitFor(Value &vector, Value index);

  // Loops.
  using Body = llvm::function_ref<void(Value)>;
  void loop(Value begin, Value end, int64_t step, Body body);
  /// Without a loop where there is one turn or none.
  void loop(int64_t count, Body body);
  /// Turns of the loop may run at the same time: each thread takes an equal
  /// share of neighbours, in order, so that what a turn allocates is needed
  /// once a thread.
  void parallelLoop(Value count, Body body);
  /// Covers [0, length) with pieces of up to `lanes` elements. Pieces may
  /// overlap, so the body has to write the same for an element both times.
  void coverRange(int64_t length, int64_t lanes,
                  llvm::function_ref<void(Value begin, int64_t width)> body);
  /// A loop over the columns of a group that carries accumulators.
  SmallVector<Value>
  reduce(Value begin, Value end, int64_t step, ValueRange accumulators,
         llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body);

  // Data.
  Type typeOf(int64_t width);
  Value constant(double value, int64_t width);
  Value zero(Type type);
  Value load(Value memref, ValueRange indices, int64_t width = 1);
  void store(Value value, Value memref, ValueRange indices);
  Value broadcast(Value scalar, int64_t width);
  /// An index out of an array of unsigned integers.
  Value loadIndex(Value memref, Value position);
  /// The number of the lowest bit that is set in `bits`, which are not zero.
  Value lowestBit(Value bits);
  /// `bits` without that one.
  Value clearLowestBit(Value bits);
  /// How many are set.
  Value countBits(Value bits);
  Value multiplyAdd(Value a, Value b, Value sum);
  /// Applies an activation, if there is one, to a scalar or a vector.
  Value activate(ActivationAttr activation, Value value);
  /// A buffer of f32, aligned to a cache line.
  Value allocate(ArrayRef<int64_t> shape);
  void deallocate(Value buffer);

  // Constants of the layer, as private globals `<layer>.<name>`.
  Value global(StringRef name, ElementsAttr value);
  /// In the narrowest integers that hold the values, which are not negative.
  Value indexGlobal(StringRef name, ArrayRef<int32_t> values);
  StringRef getLayerName() const { return layerName; }

private:
  SymbolTable &symbols;
  LayerReport &report;
  std::string layerName;
  LoopOptions options;
};

/// Neighbouring scalars, each to be multiplied with vectors. They are loaded
/// when they are first asked for, in order: a scalar at a time, or, on machines
/// that multiply by an element, a vector at a time.
class Factors {
public:
  /// Scalars `first` to `first + count - 1` of `memref`, for vectors of
  /// `lanes`.
  Factors(Emitter &emitter, Value memref, Value first, int64_t count,
          int64_t lanes)
      : emitter(emitter), memref(memref), first(first), count(count),
        lanes(lanes) {}

  /// The scalar at `index`, in every lane.
  Value get(int64_t index);

private:
  Emitter &emitter;
  Value memref, first;
  int64_t count, lanes;
  /// Scalars [begin, begin + width of `loaded`).
  Value loaded;
  int64_t begin = 0;
};

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_EMITTER_H
