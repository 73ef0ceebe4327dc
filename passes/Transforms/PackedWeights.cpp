//===- PackedWeights.cpp - Replacing the weights of layers ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Transforms/PackedWeights.h"

#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/Hashing.h"

using namespace mlir;
using namespace mlir::bcr;

/// A few megabytes are nothing beside a compiler, and more than most layers.
static constexpr size_t kGatheredBytes = size_t(16) << 20;

Attribute mlir::bcr::getDenseWeight(LayerOpInterface layer) {
  Attribute attribute;
  if (!isa<RankedTensorType>(layer.getWeight().getType()) ||
      !matchPattern(layer.getWeight(), m_Constant(&attribute)))
    return {};
  return attribute;
}

StringRef mlir::bcr::getLayerName(LayerOpInterface layer) {
  StringAttr name = layer.getLayerAttr();
  return name ? name.getValue() : "layer";
}

void UnusedData::add(Attribute attribute) {
  auto resource = dyn_cast<DenseResourceElementsAttr>(attribute);
  AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  if (!blob || !blob->isMutable() || !attributes.insert(attribute).second)
    return;
  bytes += blob->getData().size();
  if (bytes >= kGatheredBytes)
    free();
}

void UnusedData::free() {
  if (attributes.empty())
    return;
  module.walk([&](Operation *op) {
    for (NamedAttribute named : op->getAttrs())
      attributes.erase(named.getValue());
  });
  for (Attribute attribute : attributes)
    cast<DenseResourceElementsAttr>(attribute)
        .getRawHandle()
        .getResource()
        ->setBlob(AsmResourceBlob());
  attributes.clear();
  bytes = 0;
}

void mlir::bcr::replaceWeight(LayerOpInterface layer, ConstantOp constant,
                              UnusedData &unused) {
  Operation *old = layer.getWeight().getDefiningOp();
  layer.getWeightMutable().set(constant.getResult());
  if (!old || !old->use_empty())
    return;
  auto attributes = llvm::map_to_vector(
      old->getAttrs(), [](NamedAttribute named) { return named.getValue(); });
  old->erase();
  llvm::for_each(attributes, [&](Attribute a) { unused.add(a); });
}

int64_t IndexListPool::add(ArrayRef<int32_t> list) {
  // Two values of uint64_t are reserved by DenseMap; a shifted hash is neither.
  uint64_t hash = static_cast<uint64_t>(
                      llvm::hash_combine_range(list.begin(), list.end())) >>
                  1;
  auto &known = lists[hash];
  for (auto [begin, size] : known)
    if (ArrayRef(storage).slice(begin, size) == list)
      return begin;
  auto begin = static_cast<int64_t>(storage.size());
  storage.insert(storage.end(), list.begin(), list.end());
  known.push_back({begin, static_cast<int64_t>(list.size())});
  return begin;
}
