//===- LowerLinalg.td - bcr-lower-linalg ----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_CONVERSION_LOWERLINALG_TD
#define BCR_CONVERSION_LOWERLINALG_TD

include "mlir/Pass/PassBase.td"

def BCRLowerLinalgPass : Pass<"bcr-lower-linalg", "::mlir::func::FuncOp"> {
  let summary = "Lower linalg on memrefs to loops that vectorise";
  let description = [{
    What is not a `bcr` layer runs in these loops. Adjacent loops that every
    operand walks in one stride become one. The innermost loop is the one that
    walks most operands in unit stride; parallel loops go before reductions.
    Inputs that stay the same in it are loaded in front of it: with the index of
    a row known there, a lookup is a copy of neighbours. Of a sum of products
    (attention, a convolution whose weights are computed) a tile of the output
    is in registers, vectors along its last dimension by turns of another loop.
    Any other reduction in the innermost loops is carried in registers, and its
    additions may be reassociated, so that LLVM's loop vectoriser can take it. A
    reduction to the largest or smallest element and its index becomes two: the
    extremum, and the first index that has it or a NaN. With `threads` above one
    the outer parallel loops of large operations are one `scf.parallel`. A
    `memref.copy` between layouts that are not contiguous becomes loops too.

    Requires: linalg on memrefs. Ensures: no linalg op is left, and each
    `memref.copy` is between contiguous memrefs. Fails when: a linalg op is on
    tensors or has no scalar form.
  }];
  let options = [
    Option<"threads", "threads", "int64_t", "1",
           "Number of threads that the code runs on">,
    Option<"lanes", "lanes", "int64_t", "16",
           "Elements of 32 bits in a vector register">,
    Option<"registers", "registers", "int64_t", "32",
           "Number of vector registers">,
    Option<"minParallelWork", "min-parallel-work", "int64_t", "32768",
           "Iterations from which an operation runs on several threads">
  ];
  let dependentDialects = ["::mlir::affine::AffineDialect",
    "::mlir::arith::ArithDialect", "::mlir::linalg::LinalgDialect",
    "::mlir::memref::MemRefDialect", "::mlir::scf::SCFDialect",
    "::mlir::vector::VectorDialect"];
  let statistics = [
    Statistic<"numLowered", "num-lowered", "Number of linalg ops lowered">,
    Statistic<"numReordered", "num-reordered",
              "Number of linalg ops whose loops changed places">
  ];
}

#endif // BCR_CONVERSION_LOWERLINALG_TD
