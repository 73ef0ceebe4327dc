//===- ConvAxis.h - One dimension of a convolution -------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Kernels with positions along the vector read an input whose rows are one
// flat range, where each column of W is one constant offset. Who plans the
// layouts of buffers, who predicts a kernel's time and who emits it have to
// agree on how long a row of that range is: all of them ask here.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_CONVAXIS_H
#define BCR_PASSES_ANALYSIS_CONVAXIS_H

#include "dialect/BCR.h"

namespace mlir::bcr {

/// Rows (0) or columns (1) of the images of a convolution. With a stride, a
/// copy of the input has a part for each remainder of the coordinates that the
/// kernel reads (a phase), in which neighbouring outputs have neighbouring
/// inputs.
struct ConvAxis {
  /// Of the input without its padding, and of the output.
  int64_t size, outputs;
  int64_t kernel, stride, dilation;
  /// Padding before the first input.
  int64_t before;

  /// `axis` of a convolution on images of static size, on tensors or memrefs.
  static ConvAxis get(Conv2DOp conv, unsigned axis);

  int64_t getPhase(int64_t tap) const { return tap * dilation % stride; }
  int64_t getStep(int64_t tap) const { return tap * dilation / stride; }
  SmallVector<int64_t> getPhases() const;
  /// Positions that a phase reads.
  int64_t getReach() const { return outputs + getStep(kernel - 1); }
  /// Positions of a phase that hold input: [getBegin, getEnd).
  int64_t getBegin(int64_t phase) const;
  int64_t getEnd(int64_t phase) const;
  /// Input coordinate of a position inside that range.
  int64_t getOrigin(int64_t phase) const { return phase - before; }
};

/// The least distance between two rows of a copy of the layer's input such that
/// the zeros behind a row are those before the next: as many positions as a row
/// of the output has, and as any phase has of inputs with the zeros on the
/// wider side. A copy, and an input that is read in place, may have longer
/// rows, never shorter ones.
int64_t getPitchOfCopy(Conv2DOp conv);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_CONVAXIS_H
