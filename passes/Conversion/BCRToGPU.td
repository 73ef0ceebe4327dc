//===- BCRToGPU.td - convert-bcr-to-gpu --------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_BCRTOGPU_TD
#define BCR_PASSES_CONVERSION_BCRTOGPU_TD

include "mlir/Pass/PassBase.td"

def ConvertBCRToGPUPass : Pass<"convert-bcr-to-gpu", "::mlir::ModuleOp"> {
  let summary = "Turn layers on memrefs into kernels for a GPU";
  let description = [{
    Each layer becomes one `gpu.launch` or a few, on the packed format that the
    CPU's kernels use (see passes/README.md): a work-item computes the rows of a
    group at a few positions of the image (convolutions) or a row for a few
    samples (linear layers). Weights and index arrays become private constants
    `<layer>.values`, `<layer>.steps`, ...; the bytes of the index arrays are
    recorded in `bcr.layers`. A launch names its layer in `bcr.kernel`.

    A convolution whose input has no zeros around it gets a padded copy, which
    is a kernel too; after `bcr-plan-layouts` few do. With `processor`, one with
    strides gets a copy with a part for each remainder of the coordinates by the
    stride, so that neighbouring positions read neighbours. A linear layer of
    many samples reads features x samples, and with `processor` writes that too:
    copies of these are made, but for buffers that only such layers use, which
    are laid out so.

    A recurrent layer becomes a loop of the host over its steps, with two
    launches in it: work-groups can wait for each other nowhere else.

    *Requires:* layers on memrefs of known shape and layout, with packed
    weights. *Ensures:* no op of the dialect is left. *Fails when:* a shape or
    a layout is dynamic; weights are not packed or have no data.
  }];
  let options = [
    Option<"weightVector", "weight-vector", "int64_t", "1",
           "neighbouring weights that a work-item loads at once: 1 or 4">,
    Option<"processor", "processor", "bool", "false",
           "the device is a processor: loads of what is not neighbours are slow">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::math::MathDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
  let statistics = [
    Statistic<"numLayers", "num-layers", "layers that became kernels">,
    Statistic<"numPadded", "num-padded-copies",
              "convolutions that read a padded copy of their input">
  ];
}

#endif // BCR_PASSES_CONVERSION_BCRTOGPU_TD
