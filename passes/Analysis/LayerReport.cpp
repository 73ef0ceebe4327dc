//===- LayerReport.cpp - What the passes know of each layer ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/LayerReport.h"
#include "dialect/BCR.h"

using namespace mlir;
using namespace mlir::bcr;

void LayerReport::set(StringAttr layer, ArrayRef<NamedAttribute> facts) {
  llvm::append_range(collected[layer], facts);
}

void LayerReport::set(Operation *layerOp, ArrayRef<NamedAttribute> facts) {
  auto layer = dyn_cast<LayerOpInterface>(layerOp);
  if (StringAttr name = layer ? layer.getLayerAttr() : StringAttr())
    set(name, facts);
}

void LayerReport::set(Operation *layerOp, StringRef key, Attribute value) {
  MLIRContext *context = layerOp->getContext();
  set(layerOp, NamedAttribute(StringAttr::get(context, key), value));
}

void LayerReport::add(StringAttr layer, StringRef key, int64_t amount) {
  for (NamedAttribute fact : llvm::reverse(collected[layer]))
    if (fact.getName() == key) {
      amount += cast<IntegerAttr>(fact.getValue()).getInt();
      break;
    }
  Builder builder(layer.getContext());
  set(layer, builder.getNamedAttr(key, builder.getI64IntegerAttr(amount)));
}

void LayerReport::write() {
  if (collected.empty())
    return;
  MLIRContext *context = module.getContext();
  NamedAttrList layers(module->getAttrOfType<DictionaryAttr>(kLayersAttrName));
  for (auto &[layer, facts] : collected) {
    NamedAttrList info(dyn_cast_if_present<DictionaryAttr>(layers.get(layer)));
    for (NamedAttribute fact : facts)
      info.set(fact.getName(), fact.getValue());
    layers.set(layer, info.getDictionary(context));
  }
  module->setAttr(kLayersAttrName, layers.getDictionary(context));
  collected.clear();
}

NamedAttribute mlir::bcr::getPositions(Operation *layerOp) {
  auto layer = cast<LayerOpInterface>(layerOp);
  auto type = cast<ShapedType>(layer.getInit().getType());
  int64_t channels =
      isa<RecurrentOp>(layerOp) ? layer.getNumColumns() : layer.getNumRows();
  int64_t positions =
      type.hasStaticShape() ? type.getNumElements() / channels : -1;
  if (auto recurrent = layerOp->getParentOfType<RecurrentOp>()) {
    auto gates = cast<ShapedType>(recurrent.getGates().getType());
    positions = positions < 0 || gates.isDynamicDim(0)
                    ? -1
                    : positions * gates.getDimSize(0);
  }
  Builder builder(layerOp->getContext());
  return builder.getNamedAttr("positions",
                              builder.getI64IntegerAttr(positions));
}
