//===- KeptRows.h - Matrices that lose whole rows --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Where blocks lose whole rows, the rows of a group are no neighbours, and each
// sum goes to a place of its own: an extraction, a load, an addition and a
// store of one number. Counted among the rows that are left they are
// neighbours. So the products are those of a matrix without the empty rows, and
// one pass over the result spreads them, 16 outputs at a time, and adds bias
// and residual; or whoever reads the result spreads them. Needs an instruction
// that moves the first lanes to those of a mask, which AVX-512 has.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_KEPTROWS_H
#define BCR_PASSES_CONVERSION_LOOPS_KEPTROWS_H

#include "passes/Conversion/Loops/Emitter.h"
#include "passes/Conversion/Loops/IndexList.h"

#include "dialect/Packed.h"

namespace mlir::bcr::loops {

class KeptRows {
public:
  /// Makes the matrix, the buffer and the layer of their products before
  /// `emitter`, or nothing if the machine or the weights are not for it.
  static std::optional<KeptRows> take(MatmulOp op,
                                      const PackedStructure &structure,
                                      ConstantOp weights, int64_t lanes,
                                      Emitter &emitter);

  /// The layer to be converted before `emitResult`; it has neither bias nor
  /// activation.
  MatmulOp getProducts() const { return products; }
  ConstantOp getWeights() const { return weights; }
  /// Emits the pass that makes the result of the sums, and erases the layer of
  /// the products. Returns the bytes of its indices.
  int64_t emitResult(Emitter &emitter);

  /// Makes the lists that `spread` reads, before `emitter`. Returns their
  /// bytes.
  int64_t makeLists(Emitter &emitter);
  /// Loads the sums of 16 outputs of a sample, zero in empty rows. `number`
  /// counts vectors of outputs; the last one ends with the outputs.
  Value spread(Emitter &emitter, Value sample, Value number) const;
  /// The sums of kept rows, to be deallocated behind the last `spread`.
  Value getBuffer() const { return buffer; }

private:
  /// A vector from the sum of any output on, which may be the last one.
  Value buffer;
  MatmulOp op, products;
  ConstantOp weights;
  /// Increasing.
  std::vector<int32_t> rows;
  int64_t numRows = 0;
  /// For each vector of outputs which of them are kept, and the first one's
  /// sum.
  Value masks;
  IndexList begins;
};

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_KEPTROWS_H
