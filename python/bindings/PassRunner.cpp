//===- PassRunner.cpp - A pipeline with everything it reports -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/PassRunner.h"
#include "passes/Pipelines/BCRToLLVM.h"
#include "passes/Pipelines/BCRToSPIRV.h"
#include "python/bindings/Diagnostics.h"
#include "python/bindings/Printing.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassInstrumentation.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/STLExtras.h"

#include <chrono>

using namespace mlir;

namespace bcr::python {

namespace {

class RemarkCollector : public remark::detail::MLIRRemarkStreamerBase {
public:
  explicit RemarkCollector(std::vector<RemarkRecord> &records)
      : records(records) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    RemarkRecord record;
    record.kind = remark.getRemarkTypeString().lower();
    record.category = remark.getCombinedCategoryName().str();
    record.name = remark.getRemarkName().str();
    record.function = remark.getFunction().str();
    record.location = printLocation(remark.getLocation());
    for (const auto &argument : remark.getArgs()) {
      if (!record.message.empty() && record.message.back() != ' ')
        record.message += ", ";
      // Sentences come under these keys; measurements have keys of their own.
      if (argument.key == "Remark" || argument.key == "Reason") {
        record.message += argument.val;
        continue;
      }
      record.message += argument.key + "=" + argument.val;
      record.arguments.emplace_back(argument.key, argument.val);
    }
    records.push_back(std::move(record));
  }

private:
  std::vector<RemarkRecord> &records;
};

class Recorder : public PassInstrumentation {
public:
  Recorder(const PassRunOptions &options, PassRunResult &result)
      : options(options), result(result) {}

  void runBeforePass(Pass *, Operation *) override {
    starts.push_back(std::chrono::steady_clock::now());
  }

  void runAfterPass(Pass *pass, Operation *op) override {
    addTime(pass);
    std::string name = pass->getArgument().str();
    if (!name.empty() &&
        (options.allSnapshots || llvm::is_contained(options.snapshots, name)))
      addSnapshot(name, op);
  }

  void runAfterPassFailed(Pass *pass, Operation *) override { addTime(pass); }

private:
  void addTime(Pass *pass) {
    std::chrono::duration<double> time =
        std::chrono::steady_clock::now() - starts.pop_back_val();
    std::string name = pass->getArgument().str();
    // Adaptors that run passes on nested operations have no name; the passes
    // inside them are counted.
    if (name.empty())
      return;
    for (auto &[known, seconds] : result.timings)
      if (known == name) {
        seconds += time.count();
        return;
      }
    result.timings.emplace_back(name, time.count());
  }

  void addSnapshot(const std::string &name, Operation *op) {
    while (Operation *parent = op->getParentOp())
      op = parent;
    PrintOptions print;
    print.largeElementsLimit = options.snapshotElementsLimit;
    print.largeResourceLimit = 0;
    print.debugInfo = options.snapshotDebugInfo;
    llvm::erase_if(result.snapshots,
                   [&](const auto &entry) { return entry.first == name; });
    result.snapshots.emplace_back(name, printOperation(op, print));
  }

  const PassRunOptions &options;
  PassRunResult &result;
  SmallVector<std::chrono::steady_clock::time_point> starts;
};

/// Collects remarks on a context for as long as it lives.
class RemarkScope {
public:
  RemarkScope(MLIRContext &context, std::vector<RemarkRecord> &records)
      : context(context) {
    remark::RemarkCategories categories;
    // `all` alone enables nothing: it only widens the four below.
    categories.passed = categories.missed = ".*";
    categories.analysis = categories.failed = ".*";
    (void)remark::enableOptimizationRemarks(
        context, std::make_unique<RemarkCollector>(records),
        std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
  }
  ~RemarkScope() { context.setRemarkEngine(nullptr); }

private:
  MLIRContext &context;
};

} // namespace

static bool buildPipeline(const std::string &pipeline, OpPassManager &manager,
                          std::string &error) {
  llvm::raw_string_ostream stream(error);
  return succeeded(parsePassPipeline(pipeline, manager, stream));
}

std::vector<std::string> getStages(const std::string &pipeline) {
  llvm::ArrayRef<llvm::StringRef> found;
  if (pipeline == "bcr-to-llvm")
    found = mlir::bcr::getStageNames();
  else if (pipeline == "bcr-to-spirv")
    found = mlir::bcr::getSPIRVStageNames();
  else
    throw ConfigException("pipeline='" + pipeline +
                          "': use 'bcr-to-llvm' or 'bcr-to-spirv'");
  std::vector<std::string> names;
  for (llvm::StringRef name : found)
    names.push_back(name.str());
  return names;
}

bool checkPipeline(MLIRContext *context, const std::string &pipeline,
                   std::string &error) {
  PassManager manager(context, ModuleOp::getOperationName());
  return buildPipeline(pipeline, manager, error);
}

bool runPasses(ModuleOp module, const PassRunOptions &options,
               PassRunResult &result, std::string &error) {
  PassManager manager(module.getContext(), ModuleOp::getOperationName());
  if (!buildPipeline(options.pipeline, manager, error))
    return false;
  // Passes trust what the verifier promises, and IR built by hand may break it.
  if (failed(verify(module)))
    return false;
  manager.enableVerifier(options.verify);
  if (!options.reproducer.empty())
    manager.enableCrashReproducerGeneration(options.reproducer);
  manager.addInstrumentation(std::make_unique<Recorder>(options, result));
  RemarkScope remarks(*module.getContext(), result.remarks);
  return succeeded(manager.run(module));
}

} // namespace bcr::python
