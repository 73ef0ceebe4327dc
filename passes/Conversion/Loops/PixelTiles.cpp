//===- PixelTiles.cpp - Tiles of output positions -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/PixelTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

static int64_t divideCeil(int64_t a, int64_t b) {
  return static_cast<int64_t>(llvm::divideCeil(a, b));
}

PixelTiles PixelTiles::makeFlat(int64_t length, int64_t lanes, bool exact) {
  PixelTiles tiles;
  tiles.length = length;
  tiles.lanes = tiles.pieceWidth = lanes;
  tiles.exact = exact;
  return tiles;
}

PixelTiles PixelTiles::makeStrided(const InputLayout &layout, int64_t bandRows,
                                   int64_t width, int64_t outputPitch,
                                   int64_t lanes) {
  PixelTiles tiles;
  tiles.strided = true;
  tiles.lanes = lanes;
  tiles.piecesPerVector = width < lanes ? 2 : 1;
  tiles.pieceWidth = std::min(lanes / tiles.piecesPerVector, width);
  tiles.bandRows = bandRows;
  tiles.width = width;
  tiles.outputPitch = outputPitch;
  tiles.rowStep = layout.getRowStep();
  tiles.columnStep = layout.getColumnStep();
  return tiles;
}

int64_t PixelTiles::getNumVectors(int64_t most) const {
  if (!strided)
    return std::min<int64_t>(most, divideCeil(length, lanes));
  Shape shape = chooseShape(most);
  return divideCeil(shape.rows * shape.pieces, piecesPerVector);
}

int64_t PixelTiles::getTotalVectors(int64_t vectors) const {
  if (!strided)
    return divideCeil(length, lanes);
  Shape shape = chooseShape(vectors);
  return divideCeil(bandRows, shape.rows) * shape.parts *
         getNumVectors(vectors);
}

PixelTiles::Shape PixelTiles::chooseShape(int64_t vectors) const {
  int64_t room = piecesPerVector * vectors;
  int64_t inRow = divideCeil(width, lanes / piecesPerVector);
  // The largest tile of those that leave least of the last one over.
  if (inRow > room) {
    auto getWork = [&](int64_t pieces) {
      return divideCeil(inRow, pieces) * pieces;
    };
    int64_t best = 1;
    for (int64_t pieces = 2; pieces <= room; ++pieces)
      if (getWork(pieces) <= getWork(best))
        best = pieces;
    return {1, best, divideCeil(inRow, best)};
  }
  auto getWork = [&](int64_t rows) {
    return divideCeil(bandRows, rows) *
           llvm::alignTo(rows * inRow, piecesPerVector);
  };
  int64_t best = 1;
  for (int64_t rows = 2; rows <= std::min(bandRows, room / inRow); ++rows)
    if (getWork(rows) <= getWork(best))
      best = rows;
  return {best, inRow, 1};
}

void PixelTiles::forEachFlat(
    Emitter &emitter, int64_t vectors,
    llvm::function_ref<void(const PixelTile &)> body) const {
  int64_t total = divideCeil(length, lanes);
  int64_t full = total / vectors;
  // Vectors of the last tile end with the band where nothing may be read or
  // written past it; then they do not fit the loop over full tiles.
  if (exact && length % lanes != 0 && total % vectors == 0)
    --full;
  auto emit = [&](Value base, Value before, int64_t begin, int64_t end,
                  int64_t last) {
    PixelTile tile;
    tile.output = tile.input = base;
    tile.vectorsBefore = before;
    for (int64_t i = begin; i < end; ++i) {
      int64_t position = std::min(i * lanes, last);
      tile.pieces.push_back({position, position});
    }
    tile.numPieces = end - begin;
    body(tile);
  };
  emitter.loop(full, [&](Value index) {
    emit(emitter.mul(index, vectors * lanes), emitter.mul(index, vectors), 0,
         vectors, total * lanes);
  });
  if (full * vectors < total)
    emit(emitter.index(0), emitter.index(full * vectors), full * vectors, total,
         exact ? length - lanes : total * lanes);
}

void PixelTiles::forEachStrided(
    Emitter &emitter, int64_t vectors,
    llvm::function_ref<void(const PixelTile &)> body) const {
  Shape shape = chooseShape(vectors);
  int64_t step = lanes / piecesPerVector, tileWidth = shape.pieces * step;
  // The last tile in either direction is moved back to end with the band.
  auto getBegin = [&](Value index, int64_t count, int64_t step, int64_t size) {
    Value begin = emitter.mul(index, step);
    if (count == 1 || count * step == size)
      return begin;
    return emitter.createOrFold<arith::MinSIOp>(begin,
                                                emitter.index(size - step));
  };
  int64_t bands = divideCeil(bandRows, shape.rows);
  emitter.loop(bands, [&](Value rowIndex) {
    Value row = getBegin(rowIndex, bands, shape.rows, bandRows);
    emitter.loop(shape.parts, [&](Value part) {
      Value column = getBegin(part, shape.parts, tileWidth, width);
      PixelTile tile;
      tile.vectorsBefore =
          emitter.mul(emitter.add(emitter.mul(rowIndex, shape.parts), part),
                      getNumVectors(vectors));
      tile.firstRow = emitter.mul(row, outputPitch);
      tile.output = emitter.add(tile.firstRow, column);
      tile.input = emitter.add(emitter.mul(row, rowStep),
                               emitter.mul(column, columnStep));
      for (int64_t r = 0; r < shape.rows; ++r) {
        tile.rows.push_back(r * outputPitch);
        for (int64_t i = 0; i < shape.pieces; ++i) {
          int64_t x = i * step;
          if (shape.parts == 1)
            x = std::min(x, width - pieceWidth);
          tile.pieces.push_back(
              {r * outputPitch + x, r * rowStep + x * columnStep});
        }
      }
      tile.numPieces = static_cast<int64_t>(tile.pieces.size());
      if (tile.numPieces % piecesPerVector != 0)
        tile.pieces.push_back(tile.pieces.back());
      body(tile);
    });
  });
}

void PixelTiles::forEachTile(
    Emitter &emitter, int64_t vectors,
    llvm::function_ref<void(const PixelTile &)> body) const {
  if (strided)
    forEachStrided(emitter, vectors, body);
  else
    forEachFlat(emitter, vectors, body);
}

Value PixelTiles::load(Emitter &emitter, const PixelTile &tile, Value input,
                       Value origin, int64_t index, int64_t bias) const {
  auto loadAt = [&](int64_t position) {
    return emitter.load(input, emitter.add(origin, position - bias), lanes);
  };
  int64_t first = tile.pieces[index * piecesPerVector].input;
  Value low = loadAt(first);
  if (!strided)
    return low;
  Value high = loadAt(piecesPerVector == 1 ? first + lanes
                                           : tile.pieces[2 * index + 1].input);
  SmallVector<int64_t> even;
  for (int64_t i = 0; i < 2 * lanes; i += 2)
    even.push_back(i);
  return vector::ShuffleOp::create(emitter, low, high, even);
}
