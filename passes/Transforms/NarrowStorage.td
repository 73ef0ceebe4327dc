//===- NarrowStorage.td - bcr-narrow-storage ---------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_NARROWSTORAGE_TD
#define BCR_PASSES_TRANSFORMS_NARROWSTORAGE_TD

include "mlir/Pass/PassBase.td"

def BCRNarrowStoragePass : Pass<"bcr-narrow-storage", "::mlir::ModuleOp"> {
  let summary = "Keep weights and activations in memory as half floats";
  let description = [{
    Kernels go on computing in f32: what they load is extended, what they store
    is rounded. Narrowed are

    - weights: constants `<layer>.values` and constants of two and more
      dimensions, rounded to the nearest half, if all of them are in its range; a
      remark names one that is not. The layer's `value_bytes` in `bcr.layers` are
      halved and its `storage` is `f16`;
    - with `activations`, buffers that the kernels of a layer load or store. Not
      those that one kernel both loads and stores, or that `bcr.sums` marks, which
      are sums or states, nor those of launches in a loop of the host, where
      rounding would add up from turn to turn.

    Arguments and results of @main stay as they are, and so do biases.

    *Requires:* kernels in @main as `gpu.launch`, after `bcr-launch-loops`.
    *Ensures:* the same operations in f32. *Fails when:* weights have no data.
  }];
  let options = [
    Option<"activations", "activations", "bool", "true",
           "Narrow what lies between layers, too">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect", "::mlir::vector::VectorDialect"];
  let statistics = [
    Statistic<"numConstants", "num-constants", "constants of half floats">,
    Statistic<"numBuffers", "num-buffers", "buffers of half floats">
  ];
}

#endif // BCR_PASSES_TRANSFORMS_NARROWSTORAGE_TD
