//===- LowerExtrema.td - bcr-lower-extrema --------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_CONVERSION_LOWEREXTREMA_TD
#define BCR_CONVERSION_LOWEREXTREMA_TD

include "mlir/Pass/PassBase.td"

def BCRLowerExtremaPass : Pass<"bcr-lower-extrema"> {
  let summary = "Maxima and minima of f32 and f64 as LLVM's intrinsics";
  let description = [{
    `arith.maximumf` and `arith.minimumf`, which keep a NaN, become
    `llvm.intr.maximum` and `llvm.intr.minimum`. Upstream expands them into two
    comparisons and two selections each, which LLVM does not know for a maximum
    any more: a loop that looks for the largest element stays scalar, and AArch64
    takes five instructions in place of its one. Which of two zeros is the
    larger one is left open, as in PyTorch; x86 would need three more
    instructions to tell.

    x86 has an instruction for a comparison with a selection, and three for a
    maximum that keeps a NaN. Against a bound that is a constant number the two
    are the same, so `select-bounds` makes these the former.

    Requires: nothing. Ensures: none of the two is left on f32, f64 and vectors
    of them. Fails when: never.

    ```mlir
    %m = arith.maximumf %a, %b : f32
    // becomes
    %m = llvm.intr.maximum(%a, %b) {fastmathFlags = #llvm.fastmath<nsz>} : (f32, f32) -> f32
    ```
  }];
  let options = [
    Option<"selectBounds", "select-bounds", "bool", "false",
           "bound by a constant with a comparison and a selection">
  ];
  let dependentDialects = ["::mlir::LLVM::LLVMDialect"];
}

#endif // BCR_CONVERSION_LOWEREXTREMA_TD
