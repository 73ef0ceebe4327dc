//===- Diagnostics.h - MLIR's diagnostics as exceptions --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_DIAGNOSTICS_H
#define BCR_PYTHON_DIAGNOSTICS_H

#include "mlir/IR/Diagnostics.h"

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace bcr::python {

/// One diagnostic: its severity, where it points ("file:line:column"), the
/// message, and the notes below it as location and message.
struct DiagnosticRecord {
  std::string severity;
  std::string location;
  std::string message;
  std::vector<std::pair<std::string, std::string>> notes;

  /// The lines a compiler prints: "location: severity: message".
  std::string format() const;
};

/// Becomes bcr.IRError.
class IRException : public std::runtime_error {
public:
  explicit IRException(const std::string &message)
      : std::runtime_error(message) {}
  /// `summary` first, then every diagnostic on lines of its own.
  IRException(const std::string &summary,
              std::vector<DiagnosticRecord> diagnostics);

  const std::vector<DiagnosticRecord> &getDiagnostics() const {
    return diagnostics;
  }

private:
  std::vector<DiagnosticRecord> diagnostics;
};

/// Becomes bcr.ConfigError.
class ConfigException : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Collects what MLIR reports on a context instead of printing it.
class DiagnosticCapture {
public:
  explicit DiagnosticCapture(mlir::MLIRContext *context);

  /// Throws what was collected.
  [[noreturn]] void raise(const std::string &summary);

  std::vector<DiagnosticRecord> records;

private:
  mlir::ScopedDiagnosticHandler handler;
};

} // namespace bcr::python

#endif // BCR_PYTHON_DIAGNOSTICS_H
