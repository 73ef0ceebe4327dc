//===- Guard.td - bcr-guard -----------------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_GUARD_TD
#define BCR_TRANSFORMS_GUARD_TD

include "mlir/Pass/PassBase.td"

def BCRGuardPass : Pass<"bcr-guard", "::mlir::ModuleOp"> {
  let summary = "Turn assertions into a status and keep every access in bounds";
  let description = [{
    A library must not end its caller's process. Each `cf.assert` of `@main`
    records the number of its message, counted from one in the module attribute
    `bcr.checks`, in a status that becomes an argument with attribute
    `bcr.status`; the first failure stays. Where an assertion is at the top level
    of the function (a shape check), nothing after it runs when it fails; those
    whose condition needs only sizes and numbers are made first. Where it is
    inside a loop body, the loop goes on with indices that are in range: the
    indices of `tensor.extract` that depend on data are clamped.

    Requires: `@main` has no results (`bcr-destinations`) if it has assertions
    at the top level. Ensures: no `cf.assert` in `@main`; `bcr.checks` lists the
    messages. Fails when: there is no `@main`, or another function asserts.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numChecks", "num-checks", "Number of assertions made a status">,
    Statistic<"numClamped", "num-clamped", "Number of indices clamped">
  ];
}

#endif // BCR_TRANSFORMS_GUARD_TD
