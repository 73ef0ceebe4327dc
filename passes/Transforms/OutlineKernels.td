//===- OutlineKernels.td - bcr-outline-kernels -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_OUTLINEKERNELS_TD
#define BCR_PASSES_TRANSFORMS_OUTLINEKERNELS_TD

include "mlir/Pass/PassBase.td"

def BCROutlineKernelsPass : Pass<"bcr-outline-kernels", "::mlir::ModuleOp"> {
  let summary = "Move the bodies of launches into one module of kernels";
  let description = [{
    Each `gpu.launch` of @main becomes a `gpu.func` of the module @kernels and a
    `gpu.launch_func`; what it uses from outside becomes arguments, constants
    move in. Launches of equal bodies and equal shapes share a kernel, so layers
    of one shape and structure of code are built by the driver once. Loads and
    stores of a memref without dimensions that begins inside of another get
    indices of that one.

    *Requires:* launches at the top level of @main or in loops of it. *Ensures:*
    arguments of kernels are memrefs and numbers of a loop's turn. *Fails when:* a
    kernel needs another number that only the host could compute; the size of its
    groups is not a constant; a launch is in a branch.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
    "::mlir::spirv::SPIRVDialect"];
  let statistics = [
    Statistic<"numKernels", "num-kernels", "different kernels">,
    Statistic<"numLaunches", "num-launches", "launches">
  ];
}

#endif // BCR_PASSES_TRANSFORMS_OUTLINEKERNELS_TD
