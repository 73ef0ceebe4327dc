//===- PackedWeights.h - Replacing the weights of layers -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_PACKEDWEIGHTS_H
#define BCR_PASSES_TRANSFORMS_PACKEDWEIGHTS_H

#include "dialect/Packed.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace mlir::bcr {

/// The constant that dense weights are, or null.
Attribute getDenseWeight(LayerOpInterface layer);

/// What a layer is called in names of its constants and in remarks.
StringRef getLayerName(LayerOpInterface layer);

/// Data of attributes that no op of a module may have any more. Immutable data,
/// which is how users attach theirs, stays. Folded and packed weights are as
/// large as a network, and resources otherwise live as long as the context.
///
/// To look whether an attribute is used takes a walk over the module, so data
/// gather until they are worth one: a walk for each layer would make time grow
/// with the square of their number.
class UnusedData {
public:
  explicit UnusedData(ModuleOp module) : module(module) {}
  ~UnusedData() { free(); }
  UnusedData(const UnusedData &) = delete;
  UnusedData &operator=(const UnusedData &) = delete;

  void add(Attribute attribute);

private:
  void free();

  ModuleOp module;
  SmallPtrSet<Attribute, 8> attributes;
  size_t bytes = 0;
};

/// Makes `constant` the weights of `layer`. The old weights are erased when
/// nothing else uses them, and their data is added to `unused`.
void replaceWeight(LayerOpInterface layer, ConstantOp constant,
                   UnusedData &unused);

/// Stores lists of indices end to end, equal lists once.
class IndexListPool {
public:
  explicit IndexListPool(std::vector<int32_t> &storage) : storage(storage) {}

  /// Where `list` begins in the storage.
  int64_t add(ArrayRef<int32_t> list);

private:
  std::vector<int32_t> &storage;
  /// Begin and size of the lists with this hash.
  llvm::DenseMap<uint64_t, SmallVector<std::pair<int64_t, int64_t>, 1>> lists;
};

} // namespace mlir::bcr

#endif // BCR_PASSES_TRANSFORMS_PACKEDWEIGHTS_H
