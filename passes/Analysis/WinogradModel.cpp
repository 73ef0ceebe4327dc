//===- WinogradModel.cpp - Cycles of the kernel winograd ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/WinogradModel.h"
#include "passes/Analysis/WinogradTiles.h"

#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using llvm::divideCeil;

/// Instructions of a transform of one vector of tiles, a row of it: loads,
/// shuffles, arithmetic, stores; and of a vector of pixels across the rows.
static constexpr double kTileInstructions = 33;
static constexpr double kPixelInstructions = 28;
/// Vector instructions of the transforms in a cycle, for each unit.
static constexpr double kTransformRate = 0.9;
/// Beginning with a register tile, and storing it.
static constexpr double kTileOverhead = 16;
/// How much slower the products are with accumulators in memory.
static constexpr double kSpills = 2;
/// The loop, in a column.
static constexpr double kColumnOverhead = 0.25;

/// Cycles of one channel of a register tile.
static double getColumnCycles(const WinogradTiles &tiles,
                              const MachineModel &machine, int64_t vectors,
                              int64_t rest) {
  auto ports = double(machine.loadPorts);
  double vectorBytes = double(tiles.lanes * 4);
  // Inputs of a position that exceed the first cache come from the second.
  double positionBytes = double(tiles.getInputStride() * 4);
  double loadCycles = positionBytes > double(machine.l1Bytes) / 2
                          ? vectorBytes / double(machine.l2BytesPerCycle)
                          : 0.0;
  // Each tile of the rest is a vector of output channels.
  int64_t restVectors = rest * divideCeil(tiles.height, tiles.lanes);
  double multiplyAdds =
      double(tiles.height * vectors + restVectors) / double(machine.fmaPipes);
  double loads = double(tiles.height + 2 * restVectors) / ports +
                 double(vectors) * std::max(loadCycles, 1 / ports);
  return std::max({multiplyAdds, loads, double(machine.fmaLatency)}) +
         kColumnOverhead;
}

/// Whether the accumulators of the tiles that fill no vector have registers.
static bool fitsRegisters(const WinogradTiles &tiles,
                          const MachineModel &machine) {
  int64_t rest = tiles.getRestTiles();
  int64_t perTile = divideCeil(tiles.height, machine.lanes);
  int64_t needed = tiles.height * tiles.vectors + tiles.vectors + 1;
  return rest == 0 || needed + rest * perTile + 1 <= machine.registers;
}

/// Cycles of a convolution.
static double estimateCycles(const LayerWork &work, const MachineModel &machine,
                             const WinogradTiles &tiles) {
  int64_t total = tiles.getBandVectors(), rest = tiles.getRestTiles();
  auto getTileCycles = [&](int64_t vectors, int64_t restTiles) {
    return double(tiles.channels) *
               getColumnCycles(tiles, machine, vectors, restTiles) +
           kTileOverhead;
  };
  int64_t left = total % tiles.vectors;
  int64_t last = left == 0 && rest > 0 ? tiles.vectors : left;
  double block = double((total - last) / tiles.vectors) *
                 getTileCycles(tiles.vectors, /*restTiles=*/0);
  if (last > 0)
    block += getTileCycles(last, rest);
  double products = double(kWinogradPositions * tiles.getNumBlocks()) * block;
  // The weights pass by once for each band: from memory the first time, since
  // those of a network fill any cache.
  double weightBytes = double(tiles.getNumWeights() * 4);
  double fromMemory = weightBytes / double(machine.memoryBytesPerCycle);
  double again = weightBytes > double(machine.l3Bytes)
                     ? fromMemory
                     : weightBytes / double(machine.l3BytesPerCycle);
  double bands = double(tiles.getNumBands());
  double cycles =
      std::max(products, fromMemory) + (bands - 1) * std::max(products, again);

  double rate = kTransformRate * double(machine.fmaPipes);
  double perRow =
      (double(kWinogradReach * tiles.getTransforms()) * kTileInstructions +
       double(divideCeil(work.imageWidth, tiles.lanes)) * kPixelInstructions) /
      rate;
  cycles += double(tiles.tileRows * (tiles.channels + tiles.rows)) * perRow;
  // What does not stay in the second cache is written and read once.
  auto kept = double(tiles.getInputBytes() + tiles.getProductBytes());
  if (kept > double(machine.l2Bytes))
    cycles += bands * 2 *
              double(tiles.getInputBytes() +
                     tiles.getNumPasses() * tiles.getProductBytes()) /
              double(machine.l3BytesPerCycle);
  if (!fitsRegisters(tiles, machine))
    cycles *= kSpills;
  return cycles * double(work.numImages);
}

std::pair<ScheduleAttr, double>
mlir::bcr::chooseWinogradBand(MLIRContext *context, const LayerWork &work,
                              const MachineModel &machine, int64_t height,
                              int64_t vectors) {
  std::pair<ScheduleAttr, double> best;
  int64_t tileRows =
      std::max<int64_t>(divideCeil(work.imageHeight, kWinogradTile), 1);
  for (int64_t rows = 1; rows <= tileRows; ++rows) {
    auto schedule =
        ScheduleAttr::get(context, KernelKind::Winograd, height, vectors,
                          machine.lanes, rows * kWinogradTile);
    WinogradTiles tiles(
        {work.numChannels, work.numRows, work.imageHeight, work.imageWidth},
        schedule);
    double cycles = estimateCycles(work, machine, tiles);
    if (!best.first || cycles < best.second)
      best = {schedule, cycles};
  }
  return best;
}
