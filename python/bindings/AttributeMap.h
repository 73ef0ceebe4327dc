//===- AttributeMap.h - An operation's attributes --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_ATTRIBUTEMAP_H
#define BCR_PYTHON_ATTRIBUTEMAP_H

#include "python/bindings/State.h"

namespace bcr::python {

/// The attributes of an operation as a mutable mapping.
struct AttributeMap {
  OperationHandle operation;
};

/// Sets an attribute, or raises an IRError if the operation has another kind of
/// attribute by that name.
void setAttribute(mlir::Operation *op, const std::string &name,
                  mlir::Attribute value);

} // namespace bcr::python

#endif // BCR_PYTHON_ATTRIBUTEMAP_H
