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

/// How much slower the loops are where the input of a band does not.
static constexpr double kCacheMiss = 1.25;

/// The part of the second cache that the input of a band may take; the rest is
/// for weights and results.
static constexpr double kCacheShare = 0.625;

/// Elements of a cache line.
static constexpr int64_t kCacheLine = 16;

/// Cycles that a line costs which two threads write at about the same time,
/// measured on a Zen 5 processor whose cores share a cache.
static constexpr double kSharedLine = 70;

/// Cycles to start with a group: its bounds, its bias, the turn of the loops.
static constexpr double kGroupStart = 40;

/// Cycles to fill and to drain the accumulators of a tile.
static constexpr double kTileStart = 20;

int64_t loops::getBandLength(int64_t rows, int64_t width, int64_t pitch) {
  return rows * pitch - (pitch - width);
}

bool loops::fetchesBands(Conv2DOp op, const InputLayout &layout, int64_t rows,
                         const MachineModel &machine) {
  int64_t height = cast<MemRefType>(op.getInit().getType()).getDimSize(2);
  return rows < height && layout.canReadInPlace() &&
         4 * layout.getElementsRead(height) > machine.l2Bytes;
}

/// Cycles of one thread for all bands of `rows` rows.
static double estimateCycles(Conv2DOp op, ScheduleAttr schedule,
                             const InputLayout &layout,
                             const PackedStructure &structure, int64_t rows,
                             const MachineModel &machine) {
  auto type = cast<MemRefType>(op.getInit().getType());
  int64_t tileHeight = schedule.getHeight(), vectors = schedule.getVectors();
  auto columns = static_cast<double>(structure.getNumValues()) / tileHeight;
  auto cost = [&](int64_t count) {
    double column =
        std::max(double(tileHeight * count) / double(machine.fmaPipes),
                 double(tileHeight + count + 1) / double(machine.loadPorts));
    return column * columns + kTileStart * structure.groups.size();
  };
  int64_t width = type.getDimSize(3), pitch = layout.getPitch();
  if (layout.getColumnStep() > 1)
    width = pitch = llvm::alignTo(
        width, schedule.getLanes() / (width < schedule.getLanes() ? 2 : 1));
  int64_t length = getBandLength(rows, width, pitch);
  if (op.getGaps() == Gaps::Zero)
    length += pitch - width;
  int64_t total = llvm::divideCeil(length, schedule.getLanes());
  double cycles = double(total / vectors) * cost(vectors);
  if (total % vectors != 0)
    cycles += cost(total % vectors);
  int64_t bytes = 4 * layout.getElementsRead(rows);
  if (double(bytes) > kCacheShare * double(machine.l2Bytes))
    cycles *= kCacheMiss;
  if (!layout.isInPlace() &&
      !(layout.canReadInPlace() && layout.hasPitchOfCopy()))
    cycles += double(bytes) / double(machine.l3BytesPerCycle);
  else if (fetchesBands(op, layout, rows, machine))
    cycles += double(bytes) / double(machine.l2BytesPerCycle);
  cycles += kGroupStart * structure.groups.size();
  return cycles * type.getDimSize(2) / rows;
}

/// Whether bands of `rows` rows of the output begin with a cache line.
static bool isAligned(Conv2DOp op, int64_t rows) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(cast<MemRefType>(op.getInit().getType())
                 .getStridesAndOffset(strides, offset)))
    return false;
  return strides[1] % kCacheLine == 0 && rows * strides[2] % kCacheLine == 0;
}

/// Cycles that a thread waits for other processors. With one band that is for
/// the input, which all have written a part of, but for no weights other than
/// those of its own rows; with bands of its own for the weights of all rows,
/// and for the line of each channel that two bands write.
static double estimateSharing(Conv2DOp op, const InputLayout &layout,
                              const PackedStructure &structure, int64_t rows,
                              const MachineModel &machine, int64_t threads) {
  int64_t height = cast<MemRefType>(op.getInit().getType()).getDimSize(2);
  auto own = 1 / double(threads);
  double bytes = 4 * double(structure.getNumValues());
  double cycles = 0;
  if (rows == height)
    bytes =
        bytes * own + 4 * double(layout.getElementsRead(height)) * (1 - own);
  else if (!isAligned(op, rows))
    cycles = kSharedLine * double(structure.numRows);
  return cycles + bytes / double(machine.l3BytesPerCycle);
}

int64_t loops::chooseBandRows(Conv2DOp op, ScheduleAttr schedule,
                              const InputLayout &layout,
                              const PackedStructure &structure,
                              const MachineModel &machine, int64_t threads) {
  if (int64_t band = schedule.getBand())
    return band;
  int64_t height = cast<MemRefType>(op.getInit().getType()).getDimSize(2);
  auto estimate = [&](int64_t rows) {
    return estimateCycles(op, schedule, layout, structure, rows, machine);
  };
  int64_t best = height;
  double leastCycles = estimate(height);
  for (int64_t rows = height - 1; rows >= 1; --rows) {
    if (height % rows != 0)
      continue;
    double cycles = estimate(rows);
    if (cycles < leastCycles) {
      leastCycles = cycles;
      best = rows;
    }
  }
  // Threads share the rows of W of a band, or have a band each.
  if (threads == 1 || best < height || height % threads != 0)
    return best;
  auto share = [&](int64_t rows) {
    return estimate(rows) / double(threads) +
           estimateSharing(op, layout, structure, rows, machine, threads);
  };
  int64_t own = height / threads;
  return share(own) < share(height) ? own : height;
}

int64_t loops::chooseChunks(int64_t bands, int64_t threads) {
  bool enough = bands % threads == 0 || bands >= 4 * threads;
  return enough ? 1 : threads;
}
