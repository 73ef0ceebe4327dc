//===- BCRTypes.td - Types of the bcr dialect --------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TYPES_TD
#define BCR_TYPES_TD

include "dialect/BCRDialect.td"
include "mlir/IR/AttrTypeBase.td"

def BCR_PackedType : TypeDef<BCR_Dialect, "Packed"> {
  let mnemonic = "packed";
  let summary = "A packed weight matrix W[M, K]";
  let description = [{
    The value of a packed weight matrix with `rows` rows (outputs of the layer)
    and `columns` columns (inputs of one output). It is no tensor: nothing reads
    it element by element, so bufferization passes it by. Only
    `bcr.constant` makes one.

    ```mlir
    !bcr.packed<64x576xf32>
    ```
  }];
  let parameters = (ins "int64_t":$rows, "int64_t":$columns,
                        "::mlir::Type":$elementType);
  let hasCustomAssemblyFormat = 1;
  let genVerifyDecl = 1;
}

#endif // BCR_TYPES_TD
