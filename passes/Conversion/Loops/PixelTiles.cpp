//===- PixelTiles.cpp - Tiles of output positions -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/PixelTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/SetVector.h"
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

PixelTiles PixelTiles::makeRows(int64_t bandRows, int64_t width,
                                int64_t inputPitch, int64_t lanes) {
  PixelTiles tiles = makeFlat(bandRows * width, lanes, /*exact=*/true);
  tiles.width = width;
  if (bandRows > 1)
    tiles.gap = inputPitch - width;
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

void PixelTiles::emitFlat(
    Emitter &emitter, Value before, int64_t begin, int64_t end,
    llvm::function_ref<void(const PixelTile &)> body) const {
  int64_t total = divideCeil(length, lanes);
  PixelTile tile;
  tile.output = tile.input = emitter.mul(before, lanes);
  tile.vectorsBefore = emitter.add(before, begin);
  // Vectors of the last tile end with the band where nothing may be read or
  // written past it.
  bool known = matchPattern(before, m_Zero());
  for (int64_t i = begin; i < end; ++i) {
    int64_t position = i * lanes;
    if (known && exact && i + 1 == total)
      position = length - lanes;
    TilePiece piece{position, position};
    if (gap > 0)
      piece.skipped =
          emitter.mul(emitter.div(emitter.add(before, i), width / lanes), gap);
    tile.pieces.push_back(piece);
  }
  tile.numPieces = end - begin;
  body(tile);
}

void PixelTiles::forEachFlat(
    Emitter &emitter, int64_t vectors,
    llvm::function_ref<void(const PixelTile &)> body) const {
  int64_t total = divideCeil(length, lanes);
  int64_t full = total / vectors;
  // A tile whose last vector is moved back does not fit the loop.
  if (exact && length % lanes != 0 && total % vectors == 0)
    --full;
  emitter.loop(full, [&](Value index) {
    emitFlat(emitter, emitter.mul(index, vectors), 0, vectors, body);
  });
  if (full * vectors < total)
    emitFlat(emitter, emitter.index(0), full * vectors, total, body);
}

void PixelTiles::forEachShared(
    Emitter &emitter, int64_t vectors, Value share,
    llvm::function_ref<void(const PixelTile &)> body) const {
  int64_t total = divideCeil(length, lanes), lastShare = shares - 1;
  auto getBegin = [&](int64_t index) {
    return divideCeil(index * total, shares);
  };
  // What the last share does in its loop and behind it.
  int64_t begin = getBegin(lastShare);
  int64_t full = (total - begin) / vectors;
  if (exact && length % lanes != 0 && (total - begin) % vectors == 0)
    --full;
  // The rest of the others by its vectors: their sizes differ by one at most.
  llvm::SmallSetVector<int64_t, 2> rests;
  for (int64_t i = 0; i < lastShare; ++i)
    rests.insert((getBegin(i + 1) - getBegin(i)) % vectors);

  auto getBeginOf = [&](Value index) {
    return emitter.div(emitter.add(emitter.mul(index, total), shares - 1),
                       shares);
  };
  auto compare = [&](Value value, int64_t with) -> Value {
    return arith::CmpIOp::create(emitter, arith::CmpIPredicate::eq, value,
                                 emitter.index(with));
  };
  Value first = getBeginOf(share);
  Value count = emitter.sub(getBeginOf(emitter.add(share, 1)), first);
  Value isLast = compare(share, lastShare);
  Value turns = arith::SelectOp::create(emitter, isLast, emitter.index(full),
                                        emitter.div(count, vectors));
  Value end = emitter.add(first, emitter.mul(turns, vectors));
  emitter.loop(first, end, vectors, [&](Value before) {
    emitFlat(emitter, before, 0, vectors, body);
  });
  auto emitIf = [&](Value condition, llvm::function_ref<void()> emitBody) {
    auto choice = scf::IfOp::create(emitter, condition);
    OpBuilder::InsertionGuard guard(emitter);
    emitter.setInsertionPointToStart(choice.thenBlock());
    emitBody();
  };
  Value rest = emitter.rem(count, vectors);
  for (int64_t some : rests) {
    if (some == 0)
      continue;
    Value isOther = arith::CmpIOp::create(emitter, arith::CmpIPredicate::ult,
                                          share, emitter.index(lastShare));
    emitIf(arith::AndIOp::create(emitter, isOther, compare(rest, some)),
           [&] { emitFlat(emitter, end, 0, some, body); });
  }
  if (begin + full * vectors < total)
    emitIf(isLast, [&] {
      emitFlat(emitter, emitter.index(0), begin + full * vectors, total, body);
    });
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
    Emitter &emitter, int64_t vectors, Value share,
    llvm::function_ref<void(const PixelTile &)> body) const {
  if (strided)
    forEachStrided(emitter, vectors, body);
  else if (shares > 1)
    forEachShared(emitter, vectors, share, body);
  else
    forEachFlat(emitter, vectors, body);
}

Value PixelTiles::load(Emitter &emitter, const PixelTile &tile, Value input,
                       Value origin, int64_t index, int64_t bias) const {
  auto loadAt = [&](int64_t position) {
    return emitter.load(input, emitter.add(origin, position - bias), lanes);
  };
  const TilePiece &piece = tile.pieces[index * piecesPerVector];
  int64_t first = piece.input;
  if (piece.skipped)
    origin = emitter.add(origin, piece.skipped);
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
