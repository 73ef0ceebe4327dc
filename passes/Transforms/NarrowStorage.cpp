//===- NarrowStorage.cpp - bcr-narrow-storage -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Analysis/EntryFunction.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Conversion/GPU/Launch.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/SetVector.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRNARROWSTORAGEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// The largest half float.
static constexpr float kLargestHalf = 65504;

namespace {
/// What reads and writes a buffer.
struct Accesses {
  SmallVector<Value> memrefs;
  SmallVector<Operation *> loads, stores;
  llvm::SetVector<Operation *> loading, storing;
};

struct NarrowStorage : bcr::impl::BCRNarrowStoragePassBase<NarrowStorage> {
  using BCRNarrowStoragePassBase::BCRNarrowStoragePassBase;
  void runOnOperation() override;

private:
  LogicalResult narrowConstants(func::FuncOp function);
  void narrowBuffers(func::FuncOp function);
  /// The layer that a constant has the weights of, or null.
  StringAttr getLayer(memref::GlobalOp global) const;
  bool isWeights(memref::GlobalOp global) const;

  DictionaryAttr layers;
};
} // namespace

static MemRefType withElement(MemRefType type, Type element) {
  return MemRefType::Builder(type).setElementType(element);
}

/// Collects all accesses to `memref` and its views. False if it is used in a
/// way that narrowing does not know.
static bool collect(Value memref, Accesses &accesses) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.getElementType().isF32())
    return false;
  accesses.memrefs.push_back(memref);
  for (OpOperand &use : memref.getUses()) {
    Operation *op = use.getOwner();
    if (isa<memref::DeallocOp>(op))
      continue;
    if (auto view = dyn_cast<ViewLikeOpInterface>(op);
        view && op->getNumResults() == 1 && view.getViewSource() == memref) {
      if (!isa<MemRefType>(op->getResult(0).getType()) ||
          !collect(op->getResult(0), accesses))
        return false;
      continue;
    }
    auto launch = op->getParentOfType<gpu::LaunchOp>();
    if (!launch)
      return false;
    if (isa<memref::LoadOp, vector::LoadOp>(op)) {
      accesses.loads.push_back(op);
      accesses.loading.insert(launch);
    } else if (isa<memref::StoreOp, vector::StoreOp>(op)) {
      accesses.stores.push_back(op);
      accesses.storing.insert(launch);
    } else {
      return false;
    }
  }
  return true;
}

/// `type`, a float or a vector of them, with elements of type `element`.
static Type withElement(Type type, Type element) {
  if (auto vector = dyn_cast<VectorType>(type))
    return vector.clone(element);
  return element;
}

/// Makes the memory of half floats, with conversions at its accesses.
static void narrow(const Accesses &accesses) {
  OpBuilder builder(accesses.memrefs.front().getContext());
  Type half = builder.getF16Type(), single = builder.getF32Type();
  for (Value memref : accesses.memrefs)
    memref.setType(withElement(cast<MemRefType>(memref.getType()), half));
  for (Operation *load : accesses.loads) {
    Value loaded = load->getResult(0);
    loaded.setType(withElement(loaded.getType(), half));
    builder.setInsertionPointAfter(load);
    auto wide = arith::ExtFOp::create(
        builder, load->getLoc(), withElement(loaded.getType(), single), loaded);
    loaded.replaceAllUsesExcept(wide, wide);
  }
  for (Operation *store : accesses.stores) {
    // Both kinds of stores have the value first.
    Value value = store->getOperand(0);
    builder.setInsertionPoint(store);
    store->setOperand(
        0, arith::TruncFOp::create(builder, store->getLoc(),
                                   withElement(value.getType(), half), value));
  }
}

StringAttr NarrowStorage::getLayer(memref::GlobalOp global) const {
  // A name that was taken before ends with a number.
  auto [layer, number] = global.getSymName().rsplit(".values");
  if (layer.size() == global.getSymName().size() ||
      !(number.empty() || number.starts_with("_")))
    return StringAttr();
  return StringAttr::get(global.getContext(), layer);
}

bool NarrowStorage::isWeights(memref::GlobalOp global) const {
  if (!global.getConstant() || !global.getType().getElementType().isF32())
    return false;
  int64_t dimensions = llvm::count_if(global.getType().getShape(),
                                      [](int64_t size) { return size > 1; });
  return dimensions > 1 || getLayer(global);
}

LogicalResult NarrowStorage::narrowConstants(func::FuncOp function) {
  ModuleOp module = getOperation();
  llvm::MapVector<StringAttr, std::vector<Accesses>> uses;
  DenseSet<StringAttr> refused;
  function.walk([&](memref::GetGlobalOp use) {
    StringAttr name = use.getNameAttr().getAttr();
    Accesses &accesses = uses[name].emplace_back();
    if (!collect(use, accesses) || !accesses.stores.empty())
      refused.insert(name);
  });
  LayerReport report(module);
  SymbolTable symbols(module);
  Builder builder(&getContext());
  for (auto &[name, accesses] : uses) {
    auto global = symbols.lookup<memref::GlobalOp>(name);
    if (!global || refused.contains(name) || !isWeights(global))
      continue;
    FailureOr<FloatElements> values =
        FloatElements::get(global.getInitialValueAttr());
    if (failed(values))
      return global.emitOpError("is a resource without data");
    if (llvm::any_of(values->get(), [](float value) {
          return std::isfinite(value) && std::abs(value) > kLargestHalf;
        })) {
      remark::missed(global.getLoc(), remark::RemarkOpts::name("NarrowStorage")
                                          .category("bcr-narrow-storage"))
          << ("constant " + name.getValue() +
              " stays f32: a half float ends at 65504")
                 .str();
      continue;
    }
    auto type = withElement(global.getType(), builder.getF16Type());
    global.setTypeAttr(TypeAttr::get(type));
    global.setInitialValueAttr(makeHalfElements(
        type.getShape(), name.getValue(), values->get(), &getContext()));
    for (const Accesses &each : accesses)
      narrow(each);
    ++numConstants;
    StringAttr layer = getLayer(global);
    auto info = layer ? layers.getAs<DictionaryAttr>(layer) : DictionaryAttr();
    if (auto bytes =
            info ? info.getAs<IntegerAttr>("value_bytes") : IntegerAttr())
      report.set(
          layer,
          {builder.getNamedAttr("value_bytes",
                                builder.getI64IntegerAttr(bytes.getInt() / 2)),
           builder.getNamedAttr("storage", builder.getStringAttr("f16"))});
  }
  report.write();
  return success();
}

void NarrowStorage::narrowBuffers(func::FuncOp function) {
  auto isOfLayer = [&](Operation *launch) {
    auto label =
        launch->getAttrOfType<StringAttr>(gpu_kernels::kKernelAttrName);
    return label && layers.contains(label);
  };
  function.walk([&](memref::AllocOp buffer) {
    Accesses accesses;
    if (!collect(buffer, accesses))
      return;
    auto launches =
        llvm::concat<Operation *const>(accesses.loading, accesses.storing);
    bool isRepeated = llvm::any_of(launches, [&](Operation *launch) {
      return launch->getParentOp() != function;
    });
    bool isSum = llvm::any_of(accesses.loading, [&](Operation *launch) {
      return accesses.storing.contains(launch);
    });
    if (isRepeated || isSum || buffer->hasAttr(gpu_kernels::kSumsAttrName) ||
        llvm::none_of(launches, isOfLayer))
      return;
    narrow(accesses);
    ++numBuffers;
  });
}

void NarrowStorage::runOnOperation() {
  FailureOr<func::FuncOp> function = getEntryFunction(getOperation());
  if (failed(function))
    return signalPassFailure();
  layers = getOperation()->getAttrOfType<DictionaryAttr>(kLayersAttrName);
  if (!layers)
    layers = DictionaryAttr::get(&getContext());
  if (failed(narrowConstants(*function)))
    return signalPassFailure();
  if (activations)
    narrowBuffers(*function);
}
