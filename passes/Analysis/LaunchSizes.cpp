//===- LaunchSizes.cpp - Sizes of launches that are known -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/LaunchSizes.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;

FailureOr<SmallVector<int64_t>>
mlir::bcr::getKnownSizes(Operation *launch, StringRef what,
                         gpu::KernelDim3 sizes) {
  SmallVector<int64_t> numbers;
  for (Value size : {sizes.x, sizes.y, sizes.z}) {
    std::optional<int64_t> number = getConstantIntValue(size);
    if (!number)
      return launch->emitOpError("has a number of ")
             << what << " that is not known when the model is compiled";
    numbers.push_back(*number);
  }
  return numbers;
}
