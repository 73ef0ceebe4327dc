//===- LowerParallel.td - bcr-lower-parallel ------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_CONVERSION_LOWERPARALLEL_TD
#define BCR_CONVERSION_LOWERPARALLEL_TD

include "mlir/Pass/PassBase.td"

def BCRLowerParallelPass : Pass<"bcr-lower-parallel", "::mlir::ModuleOp"> {
  let summary = "Share the iterations of parallel loops among OpenMP threads";
  let description = [{
    A `scf.parallel` without reductions becomes an `omp.parallel` of at most
    `threads` threads, in which thread t of n runs the iterations from t/n to
    (t + 1)/n of them, in row-major order. That is a static schedule without
    OpenMP's work sharing, whose start takes locks and memory in LLVM's runtime,
    and with one barrier a loop instead of two. The team may be smaller than
    asked for.

    Loops inside parallel loops, and those with reductions, are left to run one
    iteration after the other.

    Requires: nothing. Ensures: each `omp.parallel` has one block that ends in
    its terminator, and an iteration runs once whatever the size of the team.
    Fails when: `threads` is not positive.
  }];
  let options = [
    Option<"threads", "threads", "int64_t", "1", "Threads of a team">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::LLVM::LLVMDialect", "::mlir::omp::OpenMPDialect",
    "::mlir::scf::SCFDialect"];
  let statistics = [
    Statistic<"numLowered", "num-lowered", "Number of loops that threads share">
  ];
}

#endif // BCR_CONVERSION_LOWERPARALLEL_TD
