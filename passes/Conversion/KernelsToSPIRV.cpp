//===- KernelsToSPIRV.cpp - bcr-kernels-to-spirv --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ExpandArcs.h"
#include "passes/Passes.h"

#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRVPass.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRKERNELSTOSPIRVPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// All that kernels may use; what a module does not use is not declared.
static spirv::TargetEnvAttr getEnvironment(KernelAPI api,
                                           MLIRContext *context) {
  using spirv::Capability;
  using spirv::Extension;
  bool isVulkan = api == KernelAPI::Vulkan;
  SmallVector<Capability> capabilities = {Capability::Int64, Capability::Int16,
                                          Capability::Int8, Capability::Float64,
                                          Capability::Float16};
  SmallVector<Extension> extensions;
  if (isVulkan) {
    capabilities.append({Capability::Shader,
                         Capability::StorageBuffer16BitAccess,
                         Capability::StorageBuffer8BitAccess});
    extensions = {Extension::SPV_KHR_16bit_storage,
                  Extension::SPV_KHR_8bit_storage,
                  Extension::SPV_KHR_storage_buffer_storage_class};
  } else {
    capabilities.append({Capability::Kernel, Capability::Addresses,
                         Capability::Linkage, Capability::Vector16});
  }
  auto triple = spirv::VerCapExtAttr::get(isVulkan ? spirv::Version::V_1_3
                                                   : spirv::Version::V_1_2,
                                          capabilities, extensions, context);
  return spirv::TargetEnvAttr::get(
      triple, spirv::getDefaultResourceLimits(context),
      isVulkan ? spirv::ClientAPI::Vulkan : spirv::ClientAPI::OpenCL,
      spirv::Vendor::Unknown, spirv::DeviceType::Unknown,
      spirv::TargetEnvAttr::kUnknownDeviceID);
}

/// The conversion keeps the results of a loop in variables that only its turns
/// write, so after a loop of no turn they hold anything. Chooses what the loop
/// began with there.
static void guardResults(scf::ForOp loop) {
  if (loop.getNumResults() == 0)
    return;
  ImplicitLocOpBuilder builder(loop.getLoc(), loop->getContext());
  builder.setInsertionPointAfter(loop);
  Value runs = builder.createOrFold<arith::CmpIOp>(
      arith::CmpIPredicate::slt, loop.getLowerBound(), loop.getUpperBound());
  if (matchPattern(runs, m_One()))
    return;
  for (auto [result, init] :
       llvm::zip_equal(loop.getResults(), loop.getInitArgs())) {
    auto choice = arith::SelectOp::create(builder, runs, result, init);
    result.replaceAllUsesExcept(choice, choice);
  }
}

/// `type` with 16-bit integers for bf16, which OpenCL does not know: the
/// conversion would take memory of bf16 for memory of f32.
static Type replaceBF16(Type type) {
  if (type.isBF16())
    return IntegerType::get(type.getContext(), 16);
  if (auto memref = dyn_cast<MemRefType>(type))
    return MemRefType::Builder(memref).setElementType(
        replaceBF16(memref.getElementType()));
  return type;
}

/// Whether `op` computes with bf16 instead of moving it.
static bool computesBF16(Operation *op) {
  auto isBF16 = [](Type type) { return type.isBF16(); };
  if (isa<arith::ConstantOp, arith::BitcastOp, arith::SelectOp>(op) ||
      !isa<arith::ArithDialect, math::MathDialect>(op->getDialect()))
    return false;
  return llvm::any_of(op->getOperandTypes(), isBF16) ||
         llvm::any_of(op->getResultTypes(), isBF16);
}

/// Moves bf16 as bits: arithmetic on it is expanded before this pass.
static LogicalResult replaceBF16(gpu::GPUFuncOp kernel) {
  WalkResult walk = kernel.walk([&](Operation *op) {
    if (!computesBF16(op))
      return WalkResult::advance();
    op->emitOpError("computes in bf16, which kernels move only");
    return WalkResult::interrupt();
  });
  if (walk.wasInterrupted())
    return failure();
  kernel.walk([&](Operation *op) {
    for (Region &region : op->getRegions())
      for (Block &block : region)
        for (BlockArgument argument : block.getArguments())
          argument.setType(replaceBF16(argument.getType()));
    for (OpResult result : op->getResults())
      result.setType(replaceBF16(result.getType()));
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      if (auto value = dyn_cast<FloatAttr>(constant.getValue());
          value && value.getType().isBF16())
        constant.setValueAttr(IntegerAttr::get(
            constant.getType(), value.getValue().bitcastToAPInt()));
  });
  SmallVector<arith::BitcastOp> casts;
  kernel.walk([&](arith::BitcastOp cast) {
    if (cast.getIn().getType() == cast.getType())
      casts.push_back(cast);
  });
  for (arith::BitcastOp cast : casts) {
    cast.replaceAllUsesWith(cast.getIn());
    cast.erase();
  }
  SmallVector<Type> inputs =
      llvm::map_to_vector(kernel.getFunctionType().getInputs(),
                          [](Type type) { return replaceBF16(type); });
  kernel.setFunctionType(FunctionType::get(kernel.getContext(), inputs, {}));
  return success();
}

/// Indices have 32 bits on Vulkan. A number that has more becomes the largest
/// or the smallest one, which checks refuse, and not its last bits, which may
/// be an index.
static void saturate(arith::IndexCastOp cast) {
  Value number = cast.getIn();
  if (!cast.getType().isIndex() || !number.getType().isInteger(64))
    return;
  ImplicitLocOpBuilder builder(cast.getLoc(), cast);
  auto limit = [&](int64_t value) -> Value {
    return arith::ConstantIntOp::create(builder, value, 64);
  };
  number = arith::MinSIOp::create(builder, number,
                                  limit(std::numeric_limits<int32_t>::max()));
  number = arith::MaxSIOp::create(builder, number,
                                  limit(std::numeric_limits<int32_t>::min()));
  cast.getInMutable().assign(number);
}

/// Vectors in memory begin at any element; without a word on it, SPIR-V takes
/// them to begin at a multiple of the vector.
template <typename Access>
static void alignByElement(Access access, Type accessed) {
  auto type = dyn_cast<VectorType>(accessed);
  auto pointer = cast<spirv::PointerType>(access.getPtr().getType());
  if (!type || pointer.getStorageClass() != spirv::StorageClass::CrossWorkgroup)
    return;
  access.setMemoryAccess(spirv::MemoryAccess::Aligned);
  access.setAlignment(type.getElementTypeBitWidth() / 8);
}

namespace {
struct KernelsToSPIRV : bcr::impl::BCRKernelsToSPIRVPassBase<KernelsToSPIRV> {
  using Base::Base;
  void runOnOperation() override;
};
} // namespace

void KernelsToSPIRV::runOnOperation() {
  ModuleOp module = getOperation();
  module->setAttr(spirv::getTargetEnvAttrName(),
                  getEnvironment(api, &getContext()));
  module.walk(guardResults);
  if (api == KernelAPI::Vulkan) {
    module.walk(saturate);
    if (failed(expandArcs(module)))
      return signalPassFailure();
  }
  WalkResult walk = module.walk([](gpu::GPUFuncOp kernel) {
    return failed(replaceBF16(kernel)) ? WalkResult::interrupt()
                                       : WalkResult::advance();
  });
  if (walk.wasInterrupted())
    return signalPassFailure();
  // Upstream converts it for Vulkan only.
  module.walk([&](math::FmaOp op) {
    if (api != KernelAPI::OpenCL)
      return;
    OpBuilder builder(op);
    op.replaceAllUsesWith(spirv::CLFmaOp::create(builder, op.getLoc(),
                                                 op.getType(), op.getA(),
                                                 op.getB(), op.getC())
                              .getResult());
    op.erase();
  });
  OpPassManager manager(ModuleOp::getOperationName());
  OpPassManager &kernels = manager.nest<gpu::GPUModuleOp>();
  if (api == KernelAPI::Vulkan)
    kernels.addPass(createBCRApproximateMathPass());
  kernels.addPass(createConvertMathToSPIRVPass());
  std::unique_ptr<Pass> convert = createConvertGPUToSPIRVPass();
  if (failed(convert->initializeOptions(
          api == KernelAPI::Vulkan ? "use-64bit-index=false"
                                   : "use-64bit-index=true",
          [&](const Twine &message) { return module.emitError(message); })))
    return signalPassFailure();
  manager.addPass(std::move(convert));
  if (failed(runPipeline(manager, module)))
    return signalPassFailure();

  // The conversion leaves the empty functions that the launches named.
  for (auto old :
       llvm::make_early_inc_range(module.getOps<gpu::GPUModuleOp>())) {
    for (auto converted :
         llvm::make_early_inc_range(old.getOps<spirv::ModuleOp>()))
      converted->moveBefore(old);
    old.erase();
  }
  module.walk([](spirv::LoadOp op) { alignByElement(op, op.getType()); });
  module.walk(
      [](spirv::StoreOp op) { alignByElement(op, op.getValue().getType()); });
  OpPassManager finish(ModuleOp::getOperationName());
  OpPassManager &binaries = finish.nest<spirv::ModuleOp>();
  binaries.addPass(spirv::createSPIRVLowerABIAttributesPass());
  binaries.addPass(spirv::createSPIRVUpdateVCEPass());
  binaries.addPass(createCSEPass());
  if (failed(runPipeline(finish, module)))
    return signalPassFailure();
}
