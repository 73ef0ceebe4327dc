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

namespace mlir::bcr {

/// Replaces one layer or pooling by code.
using ConvertLayer =
    function_ref<LogicalResult(Operation *, SymbolTable &, LayerReport &)>;

/// Gives `convert` every layer of `module`, then every `bcr.pool2d`; writes
/// what it reported and erases weights that have no use left.
LogicalResult convertLayers(ModuleOp module, ConvertLayer convert);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_CONVERTLAYERS_H
