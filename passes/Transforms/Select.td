//===- Select.td - bcr-select ------------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_SELECT_TD
#define BCR_PASSES_TRANSFORMS_SELECT_TD

include "mlir/Pass/PassBase.td"

def Select : Pass<"bcr-select", "::mlir::ModuleOp"> {
  let summary = "Decide which layers run sparse, and in which blocks";
  let description = [{
    Measures the zeros of each layer's constant weights, reads the block shape
    from them and sets `form` and, on sparse layers, `block`: the shape to pack
    in. That is the grid that the weights were pruned on, or blocks of the same
    width and 8, 4 or 2 of its rows where those merge into longer groups and are
    predicted to be faster. A block shape that is already on the layer is used as
    it is.

    A layer is eligible if it has constant weights and some of them are zero.
    `sparsity=auto` picks an eligible layer if its kernel is predicted to take
    less than nine tenths of the time of the dense one; padding inside blocks,
    index loads, short register tiles and rows that are accumulated in several
    groups are all charged. Depthwise convolutions and layers of fewer than 1024
    weights stay dense. `force` picks every layer that takes fewer stored
    weights than dense. `off` picks none.

    Each layer gets a remark, passed or missed, and an entry in `bcr.layers`
    with `form`, `eligible`, `status` (`picked`, `missed` or, where not
    eligible, `dense`), `reason`, `sparsity`, `rate` (weights for each stored
    one) and `block`, the grid.

    Where the module has tuning records (`bcr.records`, see `bcr-tile`), each
    layer's entry in `bcr.layers` gets `tuning_key` and, if it has blocks, their
    shape as `tuning_block`; a record of that key decides in place of the model: its `form` under `sparsity=auto`, and
    `block_rows`, the rows of the blocks to pack in. The record stays on the
    layer as `bcr.record`. One that does not fit is refused with a warning.

    *Requires:* layers on tensors. *Ensures:* every layer has `form`; a sparse
    one has `block`. Weights are unchanged. *Fails when:* option `block` is not
    two positive numbers.
  }];
  let options = [
    Option<"sparsity", "sparsity", "::mlir::bcr::SparsityMode",
           /*default=*/"::mlir::bcr::SparsityMode::Auto",
           "Which layers run sparse", [{::llvm::cl::values(
             clEnumValN(::mlir::bcr::SparsityMode::Auto, "auto",
                        "those that are predicted to be faster"),
             clEnumValN(::mlir::bcr::SparsityMode::Force, "force",
                        "all whose zeros form blocks"),
             clEnumValN(::mlir::bcr::SparsityMode::Off, "off", "none"))}]>,
    ListOption<"block", "block", "int64_t",
               "Rows and columns of a block, for layers that name no block "
               "and are no smaller; without it, blocks are read from the "
               "zeros">,
    Option<"lanes", "lanes", "int64_t", /*default=*/"16",
           "f32 lanes of the target's vectors">,
    Option<"registers", "registers", "int64_t", /*default=*/"32",
           "Number of the target's vector registers">
  ];
  let statistics = [
    Statistic<"numPicked", "num-layers-picked", "Layers that run sparse">,
    Statistic<"numMissed", "num-layers-missed",
              "Layers with zeros that run dense">
  ];
  let dependentDialects = ["::mlir::bcr::BCRDialect"];
}

#endif // BCR_PASSES_TRANSFORMS_SELECT_TD
