//===- LaunchLoops.td - bcr-launch-loops -------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_LAUNCHLOOPS_TD
#define BCR_PASSES_TRANSFORMS_LAUNCHLOOPS_TD

include "mlir/Pass/PassBase.td"

def BCRLaunchLoopsPass : Pass<"bcr-launch-loops", "::mlir::func::FuncOp"> {
  let summary = "Turn all that a function computes into kernels";
  let description = [{
    What is left at the top level of @main after `convert-bcr-to-gpu` and
    `convert-linalg-to-parallel-loops` becomes `gpu.launch`: a parallel loop has
    its innermost dimension of more than one turn along x, the next one along y,
    and all others along z; a copy is a loop over its elements; any other code
    between two kernels runs in order on a single work-item, and a remark says so
    where it is more than moving numbers. Allocations, constants and views at
    fixed places stay with the host, and so do loops around launches, whose
    bodies are treated in the same way.

    A number that outlives the kernel that computes it is stored by its one
    work-item in a buffer of rank 0, and each kernel that uses it loads it again:
    nothing that reads or writes memory changes places. A view at a place that a
    kernel computes is made in the kernels that use it.

    Both sides of a branch around kernels are enqueued, one after the other, and
    what they do asks for the condition, which is such a number: work-items of the
    side that is not taken end at once. A host that waited to know which side it is
    would stop the device in the middle of a call. A remark says so.

    Neighbouring loops of one shape become one kernel where a turn of the second
    reads and writes nothing of what the first wrote but what the same turn of it
    wrote. What allocates memory
    moves to the front and what frees it to the end, since nothing is allocated at
    run time: `bcr-plan-arena` goes by the uses.

    *Requires:* bounds of parallel loops that are constants. *Ensures:* the
    host has nothing to compute. *Fails when:* a bound or the shape of a copy is
    not a constant; a parallel loop reduces; the host or a launch's grid needs a
    number that a kernel computes; a kernel computes which memory another one
    uses; a branch around kernels yields memory.
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::gpu::GPUDialect", "::mlir::memref::MemRefDialect",
    "::mlir::scf::SCFDialect"];
  let statistics = [
    Statistic<"numParallel", "num-parallel", "kernels of parallel loops">,
    Statistic<"numSingle", "num-single", "kernels of one work-item">
  ];
}

#endif // BCR_PASSES_TRANSFORMS_LAUNCHLOOPS_TD
