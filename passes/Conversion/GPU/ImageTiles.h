//===- ImageTiles.h - Work-items of a convolution --------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which positions of the image a work-item computes, and where these lie.
//
// Work-items of a group are neighbouring positions, so they load neighbouring
// inputs. Where a position of the input's layout is one of the output,
// positions are flat, and a work-item has several of them, a work-group's size
// apart. So they are in a narrow image whose input has rows that are little
// longer, though the output has not: then a position of the output is found by
// its row and column. Else a work-group is in one row of the image, and a
// work-item has that column of several rows. Where groups do not divide the
// image, the last one computes some positions again and does not store them.
//
// A processor would scatter what it finds by row and column. Where rows of the
// image fill vectors about as well, it takes rows of a copy, with what is
// behind them, and stores neighbours.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_GPU_IMAGETILES_H
#define BCR_PASSES_CONVERSION_GPU_IMAGETILES_H

#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/InputLayout.h"

namespace mlir::bcr::gpu_kernels {

/// A position of the image.
struct ImagePosition {
  /// From the first element of a channel of the input, of the output and of
  /// the residual.
  Value input, output, residual;
  /// Whether it is this work-item's to store, and the op's; null: it is.
  Value isStored;
  /// Whether it gets its sum and not the zero of a gap between two rows; null:
  /// it does.
  Value isInImage;
};

/// The positions of a work-item, in one sample.
struct ImageTile {
  Value sample;
  SmallVector<ImagePosition> positions;
};

class ImageTiles {
public:
  /// The layouts of the operands are known; `layout` reads in place, or from a
  /// copy of each sample that the layer has as its input.
  ImageTiles(Conv2DOp op, const loops::InputLayout &layout,
             const KernelOptions &options, Emitter &emitter);

  using Body = llvm::function_ref<void(const ImageTile &, Value unit)>;
  /// Launches a kernel over all positions, all samples and `units`, for each of
  /// which a work-item reads its share of `weightBytes` and has sums of `rows`
  /// rows.
  void launchOver(StringRef name, int64_t units, int64_t rows,
                  int64_t weightBytes, Body body);
  /// Writes the zeros between the rows of the output, where kernels do not.
  void launchGaps();

  Value getInput() const { return input; }
  /// The first element of the sample's input.
  Value getOrigin(const ImageTile &tile);
  Value loadOutput(const ImageTile &tile, Value row, const ImagePosition &at);
  void storeOutput(Value value, const ImageTile &tile, Value row,
                   const ImagePosition &at);
  /// Residual, activation and store of a sum.
  void finish(Value sum, const ImageTile &tile, Value row,
              const ImagePosition &at);

private:
  /// Positions that a group of work-items computes.
  struct Shape {
    /// Work-items, and positions of each.
    int64_t local = 1, count = 1;
    /// Groups that cover the image.
    int64_t tiles = 1;
  };
  Shape chooseShape(int64_t units, int64_t rows);
  /// The element of a column of a row.
  Value locate(Value y, int64_t rowStride, Value x, int64_t columnStride);
  ImagePosition makeFlatPosition(Value position);
  ImagePosition makePosition(Value y, Value x, bool whole);
  void emitFlat(const Shape &shape, Value tile, const WorkItem &item,
                Value sample, Value unit, Body body);
  void emitColumns(const Shape &shape, Value tile, const WorkItem &item,
                   Value sample, Value unit, Body body);
  /// Position in the flat output or residual of `position` of a channel.
  Value getElement(ArrayRef<int64_t> strides, const ImageTile &tile, Value row,
                   Value position);

  Conv2DOp op;
  Emitter &emitter;
  int64_t samples, height, width;
  /// Elements of the input between two rows and two columns of the output.
  int64_t rowStep, columnStep;
  /// Elements between two rows of the output, if those of a row are neighbours.
  int64_t pitch = 0;
  bool flat = false;
  /// Work-items behind the end of a row may load, and store nothing.
  bool overruns = false;
  /// Positions are those of an input with rows this far apart, and the output
  /// has others; else 0.
  int64_t inputPitch = 0;
  /// Flat positions, and elements between two of them.
  int64_t length = 0, inputStep = 1, outputStep = 1, residualStep = 1;
  int64_t inputBytes;
  SmallVector<int64_t> inputStrides, outputStrides, residualStrides;
  Value input, output, residual;
};

} // namespace mlir::bcr::gpu_kernels

#endif // BCR_PASSES_CONVERSION_GPU_IMAGETILES_H
