//===- KernelsToSPIRV.td - bcr-kernels-to-spirv ------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_KERNELSTOSPIRV_TD
#define BCR_PASSES_CONVERSION_KERNELSTOSPIRV_TD

include "mlir/Pass/PassBase.td"

def BCRKernelsToSPIRVPass
    : Pass<"bcr-kernels-to-spirv", "::mlir::ModuleOp"> {
  let summary = "Lower kernels to SPIR-V for OpenCL";
  let description = [{
    Each `gpu.module` becomes a `spirv.module` with the Kernel capability,
    physical 64-bit addresses and the OpenCL memory model; buffers are in
    CrossWorkgroup memory. Indices have 64 bits, as OpenCL's ids have where
    addresses do. Mathematical functions are those of the OpenCL extended
    instruction set. Capabilities that a module does not use are not declared,
    so a device without doubles or half floats takes a module that has none.

    Products that are added to something by `math.fma` stay one instruction.
    Memory of bf16 is memory of 16-bit integers, since OpenCL has no bf16.

    *Requires:* kernels on memrefs of known layout; no arithmetic in bf16
    (`arith-emulate-unsupported-floats`, `arith-expand`). *Ensures:* one
    `spirv.module` for each module of kernels. *Fails when:* an operation has no
    counterpart, or computes in bf16.
  }];
  let dependentDialects = ["::mlir::func::FuncDialect",
    "::mlir::gpu::GPUDialect", "::mlir::spirv::SPIRVDialect"];
}

#endif // BCR_PASSES_CONVERSION_KERNELSTOSPIRV_TD
