//===- StridedConstant.h - Constants seen through data movement -*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_STRIDEDCONSTANT_H
#define BCR_PASSES_ANALYSIS_STRIDEDCONSTANT_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"

#include <vector>

namespace mlir::bcr {

/// An f32 constant and the way a value reads it: element (i0, i1, ...) of the
/// value is element `offset + i0 * strides[0] + i1 * strides[1] + ...` of the
/// constant. torch-mlir transposes, reshapes, broadcasts, slices and (for
/// transposed convolutions) reverses weights before it uses them; all of these
/// are steps of this form, so weights are found behind any chain of them and
/// are copied at most once.
struct StridedConstant {
  ElementsAttr root;
  int64_t offset = 0;
  SmallVector<int64_t> shape;
  SmallVector<int64_t> strides;

  /// Fails if `value` is anything but data movement of one f32 constant.
  static FailureOr<StridedConstant> match(Value value);

  /// The same constant with its dimensions in another order.
  StridedConstant permuted(ArrayRef<int64_t> permutation) const;

  /// The elements in row-major order of `shape`, or failure if the constant is
  /// a resource without data.
  FailureOr<std::vector<float>> gather() const;

  /// A constant of `targetShape` with the elements in row-major order. It
  /// shares the data of `root` where the order is that of `root`, else it is a
  /// copy whose resource key starts with `name`.
  FailureOr<ElementsAttr> getElements(ArrayRef<int64_t> targetShape,
                                      StringRef name) const;

  /// The key of the constant's resource, or nothing if it is a literal.
  StringRef getKey() const;

private:
  bool isWholeRoot() const;
};

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_STRIDEDCONSTANT_H
