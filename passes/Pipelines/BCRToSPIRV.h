//===- BCRToSPIRV.h - The pipeline bcr-to-spirv ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_PIPELINES_BCRTOSPIRV_H
#define BCR_PASSES_PIPELINES_BCRTOSPIRV_H

#include "passes/Pipelines/Stages.h"

namespace mlir::bcr {

/// Options of `bcr-to-spirv`.
struct BCRToSPIRVOptions : public StagedOptions<BCRToSPIRVOptions> {
  Option<KernelAPI> api{
      *this, "api", llvm::cl::desc("What takes the kernels"),
      llvm::cl::init(KernelAPI::OpenCL),
      llvm::cl::values(clEnumValN(KernelAPI::OpenCL, "opencl", "OpenCL"),
                       clEnumValN(KernelAPI::Vulkan, "vulkan", "Vulkan"))};
  Option<Storage> storage{
      *this, "storage", llvm::cl::desc("What is kept in memory as half floats"),
      llvm::cl::init(Storage::F32),
      llvm::cl::values(
          clEnumValN(Storage::F32, "f32", "nothing"),
          clEnumValN(Storage::F16Weights, "f16-weights", "weights"),
          clEnumValN(Storage::F16, "f16", "weights and activations"))};
  Option<int64_t> weightVector{
      *this, "weight-vector",
      llvm::cl::desc("Neighbouring weights that a work-item loads at once"),
      llvm::cl::init(1)};
  Option<bool> processor{
      *this, "processor",
      llvm::cl::desc("Kernels for a processor instead of a GPU"),
      llvm::cl::init(false)};
  Option<int64_t> alignment{
      *this, "alignment",
      llvm::cl::desc("Bytes that parts of a buffer begin at multiples of"),
      llvm::cl::init(128)};
};

/// The names of the stages in their order; `passes/README.md` describes each.
ArrayRef<StringRef> getSPIRVStageNames();

/// Adds the whole pipeline, from linalg on tensors to SPIR-V. Fails and says
/// why when an option is wrong.
LogicalResult
buildBCRToSPIRV(OpPassManager &manager, const BCRToSPIRVOptions &options,
                function_ref<LogicalResult(const Twine &)> emitError);

/// Registers the pipeline under its name.
void registerBCRToSPIRV();

} // namespace mlir::bcr

#endif // BCR_PASSES_PIPELINES_BCRTOSPIRV_H
