//===- LayerReport.h - What the passes know of each layer ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The module attribute `bcr.layers`: a dictionary from layer name to a
// dictionary of facts. It outlives the layers themselves, so that a compiled
// model can still say what became of each of them.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_LAYERREPORT_H
#define BCR_PASSES_ANALYSIS_LAYERREPORT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/MapVector.h"

namespace mlir::bcr {

/// Name of the module attribute that holds the report.
inline constexpr StringRef kLayersAttrName = "bcr.layers";

/// Collects what a pass on a module learns of its layers. The attribute is
/// written once: rewriting it for each fact would take a time that grows with
/// the square of the number of layers.
class LayerReport {
public:
  explicit LayerReport(ModuleOp module) : module(module) {}

  /// Records `key = value` for the layer that `layerOp` names with its `layer`
  /// attribute; an older value of the key is replaced. A layer without a name
  /// is not reported.
  void set(Operation *layerOp, StringRef key, Attribute value);
  /// Records several facts at once; the same rules.
  void set(Operation *layerOp, ArrayRef<NamedAttribute> facts);
  /// Records facts of a layer that is no bcr operation, by its name.
  void set(StringAttr layer, ArrayRef<NamedAttribute> facts);
  /// Adds `amount` to a number that this pass has recorded; zero if it has not.
  void add(StringAttr layer, StringRef key, int64_t amount);

  /// Adds the facts to those that the module has.
  void write();

private:
  ModuleOp module;
  llvm::MapVector<StringAttr, SmallVector<NamedAttribute>> collected;
};

/// The fact `positions`: output positions of a layer, or -1 if its batch is
/// dynamic. Those of a recurrent layer are the samples of all steps.
NamedAttribute getPositions(Operation *layerOp);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_LAYERREPORT_H
