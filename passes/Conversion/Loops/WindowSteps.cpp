//===- WindowSteps.cpp - Which column a step of a window takes ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WindowSteps.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/STLFunctionalExtras.h"

#include <algorithm>
#include <cassert>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// All pairs of four registers. Those without a register in common follow each
/// other: few steps reach all columns.
static constexpr std::pair<int64_t, int64_t> kPairsOfFour[] = {
    {0, 1}, {2, 3}, {0, 2}, {1, 3}, {0, 3}, {1, 2}};
static constexpr std::pair<int64_t, int64_t> kPairsOfThree[] = {
    {0, 1}, {0, 2}, {1, 2}};

/// Bits of a place in a register, in a pair of them, in any of four.
static constexpr int64_t kRegisterBits = 4;
static constexpr int64_t kPairBits = kRegisterBits + 1;
static constexpr int64_t kAnyBits = kRegisterBits + 2;

static ArrayRef<std::pair<int64_t, int64_t>> getPairs(int64_t numRegisters) {
  if (numRegisters > 3)
    return kPairsOfFour;
  return ArrayRef(kPairsOfThree).take_front(numRegisters > 2 ? 3 : 1);
}

std::pair<int64_t, int64_t> WindowSteps::getPair(int64_t step,
                                                 int64_t numRegisters) {
  ArrayRef<std::pair<int64_t, int64_t>> pairs = getPairs(numRegisters);
  return pairs[step % pairs.size()];
}

//===----------------------------------------------------------------------===//
// Columns of steps
//===----------------------------------------------------------------------===//

/// Whether so many steps can be paired: Hall's theorem, as neither steps of one
/// pair nor columns of one register differ from each other.
static bool canPair(const RegisterCounts &columns, const WindowSteps &steps,
                    int64_t numRegisters) {
  ArrayRef<std::pair<int64_t, int64_t>> pairs = getPairs(numRegisters);
  auto numPairs = static_cast<int64_t>(pairs.size());
  int64_t total = columns.getTotal();
  for (unsigned set = 1; set < 1U << numRegisters; ++set) {
    int64_t own = 0;
    for (int64_t i = 0; i < numRegisters; ++i)
      own += set >> i & 1 ? columns[i] : 0;
    // Paired steps with both registers in the set, and with none.
    int64_t inside = 0, outside = 0;
    for (auto [i, pair] : llvm::enumerate(pairs)) {
      int64_t number =
          steps.paired / numPairs +
          (static_cast<int64_t>(i) < steps.paired % numPairs ? 1 : 0);
      bool first = set >> pair.first & 1, second = set >> pair.second & 1;
      inside += first && second ? number : 0;
      outside += !first && !second ? number : 0;
    }
    // Steps need columns, or columns steps, whichever are fewer; and a step
    // that shares a column still needs one in its registers.
    bool enough = total >= steps.count ? own >= inside
                                       : own <= steps.count - outside &&
                                             (inside == 0 || own > 0);
    if (!enough)
      return false;
  }
  return true;
}

int64_t loops::countPaired(const RegisterCounts &columns, int64_t count,
                           int64_t numRegisters) {
  // What holds for a number of paired steps holds for fewer.
  int64_t least = 0, most = count;
  while (least < most) {
    int64_t middle = (least + most + 1) / 2;
    if (canPair(columns, {count, middle}, numRegisters))
      least = middle;
    else
      most = middle - 1;
  }
  return least;
}

/// Finds a partner of its own for each of `count` nodes among `numOthers`, by
/// augmenting paths: who has each of those, or -1.
static SmallVector<int64_t>
findPartners(int64_t count, int64_t numOthers,
             llvm::function_ref<bool(int64_t, int64_t)> fits) {
  SmallVector<int64_t> owners(numOthers, -1);
  SmallVector<bool> visited;
  auto place = [&](auto &self, int64_t node) -> bool {
    for (int64_t other = 0; other < numOthers; ++other) {
      if (visited[other] || !fits(node, other))
        continue;
      visited[other] = true;
      if (owners[other] < 0 || self(self, owners[other])) {
        owners[other] = node;
        return true;
      }
    }
    return false;
  };
  for (int64_t node = 0; node < count; ++node) {
    visited.assign(numOthers, false);
    [[maybe_unused]] bool found = place(place, node);
    assert(found && "more steps are paired than the columns allow");
  }
  return owners;
}

SmallVector<int64_t> loops::assignColumns(const RegisterCounts &columns,
                                          const WindowSteps &steps,
                                          int64_t numRegisters) {
  SmallVector<int64_t> registers;
  for (auto [i, number] : llvm::enumerate(columns))
    registers.append(number, static_cast<int64_t>(i));
  auto total = static_cast<int64_t>(registers.size());
  auto fits = [&](int64_t step, int64_t column) {
    if (step >= steps.paired)
      return true;
    auto [first, second] = WindowSteps::getPair(step, numRegisters);
    return registers[column] == first || registers[column] == second;
  };
  SmallVector<int64_t> result(steps.count, -1);
  if (total >= steps.count) {
    SmallVector<int64_t> owners = findPartners(steps.count, total, fits);
    for (auto [column, step] : llvm::enumerate(owners))
      if (step >= 0)
        result[step] = static_cast<int64_t>(column);
    return result;
  }
  result = findPartners(total, steps.count, [&](int64_t column, int64_t step) {
    return fits(step, column);
  });
  // The others share those that fewest share.
  SmallVector<int64_t> shares(total, 1);
  for (auto [step, column] : llvm::enumerate(result)) {
    if (column >= 0)
      continue;
    for (int64_t other = 0; other < total; ++other)
      if (fits(static_cast<int64_t>(step), other) &&
          (column < 0 || shares[other] < shares[column]))
        column = other;
    ++shares[column];
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Places
//===----------------------------------------------------------------------===//

SmallVector<PlaceVector> loops::layOutPlaces(const WindowSteps &steps) {
  SmallVector<PlaceVector> vectors;
  for (int64_t step = 0; step < steps.count;) {
    bool paired = step < steps.paired;
    int64_t left = (paired ? steps.paired : steps.count) - step;
    int64_t placeBits = paired ? kPairBits : kAnyBits;
    // The least bytes, and of as many the fewest vectors: what is one step more
    // than a vector of 16 bits has takes that and one of 8 bits.
    int64_t bits = left == 1 ? 8 : left <= 16 / placeBits + 1 ? 16 : 32;
    int64_t number = std::min(left, bits / placeBits);
    vectors.push_back({step, number, bits, placeBits});
    step += number;
  }
  return vectors;
}

int64_t loops::getPlaceBytes(const WindowSteps &steps) {
  int64_t bytes = 0;
  for (const PlaceVector &vector : layOutPlaces(steps))
    bytes += vector.getBytes();
  return bytes;
}

void loops::appendPlaces(const WindowSteps &steps,
                         ArrayRef<std::array<int32_t, kWindowLanes>> places,
                         int64_t numRegisters, std::vector<int32_t> &bytes) {
  for (const PlaceVector &vector : layOutPlaces(steps))
    for (int64_t lane = 0; lane < kWindowLanes; ++lane) {
      uint32_t element = 0;
      for (int64_t i = 0; i < vector.numSteps; ++i) {
        int64_t step = vector.firstStep + i;
        auto place = static_cast<uint32_t>(places[step][lane]);
        if (step < steps.paired) {
          // Which of the two registers, above the place in it.
          int64_t second = WindowSteps::getPair(step, numRegisters).second;
          uint32_t number = place >> kRegisterBits == second ? 1 : 0;
          place =
              number << kRegisterBits | (place & ((1U << kRegisterBits) - 1));
        }
        element |= place << (i * vector.placeBits);
      }
      for (int64_t bit = 0; bit < vector.bits; bit += 8)
        bytes.push_back(static_cast<int32_t>(element >> bit & 0xff));
    }
}
