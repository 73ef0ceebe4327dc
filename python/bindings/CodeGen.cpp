//===- CodeGen.cpp - Machine code from Python -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Convert.h"

#include "passes/Target/CodeGen.h"

#include "mlir/IR/Verifier.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

using mlir::bcr::Jit;
using mlir::bcr::OutputKind;
using mlir::bcr::TargetInfo;
using mlir::bcr::TargetMachineSpec;

namespace {
struct JitObject {
  std::unique_ptr<Jit> jit;
};
} // namespace

static TargetInfo describe(const std::string &triple, const std::string &cpu,
                           const std::string &features) {
  TargetInfo info;
  std::string error;
  if (!mlir::bcr::describeTarget({triple, cpu, features}, info, error))
    throw ConfigException(error);
  return info;
}

static OutputKind parseKind(const std::string &kind) {
  if (kind == "object")
    return OutputKind::Object;
  if (kind == "assembly")
    return OutputKind::Assembly;
  if (kind == "llvm")
    return OutputKind::LLVMIR;
  throw ConfigException("kind='" + kind +
                        "': use 'object', 'assembly' or 'llvm'");
}

static nb::bytes emit(const ModuleObject &module, const std::string &triple,
                      const std::string &cpu, const std::string &features,
                      const std::string &kindName,
                      const std::optional<nb::dict> &times) {
  OutputKind kind = parseKind(kindName);
  describe(triple, cpu, features);
  ModuleOp op = module.get();
  TargetMachineSpec spec{triple, cpu, features};
  DiagnosticCapture diagnostics(op.getContext());
  std::string output, error;
  mlir::bcr::StepTimes steps;
  bool succeeded;
  {
    ExclusiveWork work(module.root->context);
    succeeded = mlir::succeeded(verify(op)) &&
                mlir::bcr::emitModule(op, spec, kind, output, error, &steps);
  }
  if (!succeeded)
    diagnostics.raise("cannot emit machine code" +
                      (error.empty() ? "" : ": " + error));
  if (times)
    for (const auto &[step, seconds] : steps)
      (*times)[nb::cast(step)] = seconds;
  return nb::bytes(output.data(), output.size());
}

static nb::bytes emitSPIRV(const ModuleObject &module) {
  ModuleOp op = module.get();
  DiagnosticCapture diagnostics(op.getContext());
  std::string output, error;
  bool succeeded;
  {
    ExclusiveWork work(module.root->context);
    succeeded =
        mlir::succeeded(verify(op)) && mlir::bcr::emitSPIRV(op, output, error);
  }
  if (!succeeded)
    diagnostics.raise("cannot emit SPIR-V" +
                      (error.empty() ? "" : ": " + error));
  return nb::bytes(output.data(), output.size());
}

static void load(JitObject *self, const nb::bytes &object) {
  std::string data(object.c_str(), object.size());
  std::string error;
  std::unique_ptr<Jit> jit;
  {
    nb::gil_scoped_release released;
    jit = Jit::load(data, error);
  }
  if (!jit)
    throw IRException("cannot load the object file: " + error);
  new (self) JitObject{std::move(jit)};
}

static void writePool(const ModuleObject &module, nb::handle array) {
  ModuleOp op = module.get();
  PinnedBuffer pool(array, "the pool", /*writable=*/true);
  auto size = static_cast<size_t>(mlir::bcr::getPoolSize(op));
  if (pool.getSize() < size)
    throw IRException("the pool needs " + std::to_string(size) +
                      " bytes and the array has " +
                      std::to_string(pool.getSize()));
  DiagnosticCapture diagnostics(op.getContext());
  std::string error;
  bool succeeded;
  {
    ExclusiveWork work(module.root->context);
    succeeded = mlir::bcr::writePool(op, pool.getData(), error);
  }
  if (!succeeded)
    diagnostics.raise("cannot write the pool of constants" +
                      (error.empty() ? "" : ": " + error));
}

void bindCodeGen(nb::module_ &m) {
  nb::class_<TargetInfo>(m, "TargetInfo")
      .def_ro("triple", &TargetInfo::triple)
      .def_ro("cpu", &TargetInfo::cpu)
      .def_ro("features", &TargetInfo::features)
      .def_ro("lanes", &TargetInfo::lanes)
      .def_ro("registers", &TargetInfo::registers)
      .def_ro("generic", &TargetInfo::generic)
      .def_ro("extensions", &TargetInfo::extensions)
      .def("__repr__", [](const TargetInfo &self) {
        return "TargetInfo(triple='" + self.triple + "', cpu='" + self.cpu +
               "', lanes=" + std::to_string(self.lanes) +
               ", registers=" + std::to_string(self.registers) + ")";
      });
  m.def("describe_target", describe, "triple"_a = "", "cpu"_a = "",
        "features"_a = "");
  m.def("emit", emit, "module"_a, "triple"_a = "", "cpu"_a = "",
        "features"_a = "", nb::kw_only(), "kind"_a = "object",
        "times"_a = nb::none());
  m.def("emit_spirv", emitSPIRV, "module"_a);
  m.def(
      "pool_size",
      [](const ModuleObject &module) {
        return mlir::bcr::getPoolSize(module.get());
      },
      "module"_a);
  m.def("write_pool", writePool, "module"_a, "pool"_a);

  nb::class_<JitObject>(m, "Jit")
      .def("__init__", load, "object"_a)
      .def(
          "lookup",
          [](const JitObject &self, const std::string &name) {
            return self.jit->lookup(name);
          },
          "name"_a);
}

} // namespace bcr::python
