//===- Bands.cpp - How an image is cut into bands of rows -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Bands.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Input of a band that is thought to stay in a cache of the second level.
static constexpr int64_t kBandBytes = 512 * 1024;

/// How much slower the loops are where the input of a band does not.
static constexpr double kCacheMiss = 1.25;

/// Cycles to start with a group: its bounds, its bias, the turn of the loops.
static constexpr double kGroupStart = 40;

int64_t loops::getBandLength(int64_t rows, int64_t width, int64_t pitch) {
  return rows * pitch - (pitch - width);
}

/// Cycles for all bands of `rows` rows, on a machine with two multiply-add
/// units and two load ports that copies four elements a cycle.
static double estimateCycles(Conv2DOp op, ScheduleAttr schedule,
                             const InputLayout &layout,
                             const PackedStructure &structure, int64_t rows) {
  auto type = cast<MemRefType>(op.getInit().getType());
  int64_t tileHeight = schedule.getHeight(), vectors = schedule.getVectors();
  auto cost = [&](int64_t count) {
    return std::max<double>(tileHeight * count, tileHeight + count + 1) / 2;
  };
  int64_t width = type.getDimSize(3), pitch = layout.getPitch();
  if (layout.getColumnStep() > 1)
    width = pitch = llvm::alignTo(
        width, schedule.getLanes() / (width < schedule.getLanes() ? 2 : 1));
  int64_t length = getBandLength(rows, width, pitch);
  int64_t total = llvm::divideCeil(length, schedule.getLanes());
  double cycles = total / vectors * cost(vectors);
  if (total % vectors != 0)
    cycles += cost(total % vectors);
  cycles *= static_cast<double>(structure.getNumValues()) / tileHeight;
  int64_t elements = layout.getElementsRead(rows);
  if (elements * 4 > kBandBytes)
    cycles *= kCacheMiss;
  if (!layout.isInPlace() &&
      !(layout.canReadInPlace() && layout.hasPitchOfCopy()))
    cycles += elements / 4;
  cycles += kGroupStart * structure.groups.size();
  return cycles * type.getDimSize(2) / rows;
}

int64_t loops::chooseBandRows(Conv2DOp op, ScheduleAttr schedule,
                              const InputLayout &layout,
                              const PackedStructure &structure) {
  if (int64_t band = schedule.getBand())
    return band;
  int64_t height = cast<MemRefType>(op.getInit().getType()).getDimSize(2);
  int64_t best = height;
  double leastCycles = estimateCycles(op, schedule, layout, structure, height);
  for (int64_t rows = height - 1; rows >= 1; --rows) {
    if (height % rows != 0)
      continue;
    double cycles = estimateCycles(op, schedule, layout, structure, rows);
    if (cycles < leastCycles) {
      leastCycles = cycles;
      best = rows;
    }
  }
  return best;
}

int64_t loops::chooseChunks(int64_t bands, int64_t threads) {
  bool enough = bands % threads == 0 || bands >= 4 * threads;
  return enough ? 1 : threads;
}
