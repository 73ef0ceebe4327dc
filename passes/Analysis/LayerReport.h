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

namespace mlir {
class ModuleOp;
class Operation;
namespace bcr {

/// Name of the module attribute that holds the report.
inline constexpr StringRef kLayersAttrName = "bcr.layers";

/// Records `key = value` for the layer that `layerOp` names with its `layer`
/// attribute; an older value of the key is replaced. A layer without a name is
/// not reported. Writes an attribute of the module around `layerOp`, so only
/// passes on modules may call it.
void setLayerInfo(Operation *layerOp, StringRef key, Attribute value);

/// Records several facts at once; the same rules.
void setLayerInfo(Operation *layerOp, ArrayRef<NamedAttribute> facts);

/// Records facts of a layer that is no bcr operation, by its name.
void setLayerInfo(ModuleOp module, StringRef layer,
                  ArrayRef<NamedAttribute> facts);

/// What is recorded of the layer, or null.
DictionaryAttr getLayerInfo(Operation *layerOp);

} // namespace bcr
} // namespace mlir

#endif // BCR_PASSES_ANALYSIS_LAYERREPORT_H
