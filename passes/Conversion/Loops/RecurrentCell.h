//===- RecurrentCell.h - Equations of a recurrent layer --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_RECURRENTCELL_H
#define BCR_PASSES_CONVERSION_LOOPS_RECURRENTCELL_H

#include "passes/Conversion/Loops/Emitter.h"

#include <functional>

namespace mlir::bcr::loops {

/// What the steps of a recurrent layer on memrefs work on.
struct RecurrentCell {
  RecurrentOp op;
  /// h of the last step, the products of h with the weights, and o * tanh(c)
  /// where that is projected: samples x features, rows and units.
  Value hidden = {}, sums = {}, unprojected = {};
  /// c of the last step.
  Value memory = {};
  /// No other step follows, so that nobody reads h or c again.
  bool isLast = false;
  /// `emitGates` has stored gates in place of their sums.
  bool hasGates = false;
  /// If set, gives rows of the products instead of `sums`.
  std::function<Value(Value sample, Value row)> getSum = nullptr;

  /// Rows of gates that are one activation of the sum of both products.
  struct GateRows {
    int64_t begin, end;
    ActivationKind activation;
  };
  SmallVector<GateRows> getGateRows();
  /// Stores `width` gates in `sums`, from the one on that is `at` of `rows`.
  void emitGates(Emitter &emitter, Value step, Value sample,
                 const GateRows &rows, Value at, int64_t width);
  /// Emits the equations for `width` units of a sample from `unit` on. Reads
  /// and writes the states of these units only.
  void emitUnits(Emitter &emitter, Value step, Value sample, Value unit,
                 int64_t width);
  /// The products with h, and their bias, of `width` rows from the one on that
  /// is `at` behind row `first`.
  Value getProduct(Emitter &emitter, Value sample, int64_t first, Value at,
                   int64_t width);
  /// Stores the new h.
  void storeHidden(Emitter &emitter, Value value, Value step, Value sample,
                   Value unit);
};

/// Moves the operations of `op`'s projection, which work on its scratch, to
/// where `builder` is.
void moveProjection(RecurrentOp op, OpBuilder &builder);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_RECURRENTCELL_H
