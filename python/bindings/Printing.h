//===- Printing.h - Operations as text -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_PRINTING_H
#define BCR_PYTHON_PRINTING_H

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

} // namespace bcr::python

#endif // BCR_PYTHON_PRINTING_H
