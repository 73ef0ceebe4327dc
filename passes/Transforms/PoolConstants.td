//===- PoolConstants.td - bcr-pool-constants ------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_POOLCONSTANTS_TD
#define BCR_TRANSFORMS_POOLCONSTANTS_TD

include "mlir/Pass/PassBase.td"

def BCRPoolConstantsPass : Pass<"bcr-pool-constants", "::mlir::ModuleOp"> {
  let summary = "Move large constants out of the code into one pool";
  let description = [{
    A constant `memref.global` of at least `min-bytes` becomes a view of a pool,
    an argument with attribute `bcr.pool` of `@main` and of every function that
    needs it. Offsets are multiples of `alignment`, and the pool is aligned like
    that; equal constants are stored once. The module attribute `bcr.pool` has,
    in order of offset, a dictionary for each constant (`name`, `offset` and
    `bytes`, the data `value`, and for index arrays the exclusive `bound` that
    every index keeps, from the global's attribute `bcr.bound`), `bcr.pool_bytes`
    the size. Code and weights are thereby two files, and no weight goes through
    LLVM.

    Requires: functions on memrefs. Ensures: no constant global of `min-bytes` or
    more is left. Fails when: a constant has no data, or a function that needs
    the pool is used otherwise than by `func.call`.
  }];
  let options = [
    Option<"minBytes", "min-bytes", "uint64_t", "64",
           "Size in bytes from which a constant goes to the pool">,
    Option<"alignment", "alignment", "int64_t", "64",
           "Bytes that offsets are multiples of">
  ];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::memref::MemRefDialect"];
  let statistics = [
    Statistic<"numPooled", "num-pooled", "Number of constants in the pool">,
    Statistic<"numShared", "num-shared",
              "Number of constants that were equal to another">
  ];
}

#endif // BCR_TRANSFORMS_POOLCONSTANTS_TD
