//===- Machine.h - LLVM's view of a target machine -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TARGET_MACHINE_H
#define BCR_PASSES_TARGET_MACHINE_H

#include "passes/Target/CodeGen.h"

#include "llvm/Target/TargetMachine.h"

namespace mlir::bcr {

/// Makes every target of the linked LLVM known. Safe to call from any thread
/// and any number of times.
void initializeTargets();

/// Makes the machine for a description; null sets `error`.
std::unique_ptr<llvm::TargetMachine> createTargetMachine(const TargetInfo &info,
                                                         std::string &error);

} // namespace mlir::bcr

#endif // BCR_PASSES_TARGET_MACHINE_H
