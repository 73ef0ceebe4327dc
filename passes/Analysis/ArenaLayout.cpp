//===- ArenaLayout.cpp - Where buffers lie in one piece of memory ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/ArenaLayout.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>

using namespace mlir::bcr;
using llvm::ArrayRef;
using llvm::MutableArrayRef;
using llvm::SmallVector;

static bool liveTogether(const ArenaItem &a, const ArenaItem &b) {
  return a.begin <= b.end && b.begin <= a.end;
}

/// The start of the smallest gap between `placed`, which are in order of their
/// offsets, that holds `bytes`; or the end of the last.
static int64_t findGap(ArrayRef<const ArenaItem *> placed, int64_t bytes,
                       int64_t alignment) {
  int64_t best = -1, smallest = std::numeric_limits<int64_t>::max(), end = 0;
  for (const ArenaItem *item : placed) {
    int64_t gap = item->offset - end;
    if (gap >= bytes && gap < smallest) {
      smallest = gap;
      best = end;
    }
    end = std::max<int64_t>(
        end, llvm::alignTo(item->offset + item->bytes, alignment));
  }
  return best >= 0 ? best : end;
}

int64_t mlir::bcr::layOutArena(MutableArrayRef<ArenaItem> items,
                               int64_t alignment) {
  SmallVector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  // Of equals the first in the program: the layout must not depend on chance.
  llvm::stable_sort(order, [&](size_t a, size_t b) {
    return items[a].bytes > items[b].bytes;
  });
  int64_t size = 0;
  SmallVector<const ArenaItem *> placed;
  for (size_t index : order) {
    ArenaItem &item = items[index];
    SmallVector<const ArenaItem *> rivals;
    for (const ArenaItem *other : placed)
      if (liveTogether(*other, item))
        rivals.push_back(other);
    item.offset = findGap(rivals, item.bytes, alignment);
    size = std::max(size, item.offset + item.bytes);
    auto position = llvm::lower_bound(
        placed, &item, [](const ArenaItem *a, const ArenaItem *b) {
          return a->offset < b->offset;
        });
    placed.insert(position, &item);
  }
  return llvm::alignTo(size, alignment);
}

int64_t mlir::bcr::getPeakBytes(ArrayRef<ArenaItem> items, int64_t alignment) {
  std::map<int64_t, int64_t> changes;
  for (const ArenaItem &item : items) {
    int64_t bytes = llvm::alignTo(item.bytes, alignment);
    changes[item.begin] += bytes;
    changes[item.end + 1] -= bytes;
  }
  int64_t live = 0, peak = 0;
  for (auto [position, change] : changes) {
    live += change;
    peak = std::max(peak, live);
  }
  return peak;
}
