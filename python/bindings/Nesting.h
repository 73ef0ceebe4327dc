//===- Nesting.h - How deep text may nest ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_NESTING_H
#define BCR_PYTHON_NESTING_H

#include "llvm/ADT/StringRef.h"

namespace bcr::python {

/// Brackets that may be open at once. MLIR's parser, verifier and printer recur
/// for each, and the stack of a thread ends the process; real modules nest a
/// few dozen deep.
constexpr int maxNesting = 1000;

/// Raises an IRError if `text` nests deeper than that.
void requireShallow(llvm::StringRef text);

} // namespace bcr::python

#endif // BCR_PYTHON_NESTING_H
