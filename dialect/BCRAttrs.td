//===- BCRAttrs.td - Attributes of the bcr dialect ---------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_ATTRS_TD
#define BCR_ATTRS_TD

include "dialect/BCRDialect.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"

class BCR_Enum<string name, string summary, list<I32EnumAttrCase> cases>
    : I32EnumAttr<name, summary, cases> {
  let cppNamespace = "::mlir::bcr";
  let genSpecializedAttr = 0;
}

def BCR_ActivationKind : BCR_Enum<"ActivationKind", "an activation function", [
  I32EnumAttrCase<"ReLU", 0, "relu">,
  I32EnumAttrCase<"ReLU6", 1, "relu6">,
  I32EnumAttrCase<"LeakyReLU", 2, "leaky_relu">,
  I32EnumAttrCase<"HardSwish", 3, "hardswish">,
  I32EnumAttrCase<"SiLU", 4, "silu">,
  I32EnumAttrCase<"GELU", 5, "gelu">,
  I32EnumAttrCase<"GELUTanh", 6, "gelu_tanh">,
  I32EnumAttrCase<"Sigmoid", 7, "sigmoid">,
  I32EnumAttrCase<"Tanh", 8, "tanh">,
  I32EnumAttrCase<"Clamp", 9, "clamp">
]>;

def BCR_ActivationAttr : AttrDef<BCR_Dialect, "Activation"> {
  let mnemonic = "activation";
  let summary = "The activation at the end of a layer's epilogue";
  let description = [{
    `alpha` is the negative slope of `leaky_relu` and the lower bound of
    `clamp`; `beta` is the upper bound of `clamp`. The other kinds take no
    parameter and leave both at zero (BCR-16).

    ```mlir
    #bcr.activation<relu>
    #bcr.activation<leaky_relu, 0.1>
    #bcr.activation<clamp, -1.0, 2.0>
    ```
  }];
  let parameters = (ins EnumParameter<BCR_ActivationKind>:$kind,
                        APFloatParameter<"">:$alpha, APFloatParameter<"">:$beta);
  let builders = [
    AttrBuilder<(ins "::mlir::bcr::ActivationKind":$kind,
                     CArg<"double", "0.0">:$alpha,
                     CArg<"double", "0.0">:$beta), [{
      return $_get($_ctxt, kind, ::llvm::APFloat(alpha), ::llvm::APFloat(beta));
    }]>
  ];
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

def BCR_FormKind : BCR_Enum<"Form", "how a layer runs", [
  I32EnumAttrCase<"Dense", 0, "dense">,
  I32EnumAttrCase<"Sparse", 1, "sparse">
]>;
def BCR_PoolKind : BCR_Enum<"PoolKind", "what a pooling makes of a window", [
  I32EnumAttrCase<"Max", 0, "max">, I32EnumAttrCase<"Sum", 1, "sum">
]>;

def BCR_PoolAttr : EnumAttr<BCR_Dialect, BCR_PoolKind, "pool"> {
  let summary = "What a pooling makes of a window";
  let assemblyFormat = "`<` $value `>`";
}

def BCR_GapsKind : BCR_Enum<"Gaps", "what a layer leaves between the rows of its images", [
  I32EnumAttrCase<"Zero", 0, "zero">, I32EnumAttrCase<"Free", 1, "free">]>;

def BCR_GapsAttr : EnumAttr<BCR_Dialect, BCR_GapsKind, "gaps"> {
  let summary = "What a layer leaves between the rows of its images";
  let assemblyFormat = "`<` $value `>`";
}

def BCR_CellKind : BCR_Enum<"CellKind", "the equations of a recurrent layer", [
  I32EnumAttrCase<"GRU", 0, "gru">,
  I32EnumAttrCase<"LSTM", 1, "lstm">,
  I32EnumAttrCase<"RNNTanh", 2, "rnn_tanh">,
  I32EnumAttrCase<"RNNReLU", 3, "rnn_relu">
]>;

def BCR_CellAttr : EnumAttr<BCR_Dialect, BCR_CellKind, "cell"> {
  let summary = "The equations of a recurrent layer";
  let assemblyFormat = "`<` $value `>`";
}

def BCR_FormAttr : EnumAttr<BCR_Dialect, BCR_FormKind, "form"> {
  let summary = "Whether a layer runs sparse or dense, as bcr-select decided";
  let assemblyFormat = "`<` $value `>`";
}

def BCR_KernelKind : BCR_Enum<"KernelKind", "what runs along the vector", [
  I32EnumAttrCase<"Pixels", 0, "pixels">,
  I32EnumAttrCase<"Rows", 1, "rows">,
  I32EnumAttrCase<"Depthwise", 2, "depthwise">,
  I32EnumAttrCase<"Winograd", 3, "winograd">
]>;

def BCR_ScheduleAttr : AttrDef<BCR_Dialect, "Schedule"> {
  let mnemonic = "schedule";
  let summary = "Kernel and register tile of a layer, as bcr-tile chose them";
  let description = [{
    `pixels`: output positions, of a matmul its samples, run along the vector;
    one tile holds `height` weight rows by `vectors` vectors of `lanes` positions. `rows`: weight rows
    run along the vector; one tile holds `vectors` samples by `height` rows, and
    `height` is a multiple of `lanes` or less than it. `depthwise`: output
    positions of one channel run along the vector; one tile holds `height` image
    rows by `vectors` vectors of up to `lanes` positions. `winograd`: tiles of 4x4
    output positions run along the vector; one register tile holds `height`
    weight rows by `vectors` vectors of `lanes` tiles. It is for convolutions
    with 3x3 taps, strides and dilations of one and one group (BCR-25).

    `band` is output rows of a band: for `pixels` a divisor of those of the
    image, for `winograd` a multiple of four (BCR-17). Without it, the lowering
    chooses.

    ```mlir
    #bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16>
    #bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16, band = 7>
    #bcr.schedule<winograd, height = 8, vectors = 3, lanes = 16, band = 12>
    ```
  }];
  let parameters = (ins EnumParameter<BCR_KernelKind>:$kernel,
                        "int64_t":$height, "int64_t":$vectors,
                        "int64_t":$lanes,
                        DefaultValuedParameter<"int64_t", "0">:$band);
  let builders = [
    AttrBuilder<(ins "::mlir::bcr::KernelKind":$kernel, "int64_t":$height,
                     "int64_t":$vectors, "int64_t":$lanes), [{
      return $_get($_ctxt, kernel, height, vectors, lanes, /*band=*/0);
    }]>
  ];
  let assemblyFormat = [{
    `<` $kernel `,` `height` `=` $height `,` `vectors` `=` $vectors `,`
    `lanes` `=` $lanes (`,` `band` `=` $band^)? `>`
  }];
  let genVerifyDecl = 1;
}

#endif // BCR_ATTRS_TD
