//===- Stages.h - What the pipelines have in common ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_PIPELINES_STAGES_H
#define BCR_PASSES_PIPELINES_STAGES_H

#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace mlir::bcr {

/// What the options of every pipeline have.
template <typename Options>
struct StagedOptions : public PassPipelineOptions<Options> {
  template <typename T>
  using Option = typename PassPipelineOptions<Options>::template Option<T>;

  Option<SparsityMode> sparsity{
      *this, "sparsity", llvm::cl::desc("Which layers run sparse"),
      llvm::cl::init(SparsityMode::Auto),
      llvm::cl::values(
          clEnumValN(SparsityMode::Auto, "auto", "those where it pays"),
          clEnumValN(SparsityMode::Force, "force", "all that can"),
          clEnumValN(SparsityMode::Off, "off", "none"))};
  Option<std::string> startAfter{
      *this, "start-after",
      llvm::cl::desc("Leave out the stages up to this one"),
      llvm::cl::init("")};
  Option<std::string> stopAfter{
      *this, "stop-after",
      llvm::cl::desc("Leave out the stages after this one"),
      llvm::cl::init("")};
};

using EmitError = function_ref<LogicalResult(const Twine &)>;

/// A named part of a pipeline, for options of type `Configuration`.
template <typename Configuration> struct Stage {
  StringRef name;
  void (*build)(OpPassManager &, const Configuration &);
};

template <typename Configuration>
SmallVector<StringRef> getNames(ArrayRef<Stage<Configuration>> stages) {
  return llvm::map_to_vector(stages, [](const auto &s) { return s.name; });
}

/// The stages [begin, end) between two names, either of which may be empty.
FailureOr<std::pair<size_t, size_t>> findStages(ArrayRef<StringRef> names,
                                                StringRef startAfter,
                                                StringRef stopAfter,
                                                EmitError emitError);

// Stages of several pipelines.
void addCleanup(OpPassManager &manager);
void addRaise(OpPassManager &manager);
void addFuse(OpPassManager &manager);
void addBufferize(OpPassManager &manager);

} // namespace mlir::bcr

#endif // BCR_PASSES_PIPELINES_STAGES_H
