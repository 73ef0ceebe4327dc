//===- PoolConstants.cpp - Large constants into one pool ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include "llvm/ADT/MapVector.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/xxhash.h"

#include <map>

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRPOOLCONSTANTSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
struct PoolConstants : bcr::impl::BCRPoolConstantsPassBase<PoolConstants> {
  using BCRPoolConstantsPassBase::BCRPoolConstantsPassBase;
  void runOnOperation() override;

private:
  LogicalResult collect();
  LogicalResult addPool(func::FuncOp function);
  void replaceUses(func::FuncOp function);

  /// From a global to its offset.
  llvm::MapVector<StringAttr, int64_t> offsets;
  SmallVector<Attribute> entries;
  int64_t size = 0;
  /// From a function that needs the pool to its argument.
  DenseMap<Operation *, Value> pools;
};
} // namespace

/// Bytes of a constant in memory, booleans and odd integers rounded up.
static int64_t getBytes(MemRefType type) {
  Type element = type.getElementType();
  int64_t bits = element.isIndex() ? 64 : element.getIntOrFloatBitWidth();
  return type.getNumElements() * llvm::divideCeil(bits, 8);
}

/// The data of a constant; false if a resource has none.
static bool getData(ElementsAttr value, ArrayRef<char> &data) {
  if (auto dense = dyn_cast<DenseElementsAttr>(value)) {
    data = dense.getRawData();
    return true;
  }
  auto resource = dyn_cast<DenseResourceElementsAttr>(value);
  if (!resource || !resource.getRawHandle().getBlob())
    return false;
  data = resource.getRawHandle().getBlob()->getData();
  return true;
}

static bool isSplat(ElementsAttr value) {
  auto dense = dyn_cast<DenseElementsAttr>(value);
  return dense && dense.isSplat();
}

LogicalResult PoolConstants::collect() {
  Builder builder(&getContext());
  struct Stored {
    ArrayRef<char> data;
    int64_t bytes;
    bool splat;
    Attribute bound;
    int64_t offset;
  };
  std::multimap<uint64_t, Stored> stored;
  for (auto global : getOperation().getOps<memref::GlobalOp>()) {
    auto type = global.getType();
    auto value =
        dyn_cast_if_present<ElementsAttr>(global.getInitialValueAttr());
    if (!value || !global.getConstant() || !type.getLayout().isIdentity() ||
        !type.getElementType().isIntOrIndexOrFloat())
      continue;
    int64_t bytes = getBytes(type);
    if (bytes == 0 || bytes < static_cast<int64_t>(minBytes))
      continue;
    ArrayRef<char> data;
    if (!getData(value, data)) {
      if (auto resource = dyn_cast<DenseResourceElementsAttr>(value))
        return global.emitOpError("has no data: resource '")
               << resource.getRawHandle().getKey()
               << "' is not attached to the module";
      continue;
    }
    Attribute bound = global->getAttr("bcr.bound");
    uint64_t hash = llvm::xxh3_64bits(
        ArrayRef(reinterpret_cast<const uint8_t *>(data.data()), data.size()));
    int64_t offset = -1;
    auto [begin, end] = stored.equal_range(hash);
    for (auto it = begin; it != end && offset < 0; ++it) {
      const Stored &other = it->second;
      if (other.bytes == bytes && other.splat == isSplat(value) &&
          other.bound == bound && other.data == data)
        offset = other.offset;
    }
    if (offset >= 0) {
      ++numShared;
      offsets[global.getSymNameAttr()] = offset;
      continue;
    }
    offset = llvm::alignTo(size, alignment);
    size = offset + bytes;
    stored.emplace(hash, Stored{data, bytes, isSplat(value), bound, offset});
    offsets[global.getSymNameAttr()] = offset;
    SmallVector<NamedAttribute> entry = {
        builder.getNamedAttr("name", global.getSymNameAttr()),
        builder.getNamedAttr("offset", builder.getI64IntegerAttr(offset)),
        builder.getNamedAttr("bytes", builder.getI64IntegerAttr(bytes)),
        builder.getNamedAttr("dtype",
                             TypeAttr::get(global.getType().getElementType())),
        builder.getNamedAttr("value", value)};
    if (bound)
      entry.push_back(builder.getNamedAttr("bound", bound));
    entries.push_back(builder.getDictionaryAttr(entry));
    ++numPooled;
  }
  return success();
}

/// Gives `function` the pool as its last argument, and its callers with it.
LogicalResult PoolConstants::addPool(func::FuncOp function) {
  if (pools.contains(function))
    return success();
  Builder builder(&getContext());
  auto type =
      MemRefType::get({static_cast<int64_t>(llvm::alignTo(size, alignment))},
                      builder.getI8Type());
  auto mark = builder.getDictionaryAttr(
      builder.getNamedAttr("bcr.pool", builder.getUnitAttr()));
  unsigned position = function.getNumArguments();
  if (failed(function.insertArgument(position, type, mark, function.getLoc())))
    return failure();
  pools[function] = function.getArgument(position);
  auto uses = SymbolTable::getSymbolUses(function, getOperation());
  if (!uses)
    return success();
  for (SymbolTable::SymbolUse use : *uses) {
    auto call = dyn_cast<func::CallOp>(use.getUser());
    if (!call)
      return use.getUser()->emitOpError("uses function @")
             << function.getSymName()
             << ", which needs the pool of constants, but is no func.call";
    auto caller = call->getParentOfType<func::FuncOp>();
    if (failed(addPool(caller)))
      return failure();
    call.getOperandsMutable().append(pools[caller]);
  }
  return success();
}

void PoolConstants::replaceUses(func::FuncOp function) {
  Value pool = pools.lookup(function);
  if (!pool)
    return;
  SmallVector<memref::GetGlobalOp> uses;
  function.walk([&](memref::GetGlobalOp use) {
    if (offsets.contains(use.getNameAttr().getAttr()))
      uses.push_back(use);
  });
  // One view a constant, at the front, so that loops need not hoist it.
  DenseMap<std::pair<StringAttr, Type>, Value> views;
  auto builder = ImplicitLocOpBuilder::atBlockBegin(
      function.getLoc(), &function.getBody().front());
  if (!uses.empty())
    pool =
        memref::AssumeAlignmentOp::create(builder, pool, alignment).getResult();
  for (memref::GetGlobalOp use : uses) {
    Value &view = views[{use.getNameAttr().getAttr(), use.getType()}];
    if (!view) {
      Value offset = arith::ConstantIndexOp::create(
          builder, offsets[use.getNameAttr().getAttr()]);
      view = memref::ViewOp::create(builder, use.getType(), pool, offset,
                                    ValueRange());
    }
    use.replaceAllUsesWith(view);
  }
  // Not before: the builder stands on the first of them.
  for (memref::GetGlobalOp use : uses)
    use.erase();
}

void PoolConstants::runOnOperation() {
  ModuleOp module = getOperation();
  offsets.clear();
  entries.clear();
  pools.clear();
  size = 0;
  if (failed(getEntryFunction(module)) || failed(collect()))
    return signalPassFailure();
  if (offsets.empty())
    return;
  SmallVector<func::FuncOp> functions(module.getOps<func::FuncOp>());
  for (func::FuncOp function : functions) {
    WalkResult walk = function.walk([&](memref::GetGlobalOp use) {
      return offsets.contains(use.getNameAttr().getAttr())
                 ? WalkResult::interrupt()
                 : WalkResult::advance();
    });
    if (walk.wasInterrupted() && failed(addPool(function)))
      return signalPassFailure();
  }
  for (func::FuncOp function : functions)
    replaceUses(function);
  for (auto global :
       llvm::make_early_inc_range(module.getOps<memref::GlobalOp>()))
    if (offsets.contains(global.getSymNameAttr()))
      global.erase();

  Builder builder(&getContext());
  module->setAttr("bcr.pool", builder.getArrayAttr(entries));
  module->setAttr("bcr.pool_bytes",
                  builder.getI64IntegerAttr(llvm::alignTo(size, alignment)));
}
