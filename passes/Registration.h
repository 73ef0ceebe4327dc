//===- Registration.h - Dialects, passes and pipelines ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_REGISTRATION_H
#define BCR_PASSES_REGISTRATION_H

namespace mlir {
class DialectRegistry;
namespace bcr {

/// Adds the bcr dialect, every upstream dialect and their extensions.
void registerAllDialects(DialectRegistry &registry);

/// Registers the passes and pipelines of bcr; upstream's are the caller's.
void registerAllPasses();

} // namespace bcr
} // namespace mlir

#endif // BCR_PASSES_REGISTRATION_H
