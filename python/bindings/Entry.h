//===- Entry.h - The compiled function -------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_BINDINGS_ENTRY_H
#define BCR_PYTHON_BINDINGS_ENTRY_H

#include <cstdint>

/// The compiled function (passes/README.md, "The compiled function").
using Entry = int32_t (*)(const void *const *inputs, void *const *outputs,
                          const void *weights, void *workspace,
                          const int64_t *dims, int64_t *profile);

#endif // BCR_PYTHON_BINDINGS_ENTRY_H
