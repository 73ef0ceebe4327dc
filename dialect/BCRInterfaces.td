//===- BCRInterfaces.td - Interfaces of the bcr dialect ----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_INTERFACES_TD
#define BCR_INTERFACES_TD

include "mlir/IR/OpBase.td"

def BCR_LayerOpInterface : OpInterface<"LayerOpInterface"> {
  let cppNamespace = "::mlir::bcr";
  let description = [{
    A layer: `activation(input * W^T + bias + residual)`, where W is dense or
    packed. Every pass that treats matmul and convolution alike goes through it.
  }];
  let methods = [
    InterfaceMethod<"The activations that come in.", "::mlir::Value",
                    "getInput">,
    InterfaceMethod<"The weights, a tensor or a packed value.",
                    "::mlir::Value", "getWeight">,
    InterfaceMethod<"The weight operand, to be replaced.",
                    "::mlir::OpOperand &", "getWeightMutable">,
    InterfaceMethod<"The bias, one value a row, or null.", "::mlir::Value",
                    "getBias">,
    InterfaceMethod<"The bias operand, to be replaced.",
                    "::mlir::MutableOperandRange", "getBiasMutable">,
    InterfaceMethod<"The tensor added before the activation, or null.",
                    "::mlir::Value", "getResidual">,
    InterfaceMethod<"The residual operand, to be replaced.",
                    "::mlir::MutableOperandRange", "getResidualMutable">,
    InterfaceMethod<"Where the result goes.", "::mlir::Value", "getInit">,
    InterfaceMethod<"The activation, or null.",
                    "::mlir::bcr::ActivationAttr", "getActivationAttr">,
    InterfaceMethod<"Sets the activation.", "void", "setActivationAttr",
                    (ins "::mlir::bcr::ActivationAttr":$activation)>,
    InterfaceMethod<"The layer's name in the user's model, or null.",
                    "::mlir::StringAttr", "getLayerAttr">,
    InterfaceMethod<"Sets the layer's name.", "void", "setLayerAttr",
                    (ins "::mlir::StringAttr":$layer)>,
    InterfaceMethod<"Sparse or dense, or null before bcr-select.",
                    "::mlir::bcr::FormAttr", "getFormAttr">,
    InterfaceMethod<"Sets the form.", "void", "setFormAttr",
                    (ins "::mlir::bcr::FormAttr":$form)>,
    InterfaceMethod<"The block shape [Br, Bc] read from the weights, or null.",
                    "::mlir::DenseI64ArrayAttr", "getBlockAttr">,
    InterfaceMethod<"Sets the block shape.", "void", "setBlockAttr",
                    (ins "::mlir::DenseI64ArrayAttr":$block)>,
    InterfaceMethod<"The schedule, or null before bcr-tile.",
                    "::mlir::bcr::ScheduleAttr", "getScheduleAttr">,
    InterfaceMethod<"Sets the schedule.", "void", "setScheduleAttr",
                    (ins "::mlir::bcr::ScheduleAttr":$schedule)>,
    InterfaceMethod<"First group of each thread's share, or null: one share.",
                    "::mlir::DenseI64ArrayAttr", "getChunksAttr">,
    InterfaceMethod<"Sets the shares.", "void", "setChunksAttr",
                    (ins "::mlir::DenseI64ArrayAttr":$chunks)>,
    InterfaceMethod<"M of W[M, K]: outputs of the layer.", "int64_t",
                    "getNumRows">,
    InterfaceMethod<"K of W[M, K]: inputs of one output.", "int64_t",
                    "getNumColumns">
  ];
}

#endif // BCR_INTERFACES_TD
