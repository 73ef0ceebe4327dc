//===- Kernel.h - What the two kernels share -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_KERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_KERNEL_H

#include "passes/Conversion/Loops/ColumnMasks.h"
#include "passes/Conversion/Loops/IndexList.h"
#include "passes/Conversion/Loops/Plan.h"

namespace mlir::bcr::loops {

/// The fields of a group at run time.
struct GroupValues {
  /// Position in the list of rows.
  Value rowBegin;
  /// Its columns, and the input offset of the first one; its runs of columns
  /// where there are any, and then `firstOffset` is null.
  Value columnBegin, columnEnd, firstOffset;
  Value runBegin, runEnd;
  Value convGroup;
};

/// The constants of a plan, and loops over its groups, columns and rows.
/// What one turn of a loop over columns takes.
enum class ColumnTurn {
  /// A column.
  Single,
  /// Two one after the other, where the multiply-adds of one are few beside
  /// what counts them.
  Pair,
  /// As many as the latency of a multiply-add asks for where sums are few, each
  /// with sums of its own that are added at the end.
  SideBySide
};

class PlanConstants {
public:
  /// `offsets` has the input offset of each column of W. Records the bytes of
  /// the index arrays in the report of `layer`.
  PlanConstants(Emitter &emitter, LayerOpInterface layer,
                const KernelPlan &plan, ArrayRef<int32_t> offsets,
                ElementsAttr values);

  Value getValues() const { return values; }
  /// Bytes of the index arrays.
  int64_t getBytes() const { return bytes; }
  /// Row or sum `r` of a group.
  Value getRow(Emitter &emitter, const KernelClass &entry,
               const GroupValues &group, Value r) const;
  Value getRow(Emitter &emitter, const KernelClass &entry,
               const GroupValues &group, int64_t r) const {
    return getRow(emitter, entry, group, emitter.index(r));
  }
  /// The fields of group `number` of the plan, which is one of `entry`.
  GroupValues getGroup(Emitter &emitter, const KernelClass &entry,
                       Value number) const;
  /// Loops over the groups of class `classIndex` in `chunk`.
  void forEachGroup(Emitter &emitter, size_t classIndex, Value chunk,
                    llvm::function_ref<void(const GroupValues &)> body) const;
  /// Loops over the groups in `chunk`, class by class, that share a row with
  /// another group.
  void forEachSharedGroup(
      Emitter &emitter, Value chunk,
      llvm::function_ref<void(const KernelClass &, const GroupValues &)> body)
      const;
  /// Emits one column: `input` is `base` plus its offset, its weights begin at
  /// position `weights` of the values, and `sums` are replaced.
  using ColumnBody = llvm::function_ref<void(Value input, Value weights,
                                             MutableArrayRef<Value> sums)>;
  /// A loop over the columns of a group that adds to `sums`.
  SmallVector<Value> reduceColumns(Emitter &emitter, const KernelClass &entry,
                                   const GroupValues &group, Value base,
                                   ValueRange sums, ColumnTurn turn,
                                   ColumnBody body) const;
  /// Loops over the chunks of a thread.
  void forEachChunk(Emitter &emitter, Value thread,
                    llvm::function_ref<void(Value chunk)> body) const;
  /// Loops over the rows that are sums of several groups.
  void forEachAccumulated(
      Emitter &emitter, Value chunk,
      llvm::function_ref<void(Value slot, Value row)> body) const;
  /// Row `number` of those in no group.
  Value getEmptyRow(Emitter &emitter, Value number) const {
    return empty.load(emitter, number);
  }
  /// Loops over the rows in no group.
  void forEachEmpty(Emitter &emitter, Value chunk,
                    llvm::function_ref<void(Value row)> body) const;

private:
  /// First and last position of `chunk` in a list.
  std::pair<Value, Value> getBounds(Emitter &emitter, ArrayRef<int64_t> bounds,
                                    size_t list, Value chunk) const;

  /// Prefetches ahead of the weights of a column, at `position` of a turn of
  /// the loop: once for each cache line.
  void prefetchLines(Emitter &emitter, Value weights, int64_t position,
                     int64_t height) const;
  /// The offset of the next column, whose step is entry `k`.
  Value addStep(Emitter &emitter, Value offset, Value k) const;

  /// Where group or run `number` begins.
  Value getOrigin(Emitter &emitter, Value number) const;

  /// How a loop over columns finds their inputs. What it carries is `first` at
  /// the first column and `next`, given the column after it, from then on.
  struct Cursor {
    Value first;
    llvm::function_ref<Value(Value carried)> getInput;
    llvm::function_ref<Value(Value carried, Value column)> next;
  };
  using CursorWalk =
      llvm::function_ref<void(Value begin, Value end, const Cursor &cursor,
                              MutableArrayRef<Value> sums)>;
  /// Walks the columns of a group: as one, run by run, or window by window.
  void walkColumns(Emitter &emitter, const GroupValues &group, Value base,
                   MutableArrayRef<Value> sums, CursorWalk walk) const;
  void walkRuns(Emitter &emitter, const GroupValues &group, Value base,
                MutableArrayRef<Value> sums, CursorWalk walk) const;
  void walkMasks(Emitter &emitter, const GroupValues &group, Value base,
                 MutableArrayRef<Value> sums, CursorWalk walk) const;

  const KernelPlan &plan;
  int64_t bytes = 0;
  Value values;
  IndexList rows;
  /// See ColumnCode.
  Value steps, stepTable;
  IndexList origins, runColumns, groupRuns;
  int64_t stepScale = 1, origin = 0;
  IndexList groupColumns, convGroups;
  /// See ColumnMasks.
  std::optional<ColumnMasks> masks;
  Value maskBits, maskTable;
  IndexList maskSteps;
  IndexList accumulated, empty, bounds, units;
};

/// Plans the groups of `weights`, or those that are left of them with their
/// values, `restValues`. `values` becomes what the kernel reads. Fails with a
/// diagnostic on `layer` if the weights have no data.
FailureOr<KernelPlan>
planLayer(LayerOpInterface layer, ConstantOp weights,
          const PackedStructure &structure, const PlanOptions &options,
          const Emitter &emitter, ElementsAttr &values,
          std::optional<std::vector<float>> restValues = std::nullopt);

/// Emits the loops of a convolution with positions along the vector.
LogicalResult emitPixelKernel(Conv2DOp op, ConstantOp weights,
                              ScheduleAttr schedule, Emitter &emitter);

/// Emits the loops of a matmul, of a known number of samples, with samples
/// along the vector.
LogicalResult emitSampleKernel(MatmulOp op, ConstantOp weights,
                               ScheduleAttr schedule, Emitter &emitter);

/// Emits the loops of a layer with rows along the vector.
LogicalResult emitRowKernel(LayerOpInterface op, ConstantOp weights,
                            ScheduleAttr schedule, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_KERNEL_H
