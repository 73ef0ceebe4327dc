//===- InputLayout.h - Where a convolution finds its input -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The kernels read the input of one sample as one flat array in which column
// (c, i, j) of W is one constant offset: output position (y, x) reads element
// y * pitch + x + offset. With strides, the array has a copy of the image for
// each remainder of the coordinates that the kernel reads (a phase). Zeros of
// the padding lie between the rows: as wide as the wider side only, because the
// right end of a row and the left end of the next share them.
//
// The array holds the whole image, or a window of as many rows as a part of the
// output reads, so that it stays in a cache.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_INPUTLAYOUT_H
#define BCR_PASSES_CONVERSION_LOOPS_INPUTLAYOUT_H

#include "passes/Analysis/ConvAxis.h"
#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

class InputLayout {
public:
  /// `rounding`: kernels may read this many elements past the last position.
  InputLayout(Conv2DOp op, int64_t rounding);

  /// Whether the input can be read where it is. Nothing is read past its end
  /// but what `overread` of the layer allows.
  bool canReadInPlace() const { return readableInPlace; }
  /// Whether the inputs of neighbouring positions are neighbours.
  bool hasStrideOne() const { return y.stride == 1 && x.stride == 1; }
  /// Whether a copy would have its positions where the input has them.
  bool hasPitchOfCopy() const {
    return hasStrideOne() && pitch == inPlacePitch;
  }
  /// Decides to read in place.
  void readInPlace() {
    inPlace = true;
    channelStride = inPlaceStride;
    pitch = inPlacePitch;
  }
  bool isInPlace() const { return inPlace; }

  /// Decides to copy what `rows` output rows read instead of the image.
  void setWindow(int64_t rows);
  bool isWindowed() const { return windowed; }

  int64_t getPitch() const { return pitch; }
  /// Elements between the inputs of two neighbouring output positions, and of
  /// two output rows.
  int64_t getColumnStep() const { return inPlace ? x.stride : 1; }
  int64_t getRowStep() const { return inPlace ? y.stride * pitch : pitch; }
  /// Element of column `column` of W for output position 0 of the first group
  /// of the convolution.
  int64_t getOffset(int64_t column) const;
  /// The offsets of all columns.
  std::vector<int32_t> getOffsets() const;
  /// Elements from a group of the convolution to the next.
  int64_t getConvGroupStride() const {
    return channels / convGroups * channelStride;
  }
  int64_t getNumChannels() const { return channels; }
  int64_t getChannelStride() const { return channelStride; }
  /// Elements of a channel from the first to the last that `rows` output rows
  /// read in place.
  int64_t getSpan(int64_t rows) const;
  /// Elements of all channels that `rows` output rows read.
  int64_t getElementsRead(int64_t rows) const;
  /// Elements of one copy of the image or of a window.
  int64_t getNumElements() const;

  /// The parts of a copy: row r and column c of each channel of a part hold
  /// row r * stride + y and column c * stride + x of the image, or a zero.
  struct Part {
    int64_t begin, y, x;
  };
  SmallVector<Part> getParts() const;
  /// Rows of a channel of a part; they are `getPitch()` apart.
  int64_t getNumRows() const { return getWindowReach(); }

  /// Allocates the copy of a window of one sample, or returns null.
  Value allocate(Emitter &emitter) const;
  /// Fills `buffer` from sample `sample` and returns the flat input. A window
  /// begins with what output row `firstRow` reads. `parallel`: channels may be
  /// shared over the threads.
  Value fill(Emitter &emitter, Value sample, Value firstRow, Value buffer,
             int64_t lanes, bool parallel) const;

private:
  void computeStrides();
  /// Rows of a channel of one phase in the copy.
  int64_t getWindowReach() const {
    return windowRows + y.getStep(y.kernel - 1);
  }
  int64_t getPhaseIndex(int64_t phaseY, int64_t phaseX) const;
  void fillChannel(Emitter &emitter, Value buffer, Value sample, Value channel,
                   Value firstRow, int64_t phaseY, int64_t phaseX,
                   int64_t lanes) const;
  void fillRow(Emitter &emitter, Value buffer, Value row, int64_t phaseX,
               ValueRange source, int64_t lanes) const;
  Value loadStrided(Emitter &emitter, ValueRange indices, int64_t width) const;
  void fillZero(Emitter &emitter, Value buffer, Value begin, int64_t length,
                int64_t lanes) const;

  Value input;
  ConvAxis y, x;
  SmallVector<int64_t> phasesY, phasesX;
  int64_t channels, convGroups;
  int64_t pitch = 0, channelStride = 0, phaseStride = 0;
  int64_t inPlacePitch = 0, inPlaceStride = 0, overread;
  int64_t rounding, windowRows;
  bool readableInPlace = false, inPlace = false, windowed = false;
};

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_INPUTLAYOUT_H
