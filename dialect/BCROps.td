//===- BCROps.td - Operations of the bcr dialect -----------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_OPS_TD
#define BCR_OPS_TD

include "dialect/BCRAttrs.td"
include "dialect/BCRInterfaces.td"
include "dialect/BCRTypes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/DestinationStyleOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

class BCR_Op<string mnemonic, list<Trait> traits = []>
    : Op<BCR_Dialect, mnemonic, traits>;

//===----------------------------------------------------------------------===//
// bcr.constant
//===----------------------------------------------------------------------===//

def BCR_ConstantOp : BCR_Op<"constant", [Pure]> {
  let summary = "A packed constant weight matrix";
  let description = [{
    The matrix is a list of groups. A group is a set of rows, a set of columns
    and the full matrix of values where they cross; positions in no group are
    zero and are never computed. `groups` has a line per group: first row,
    number of rows, first column, number of columns, where "first" is a position
    in the arrays `rows` and `columns`. Groups may share a part of either array,
    so a column list that several groups use is stored once. `values` holds the
    groups' values one after the other, column by column, the rows of a column
    side by side. The order of `rows` is the row permutation.

    `block` is the block shape the matrix was pruned with.

    This 2x4 matrix keeps column 0 and 3 of both rows:

    ```mlir
    %w = bcr.constant {
      block = array<i64: 2, 4>,
      groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
      rows = dense<[0, 1]> : tensor<2xi16>,
      columns = dense<[0, 3]> : tensor<2xi16>,
      values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
    } : !bcr.packed<2x4xf32>
    ```
  }];
  let arguments = (ins DenseI64ArrayAttr:$block, ElementsAttr:$groups,
                       ElementsAttr:$rows, ElementsAttr:$columns,
                       ElementsAttr:$values);
  let results = (outs BCR_PackedType:$result);
  let assemblyFormat = "attr-dict `:` type($result)";
  let hasVerifier = 1;
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

def BCR_AnyShaped : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef]>;
def BCR_Weight : AnyTypeOf<[AnyRankedTensor, AnyStridedMemRef, BCR_PackedType]>;

class BCR_LayerOp<string mnemonic> : BCR_Op<mnemonic, [
    AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<BCR_LayerOpInterface,
      ["getNumRows", "getNumColumns"]>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  dag layerArguments = (ins
    OptionalAttr<BCR_ActivationAttr>:$activation,
    OptionalAttr<StrAttr>:$layer,
    OptionalAttr<BCR_FormAttr>:$form,
    OptionalAttr<DenseI64ArrayAttr>:$block,
    OptionalAttr<BCR_ScheduleAttr>:$schedule,
    OptionalAttr<DenseI64ArrayAttr>:$chunks);
  dag layerOperands = (ins BCR_AnyShaped:$input, BCR_Weight:$weight,
    Optional<BCR_AnyShaped>:$bias, Optional<BCR_AnyShaped>:$residual,
    BCR_AnyShaped:$init);
  let results = (outs Variadic<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)`
    `weights` `(` $weight `:` type($weight) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`residual` `(` $residual^ `:` type($residual) `)`)?
    `outs` `(` $init `:` type($init) `)`
    attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  code baseClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getInitMutable());
    }
  }];
  let extraClassDeclaration = baseClassDeclaration;
}

def BCR_MatmulOp : BCR_LayerOp<"matmul"> {
  let summary = "Linear layer with an epilogue";
  let description = [{
    `result[n, m] = activation(sum_k input[n, k] * W[m, k] + bias[m] +
    residual[n, m])`. W is a tensor `[M, K]` or packed; positions that packed
    weights drop contribute nothing, also where the input is Inf or NaN. The
    value of `outs` is never read.

    ```mlir
    %y = bcr.matmul ins(%x : tensor<4x64xf32>)
                    weights(%w : !bcr.packed<32x64xf32>)
                    bias(%b : tensor<32xf32>) outs(%o : tensor<4x32xf32>)
                    {activation = #bcr.activation<relu>} -> tensor<4x32xf32>
    ```
  }];
  let arguments = !con(layerOperands, layerArguments);
}

def BCR_Conv2DOp : BCR_LayerOp<"conv2d"> {
  let summary = "Two-dimensional convolution with an epilogue";
  let description = [{
    `result[n, f, y, x] = activation(sum over c, i, j of input[n, g * C + c,
    y * strides[0] + i * dilations[0] - padding[0], x * strides[1] +
    j * dilations[1] - padding[1]] * W[f, (c, i, j)] + bias[f] +
    residual[n, f, y, x])` for output channel f of group g, with C input
    channels a group. Input outside the image is zero. W is a tensor
    `[F, C, kernel[0], kernel[1]]` or packed with `K = C * kernel[0] *
    kernel[1]` columns in that order. `padding` is top, left, bottom, right.
    Depthwise convolution has as many groups as input channels.

    On memrefs, `overread` elements after the last one of the input may be read,
    whatever they hold. `gaps` says what becomes of the elements after each row of
    an image in `outs`, up to the next row: the op sets them to zero, or they
    are free, and it may leave there what it likes. Without `gaps` they are not
    the op's to write.

    ```mlir
    %y = bcr.conv2d ins(%x : tensor<1x64x56x56xf32>)
                    weights(%w : !bcr.packed<64x576xf32>)
                    outs(%o : tensor<1x64x56x56xf32>)
                    {kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>}
                    -> tensor<1x64x56x56xf32>
    ```
  }];
  let arguments = !con(layerOperands, (ins
    DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
    DefaultValuedAttr<I64Attr, "1">:$groups,
    DefaultValuedAttr<I64Attr, "0">:$overread,
    OptionalAttr<BCR_GapsAttr>:$gaps), layerArguments);
  let extraClassDeclaration = baseClassDeclaration # [{
    /// Whether Winograd's algorithm can compute it: 3x3 taps, strides and
    /// dilations of one, one group.
    bool isWinograd();
  }];
}

//===----------------------------------------------------------------------===//
// bcr.pool2d
//===----------------------------------------------------------------------===//

def BCR_Pool2DOp : BCR_Op<"pool2d", [
    DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "Maximum or sum of a window that slides over images";
  let description = [{
    `result[n, c, y, x]` is the maximum, or the sum divided by `divisor`, of
    `input[n, c, y * strides[0] + i * dilations[0] - padding[0], x * strides[1] +
    j * dilations[1] - padding[1]]` over the taps (i, j) of the window that lie
    in the image. A maximum with a NaN is NaN; one of no tap is -Inf. `padding`
    is top, left, bottom, right; nothing is read there. The value of `outs` is
    never read.

    ```mlir
    %y = bcr.pool2d ins(%x : tensor<1x64x112x112xf32>)
                    outs(%o : tensor<1x64x56x56xf32>)
                    {kind = #bcr.pool<max>, kernel = array<i64: 3, 3>,
                     strides = array<i64: 2, 2>,
                     padding = array<i64: 1, 1, 0, 0>} -> tensor<1x64x56x56xf32>
    ```
  }];
  let arguments = (ins BCR_AnyShaped:$input, BCR_AnyShaped:$init,
    BCR_PoolAttr:$kind,
    DenseI64ArrayAttr:$kernel,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$strides,
    DefaultValuedAttr<DenseI64ArrayAttr, "{0, 0, 0, 0}">:$padding,
    DefaultValuedAttr<DenseI64ArrayAttr, "{1, 1}">:$dilations,
    DefaultValuedAttr<F32Attr, "1.0f">:$divisor);
  let results = (outs Variadic<AnyRankedTensor>:$result);
  let assemblyFormat = [{
    `ins` `(` $input `:` type($input) `)` `outs` `(` $init `:` type($init) `)`
    attr-dict (`->` type($result)^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return ::mlir::MutableOperandRange(getInitMutable());
    }
  }];
}

include "dialect/BCRRecurrentOp.td"

#endif // BCR_OPS_TD
