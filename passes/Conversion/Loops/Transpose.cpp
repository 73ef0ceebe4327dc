//===- Transpose.cpp - Samples into vectors and back ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Transpose.h"

#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

SmallVector<Value> loops::transposeSquare(Emitter &emitter,
                                          ArrayRef<Value> vectors) {
  SmallVector<Value> result(vectors);
  auto size = static_cast<int64_t>(result.size());
  for (int64_t distance = size / 2; distance > 0; distance /= 2) {
    // Lane j of the first and of the second vector of a pair after the round;
    // lanes of the second one are counted from `size`.
    SmallVector<int64_t> first, second;
    for (int64_t j = 0; j < size; ++j) {
      bool low = (j & distance) == 0;
      first.push_back(low ? j : size + j - distance);
      second.push_back(low ? j + distance : size + j);
    }
    for (int64_t i = 0; i < size; ++i) {
      if ((i & distance) != 0)
        continue;
      Value a = result[i], b = result[i + distance];
      result[i] = vector::ShuffleOp::create(emitter, a, b, first);
      result[i + distance] = vector::ShuffleOp::create(emitter, a, b, second);
    }
  }
  return result;
}
