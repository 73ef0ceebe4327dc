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
/// The loop, in a column.
static constexpr double kColumnOverhead = 0.25;

/// Cycles of one channel of a register tile.
static double getColumnCycles(const WinogradTiles &tiles,
                              const MachineModel &machine, int64_t vectors) {
  auto ports = double(machine.loadPorts);
  double vectorBytes = double(tiles.lanes * 4);
  // Inputs of a position that exceed the first cache come from the second.
  double positionBytes = double(tiles.getInputStride() * 4);
  double loadCycles = positionBytes > double(machine.l1Bytes) / 2
                          ? vectorBytes / double(machine.l2BytesPerCycle)
                          : 0.0;
  double multiplyAdds =
      double(tiles.height * vectors) / double(machine.fmaPipes);
  double loads = double(tiles.height) / ports +
                 double(vectors) * std::max(loadCycles, 1 / ports);
  return std::max({multiplyAdds, loads, double(machine.fmaLatency)}) +
         kColumnOverhead;
}

double mlir::bcr::estimateWinogradCycles(const LayerWork &work,
                                         const MachineModel &machine,
                                         ScheduleAttr schedule) {
  WinogradTiles tiles(
      {work.numChannels, work.numRows, work.imageHeight, work.imageWidth},
      schedule);
  int64_t total = tiles.getBandVectors();
  int64_t full = total / tiles.vectors, rest = total % tiles.vectors;
  auto getTileCycles = [&](int64_t vectors) {
    return double(tiles.channels) * getColumnCycles(tiles, machine, vectors) +
           kTileOverhead;
  };
  double block = double(full) * getTileCycles(tiles.vectors);
  if (rest > 0)
    block += getTileCycles(rest);
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
  double kept = double(tiles.getInputBytes() + tiles.getProductBytes());
  if (kept > double(machine.l2Bytes))
    cycles += bands * 2 *
              double(tiles.getInputBytes() +
                     tiles.getNumPasses() * tiles.getProductBytes()) /
              double(machine.l3BytesPerCycle);
  return cycles * double(work.numImages);
}
