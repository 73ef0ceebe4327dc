//===- InsertionPoint.h - Where new operations go --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_INSERTIONPOINT_H
#define BCR_PYTHON_INSERTIONPOINT_H

#include "python/bindings/State.h"

namespace bcr::python {

/// Before an operation of a block, or at the block's end.
struct InsertionPoint {
  BlockHandle block;
  std::optional<OperationHandle> before;

  /// Puts a new operation there.
  void insert(mlir::Operation *op) const;
};

/// The argument, or the current insertion point of this thread, or an IRError.
InsertionPoint resolveInsertionPoint(const InsertionPoint *argument);

/// The operation itself, or an IRError if it is the root, which has no block.
mlir::Operation *requireInBlock(const OperationHandle &op, const char *what);

} // namespace bcr::python

#endif // BCR_PYTHON_INSERTIONPOINT_H
