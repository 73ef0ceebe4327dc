//===- WinogradTiles.cpp - How Winograd's kernel cuts a layer -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/WinogradTiles.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using llvm::alignTo;
using llvm::divideCeil;

/// Bytes of transformed inputs and of products that are thought to stay in a
/// cache of the second level.
static constexpr int64_t kInputBytes = 3 << 18;
static constexpr int64_t kProductBytes = 1 << 17;

/// Each takes a register, and another one for the weights of a block.
static constexpr int64_t kMaxRestTiles = 2;

/// Elements of a cache line.
static constexpr int64_t kCacheLine = 16;

WinogradTiles::Shape WinogradTiles::getShape(Conv2DOp conv) {
  auto input = cast<ShapedType>(conv.getInput().getType());
  auto init = cast<ShapedType>(conv.getInit().getType());
  return {input.getDimSize(1), conv.getNumRows(), init.getDimSize(2),
          init.getDimSize(3)};
}

WinogradTiles::WinogradTiles(const Shape &shape, ScheduleAttr schedule)
    : channels(shape.channels), rows(shape.rows),
      tileRows(divideCeil(shape.height, kWinogradTile)),
      tileColumns(divideCeil(shape.width, kWinogradTile)),
      bandRows(divideCeil(schedule.getBand(), kWinogradTile)),
      height(schedule.getHeight()), vectors(schedule.getVectors()),
      lanes(schedule.getLanes()) {
  bandRows = std::min(bandRows, tileRows);
  if (bandRows == 0) {
    bandRows = tileRows;
    while (bandRows > 1 && getInputBytes() > kInputBytes)
      --bandRows;
  }
  // Each pass reads all transformed inputs: where they do not stay in the
  // second cache, one pass writes its products there too.
  blocksPerPass = getNumBlocks();
  if (getInputBytes() > kInputBytes)
    return;
  do {
    if (getProductBytes() <= kProductBytes)
      return;
    do
      --blocksPerPass;
    while (blocksPerPass > 1 && getNumBlocks() % blocksPerPass != 0);
  } while (blocksPerPass > 1);
}

void WinogradTiles::sharePasses(int64_t threads) {
  for (int64_t blocks = blocksPerPass; blocks > 1; --blocks) {
    if (getNumBlocks() % blocks != 0)
      continue;
    int64_t passes = getNumBlocks() / blocks;
    if (passes % threads == 0 || passes >= 4 * threads) {
      blocksPerPass = blocks;
      return;
    }
  }
  blocksPerPass = 1;
}

int64_t WinogradTiles::getNumBands() const {
  return divideCeil(tileRows, bandRows);
}

int64_t WinogradTiles::getNumBlocks() const { return divideCeil(rows, height); }

int64_t WinogradTiles::getRestTiles() const {
  int64_t rest = getBandTiles() % lanes;
  bool few = rest <= kMaxRestTiles && 2 * rest <= height;
  return few && getBandTiles() > lanes && llvm::isPowerOf2_64(height) ? rest
                                                                      : 0;
}

int64_t WinogradTiles::getBandVectors() const {
  return divideCeil(getBandTiles() - getRestTiles(), lanes);
}

int64_t WinogradTiles::getTransformWidth() const {
  return std::min<int64_t>(lanes, llvm::PowerOf2Ceil(tileColumns));
}

int64_t WinogradTiles::getTransforms() const {
  return divideCeil(tileColumns, getTransformWidth());
}

int64_t WinogradTiles::getTileStride() const {
  // The last vector of a row of tiles runs into the next row, which is
  // transformed after it, or past the last one.
  int64_t used =
      (bandRows - 1) * tileColumns + getTransforms() * getTransformWidth();
  return alignTo(std::max(used, getBandTiles()), lanes);
}

/// Elements with an odd number of cache lines: as many positions as a cache has
/// sets then lie in different sets.
static int64_t spread(int64_t elements) {
  return divideCeil(elements, kCacheLine) / 2 * 2 * kCacheLine + kCacheLine;
}

int64_t WinogradTiles::getInputStride() const {
  return spread(channels * getTileStride());
}

int64_t WinogradTiles::getProductStride() const {
  return spread(blocksPerPass * height * getTileStride());
}

int64_t WinogradTiles::getInputPitch() const {
  return alignTo(getOutputPitch() + getTransformWidth() + 1, kCacheLine);
}

int64_t WinogradTiles::getOutputPitch() const {
  return kWinogradTile * getTransforms() * getTransformWidth();
}

int64_t WinogradTiles::getNumWeights() const {
  return kWinogradPositions * getNumBlocks() * height * channels;
}
