//===- EntryFunction.h - The function that a network is -----------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_ENTRYFUNCTION_H
#define BCR_PASSES_ANALYSIS_ENTRYFUNCTION_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::bcr {

/// The function `@main` with its body, or failure and a diagnostic.
FailureOr<func::FuncOp> getEntryFunction(ModuleOp module);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_ENTRYFUNCTION_H
