//===- Stages.h - What the pipelines have in common ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_PIPELINES_STAGES_H
#define BCR_PASSES_PIPELINES_STAGES_H

#include "passes/Passes.h"

#include "mlir/Pass/PassManager.h"

namespace mlir::bcr {

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
