//===- PlanArena.td - bcr-plan-arena --------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_PLANARENA_TD
#define BCR_TRANSFORMS_PLANARENA_TD

include "mlir/Pass/PassBase.td"

def BCRPlanArenaPass : Pass<"bcr-plan-arena", "::mlir::ModuleOp"> {
  let summary = "Give the buffers of @main fixed places in one piece of memory";
  let description = [{
    Every `memref.alloc` of static size in `@main` becomes a view at a fixed
    offset, a multiple of `alignment`, of an arena: a last argument of `@main` with
    attribute `bcr.arena`, which the caller aligns to as many bytes. Buffers that do
    not hold data at the same time share memory. A buffer that a loop uses and
    that is allocated outside of it lives as long as the loop; one that is
    allocated in a `scf.parallel` has a place for each iteration.

    The module attribute `bcr.arena` says how large the arena is (`bytes`), how
    many `buffers` it holds, their sum (`buffer_bytes`), the most that is live at
    one time (`live_bytes`: no plan needs less) and how many allocations are left
    (`unplanned`): those of dynamic size, in other functions than `@main`, in
    parallel loops of unknown or more than `max-slices` iterations, or whose
    address goes where it cannot be followed.

    Requires: `@main` on memrefs, called by no function of the module.
    Ensures: what is left of allocations is counted in `unplanned`.
    Fails when: there is no `@main`, or something calls it.
  }];
  let options = [
    Option<"maxSlices", "max-slices", "int64_t", "1024",
           "Most iterations of a parallel loop that get a buffer each">,
    Option<"alignment", "alignment", "int64_t", "64",
           "Bytes that offsets are multiples of: cache lines of the processors "
           "we know, and the widest vector">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect"];
  let statistics = [
    Statistic<"numPlanned", "num-planned", "Number of buffers in the arena">,
    Statistic<"numUnplanned", "num-unplanned", "Number of allocations left">
  ];
}

#endif // BCR_TRANSFORMS_PLANARENA_TD
