//===- Modules.cpp - bcr.ir.Module ----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Convert.h"
#include "python/bindings/Nesting.h"
#include "python/bindings/PrintMethods.h"
#include "python/bindings/Resources.h"

#include "mlir/Bytecode/BytecodeReader.h"
#include "mlir/Bytecode/BytecodeWriter.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/MemoryBuffer.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

using namespace mlir;
using namespace nanobind::literals;

namespace bcr::python {

/// Bytecode is read in place and wants its sections aligned.
static std::unique_ptr<llvm::WritableMemoryBuffer> align(StringRef data) {
  auto aligned = llvm::WritableMemoryBuffer::getNewUninitMemBuffer(
      data.size(), "", llvm::Align(64));
  llvm::copy(data, aligned->getBufferStart());
  return aligned;
}

static ModuleObject parseModule(nb::handle source, const ContextObject *context,
                                const std::string &sourceName) {
  StringRef text;
  if (PyUnicode_Check(source.ptr())) {
    Py_ssize_t size = 0;
    const char *data = PyUnicode_AsUTF8AndSize(source.ptr(), &size);
    if (!data)
      throw nb::python_error();
    text = StringRef(data, size);
  } else if (PyBytes_Check(source.ptr())) {
    text = StringRef(PyBytes_AS_STRING(source.ptr()),
                     PyBytes_GET_SIZE(source.ptr()));
  } else {
    throw nb::type_error("Module.parse takes str (text) or bytes (text or "
                         "bytecode)");
  }
  bool bytecode = isBytecode(llvm::MemoryBufferRef(text, sourceName));
  if (!bytecode)
    requireShallow(text);
  ContextRef state = resolveOrCreateContext(context);
  DiagnosticCapture diagnostics(&state->context);
  OwningOpRef<ModuleOp> module;
  {
    ExclusiveWork work(state);
    std::unique_ptr<llvm::WritableMemoryBuffer> aligned;
    if (bytecode) {
      aligned = align(text);
      text = StringRef(aligned->getBufferStart(), text.size());
    }
    module = parseSourceString<ModuleOp>(text, ParserConfig(&state->context),
                                         sourceName);
  }
  if (!module)
    diagnostics.raise("cannot parse the module");
  return {std::make_shared<Root>(state, module.release().getOperation())};
}

static ModuleObject createModule(const LocationObject *location,
                                 const ContextObject *context) {
  if (location) {
    requireIdle(location->context);
    return {std::make_shared<Root>(location->context,
                                   ModuleOp::create(location->value))};
  }
  ContextRef state = resolveOrCreateContext(context);
  Location unknown = UnknownLoc::get(&state->context);
  return {std::make_shared<Root>(state, ModuleOp::create(unknown))};
}

static void verifyModule(const ModuleObject &self) {
  ModuleOp module = self.get();
  DiagnosticCapture diagnostics(module.getContext());
  LogicalResult result = failure();
  {
    ExclusiveWork work(self.root->context);
    result = verify(module);
  }
  if (failed(result))
    diagnostics.raise("the module breaks a rule of its operations");
}

static nb::bytes writeBytecode(const ModuleObject &self) {
  ModuleOp module = self.get();
  DiagnosticCapture diagnostics(module.getContext());
  std::string data;
  LogicalResult result = failure();
  {
    ExclusiveWork work(self.root->context);
    llvm::raw_string_ostream stream(data);
    result = writeBytecodeToFile(module, stream);
  }
  if (failed(result))
    diagnostics.raise("the module cannot be written as bytecode");
  return nb::bytes(data.data(), data.size());
}

void bindModules(nb::module_ &m) {
  nb::class_<ModuleObject> type(m, "Module");
  type.def_static("parse", parseModule, "source"_a, "context"_a = nb::none(),
                  "source_name"_a = "<string>")
      .def_static("create", createModule, "location"_a = nb::none(),
                  "context"_a = nb::none())
      .def_prop_ro("context",
                   [](const ModuleObject &self) {
                     return ContextObject{self.root->context};
                   })
      .def_prop_ro("operation",
                   [](const ModuleObject &self) {
                     return OperationHandle(self.root, self.get());
                   })
      .def_prop_ro("body",
                   [](const ModuleObject &self) {
                     return BlockHandle(self.root, self.get().getBody());
                   })
      .def("walk",
           [](const ModuleObject &self, nb::args args, nb::kwargs kwargs) {
             return nb::cast(OperationHandle(self.root, self.get()))
                 .attr("walk")(*args, **kwargs);
           })
      .def("verify", verifyModule)
      .def("bytecode", writeBytecode)
      .def("attributes_to_python",
           [](const ModuleObject &self) {
             return toPython(self.root->context,
                             self.get()->getAttrDictionary());
           })
      .def(
          "set_resource",
          [](const ModuleObject &self, const std::string &name,
             nb::object array) {
            nb::dict arrays;
            arrays[nb::cast(name)] = array;
            setResources(self, arrays);
          },
          "name"_a, "array"_a)
      .def("set_resources", setResources, "arrays"_a)
      .def("resources", listResources);
  bindPrinting(type);
}

} // namespace bcr::python
