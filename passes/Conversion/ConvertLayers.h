//===- ConvertLayers.h - Layers to code, one by one ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_CONVERTLAYERS_H
#define BCR_PASSES_CONVERSION_CONVERTLAYERS_H

#include "dialect/BCR.h"
#include "passes/Analysis/LayerReport.h"

#include "mlir/IR/SymbolTable.h"

#include "llvm/ADT/TypeSwitch.h"

namespace mlir::bcr {

/// Replaces one layer or pooling by code.
using ConvertLayer =
    function_ref<LogicalResult(Operation *, SymbolTable &, LayerReport &)>;

/// Gives `convert` every layer of `module`, then every `bcr.pool2d`; writes
/// what it reported and erases weights that have no use left.
LogicalResult convertOperations(ModuleOp module, ConvertLayer convert);

/// The same for a `convert` that takes a `RecurrentOp`, a `Pool2DOp` or, for
/// any other layer, a `LayerOpInterface`.
template <typename Convert>
LogicalResult convertLayers(ModuleOp module, Convert convert) {
  return convertOperations(
      module, [&](Operation *op, SymbolTable &symbols, LayerReport &report) {
        return TypeSwitch<Operation *, LogicalResult>(op)
            .Case<RecurrentOp, Pool2DOp>(
                [&](auto typed) { return convert(typed, symbols, report); })
            .Default([&](Operation *layer) {
              return convert(cast<LayerOpInterface>(layer), symbols, report);
            });
      });
}

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_CONVERTLAYERS_H
