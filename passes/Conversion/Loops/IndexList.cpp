//===- IndexList.cpp - Indices in few bytes -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/IndexList.h"
#include "passes/Conversion/Loops/ColumnCode.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Bases are one more load: they have to save this many bytes.
static constexpr int64_t kMinSaved = 64;
static constexpr int64_t kMaxStretch = 1024;

/// Splits `list` into the least index of each stretch and the rests.
static void split(ArrayRef<int32_t> list, int64_t stretch,
                  std::vector<int32_t> &bases, std::vector<int32_t> &rests) {
  bases.clear();
  rests.clear();
  for (ArrayRef<int32_t> left = list; !left.empty();) {
    ArrayRef<int32_t> part =
        left.take_front(std::min<int64_t>(stretch, left.size()));
    bases.push_back(*llvm::min_element(part));
    for (int32_t index : part)
      rests.push_back(index - bases.back());
    left = left.drop_front(part.size());
  }
}

IndexList::IndexList(Emitter &emitter, StringRef name, ArrayRef<int32_t> list) {
  if (list.empty())
    return;
  bytes = getListBytes(list);
  int64_t least = bytes - kMinSaved;
  std::vector<int32_t> someBases, someRests;
  for (int64_t size = 2; size <= kMaxStretch; size *= 2) {
    split(list, size, someBases, someRests);
    int64_t some = getListBytes(someBases) + getListBytes(someRests);
    if (some < least) {
      least = bytes = some;
      stretch = size;
    }
  }
  if (stretch == 1) {
    rests = emitter.indexGlobal(name, list);
    return;
  }
  split(list, stretch, someBases, someRests);
  rests = emitter.indexGlobal(name, someRests);
  bases = emitter.indexGlobal((name + "_bases").str(), someBases);
}

Value IndexList::load(Emitter &emitter, Value position) const {
  Value rest = emitter.loadIndex(rests, position);
  if (!bases)
    return rest;
  return emitter.add(emitter.loadIndex(bases, emitter.div(position, stretch)),
                     rest);
}
