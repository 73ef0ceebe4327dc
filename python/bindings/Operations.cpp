//===- Operations.cpp - bcr.ir.Operation ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/State.h"

namespace bcr::python {

void bindOperations(nb::module_ &m) {
  nb::class_<OperationHandle>(m, "Operation");
  nb::class_<BlockHandle>(m, "Block");
}

} // namespace bcr::python
