//===- WinogradTransforms.h - The matrices of F(4x4, 3x3) ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Four outputs of a convolution with three taps are A^T ((G g) * (B^T d)): six
// multiplications of transformed weights g and inputs d instead of twelve
// (Winograd 1980; Lavin and Gray 2016, section 4.1). In two dimensions the
// transforms are applied to rows and to columns: 36 for 144.
//
// The points of interpolation are 0, the positive and negative square roots of
// 1/2 and of 2, and infinity. Errors are a third of those with 0, 1, -1, 2, -2,
// the points of Lavin and Gray: the powers of the points are nearer to one
// (Barabasz, Anderson, Soodhalter and Gregg 2020, section 6, on the choice of
// points).
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINOGRADTRANSFORMS_H
#define BCR_PASSES_CONVERSION_LOOPS_WINOGRADTRANSFORMS_H

#include "passes/Analysis/WinogradTiles.h"
#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// The 3x3 kernels of `weights`, (row, channel, i, j) row-major, transformed,
/// in the order in which the products visit them: (pass of the rows, position
/// of a tile, block of `height` rows, channel, row of the block). Rows after
/// the last one are zeros.
std::vector<float> transformWeights(ArrayRef<float> weights,
                                    const WinogradTiles &tiles);

/// B^T d of six inputs.
SmallVector<Value> transformInput(Emitter &emitter, ArrayRef<Value> inputs);

/// A^T m of six products: four outputs.
SmallVector<Value> transformOutput(Emitter &emitter, ArrayRef<Value> products);

/// The last `count` elements of `before`, then those of `after`.
Value shiftLanes(Emitter &emitter, Value before, Value after, int64_t count);

/// Loads columns 4 t to 4 t + 5 of `width` neighbouring tiles t, beginning with
/// the tile whose first column is at `position` of `row`: six vectors. Up to 5
/// `width` columns are read.
SmallVector<Value> loadTileColumns(Emitter &emitter, Value row, Value position,
                                   int64_t width);

/// Stores four vectors, columns 4 t to 4 t + 3 of neighbouring tiles, in the
/// order of the columns.
void storeTileColumns(Emitter &emitter, ArrayRef<Value> columns, Value row,
                      Value position);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINOGRADTRANSFORMS_H
