//===- ArenaLayout.h - Where buffers lie in one piece of memory -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_ARENALAYOUT_H
#define BCR_PASSES_ANALYSIS_ARENALAYOUT_H

#include "llvm/ADT/ArrayRef.h"

#include <cstdint>

namespace mlir::bcr {

/// A buffer of `bytes` that lives from position `begin` to `end`, both
/// included, and the offset it gets.
struct ArenaItem {
  int64_t bytes = 0;
  int64_t begin = 0;
  int64_t end = 0;
  int64_t offset = 0;
};

/// Gives each item an offset, a multiple of `alignment`, so that items that
/// live at the same time are disjoint. Returns the size of the whole.
///
/// Largest first, each into the smallest gap that holds it: "Greedy by Size for
/// Offset Calculation" in Y. Pisarchyk, J. Lee, "Efficient Memory Management
/// for Deep Neural Net Inference", 2020.
int64_t layOutArena(llvm::MutableArrayRef<ArenaItem> items, int64_t alignment);

/// The most bytes that live at one time: no layout is smaller.
int64_t getPeakBytes(llvm::ArrayRef<ArenaItem> items, int64_t alignment);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_ARENALAYOUT_H
