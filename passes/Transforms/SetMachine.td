//===- SetMachine.td - bcr-set-machine ---------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_SETMACHINE_TD
#define BCR_PASSES_TRANSFORMS_SETMACHINE_TD

include "mlir/Pass/PassBase.td"

def SetMachine : Pass<"bcr-set-machine", "::mlir::ModuleOp"> {
  let summary = "Say for which machine the cost models speak";
  let description = [{
    Writes the module attribute `bcr.machine`, which `bcr-select` and `bcr-tile`
    rank schedules by: how many vector multiply-adds and loads a core starts in
    a cycle, and the sizes and speeds of its caches, and whether a
    core follows a stream of weights by itself (`follows_streams`; otherwise the
    kernels ask for them ahead). They come from a table of
    processors (`Analysis/MachineModel.cpp`); options that are given replace
    single numbers. Where the attribute is missing, those passes assume a
    typical core with AVX-512.

    *Requires:* nothing. *Ensures:* `bcr.machine` is set. *Fails when:* an
    option is negative or `lanes` is not positive.
  }];
  let options = [
    Option<"cpu", "cpu", "std::string", /*default=*/"",
           "LLVM name of the processor; one that the table does not have is a "
           "typical core of its vector width">,
    Option<"lanes", "lanes", "int64_t", /*default=*/"16",
           "f32 lanes of the target's vectors">,
    Option<"fmaPipes", "fma-pipes", "int64_t", /*default=*/"0",
           "Vector multiply-adds that start in a cycle; 0: the processor's">,
    Option<"fmaLatency", "fma-latency", "int64_t", /*default=*/"0",
           "Cycles of a multiply-add; 0: the processor's">,
    Option<"loadPorts", "load-ports", "int64_t", /*default=*/"0",
           "Vector loads that start in a cycle; 0: the processor's">,
    Option<"l1Bytes", "l1-bytes", "int64_t", /*default=*/"0",
           "Size of the first data cache; 0: the processor's">,
    Option<"l2Bytes", "l2-bytes", "int64_t", /*default=*/"0",
           "Size of the second cache; 0: the processor's">,
    Option<"l3Bytes", "l3-bytes", "int64_t", /*default=*/"0",
           "Size of the third cache; 0: the processor's">,
    Option<"l2BytesPerCycle", "l2-bytes-per-cycle", "int64_t", /*default=*/"0",
           "Bytes that a core reads from there in a cycle; 0: the processor's">,
    Option<"l3BytesPerCycle", "l3-bytes-per-cycle", "int64_t", /*default=*/"0",
           "Bytes that a core reads from there in a cycle; 0: the processor's">,
    Option<"memoryBytesPerCycle", "memory-bytes-per-cycle", "int64_t",
           /*default=*/"0",
           "Bytes that a core reads from memory in a cycle; 0: the processor's">,
    Option<"pixelsOnly", "pixels-only", "bool", /*default=*/"false",
           "Convolutions have no kernel but `pixels`, as on a GPU">
  ];
}

#endif // BCR_PASSES_TRANSFORMS_SETMACHINE_TD
