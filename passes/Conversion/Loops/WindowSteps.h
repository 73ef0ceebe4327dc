//===- WindowSteps.h - Which column a step of a window takes ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A step of a window takes one column of every lane out of the registers that
// hold the window: out of two by one permutation, out of four by two, a
// comparison and a blend. The columns of a part may stand in any order, and
// there are six pairs of four registers: with a pair after another, a part that
// has columns all over the window has one for each step in its pair.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWSTEPS_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWSTEPS_H

#include "passes/Analysis/WindowModel.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <array>
#include <numeric>
#include <utility>
#include <vector>

namespace mlir::bcr::loops {

constexpr int64_t kMaxWindowRegisters = 4;

/// How many columns a part has in each register of its window.
struct RegisterCounts : std::array<int32_t, kMaxWindowRegisters> {
  int64_t getTotal() const { return std::accumulate(begin(), end(), 0); }
};

/// The steps of a segment.
struct WindowSteps {
  int64_t count = 0;
  /// Steps below take all their columns from a pair of registers, the others
  /// from any.
  int64_t paired = 0;

  /// The registers of step `step`, which is paired.
  static std::pair<int64_t, int64_t> getPair(int64_t step,
                                             int64_t numRegisters);
};

/// Of `count` steps, the most that can be paired, for a part with such columns:
/// each column has a step of its own, or each step has a column of its own
/// where there are more of these, and steps without one find one to share.
int64_t countPaired(const RegisterCounts &columns, int64_t count,
                    int64_t numRegisters);

/// The column of each step, by its number in the part, whose columns are in
/// order of their registers. No more are paired than `countPaired` says.
/// Columns that more than one step takes are shared, those that none takes are
/// left.
llvm::SmallVector<int64_t> assignColumns(const RegisterCounts &columns,
                                         const WindowSteps &steps,
                                         int64_t numRegisters);

/// Steps whose places are one vector: an element for each lane, which has the
/// places of all steps side by side, the first in its lowest bits.
struct PlaceVector {
  int64_t firstStep, numSteps;
  /// Of an element; of a place.
  int64_t bits, placeBits;

  int64_t getBytes() const { return kWindowLanes * bits / 8; }
};

/// How the places of steps are stored, one vector after another.
llvm::SmallVector<PlaceVector> layOutPlaces(const WindowSteps &steps);

/// Bytes of all vectors.
int64_t getPlaceBytes(const WindowSteps &steps);

/// Appends the places of `steps`, of each step those of all lanes, to `bytes`.
/// A place in a window is the number of its column there.
void appendPlaces(const WindowSteps &steps,
                  llvm::ArrayRef<std::array<int32_t, kWindowLanes>> places,
                  int64_t numRegisters, std::vector<int32_t> &bytes);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINDOWSTEPS_H
