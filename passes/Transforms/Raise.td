//===- Raise.td - The pass bcr-raise -----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_RAISE_TD
#define BCR_PASSES_TRANSFORMS_RAISE_TD

include "mlir/Pass/PassBase.td"

def Raise : Pass<"bcr-raise", "::mlir::ModuleOp"> {
  let summary = "Make layers of linalg convolutions and matmuls";
  let description = [{
    Finds the layers of a network in linalg on tensors, as torch-mlir writes it,
    and what belongs to each of them:

    - convolutions in one and two dimensions, grouped and depthwise, and
      matmuls, also of batches, whose weights are constants behind any transpose,
      reshape, broadcast or reversal; the data of the weights is not copied
      unless its order changes;
    - weights that are the product of two constants, a parameter and a mask, as
      `torch.nn.utils.prune` leaves them: `x.weight_orig` makes `x.weight`;
    - zero padding of the image in front of a convolution;
    - a bias, a batch norm with constant statistics, a product with a scalar and
      any chain of these become part of weights and bias. They are computed in
      double and rounded once; zero weights stay zero;
    - the sum with one more tensor, the residual;
    - ReLU, ReLU6, leaky ReLU, hardswish, SiLU, GELU (with erf or tanh), sigmoid,
      tanh and clamp. In all of them NaN stays NaN, as in PyTorch.

    Poolings of images (maximum or sum) become `bcr.pool2d` with the padding in
    front of them and a division by a constant behind.

    Calls of a function that is declared with `bcr.recurrence` become
    `bcr.recurrent`, one direction of a recurrent layer: the front end writes them,
    as linalg has no operation for a loop over a sequence. Their biases become
    part of those of the layer that makes the products of their input, but for the
    bias of a GRU's n.

    A value that somebody else uses too is not fused over. Reshapes between a
    layer and what follows it (linear layers of sequences, convolutions in one
    dimension) move behind what is fused.

    A layer is named after its weights: resource `features.0.weight` makes layer
    `features.0`; a second use of the same weights is `features.0#1`; literal
    weights make `conv0`, `matmul0` and so on. The module attribute `bcr.layers`
    gets `op`, `shape`, `epilogue` and the parameters of each layer, and of each
    convolution or matmul with constant weights that stays as it is the `op` and
    the `reason`.

    torch-mlir guards each reciprocal with an assertion that no element is zero,
    where PyTorch answers infinity. These assertions are removed.

    *Requires*: nothing; what the pass does not know it leaves alone.

    *Ensures*: every f32 convolution (one and two dimensions) and linear layer
    that has constant weights as its right operand and a static image size is a
    `bcr` layer with dense weights. The result of the module differs by rounding
    only where a batch norm or scalar was folded, and is equal otherwise.

    *Fails when*: the weights of a recurrence are no constants, or its declaration
    does not say what it computes.

    Remarks: `passed` for each layer with what was fused into it, `missed` for
    each convolution or matmul with constant weights that stays, with the reason.

    ```mlir
    %0 = linalg.fill ins(%zero : f32) outs(%init : tensor<2x4xf32>) -> tensor<2x4xf32>
    %1 = linalg.transpose ins(%w : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
    %2 = linalg.matmul ins(%x, %1 : tensor<2x8xf32>, tensor<8x4xf32>) outs(%0 : tensor<2x4xf32>) -> tensor<2x4xf32>
    // becomes
    %2 = bcr.matmul ins(%x : tensor<2x8xf32>) weights(%w : tensor<4x8xf32>)
                    outs(%init : tensor<2x4xf32>) {layer = "fc"} -> tensor<2x4xf32>
    ```
  }];
  let dependentDialects = ["::mlir::bcr::BCRDialect",
                           "::mlir::arith::ArithDialect",
                           "::mlir::tensor::TensorDialect"];
  let statistics = [
    Statistic<"numLayers", "num-layers-raised", "Layers made">,
    Statistic<"numBatchNorms", "num-batch-norms-folded",
              "Layers whose weights took a scale for each channel">,
    Statistic<"numResiduals", "num-residuals-fused", "Residuals fused">,
    Statistic<"numPoolings", "num-poolings-raised", "Poolings made">,
    Statistic<"numActivations", "num-activations-fused", "Activations fused">,
    Statistic<"numMissed", "num-layers-missed",
              "Convolutions and matmuls with constant weights that stay">
  ];
}

#endif // BCR_PASSES_TRANSFORMS_RAISE_TD
