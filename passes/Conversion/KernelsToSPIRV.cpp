//===- KernelsToSPIRV.cpp - bcr-kernels-to-spirv --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Conversion/GPUToSPIRV/GPUToSPIRVPass.h"
#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVDialect.h"
#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/Dialect/SPIRV/IR/TargetAndABI.h"
#include "mlir/Dialect/SPIRV/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRKERNELSTOSPIRVPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// All that kernels may use; what a module does not use is not declared.
static spirv::TargetEnvAttr getOpenCLEnvironment(MLIRContext *context) {
  using spirv::Capability;
  auto triple = spirv::VerCapExtAttr::get(
      spirv::Version::V_1_2,
      {Capability::Kernel, Capability::Addresses, Capability::Linkage,
       Capability::Int64, Capability::Int16, Capability::Int8,
       Capability::Float64, Capability::Float16, Capability::Vector16},
      ArrayRef<spirv::Extension>(), context);
  return spirv::TargetEnvAttr::get(
      triple, spirv::getDefaultResourceLimits(context),
      spirv::ClientAPI::OpenCL, spirv::Vendor::Unknown,
      spirv::DeviceType::Unknown, spirv::TargetEnvAttr::kUnknownDeviceID);
}

namespace {
struct KernelsToSPIRV : bcr::impl::BCRKernelsToSPIRVPassBase<KernelsToSPIRV> {
  void runOnOperation() override;
};
} // namespace

void KernelsToSPIRV::runOnOperation() {
  ModuleOp module = getOperation();
  module->setAttr(spirv::getTargetEnvAttrName(),
                  getOpenCLEnvironment(&getContext()));
  OpPassManager manager(ModuleOp::getOperationName());
  manager.nest<gpu::GPUModuleOp>().addPass(createConvertMathToSPIRVPass());
  std::unique_ptr<Pass> convert = createConvertGPUToSPIRVPass();
  if (failed(convert->initializeOptions(
          "use-64bit-index=true",
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
  OpPassManager finish(ModuleOp::getOperationName());
  OpPassManager &binaries = finish.nest<spirv::ModuleOp>();
  binaries.addPass(spirv::createSPIRVLowerABIAttributesPass());
  binaries.addPass(spirv::createSPIRVUpdateVCEPass());
  binaries.addPass(createCSEPass());
  if (failed(runPipeline(finish, module)))
    return signalPassFailure();
}
