//===- BCRToLLVM.h - The pipeline bcr-to-llvm ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_PIPELINES_BCRTOLLVM_H
#define BCR_PASSES_PIPELINES_BCRTOLLVM_H

#include "passes/Pipelines/Stages.h"

namespace mlir::bcr {

/// Options of `bcr-to-llvm`. Empty and zero values mean the target's own.
struct BCRToLLVMOptions : public StagedOptions<BCRToLLVMOptions> {
  Option<int64_t> threads{*this, "threads",
                          llvm::cl::desc("Threads that the code runs on"),
                          llvm::cl::init(1)};
  Option<std::string> triple{*this, "triple",
                             llvm::cl::desc("Target triple; empty: the host's"),
                             llvm::cl::init("")};
  Option<std::string> cpu{*this, "cpu",
                          llvm::cl::desc("Target CPU; empty: the host's, or "
                                         "the baseline of another triple"),
                          llvm::cl::init("")};
  Option<std::string> features{
      *this, "features",
      llvm::cl::desc("Target features, such as +dotprod,-sve"),
      llvm::cl::init("")};
  Option<int64_t> lanes{
      *this, "lanes", llvm::cl::desc("f32 lanes of a vector; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> registers{*this, "registers",
                            llvm::cl::desc("Vector registers; 0: the target's"),
                            llvm::cl::init(0)};
  Option<int64_t> fmaPipes{
      *this, "fma-pipes",
      llvm::cl::desc(
          "Vector multiply-adds that start in a cycle; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> fmaLatency{
      *this, "fma-latency",
      llvm::cl::desc("Cycles of a multiply-add; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> loadPorts{
      *this, "load-ports",
      llvm::cl::desc("Vector loads that start in a cycle; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> l1Bytes{
      *this, "l1-bytes",
      llvm::cl::desc("Size of the first data cache; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> l2Bytes{
      *this, "l2-bytes",
      llvm::cl::desc("Size of the second cache; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> l3Bytes{
      *this, "l3-bytes",
      llvm::cl::desc("Size of the third cache; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> l2BytesPerCycle{
      *this, "l2-bytes-per-cycle",
      llvm::cl::desc("Bytes a cycle from the second cache; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> l3BytesPerCycle{
      *this, "l3-bytes-per-cycle",
      llvm::cl::desc("Bytes a cycle from the third cache; 0: the target's"),
      llvm::cl::init(0)};
  Option<int64_t> memoryBytesPerCycle{
      *this, "memory-bytes-per-cycle",
      llvm::cl::desc("Bytes a cycle from memory; 0: the target's"),
      llvm::cl::init(0)};
  Option<bool> windows{
      *this, "windows",
      llvm::cl::desc("Run groups of few rows with block rows along the vector "
                     "wherever that is possible"),
      llvm::cl::init(false)};
  Option<uint64_t> poolMinBytes{
      *this, "pool-min-bytes",
      llvm::cl::desc("Size from which a constant goes to the pool"),
      llvm::cl::init(64)};
};

/// The names of the stages in their order; `passes/README.md` describes each.
ArrayRef<StringRef> getStageNames();

/// Adds the whole pipeline, from linalg on tensors to the LLVM dialect. Fails
/// and says why when an option is wrong.
LogicalResult
buildBCRToLLVM(OpPassManager &manager, const BCRToLLVMOptions &options,
               function_ref<LogicalResult(const Twine &)> emitError);

/// Registers the pipeline under its name.
void registerBCRToLLVM();

} // namespace mlir::bcr

#endif // BCR_PASSES_PIPELINES_BCRTOLLVM_H
