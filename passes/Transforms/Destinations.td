//===- Destinations.td - bcr-destinations ---------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_DESTINATIONS_TD
#define BCR_TRANSFORMS_DESTINATIONS_TD

include "mlir/Pass/PassBase.td"

def BCRDestinationsPass : Pass<"bcr-destinations", "::mlir::ModuleOp"> {
  let summary = "Let @main write its results into buffers of the caller";
  let description = [{
    Each result of `@main` becomes an argument: a buffer with attribute
    `bcr.output`, into which the result is materialised. An op that fills a
    tensor of its own with the result writes into the buffer at once, and so do
    those that insert slices one after the other, as a concatenation is written,
    behind reshapes as well, and the ops that make such slices; other results
    are copied (an input, a constant, one returned twice). A dynamic size of a
    result is checked against the size of its buffer.

    Requires: the public function `@main` has one block, tensors or scalars as
    results. Ensures: `@main` has no results. Fails when: there is no `@main`, it
    has several blocks, or a result is neither a ranked tensor nor a number.

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : ... }
    // becomes
    func.func @main(%x: tensor<4xf32>, %y: memref<4xf32> {bcr.output}) {
      bufferization.materialize_in_destination %x in restrict writable %y : ...
      return
    }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::bufferization::BufferizationDialect",
    "::mlir::cf::ControlFlowDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect",
    "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numDestinations", "num-destinations",
              "Number of results that became buffers of the caller">
  ];
}

#endif // BCR_TRANSFORMS_DESTINATIONS_TD
