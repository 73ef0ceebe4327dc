//===- Passes.cpp - bcr.ir.PassManager ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/PassRunner.h"
#include "python/bindings/State.h"

#include "llvm/ADT/StringRef.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

namespace {
/// A checked pipeline, for modules of any context. MLIR's manager is made anew
/// for each run, because what records a run is attached to it for good.
struct PassManagerObject {
  std::string pipeline;
};
} // namespace

/// The pipeline without `builtin.module(...)` around it.
static std::string stripAnchor(llvm::StringRef pipeline) {
  llvm::StringRef inner = pipeline.trim();
  if (inner.consume_front("builtin.module(") && inner.consume_back(")"))
    return inner.str();
  return pipeline.str();
}

static PassManagerObject parsePipeline(const std::string &pipeline,
                                       const ContextObject *context) {
  ContextRef state = resolveOrCreateContext(context);
  PassManagerObject manager{stripAnchor(pipeline)};
  DiagnosticCapture diagnostics(&state->context);
  std::string error;
  if (!checkPipeline(&state->context, manager.pipeline, error))
    diagnostics.raise("cannot parse the pipeline '" + pipeline +
                      "': " + llvm::StringRef(error).trim().str());
  return manager;
}

static nb::object run(const PassManagerObject &self, const ModuleObject &module,
                      nb::handle snapshots, bool debugInfo,
                      const std::optional<std::string> &reproducer,
                      bool verify) {
  ModuleOp op = module.get();
  PassRunOptions options;
  options.pipeline = self.pipeline;
  options.verify = verify;
  options.snapshotDebugInfo = debugInfo;
  options.reproducer = reproducer.value_or("");
  if (PyUnicode_Check(snapshots.ptr())) {
    options.allSnapshots = nb::cast<std::string>(snapshots) == "all";
    if (!options.allSnapshots)
      throw IRException("snapshots is a sequence of pass names, or \"all\"");
  } else {
    for (nb::handle name : snapshots)
      options.snapshots.push_back(nb::cast<std::string>(name));
  }

  DiagnosticCapture diagnostics(op.getContext());
  PassRunResult result;
  std::string error;
  bool succeeded;
  module.root->invalidate();
  {
    ExclusiveWork work(module.root->context);
    succeeded = runPasses(op, options, result, error);
  }
  if (!succeeded)
    diagnostics.raise("the pipeline '" + self.pipeline + "' failed" +
                      (error.empty() ? "" : ": " + error));

  nb::dict texts, seconds;
  for (const auto &[name, text] : result.snapshots)
    texts[nb::cast(name)] = nb::cast(text);
  for (const auto &[name, time] : result.timings)
    seconds[nb::cast(name)] = time;
  return nb::module_::import_("bcr.ir.passes")
      .attr("PassResult")(texts, result.remarks, seconds, diagnostics.records);
}

void bindPasses(nb::module_ &m) {
  nb::class_<RemarkRecord>(m, "Remark")
      .def_ro("kind", &RemarkRecord::kind)
      .def_ro("category", &RemarkRecord::category)
      .def_ro("name", &RemarkRecord::name)
      .def_ro("function", &RemarkRecord::function)
      .def_ro("location", &RemarkRecord::location)
      .def_ro("message", &RemarkRecord::message)
      .def_prop_ro("arguments",
                   [](const RemarkRecord &self) {
                     nb::dict arguments;
                     for (const auto &[key, value] : self.arguments)
                       arguments[nb::cast(key)] = nb::cast(value);
                     return arguments;
                   })
      .def("__str__", [](const RemarkRecord &self) {
        return self.location + ": " + self.kind + ": " + self.category + ": " +
               self.message;
      });

  m.def("stage_names", getStages, "pipeline"_a = "bcr-to-llvm");

  nb::class_<PassManagerObject>(m, "PassManager")
      .def_static("parse", parsePipeline, "pipeline"_a,
                  "context"_a = nb::none())
      .def("run", run, "module"_a, nb::kw_only(),
           "snapshots"_a = nb::make_tuple(), "enable_debug_info"_a = false,
           "reproducer"_a = nb::none(), "verify"_a = true)
      .def("__str__", [](const PassManagerObject &self) {
        return "builtin.module(" + self.pipeline + ")";
      });
}

} // namespace bcr::python
