//===- PlaneKernel.h - A window that slides over one channel ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What depthwise convolution and pooling have in common: each output channel
// reads one input channel. The tile is a few output rows by one or several
// vectors of positions; an input vector is loaded once and used for all rows of
// the window that meet it.
//
// Nothing is copied. Rows of the padding are not visited. Vectors that reach
// over the left or right edge have code of their own, with a constant in the
// lanes outside the image: masked loads where the machine is thought to have
// them, else a load inside the image and a shuffle. The inner part of the image
// has plain loads only.
//
// With a stride of two, the columns of the last two taps come from two loads
// and two shuffles, even and odd. Those of a tap before them are those of the
// tap after next, moved by one: a shuffle with what is before them, which is a
// load or belongs to the vector before.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_PLANEKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_PLANEKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"

#include <map>

namespace mlir::bcr::loops {

/// Sizes of a sliding window: rows, then columns; padding is top, left, bottom,
/// right.
struct Window {
  ArrayRef<int64_t> kernel, strides, padding, dilations;
};

/// That of a convolution or a pooling.
template <typename OpT> Window getWindow(OpT op) {
  return {op.getKernel(), op.getStrides(), op.getPadding(), op.getDilations()};
}

class PlaneKernel {
public:
  /// Images [N, C, H, W] of `input` become those of `output`. `tileRows` output
  /// rows by `tileVectors` vectors are a tile; `outside` is what the window
  /// meets outside an image.
  PlaneKernel(Emitter &emitter, Value input, Value output, Window window,
              int64_t tileRows, int64_t tileVectors, int64_t lanes,
              double outside);
  virtual ~PlaneKernel() = default;

  /// Whether the images can be walked: a horizontal stride of one or two, and
  /// rows of neighbouring elements a known distance apart.
  static bool canWalk(ArrayRef<Value> images, Window window);

protected:
  /// One channel of one sample of an image tensor, as a flat array.
  struct Plane {
    Value flat, buffer, offset;
    int64_t pitch = 0;
  };
  /// One dimension of the image.
  struct Axis {
    int64_t size, outputs, kernel, stride, dilation, before;

    /// Input coordinate that tap `tap` of output `output` reads.
    int64_t getInput(int64_t output, int64_t tap) const {
      return output * stride - before + tap * dilation;
    }
    /// Whether outputs [begin, begin + count) read the image only.
    bool isInside(int64_t begin, int64_t count) const {
      return getInput(begin, 0) >= 0 &&
             getInput(begin + count - 1, kernel - 1) < size;
    }
  };

  /// What an output is before the window has met anything.
  virtual Value start() = 0;
  /// Before a tile is emitted.
  virtual void beginTile() {}
  /// Takes in what tap (`tapY`, `tapX`) of the window meets.
  virtual Value combine(Value sum, Value loaded, int64_t tapY,
                        int64_t tapX) = 0;
  /// From sums to outputs. `at` says where the outputs are.
  struct Place {
    Value firstRow, firstColumn;
    int64_t row;
  };
  virtual Value finish(Value sum, const Place &at) = 0;
  /// After all columns of `rows` output rows.
  virtual void endRows(Value firstRow, int64_t rows) {}

  /// A parallel loop over the channels of all samples of the output.
  void forEachPlane(llvm::function_ref<void(Value sample, Value channel)> body);
  Plane getPlane(Value memref, Value sample, Value channel);
  void emitPlane(const Plane &inputPlane, const Plane &outputPlane);
  Value getPosition(const Plane &plane, const Place &at);
  Value loadOutput(const Plane &plane, Value position);

  Emitter &emitter;
  Axis y, x;
  /// Lanes of the vectors, and how many of them are output positions.
  int64_t width, live;
  /// Whether the taps of an input row are visited together, so that they can
  /// share loads; else all rows of one window column after the other.
  bool tapsTogether = true;

private:
  void emitRows(Value firstRow, int64_t rows);
  /// `columns` are where the vectors of the tile begin, from `firstColumn` on.
  void emitTile(Value firstRow, int64_t rows, Value firstColumn,
                ArrayRef<int64_t> columns);
  bool canLoop(int64_t column) const;
  bool sharesLoads() const;
  /// Rows by their number, counted from the first output row's.
  using RowViews = std::map<int64_t, Value>;
  RowViews viewRows(Value firstRow, int64_t rows, Value column);
  Value loadInput(int64_t row, int64_t column, int64_t length);
  Value loadColumns(int64_t row, int64_t column);
  Value loadPair(int64_t row, int64_t column, Value *odd);
  Value loadTap(int64_t row, int64_t vector, int64_t tap);
  void storeOutput(Value value, Value position);
  Value getMask(int64_t begin, int64_t end);

  /// The output.
  Value images;
  int64_t tileRows, tileVectors;
  double outside;
  bool masked;
  Plane input, output;
  /// The rows that the current tile reads, where each has an address of its
  /// own.
  RowViews rowViews;
  /// The first output column of the current tile, and the input position that
  /// tap (0, 0) would read without padding.
  Value firstColumn, base;
  ArrayRef<int64_t> columns;
  /// Taps of the vectors of the current row that are loaded, with a stride of
  /// two.
  std::map<std::pair<int64_t, int64_t>, Value> loadedTaps;
};

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_PLANEKERNEL_H
