//===- BlockStructure.cpp - Blocks of rows and columns in zeros -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/BlockStructure.h"
#include "passes/Analysis/WindowModel.h"

#include "llvm/ADT/Hashing.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/bit.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

using namespace mlir;
using namespace mlir::bcr;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Bytes of an index below `bound`, as Packed.h stores it.
static int64_t getIndexWidth(int64_t bound) { return bound <= 65536 ? 2 : 4; }

//===----------------------------------------------------------------------===//
// NonZeroMap
//===----------------------------------------------------------------------===//

NonZeroMap::NonZeroMap(ArrayRef<float> weights, int64_t numRows,
                       int64_t numColumns)
    : numRows(numRows), numColumns(numColumns),
      numWords(ceilDiv(numColumns, 64)), bits(numRows * numWords),
      rowPrefix(numRows + 1) {
  for (int64_t row = 0; row < numRows; ++row) {
    const float *values = weights.data() + row * numColumns;
    int64_t count = 0;
    for (int64_t word = 0; word < numWords; ++word) {
      int64_t begin = word * 64;
      int64_t size = std::min<int64_t>(64, numColumns - begin);
      uint64_t mask = 0;
      for (int64_t i = 0; i < size; ++i) {
        // Shifting the sign out makes -0.0 a zero and keeps NaN.
        uint32_t pattern;
        std::memcpy(&pattern, values + begin + i, sizeof(pattern));
        mask |= uint64_t((pattern << 1) != 0) << i;
      }
      bits[row * numWords + word] = mask;
      count += llvm::popcount(mask);
    }
    rowPrefix[row + 1] = rowPrefix[row] + count;
  }
}

/// Calls `f(word, mask)` for the words that hold columns [begin, end), until it
/// returns true; returns whether it did.
template <typename F> static bool anyOfWords(int64_t begin, int64_t end, F f) {
  int64_t first = begin / 64;
  int64_t last = (end - 1) / 64;
  uint64_t firstMask = ~uint64_t(0) << (begin % 64);
  uint64_t lastMask = ~uint64_t(0) >> (63 - (end - 1) % 64);
  if (first == last)
    return f(first, firstMask & lastMask);
  if (f(first, firstMask))
    return true;
  for (int64_t word = first + 1; word < last; ++word)
    if (f(word, ~uint64_t(0)))
      return true;
  return f(last, lastMask);
}

static bool anySet(const uint64_t *bits, int64_t begin, int64_t end) {
  return anyOfWords(begin, end, [&](int64_t word, uint64_t mask) {
    return (bits[word] & mask) != 0;
  });
}

static int64_t countSet(const uint64_t *bits, int64_t begin, int64_t end) {
  int64_t count = 0;
  anyOfWords(begin, end, [&](int64_t word, uint64_t mask) {
    count += llvm::popcount(bits[word] & mask);
    return false;
  });
  return count;
}

//===----------------------------------------------------------------------===//
// BlockRowScanner
//===----------------------------------------------------------------------===//

BlockRowScanner::BlockRowScanner(const NonZeroMap &map,
                                 std::array<int64_t, 2> block)
    : map(map), block(block), numBlocks(ceilDiv(map.getNumColumns(), block[1])),
      maskWords(ceilDiv(block[0], 64)), columnUnion(map.getNumWords()) {}

int32_t BlockRowScanner::findGroup(ArrayRef<uint64_t> mask) {
  // Two values of uint64_t are reserved by DenseMap; a shifted hash is neither.
  uint64_t hash = static_cast<uint64_t>(
                      llvm::hash_combine_range(mask.begin(), mask.end())) >>
                  1;
  auto [entry, inserted] =
      groupOfHash.try_emplace(hash, static_cast<int32_t>(groups.size()));
  int32_t previous = -1;
  if (!inserted)
    for (int32_t i = entry->second; i >= 0; i = groups[i].next) {
      if (std::equal(mask.begin(), mask.end(), masks.begin() + groups[i].mask))
        return i;
      previous = i;
    }
  auto index = static_cast<int32_t>(groups.size());
  if (previous >= 0)
    groups[previous].next = index;
  Group group;
  group.mask = masks.size();
  for (uint64_t word : mask)
    group.rowCount += llvm::popcount(word);
  masks.insert(masks.end(), mask.begin(), mask.end());
  groups.push_back(group);
  return index;
}

void BlockRowScanner::scan(int64_t row) {
  firstRow = row;
  int64_t lastRow = std::min(row + block[0], map.getNumRows());
  std::fill(columnUnion.begin(), columnUnion.end(), 0);
  for (int64_t r = firstRow; r < lastRow; ++r) {
    const uint64_t *bits = map.getRow(r);
    for (int64_t word = 0; word < map.getNumWords(); ++word)
      columnUnion[word] |= bits[word];
  }
  groups.clear();
  masks.clear();
  groupOfHash.clear();
  nextBlock.assign(numBlocks, -1);
  SmallVector<uint64_t> mask(maskWords);
  for (int64_t b = 0; b < numBlocks; ++b) {
    int64_t begin = b * block[1];
    int64_t end = std::min(begin + block[1], map.getNumColumns());
    int64_t columnCount = countSet(columnUnion.data(), begin, end);
    if (columnCount == 0)
      continue;
    std::fill(mask.begin(), mask.end(), 0);
    for (int64_t r = firstRow; r < lastRow; ++r)
      if (anySet(map.getRow(r), begin, end))
        mask[(r - firstRow) / 64] |= uint64_t(1) << ((r - firstRow) % 64);
    Group &group = groups[findGroup(mask)];
    group.columnCount += columnCount;
    ++group.numBlocks;
    (group.firstBlock < 0 ? group.firstBlock : nextBlock[group.lastBlock]) =
        static_cast<int32_t>(b);
    group.lastBlock = static_cast<int32_t>(b);
  }
}

int64_t BlockRowScanner::getNumLiveRows() const {
  int64_t count = 0;
  for (int64_t word = 0; word < maskWords; ++word) {
    uint64_t live = 0;
    for (const Group &group : groups)
      live |= masks[group.mask + word];
    count += llvm::popcount(live);
  }
  return count;
}

int64_t BlockRowScanner::getDescriptionBytes() const {
  int64_t rowWidth = getIndexWidth(map.getNumRows());
  int64_t columnWidth = getIndexWidth(map.getNumColumns());
  int64_t bytes = 0;
  for (const Group &group : groups)
    bytes += group.columnCount * (group.rowCount * 4 + columnWidth) +
             group.numBlocks * group.rowCount * rowWidth;
  return bytes;
}

void BlockRowScanner::countColumns(
    const Group &group, int64_t size,
    SmallVectorImpl<std::pair<int64_t, int64_t>> &counts) const {
  auto add = [&](int64_t begin, int64_t end) {
    while (begin < end) {
      int64_t window = begin / size;
      int64_t next = std::min((window + 1) * size, end);
      if (int64_t count = countSet(columnUnion.data(), begin, next)) {
        if (counts.empty() || counts.back().first != window)
          counts.push_back({window, 0});
        counts.back().second += count;
      }
      begin = next;
    }
  };
  // All blocks of one row are one group.
  if (block[0] == 1)
    add(0, map.getNumColumns());
  else
    for (int64_t b = group.firstBlock; b >= 0; b = nextBlock[b])
      add(b * block[1], std::min((b + 1) * block[1], map.getNumColumns()));
}

void BlockRowScanner::appendRows(const Group &group,
                                 std::vector<int32_t> &rows) const {
  for (int64_t word = 0; word < maskWords; ++word)
    for (uint64_t mask = masks[group.mask + word]; mask; mask &= mask - 1)
      rows.push_back(
          static_cast<int32_t>(firstRow + word * 64 + llvm::countr_zero(mask)));
}

void BlockRowScanner::appendColumns(const Group &group,
                                    std::vector<int32_t> &columns) const {
  for (int64_t b = group.firstBlock; b >= 0; b = nextBlock[b]) {
    int64_t begin = b * block[1];
    int64_t end = std::min(begin + block[1], map.getNumColumns());
    anyOfWords(begin, end, [&](int64_t word, uint64_t mask) {
      for (mask &= columnUnion[word]; mask; mask &= mask - 1)
        columns.push_back(
            static_cast<int32_t>(word * 64 + llvm::countr_zero(mask)));
      return false;
    });
  }
}

//===----------------------------------------------------------------------===//
// Measuring
//===----------------------------------------------------------------------===//

/// Adds the row of blocks that `scanner` scanned last.
static void addBlockRow(const NonZeroMap &map, const BlockRowScanner &scanner,
                        BlockMeasure &measure) {
  int64_t rowWidth = getIndexWidth(map.getNumRows());
  int64_t columnWidth = getIndexWidth(map.getNumColumns());
  int64_t numEntries = 0;
  for (const BlockRowScanner::Group &group : scanner.getGroups()) {
    measure.numStored += group.rowCount * group.columnCount;
    measure.indexBytes +=
        16 + group.rowCount * rowWidth + group.columnCount * columnWidth;
    numEntries += group.rowCount;
    BlockMeasure::Heights &heights = measure.heights[group.rowCount];
    ++heights.numGroups;
    heights.numColumns += group.columnCount;
  }
  measure.numRevisits += numEntries - scanner.getNumLiveRows();
}

BlockMeasure mlir::bcr::measureBlock(const NonZeroMap &map,
                                     std::array<int64_t, 2> block,
                                     int64_t windowLoadPorts) {
  BlockMeasure measure;
  measure.block = block;
  BlockRowScanner scanner(map, block);
  WindowMeasure windowMeasure(windowLoadPorts);
  for (int64_t row = 0; row < map.getNumRows(); row += block[0]) {
    scanner.scan(row);
    addBlockRow(map, scanner, measure);
    if (windowLoadPorts > 0)
      windowMeasure.addBlockRow(scanner, row + block[0]);
  }
  windowMeasure.finish(measure);
  return measure;
}

namespace {
/// A block shape and its bytes, scaled up from a sample.
struct Candidate {
  std::array<int64_t, 2> block;
  double bytes = 0;
};
} // namespace

static int64_t getArea(const Candidate &candidate) {
  return candidate.block[0] * candidate.block[1];
}

/// Estimates the bytes of the matrix from about `budget` looks at a row of a
/// block, at least one row of blocks and some non-zero. Bytes are scaled by the
/// non-zeros that the sample has, since pruned matrices are unequally full.
static double sampleBytes(const NonZeroMap &map, std::array<int64_t, 2> block,
                          int64_t budget) {
  int64_t numBlockRows = ceilDiv(map.getNumRows(), block[0]);
  int64_t looks = block[0] * ceilDiv(map.getNumColumns(), block[1]);
  int64_t numSamples = std::clamp<int64_t>(budget / looks, 1, numBlockRows);
  BlockRowScanner scanner(map, block);
  int64_t bytes = 0;
  int64_t numNonZeros = 0;
  for (int64_t i = 0; i < numSamples; ++i) {
    int64_t row = (2 * i + 1) * numBlockRows / (2 * numSamples) * block[0];
    scanner.scan(row);
    bytes += scanner.getDescriptionBytes();
    numNonZeros +=
        map.getNumNonZeros(row, std::min(row + block[0], map.getNumRows()));
  }
  // Where whole rows are pruned, it may have hit those only.
  if (numNonZeros == 0)
    return sampleBytes(map, block, 2 * looks * numSamples);
  return double(bytes) * double(map.getNumNonZeros()) / double(numNonZeros);
}

/// Block sizes to try along a dimension of `size`: 2, 4, 8, ... times each of
/// `units`, and the whole, the half and the quarter.
static std::set<int64_t> getSizes(int64_t size,
                                  std::initializer_list<int64_t> units) {
  std::set<int64_t> sizes = {size, ceilDiv(size, 2), ceilDiv(size, 4)};
  for (int64_t unit : units)
    for (int64_t value = unit; value < size; value *= 2)
      sizes.insert(value);
  return sizes;
}

BlockMeasure mlir::bcr::findBlock(const NonZeroMap &map, int64_t kernelArea,
                                  int64_t windowLoadPorts) {
  int64_t numRows = map.getNumRows();
  int64_t numColumns = map.getNumColumns();
  BlockMeasure whole =
      measureBlock(map, {numRows, numColumns}, windowLoadPorts);
  // Without zeros there is nothing to find.
  if (map.getNumNonZeros() == 0 || map.getSparsity() < 0.01)
    return whole;

  std::vector<Candidate> candidates = {{{1, numColumns}},
                                       {{numRows, numColumns}}};
  for (int64_t height : getSizes(numRows, {1, 3, 5})) {
    // With one row, every width stores the same.
    if (height == 1)
      continue;
    for (int64_t width :
         getSizes(numColumns, {1, 3, 5, kernelArea, 3 * kernelArea})) {
      // Narrow, high blocks cost the most to look at and nobody prunes so.
      bool narrow = width < 2 || width * 8 < height;
      if (!narrow && (height < numRows || width < numColumns))
        candidates.push_back({{height, width}});
    }
  }

  struct Round {
    int64_t budget;
    double keepWithin;
    size_t keepAtMost;
  };
  for (Round round : {Round{4096, 1.5, 64}, Round{65536, 1.15, 24},
                      Round{1 << 22, 1.005, 24}}) {
    double best = std::numeric_limits<double>::max();
    for (Candidate &candidate : candidates) {
      candidate.bytes = sampleBytes(map, candidate.block, round.budget);
      best = std::min(best, candidate.bytes);
    }
    llvm::stable_sort(candidates, [](const Candidate &a, const Candidate &b) {
      return std::tuple(a.bytes, -getArea(a)) <
             std::tuple(b.bytes, -getArea(b));
    });
    llvm::erase_if(candidates, [&](const Candidate &candidate) {
      return candidate.bytes > best * round.keepWithin;
    });
    if (candidates.size() > round.keepAtMost)
      candidates.resize(round.keepAtMost);
  }
  Candidate largest = *llvm::max_element(
      candidates, [](const Candidate &a, const Candidate &b) {
        return std::pair(getArea(a), a.block[0]) <
               std::pair(getArea(b), b.block[0]);
      });
  if (largest.block[0] == 1 && numRows > 1)
    largest.block = {1, 1};
  return measureBlock(map, largest.block, windowLoadPorts);
}
