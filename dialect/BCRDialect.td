//===- BCRDialect.td - The bcr dialect --------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_DIALECT_TD
#define BCR_DIALECT_TD

include "mlir/IR/OpBase.td"

def BCR_Dialect : Dialect {
  let name = "bcr";
  let cppNamespace = "::mlir::bcr";
  let summary = "Layers whose weights are sparse in blocks of rows and columns";
  let description = [{
    A weight matrix `W[M, K]` is cut into blocks; each block keeps a set of
    rows times a set of columns and drops every other weight. The dialect holds
    such weights in packed form and the layers that use them, from the network
    as PyTorch wrote it down to the loops that run it. `dialect/README.md` has
    the format, the numbered invariants and the reasons.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
}

#endif // BCR_DIALECT_TD
