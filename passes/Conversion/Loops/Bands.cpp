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
static constexpr double kCacheShare = 0.8;

/// Elements of a cache line.
static constexpr int64_t kCacheLine = 16;

/// Cycles that a line costs which two threads write at about the same time,
/// measured on a Zen 5 processor whose cores share a cache.
static constexpr double kSharedLine = 70;

/// How much longer than the third cache another processor takes for what it has
/// written and will write again.
static constexpr double kHandedOver = 1.5;

/// Lines that a processor asks for behind those that a thread writes, measured
/// there as well.
static constexpr double kForeseenLines = 24;

/// Cycles to start with a group: its bounds, its bias, the turn of the loops.
static constexpr double kGroupStart = 40;

/// Cycles to fill and to drain the accumulators of a tile.
static constexpr double kTileStart = 20;

int64_t loops::getBandLength(int64_t rows, int64_t width, int64_t pitch) {
  return rows * pitch - (pitch - width);
}

bool loops::fetchesBands(Conv2DOp op, const InputLayout &layout, int64_t rows,
                         const MachineModel &machine, int64_t threads) {
  int64_t height = cast<MemRefType>(op.getInit().getType()).getDimSize(2);
  return rows * threads < height && layout.canReadInPlace() &&
         4 * layout.getElementsRead(height) > machine.l2Bytes;
}

/// Cycles of one thread for all bands of `rows` rows, if each of `sharers`
/// reads a part of the input of a band.
static double estimateCycles(Conv2DOp op, ScheduleAttr schedule,
                             const InputLayout &layout,
                             const PackedStructure &structure, int64_t rows,
                             const MachineModel &machine, int64_t threads,
                             int64_t sharers = 1) {
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
  if (double(bytes) / double(sharers) > kCacheShare * double(machine.l2Bytes))
    cycles *= kCacheMiss;
  if (!layout.isInPlace() &&
      !(layout.canReadInPlace() && layout.hasPitchOfCopy()))
    cycles += double(bytes) / double(machine.l3BytesPerCycle);
  else if (fetchesBands(op, layout, rows, machine, threads))
    cycles += double(bytes) / double(machine.l2BytesPerCycle);
  cycles += kGroupStart * structure.groups.size();
  return cycles * type.getDimSize(2) / rows;
}

/// Whether what lies `step` elements apart in the output begins with a cache
/// line, in every channel.
static bool isAligned(Conv2DOp op, int64_t step) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(cast<MemRefType>(op.getInit().getType())
                 .getStridesAndOffset(strides, offset)))
    return false;
  return strides[1] % kCacheLine == 0 && step % kCacheLine == 0;
}

namespace {
/// What a thread does of a layer, and for how many cycles it waits for memory
/// and for other processors, in each of the ways to share the layer.
class Sharing {
public:
  Sharing(Conv2DOp op, const InputLayout &layout,
          const PackedStructure &structure, const MachineModel &machine,
          int64_t threads)
      : op(op), structure(structure), own(1 / double(threads)),
        bytesPerCycle(double(machine.l3BytesPerCycle)) {
    auto output = cast<MemRefType>(op.getInit().getType());
    int64_t height = output.getDimSize(2);
    weightBytes = 4 * double(structure.getNumValues());
    inputBytes = 4 * double(layout.getElementsRead(height));
    outputBytes = 4 * double(structure.numRows * height * output.getDimSize(3));
  }

  /// Each thread has rows of W.
  double getLargestShareOfRows() {
    std::optional<ArrayRef<int64_t>> chunks = op.getChunks();
    if (!chunks || structure.getNumValues() == 0)
      return own;
    std::vector<int64_t> weights(chunks->size(), 0);
    for (auto [index, group] : llvm::enumerate(structure.groups)) {
      int64_t chunk = llvm::upper_bound(*chunks, static_cast<int64_t>(index)) -
                      chunks->begin() - 1;
      weights[chunk] += group.rowCount * group.columnCount;
    }
    return double(*llvm::max_element(weights)) /
           double(structure.getNumValues());
  }
  /// It needs no other weights, but all of the input, of which the others have
  /// written their part.
  double byRows() {
    return (weightBytes * own + inputBytes * (1 - own) * kHandedOver) /
           bytesPerCycle;
  }
  /// Each thread has positions. It needs all weights, and of what the others
  /// have written only what lies at its positions.
  double byPositions() {
    return (weightBytes + inputBytes * own * (1 - own) +
            4 * kCacheLine * countForeseen()) /
           bytesPerCycle;
  }
  /// The same with bands, the next one `step` positions farther: at the end of
  /// each row, a thread waits for the line that two write.
  double byBands(int64_t step) {
    return byPositions() +
           (isAligned(op, step) ? 0 : kSharedLine * double(structure.numRows));
  }

private:
  /// Lines of other threads that a processor asks for, as they follow those
  /// that a thread writes, and has to give back.
  double countForeseen() {
    double lines =
        outputBytes * own / double(structure.numRows) / double(4 * kCacheLine);
    return std::min(lines, kForeseenLines) * double(structure.numRows);
  }

  Conv2DOp op;
  const PackedStructure &structure;
  double own, bytesPerCycle, weightBytes, inputBytes, outputBytes;
};
} // namespace

Division loops::divideImage(Conv2DOp op, ScheduleAttr schedule,
                            const InputLayout &layout,
                            const PackedStructure &structure,
                            const MachineModel &machine, int64_t threads,
                            bool canShareTiles) {
  auto type = cast<MemRefType>(op.getInit().getType());
  int64_t height = type.getDimSize(2);
  int64_t sharers = canShareTiles ? threads : 1;
  auto estimate = [&](int64_t rows) {
    return estimateCycles(op, schedule, layout, structure, rows, machine,
                          threads, rows == height ? sharers : 1);
  };
  int64_t best = schedule.getBand();
  if (!best) {
    best = height;
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
  }
  if (threads == 1 || best < height)
    return {best, false};

  Sharing sharing(op, layout, structure, machine, threads);
  Division division{height, false};
  double least =
      estimate(height) * sharing.getLargestShareOfRows() + sharing.byRows();
  auto consider = [&](Division other, double cycles) {
    if (cycles < least) {
      least = cycles;
      division = other;
    }
  };
  if (canShareTiles) {
    int64_t lanes = schedule.getLanes();
    int64_t vectors = llvm::divideCeil(
        getBandLength(height, type.getDimSize(3), layout.getPitch()), lanes);
    int64_t most = llvm::divideCeil(vectors, threads);
    consider({height, true}, estimate(height) * double(most) / double(vectors) +
                                 sharing.byPositions());
  }
  if (!schedule.getBand() && height % threads == 0) {
    int64_t rows = height / threads;
    consider({rows, false}, estimate(rows) / double(threads) +
                                sharing.byBands(rows * layout.getPitch()));
  }
  return division;
}

int64_t loops::chooseChunks(int64_t bands, int64_t threads) {
  bool enough = bands % threads == 0 || bands >= 4 * threads;
  return enough ? 1 : threads;
}
