//===- Resources.cpp - Arrays as the data of dense_resource ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Resources.h"
#include "python/bindings/Convert.h"

#include "mlir/IR/AttrTypeSubElements.h"
#include "mlir/IR/BuiltinDialect.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/MapVector.h"

#include <nanobind/stl/string.h>

using namespace mlir;

namespace bcr::python {

using Uses = llvm::MapVector<StringRef, SmallVector<DenseResourceElementsAttr>>;

static Uses collectUses(ModuleOp module) {
  Uses uses;
  AttrTypeWalker walker;
  walker.addWalk([&](DenseResourceElementsAttr attribute) {
    uses[attribute.getRawHandle().getKey()].push_back(attribute);
  });
  module->walk<WalkOrder::PreOrder>(
      [&](Operation *op) { walker.walk(op->getAttrDictionary()); });
  return uses;
}

/// What may follow "no resource named x": the names there are.
static std::string listNames(const Uses &uses) {
  std::string names;
  for (const auto &use : llvm::ArrayRef(uses.getArrayRef()).take_front(8))
    names += (names.empty() ? "" : ", ") + use.first.str();
  if (uses.size() > 8)
    names += ", ...";
  return names.empty() ? "it uses none" : "it uses " + names;
}

static AsmResourceBlob makeBlob(std::unique_ptr<PinnedBuffer> buffer) {
  ArrayRef<char> data(buffer->getData(), buffer->getSize());
  auto address = reinterpret_cast<uintptr_t>(data.data());
  size_t alignment =
      address % 64 == 0 ? 64 : std::max<size_t>(buffer->getItemSize(), 1);
  return UnmanagedAsmResourceBlob::allocateWithAlign(
      data, alignment,
      [held = std::move(buffer)](void *, size_t, size_t) mutable {
        held.reset();
      });
}

void setResources(const ModuleObject &module, const nb::dict &arrays) {
  Uses uses = collectUses(module.get());
  SmallVector<std::pair<StringRef, std::unique_ptr<PinnedBuffer>>> checked;
  for (auto [key, array] : arrays) {
    std::string name = nb::cast<std::string>(nb::str(key));
    auto *use = uses.find(name);
    if (use == uses.end())
      throw IRException("the module has no dense_resource<" + name +
                        ">: " + listNames(uses));
    std::string what = "dense_resource<" + name + ">";
    auto buffer =
        std::make_unique<PinnedBuffer>(array, what, /*writable=*/false);
    for (DenseResourceElementsAttr attribute : use->second)
      requireElements(*buffer, attribute.getType(), what);
    checked.emplace_back(use->first, std::move(buffer));
  }
  auto &manager = DenseResourceElementsHandle::getManagerInterface(
      &module.root->context->context);
  for (auto &[name, buffer] : checked)
    manager.update(name, makeBlob(std::move(buffer)));
}

nb::dict listResources(const ModuleObject &module) {
  nb::dict types;
  for (const auto &[name, attributes] : collectUses(module.get()))
    types[nb::cast(name.str())] = nb::cast(
        TypeObject{module.root->context, attributes.front().getType()});
  return types;
}

} // namespace bcr::python
