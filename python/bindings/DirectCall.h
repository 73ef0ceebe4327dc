//===- DirectCall.h - A call with arrays as they are -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_BINDINGS_DIRECTCALL_H
#define BCR_PYTHON_BINDINGS_DIRECTCALL_H

#include <nanobind/nanobind.h>

/// Adds the class `DirectCall`; the module has imported NumPy.
void addDirectCall(nanobind::module_ &module);

#endif // BCR_PYTHON_BINDINGS_DIRECTCALL_H
