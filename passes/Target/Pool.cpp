//===- Pool.cpp - The constants of a compiled model -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Target/CodeGen.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include "llvm/ADT/StringMap.h"

#include <cstring>

using namespace mlir;
using namespace mlir::bcr;

int64_t mlir::bcr::getPoolSize(ModuleOp module) {
  auto bytes = module->getAttrOfType<IntegerAttr>("bcr.pool_bytes");
  return bytes ? bytes.getInt() : 0;
}

namespace {
/// One pooled constant.
struct Entry {
  StringRef name;
  int64_t offset = 0;
  int64_t bytes = 0;
  ElementsAttr value;
};
} // namespace

static bool readEntries(ModuleOp module, SmallVectorImpl<Entry> &entries,
                        std::string &error) {
  auto pool = module->getAttrOfType<ArrayAttr>("bcr.pool");
  if (!pool)
    return true;
  int64_t size = getPoolSize(module);
  for (Attribute attribute : pool) {
    auto dictionary = dyn_cast<DictionaryAttr>(attribute);
    if (!dictionary) {
      error = "an entry of 'bcr.pool' is no dictionary";
      return false;
    }
    auto name = dictionary.getAs<StringAttr>("name");
    auto offset = dictionary.getAs<IntegerAttr>("offset");
    auto bytes = dictionary.getAs<IntegerAttr>("bytes");
    auto value = dictionary.getAs<ElementsAttr>("value");
    if (!name || !offset || !bytes || !value) {
      error = "an entry of 'bcr.pool' lacks its name, offset, bytes or value";
      return false;
    }
    Entry entry{name.getValue(), offset.getInt(), bytes.getInt(), value};
    if (entry.offset < 0 || entry.bytes < 0 ||
        entry.offset > size - entry.bytes) {
      error = "constant '" + entry.name.str() + "' lies outside the pool";
      return false;
    }
    entries.push_back(entry);
  }
  return true;
}

/// Writes one constant, one value an element, booleans as a byte each.
static bool writeEntry(const Entry &entry, char *out, std::string &error) {
  int64_t count = entry.value.getNumElements();
  auto mismatch = [&](int64_t bytes) {
    error = "constant '" + entry.name.str() + "' has " + std::to_string(bytes) +
            " bytes of data where " + std::to_string(entry.bytes) +
            " are expected";
    return false;
  };
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(entry.value)) {
    AsmResourceBlob *blob = resource.getRawHandle().getBlob();
    if (!blob) {
      error = "constant '" + entry.name.str() + "' has no data: resource '" +
              resource.getRawHandle().getKey().str() +
              "' is not attached to the module";
      return false;
    }
    ArrayRef<char> data = blob->getData();
    if (static_cast<int64_t>(data.size()) != entry.bytes)
      return mismatch(data.size());
    std::memcpy(out, data.data(), data.size());
    return true;
  }
  auto dense = dyn_cast<DenseElementsAttr>(entry.value);
  if (!dense) {
    error = "constant '" + entry.name.str() + "' is no dense constant";
    return false;
  }
  if (dense.getElementType().isInteger(1)) {
    if (count != entry.bytes)
      return mismatch(count);
    for (bool value : dense.getValues<bool>())
      *out++ = value;
    return true;
  }
  ArrayRef<char> data = dense.getRawData();
  if (!dense.isSplat()) {
    if (static_cast<int64_t>(data.size()) != entry.bytes)
      return mismatch(data.size());
    std::memcpy(out, data.data(), data.size());
    return true;
  }
  if (static_cast<int64_t>(data.size()) * count != entry.bytes)
    return mismatch(data.size() * count);
  for (int64_t i = 0; i < count; ++i)
    std::memcpy(out + i * data.size(), data.data(), data.size());
  return true;
}

bool mlir::bcr::writePool(ModuleOp module, char *pool, std::string &error) {
  SmallVector<Entry> entries;
  if (!readEntries(module, entries, error))
    return false;
  // Two entries may read one resource: the last of them frees it.
  llvm::StringMap<unsigned> uses;
  for (const Entry &entry : entries)
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(entry.value))
      ++uses[resource.getRawHandle().getKey()];
  int64_t end = 0;
  for (const Entry &entry : entries) {
    // Bytes between constants are defined, so that equal models are equal.
    if (entry.offset > end)
      std::memset(pool + end, 0, entry.offset - end);
    end = std::max(end, entry.offset + entry.bytes);
    if (!writeEntry(entry, pool + entry.offset, error))
      return false;
    auto resource = dyn_cast<DenseResourceElementsAttr>(entry.value);
    if (resource && --uses[resource.getRawHandle().getKey()] == 0)
      *resource.getRawHandle().getBlob() = AsmResourceBlob();
  }
  std::memset(pool + end, 0, getPoolSize(module) - end);
  return true;
}
