//===- Reorder.td - bcr-reorder ----------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_REORDER_TD
#define BCR_PASSES_TRANSFORMS_REORDER_TD

include "mlir/Pass/PassBase.td"

def Reorder : Pass<"bcr-reorder", "::mlir::ModuleOp"> {
  let summary = "Merge groups with equal columns and balance threads";
  let description = [{
    Groups with the same column list become one group with the rows of all, so
    that a loaded activation serves more rows; rows of different groups of a
    grouped convolution are not merged, nor, in linear layers of one or two
    samples, vectors of neighbouring rows with one to three columns that would be
    neighbours no longer: such rows are stored one by one. Groups that share rows
    stay together; such sets of groups are ordered so that neighbours read common
    columns.

    What becomes a group does not depend on the number of threads, so that each
    row is the same sum for all of them: no merge makes a set of groups heavier
    than a part of the matrix or a tile of rows needs, and a group whose rows are
    in no other group is cut into such parts, at multiples of eight rows (linear
    layers: 64).

    With `threads` above one the sets are dealt to that many shares by stored
    weights: in order, or, where that leaves a share 2 % fuller, the largest
    first, each to the share with the fewest weights (LPT). `chunks` of the layer
    holds the first group of each share.

    *Requires:* packed layers as `bcr-compact` left them, before `schedule`.
    *Ensures:* the same matrix; no row is in two shares (BCR-21). *Fails when:*
    `threads` is not positive, or packed values are a resource without data.
  }];
  let options = [
    Option<"threads", "threads", "int64_t", /*default=*/"1",
           "Number of threads to balance for">
  ];
  let statistics = [
    Statistic<"numMerged", "num-groups-merged", "Groups merged into another">,
    Statistic<"numLoadsBefore", "num-loads-before",
              "Columns loaded for tiles of eight rows, in matrix order">,
    Statistic<"numLoadsAfter", "num-loads-after",
              "Columns loaded for tiles of eight rows, reordered">,
    Statistic<"imbalanceBefore", "imbalance-before",
              "Excess of the fullest share over the mean, in percent, at its "
              "worst, if rows of blocks are dealt out in order">,
    Statistic<"imbalanceAfter", "imbalance-after",
              "The same after balancing">
  ];
  let dependentDialects = ["::mlir::bcr::BCRDialect"];
}

#endif // BCR_PASSES_TRANSFORMS_REORDER_TD
