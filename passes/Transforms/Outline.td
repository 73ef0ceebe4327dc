//===- Outline.td - bcr-outline ----------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_OUTLINE_TD
#define BCR_TRANSFORMS_OUTLINE_TD

include "mlir/Pass/PassBase.td"

def BCROutlinePass : Pass<"bcr-outline", "::mlir::ModuleOp"> {
  let summary = "Put each loop nest of @main into a function of its own";
  let description = [{
    Each `scf.for` and `scf.parallel` that stands in the body of `@main` becomes
    a private function `@loops`, `@loops_0`, ... that is called instead. What the
    loops use becomes arguments, but constants are copied. The functions are never
    inlined again.

    Passes of LLVM take time that grows faster than the function they work on:
    one function for a network of some hundred layers costs several times what
    its layers cost. And layers of one shape and schedule become equal functions,
    of which `duplicate-function-elimination` keeps one.

    Requires: constants are pooled, else each copy of a function has its own.
    Ensures: no loop stands in the body of `@main`. Fails when: never.
  }];
  let statistics = [
    Statistic<"numOutlined", "num-outlined", "Number of functions made">
  ];
  let dependentDialects = ["::mlir::func::FuncDialect"];
}

#endif // BCR_TRANSFORMS_OUTLINE_TD
