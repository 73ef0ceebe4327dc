//===- Diagnostics.cpp - MLIR's diagnostics as exceptions -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Diagnostics.h"
#include "python/bindings/Printing.h"
#include "python/bindings/State.h"

#include "llvm/Support/JSON.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

using namespace mlir;

namespace bcr::python {

std::string DiagnosticRecord::format() const {
  std::string text = location + ": " + severity + ": " + message;
  for (const auto &[noteLocation, noteMessage] : notes)
    text += "\n  " + noteLocation + ": note: " + noteMessage;
  return text;
}

static std::string formatAll(const std::string &summary,
                             const std::vector<DiagnosticRecord> &records) {
  std::string text = summary;
  for (const DiagnosticRecord &record : records)
    text += "\n" + record.format();
  return text;
}

IRException::IRException(const std::string &summary,
                         std::vector<DiagnosticRecord> diagnostics)
    : std::runtime_error(formatAll(summary, diagnostics)),
      diagnostics(std::move(diagnostics)) {}

static const char *getSeverityName(DiagnosticSeverity severity) {
  switch (severity) {
  case DiagnosticSeverity::Note:
    return "note";
  case DiagnosticSeverity::Warning:
    return "warning";
  case DiagnosticSeverity::Remark:
    return "remark";
  case DiagnosticSeverity::Error:
    return "error";
  }
  return "error";
}

/// Messages quote the input, which may be any bytes.
static std::string toText(const std::string &bytes) {
  return llvm::json::fixUTF8(bytes);
}

DiagnosticCapture::DiagnosticCapture(MLIRContext *context)
    : handler(context, [this](Diagnostic &diagnostic) {
        DiagnosticRecord record;
        record.severity = getSeverityName(diagnostic.getSeverity());
        record.location = toText(printLocation(diagnostic.getLocation()));
        record.message = toText(diagnostic.str());
        for (Diagnostic &note : diagnostic.getNotes())
          record.notes.emplace_back(toText(printLocation(note.getLocation())),
                                    toText(note.str()));
        records.push_back(std::move(record));
      }) {}

void DiagnosticCapture::raise(const std::string &summary) {
  throw IRException(summary, std::move(records));
}

static void setError(const char *name, nb::object arguments) {
  nb::object type = nb::module_::import_("bcr.errors").attr(name);
  nb::object error = type(*nb::tuple(arguments));
  PyErr_SetObject(type.ptr(), error.ptr());
}

static void translate(const std::exception_ptr &pointer, void *) {
  try {
    std::rethrow_exception(pointer);
  } catch (const IRException &error) {
    setError("IRError",
             nb::make_tuple(toText(error.what()), error.getDiagnostics()));
  } catch (const ConfigException &error) {
    setError("ConfigError", nb::make_tuple(toText(error.what())));
  }
}

void bindDiagnostics(nb::module_ &m) {
  nb::class_<DiagnosticRecord>(m, "Diagnostic")
      .def_ro("severity", &DiagnosticRecord::severity)
      .def_ro("location", &DiagnosticRecord::location)
      .def_ro("message", &DiagnosticRecord::message)
      .def_ro("notes", &DiagnosticRecord::notes)
      .def("__str__", &DiagnosticRecord::format);
  nb::register_exception_translator(translate);
}

} // namespace bcr::python
