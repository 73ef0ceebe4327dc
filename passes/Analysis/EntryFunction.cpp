//===- EntryFunction.cpp - The function that a network is -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"

using namespace mlir;

FailureOr<func::FuncOp> mlir::bcr::getEntryFunction(ModuleOp module) {
  auto function = module.lookupSymbol<func::FuncOp>("main");
  if (!function || function.isExternal())
    return module.emitError("the module has no function @main with a body, "
                            "which is what the network is");
  return function;
}
