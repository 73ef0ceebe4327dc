//===- PixelTiles.h - Tiles of output positions ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which output positions the vectors of a tile hold, and where their inputs
// are. Without strides the positions of a band are one flat range and a vector
// is a piece of it. A convolution of stride two along the row reads its input
// in place too: a vector is a piece of one output row, or two halves of it are
// pieces of two where rows are shorter, and it is taken out of two loads by one
// shuffle.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_PIXELTILES_H
#define BCR_PASSES_CONVERSION_LOOPS_PIXELTILES_H

#include "passes/Conversion/Loops/InputLayout.h"

namespace mlir::bcr::loops {

/// Neighbouring output positions that some lanes of a tile's vectors hold.
struct TilePiece {
  /// Distance from the tile's first position in the output, and from its first
  /// element in the input.
  int64_t output;
  int64_t input;
  /// Where rows are longer in the input than in the output, elements of it that
  /// lie behind the rows before. Null if there are none.
  Value skipped = {};
};

/// A tile of positions at run time. Fields that are values count from the first
/// position of the band.
struct PixelTile {
  Value output;
  Value input;
  /// Vectors of the tiles before it.
  Value vectorsBefore;
  /// One for each vector, or two where halves have pieces of their own. The
  /// last of an odd number of halves is there twice.
  SmallVector<TilePiece> pieces;
  /// Pieces that are not there twice.
  int64_t numPieces = 0;
  /// Distances from the tile's first row to its rows, if the tiles are strided.
  SmallVector<int64_t> rows;
  /// The tile's first row, if the tiles are strided.
  Value firstRow;
};

class PixelTiles {
public:
  /// Flat tiles over `length` positions. `exact`: the last vector ends with
  /// them, so that nothing behind is read or written; there has to be a vector.
  static PixelTiles makeFlat(int64_t length, int64_t lanes, bool exact);
  /// Flat tiles over `bandRows` rows of `width` positions, whole vectors, that
  /// lie one after the other in the output and `inputPitch` elements apart in
  /// the input.
  static PixelTiles makeRows(int64_t bandRows, int64_t width,
                             int64_t inputPitch, int64_t lanes);
  /// Tiles of a convolution with stride two along the row over `bandRows` rows
  /// of `width` positions, that lie `outputPitch` apart.
  static PixelTiles makeStrided(const InputLayout &layout, int64_t bandRows,
                                int64_t width, int64_t outputPitch,
                                int64_t lanes);

  /// Divides flat tiles into `count` shares of about as many vectors each. The
  /// first ones are the larger ones, as whole vectors of a larger share than
  /// the last, which may have a part of one, are whole cache lines.
  void setShares(int64_t count) { shares = count; }

  bool isStrided() const { return strided; }
  int64_t getPiecesPerVector() const { return piecesPerVector; }
  /// Positions of a piece.
  int64_t getPieceWidth() const { return pieceWidth; }
  /// Vectors of the tiles where `most` are wanted.
  int64_t getNumVectors(int64_t most) const;
  int64_t getNumVectors(const PixelTile &tile) const {
    return static_cast<int64_t>(tile.pieces.size()) / piecesPerVector;
  }
  /// Vectors of all tiles.
  int64_t getTotalVectors(int64_t vectors) const;

  /// Covers the band, or share `share` of it where there are several, with
  /// tiles of up to `vectors` vectors. Positions may be in two tiles.
  void forEachTile(Emitter &emitter, int64_t vectors, Value share,
                   llvm::function_ref<void(const PixelTile &)> body) const;
  /// Loads vector `index` of a tile for the column that lies `bias` elements
  /// before `origin`.
  Value load(Emitter &emitter, const PixelTile &tile, Value input, Value origin,
             int64_t index, int64_t bias) const;

private:
  /// Rows and pieces of a row in a strided tile.
  struct Shape {
    int64_t rows, pieces;
    /// Tiles side by side.
    int64_t parts;
  };
  Shape chooseShape(int64_t vectors) const;
  void forEachFlat(Emitter &emitter, int64_t vectors,
                   llvm::function_ref<void(const PixelTile &)> body) const;
  void forEachShared(Emitter &emitter, int64_t vectors, Value share,
                     llvm::function_ref<void(const PixelTile &)> body) const;
  /// Calls `body` with a flat tile of the vectors from `begin` to `end`,
  /// counted from vector `before` of the band.
  void emitFlat(Emitter &emitter, Value before, int64_t begin, int64_t end,
                llvm::function_ref<void(const PixelTile &)> body) const;
  void forEachStrided(Emitter &emitter, int64_t vectors,
                      llvm::function_ref<void(const PixelTile &)> body) const;

  bool strided = false, exact = false;
  int64_t shares = 1;
  int64_t length = 0, lanes = 1, pieceWidth = 1, piecesPerVector = 1;
  /// Elements of the input between two rows of flat tiles.
  int64_t gap = 0;
  int64_t bandRows = 0, width = 0, outputPitch = 0, rowStep = 0, columnStep = 1;
};

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_PIXELTILES_H
