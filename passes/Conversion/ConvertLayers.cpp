//===- ConvertLayers.cpp - Layers to code, one by one ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ConvertLayers.h"

using namespace mlir;
using namespace mlir::bcr;

LogicalResult mlir::bcr::convertOperations(ModuleOp module,
                                           ConvertLayer convert) {
  SymbolTable symbols(module);
  LayerReport report(module);
  SmallVector<Operation *> layers, poolings, unused;
  module.walk([&](LayerOpInterface layer) { layers.push_back(layer); });
  module.walk([&](Pool2DOp pool) { poolings.push_back(pool); });
  for (Operation *op : llvm::concat<Operation *>(layers, poolings))
    if (failed(convert(op, symbols, report)))
      return failure();
  report.write();
  module.walk([&](ConstantOp op) {
    if (op->use_empty())
      unused.push_back(op);
  });
  for (Operation *op : unused)
    op->erase();
  return success();
}
