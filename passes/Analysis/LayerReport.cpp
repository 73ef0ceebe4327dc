//===- LayerReport.cpp - What the passes know of each layer ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/LayerReport.h"
#include "dialect/BCR.h"

#include "mlir/IR/BuiltinOps.h"

using namespace mlir;
using namespace mlir::bcr;

/// The layer's name, or null.
static StringAttr getLayerName(Operation *layerOp) {
  auto layer = dyn_cast<LayerOpInterface>(layerOp);
  return layer ? layer.getLayerAttr() : StringAttr();
}

void mlir::bcr::setLayerInfo(ModuleOp module, StringRef layer,
                             ArrayRef<NamedAttribute> facts) {
  NamedAttrList layers(module->getAttrOfType<DictionaryAttr>(kLayersAttrName));
  NamedAttrList info(dyn_cast_if_present<DictionaryAttr>(layers.get(layer)));
  for (NamedAttribute fact : facts)
    info.set(fact.getName(), fact.getValue());
  MLIRContext *context = module.getContext();
  layers.set(layer, info.getDictionary(context));
  module->setAttr(kLayersAttrName, layers.getDictionary(context));
}

void mlir::bcr::setLayerInfo(Operation *layerOp,
                             ArrayRef<NamedAttribute> facts) {
  StringAttr name = getLayerName(layerOp);
  auto module = layerOp->getParentOfType<ModuleOp>();
  if (name && module)
    setLayerInfo(module, name.getValue(), facts);
}

void mlir::bcr::setLayerInfo(Operation *layerOp, StringRef key,
                             Attribute value) {
  MLIRContext *context = layerOp->getContext();
  setLayerInfo(layerOp, NamedAttribute(StringAttr::get(context, key), value));
}

DictionaryAttr mlir::bcr::getLayerInfo(Operation *layerOp) {
  StringAttr name = getLayerName(layerOp);
  auto module = layerOp->getParentOfType<ModuleOp>();
  if (!name || !module)
    return {};
  auto layers = module->getAttrOfType<DictionaryAttr>(kLayersAttrName);
  return layers ? layers.getAs<DictionaryAttr>(name) : DictionaryAttr();
}
