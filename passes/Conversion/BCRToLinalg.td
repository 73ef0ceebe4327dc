//===- BCRToLinalg.td - The pass convert-bcr-to-linalg -----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_BCRTOLINALG_TD
#define BCR_PASSES_CONVERSION_BCRTOLINALG_TD

include "mlir/Pass/PassBase.td"

def ConvertBCRToLinalg : Pass<"convert-bcr-to-linalg", "::mlir::ModuleOp"> {
  let summary = "Replace bcr layers by their dense meaning in linalg";
  let description = [{
    The oracle of the IR: at every stage on tensors, this pass and upstream's
    lowerings run a module without any of the kernels of bcr.

    A layer with dense weights becomes what torch-mlir would have written: a pad,
    a named convolution or a transpose and a matmul, and element-wise generics for
    residual and activation; `bcr-raise` takes it back. A layer with packed
    weights becomes a generic that multiplies with the decoded dense weights
    where a mask says that the weight is kept, and skips all other positions:
    what packed weights drop contributes nothing, so an activation that is Inf or
    NaN does no harm there. A stored weight that happens to be zero is kept, and
    does multiply.

    A recurrent layer becomes an `scf.for` over the steps around a matmul and the
    equations of its cell, element by element.

    *Requires*: layers on tensors, and weights whose data is present.

    *Ensures*: no operation of the bcr dialect is left.

    *Fails when*: a layer is on memrefs, or the data of packed weights is missing.

    ```mlir
    %1 = bcr.matmul ins(%x : tensor<2x8xf32>) weights(%w : tensor<4x8xf32>)
                    outs(%init : tensor<2x4xf32>)
                    {activation = #bcr.activation<relu>} -> tensor<2x4xf32>
    // becomes
    %t = linalg.transpose ins(%w : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
    %0 = linalg.fill ins(%zero : f32) outs(%init : tensor<2x4xf32>) -> tensor<2x4xf32>
    %1 = linalg.matmul ins(%x, %t : tensor<2x8xf32>, tensor<8x4xf32>) outs(%0 : tensor<2x4xf32>) -> tensor<2x4xf32>
    %2 = linalg.generic ... ins(%1 : tensor<2x4xf32>) { arith.maximumf %in, %zero }
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
                           "::mlir::linalg::LinalgDialect",
                           "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [Statistic<"numLayers", "num-layers-converted",
                              "Layers replaced">];
}

#endif // BCR_PASSES_CONVERSION_BCRTOLINALG_TD
