//===- LowerParallel.td - bcr-lower-parallel ------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_CONVERSION_LOWERPARALLEL_TD
#define BCR_CONVERSION_LOWERPARALLEL_TD

include "mlir/Pass/PassBase.td"

def BCRLowerParallelPass : Pass<"bcr-lower-parallel", "::mlir::ModuleOp"> {
  let summary = "Let a team of OpenMP threads run the parallel loops";
  let description = [{
    From the first `scf.parallel` without reductions to the last one, a block
    becomes one `omp.parallel` of at most `threads` threads: all of them run it,
    compute its values each for itself and follow its control flow; thread t of
    n runs the iterations from t/n to (t + 1)/n of a parallel loop, in row-major
    order, and thread 0 alone whatever else writes memory. Between two of these
    stands a barrier, `@bcr_barrier`, which waits with `hint` for some tens of
    microseconds, then sleeps until the last thread is there, or, where there is
    no `futex`, offers the processor to other threads again and again. A private
    function of parallel loops gets the team as arguments and is called by all
    threads.

    A region ends before an operation that has results and effects on memory
    (one thread would have to hand its value to the others), such as an
    allocation of dynamic size; what such an operation holds has regions of its
    own. Loops inside parallel loops, and those with reductions, are left to run
    one iteration after the other.

    Requires: no function of parallel loops calls itself. Ensures: each
    `omp.parallel` has one block that ends in its terminator, and an iteration
    runs once whatever the size of the team. Fails when: `threads` is not
    positive.
  }];
  let options = [
    Option<"threads", "threads", "int64_t", "1", "Threads of a team">,
    Option<"hint", "hint", "::mlir::bcr::SpinHint",
           "::mlir::bcr::SpinHint::None", "What a waiting thread tells its processor",
           [{::llvm::cl::values(
             clEnumValN(::mlir::bcr::SpinHint::None, "none", "nothing"),
             clEnumValN(::mlir::bcr::SpinHint::Pause, "pause", "PAUSE (x86)"),
             clEnumValN(::mlir::bcr::SpinHint::Yield, "yield",
                        "YIELD (AArch64)"))}]>,
    Option<"futex", "futex", "int64_t", "0",
           "Number of the target's system call futex, with which threads that "
           "waited long sleep; 0: they call sched_yield">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::func::FuncDialect", "::mlir::LLVM::LLVMDialect",
    "::mlir::omp::OpenMPDialect", "::mlir::scf::SCFDialect"];
  let statistics = [
    Statistic<"numLowered", "num-lowered", "Number of loops that threads share">,
    Statistic<"numRegions", "num-regions", "Number of parallel regions">,
    Statistic<"numBarriers", "num-barriers", "Number of barriers">
  ];
}

#endif // BCR_CONVERSION_LOWERPARALLEL_TD
