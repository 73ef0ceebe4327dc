//===- Resources.h - Arrays as the data of dense_resource ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_RESOURCES_H
#define BCR_PYTHON_RESOURCES_H

#include "python/bindings/State.h"

namespace bcr::python {

/// Attaches arrays, by name, as the data of the module's `dense_resource`
/// attributes, without a copy. All are checked before any is attached.
void setResources(const ModuleObject &module, const nb::dict &arrays);

/// Name to type of every `dense_resource` of the module, in order of use.
nb::dict listResources(const ModuleObject &module);

} // namespace bcr::python

#endif // BCR_PYTHON_RESOURCES_H
