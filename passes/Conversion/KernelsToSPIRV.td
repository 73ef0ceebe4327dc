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
  let summary = "Lower kernels to SPIR-V for OpenCL or Vulkan";
  let description = [{
    Each `gpu.module` becomes a `spirv.module`.

    For OpenCL it has the Kernel capability, physical 64-bit addresses and the
    OpenCL memory model; buffers are in CrossWorkgroup memory. Indices have 64
    bits, as OpenCL's ids have where addresses do. Mathematical functions are
    those of the OpenCL extended instruction set.

    For Vulkan it has the Shader capability and logical addresses; argument i of
    a kernel is the storage buffer of binding i in descriptor set 0, and a number
    is a buffer that holds it. Indices have 32 bits, as the ids have; 64-bit numbers that
    become indices are clamped to them. Division
    and mathematical functions have only the precision that Vulkan promises, so
    those that are polynomials in code for the CPU are the same ones here, and
    asin, acos, atan and atan2 are arithmetic, too.

    Capabilities that a module does not use are not declared, so a device without
    doubles or half floats takes a module that has none.

    Products that are added to something by `math.fma` stay one instruction.
    Memory of bf16 is memory of 16-bit integers, since neither has bf16.

    *Requires:* kernels on memrefs of known layout; no arithmetic in bf16
    (`arith-emulate-unsupported-floats`, `arith-expand`). *Ensures:* one
    `spirv.module` for each module of kernels. *Fails when:* an operation has no
    counterpart, or computes in bf16.
  }];
  let options = [
    Option<"api", "api", "::mlir::bcr::KernelAPI",
           "::mlir::bcr::KernelAPI::OpenCL", "What takes the kernels",
           [{::llvm::cl::values(
             clEnumValN(::mlir::bcr::KernelAPI::OpenCL, "opencl", "OpenCL"),
             clEnumValN(::mlir::bcr::KernelAPI::Vulkan, "vulkan", "Vulkan"))}]>
  ];
  let dependentDialects = ["::mlir::func::FuncDialect",
    "::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::spirv::SPIRVDialect"];
}

#endif // BCR_PASSES_CONVERSION_KERNELSTOSPIRV_TD
