//===- ImageRows.h - Rows of images in memory ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_IMAGEROWS_H
#define BCR_PASSES_CONVERSION_LOOPS_IMAGEROWS_H

#include "passes/Conversion/Loops/Emitter.h"

#include <optional>

namespace mlir::bcr::loops {

/// Elements from a row of an image to the next, if those of a row are
/// neighbours.
std::optional<int64_t> getImagePitch(Value memref);

/// A view of images whose last two dimensions are one, with what lies between
/// the rows. Null for null; the pitch has to be known.
Value flattenImage(Emitter &emitter, Value memref);

/// Sets the gap after one row of an image of the output to zero. `row` is the
/// sample, the channel and the row.
void emitZeroGap(Emitter &emitter, Conv2DOp conv, ValueRange row);

/// One i32 for each of `length` flat positions: all bits set where it is in the
/// image, none in the gaps between the rows.
DenseElementsAttr makeGapMask(Builder &builder, int64_t length, int64_t width,
                              int64_t pitch);

/// Records the bytes that a call copies to bring one sample into the layout of
/// the kernel, and its result from there to the output.
void recordCopies(Emitter &emitter, LayerOpInterface layer,
                  int64_t inputElements, int64_t outputElements);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_IMAGEROWS_H
