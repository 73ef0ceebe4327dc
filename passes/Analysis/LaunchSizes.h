//===- LaunchSizes.h - Sizes of launches that are known --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_LAUNCHSIZES_H
#define BCR_PASSES_ANALYSIS_LAUNCHSIZES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace mlir::bcr {

/// The sizes in x, y and z of `what` of a launch ("groups", "work-items"), or
/// failure and an error where one is no constant.
FailureOr<SmallVector<int64_t>> getKnownSizes(Operation *launch, StringRef what,
                                              gpu::KernelDim3 sizes);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_LAUNCHSIZES_H
