//===- BCRToLoops.td - convert-bcr-to-loops ----------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_BCRTOLOOPS_TD
#define BCR_PASSES_CONVERSION_BCRTOLOOPS_TD

include "mlir/Pass/PassBase.td"

def ConvertBCRToLoopsPass
    : Pass<"convert-bcr-to-loops", "::mlir::ModuleOp"> {
  let summary = "Turn layers on memrefs into loops over vectors";
  let description = [{
    Each layer becomes loops of `scf`, `vector`, `memref`, `arith` and `math`
    around one of four kernels (see passes/README.md). There is one kernel body
    for each height of a group, driven by index arrays, not one for each group.
    Weights and index arrays become private constants `<layer>.values`,
    `<layer>.steps`, ...; each index array is as narrow as its elements allow and
    has `bcr.bound`, a number that they all are below. The bytes of the index
    arrays are recorded in `bcr.layers`.

    The input of a convolution is copied into a buffer with the halo that it
    needs, split in phases where it has strides; a convolution without padding
    and strides reads it where it is, and so does a depthwise one. A layer whose
    schedule is `depthwise` and that the kernel cannot run (pruned weights, a
    horizontal stride above two, rows that are not neighbouring elements) runs
    as `pixels`, and so does one whose schedule is `winograd` and whose images
    have no such rows. The weights of `winograd` are transformed here: 36 for
    each nine of W, zeros included.

    With `by-element` the weights of a column are loaded as vectors whose elements
    are multiplied with (AArch64: `fmla` by element), instead of one by one.

    Poolings walk their images in the same way as depthwise convolutions, and
    copy nothing either; strides above two and layouts without neighbouring
    elements take a loop over single positions.

    A recurrent layer becomes a loop over the steps: the products of the state
    with the weights of all gates, by the kernel `rows` or `pixels`, and the
    equations of the cell on vectors of units.

    With `threads` above one, loops whose turns are independent are
    `scf.parallel`. Which thread computes what does not change the result.

    Requires: layers on memrefs with packed weights. Groups of any height work;
    those that `bcr-tile` cut need no copy of the values.
    Ensures: no op of the dialect is left.
    Fails when: weights are not packed or have no data; the schedule has
    positions along the vector for a matmul of an unknown number of samples.
  }];
  let options = [
    Option<"threads", "threads", "int64_t", "1", "threads to share layers over">,
    Option<"lanes", "lanes", "int64_t", "4",
           "f32 lanes for poolings and layers that have no schedule">,
    Option<"byElement", "by-element", "bool", "false",
           "load weights as vectors: the machine multiplies by an element">,
    Option<"windows", "windows", "bool", "false",
           "run groups of few rows with block rows along the vector wherever "
           "that is possible, whatever the model says">
  ];
  let statistics = [
    Statistic<"numPixelKernels", "num-pixel-kernels",
              "layers with positions along the vector">,
    Statistic<"numRowKernels", "num-row-kernels",
              "layers with rows along the vector">,
    Statistic<"numDepthwiseKernels", "num-depthwise-kernels",
              "layers with positions of one channel along the vector">,
    Statistic<"numWinogradKernels", "num-winograd-kernels",
              "layers with transformed tiles along the vector">,
    Statistic<"numPoolKernels", "num-pool-kernels", "poolings">,
    Statistic<"numRecurrentKernels", "num-recurrent-kernels",
              "recurrent layers">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::math::MathDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect", "::mlir::vector::VectorDialect"
  ];
}

#endif // BCR_PASSES_CONVERSION_BCRTOLOOPS_TD
