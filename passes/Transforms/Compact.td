//===- Compact.td - bcr-compact ----------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_COMPACT_TD
#define BCR_PASSES_TRANSFORMS_COMPACT_TD

include "mlir/Pass/PassBase.td"

def Compact : Pass<"bcr-compact", "::mlir::ModuleOp"> {
  let summary = "Pack the weights of sparse layers";
  let description = [{
    Replaces the dense constant of each sparse layer by a `bcr.constant` in
    canonical form: a block stores its rows that have a non-zero in it times its
    columns that have one; blocks of one row of blocks with the same rows are
    one group, their columns in order; empty blocks are in no group. Equal row
    lists and equal column lists are stored once. -0.0 is a zero, NaN is not.

    The layer's entry in `bcr.layers` gets `value_bytes`, `index_bytes`,
    `csr_bytes` (the same non-zeros as CSR with 32-bit columns and row pointers)
    and `dense_bytes`; a remark says the same.

    *Requires:* `form = sparse` layers have `block`. *Ensures:* their weights are
    a `bcr.constant`; other layers are unchanged. *Fails when:* the dense weights
    of a sparse layer are no constant, or a resource without data, or the layer
    has no `block`.
  }];
  let statistics = [
    Statistic<"numCompacted", "num-layers-compacted", "Layers packed">,
    Statistic<"numPackedBytes", "num-bytes-packed",
              "Bytes of packed weights and indices">,
    Statistic<"numCSRBytes", "num-bytes-csr",
              "Bytes of the same weights as CSR">,
    Statistic<"numDenseBytes", "num-bytes-dense",
              "Bytes of the same weights when dense">
  ];
  let dependentDialects = ["::mlir::bcr::BCRDialect"];
}

#endif // BCR_PASSES_TRANSFORMS_COMPACT_TD
