//===- OutlineKernels.cpp - bcr-outline-kernels ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Analysis/LaunchSizes.h"
#include "passes/Conversion/GPU/Launch.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/Utils/GPUUtils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/OperationSupport.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCROUTLINEKERNELSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// A name that every tool reads: letters, digits and underscores.
static std::string makeName(StringRef text) {
  std::string name = "k_";
  for (char c : text)
    name.push_back(llvm::isAlnum(c) ? c : '_');
  return name;
}

/// Whether `value` counts the turns of a loop of the host.
static bool isHostTurn(Value value) {
  auto argument = dyn_cast<BlockArgument>(value);
  if (!argument)
    return false;
  auto loop = dyn_cast<scf::ForOp>(argument.getOwner()->getParentOp());
  return loop && loop.getInductionVar() == value;
}

/// Whether `launch` is in nothing but loops of `function`.
static bool isHosted(gpu::LaunchOp launch, func::FuncOp function) {
  Operation *parent = launch->getParentOp();
  while (isa<scf::ForOp>(parent))
    parent = parent->getParentOp();
  return parent == function;
}

namespace {
/// Kernels are equal if all but their names is.
struct KernelInfo : llvm::DenseMapInfo<Operation *> {
  static unsigned getHashValue(const Operation *op) {
    auto kernel = cast<gpu::GPUFuncOp>(const_cast<Operation *>(op));
    llvm::hash_code hash = hash_value(kernel.getFunctionType());
    kernel.getBody().walk([&](Operation *inner) {
      hash = llvm::hash_combine(
          hash, OperationEquivalence::computeHash(
                    inner, OperationEquivalence::ignoreHashValue,
                    OperationEquivalence::ignoreHashValue,
                    OperationEquivalence::IgnoreLocations));
    });
    return hash;
  }
  static bool isEqual(const Operation *a, const Operation *b) {
    if (a == b)
      return true;
    if (a == getTombstoneKey() || a == getEmptyKey() ||
        b == getTombstoneKey() || b == getEmptyKey())
      return false;
    auto x = cast<gpu::GPUFuncOp>(const_cast<Operation *>(a));
    auto y = cast<gpu::GPUFuncOp>(const_cast<Operation *>(b));
    return x.getFunctionType() == y.getFunctionType() &&
           x->getAttr(spirv::getEntryPointABIAttrName()) ==
               y->getAttr(spirv::getEntryPointABIAttrName()) &&
           OperationEquivalence::isRegionEquivalentTo(
               &x.getBody(), &y.getBody(),
               OperationEquivalence::IgnoreLocations);
  }
};

struct OutlineKernels : bcr::impl::BCROutlineKernelsPassBase<OutlineKernels> {
  void runOnOperation() override;

private:
  LogicalResult outline(gpu::LaunchOp launch, gpu::GPUModuleOp kernels,
                        SymbolTable &symbols);
  DenseSet<Operation *, KernelInfo> known;
};
} // namespace

LogicalResult OutlineKernels::outline(gpu::LaunchOp launch,
                                      gpu::GPUModuleOp kernels,
                                      SymbolTable &symbols) {
  if (failed(sinkOperationsIntoLaunchOp(launch, [](Operation *op) {
        return matchPattern(op, m_Constant());
      })))
    return failure();
  auto label = launch->getAttrOfType<StringAttr>(gpu_kernels::kKernelAttrName);
  SmallVector<Value> operands;
  gpu::GPUFuncOp kernel = outlineKernelFunc(
      launch, makeName(label ? label.getValue() : "kernel"), operands);
  for (Value operand : operands)
    if (!isa<MemRefType>(operand.getType()) && !isHostTurn(operand))
      return launch.emitOpError("uses a number of type ")
             << operand.getType() << " that only the host could compute";
  gpu::KernelDim3 groups = launch.getGridSizeOperandValues();
  gpu::KernelDim3 items = launch.getBlockSizeOperandValues();
  FailureOr<SmallVector<int64_t>> itemsOfGroup =
      getKnownSizes(launch, "work-items", items);
  if (failed(itemsOfGroup))
    return failure();
  SmallVector<int32_t> sizes(itemsOfGroup->begin(), itemsOfGroup->end());
  // A group of a fixed size is what lets a compiler count on whole sub-groups.
  kernel->setAttr(spirv::getEntryPointABIAttrName(),
                  spirv::EntryPointABIAttr::get(
                      &getContext(),
                      DenseI32ArrayAttr::get(&getContext(), sizes),
                      std::nullopt, std::nullopt));
  kernel.removeKnownGridSizeAttr();
  auto [entry, isNew] = known.insert(kernel);
  if (isNew) {
    symbols.insert(kernel);
    ++numKernels;
  } else {
    kernel.erase();
    kernel = cast<gpu::GPUFuncOp>(*entry);
  }
  OpBuilder builder(launch);
  auto call = gpu::LaunchFuncOp::create(builder, launch.getLoc(), kernel,
                                        groups, items, Value(), operands);
  if (label)
    call->setAttr(gpu_kernels::kKernelAttrName, label);
  launch.erase();
  ++numLaunches;
  return success();
}

/// Lets loads and stores of single elements have indices: upstream's conversion
/// to SPIR-V forgets where a memref without dimensions begins.
static void giveIndices(func::FuncOp function) {
  SmallVector<std::pair<Operation *, Value>> elements;
  function.walk([&](Operation *op) {
    auto isElement = [](Value value) {
      return cast<MemRefType>(value.getType()).getRank() == 0;
    };
    OpBuilder builder(op);
    if (auto collapse = dyn_cast<memref::CollapseShapeOp>(op)) {
      if (isElement(collapse))
        elements.emplace_back(op, collapse.getSrc());
    } else if (auto part = dyn_cast<memref::SubViewOp>(op)) {
      if (isElement(part))
        elements.emplace_back(op,
                              memref::SubViewOp::create(
                                  builder, part.getLoc(), part.getSource(),
                                  part.getMixedOffsets(), part.getMixedSizes(),
                                  part.getMixedStrides()));
    }
  });
  for (auto [op, whole] : elements) {
    int64_t rank = cast<MemRefType>(whole.getType()).getRank();
    for (OpOperand &use : llvm::make_early_inc_range(op->getUses())) {
      Operation *user = use.getOwner();
      if (!isa<memref::LoadOp, memref::StoreOp>(user))
        continue;
      OpBuilder builder(user);
      Value zero = arith::ConstantIndexOp::create(builder, user->getLoc(), 0);
      SmallVector<Value> indices(rank, zero);
      if (auto load = dyn_cast<memref::LoadOp>(user))
        load.replaceAllUsesWith(
            memref::LoadOp::create(builder, load.getLoc(), whole, indices)
                .getResult());
      else
        memref::StoreOp::create(builder, user->getLoc(),
                                cast<memref::StoreOp>(user).getValueToStore(),
                                whole, indices);
      user->erase();
    }
  }
}

void OutlineKernels::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> function = getEntryFunction(module);
  if (failed(function))
    return signalPassFailure();
  known.clear();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  auto kernels = gpu::GPUModuleOp::create(builder, module.getLoc(), "kernels");
  SymbolTable symbols(kernels);
  giveIndices(*function);
  SmallVector<gpu::LaunchOp> launches;
  function->walk([&](gpu::LaunchOp launch) { launches.push_back(launch); });
  for (gpu::LaunchOp launch : launches) {
    if (!isHosted(launch, *function)) {
      launch.emitOpError("is inside of a branch or a parallel loop");
      return signalPassFailure();
    }
    if (failed(outline(launch, kernels, symbols)))
      return signalPassFailure();
  }
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  builder.getUnitAttr());
}
