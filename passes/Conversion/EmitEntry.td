//===- EmitEntry.td - bcr-emit-entry --------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_CONVERSION_EMITENTRY_TD
#define BCR_CONVERSION_EMITENTRY_TD

include "mlir/Pass/PassBase.td"

def BCREmitEntryPass : Pass<"bcr-emit-entry", "::mlir::ModuleOp"> {
  let summary = "Add the C function that runs @main";
  let description = [{
    Adds `bcr_run`, whose C signature `passes/README.md` gives: it makes memrefs of
    the caller's pointers and sizes, calls `@main` and returns its status. Every
    other function becomes internal, so that an object file exports one name.

    Requires: `@main` takes memrefs in row-major layout and numbers, has no
    results and marks its arguments as `bcr-destinations`, `bcr-guard`,
    `bcr-plan-arena` and `bcr-pool-constants` do.
    Ensures: `bcr_run` is the one function that other code sees.
    Fails when: what it requires does not hold, or `bcr_run` exists.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect",
    "::mlir::memref::MemRefDialect", "::mlir::LLVM::LLVMDialect"];
}

#endif // BCR_CONVERSION_EMITENTRY_TD
