//===- Printing.h - Operations and locations as text -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_PRINTING_H
#define BCR_PYTHON_PRINTING_H

#include "mlir/IR/Location.h"
#include "mlir/IR/Operation.h"

#include <optional>
#include <string>

namespace bcr::python {

struct PrintOptions {
  /// Constants of more elements are printed as `dense_resource<__elided__>`.
  std::optional<int64_t> largeElementsLimit;
  /// Resources whose hexadecimal text is longer are left out of the text.
  std::optional<int64_t> largeResourceLimit;
  /// Print locations.
  bool debugInfo = false;
  /// Print every operation in the form `"dialect.op"(...)`.
  bool generic = false;
};

/// Prints `op`; an operation that breaks its rules is printed in generic form.
inline std::string printOperation(mlir::Operation *op,
                                  const PrintOptions &options) {
  mlir::OpPrintingFlags flags;
  if (options.largeElementsLimit)
    flags.elideLargeElementsAttrs(*options.largeElementsLimit);
  if (options.largeResourceLimit)
    flags.elideLargeResourceString(*options.largeResourceLimit);
  if (options.debugInfo)
    flags.enableDebugInfo(true, /*prettyForm=*/false);
  if (options.generic)
    flags.printGenericOpForm();
  std::string text;
  llvm::raw_string_ostream stream(text);
  op->print(stream, flags);
  // What the printer leaves when every resource was elided.
  llvm::StringRef trimmed(text);
  trimmed.consume_back("{-#\n\n#-}\n");
  text.resize(trimmed.rtrim('\n').size());
  text += '\n';
  return text;
}

/// "file:line:column" where a location is just that, else what MLIR prints
/// between the parentheses of `loc(...)`.
inline std::string printLocation(mlir::Location location) {
  if (auto file = mlir::dyn_cast<mlir::FileLineColLoc>(location))
    return file.getFilename().str() + ":" + std::to_string(file.getLine()) +
           ":" + std::to_string(file.getColumn());
  std::string text;
  llvm::raw_string_ostream stream(text);
  location.print(stream);
  llvm::StringRef inner(text);
  if (inner.consume_front("loc(") && inner.consume_back(")"))
    return inner.str();
  return text;
}

} // namespace bcr::python

#endif // BCR_PYTHON_PRINTING_H
