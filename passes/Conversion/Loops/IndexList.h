//===- IndexList.h - Indices in few bytes ----------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Neighbours in the lists of a plan are alike: rows of one block, columns of
// one group. Where that takes fewer bytes, an index is the sum of a base, one
// for each stretch of 2^shift indices, and a rest.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_INDEXLIST_H
#define BCR_PASSES_CONVERSION_LOOPS_INDEXLIST_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// A constant list of indices of a layer; null if it is empty.
class IndexList {
public:
  IndexList() = default;
  /// Makes the constants `<layer>.<name>` and, if there are bases,
  /// `<layer>.<name>_bases`.
  IndexList(Emitter &emitter, StringRef name, ArrayRef<int32_t> list);

  explicit operator bool() const { return static_cast<bool>(rests); }
  int64_t getBytes() const { return bytes; }
  Value load(Emitter &emitter, Value position) const;

private:
  Value rests, bases;
  int64_t stretch = 1;
  int64_t bytes = 0;
};

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_INDEXLIST_H
