//===- BCRRecurrentOp.td - A recurrent layer ---------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_RECURRENT_OP_TD
#define BCR_RECURRENT_OP_TD

def BCR_RecurrentOp : BCR_Op<"recurrent", [
    AttrSizedOperandSegments, DestinationStyleOpInterface,
    DeclareOpInterfaceMethods<BCR_LayerOpInterface,
      ["getInput", "getResidual", "getResidualMutable", "getInit",
       "getActivationAttr", "setActivationAttr", "getNumRows",
       "getNumColumns"]>,
    DeclareOpInterfaceMethods<MemoryEffectsOpInterface>]> {
  let summary = "One direction of one recurrent layer over a sequence";
  let description = [{
    For each step t of a sequence, in order, or from the last to the first where
    `reverse` is set, with `s = W * h + bias` and x = `gates[t]`, the products of
    the input, in the equations of `torch.nn.GRU`, `LSTM` and `RNN`:

    - `gru`, rows of W and x in the order (r, z, n):
      `r = sigmoid(x_r + s_r)`, `z = sigmoid(x_z + s_z)`,
      `n = tanh(x_n + r * s_n)`, `h = (1 - z) * n + z * h`;
    - `lstm`, order (i, f, g, o): `i = sigmoid(x_i + s_i)`, f and o alike,
      `g = tanh(x_g + s_g)`, `c = f * c + i * g`, `h = o * tanh(c)`, or
      `h = projection(o * tanh(c))`;
    - `rnn_tanh`, `rnn_relu`: `h = tanh(x + s)` or `max(x + s, 0)`.

    `states` holds h before the first step and, for an LSTM, c. The first result
    has h of every step, at the step's place; the second one, of an LSTM, c after
    the last step. W is a tensor `[G * H, P]` or packed, for G gates, H units and P
    features of h; positions that packed weights drop contribute nothing, also
    where h is Inf or NaN. The bias is one value a row of W, or, of a `gru`, `[H]`:
    that of s_n alone. The values of `outs` are never read.

    The products of the input do not depend on earlier steps: they are one
    `bcr.matmul` of the whole sequence, in front of this op.

    `projection` is what one step does to the units' outputs: a layer of its own,
    with decisions of its own. On tensors the region has two arguments, the
    outputs and a destination, and yields the state. On memrefs it has none: it
    reads the first buffer of `scratch` and writes the second one, which are for
    nothing else.

    ```mlir
    %y = bcr.recurrent ins(%x : tensor<?x1x96xf32>) states(%h : tensor<1x32xf32>)
                       weights(%w : !bcr.packed<96x32xf32>)
                       bias(%b : tensor<96xf32>) outs(%o : tensor<?x1x32xf32>)
                       {cell = #bcr.cell<gru>} -> tensor<?x1x32xf32>
    %z:2 = bcr.recurrent ins(%g : tensor<?x1x128xf32>)
             states(%s, %c : tensor<1x8xf32>, tensor<1x32xf32>)
             weights(%v : !bcr.packed<128x8xf32>)
             outs(%p, %q : tensor<?x1x8xf32>, tensor<1x32xf32>)
             {cell = #bcr.cell<lstm>} -> tensor<?x1x8xf32>, tensor<1x32xf32>
             projection {
             ^bb0(%u: tensor<1x32xf32>, %d: tensor<1x8xf32>):
               %r = bcr.matmul ins(%u : tensor<1x32xf32>)
                               weights(%m : !bcr.packed<8x32xf32>)
                               outs(%d : tensor<1x8xf32>) -> tensor<1x8xf32>
               bcr.yield %r : tensor<1x8xf32>
             }
    ```
  }];
  let arguments = (ins BCR_AnyShaped:$gates, Variadic<BCR_AnyShaped>:$states,
    BCR_Weight:$weight, Optional<BCR_AnyShaped>:$bias,
    Variadic<AnyStridedMemRef>:$scratch, Variadic<BCR_AnyShaped>:$inits,
    BCR_CellAttr:$cell, UnitAttr:$reverse,
    OptionalAttr<StrAttr>:$layer,
    OptionalAttr<BCR_FormAttr>:$form,
    OptionalAttr<DenseI64ArrayAttr>:$block,
    OptionalAttr<BCR_ScheduleAttr>:$schedule,
    OptionalAttr<DenseI64ArrayAttr>:$chunks);
  let results = (outs Variadic<AnyRankedTensor>:$result);
  let regions = (region MaxSizedRegion<1>:$projection);
  let assemblyFormat = [{
    `ins` `(` $gates `:` type($gates) `)`
    `states` `(` $states `:` type($states) `)`
    `weights` `(` $weight `:` type($weight) `)`
    (`bias` `(` $bias^ `:` type($bias) `)`)?
    (`scratch` `(` $scratch^ `:` type($scratch) `)`)?
    `outs` `(` $inits `:` type($inits) `)`
    attr-dict (`->` type($result)^)? (`projection` $projection^)?
  }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::MutableOperandRange getDpsInitsMutable() {
      return getInitsMutable();
    }
    /// Gates of a unit: rows of W and of the products of the input.
    int64_t getNumGates();
    /// H: units of the layer. P, the features of h, are the columns of W.
    int64_t getNumUnits() { return getNumRows() / getNumGates(); }
    /// h before the first step.
    ::mlir::Value getHidden() { return getStates().front(); }
    /// c before the first step, and where c after the last one goes; LSTM only.
    ::mlir::Value getCellState() { return getStates().back(); }
    ::mlir::Value getCellInit() { return getInits().back(); }
    bool hasProjection() { return !getProjection().empty(); }
  }];
}

def BCR_YieldOp : BCR_Op<"yield", [Pure, ReturnLike, Terminator,
                                   HasParent<"RecurrentOp">]> {
  let summary = "The end of a projection";
  let description = [{
    Ends the region of a `bcr.recurrent`, with the state on tensors, with nothing
    on memrefs.
  }];
  let arguments = (ins Variadic<AnyRankedTensor>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins)>];
}

#endif // BCR_RECURRENT_OP_TD
