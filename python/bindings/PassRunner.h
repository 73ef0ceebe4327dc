//===- PassRunner.h - A pipeline with everything it reports ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A plain interface: the classes that derive from MLIR's stay in the source
// file, which is compiled as MLIR is (README.md).
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_PASSRUNNER_H
#define BCR_PYTHON_PASSRUNNER_H

#include <string>
#include <utility>
#include <vector>

namespace mlir {
class MLIRContext;
class ModuleOp;
} // namespace mlir

namespace bcr::python {

struct PassRunOptions {
  /// Passes and pipelines below builtin.module, without it.
  std::string pipeline;
  /// Verify the module after every pass.
  bool verify = true;
  /// Names of the passes after which the module is printed.
  std::vector<std::string> snapshots;
  bool allSnapshots = false;
  /// Constants of more elements are left out of the snapshots.
  int64_t snapshotElementsLimit = 16;
  bool snapshotDebugInfo = false;
  /// Where a failing run leaves a module that `bcr-opt --run-reproducer`
  /// replays; empty for nowhere.
  std::string reproducer;
};

/// One optimisation remark.
struct RemarkRecord {
  /// "passed", "missed", "failure" or "analysis".
  std::string kind;
  std::string category;
  std::string name;
  std::string function;
  std::string location;
  std::string message;
  std::vector<std::pair<std::string, std::string>> arguments;
};

struct PassRunResult {
  /// By pass, in the order of the last time each ran.
  std::vector<std::pair<std::string, std::string>> snapshots;
  std::vector<RemarkRecord> remarks;
  /// Seconds by pass, summed over its runs, in the order of the first.
  std::vector<std::pair<std::string, double>> timings;
};

/// The stages of `bcr-to-llvm` or `bcr-to-spirv`, in order. Throws a
/// ConfigException for another pipeline.
std::vector<std::string> getStages(const std::string &pipeline);

/// Whether the pipeline can be built; `error` says why not.
bool checkPipeline(mlir::MLIRContext *context, const std::string &pipeline,
                   std::string &error);

/// Runs the pipeline. Diagnostics go to the context's handlers; `error` is set
/// when the pipeline cannot be built.
bool runPasses(mlir::ModuleOp module, const PassRunOptions &options,
               PassRunResult &result, std::string &error);

} // namespace bcr::python

#endif // BCR_PYTHON_PASSRUNNER_H
