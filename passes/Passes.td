//===- Passes.td - The passes of bcr -----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each pass is declared beside its source, in a .td of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TD
#define BCR_PASSES_TD

include "mlir/Pass/PassBase.td"
include "passes/Conversion/BCRToLinalg.td"
include "passes/Transforms/Instrument.td"
include "passes/Transforms/Raise.td"

#endif // BCR_PASSES_TD
